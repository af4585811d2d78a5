from anthropic import Anthropic
from fake_provider import Answer


def weather(city):
    return f"Rain in {city}"


def ask(client, question):
    messages = [{"role": "user", "content": question}]
    while True:
        message = client.messages.create(model="claude-sonnet-5", max_tokens=500, messages=messages)
        if message.stop_reason != "tool_use":
            return message.content[0].text
        messages.append({"role": "assistant", "content": message.content})
        results = [
            {"type": "tool_result", "tool_use_id": use.id, "content": weather(**use.input)}
            for use in message.content
        ]
        messages.append({"role": "user", "content": results})


def test_the_loop_calls_the_tool_and_ends(fake_provider):
    fake_provider.script(
        [
            Answer(tool_calls=[("weather", {"city": "Oslo"})]),
            Answer(text="Take an umbrella."),
        ]
    )
    assert ask(Anthropic(), "Do I need an umbrella in Oslo?") == "Take an umbrella."
    assert len(fake_provider.trace.attempts) == 2

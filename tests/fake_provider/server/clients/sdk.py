"""The SDK as an application uses it, with retries of its own."""

from anthropic import Anthropic

client = Anthropic(max_retries=6)
for number in range(4):
    client.messages.create(
        model="claude-sonnet-5",
        max_tokens=9,
        messages=[{"role": "user", "content": f"question {number}"}],
    )

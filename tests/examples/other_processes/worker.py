from anthropic import Anthropic

client = Anthropic(max_retries=4)
for question in ("What changed?", "Who changed it?", "Why?"):
    client.messages.create(
        model="claude-sonnet-5",
        max_tokens=100,
        messages=[{"role": "user", "content": question}],
    )

from anthropic import Anthropic
from fake_provider import FakeProvider
from tenacity import RetryError, retry, stop_after_attempt, wait_fixed


@retry(stop=stop_after_attempt(4), wait=wait_fixed(2))
def ask(client):
    return client.messages.create(
        model="claude-sonnet-5",
        max_tokens=500,
        messages=[{"role": "user", "content": "What changed?"}],
    )


with FakeProvider(requests_per_minute=1) as provider:
    client = Anthropic(max_retries=0)
    ask(client)
    try:
        ask(client)
    except RetryError:
        print("gave up")

provider.trace.dump("trace.jsonl")

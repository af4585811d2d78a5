import httpx
import respx
from anthropic import Anthropic


def test_your_own_routes_come_first(fake_provider):
    with respx.mock(assert_all_mocked=False) as router:
        router.get("https://search.corp/").respond(json={"hits": 3})
        hits = httpx.get("https://search.corp/").json()["hits"]
        Anthropic().messages.create(
            model="claude-sonnet-5",
            max_tokens=500,
            messages=[{"role": "user", "content": f"Summarise {hits} hits."}],
        )
    assert len(fake_provider.trace.attempts) == 1

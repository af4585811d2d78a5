import pytest
from openai import OpenAI


@pytest.mark.ratelimit(hosts={"llm-gateway.corp": "openai"}, allow_hosts=["search.corp"])
def test_a_gateway_of_your_own(fake_provider):
    OpenAI(base_url="https://llm-gateway.corp/v1").chat.completions.create(
        model="gpt-5", messages=[{"role": "user", "content": "What changed?"}]
    )
    assert fake_provider.trace.attempts[0].host == "llm-gateway.corp"

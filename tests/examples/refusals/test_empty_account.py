import pytest
from fake_provider import Fault
from openai import OpenAI, RateLimitError
from pytest_ratelimit import assert_no


def test_the_sdk_retries_what_no_wait_cures(fake_provider):
    fake_provider.script(Fault(kind="insufficient-quota"))
    with pytest.raises(RateLimitError):
        OpenAI().chat.completions.create(
            model="gpt-5", messages=[{"role": "user", "content": "What changed?"}]
        )
    assert len(fake_provider.trace.attempts) == 3
    with pytest.raises(AssertionError, match="RL121"):
        assert_no(fake_provider.trace, "RL121")

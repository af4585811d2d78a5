import random
import time

from anthropic import Anthropic, OverloadedError
from fake_provider import Fault
from pytest_ratelimit import assert_no

QUESTION = {
    "model": "claude-sonnet-5",
    "max_tokens": 500,
    "messages": [{"role": "user", "content": "What changed?"}],
}


def overloaded_for_a_minute(arrival):
    return Fault(status=529) if arrival.at < 60 else None


def ask(client):
    for tried in range(10):
        try:
            return client.messages.create(**QUESTION)
        except OverloadedError:
            time.sleep(random.uniform(0, 2**tried))
    raise TimeoutError("overloaded for too long")


def test_one_layer_gets_over_an_outage(fake_provider):
    fake_provider.script(overloaded_for_a_minute)
    ask(Anthropic(max_retries=0))
    assert fake_provider.trace.calls[0].succeeded
    assert_no(fake_provider.trace, "RL107", "RL111", "RL112")

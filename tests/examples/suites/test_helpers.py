import pytest
from anthropic import Anthropic
from pytest_ratelimit import assert_all_calls_succeed, current


def run_job(calls):
    client = Anthropic(max_retries=2)
    for number in range(calls):
        client.messages.create(
            model="claude-sonnet-5",
            max_tokens=500,
            messages=[{"role": "user", "content": f"Question {number}"}],
        )


def finish():
    """What every test of the job ends with, wherever it stands."""
    assert_all_calls_succeed(current().trace)


@pytest.mark.usefixtures("fake_provider")
def test_the_job_is_done():
    run_job(calls=3)
    finish()

import pytest
from pytest_ratelimit import Policy, assert_no

from pipeline import run_pipeline


@pytest.mark.ratelimit(
    tokens_per_minute=4_000_000,
    tokens_per_request=400_000,
    policy=Policy(burst_declared=True, max_attempts=5),
)
def test_a_burst_on_purpose(fake_provider):
    run_pipeline(agents=12)
    assert_no(fake_provider.trace, "RL111", "RL202")

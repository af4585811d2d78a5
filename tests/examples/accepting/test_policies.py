import pytest
from pytest_ratelimit import assert_no, assert_retries_spread

from pipeline import run_pipeline


@pytest.mark.ratelimit(tokens_per_minute=4_000_000, tokens_per_request=400_000)
def test_only_what_matters_here(fake_provider):
    run_pipeline(agents=12)
    assert_no(fake_provider.trace, "RL112", "RL121")
    with pytest.raises(AssertionError, match="RL101"):
        assert_retries_spread(fake_provider.trace)

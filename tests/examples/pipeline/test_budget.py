import pytest
from pytest_ratelimit import assert_well_behaved

from pipeline import run_pipeline


@pytest.mark.ratelimit(tokens_per_minute=4_000_000, tokens_per_request=400_000)
def test_pipeline_stays_within_its_budget(fake_provider):
    run_pipeline(agents=12)
    assert_well_behaved(fake_provider.trace, allow_quiet=True)

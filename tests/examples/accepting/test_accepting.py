import pytest
from pytest_ratelimit import assert_well_behaved

from pipeline import run_pipeline

REASONS = {
    "RL101": "the nightly job runs alone; nobody waits for it",
    "RL102": "as RL101",
    "RL103": "the gateway strips Retry-After",
    "RL105": "as RL103",
    "RL106": "as RL101",
    "RL113": "as RL101",
    "RL201": "as RL101",
    "RL202": "as RL101",
}


@pytest.mark.ratelimit(tokens_per_minute=4_000_000, tokens_per_request=400_000, ignore=REASONS)
def test_nightly_job_as_it_is(fake_provider):
    run_pipeline(agents=12)
    assert_well_behaved(fake_provider.trace)

import pytest
from pytest_ratelimit import assert_well_behaved

from agents import run_in_threads


@pytest.mark.ratelimit(requests_per_minute=4)
def test_threads(fake_provider):
    assert len(run_in_threads(agents=8)) == 8
    assert_well_behaved(fake_provider.trace)

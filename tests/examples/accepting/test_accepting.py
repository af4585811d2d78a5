import pytest
from pytest_ratelimit import assert_well_behaved

from pipeline import run_pipeline

ALONE = "one job a night, alone on its key: a shared budget is not worth it"


@pytest.mark.ratelimit(
    tokens_per_minute=4_000_000,
    tokens_per_request=400_000,
    ignore={"RL201": ALONE, "RL202": ALONE, "RL205": ALONE},
)
def test_nightly_job(fake_provider):
    run_pipeline(agents=12)
    assert_well_behaved(fake_provider.trace, strict=True)

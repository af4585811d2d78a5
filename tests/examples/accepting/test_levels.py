import pytest
from pytest_ratelimit import assert_well_behaved

from pipeline import run_pipeline

pytestmark = pytest.mark.ratelimit(
    tokens_per_minute=4_000_000,
    tokens_per_request=400_000,
    ignore={"RL113": "the retry budget comes with the next release"},
)


def test_the_module_accepts_this_one_only(fake_provider):
    run_pipeline(agents=12)
    with pytest.raises(AssertionError, match="RL101") as caught:
        assert_well_behaved(fake_provider.trace)
    assert "RL113" not in str(caught.value)


@pytest.mark.ratelimit(ignore={"RL101": "the nearest marker wins, keyword by keyword"})
def test_the_function_replaces_the_whole_mapping(fake_provider):
    run_pipeline(agents=12)
    with pytest.raises(AssertionError, match="RL113") as caught:
        assert_well_behaved(fake_provider.trace)
    assert "RL101" not in str(caught.value)

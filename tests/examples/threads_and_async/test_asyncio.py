import pytest
from pytest_ratelimit import assert_well_behaved

from agents import run_in_asyncio


@pytest.mark.asyncio
@pytest.mark.ratelimit(requests_per_minute=4)
async def test_tasks(fake_provider):
    assert len(await run_in_asyncio(agents=8)) == 8
    assert_well_behaved(fake_provider.trace)

import pytest
from pytest_ratelimit import assert_well_behaved

from agents import run_in_anyio


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
@pytest.mark.ratelimit(requests_per_minute=4)
async def test_tasks(fake_provider, anyio_backend):
    await run_in_anyio(agents=8)
    assert_well_behaved(fake_provider.trace)

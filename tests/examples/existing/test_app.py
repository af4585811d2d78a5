import pytest

from app import answer_all


@pytest.mark.ratelimit(requests_per_minute=6)
def test_a_fleet_of_24(fake_provider):
    answer_all(24)

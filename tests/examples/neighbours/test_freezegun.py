import datetime as dt
import time

from freezegun import freeze_time


@freeze_time("2027-03-01")
def test_virtual_time_moves_frozen_time(fake_provider):
    time.sleep(90)
    assert dt.datetime.now(dt.UTC).isoformat() == "2027-03-01T00:01:30+00:00"
    assert fake_provider.clock.elapsed() == 90.0

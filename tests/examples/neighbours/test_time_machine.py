import datetime as dt
import time

import time_machine


@time_machine.travel("2027-03-01T00:00:00Z", tick=False)
def test_virtual_time_moves_the_time_travelled_to(fake_provider):
    time.sleep(90)
    assert dt.datetime.now(dt.UTC).isoformat() == "2027-03-01T00:01:30+00:00"
    assert fake_provider.clock.elapsed() == 90.0

import subprocess
import sys
import time

from fake_provider.virtual_time import VirtualClock


def test_one_block_in_real_time():
    with VirtualClock() as clock:
        time.sleep(3600)
        with clock.passthrough():
            subprocess.run([sys.executable, "-c", "pass"], check=True)
        assert clock.elapsed() == 3600.0

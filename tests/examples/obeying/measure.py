import sys
from statistics import median

import clients
from pytest_ratelimit._demo import broken
from pytest_ratelimit._demo.replay import LIMITS, replay

seeds = range(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
print(f"client, max_retries   makespan  attempts  first wave refused  (median of {len(seeds)})")
for job, max_retries in (
    (broken.run, 0),
    (clients.unmodified, 2),
    (clients.jittered, 0),
    (clients.budgeted, 2),
):
    runs = [replay(job, LIMITS, seed, max_retries=max_retries).summary() for seed in seeds]
    makespan, attempts, refused = (
        median(run[name] for run in runs)
        for name in ("makespan_s", "attempts", "first_wave_refused")
    )
    name = f"{job.__module__.rpartition('.')[2]}.{job.__name__}, {max_retries}"
    print(f"{name:20}  {makespan:6.1f} s  {attempts:8.0f}  {refused:8.0f} of 12", end="  ")
    print(*sorted({code for run in runs for code in run["findings"]}) or ["no errors"])

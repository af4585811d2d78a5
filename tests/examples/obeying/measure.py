import sys
from statistics import median

from pytest_ratelimit._demo import broken
from pytest_ratelimit._demo.replay import LIMITS, replay

import clients

JOBS = {
    "lockstep": (broken.run, 0),
    "unmodified": (clients.unmodified, 2),
    "jittered": (clients.jittered, 0),
    "budgeted": (clients.budgeted, 2),
}
seeds = range(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
print(f"{'':10}  max_retries  makespan  attempts  first wave refused  errors")
for name, (job, max_retries) in JOBS.items():
    runs = [replay(job, LIMITS, seed, max_retries=max_retries).summary() for seed in seeds]
    makespan = median(run["makespan_s"] for run in runs)
    attempts = median(run["attempts"] for run in runs)
    refused = median(run["first_wave_refused"] for run in runs)
    codes = sorted({code for run in runs for code in run["findings"]}) or ["none"]
    print(f"{name:10}  {max_retries:11}  {makespan:6.1f} s  {attempts:8.0f}", end="  ")
    print(f"{refused:12.0f} of 12 ", *codes)

first = replay(clients.unmodified, LIMITS, max_retries=2).findings[0]
print(f"\nunmodified, {first.code}: {first.cause}")

from fake_provider import Limits, Workload
from pytest_ratelimit import check

FLEET = Workload(callers=300, calls=2, tokens=40_000, limits=Limits(tokens_per_minute=4_000_000))


def lockstep(refused):
    return 1.0 if refused.attempt < 20 else None


def as_told(refused):
    return refused.hint_s + refused.random.uniform(0, 420)


for policy in (lockstep, as_told):
    run = FLEET.simulate(policy)
    codes = sorted({f.code for f in check(run.trace) if f.severity == "error"})
    print(f"{policy.__name__}: {len(run):,} requests, {run.makespan:.0f} s, {codes}")

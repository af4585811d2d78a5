from fake_provider import Limits
from hypothesis import given, settings, target
from pytest_ratelimit import assert_no
from pytest_ratelimit.strategies import RetryPolicy, workloads

POLICY = RetryPolicy(base_s=20.0, cap_s=300.0, jitter="full", attempts=12, obeys_hint=True)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(workload=workloads(limits=Limits(requests_per_minute=10)))
def test_the_worst_workload_for_our_policy_is_no_storm(workload):
    trace = workload.simulate(POLICY).trace
    target(trace.amplification, label="attempts per call")
    assert_no(trace, "RL103", "RL107", "RL111", "RL113")

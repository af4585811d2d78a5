from anthropic import Anthropic
from fake_provider import Fault
from pytest_ratelimit import assert_retry_after_respected, assert_well_behaved


def test_two_refusals(fake_provider):
    fake_provider.script([Fault(headers={"retry-after": "20"}), Fault(status=529), None])
    Anthropic(max_retries=2).messages.create(
        model="claude-sonnet-5",
        max_tokens=500,
        messages=[{"role": "user", "content": "What changed?"}],
    )
    statuses = [attempt.status for attempt in fake_provider.trace.attempts]
    assert statuses == [429, 529, 200]
    assert fake_provider.trace.attempts[1].arrived_at == 20.0
    assert_retry_after_respected(fake_provider.trace)
    assert_well_behaved(fake_provider.trace)

import time

from anthropic import Anthropic
from fake_provider import FakeProvider
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule


class Pacer:
    """Lets ten requests go in any minute."""

    def __init__(self):
        self.sent = []

    def wait_for_room(self):
        if len(self.sent) >= 10:
            time.sleep(max(0.0, self.sent[-10] + 60.0 - time.monotonic()))
        self.sent.append(time.monotonic())


class Client(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.provider = FakeProvider(requests_per_minute=10, latency=0.0)
        self.provider.__enter__()
        self.client = Anthropic(max_retries=0)
        self.pacer = Pacer()

    @rule(questions=st.integers(1, 15))
    def ask(self, questions):
        for number in range(questions):
            self.pacer.wait_for_room()
            self.client.messages.create(
                model="claude-sonnet-5",
                max_tokens=500,
                messages=[{"role": "user", "content": f"Question {number}"}],
            )

    @rule(seconds=st.integers(1, 120))
    def pause(self, seconds):
        time.sleep(seconds)

    @invariant()
    def nobody_is_refused(self):
        assert not self.provider.trace.refused

    def teardown(self):
        self.provider.__exit__(None, None, None)


TestClient = Client.TestCase
TestClient.settings = settings(
    max_examples=5, stateful_step_count=10, deadline=None, derandomize=True
)

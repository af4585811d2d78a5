"""Hints: what a refusal's headers tell a client, read as the SDKs read them."""

from __future__ import annotations

import email.utils
import math
import time

import anthropic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fake_provider import FakeProvider, Fault, HintStyle
from fake_provider._hints import hint_style, read_hint

NS = 1_000_000_000
WALL_NS = 1_767_225_600 * NS  # 2026-01-01T00:00:00Z
exact = settings(max_examples=200, deadline=None, derandomize=True, database=None)


def on(seconds, zone="GMT"):
    """Return the HTTP date so many seconds after 2026 began."""
    date = email.utils.formatdate(WALL_NS // NS + seconds, usegmt=True)
    return date.replace("GMT", zone)


FORMS = [
    ({"retry-after": "5"}, 5.0, "seconds"),
    ({"retry-after": "2.5"}, 2.5, "seconds"),
    ({"retry-after": " 7 "}, 7.0, "seconds"),
    ({"retry-after": "0"}, 0.0, "seconds"),
    ({"retry-after": "-3"}, -3.0, "seconds"),
    ({"retry-after": "3e2"}, 300.0, "seconds"),
    ({"retry-after-ms": "1500"}, 1.5, "ms"),
    ({"retry-after-ms": "0"}, 0.0, "ms"),
    ({"retry-after-ms": "250", "retry-after": "9"}, 0.25, "ms"),
    ({"retry-after-ms": "soon", "retry-after": "4"}, 4.0, "seconds"),
    ({"retry-after": on(60)}, 60.0, "date"),
    ({"retry-after": on(-60)}, -60.0, "date"),
    ({"retry-after": on(0)}, 0.0, "date"),
    ({"retry-after": on(3_600, "+0100")}, 0.0, "date"),
]
# Dates that no calendar has are left out of the comparison: the SDK rolls them over, or fails.
IMPOSSIBLE = [
    {"retry-after": "Thu, 99 Jan 2026 00:01:00 GMT"},
    {"retry-after": "Mon, 01 Jan 99999 00:00:00 GMT"},
]
GARBAGE = [
    {},
    {"retry-after": ""},
    {"retry-after": "soon"},
    {"retry-after": "nan"},
    {"retry-after": "inf"},
    {"retry-after": "1e400"},
    {"retry-after": "12:00"},
    {"retry-after-ms": "nan"},
    {"retry-after-ms": ""},
]


@pytest.mark.parametrize(("headers", "seconds", "form"), FORMS)
def test_every_form_is_read_with_its_name(headers, seconds, form):
    """Milliseconds come before seconds, seconds before a date; nothing is clipped."""
    assert read_hint(headers, WALL_NS) == (pytest.approx(seconds), form)


@pytest.mark.parametrize("headers", GARBAGE + IMPOSSIBLE)
def test_garbage_is_no_hint(headers):
    """What cannot be read as a finite wait is none."""
    assert read_hint(headers, WALL_NS) is None


@pytest.mark.parametrize(("headers", "seconds", "form"), FORMS)
def test_a_scripted_hint_is_recorded_as_it_is_read(headers, seconds, form):
    """The trace holds what the client was told, zero and past instants too."""
    with FakeProvider(start=WALL_NS / NS) as provider:
        provider.script([Fault(headers=headers)])
        with pytest.raises(anthropic.RateLimitError):
            ask()
        (attempt,) = provider.trace.refused
    assert (attempt.hint, attempt.hint_form) == (pytest.approx(seconds), form)


@pytest.mark.parametrize("headers", GARBAGE + IMPOSSIBLE)
def test_a_scripted_header_that_says_nothing_is_no_hint(headers):
    """Garbage goes out as it is, and the trace holds no hint."""
    with FakeProvider() as provider:
        provider.script([Fault(headers=headers)])
        with pytest.raises(anthropic.RateLimitError) as caught:
            ask()
        (attempt,) = provider.trace.refused
    assert {name: caught.value.response.headers.get(name) for name in headers} == headers
    assert (attempt.hint, attempt.hint_form) == (None, None)


def ask(client=None):
    client = client or anthropic.Anthropic(api_key="test", max_retries=0)
    return client.messages.create(
        model="claude-sonnet-5", max_tokens=16, messages=[{"role": "user", "content": "hello"}]
    )


def test_a_date_is_read_on_the_client_s_clock():
    """The hint in the trace counts from the end of the answer, on the clock that the client has."""
    with FakeProvider(start=WALL_NS / NS) as provider:
        provider.script([Fault(headers={"retry-after": on(100)})])
        time.sleep(30)
        with pytest.raises(anthropic.RateLimitError):
            ask()
        (attempt,) = provider.trace.refused
    assert attempt.arrived_at + attempt.hint == pytest.approx(100.0, abs=1e-6)


def test_a_date_is_read_to_the_nanosecond():
    """The clock's nanoseconds do not get lost against seconds since 1970."""
    assert read_hint({"retry-after": on(100)}, WALL_NS + 1) == (99.999999999, "date")


def test_a_hint_on_a_served_answer_is_none():
    """Only a refusal is told to wait."""
    with FakeProvider() as provider:
        provider.script([Fault(status=200, headers={"retry-after": "9"})])
        ask()
        (attempt,) = provider.trace.attempts
    assert attempt.hint is None


def sdk_wait(headers):
    """Return the seconds that the SDK reads in these headers, None if it reads none."""
    client = anthropic.Anthropic(api_key="test")
    return client._parse_retry_after_header(anthropic.DefaultHttpxClient().headers | headers)


@pytest.mark.parametrize(("headers", "seconds", "form"), FORMS)
def test_the_sdk_reads_the_same(headers, seconds, form):
    """The real SDK's own parser returns what the trace records."""
    with FakeProvider(start=WALL_NS / NS):
        read = sdk_wait(headers)
    assert read == pytest.approx(read_hint(headers, WALL_NS)[0], abs=1e-6)


@pytest.mark.parametrize("headers", GARBAGE)
def test_the_sdk_reads_no_wait_in_garbage_either(headers):
    """Where the trace holds no hint, the SDK has no wait that it could obey."""
    read = sdk_wait(headers)
    assert read is None or not math.isfinite(read)


@pytest.mark.parametrize(
    ("value", "slept"), [("5", 5.0), ("0.25", 0.25), ("60", 60.0), (on(30), 30.0)]
)
def test_the_sdk_sleeps_what_the_trace_says_it_was_told(value, slept):
    """The SDK's own retry comes when the recorded hint is over."""
    client = anthropic.Anthropic(api_key="test", max_retries=1)
    with FakeProvider(latency=0, start=WALL_NS / NS) as provider:
        provider.script([Fault(headers={"retry-after": value})])
        ask(client)
        refused, served = provider.trace.attempts
    assert refused.hint == pytest.approx(slept, abs=1e-6)
    assert served.arrived_at - refused.ended_at == pytest.approx(slept, abs=1e-6)


@exact
@given(st.floats(-1e6, 1e6))
def test_any_finite_number_is_read_as_it_is(seconds):
    """Whatever a header says in digits is the wait in seconds, or in thousandths."""
    assert read_hint({"retry-after": repr(seconds)}, WALL_NS) == (seconds, "seconds")
    assert read_hint({"retry-after-ms": repr(seconds)}, WALL_NS) == (seconds / 1000, "ms")


@exact
@given(st.text())
def test_no_text_is_an_error(text):
    """Any header can be read, or is no hint."""
    hint = read_hint({"retry-after": text, "retry-after-ms": text}, WALL_NS)
    assert hint is None or math.isfinite(hint[0])


@exact
@given(st.integers(-(10**6), 10**6))
def test_any_date_is_read_as_a_deadline(seconds):
    """A date is so many seconds away, to the second it is written in."""
    wait, form = read_hint({"retry-after": on(seconds)}, WALL_NS)
    assert (wait, form) == (pytest.approx(seconds, abs=1e-6), "date")


def test_a_form_is_a_style():
    """The keyword `hint` takes a form or a whole style."""
    style = HintStyle(form="date", pad_s=1.0)
    assert hint_style(style) is style
    assert hint_style("ms") == HintStyle(form="ms")

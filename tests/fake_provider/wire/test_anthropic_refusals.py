"""Anthropic: refusals against the figures of real dumps, and the headers of the limits."""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fake_provider._limiters import Level
from fake_provider._limits import Limits
from fake_provider._wire._anthropic import Anthropic
from fake_provider._wire._anthropic_headers import limit_headers
from fake_provider._wire._shapes import Ask, Hint, Ids, Moment, Refusal
from tests.fake_provider.wire.wiring import NOW, SECOND, S, body, full, loaded

many = settings(max_examples=200, deadline=None, derandomize=True, database=None)

DIALECT = Anthropic()
ASK = Ask("generate", "claude-opus-4-6", 100, False, 5, {})
HINT = Hint("seconds", 57.5)

INPUT, OUTPUT, REQUESTS = Limits(
    input_tokens_per_minute=30_000, output_tokens_per_minute=8_000, requests_per_minute=50
)
# The levels of a 429 seen on 27 February 2026: 9,000 input tokens below zero at 500 a second.
DUMPED = (Level(INPUT, 0, 78 * S), Level(OUTPUT, 8_000, 0), Level(REQUESTS, 50, 0))


def refused(violated=INPUT, levels=DUMPED, hint=HINT, ask=ASK, ids=None):
    return DIALECT.refused(Moment(ask, levels, ids or Ids(0), NOW), Refusal(violated, hint, 20_000))


def resets(reply):
    """The reset headers by dimension."""
    found = {}
    for name, value in reply.headers:
        if match := re.fullmatch("anthropic-ratelimit-(.+)-reset", name):
            found[match[1]] = value
    return found


def test_17_tokens_of_two_million_are_rounded_away() -> None:
    """A header of 2,000,000 remaining after a request of 17 tokens has been seen."""
    (limit,) = Limits(input_tokens_per_minute=2_000_000)
    headers = dict(limit_headers((Level(limit, 1_999_983, 0),), NOW))
    assert headers["anthropic-ratelimit-input-tokens-remaining"] == "2000000"


@many
@given(st.integers(0, 10_000_000))
@example(500)
@example(29_500)
def test_tokens_remaining_are_the_nearest_thousand(remaining) -> None:
    """The header is a multiple of 1,000 and at most 500 away, halves above."""
    (limit,) = Limits(output_tokens_per_minute=10_000_000)
    headers = dict(limit_headers((Level(limit, remaining, 0),), NOW))
    shown = int(headers["anthropic-ratelimit-output-tokens-remaining"])
    assert shown % 1_000 == 0
    assert -500 <= remaining - shown < 500


def test_only_dimensions_that_are_limited_are_stated() -> None:
    """No header speaks of a dimension without a limit, nor of requests in flight."""
    limits = Limits(tokens_per_minute=4_000_000, concurrent_requests=5, count_tokens_per_minute=100)
    assert [name for name, _ in limit_headers(full(limits), NOW)] == [
        "anthropic-ratelimit-tokens-limit",
        "anthropic-ratelimit-tokens-remaining",
        "anthropic-ratelimit-tokens-reset",
    ]
    assert limit_headers((), NOW) == ()


def test_a_limit_on_all_tokens_is_stated_rather_than_the_sum() -> None:
    """Where input, output and their total are limited, tokens-* is the limit on the total."""
    limits = Limits(
        tokens_per_minute=33_000, input_tokens_per_minute=30_000, output_tokens_per_minute=8_000
    )
    assert dict(limit_headers(full(limits), NOW))["anthropic-ratelimit-tokens-limit"] == "33000"


def test_of_two_limits_on_one_dimension_the_tighter_is_stated() -> None:
    """The level with the least remaining speaks for its dimension, unless the other refused."""
    minute, day = Limits(requests_per_minute=50, requests_per_day=1_000)
    levels = (Level(minute, 40, 0), Level(day, 7, 0))
    name = "anthropic-ratelimit-requests-limit"
    assert dict(limit_headers(levels, NOW))[name] == "1000"
    assert dict(limit_headers(levels[::-1], NOW))[name] == "1000"
    assert dict(limit_headers(levels, NOW, minute, HINT))[name] == "50"


def test_a_refusal_has_the_593_bytes_that_were_seen() -> None:
    """30,000 input tokens, claude-opus-4-6 and a 28-character id make content-length 593."""
    reply = refused()
    identity = dict(reply.headers)["request-id"]
    assert len(identity) == 28
    assert len(body(reply)) == 593
    assert body(reply).decode() == (
        '{"type":"error","error":{"type":"rate_limit_error","message":"This request would exceed '
        "your organization's rate limit of 30,000 input tokens per minute (org: "
        "00000000-0000-4000-8000-000000000000, model: claude-opus-4-6). For details, refer to: "
        "https://docs.claude.com/en/api/rate-limits. You can see the response headers for current "
        "usage. Please reduce the prompt length or the maximum tokens requested, or try again "
        "later. You may also contact sales at https://www.anthropic.com/contact-sales to discuss "
        'your options for a rate limit increase."},'
        f'"request_id":"{identity}"}}'
    )


def test_a_refusal_has_the_headers_that_were_seen() -> None:
    """The limits' headers of the dump, the epoch for what was not evaluated included."""
    reply = refused()
    headers = dict(reply.headers)
    assert reply.status == 429
    assert headers["content-type"] == "application/json"
    assert headers["content-length"] == "593"
    assert headers["retry-after"] == "58"
    assert headers["x-should-retry"] == "true"
    assert {name: value for name, value in headers.items() if "ratelimit" in name} == {
        "anthropic-ratelimit-input-tokens-limit": "30000",
        "anthropic-ratelimit-input-tokens-remaining": "0",
        "anthropic-ratelimit-input-tokens-reset": "2026-02-27T12:53:25Z",
        "anthropic-ratelimit-output-tokens-limit": "8000",
        "anthropic-ratelimit-output-tokens-remaining": "8000",
        "anthropic-ratelimit-output-tokens-reset": "1970-01-01T00:00:00Z",
        "anthropic-ratelimit-requests-limit": "50",
        "anthropic-ratelimit-requests-remaining": "50",
        "anthropic-ratelimit-requests-reset": "2026-02-27T12:52:07Z",
        "anthropic-ratelimit-tokens-limit": "38000",
        "anthropic-ratelimit-tokens-remaining": "8000",
        "anthropic-ratelimit-tokens-reset": "1970-01-01T00:00:00Z",
    }


# Of the headers of the dump, those of the connection and of a proxy before the API, which are gone
# since April 2026.
LEFT_OUT = {"connection", "x-envoy-upstream-service-time"}


def test_a_refusal_has_every_header_that_was_seen_and_no_other() -> None:
    """The names of the whole dump, with the id of the request in the body as well."""
    seen = """
        date content-type content-length connection retry-after request-id x-should-retry server
        anthropic-organization-id strict-transport-security content-security-policy x-robots-tag
        x-envoy-upstream-service-time cf-cache-status cf-ray
    """
    dimensions = ("input-tokens", "output-tokens", "requests", "tokens")
    limits = {
        f"anthropic-ratelimit-{name}-{part}"
        for name in dimensions
        for part in ("limit", "remaining", "reset")
    }
    headers = dict(refused().headers)
    assert set(headers) == {*seen.split(), *limits} - LEFT_OUT
    assert headers["request-id"] == loaded(refused())["request_id"]
    assert re.fullmatch("req_011C[1-9A-HJ-NP-Za-km-z]{20}", headers["request-id"])
    assert re.fullmatch("[0-9a-f]{16}-[A-Z]{3}", headers["cf-ray"])


def test_the_refusal_of_another_day_is_as_long_as_was_seen() -> None:
    """A day later, of claude-sonnet-4-6: 595 bytes, 61 s to wait and 83 s to the full level."""
    levels = (Level(INPUT, 0, 83 * S), *DUMPED[1:])
    ask = ASK._replace(model="claude-sonnet-4-6")
    reply = refused(levels=levels, hint=Hint("seconds", 60.2), ask=ask)
    headers = dict(reply.headers)
    assert len(body(reply)) == 595
    assert headers["retry-after"] == "61"
    assert headers["anthropic-ratelimit-input-tokens-reset"] == "2026-02-27T12:53:30Z"


EPOCH, AT_ONCE, LATER = "1970-01-01T00:00:00Z", "2026-02-27T12:52:07Z", "2026-02-27T12:53:07Z"


@pytest.mark.parametrize(
    ("violated", "expected"),
    [
        (REQUESTS, [LATER, EPOCH, EPOCH, EPOCH]),
        (INPUT, [AT_ONCE, LATER, EPOCH, EPOCH]),
        (OUTPUT, [AT_ONCE, AT_ONCE, LATER, EPOCH]),
    ],
)
def test_what_comes_after_the_violated_limit_was_not_evaluated(violated, expected) -> None:
    """Requests, input and output are looked at in this order; later resets are the epoch."""
    levels = tuple(
        Level(limit, 0, 60 * S) if limit == violated else Level(limit, limit.amount, 0)
        for limit in (INPUT, OUTPUT, REQUESTS)
    )
    assert list(resets(refused(violated, levels)).values()) == expected


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (Limits(output_tokens_per_minute=8_000), "8,000 output tokens per minute"),
        (Limits(requests_per_minute=50), "50 requests per minute"),
        (Limits(tokens_per_minute=4_000_000), "4,000,000 tokens per minute"),
        (Limits(tokens_per_day=1_000_000), "1,000,000 tokens per day"),
        (Limits(count_tokens_per_minute=100), "100 requests per minute"),
    ],
)
def test_a_refusal_names_its_limit(limits, words) -> None:
    """The published rate and its dimension stand in the message, whatever the window."""
    message = loaded(refused(limits.limits[0], full(limits)))["error"]["message"]
    assert f"your organization's rate limit of {words} (org: " in message


def test_a_refusal_of_concurrent_requests_states_no_limit() -> None:
    """It has been reported with a message of its own and without the limits' headers."""
    limits = Limits(concurrent_requests=5, requests_per_minute=50)
    reply = refused(limits.limits[1], full(limits), Hint("none", 0.0))
    assert loaded(reply)["error"]["message"] == (
        "Number of concurrent connections has exceeded your rate limit. Please try again later or "
        "contact sales at https://www.anthropic.com/contact-sales to discuss your options for a "
        "rate limit increase."
    )
    assert not any("ratelimit" in name for name, _ in reply.headers)
    assert dict(reply.headers)["x-should-retry"] == "true"


@pytest.mark.parametrize(
    ("form", "named"),
    [
        ("seconds", {"retry-after": "2"}),
        ("ms", {"retry-after-ms": "1047"}),
        ("date", {"retry-after": "Fri, 27 Feb 2026 12:52:09 GMT"}),
        ("reset", {}),
        ("none", {}),
    ],
)
def test_each_form_of_hint_is_named_its_own_way(form, named) -> None:
    """One header or none; the resets stay unless the form is none."""
    reply = refused(hint=Hint(form, 1.0465))
    headers = {name: value for name, value in reply.headers if name.startswith("retry-after")}
    assert headers == named
    assert bool(resets(reply)) == (form != "none")
    assert "anthropic-ratelimit-input-tokens-remaining" in dict(reply.headers)


def test_a_reset_that_is_the_hint_is_not_cut_short() -> None:
    """With the form reset, the violated limit's header is rounded up rather than down."""
    assert resets(refused(hint=Hint("seconds", 78.0)))["input-tokens"] == "2026-02-27T12:53:25Z"
    assert resets(refused(hint=Hint("reset", 78.0)))["input-tokens"] == "2026-02-27T12:53:26Z"


def test_no_wait_is_nothing_to_name() -> None:
    """A wait of 0 seconds, as of a limit that nobody can foresee, has no retry-after."""
    assert "retry-after" not in dict(refused(hint=Hint("seconds", 0.0)).headers)


@many
@given(st.integers(1, 200 * S), st.integers(0, 10**10))
def test_no_hint_is_ever_early(wait_ns, later_ns) -> None:
    """Seconds, milliseconds and dates lie at or after the instant, by less than one unit."""
    now = NOW + later_ns
    hint = {}
    for form in ("seconds", "ms", "date"):
        reply = DIALECT.refused(
            Moment(ASK, DUMPED, Ids(0), now), Refusal(INPUT, Hint(form, wait_ns / S), 1)
        )
        headers = dict(reply.headers)
        hint[form] = headers.get("retry-after-ms") or headers["retry-after"]
    assert 0 <= int(hint["seconds"]) * S - wait_ns < S
    assert 0 <= int(hint["ms"]) * 1_000_000 - wait_ns < 1_000_000
    named = int(parsedate_to_datetime(hint["date"]).timestamp()) * S
    assert 0 <= named - (now + wait_ns) < S


def test_the_moment_of_these_tests_is_the_dump_s() -> None:
    """The date header is the second of the dump whose resets are compared above."""
    assert dict(refused().headers)["date"] == "Fri, 27 Feb 2026 12:52:07 GMT"
    assert SECOND == 1_772_196_727

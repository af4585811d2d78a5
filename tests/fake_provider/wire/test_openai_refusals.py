"""OpenAI: refusals against the figures of public reports, and every other error."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fake_provider._ledger import Ledger
from fake_provider._limiters import Level
from fake_provider._limits import Limits
from fake_provider._tokens import Cost
from fake_provider._wire._headers import go_duration
from fake_provider._wire._openai import OpenAI
from fake_provider._wire._openai_errors import error_body
from fake_provider._wire._openai_headers import limit_headers
from fake_provider._wire._shapes import NO_HINT, Ask, Failure, Hint, Ids, Moment, Refusal
from tests.fake_provider.wire.wiring import NOW, S, body, full, loaded

many = settings(max_examples=300, deadline=None, derandomize=True, database=None)

DIALECT = OpenAI()
ASK = Ask("generate", "gpt-4o", None, False, 5, {})
TOKENS, REQUESTS = Limits(
    tokens_per_minute=30_000, requests_per_minute=500, algorithm="token-bucket"
)
# The report: 29,869 tokens used of 30,000, and 654 requested.
REPORTED = (Level(TOKENS, 131, 59_738_000_000), Level(REQUESTS, 499, 120_000_000))
VISIT = "Visit https://platform.openai.com/account/rate-limits to learn more."


def refused(violated=TOKENS, levels=REPORTED, hint=None, requested=654):
    hint = hint or Hint("seconds", 1.046)
    return DIALECT.refused(Moment(ASK, levels, Ids(0), NOW), Refusal(violated, hint, requested))


def message(reply):
    return loaded(reply)["error"]["message"]


def bucket(used, **rate):
    """The ledger, limit and levels of a bucket of which so much is used."""
    limits = Limits(algorithm="token-bucket", **rate)
    ledger = Ledger(limits)
    for _ in range(used):
        assert ledger.admit("key", "model", Cost(0, 0), 0).admitted
    return ledger, limits.limits[0]


def test_a_refusal_is_worded_and_laid_out_as_reported() -> None:
    """Message, four-space layout and final newline, for the report's own figures."""
    assert body(refused()).decode() == (
        "{\n"
        '    "error": {\n'
        '        "message": "Rate limit reached for gpt-4o in organization org-fakeprovider on '
        "tokens per min (TPM): Limit 30000, Used 29869, Requested 654. Please try again in 1.046s. "
        f'{VISIT}",\n'
        '        "type": "tokens",\n'
        '        "param": null,\n'
        '        "code": "rate_limit_exceeded"\n'
        "    }\n"
        "}\n"
    )


def test_a_refusal_has_the_limits_headers_and_whole_seconds() -> None:
    """Limit, remaining and reset of both dimensions, and an integer retry-after."""
    headers = dict(refused().headers)
    assert {name: value for name, value in headers.items() if "ratelimit" in name} == {
        "x-ratelimit-limit-requests": "500",
        "x-ratelimit-remaining-requests": "499",
        "x-ratelimit-reset-requests": "120ms",
        "x-ratelimit-limit-tokens": "30000",
        "x-ratelimit-remaining-tokens": "131",
        "x-ratelimit-reset-tokens": "59.738s",
    }
    assert headers["retry-after"] == "2"
    assert headers["content-type"] == "application/json"
    assert headers["content-length"] == str(len(body(refused())))


@pytest.mark.parametrize(
    ("rate", "words"),
    [
        (
            {"requests_per_minute": 3},
            "requests per min (RPM): Limit 3, Used 3, Requested 1. Please try again in 20s.",
        ),
        (
            {"requests_per_day": 200},
            "requests per day (RPD): Limit 200, Used 200, Requested 1. Please try again in 7m12s.",
        ),
        (
            {"requests_per_day": 10_000},
            (
                "requests per day (RPD): Limit 10000, Used 10000, Requested 1. "
                "Please try again in 8.64s."
            ),
        ),
    ],
)
def test_the_waits_of_public_reports_come_out(rate, words) -> None:
    """A full bucket's wait for one request is the window divided by the limit."""
    (amount,) = rate.values()
    ledger, limit = bucket(amount, **rate)
    decision = ledger.admit("key", "model", Cost(0, 0), 0)
    hint = Hint("seconds", decision.wait_ns / S)
    reply = refused(limit, decision.levels, hint, requested=1)
    assert f" on {words} Visit" in message(reply)
    assert loaded(reply)["error"]["type"] == "requests"


@pytest.mark.parametrize(
    ("rate", "used", "reset"),
    [
        ({"requests_per_minute": 5_000}, 1, "12ms"),
        ({"requests_per_minute": 500}, 1, "120ms"),
        ({"requests_per_day": 10_000}, 1, "8.64s"),
        ({"requests_per_minute": 5_000_000}, 1, "0s"),
    ],
)
def test_resets_are_cut_to_milliseconds(rate, used, reset) -> None:
    """Real values: 12 ms for one of 5,000 a minute, nothing for one of 5,000,000."""
    ledger, _ = bucket(used, **rate)
    levels = ledger.levels("key", "model", 0)
    assert dict(limit_headers(levels))["x-ratelimit-reset-requests"] == reset


def test_the_wait_follows_from_what_the_message_says() -> None:
    """(Used + Requested - Limit) x window / Limit is the wait, below zero too."""
    limits = Limits(
        tokens_per_minute=30_000, algorithm="token-bucket", charge_rejected=1.0, floor=-20_000
    )
    ledger = Ledger(limits)
    assert ledger.admit("key", "model", Cost(29_000, 0), 0).admitted
    for _ in range(3):
        decision = ledger.admit("key", "model", Cost(6_000, 0), 0)
    hint = Hint("seconds", decision.wait_ns / S)
    reply = refused(limits.limits[0], decision.levels, hint, requested=6_000)
    assert "Limit 30000, Used 47000, Requested 6000. Please try again in 46s." in message(reply)


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (Limits(tokens_per_day=90_000), "tokens per day (TPD): Limit 90000, Used 0"),
        (Limits(input_tokens_per_minute=500), "tokens per min (TPM): Limit 500, Used 0"),
        (Limits(concurrent_requests=5), "concurrent requests: Limit 5, Used 0"),
    ],
)
def test_a_refusal_names_its_limit(limits, words) -> None:
    """Each kind of limit is told in the provider's words."""
    reply = refused(limits.limits[0], full(limits), requested=1)
    assert f" on {words}, Requested 1." in message(reply)


@pytest.mark.parametrize(
    ("form", "named"),
    [
        ("seconds", {"retry-after": "2"}),
        ("ms", {"retry-after-ms": "1046"}),
        ("date", {"retry-after": "Fri, 27 Feb 2026 12:52:09 GMT"}),
        ("reset", {}),
        ("none", {}),
    ],
)
def test_each_form_of_hint_is_named_its_own_way(form, named) -> None:
    """One header or none; with none, neither resets nor the message tell the wait."""
    reply = refused(hint=Hint(form, 1.046))
    headers = dict(reply.headers)
    assert {name: headers[name] for name in headers if name.startswith("retry-after")} == named
    assert ("x-ratelimit-reset-tokens" in headers) == (form != "none")
    assert ("Please try again in 1.046s." in message(reply)) == (form != "none")
    assert headers["x-ratelimit-remaining-tokens"] == "131"


def test_a_reset_that_is_the_hint_is_not_cut_short() -> None:
    """With the form reset, the violated limit's header is rounded up rather than down."""
    levels = (Level(TOKENS, 0, 1_000_001),)
    name = "x-ratelimit-reset-tokens"
    assert dict(limit_headers(levels, TOKENS, Hint("seconds", 1.0)))[name] == "1ms"
    assert dict(limit_headers(levels, TOKENS, Hint("reset", 1.0)))[name] == "2ms"


def test_requests_of_the_day_are_stated_rather_than_those_of_the_minute() -> None:
    """A limit of 10,000 a day has been seen where both were in force; a hint names its own."""
    limits = Limits(requests_per_minute=500, requests_per_day=10_000)
    name = "x-ratelimit-limit-requests"
    assert dict(limit_headers(full(limits)))[name] == "10000"
    minute = limits.limits[0]
    assert dict(limit_headers(full(limits), minute, Hint("seconds", 1.0)))[name] == "10000"
    assert dict(limit_headers(full(limits), minute, Hint("reset", 1.0)))[name] == "500"


def test_of_two_limits_on_tokens_the_tighter_is_stated() -> None:
    """The level with the least remaining speaks for tokens; what is not limited is not named."""
    minute, day = Limits(tokens_per_minute=30_000, tokens_per_day=90_000)
    levels = (Level(minute, 20_000, 0), Level(day, 7_000, 0))
    headers = dict(limit_headers(levels))
    assert headers["x-ratelimit-limit-tokens"] == "90000"
    assert "x-ratelimit-limit-requests" not in headers
    assert limit_headers(full(Limits(concurrent_requests=5))) == ()


def test_a_request_too_large_has_no_hint() -> None:
    """Same status and code as any refusal, another message, no wait."""
    reply = DIALECT.too_large(Moment(ASK, REPORTED, Ids(0), NOW), Refusal(TOKENS, NO_HINT, 30_601))
    assert reply.status == 429
    assert loaded(reply)["error"] == {
        "message": (
            "Request too large for gpt-4o in organization org-fakeprovider on tokens per min "
            "(TPM): Limit 30000, Requested 30601. The input or output tokens must be reduced in "
            f"order to run successfully. {VISIT}"
        ),
        "type": "tokens",
        "param": None,
        "code": "rate_limit_exceeded",
    }
    assert not {"retry-after", "retry-after-ms"} & {name for name, _ in reply.headers}


def test_the_quota_s_body_has_the_bytes_that_were_seen() -> None:
    """222 bytes for the short message of 2023, 337 for the present one."""
    short = "You exceeded your current quota, please check your plan and billing details."
    quota = "insufficient_quota"
    assert len(error_body(short, quota, quota)) == 222
    reply = DIALECT.error(Failure(429, quota), Ids(0), NOW)
    assert len(body(reply)) == 337
    assert loaded(reply)["error"]["type"] == loaded(reply)["error"]["code"] == quota
    assert not any("ratelimit" in name or "retry" in name for name, _ in reply.headers)


@pytest.mark.parametrize(
    ("status", "kind", "type_", "code", "text"),
    [
        (401, None, "invalid_request_error", "invalid_api_key", "Incorrect API key provided."),
        (404, None, "invalid_request_error", None, "HTTP status 404"),
        (429, None, "requests", "rate_limit_exceeded", "Rate limit reached for requests"),
        (
            429,
            "slow_down",
            "rate_limit_error",
            "slow_down",
            "Your request rate has risen too fast.",
        ),
        (418, "teapot", "invalid_request_error", "teapot", "HTTP status 418"),
        (
            429,
            "project_spend_limit_exceeded",
            "insufficient_quota",
            "project_spend_limit_exceeded",
            "You exceeded your current quota",
        ),
        (500, None, "server_error", None, "The server had an error"),
        (502, None, "server_error", None, "The server had an error"),
        (
            503,
            None,
            "service_unavailable_error",
            "server_is_overloaded",
            "Our servers are currently overloaded.",
        ),
        (400, "bad_thing", "invalid_request_error", "bad_thing", "HTTP status 400"),
    ],
)
def test_every_error_has_the_type_and_code_of_its_kind(status, kind, type_, code, text) -> None:
    """Type, code and wording by kind or status; an unknown code keeps its name."""
    reply = DIALECT.error(Failure(status, kind), Ids(0), NOW)
    error = loaded(reply)["error"]
    assert reply.status == status
    assert (error["type"], error["param"], error["code"]) == (type_, None, code)
    assert error["message"].startswith(text)


def test_an_error_says_what_it_is_told_to() -> None:
    """A given message and headers take the place of the usual ones."""
    reply = DIALECT.error(
        Failure(503, message="Busy.", headers=(("Retry-After", "5"), ("Server", "x"))), Ids(0), NOW
    )
    headers = dict(reply.headers)
    assert message(reply) == "Busy."
    assert (headers["retry-after"], headers["server"]) == ("5", "x")
    assert len(headers) == len(reply.headers)


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (0, "0s"),
        (8, "8ms"),
        (120, "120ms"),
        (1_000, "1s"),
        (1_046, "1.046s"),
        (20_000, "20s"),
        (360_000, "6m0s"),
        (518_400, "8m38.4s"),
        (432_000, "7m12s"),
        (7_660, "7.66s"),
        (179_560, "2m59.56s"),
        (86_400_000, "24h0m0s"),
    ],
)
def test_durations_are_those_that_go_prints(milliseconds, text) -> None:
    """The forms that have been seen on the wire."""
    assert go_duration(milliseconds) == text


@many
@given(st.integers(0, 10**10))
def test_a_duration_reads_back_as_what_was_written(milliseconds) -> None:
    """Go's grammar: units from large to small, none left out in between, no trailing zeros."""
    text = go_duration(milliseconds)
    match = re.fullmatch(r"(?:(?:(\d+)h)?(\d+)m)?(\d+)(?:\.(\d*[1-9]))?s|(\d+)ms", text)
    hours, minutes, seconds, fraction, small = match.groups(default="0")
    assert int(minutes) < 60
    whole = (int(hours) * 60 + int(minutes)) * 60 + int(seconds)
    assert whole * 1_000 + int(fraction.ljust(3, "0")) + int(small) == milliseconds

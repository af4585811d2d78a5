"""Anthropic: every other error, body and advice."""

from __future__ import annotations

import pytest

from fake_provider._limits import Limits
from fake_provider._wire._anthropic import Anthropic
from fake_provider._wire._shapes import NO_HINT, Ask, Failure, Ids, Moment, Refusal
from tests.fake_provider.wire.wiring import NOW, S, body, full, loaded

DIALECT = Anthropic()
ASK = Ask("generate", "claude-opus-4-6", 100, False, 5, {})
(INPUT,) = Limits(input_tokens_per_minute=30_000)


def test_a_request_too_large_for_its_limit_is_a_413_without_a_hint() -> None:
    """Cost, limit and capacity are named; the SDK is told not to retry."""
    reply = DIALECT.too_large(
        Moment(ASK, full((INPUT,)), Ids(0), NOW), Refusal(INPUT, NO_HINT, 30_601)
    )
    headers = dict(reply.headers)
    assert body(reply).decode() == (
        '{"type":"error","error":{"type":"request_too_large","message":"This request needs 30,601 '
        "input tokens, more than your organization's rate limit of 30,000 input tokens per minute "
        "admits at once (30,000). No wait can admit it: reduce the prompt length or the maximum "
        f'tokens requested."}},"request_id":"{headers["request-id"]}"}}'
    )
    assert reply.status == 413
    assert headers["x-should-retry"] == "false"
    assert not {"retry-after", "retry-after-ms"} & set(headers)


ERRORS = [
    (529, None, '{"details":null,"type":"overloaded_error","message":"Overloaded"}', "true"),
    (500, None, '{"details":null,"type":"api_error","message":"Internal server error"}', "true"),
    (503, None, '{"details":null,"type":"api_error","message":"Internal server error"}', "true"),
    (401, None, '{"type":"authentication_error","message":"invalid x-api-key"}', None),
    (404, None, '{"type":"not_found_error","message":"HTTP status 404"}', None),
    (418, None, '{"type":"invalid_request_error","message":"HTTP status 418"}', None),
    (429, None, '{"type":"rate_limit_error","message":"Error"}', "true"),
    (
        413,
        None,
        '{"type":"request_too_large","message":"Request exceeds the maximum size"}',
        "false",
    ),
    (
        429,
        "enforced_spend_limit_reached",
        (
            '{"details":{"error_code":"enforced_spend_limit_reached"},"type":"rate_limit_error",'
            '"message":"You have reached your API usage limits: your organization has crossed its '
            "monthly API usage threshold, set based on your organization's API tier. You will "
            'regain access on 2026-03-01 at 00:00 UTC."}'
        ),
        "false",
    ),
    (
        429,
        "ramp_limit_exceeded",
        (
            '{"details":{"error_code":"ramp_limit_exceeded"},"type":"rate_limit_error","message":'
            "\"This request would exceed your organization's maximum usage increase rate for input "
            "tokens per minute. Please scale up your input tokens usage more gradually to stay "
            'within the acceleration limit."}'
        ),
        "true",
    ),
]


@pytest.mark.parametrize(("status", "kind", "error", "retry"), ERRORS)
def test_every_error_has_the_shape_of_its_status(status, kind, error, retry) -> None:
    """Body and advice by status or code; an unknown status falls back to its family."""
    reply = DIALECT.error(Failure(status, kind), Ids(0), NOW)
    headers = dict(reply.headers)
    expected = f'{{"type":"error","error":{error},"request_id":"{headers["request-id"]}"}}'
    assert (reply.status, body(reply).decode()) == (status, expected)
    assert headers.get("x-should-retry") == retry
    assert headers["content-length"] == str(len(body(reply)))


def test_a_spend_cap_in_december_ends_in_january() -> None:
    """Access comes back on the first of the next month, also over the turn of the year."""
    december = 1_797_000_000 * S
    reply = DIALECT.error(Failure(429, "enforced_spend_limit_reached"), Ids(0), december)
    assert "regain access on 2027-01-01 at 00:00 UTC" in loaded(reply)["error"]["message"]


def test_an_error_says_what_it_is_told_to() -> None:
    """A given type, message and headers take the place of the usual ones."""
    given_headers = (("Retry-After", "5"), ("X-Should-Retry", "false"))
    reply = DIALECT.error(Failure(529, "custom_error", "Busy.", given_headers), Ids(0), NOW)
    assert loaded(reply)["error"] == {"details": None, "type": "custom_error", "message": "Busy."}
    names = [name for name, _ in reply.headers]
    assert len(names) == len(set(names))
    assert dict(reply.headers)["retry-after"] == "5"
    assert dict(reply.headers)["x-should-retry"] == "false"

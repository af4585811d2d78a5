"""Limits through the real SDK: who is admitted, what a refusal costs, when it is worth retrying."""

from __future__ import annotations

import asyncio
import math
import threading
import time

import anthropic
import pytest
import trio

from fake_provider import FakeProvider, HintStyle, Limits

NS = 1e-9
NEW_YEAR = "2026-01-01"
CLIENT = anthropic.Anthropic(api_key="test", max_retries=0)
FABLE, SONNET = "claude-fable-5", "claude-sonnet-5"


def body(text="hello", *, model=SONNET, max_tokens=16):
    messages = [{"role": "user", "content": text}]
    return {"model": model, "max_tokens": max_tokens, "messages": messages}


def ask(text="hello", client=CLIENT, **options):
    return client.messages.create(**body(text, **options))


def refused(text="hello", client=CLIENT, **options):
    """Return the headers of a refusal."""
    with pytest.raises(anthropic.RateLimitError) as caught:
        ask(text, client, **options)
    return caught.value.response.headers


def reasons(provider):
    return [attempt.reason for attempt in provider.trace.attempts]


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        ({"requests_per_minute": 2}, "requests_per_minute"),
        ({"requests_per_day": 2}, "requests_per_day"),
        ({"tokens_per_minute": 2_999}, "tokens_per_minute"),
        ({"tokens_per_day": 2_000}, "tokens_per_day"),
        ({"input_tokens_per_minute": 1_600}, "input_tokens_per_minute"),
        ({"output_tokens_per_minute": 599}, "output_tokens_per_minute"),
    ],
)
@pytest.mark.parametrize("algorithm", ["sliding-window", "token-bucket"])
def test_the_third_request_is_refused_by_the_limit_of_two(limits, reason, algorithm):
    """Each kind of limit counts its own: requests, input, output, or the sum of the two."""
    with FakeProvider(
        **limits, algorithm=algorithm, tokens_per_request=1_000, output_tokens=200, latency=0
    ) as provider:
        ask(), ask()
        refused()
        assert reasons(provider) == [None, None, reason]
        assert [a.charged for a in provider.trace.attempts] == [1.0, 1.0, 0.0]


def test_a_request_that_one_of_several_limits_refuses_is_charged_to_none():
    """What the other limits have left is what the small request still gets."""
    with FakeProvider(
        requests_per_minute=3,
        tokens_per_minute=1_000,
        tokens_per_request=lambda asked: int(asked["messages"][0]["content"]),
        latency=0,
    ) as provider:
        ask("600")
        for _ in range(5):
            refused("600")
        ask("150"), ask("150")
        refused("1")
    assert reasons(provider) == [None] + ["tokens_per_minute"] * 5 + [
        None,
        None,
        "requests_per_minute",
    ]


def test_each_key_has_limits_of_its_own():
    """A second key is admitted where the first is refused, and keys are told apart in the trace."""
    other = anthropic.Anthropic(api_key="another", max_retries=0)
    with FakeProvider(requests_per_minute=1) as provider:
        ask()
        ask(client=other)
        refused()
        refused(client=other)
    mine, others = (a.key for a in provider.trace.attempts[:2])
    assert mine != others
    assert [a.key for a in provider.trace.attempts] == [mine, others] * 2
    assert all(len(key) == 8 and "test" not in key for key in (mine, others))


def test_each_model_class_has_limits_of_its_own():
    """Models of one class share a limit; another class has its own."""
    with FakeProvider(requests_per_minute=1) as provider:
        ask(model=FABLE)
        refused(model=f"{FABLE}-1")
        ask(model=SONNET)
    assert [a.model_class for a in provider.trace.attempts] == [FABLE, FABLE, SONNET]


@pytest.mark.parametrize("algorithm", ["sliding-window", "token-bucket"])
@pytest.mark.parametrize(
    ("hint", "header", "unit"), [("seconds", "retry-after", 1), ("ms", "retry-after-ms", 1_000)]
)
def test_a_client_that_sleeps_the_hint_is_admitted_at_once(algorithm, hint, header, unit):
    """The hint is the true wait, rounded up to what its form can say, and no more."""
    with FakeProvider(
        tokens_per_minute=6_000,
        tokens_per_request=2_500,
        algorithm=algorithm,
        hint=hint,
        latency=0.0625,
    ) as provider:
        ask(), time.sleep(7.3), ask()
        named = float(refused()[header]) / unit
        time.sleep(named - 1 / unit)
        refused()
        time.sleep(1 / unit)
        ask()
        (hinted, _) = provider.trace.refused
    assert hinted.hint == pytest.approx(named)
    assert hinted.hint_form == hint


@pytest.mark.parametrize("algorithm", ["sliding-window", "token-bucket"])
def test_the_hint_is_right_to_the_nanosecond(algorithm):
    """Where its form can say the wait exactly, one nanosecond less is too early."""
    with FakeProvider(
        tokens_per_minute=6_000,
        tokens_per_request=3_000,
        algorithm=algorithm,
        hint="ms",
        latency=0,
    ) as provider:
        ask(), ask()
        wait = int(refused()["retry-after-ms"]) / 1_000
        time.sleep(wait - NS)
        refused()
        time.sleep(NS)
        ask()
    last, admitted = provider.trace.attempts[-2:]
    assert round((admitted.arrived_at - last.arrived_at) / NS) == 1
    assert admitted.arrived_at == wait == {"sliding-window": 60.0, "token-bucket": 30.0}[algorithm]


def test_a_date_is_a_deadline_in_whole_seconds():
    """A client that sleeps until the date is admitted; the hint is recorded as the client reads."""
    with FakeProvider(requests_per_minute=1, hint="date", latency=0.25, start=NEW_YEAR) as provider:
        ask()
        assert refused()["retry-after"] == "Thu, 01 Jan 2026 00:01:00 GMT"
        (hinted,) = provider.trace.refused
        assert hinted.hint_form == "date"
        assert hinted.arrived_at + hinted.hint == pytest.approx(60.0)
        time.sleep(hinted.hint)
        ask()


def test_a_provider_s_skewed_clock_shows_in_dates_alone():
    """A provider 10 s ahead names a deadline that its client reads as 10 s later."""
    skewed = HintStyle(form="date", skew_s=10.0)
    with FakeProvider(requests_per_minute=1, hint=skewed, latency=0, start=NEW_YEAR) as provider:
        ask()
        headers = refused()
        assert headers["date"] == "Thu, 01 Jan 2026 00:00:10 GMT"
        assert headers["retry-after"] == "Thu, 01 Jan 2026 00:01:10 GMT"
        assert provider.trace.refused[0].hint == pytest.approx(70.0)


@pytest.mark.parametrize(("pad_s", "sent"), [(5.0, "65"), (-20.0, "40"), (-90.0, None)])
def test_a_padded_hint_asks_for_more_or_less_than_the_wait(pad_s, sent):
    """`pad_s` is added to the true wait; where nothing is left of it, none is named."""
    padded = HintStyle(form="seconds", pad_s=pad_s)
    with FakeProvider(requests_per_minute=1, hint=padded, latency=0) as provider:
        ask()
        assert refused().get("retry-after") == sent
        assert provider.trace.refused[0].hint == (sent and float(sent))


def test_a_provider_without_hints_gives_none():
    """With `"none"` there is neither Retry-After nor a reset, and the trace says so."""
    with FakeProvider(requests_per_minute=1, hint="none", latency=0) as provider:
        ask()
        headers = refused()
        assert [name for name in headers if "retry-after" in name or "reset" in name] == []
        assert provider.trace.refused[0].hint is None
        assert provider.trace.refused[0].hint_form is None


@pytest.mark.parametrize("pad_s", [0.0, 100.0])
def test_a_reset_is_recorded_as_the_wait_until_the_cost_fits(pad_s):
    """The header says when the limit is full, the trace when this attempt could have fitted."""
    style = HintStyle(form="reset", pad_s=pad_s)
    with FakeProvider(
        tokens_per_minute=6_000, tokens_per_request=3_000, hint=style, latency=0, start=0
    ) as provider:
        ask(), time.sleep(10), ask()
        reset = refused()["anthropic-ratelimit-tokens-reset"]
        (hinted,) = provider.trace.refused
    assert hinted.hint_form == "reset"
    assert hinted.hint == 50
    sent = time.strptime(reset, "%Y-%m-%dT%H:%M:%SZ")
    assert sent.tm_min * 60 + sent.tm_sec >= 60


@pytest.mark.parametrize("algorithm", ["sliding-window", "token-bucket"])
@pytest.mark.parametrize(
    "pad_s",
    [
        0.0,
        100.0,
    ],
)
def test_a_client_that_waits_until_the_reset_is_not_early(algorithm, pad_s):
    """The trace never asks for more than the only header that the client was sent."""
    style = HintStyle(form="reset", pad_s=pad_s)
    with FakeProvider(
        tokens_per_minute=6_000,
        tokens_per_request=3_000,
        algorithm=algorithm,
        hint=style,
        latency=0,
        start=0,
    ) as provider:
        ask(), time.sleep(10), ask()
        reset = refused()["anthropic-ratelimit-tokens-reset"]
        (hinted,) = provider.trace.refused
    sent = time.strptime(reset, "%Y-%m-%dT%H:%M:%SZ")
    assert hinted.ended_at + hinted.hint <= sent.tm_min * 60 + sent.tm_sec


@pytest.mark.parametrize(("share", "wait"), [(0.0, 50), (0.5, 60), (1.0, 60)])
def test_refusals_may_be_charged(share, wait):
    """A refusal that is charged makes the next wait longer, and the hint knows."""
    with FakeProvider(
        tokens_per_minute=4_000, tokens_per_request=2_000, charge_rejected=share, latency=0
    ) as provider:
        ask(), time.sleep(10), ask()
        assert refused()["retry-after"] == str(wait)
        assert provider.trace.refused[0].charged == share
        time.sleep(wait)
        ask()


def test_a_client_that_hammers_a_limit_that_charges_refusals_never_gets_in():
    """Each refusal pushes the admission away; who stops and waits as told is admitted."""
    with FakeProvider(
        tokens_per_minute=2_000, tokens_per_request=2_000, charge_rejected=1.0, latency=0
    ) as provider:
        ask()
        for _ in range(20):
            time.sleep(10)
            wait = float(refused()["retry-after"])
        time.sleep(wait)
        ask()
    assert provider.trace.attempts[-1].arrived_at == 260.0


def test_a_burst_is_admitted_at_once_and_refills_at_the_rate():
    """A bucket of 2,000 at 100 a second admits two of 1,000, and the third 10 s later."""
    with FakeProvider(
        tokens_per_minute=6_000,
        algorithm="token-bucket",
        burst=2_000,
        tokens_per_request=1_000,
        latency=0,
    ) as provider:
        ask(), ask()
        assert refused()["retry-after"] == "10"
        time.sleep(10)
        ask()
        assert [a.room for a in provider.trace.attempts] == [2.0, 1.0, 0.0, 1.0]


@pytest.mark.parametrize("hint", ["seconds", "ms", "date", "reset"])
@pytest.mark.parametrize("algorithm", ["sliding-window", "token-bucket"])
def test_a_request_larger_than_the_limit_is_too_large_for_ever(algorithm, hint):
    """It is answered 413 without any hint, is terminal, and the SDK does not retry it."""
    client = anthropic.Anthropic(api_key="test", max_retries=3)
    with FakeProvider(
        tokens_per_minute=1_000, tokens_per_request=1_001, algorithm=algorithm, hint=hint
    ) as provider:
        with pytest.raises(anthropic.APIStatusError) as caught:
            ask(client=client)
        assert caught.value.status_code == 413
        assert [name for name in caught.value.response.headers if "retry-after" in name] == []
    (attempt,) = provider.trace.attempts
    assert attempt.terminal
    assert attempt.reason == "too-large"
    assert attempt.hint is None
    assert attempt.room < 1
    assert not attempt.refused


def test_a_request_as_large_as_the_limit_is_admitted():
    """The limit itself fits."""
    with FakeProvider(tokens_per_minute=1_000, tokens_per_request=1_000) as provider:
        ask()
        assert provider.trace.attempts[0].room == 1.0


def test_requests_in_flight_are_limited_and_a_refusal_names_no_wait():
    """The third of three at once is refused; when one has ended, the next is admitted."""
    with FakeProvider(concurrent_requests=2, latency=1.0) as provider:
        workers = [threading.Thread(target=ask, args=(f"{n}",)) for n in range(2)]
        for worker in workers:
            worker.start()
        time.sleep(0.5)
        headers = refused("2")
        for worker in workers:
            worker.join()
        ask("3")
    assert "retry-after" not in headers
    assert reasons(provider) == [None, None, "concurrent_requests", None]
    assert [a.room for a in provider.trace.attempts] == [2.0, 1.0, 0.0, 2.0]
    assert provider.trace.refused[0].hint is None


def test_a_client_that_gives_up_frees_its_place():
    """The place of a request in flight comes back when its client has timed out."""
    with FakeProvider(concurrent_requests=1, latency=30.0):
        with pytest.raises(anthropic.APITimeoutError):
            ask(client=CLIENT.with_options(timeout=1.0))
        ask(client=CLIENT.with_options(timeout=60.0))


def test_room_is_what_the_tightest_limit_has():
    """Room is the number of attempts of this cost that would have fitted on arrival."""
    with FakeProvider(
        tokens_per_minute=10_000, requests_per_minute=4, tokens_per_request=4_000, latency=0
    ) as provider:
        ask(), ask()
        refused()
    assert [a.room for a in provider.trace.attempts] == [2.5, 1.5, 0.5]


def test_without_limits_there_is_room_for_ever():
    """No limit, no refusal, and room without end."""
    with FakeProvider() as provider:
        ask()
    assert provider.trace.attempts[0].room == math.inf


def test_two_limits_of_one_kind_hold_together():
    """A burst limit beside a rate limit refuses by its own name and window."""
    tight = Limits(requests_per_minute=60, window=1.0)
    with FakeProvider(tight, requests_per_minute=3, latency=0) as provider:
        ask()
        assert refused()["retry-after"] == "1"
        for _ in range(2):
            time.sleep(1)
            ask()
        time.sleep(1)
        assert refused()["retry-after"] == "57"
        assert len(provider.trace.refused) == 2


@pytest.mark.parametrize("tokens_per_request", [None, 1, 17, 4_000, lambda asked: 123])
@pytest.mark.parametrize("output_tokens", [None, 0, 9, lambda asked: 30])
@pytest.mark.parametrize("stream", [False, True])
def test_usage_adds_up_to_what_was_charged(tokens_per_request, output_tokens, stream):
    """What the answer reports is what the trace holds and what the limit has lost."""
    with FakeProvider(
        tokens_per_minute=1_000_000,
        tokens_per_request=tokens_per_request,
        output_tokens=output_tokens,
        latency=0,
    ) as provider:
        if stream:
            with CLIENT.messages.stream(**body("x" * 999, max_tokens=40)) as events:
                usage = events.get_final_message().usage
        else:
            usage = ask("x" * 999, max_tokens=40).usage
        (attempt,) = provider.trace.attempts
        assert (usage.input_tokens, usage.output_tokens) == (
            attempt.input_tokens,
            attempt.output_tokens,
        )
        ask("x" * 999, max_tokens=40)
        lost = 1_000_000 - provider.trace.attempts[1].room * attempt.tokens
        assert round(lost) == usage.input_tokens + usage.output_tokens


AGENTS = 12


async def on_asyncio(client):
    calls = (client.messages.create(**body(f"{n}")) for n in range(AGENTS))
    return await asyncio.gather(*calls, return_exceptions=True)


async def on_trio(client):
    answers = []

    async def agent(number):
        try:
            answers.append(await client.messages.create(**body(f"{number}")))
        except anthropic.RateLimitError as error:
            answers.append(error)

    async with trio.open_nursery() as nursery:
        for number in range(AGENTS):
            nursery.start_soon(agent, number)
    return answers


@pytest.mark.parametrize(
    "run", [lambda c: asyncio.run(on_asyncio(c)), lambda c: trio.run(on_trio, c)]
)
def test_twelve_agents_of_400_000_tokens_do_not_fit_4_million_a_minute(run):
    """Ten tasks are admitted, two are refused, on either async library."""
    client = anthropic.AsyncAnthropic(api_key="test", max_retries=0)
    with FakeProvider(tokens_per_minute=4_000_000, tokens_per_request=400_000) as provider:
        answers = run(client)
        assert provider.clock.elapsed() == 0.5
    assert sum(isinstance(answer, anthropic.RateLimitError) for answer in answers) == 2
    assert [a.status for a in provider.trace.attempts] == [200] * 10 + [429] * 2
    assert {a.hint for a in provider.trace.refused} == {60.0}
    assert len(provider.trace.callers) == AGENTS


@pytest.mark.parametrize("run", [asyncio.run, lambda main: trio.run(lambda: main)])
def test_the_sdk_s_own_retries_wait_for_the_hint_in_virtual_time(run):
    """An async SDK that obeys Retry-After gets in at its second attempt, 60 s later."""

    async def main():
        client = anthropic.AsyncAnthropic(api_key="test", max_retries=1)
        for _ in range(2):
            await client.messages.create(**body())

    with FakeProvider(requests_per_minute=1, latency=0) as provider:
        run(main())
    assert [(a.status, a.layer) for a in provider.trace.attempts] == [
        (200, "first"),
        (429, "first"),
        (200, "sdk"),
    ]
    assert provider.trace.attempts[2].arrived_at == 60.0

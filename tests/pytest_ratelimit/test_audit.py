"""The audit: what it says of real clients and of policy objects, good and bad."""

from __future__ import annotations

import asyncio
import json
import random
import time
from functools import partial
from typing import Any

import pytest

from pytest_ratelimit.__main__ import main
from pytest_ratelimit._audit import Audit, SubjectError, audit, load
from pytest_ratelimit._audit._subject import as_subject
from pytest_ratelimit._audit._text import report, table

anthropic = pytest.importorskip("anthropic")
openai = pytest.importorskip("openai")
backoff = pytest.importorskip("backoff")
stamina = pytest.importorskip("stamina")
tenacity = pytest.importorskip("tenacity")

QUESTION = {
    "model": "claude-sonnet-5",
    "max_tokens": 10,
    "messages": [{"role": "user", "content": "What changed?"}],
}
CURABLE = (anthropic.RateLimitError, anthropic.InternalServerError)


def audited(found: Any, **arguments: Any) -> Audit:
    return audit(as_subject(found, "app:ask"), **arguments)


@tenacity.retry(wait=tenacity.wait_fixed(1), stop=tenacity.stop_after_attempt(5), reraise=True)
def lockstep(client: anthropic.Anthropic) -> None:
    client.with_options(max_retries=0).messages.create(**QUESTION)


def patient(client: anthropic.Anthropic) -> None:
    """Waits for the hint, and up to ten seconds more, twenty the next time."""
    for refusals in range(4):
        try:
            client.with_options(max_retries=0).messages.create(**QUESTION)
            return
        except CURABLE as refusal:
            if refusal.response.headers.get("x-should-retry") == "false":
                raise
            wait = float(refusal.response.headers.get("retry-after", 0))
            time.sleep(wait + random.uniform(0, 10.0 * 2**refusals))


async def stacked() -> None:
    """Three rounds of the SDK's own two attempts, with a client of its own."""
    async with anthropic.AsyncAnthropic(max_retries=1) as client:
        for rounds in range(3):
            try:
                await client.messages.create(**QUESTION)
                return
            except CURABLE:
                await asyncio.sleep(random.uniform(0, 4.0 * 2**rounds))


def careless(client: anthropic.Anthropic) -> None:
    """Asks once."""
    client.with_options(max_retries=0).messages.create(**QUESTION)


LOCKSTEP = """\
app:ask (called with a client of anthropic; 12 callers, virtual time)

  attempts  5 of a call at most, then it gives up
  waits     up to 1 s before a retry, 4.2 s in all
  schedule  retry    median     least      most  jitter (95% sure)
                1       1 s       1 s       1 s  none, below 1.65 us
                2       1 s       1 s       1 s  none, below 1.65 us
                3       1 s       1 s       1 s  none, below 1.65 us
                4       1 s       1 s       1 s  none, below 1.65 us
  hint      told 20 s: ignored, waits of 1 s
            told 120 s: ignored, waits of 1 s
  layers    the code around the SDK alone, 5 attempts
  terminal  retried: 400, 401, 413, 429 enforced_spend_limit_reached

"""


def test_a_fixed_delay_is_described_and_condemned() -> None:
    """The whole description of a lockstep client is as printed here, then its findings."""
    found = audited(lockstep)
    text = report(found)
    assert text.startswith(LOCKSTEP)
    assert "  error   RL102 missing-jitter: the delay before retry 1 hardly varies" in text
    assert {"RL101", "RL102", "RL103", "RL106", "RL121"} <= set(found.codes)
    assert "RL112" not in found.codes


def test_a_patient_client_is_clean() -> None:
    """Full obedience with jitter, a bound, and no retry of what no wait cures: nothing is found."""
    found = audited(patient)
    assert found.codes == ()
    assert found.attempts == 4
    assert not found.endless
    assert [hint.obedience for hint in found.hints] == ["obeyed", "obeyed"]
    assert not any(found.terminal.values())
    for step in found.schedule:
        width = 10.0 * 2 ** (step.retry - 1)
        assert step.spread_s <= width <= step.jitter_below_s


def test_stacked_layers_are_named_with_their_factors() -> None:
    """An async function of nothing shows both of its layers."""
    found = audited(stacked)
    assert (found.layers.code, found.layers.sdk, found.attempts) == (3, 2, 6)
    assert found.layers.factors == "6 attempts = 3 outer x 2 SDK"
    assert "RL112" in found.codes
    assert found.hints[0].obedience == "in part"


def test_one_attempt_is_no_policy() -> None:
    """Who does not retry is told so, and what could not be judged is listed."""
    found = audited(careless)
    text = report(found)
    assert "  waits     none\n  schedule  no retry was seen\n" in text
    assert "told 20 s: not retried" in text
    assert "  layers    none: nothing is retried" in text
    assert "RL102" in found.unjudged
    assert found.codes == ()


@pytest.mark.parametrize(
    ("client", "quota"),
    [
        (anthropic.Anthropic(api_key="key", max_retries=3), "429 enforced_spend_limit_reached"),
        (openai.AsyncOpenAI, "429 insufficient_quota"),
    ],
)
def test_the_sdk_s_own_retries(client: Any, quota: str) -> None:
    """A client and a client's class are asked one plain question: their hints are exact.

    Anthropic says which 429 to leave alone, and its SDK listens; OpenAI's retries them all.
    """
    found = audited(client)
    retries = 3 if quota.endswith("reached") else 2
    assert (found.layers.sdk, found.layers.code) == (retries + 1, 1)
    assert found.hints[0].obedience == "exact"
    assert {"RL101", "RL102"} <= set(found.codes)
    assert bool(found.terminal[quota]) == ("RL121" in found.codes) == (retries == 2)


@pytest.mark.parametrize("kind", [tenacity.Retrying, tenacity.AsyncRetrying])
def test_a_retrying_is_put_around_a_plain_call(kind: Any) -> None:
    """The policy's own condition and stop hold, and the SDK's retries are off."""
    policy = kind(
        wait=tenacity.wait_random_exponential(multiplier=2, max=30),
        stop=tenacity.stop_after_attempt(6),
        retry=tenacity.retry_if_exception_type(CURABLE),
    )
    found = audited(policy)
    assert (found.attempts, found.layers.sdk) == (6, 1)
    assert found.longest_wait_s <= 30.0
    assert not {"RL101", "RL102", "RL106", "RL112"} & set(found.codes)
    assert found.hints[1].obedience == "ignored"
    retried = {label for label, number in found.terminal.items() if number}
    assert retried == {"429 enforced_spend_limit_reached"}


@pytest.mark.parametrize(
    ("part", "codes"),
    [
        (tenacity.wait_fixed(2), {"RL101", "RL102", "RL103", "RL106"}),
        (tenacity.stop_after_attempt(20), {"RL111"}),
        (tenacity.stop_after_attempt(4), set()),
        (tenacity.retry_if_exception_type(Exception), {"RL121"}),
        (tenacity.retry_if_exception_type(anthropic.InternalServerError), set()),
    ],
)
def test_a_part_of_a_policy_answers_for_itself(part: Any, codes: set[str]) -> None:
    """A wait is judged by its delays, a stop by its bound, a condition by what it retries."""
    assert set(audited(part).codes) == codes


@pytest.mark.parametrize(
    ("wait", "codes"),
    [
        (backoff.expo, set()),
        (partial(backoff.constant, interval=2), {"RL106"}),
    ],
    ids=["expo", "constant"],
)
def test_a_wait_of_backoff_is_put_around_a_plain_call(wait: Any, codes: set[str]) -> None:
    """Its generators of waits are judged as its decorator uses them: with full jitter."""
    found = audited(wait)
    assert found.attempts == 6
    assert set(found.codes) - {"RL103"} == codes


def test_decorators_are_put_around_a_plain_call() -> None:
    """What a library puts on a function of the user's is judged on one of ours."""
    loop = backoff.on_exception(backoff.constant, CURABLE, interval=1, jitter=None, max_tries=3)
    found = audited(loop)
    assert (found.attempts, found.longest_wait_s) == (3, 1.0)
    assert {"RL101", "RL102"} <= set(found.codes)
    found = audited(stamina.retry(on=CURABLE, attempts=4, timeout=None))
    assert (found.attempts, found.layers.sdk) == (4, 1)


STAMINA = {"attempts": 4, "timeout": None, "wait_initial": 2.0, "wait_jitter": 2.0}


@pytest.mark.parametrize(
    "caller",
    [
        stamina.RetryingCaller(**STAMINA),
        stamina.RetryingCaller(**STAMINA).on(CURABLE),
        stamina.AsyncRetryingCaller(**STAMINA),
        stamina.AsyncRetryingCaller(**STAMINA).on(CURABLE),
    ],
    ids=lambda caller: type(caller).__name__,
)
def test_a_caller_of_stamina_is_put_around_a_plain_call(caller: Any) -> None:
    """One that is bound to errors keeps them; one that is not is given those that waiting cures."""
    found = audited(caller)
    assert (found.attempts, found.layers.sdk) == (4, 1)
    assert 2.0 <= found.longest_wait_s <= 5.0 + 2.0
    spent = found.terminal["429 enforced_spend_limit_reached"]
    assert bool(spent)
    assert not found.terminal["400"]


def test_a_loop_without_an_end_is_stopped() -> None:
    """What does not give up is found out, and not waited for."""

    def endless(client: anthropic.Anthropic) -> None:
        while True:
            try:
                client.with_options(max_retries=0).messages.create(**QUESTION)
                return
            except CURABLE:
                time.sleep(random.uniform(0, 600.0))

    found = audited(endless, callers=3)
    assert found.endless
    assert "RL111" in found.codes
    assert "no end was seen" in report(found)


def test_several_are_a_table() -> None:
    """A row for each, and below it what was found."""
    lines = table([audited(lockstep), audited(patient)]).splitlines()
    assert [line.split()[:3] for line in lines[:3]] == [
        ["attempts", "waits", "jitter"],
        ["app:ask", "5", "1"],
        ["app:ask", "4", "5.08"],
    ]
    assert lines[1].endswith("RL101 RL102 RL103 RL106 RL121 RL113")
    assert lines[2].endswith("none")
    assert lines[-2:] == ["app:ask:", "  nothing found"]


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (
            lambda a, b: None,
            "must take one SDK client or nothing, got a function of (a, b)",
        ),
        (lambda *, question: None, "got a function of (question)"),
        (lambda self: None, "app:ask is a method without its object"),
        (dict, "app:ask must be a function of one SDK client or of nothing, a policy of"),
        (3, "or an SDK client, got 3"),
        (lambda: None, "returned and made no request that reached the provider"),
        (lambda client: client.nothing, "AttributeError: 'Anthropic' object has no attribute"),
    ],
)
def test_what_makes_no_call_is_named(found: Any, message: str) -> None:
    """Whatever cannot be audited is one clear error that says why."""
    with pytest.raises(SubjectError) as raised:
        audited(found, callers=2)
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nocolon", "name must be package.module:callable, got 'nocolon'"),
        ("no_such_module:ask", "cannot import no_such_module:ask: ModuleNotFoundError"),
        ("json:no_such", "cannot import json:no_such: AttributeError"),
    ],
)
def test_what_cannot_be_imported_is_named(name: str, message: str) -> None:
    """A slip in the name is named with what was given."""
    with pytest.raises(SubjectError) as raised:
        load(name)
    assert message in str(raised.value)


def test_the_client_is_chosen_by_annotation_name_or_option() -> None:
    """A parameter that says OpenAI is given a client of OpenAI's, any other one of Anthropic's."""

    def annotated(client: openai.OpenAI) -> None: ...
    def named(openai_client) -> None: ...
    def silent(client) -> None: ...

    chosen = [as_subject(each, "a:b").sdk for each in (annotated, named, silent)]
    assert chosen == ["openai", "openai", "anthropic"]
    assert as_subject(silent, "a:b", "openai").sdk == "openai"


MODULE = """
from anthropic import Anthropic
def once(client):
    print("a word of its own")
    client.with_options(max_retries=0).messages.create(**{question!r})
def default(client):
    client.messages.create(**{question!r})
"""


def test_the_command_line(tmp_path: Any, monkeypatch: Any, capsys: Any) -> None:
    """Exit 0 if nothing was found, 1 if something was, 2 for a slip; JSON is printed alone."""
    (tmp_path / "audited_app.py").write_text(MODULE.format(question=QUESTION))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert main(["audit", "audited_app:once", "--json", "--callers", "3"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["audits"]
    assert (row["name"], row["attempts"], row["findings"]) == ("audited_app:once", 1, [])
    assert main(["audit", "audited_app:once", "audited_app:default"]) == 1
    assert "audited_app:default  3" in capsys.readouterr().out
    assert main(["audit", "audited_app:once", "--callers", "1"]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "audit: callers must be a whole number, at least 2, got 1" in printed.err
    assert main(["audit", "audited_app:twice"]) == 2

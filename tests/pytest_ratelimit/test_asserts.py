"""Assertions: each passes on a good run, fails on a bad one, and never on too little evidence."""

from __future__ import annotations

import contextlib
import pickle
import re

import pytest

from fake_provider import FakeProvider, Limits, Trace
from pytest_ratelimit import (
    FindingsError,
    assert_all_calls_succeed,
    assert_attempts_bounded,
    assert_exercised,
    assert_finishes_within,
    assert_jittered,
    assert_no,
    assert_retries_spread,
    assert_retry_after_respected,
    assert_well_behaved,
    assert_within_budget,
)
from pytest_ratelimit._accepted import Accepted, accepting
from pytest_ratelimit._checks import Policy, judge
from pytest_ratelimit._findings import Finding
from pytest_ratelimit._tolerance import check
from tests.pytest_ratelimit import delays
from tests.pytest_ratelimit.scenarios import cold_start, replay
from tests.pytest_ratelimit.simulation import attempt, chains, refusal, trace_of

EMPTY = Trace()
# Nothing was refused: the repaired incident.
QUIET = replay(delays.full_jitter(2.0), paced=True)
# A fleet that obeys its hint with a jitter of its own, and one that comes back together.
GOOD = cold_start(delays.hint_plus(8.0), seed=1, hint="exact", attempts=12)
HERD = cold_start(delays.fixed(1.0), seed=1, hint="exact")
INCIDENT = replay(delays.fixed(1.0))
# One refusal, one retry.
THIN = trace_of(refusal(), attempt(arrived_at=1.0))


def codes(assertion, trace, **arguments):
    """Return the codes that an assertion fails with, none if it passes."""
    try:
        assertion(trace, **arguments)
    except FindingsError as error:
        return [finding.code for finding in error.findings]
    return []


def ignored_hint():
    """A run in which every retry comes a second after a hint of ten."""
    return chains([[1.0, 1.0, 1.0]] * 4, hint=10.0, hint_form="seconds")


def given_up(attempts=5):
    """A run of served calls, and one that is refused for ever and gives up."""
    delay = [2.0**place for place in range(attempts - 1)]
    served = [attempt(call=call, arrived_at=100.0 + call, unit=f"s{call}") for call in range(1, 9)]
    return trace_of(*chains([delay]).attempts, *served)


FIVE = [{"call": n, "unit": f"u{n}", "caller": f"agent-{n}", "room": 4.0 - n} for n in range(5)]
OVERRUN = trace_of(
    *(attempt(**fields) for fields in FIVE[:4]),
    refusal(**FIVE[4] | {"reason": "tokens_per_minute"}),
    limits=Limits(tokens_per_minute=4_000),
)
WITHIN = trace_of(
    *(attempt(call=call, unit=f"u{call}", arrived_at=10.0 * call) for call in range(4)),
    limits=Limits(tokens_per_minute=4_000),
)

PASSING = [
    (assert_well_behaved, GOOD, {}),
    (assert_retries_spread, GOOD, {}),
    (assert_jittered, GOOD, {}),
    (assert_retry_after_respected, GOOD, {}),
    (assert_attempts_bounded, given_up(), {}),
    (assert_attempts_bounded, given_up(5), {"max_attempts": 5}),
    (assert_within_budget, WITHIN, {}),
    (assert_within_budget, WITHIN, {"tokens": 4_000}),
    (assert_within_budget, WITHIN, {"tokens": 1_000, "per": 10.0}),
    (assert_within_budget, WITHIN, {"in_flight": 1_000}),
    (assert_all_calls_succeed, GOOD, {}),
    (assert_finishes_within, GOOD, {"seconds": 300.0}),
    (assert_finishes_within, GOOD, {"times_ideal": 3.0}),
    (assert_exercised, GOOD, {}),
]
FAILING = [
    (assert_well_behaved, HERD, {}, {"RL101", "RL102"}),
    (assert_well_behaved, QUIET, {}, {"RL902"}),
    (assert_retries_spread, HERD, {}, {"RL101"}),
    (assert_jittered, HERD, {}, {"RL102"}),
    (assert_retry_after_respected, ignored_hint(), {}, {"RL103"}),
    (assert_attempts_bounded, given_up(11), {}, {"RL111"}),
    (assert_attempts_bounded, given_up(5), {"max_attempts": 4}, {"RL111"}),
    (assert_within_budget, OVERRUN, {}, {"RL202"}),
    (assert_within_budget, WITHIN, {"tokens": 3_999}, {"RL201"}),
    (assert_within_budget, WITHIN, {"tokens": 999, "per": 10.0}, {"RL201"}),
    (assert_within_budget, INCIDENT, {"retry_ratio": 0.1}, {"RL113"}),
    (assert_all_calls_succeed, HERD, {}, {"RL301"}),
    (assert_finishes_within, INCIDENT, {"seconds": 300.0}, {"RL302"}),
    (assert_finishes_within, INCIDENT, {"times_ideal": 3.0}, {"RL302"}),
    (assert_exercised, QUIET, {}, {"RL902"}),
    (assert_exercised, THIN, {}, {"RL902"}),
]


@pytest.mark.parametrize(("assertion", "trace", "arguments"), PASSING)
def test_passes_on_a_good_run(assertion, trace, arguments):
    """An assertion says nothing of a run that has what it asks for."""
    assert codes(assertion, trace, **arguments) == []


@pytest.mark.parametrize(("assertion", "trace", "arguments", "expected"), FAILING)
def test_fails_on_a_bad_run(assertion, trace, arguments, expected):
    """An assertion fails with the findings of its own checks."""
    assert expected <= set(codes(assertion, trace, **arguments))


@pytest.mark.parametrize(
    "assertion", [assert_jittered, assert_retry_after_respected, assert_attempts_bounded]
)
@pytest.mark.parametrize("trace", [QUIET, THIN], ids=["quiet", "thin"])
def test_a_policy_that_was_not_seen_is_inconclusive(assertion, trace):
    """An assertion on the policy cannot pass where the policy had nothing to do."""
    assert codes(assertion, trace) == ["RL901"]


@pytest.mark.parametrize(
    ("assertion", "arguments"),
    [
        (assert_retries_spread, {}),
        (assert_within_budget, {}),
        (assert_all_calls_succeed, {}),
        (assert_finishes_within, {"seconds": 600.0}),
        (assert_finishes_within, {"times_ideal": 3.0}),
    ],
)
def test_an_outcome_without_a_refusal_is_a_good_one(assertion, arguments):
    """An assertion on the outcome passes where nothing was refused."""
    assert codes(assertion, QUIET, **arguments) == []


EVERY = [
    (assert_well_behaved, {}),
    (assert_retries_spread, {}),
    (assert_jittered, {}),
    (assert_retry_after_respected, {}),
    (assert_attempts_bounded, {}),
    (assert_within_budget, {}),
    (assert_all_calls_succeed, {}),
    (assert_finishes_within, {"seconds": 1.0}),
    (assert_finishes_within, {"times_ideal": 3.0}),
    (assert_exercised, {}),
]


@pytest.mark.parametrize(("assertion", "arguments"), EVERY)
def test_a_run_that_reached_no_provider_fails_every_assertion(assertion, arguments):
    """Nothing can be said of an empty trace, and nothing is said but that it is empty."""
    assert codes(assertion, EMPTY, **arguments) == ["RL903"]


@pytest.mark.parametrize("code", ["RL101", "RL112", "RL201", "RL301"])
def test_a_run_that_reached_no_provider_has_not_nothing_wrong_with_it(code):
    """An empty trace does not prove the absence of a defect."""
    with pytest.raises(FindingsError, match="RL903"):
        assert_no(EMPTY, code)


def test_well_behaved_accepts_warnings_unless_it_is_strict():
    """The good run has warnings, which only `strict` makes fail."""
    found = {finding.code for finding in check(GOOD) if finding.severity == "warning"}
    assert found
    assert codes(assert_well_behaved, GOOD) == []
    assert set(codes(assert_well_behaved, GOOD, strict=True)) == found


def test_well_behaved_accepts_quiet_if_it_is_said_to():
    """The repaired incident refuses nothing, and says so."""
    assert codes(assert_well_behaved, QUIET) == ["RL902"]
    assert codes(assert_well_behaved, QUIET, allow_quiet=True) == []
    assert codes(assert_well_behaved, EMPTY, allow_quiet=True) == ["RL903"]


def test_well_behaved_does_not_fail_on_too_little_evidence():
    """RL901 is no defect of the code under test."""
    assert "RL901" in {finding.code for finding in check(THIN)}
    assert codes(assert_well_behaved, THIN, strict=True) == []


def test_no_runs_the_checks_that_are_named_and_no_others():
    """Errors and warnings of the codes given fail; the rest of the run is nobody's business."""
    assert_no(HERD, "RL103", "RL111", "RL121")
    with pytest.raises(FindingsError) as caught:
        assert_no(HERD, "RL103", "RL101", "RL301")
    assert [finding.code for finding in caught.value.findings] == ["RL101", "RL301"]


def test_no_takes_no_note_for_a_finding():
    """A note is harmless by definition."""
    assert {finding.severity for finding in check(QUIET)} == {"note"}
    assert_no(QUIET, "RL101", "RL301")


@pytest.mark.parametrize("code", ["RL901", "RL902"])
def test_no_cannot_be_asked_for_what_never_fails(code):
    """A test that cannot fail is a bug: a code that is always a note is refused as an argument."""
    with pytest.raises(ValueError, match=code):
        assert_no(GOOD, code)


def test_no_growth_that_was_not_seen_is_cleared():
    """Growth has no assertion of its own: a run in which nothing could grow is no verdict on it."""
    with pytest.raises(FindingsError, match=r"^RL901 inconclusive: too little .* RL106 "):
        assert_no(QUIET, "RL101", "RL106")
    with ignoring("RL106"):
        assert_no(QUIET, "RL101", "RL106")


def test_no_unretried_refusal_is_asked_of_code_that_is_meant_to_retry():
    """Naming RL122 declares the intention, without which giving up at once is legal."""
    given_up_at_once = trace_of(refusal())
    assert "RL122" not in {finding.code for finding in check(given_up_at_once)}
    with pytest.raises(FindingsError, match=r"^RL122 never-retried"):
        assert_no(given_up_at_once, "RL122")


def test_no_needs_a_code_that_there_is():
    """Without a code there is nothing to ask; an unknown one is named with those known."""
    with pytest.raises(TypeError, match=r"needs at least one code, such as 'RL112'"):
        assert_no(GOOD)
    with pytest.raises(ValueError, match=r"codes must be among RL101, .* got 'RL999'"):
        assert_no(GOOD, "RL101", "RL999")


@pytest.mark.parametrize(
    ("assertion", "arguments", "expected"),
    [
        (assert_attempts_bounded, {"max_attempts": 1}, "max_attempts must be a .* at least 2"),
        (
            assert_exercised,
            {"min_callers": 0},
            "min_callers must be a whole number, at least 1, got 0",
        ),
        (assert_within_budget, {"retry_ratio": -1}, "retry_ratio must be a .*above 0, got -1"),
        pytest.param(
            assert_within_budget,
            {"tokens": 0},
            "^tokens must be",
        ),
        pytest.param(
            assert_within_budget,
            {"per": 0},
            "^per must be",
        ),
        pytest.param(
            assert_within_budget,
            {"in_flight": -1},
            "^in_flight must be",
        ),
        pytest.param(
            assert_finishes_within,
            {"seconds": 0},
            "^seconds must be",
        ),
        pytest.param(
            assert_finishes_within,
            {"times_ideal": 0},
            "^times_ideal must be",
        ),
    ],
)
def test_an_argument_out_of_range_is_named_as_it_was_given(assertion, arguments, expected):
    """The message states the assertion's own argument, and what is allowed."""
    with pytest.raises(ValueError, match=expected):
        assertion(GOOD, **arguments)


@pytest.mark.parametrize(
    ("assertion", "name"),
    [
        (assert_attempts_bounded, "max_attempts"),
        (assert_exercised, "min_callers"),
        (assert_within_budget, "retry_ratio"),
    ],
)
@pytest.mark.parametrize("value", ["5", True])
def test_an_argument_that_is_no_number_is_named(assertion, name, value):
    """A wrong type is one clear error, too."""
    with pytest.raises(TypeError, match=f"{name} must be"):
        assertion(GOOD, **{name: value})


def test_finishing_within_nothing_is_no_question():
    """Neither a time nor a multiple is a mistake."""
    with pytest.raises(TypeError, match="needs seconds= or times_ideal="):
        assert_finishes_within(GOOD)


def test_exercised_counts_callers_that_were_refused():
    """The bound is on callers, and the failure says how many there were."""
    refused = len({a.caller for a in GOOD.refused})
    assert codes(assert_exercised, GOOD, min_callers=refused) == []
    with pytest.raises(FindingsError, match=f"{refused} of the {refused + 1} callers needed were"):
        assert_exercised(GOOD, min_callers=refused + 1)


def test_a_loop_without_a_bound_is_caught_although_it_never_gave_up():
    """A run that had to be stopped shows that there is no bound."""
    endless = chains([[1.0] * 12], ended_at=12.0)
    assert "RL111" in codes(assert_attempts_bounded, endless)


@pytest.mark.parametrize(("assertion", "arguments"), [*EVERY, (assert_no, None), (check, {})])
@pytest.mark.parametrize(
    ("given", "named"),
    [
        (FakeProvider(), r"a FakeProvider: pass its \.trace$"),
        (None, "None$"),
        (list(GOOD.attempts), r"\[Attempt\(.{,200}$"),
    ],
    ids=["provider", "nothing", "attempts"],
)
def test_what_is_no_trace_is_named(assertion, arguments, given, named):
    """Whatever is given in place of the trace is one clear error that says what is meant."""
    with pytest.raises(TypeError, match=f"^trace must be a Trace, got {named}"):
        assertion(given, "RL101") if arguments is None else assertion(given, **arguments)


@pytest.mark.parametrize("judging", [check, judge])
def test_what_is_no_policy_is_named(judging):
    """A mapping of thresholds is not a Policy, and the error says so."""
    with pytest.raises(TypeError, match=r"^policy must be a Policy, .* got \{.alpha.: 0.001"):
        judging(GOOD, {"alpha": 1e-3})


@pytest.mark.parametrize(("assertion", "arguments"), [*EVERY, (assert_no, None)])
def test_a_trace_is_judged_once(assertion, arguments, monkeypatch):
    """An assertion runs the checks no more than once, whatever it asks for."""
    judged = []
    monkeypatch.setattr(
        "pytest_ratelimit._tolerance.judge", lambda *given: judged.append(1) or judge(*given)
    )
    for trace in (HERD, QUIET):
        judged.clear()
        with contextlib.suppress(FindingsError):
            assertion(trace, "RL101") if arguments is None else assertion(trace, **arguments)
        assert judged == [1]


# ---------------------------------------------------------------------- the message


def test_the_first_line_says_what_and_how_many_more():
    """Code, name and summary of the worst finding, then the other codes, once each."""
    with pytest.raises(FindingsError) as caught:
        assert_well_behaved(HERD)
    first, *rest = str(caught.value).splitlines()
    assert re.fullmatch(
        r"RL101 synchronized-retries: .+ \(and 4 more: RL102, RL201, RL202, RL205\)", first
    )
    titles = [finding.title for finding in caught.value.findings[1:]]
    assert [line for line in rest if re.match(r"RL\d+ ", line)] == titles


def test_findings_come_worst_first():
    """Errors before warnings before notes, by code within each."""
    made = [
        Finding(code=code, severity=severity, summary="x")
        for code, severity in [("RL301", "warning"), ("RL201", "error"), ("RL101", "error")]
    ]
    assert str(FindingsError(made[::-1])).startswith("RL101")
    with pytest.raises(FindingsError) as caught:
        assert_no(HERD, "RL301", "RL205", "RL113", "RL101")
    assert [f.code for f in caught.value.findings] == ["RL101", "RL205", "RL113", "RL301"]


def test_one_finding_alone_counts_no_others():
    """A single finding is its own text and nothing else."""
    finding = Finding(code="RL101", severity="error", summary="x", evidence=("seen",))
    assert str(FindingsError([finding])) == str(finding)


def test_every_finding_says_how_to_accept_it():
    """Whoever reads the failure can paste the way out, except where there is none."""
    with pytest.raises(FindingsError) as caught:
        assert_well_behaved(HERD)
    assert '@pytest.mark.ratelimit(ignore={"RL101": "reason"})' in str(caught.value)
    with pytest.raises(FindingsError) as silent:
        assert_well_behaved(EMPTY)
    assert "Accept" not in str(silent.value)


def test_the_error_can_be_pickled():
    """A failure in another process arrives with its findings."""
    with pytest.raises(FindingsError) as caught:
        assert_retries_spread(HERD)
    error = pickle.loads(pickle.dumps(caught.value))
    assert (str(error), error.findings) == (str(caught.value), caught.value.findings)


def test_one_caller_is_one_caller():
    """Whoever counts to one does not count callers."""
    with pytest.raises(FindingsError, match="0 of the 1 caller needed were") as caught:
        assert_exercised(WITHIN, min_callers=1)
    assert caught.value.findings[0].evidence == ("1 caller made 4 attempts.",)


# ---------------------------------------------------------------------- what the marker states


def ignoring(*accepted_codes):
    return accepting(Accepted(ignore=dict.fromkeys(accepted_codes, "as agreed")))


def test_what_is_ignored_does_not_fail():
    """A code that the marker accepts is left out, the others stay."""
    with ignoring("RL101", "RL102", "RL205"):
        assert codes(assert_well_behaved, HERD) == ["RL201", "RL202"]
        assert codes(assert_retries_spread, HERD) == []
        assert codes(assert_jittered, HERD) == []
    assert codes(assert_retries_spread, HERD) == ["RL101"]


@pytest.mark.parametrize(
    ("assertion", "trace", "arguments", "code"),
    [
        (assert_retry_after_respected, ignored_hint(), {}, "RL103"),
        (assert_attempts_bounded, given_up(11), {}, "RL111"),
        (assert_within_budget, WITHIN, {"tokens": 3_999}, "RL201"),
        (assert_all_calls_succeed, HERD, {}, "RL301"),
        (assert_finishes_within, INCIDENT, {"seconds": 300.0}, "RL302"),
        (assert_well_behaved, QUIET, {}, "RL902"),
        pytest.param(
            assert_exercised,
            THIN,
            {},
            "RL902",
        ),
        pytest.param(
            assert_jittered,
            THIN,
            {},
            "RL901",
        ),
    ],
)
def test_each_assertion_respects_what_is_ignored(assertion, trace, arguments, code):
    """Whatever finds it, an accepted code does not fail the test."""
    assert code in codes(assertion, trace, **arguments)
    with ignoring(code):
        assert code not in codes(assertion, trace, **arguments)


def test_an_empty_run_cannot_be_accepted():
    """RL903 has no way to accept it: it fails always."""
    with pytest.raises((ValueError, FindingsError), match="RL903"), ignoring("RL903"):
        assert_well_behaved(EMPTY)


def test_the_level_is_the_marker_s():
    """A level that no evidence can reach lets the herd through; the default does not."""
    loose = cold_start(delays.full_jitter(1.0), seed=2, seeds=1, attempts=12)
    assert codes(assert_retries_spread, loose) == ["RL101"]
    with accepting(Accepted(alpha=1e-300)):
        assert codes(assert_retries_spread, loose) == []
    assert codes(assert_retries_spread, loose) == ["RL101"]


def test_the_policy_is_the_marker_s():
    """What the test declares holds in its assertions, unless one states its own."""
    with accepting(Accepted(policy=Policy(burst_declared=True))):
        assert "RL202" not in codes(assert_within_budget, OVERRUN)
    assert "RL202" in codes(assert_within_budget, OVERRUN)
    with accepting(Accepted(policy=Policy(max_attempts=4))):
        assert codes(assert_attempts_bounded, given_up(5)) == ["RL111"]
        assert codes(assert_attempts_bounded, given_up(5), max_attempts=5) == []
    with accepting(Accepted(policy=Policy(budget_tokens=999, budget_per_s=10.0))):
        assert codes(assert_within_budget, WITHIN) == ["RL201"]
        assert codes(assert_within_budget, WITHIN, tokens=1_000) == []
        assert codes(assert_within_budget, WITHIN, tokens=1_000, per=60.0) == ["RL201"]

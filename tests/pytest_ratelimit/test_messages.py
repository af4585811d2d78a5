"""Whole messages of the main findings, pinned."""

from __future__ import annotations

import re
from pathlib import Path

from fake_provider._limits import Limit, Limits
from fake_provider._trace import Trace
from pytest_ratelimit._checks import Policy, judge
from tests.pytest_ratelimit import delays
from tests.pytest_ratelimit.scenarios import probe, replay
from tests.pytest_ratelimit.simulation import Simulation, attempt, chains, refusal, trace_of


def text(trace: Trace, code: str) -> str:
    (finding,) = judge(trace)[code].findings
    return str(finding)


def obedient() -> Trace:
    """Twelve default SDK clients against four requests a minute, with the hint in seconds."""
    return Simulation(
        delays.sdk(obeys=True),
        Limit(kind="requests", amount=4),
        callers=12,
        calls=1,
        tokens=lambda caller, place, rng: 1,
        hint="ceil",
        sdk=True,
        attempts=3,
    ).run()


def origin() -> Trace:
    """Twelve agents of 150,000 tokens a call against 4,000,000 in a sliding minute."""
    return Simulation(
        delays.fixed(),
        Limit(kind="tokens", amount=4_000_000),
        tokens=lambda caller, place, rng: 150_000,
        service=lambda caller, place, rng: 6.0,
        hint="ceil",
    ).run()


def test_the_incident_s_waves() -> None:
    """The replay's waves, with the time that its limit needs."""
    assert text(replay(delays.fixed()), "RL101") == (
        "RL101 synchronized-retries: 8 of 8 waiting callers sent retry 1 at the same "
        "instant, and all 8 were refused again\n"
        "\n"
        "  At t=1.000 s, 1 s after their attempts had failed at the same instant.\n"
        "  44 such waves from t=1.000 s to t=703.397 s hold 344 of 507 retries.\n"
        "  Independent jitter of 100 ms or more would do that with p = 3e-30; with full "
        "jitter over 0 to 2 s, more than 1 of 8 come that close in fewer than 1 run of "
        "1,000.\n"
        "  The limit tokens_per_minute needs 4.86 s to admit 8 attempts of 40,500 tokens.\n"
        "  Cause: a fixed delay of 1 s, without jitter.\n"
        "  Remedy: draw the delay at random, for example "
        "wait=wait_random_exponential(multiplier=4.9, max=60).\n"
        '  Accept: @pytest.mark.ratelimit(ignore={"RL101": "reason"})'
    )


def test_waves_through_the_sdk() -> None:
    """Callers whose SDK obeys one hint, with the SDK named as what waited."""
    assert text(obedient(), "RL101") == (
        "RL101 synchronized-retries: 8 of 8 waiting callers sent retry 1 at the same "
        "instant, and 4 of the 8 retries were refused again\n"
        "\n"
        "  At t=60.000 s, 60 s after their attempts had failed at the same instant.\n"
        "  2 such waves from t=60.000 s to t=120.000 s hold 12 of 12 retries.\n"
        "  Independent jitter of 500 ms or more would do that with p = 8e-37.\n"
        "  The limit requests_per_minute needs 60 s to admit 8 attempts of 1 request.\n"
        "  Cause: the SDK waited exactly what the hint said; no code of the application "
        "was involved.\n"
        "  Remedy: set max_retries=0 on the client, and retry around it: sleep the hint "
        "plus random.uniform(0, 60), never less than the hint.\n"
        '  Accept: @pytest.mark.ratelimit(ignore={"RL101": "reason"})'
    )


def test_the_incident_s_fixed_delay() -> None:
    """The replay's delays, with a bound on their jitter."""
    assert text(replay(delays.fixed()), "RL102") == (
        "RL102 missing-jitter: the delay before retry 1 hardly varies: 127 of 127 delays "
        "after the refusal are identical at 1 s (12 callers)\n"
        "\n"
        "  The jitter is below 1.14 us with 99.999 % confidence; 100 ms is the least that "
        "counts (10 % of the delay, at most 500 ms); p < 1e-99.\n"
        "  Retry 2: 127 of 127 delays identical at 1 s.\n"
        "  Retry 3: 127 of 127 delays identical at 1 s.\n"
        "  Retry 4: 126 of 126 delays identical at 1 s.\n"
        "  Cause: a fixed delay of 1 s, without jitter.\n"
        "  Remedy: draw the delay at random, for example "
        "wait=wait_random_exponential(multiplier=4.9, max=60).\n"
        '  Accept: @pytest.mark.ratelimit(ignore={"RL102": "reason"})'
    )


def test_no_jitter_through_the_sdk() -> None:
    """The same callers' delays behind the hint."""
    assert text(obedient(), "RL102") == (
        "RL102 missing-jitter: the delay before retry 1 hardly varies: 8 of 8 delays after "
        "the hint are identical at 60 s (8 callers)\n"
        "\n"
        "  The jitter is below 6.97 us with 99.999 % confidence; 500 ms is the least that "
        "counts (10 % of the delay, at most 500 ms); p = 1e-52.\n"
        "  Retry 2: 4 of 4 delays identical at 60 s.\n"
        "  Cause: the SDK waited exactly what the hint said; no code of the application "
        "was involved.\n"
        "  Remedy: set max_retries=0 on the client, and retry around it: sleep the hint "
        "plus random.uniform(0, 60), never less than the hint.\n"
        '  Accept: @pytest.mark.ratelimit(ignore={"RL102": "reason"})'
    )


def test_a_hint_that_was_ignored() -> None:
    """One-second retries against hints of most of a minute."""
    assert text(origin(), "RL103") == (
        "RL103 ignored-retry-after: 48 of 48 retries after a hint came before it allowed, "
        "by up to 47 s\n"
        "\n"
        "  Worst: agent-2, call 26, told to wait 48 s, came back after 1 s, at t=13.000 s.\n"
        "  48 of the 48 were refused again.\n"
        "  Cause: the code around the SDK waits on a schedule of its own and ignores the "
        "hint: 1 s.\n"
        "  Remedy: wait at least the hint, or give up: sleep "
        "float(response.headers['retry-after']) + random.uniform(0, 4.8).\n"
        '  Accept: @pytest.mark.ratelimit(ignore={"RL103": "reason"})'
    )


def test_equal_seeds() -> None:
    """Four seeds among twelve callers."""
    assert text(probe(delays.full_jitter(), seed=1, callers=12, seeds=4), "RL104") == (
        "RL104 same-jitter-everywhere: 12 of 12 callers share their delays with another, "
        "in 4 sets\n"
        "\n"
        "  Callers agent-0, agent-4, agent-8 draw the same delays.\n"
        "  Callers agent-1, agent-5, agent-9 draw the same delays.\n"
        "  Callers agent-2, agent-6, agent-10 draw the same delays.\n"
        "  Callers agent-3, agent-7, agent-11 draw the same delays.\n"
        "  agent-11 and agent-3 agree before 4 retries (72.6 ms, 1.572 s, 803 ms, 6.908 "
        "s); p = 4e-15 under independent jitter.\n"
        "  Cause: equal random numbers in several workers: the same seed, a generator made "
        "before the fork, or jitter taken from the clock.\n"
        "  Remedy: draw from a generator of each worker's own: random.Random() made after "
        "the fork, never seeded alike and not from the clock.\n"
        '  Accept: @pytest.mark.ratelimit(ignore={"RL104": "reason"})'
    )


def test_all_attempts_inside_the_window() -> None:
    """Five attempts in four seconds against a hint of 48 s."""
    assert text(origin(), "RL105") == (
        "RL105 retry-inside-window: 12 calls made all attempts and gave up before the cost "
        "could have fitted\n"
        "\n"
        "  Worst: agent-2, call 26, made 5 attempts in 4 s, and the hint asked for 48 s.\n"
        "  60 attempts were made for nothing.\n"
        "  Cause: 5 attempts with these delays end inside the limit's window.\n"
        "  Remedy: let the delays add up to more than 48 s, or wait for the hint.\n"
        '  Accept: @pytest.mark.ratelimit(ignore={"RL105": "reason"})'
    )


def test_a_flat_backoff() -> None:
    """The replay's delays do not grow."""
    assert text(replay(delays.fixed()), "RL106") == (
        "RL106 flat-backoff: the backoff does not grow: over 3 retries of 127 calls the "
        "longest delay is 1.00 x the longest first one\n"
        "\n"
        "  Growing by 2 a retry would give 4 x; the median delay is 1 s.\n"
        "  506 of the 507 retries were refused again.\n"
        "  Cause: the delay does not depend on how often the call was refused.\n"
        "  Remedy: wait=wait_random_exponential(multiplier=4.9, max=60)\n"
        '  Accept: @pytest.mark.ratelimit(ignore={"RL106": "reason"})'
    )


def test_retries_without_a_delay() -> None:
    """Eight callers that try again at once, four times each."""
    assert text(probe(delays.fixed(0.0), seed=1), "RL107") == (
        "RL107 hot-retry: 32 of 32 retries came within 1 ms of the refusal\n"
        "\n"
        "  32 of them were refused again; 8 calls did so, up to 4 times.\n"
        "  Delays spread over 100 ms would do that with p = 1e-64.\n"
        "  Cause: the code tries again without waiting, on the same key and model.\n"
        "  Remedy: wait=wait_random_exponential(multiplier=1, max=60)\n"
        '  Accept: @pytest.mark.ratelimit(ignore={"RL107": "reason"})'
    )


def test_attempts_without_an_end() -> None:
    """One call of fifteen attempts, all refused."""
    assert text(chains([[1.0] * 14]), "RL111") == (
        "RL111 unbounded-retries: 1 call made more than 10 attempts, up to 15\n"
        "\n"
        "  Call 0 of agent-0 made them in 14 s.\n"
        "  Its last attempt was refused as well: no end was seen.\n"
        "  Cause: the retry loop has no bound, or one above what this policy allows.\n"
        "  Remedy: stop=stop_after_attempt(10), or raise the bound: max_attempts=15.\n"
        '  Accept: @pytest.mark.ratelimit(ignore={"RL111": "reason"})'
    )


def test_stacked_layers() -> None:
    """The SDK's three attempts inside a loop of five."""
    assert text(
        probe(delays.sdk(), seed=1, attempts=3, outer=(5, delays.full_jitter())), "RL112"
    ) == (
        "RL112 stacked-retry-layers: 8 calls retried by the SDK inside another retry loop; "
        "call 0 made 15 attempts = 5 outer x 3 SDK\n"
        "\n"
        "  Call 0 of agent-0: the SDK's retry counter started again 4 x within one call.\n"
        "  8 calls made 120 attempts this way.\n"
        "  Several loops around the SDK count as one here: the delays do not tell.\n"
        "  Cause: the code around the SDK retries, and so does the SDK (max_retries=2): "
        "the attempts multiply.\n"
        "  Remedy: set max_retries=0 on the client, and keep one loop around it: at most 5 "
        "attempts instead of 15.\n"
        '  Accept: @pytest.mark.ratelimit(ignore={"RL112": "reason"})'
    )


def test_a_retry_storm() -> None:
    """The replay's retries per call."""
    assert text(replay(delays.fixed()), "RL113") == (
        "RL113 retry-storm: 3.85 attempts per call: 507 retries for 178 calls, and 506 of "
        "them were refused again\n"
        "\n"
        "  Above 3 attempts per call it is an error; above 0.2 retries per call, most of "
        "them refused again, a warning.\n"
        "  Call 4 of agent-4 made 5 attempts.\n"
        "  Cause: each call retries by itself, and nothing bounds what they ask for "
        "together.\n"
        "  Remedy: share a retry budget of 20 % between the callers: about 36 retries for "
        "these 178 calls.\n"
        '  Accept: @pytest.mark.ratelimit(ignore={"RL113": "reason"})'
    )


def test_repeated_work() -> None:
    """The replay's re-queued work."""
    assert text(replay(delays.fixed()), "RL114") == (
        "RL114 repeated-work: 27,742,500 tokens demanded for 2,106,000 asked for: 13.2 x\n"
        "\n"
        "  20,533,500 tokens more by retries, 5,103,000 by 126 re-queues of 46 units; 13.2 "
        "x the 2,106,000 served.\n"
        "  The unit asked for most often was asked for in 4 calls.\n"
        "  Cause: refused work is dispatched again as new calls, each with retries of its "
        "own.\n"
        "  Remedy: keep refused work in its call until it is served, with delays that add "
        "up to 213.1 s or more, instead of dispatching it again as a new call; hold all "
        "attempts for one unit to one bound: it was 16 in this run.\n"
        '  Accept: @pytest.mark.ratelimit(ignore={"RL114": "reason"})'
    )


def test_a_quota_that_was_used_up() -> None:
    """Three calls that ask three times each although the quota is used up."""
    spent = chains([[1.0, 2.0]] * 3, terminal=True, reason="insufficient_quota")
    assert text(spent, "RL121") == (
        "RL121 terminal-error-retried: 6 retries of 3 calls after an error that no wait can "
        "cure\n"
        "\n"
        "  The error was 429 insufficient_quota (6 x).\n"
        "  They demanded 6,000 tokens for nothing.\n"
        "  Cause: the code around the SDK retries by status alone, and does not look at what "
        "the error says.\n"
        "  Remedy: retry only what waiting can cure: look at the error's code before the "
        "status.\n"
        '  Accept: @pytest.mark.ratelimit(ignore={"RL121": "reason"})'
    )


def test_a_policy_that_never_fired() -> None:
    """Two calls that ended with their first refusal, although retries are declared."""
    hinted = refusal(hint=5.0, hint_form="seconds")
    inert = trace_of(hinted, refusal(call=1, caller="agent-1", unit="u1"))
    (finding,) = judge(inert, Policy(retries_declared=True))["RL122"].findings
    assert str(finding) == (
        "RL122 never-retried: 2 of 2 calls refused at first were never retried, although "
        "retries are declared\n"
        "\n"
        "  Callers: agent-0, agent-1.\n"
        "  The provider had named waits of up to 5 s.\n"
        "  Cause: the retry policy is not where the error is raised: it wraps a generator, or a "
        "function that only returns an awaitable, or looks for another exception.\n"
        "  Remedy: wrap the code that reads the response: collect the stream inside the "
        "function that is retried.\n"
        '  Accept: @pytest.mark.ratelimit(ignore={"RL122": "reason"})'
    )


def test_a_bucket_overrun() -> None:
    """The replay's demand against its bucket."""
    assert text(replay(delays.fixed()), "RL201") == (
        "RL201 budget-overrun: 2,592,000 tokens demanded in 9.876 s, 1,733,576 more than "
        "tokens_per_minute admits\n"
        "\n"
        "  From t=143.216 s to t=153.092 s: 64 attempts, 48 of them retries, 60 refused.\n"
        "  Its bucket admits 200,000 at once and 66,667 a second: 858,424 in 9.876 s.\n"
        "  Cause: callers do not know what the others have sent: no budget is shared.\n"
        "  Remedy: share one bucket of 60,000 tokens a second and 200,000 at once between "
        "all callers.\n"
        '  Accept: @pytest.mark.ratelimit(ignore={"RL201": "reason"})'
    )


def test_a_window_overrun() -> None:
    """The origin's demand against its sliding minute."""
    assert text(origin(), "RL201") == (
        "RL201 budget-overrun: 12,900,000 tokens demanded within 60 s, 8,900,000 more than "
        "tokens_per_minute admits\n"
        "\n"
        "  From t=0.000 s to t=22.000 s: 86 attempts, 48 of them retries, 60 refused.\n"
        "  It admits 4,000,000 in any 60 s.\n"
        "  Cause: callers do not know what the others have sent: no budget is shared.\n"
        "  Remedy: share one bucket of 2,000,000 tokens at once and 2,000,000 per 60 s "
        "between all callers: a full burst and a window's refill both fall into one "
        "window.\n"
        '  Accept: @pytest.mark.ratelimit(ignore={"RL201": "reason"})'
    )


def test_a_cold_start() -> None:
    """The replay's first wave."""
    assert text(replay(delays.fixed()), "RL202") == (
        "RL202 cold-start-burst: 12 calls of 486,000 tokens started together, and "
        "tokens_per_minute admits 200,000\n"
        "\n"
        "  They arrived within 1 s from t=0.000 s on; 8 of them were refused.\n"
        "  Cause: all callers start at once, each as if it were alone.\n"
        "  Remedy: start 4 at a time, or take each call's cost from one shared budget "
        "before it is sent.\n"
        '  Accept: @pytest.mark.ratelimit(ignore={"RL202": "reason"})'
    )


def test_a_request_that_can_never_fit() -> None:
    """One request of twice a minute's tokens."""
    large = refusal(input_tokens=20_000, terminal=True, status=413, reason="request_too_large")
    assert text(trace_of(large, limits=Limits(tokens_per_minute=10_000)), "RL203") == (
        "RL203 request-larger-than-limit: 1 attempt can never be admitted: 20,000 tokens "
        "against tokens_per_minute, which admits 10,000 at once\n"
        "\n"
        "  Callers: agent-0.\n"
        "  Cause: one request costs more than a whole window of the limit.\n"
        "  Remedy: split the request, or lower max_tokens, to at most 10,000 tokens.\n"
        '  Accept: @pytest.mark.ratelimit(ignore={"RL203": "reason"})'
    )


def test_lost_calls() -> None:
    """The origin's lost calls."""
    assert text(origin(), "RL301") == (
        "RL301 lost-calls: 12 of 38 calls ended without success\n"
        "\n"
        "  The last answer was 429 tokens_per_minute (12 x).\n"
        "  They made up to 5 attempts each; 0 of them were not retried.\n"
        "  Cause: the calls gave up before an attempt was served.\n"
        "  Remedy: let them keep trying for 60 s more, start fewer at once, or handle the loss.\n"
        '  Accept: @pytest.mark.ratelimit(ignore={"RL301": "reason"})'
    )


def test_nothing_to_judge() -> None:
    """One refused call that was retried once."""
    assert text(trace_of(refusal(), attempt(arrived_at=5.0)), "RL901") == (
        "RL901 inconclusive: 1 attempt refused, and too little came of it to judge any "
        "retry policy\n"
        "\n"
        "  RL102: it takes 2 delays before the same retry, from two callers or more, and "
        "this run has 1 delay from 1 caller.\n"
        "  RL103: no retry followed a refusal with a hint: it takes one refusal that says "
        "how long to wait, and a retry after it.\n"
        "  RL106: no call was retried twice on a schedule of its own: it takes two retries "
        "in several calls, or six in one.\n"
        "  RL111: no call was refused to its end: it takes one that is refused for ever, "
        "and this run's longest call made 2 attempts.\n"
        "  Cause: the run did not put the code under test in the situation that is judged.\n"
        "  Remedy: lower the limit, raise the number of callers, or script refusals.\n"
        '  Accept: @pytest.mark.ratelimit(ignore={"RL901": "reason"})'
    )


def test_nothing_refused() -> None:
    """The repaired incident."""
    assert text(replay(delays.full_jitter(2.0), paced=True), "RL902") == (
        "RL902 not-exercised: nothing was refused: 52 attempts of 12 callers were let "
        "through, so no retry was tested\n"
        "\n"
        "  Cause: demand stayed within every limit.\n"
        "  Remedy: to see refusals, set tokens_per_minute=1_053_000: half of what this run "
        "asked for.\n"
        "  Accept: assert_well_behaved(trace, allow_quiet=True)"
    )


def test_nothing_seen() -> None:
    """A run whose requests went elsewhere."""
    assert text(Trace(elsewhere=("urllib to api.openai.com",)), "RL903") == (
        "RL903 no-request-seen: nothing reached the provider, so nothing was judged\n"
        "\n"
        "  Seen elsewhere: urllib to api.openai.com.\n"
        "  Cause: the requests took a way that is not intercepted in this process.\n"
        "  Remedy: leave the SDK its own client, or make it one of aiohttp, botocore, httpx, "
        "httpx2: urllib is not intercepted. Where that cannot be, write its attempts to a file, "
        'and judge that: check(Trace.load("trace.jsonl")).'
    )


NOUNS = "attempts|callers|calls|requests|retries|rounds|times|tokens|units|waves"
# Numbers that are never 1, and rates.
PLURAL = (
    "_MIN_",
    "bound",
    "least",
    "longest",
    "math.ceil(per_call)",
    "middle",
    "overdraft.deepest",
    "per_call",
    "policy.retry_ratio",
    "times[number] + 1",
    "who",
)


def test_a_number_agrees_with_its_noun() -> None:
    """No message puts a plural behind a number that may be 1: `many` writes both."""
    package = Path(__file__).parents[2] / "pytest_ratelimit"
    wrong = [
        f"{path.name}: {match[0]}"
        for path in package.rglob("*.py")
        for match in re.finditer(rf"{{([^{{}}]+)}} ({NOUNS})\b", path.read_text(encoding="utf-8"))
        if "many(" not in match[1] and not match[1].startswith(PLURAL)
    ]
    assert wrong == []

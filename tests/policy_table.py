"""Verdicts on popular retry policies and limiters, by running them; written to a page of the docs.

Run from the checkout: `python -m tests.policy_table`. It needs, beside what the tests need,
`python3 -m pip install aiolimiter backoff limits pyrate-limiter stamina`. Retry policies are put
through `policy_probe`, without a hint and with one of 20 s; limiters in front of the SDK through a
job of 12 callers against 20 requests a minute.
"""

from __future__ import annotations

import asyncio
import functools
import importlib.metadata
import random
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Literal, NamedTuple

import anthropic
import backoff
import stamina
import tenacity
from aiolimiter import AsyncLimiter
from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import FixedWindowRateLimiter, MovingWindowRateLimiter
from pyrate_limiter import Duration, Limiter, Rate

from fake_provider import FakeProvider, Trace, caller
from pytest_ratelimit import policy_probe
from pytest_ratelimit._checks import judge

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "policies.md"
CALLERS = 12
HINT_S = 20.0
ATTEMPTS = 5
LIBRARIES = (
    "aiolimiter",
    "anthropic",
    "backoff",
    "limits",
    "openai",
    "pyrate-limiter",
    "stamina",
    "tenacity",
)
WORDS = {"FLAG": "**error**", "note": "warning", "ok": "ok", "n/a": "-"}

Work = Callable[[Any], Awaitable[Any]]
Delay = Callable[[int], float]


class Row(NamedTuple):
    """A policy, what makes one call under it, and what surprises about its verdict."""

    name: str
    work: Work
    note: str = ""
    sdk: Literal["anthropic", "openai"] = "anthropic"


async def ask(client: Any) -> Any:
    """One question of an SDK that leaves retries to the code around it."""
    return await once(client, max_retries=0)


async def once(client: Any, **options: Any) -> Any:
    """One question of an SDK."""
    messages = [{"role": "user", "content": "What changed?"}]
    if options:
        client = client.with_options(**options)
    return await client.messages.create(model="claude-x", max_tokens=10, messages=messages)


async def once_openai(client: Any) -> Any:
    """One question of OpenAI's SDK."""
    messages = [{"role": "user", "content": "What changed?"}]
    return await client.chat.completions.create(model="gpt-x", messages=messages)


def with_tenacity(wait: Any) -> Work:
    """tenacity around the SDK."""
    return tenacity.retry(
        wait=wait,
        stop=tenacity.stop_after_attempt(ATTEMPTS),
        retry=tenacity.retry_if_exception_type(anthropic.RateLimitError),
        reraise=True,
    )(ask)


def with_backoff(wait: Any, **options: Any) -> Work:
    """backoff around the SDK."""
    settings: dict[str, Any] = {"max_tries": ATTEMPTS, "logger": None, **options}
    return backoff.on_exception(wait, anthropic.RateLimitError, **settings)(ask)


def by_formula(delay: Delay) -> Work:
    """A hand-written loop with the delays of a formula, of the retry's number from 0."""

    async def work(client: Any) -> Any:
        for number in range(ATTEMPTS):
            try:
                return await ask(client)
            except anthropic.RateLimitError:
                if number == ATTEMPTS - 1:
                    raise
                await asyncio.sleep(delay(number))
        raise AssertionError

    return work


def uniform(number: int, top: float = 1.0, cap: float = 60.0) -> float:
    """Full jitter."""
    return random.uniform(0, min(cap, top * 2.0**number))


async def decorrelated(client: Any) -> Any:
    """A loop whose next delay depends on the last."""
    last = 1.0

    def delay(_: int) -> float:
        nonlocal last
        last = min(60.0, random.uniform(1.0, 3 * last))
        return last

    return await by_formula(delay)(client)


HINT_IGNORED = "No wait of these libraries knows the hint: each has to be told to read it."
FIRST = "The first draw is from [1, 1] s: a lower bound leaves the first retry no jitter."
LOST = "The jitter is added before the cap: from the third retry on every delay is 4 s."
FLAT = "The delays have jitter, and do not grow."
EXACT = (
    "Without a hint 25 % of jitter is enough; with one the SDK sleeps exactly the hint, and so do "
    "all callers."
)
POLICIES = (
    Row("tenacity `wait_fixed(1)`", with_tenacity(tenacity.wait_fixed(1))),
    Row("tenacity `wait_exponential()`", with_tenacity(tenacity.wait_exponential())),
    Row("tenacity `wait_incrementing(1, 1)`", with_tenacity(tenacity.wait_incrementing(1, 1))),
    Row("tenacity `wait_random(0, 2)`", with_tenacity(tenacity.wait_random(0, 2)), FLAT),
    Row(
        "tenacity `wait_fixed(3) + wait_random(0, 2)`",
        with_tenacity(tenacity.wait_fixed(3) + tenacity.wait_random(0, 2)),
        FLAT,
    ),
    Row(
        "tenacity `wait_random_exponential(max=60)`",
        with_tenacity(tenacity.wait_random_exponential(max=60)),
        HINT_IGNORED,
    ),
    Row(
        "tenacity `wait_random_exponential(min=1, max=60)`, the cookbook's",
        with_tenacity(tenacity.wait_random_exponential(min=1, max=60)),
        FIRST,
    ),
    Row(
        "tenacity `wait_random_exponential(min=4, max=60)`",
        with_tenacity(tenacity.wait_random_exponential(min=4, max=60)),
        "The same, for three retries: 4 s is above the ceiling of the first three draws.",
    ),
    Row("tenacity `wait_exponential_jitter()`", with_tenacity(tenacity.wait_exponential_jitter())),
    Row(
        "tenacity `wait_exponential_jitter(max=4)`",
        with_tenacity(tenacity.wait_exponential_jitter(max=4)),
        LOST,
    ),
    Row("backoff `on_exception(expo, max_tries=5)`", with_backoff(backoff.expo)),
    Row(
        "backoff `on_exception(expo, max_tries=5, jitter=None)`",
        with_backoff(backoff.expo, jitter=None),
    ),
    Row(
        "backoff `on_exception(expo, max_value=60)`",
        with_backoff(backoff.expo, max_tries=None, max_value=60),
        "Without `max_tries` it never ends.",
    ),
    Row(
        "backoff `on_exception(constant, interval=1)`",
        with_backoff(backoff.constant, interval=1),
        "Full jitter is its default here, too: delays from 0 to 1 s, which do not grow.",
    ),
    Row(
        "stamina `retry(on=...)`",
        stamina.retry(on=anthropic.RateLimitError)(ask),
        "0.1 s doubling, plus up to 1 s, grows late; from the seventh retry on it is cut to 5 s.",
    ),
    Row("anthropic, default", once, EXACT),
    Row("openai, default", once_openai, EXACT, "openai"),
    Row("anthropic `max_retries=5`", functools.partial(once, max_retries=5), EXACT),
    Row(
        "litellm, by formula: min(0.5 · 2^n, 8) · 0.75 · U(0, 1)",
        by_formula(lambda n: min(0.5 * 2**n, 8.0) * 0.75 * random.random()),
        "Jitter it has; of the first delays many are short, and so is all that they add up to.",
    ),
    Row(
        "botocore standard mode, by formula: U(0, 1) · min(2^n, 20)",
        by_formula(lambda n: uniform(n, cap=20.0)),
    ),
    Row(
        "botocore legacy mode, by formula: U(0, 1) · 2^n",
        by_formula(lambda n: uniform(n, cap=1e9)),
    ),
    Row("decorrelated jitter, by formula: min(60, U(1, 3 · last))", decorrelated),
)


def in_turn() -> Callable[[], Awaitable[None]]:
    """No limiter."""

    async def nothing() -> None:
        """Send at once."""

    return nothing


def semaphore() -> Callable[[], Awaitable[None]]:
    """Four at a time, each for three seconds: 80 a minute at most."""
    gate = asyncio.Semaphore(4)

    async def wait() -> None:
        async with gate:
            await asyncio.sleep(3.0)

    return wait


def with_aiolimiter(burst: float, per_s: float) -> Callable[[], Awaitable[None]]:
    """A leaky bucket of aiolimiter's."""
    limiter = AsyncLimiter(burst, per_s)
    return limiter.acquire


def with_pyrate() -> Callable[[], Awaitable[None]]:
    """A window of pyrate-limiter's, which is asked until it admits."""
    limiter = Limiter(Rate(20, Duration.MINUTE))

    async def wait() -> None:
        while not await limiter.try_acquire_async("job", blocking=False):
            await asyncio.sleep(0.5)

    return wait


def with_limits(strategy: Any) -> Callable[[], Awaitable[None]]:
    """A window of limits', which is asked until it admits."""
    limiter, item = strategy(MemoryStorage()), RateLimitItemPerMinute(20)

    async def wait() -> None:
        while not await limiter.hit(item, "job"):
            await asyncio.sleep(0.5)

    return wait


class Front(NamedTuple):
    """A limiter in front of the SDK, how it is made, and what surprises about its verdict."""

    name: str
    make: Callable[[], Callable[[], Awaitable[None]]]
    note: str = ""


FRONTS = (
    Front("none", in_turn),
    Front(
        "`asyncio.Semaphore(4)`",
        semaphore,
        "A semaphore bounds what is in flight, not what is sent in a minute.",
    ),
    Front(
        "aiolimiter `AsyncLimiter(20, 60)`",
        lambda: with_aiolimiter(20, 60),
        "A full burst and a minute's refill fall into one window: nearly 40 in 60 s.",
    ),
    Front(
        "aiolimiter `AsyncLimiter(5, 20)`",
        lambda: with_aiolimiter(5, 20),
        "15 a minute and a burst of 5 fit together.",
    ),
    Front("pyrate-limiter `Rate(20, Duration.MINUTE)`", with_pyrate),
    Front("limits, moving window", lambda: with_limits(MovingWindowRateLimiter)),
    Front(
        "limits, fixed window",
        lambda: with_limits(FixedWindowRateLimiter),
        "Its windows begin on the minute, the provider's slides.",
    ),
)


def job(front: Callable[[], Awaitable[None]], trace_of: FakeProvider) -> Trace:
    """12 callers of 4 calls each behind a limiter, retried with the hint and jitter on top."""

    async def one(client: Any, number: int) -> None:
        with caller(f"agent-{number}"):
            await asyncio.sleep(0.1 * number)
            for _ in range(4):
                for _ in range(8):
                    await front()
                    try:
                        await ask(client)
                        break
                    except anthropic.RateLimitError as refusal:
                        hint = float(refusal.response.headers["retry-after"])
                        await asyncio.sleep(hint + random.uniform(0, 60.0))

    async def fleet() -> None:
        async with anthropic.AsyncAnthropic() as client:
            await asyncio.gather(*(one(client, number) for number in range(CALLERS)))

    with trace_of as provider:
        asyncio.run(fleet())
    return provider.trace


def words(trace: Trace, *codes: str) -> str:
    """The worst verdict of some checks, in a word."""
    judged = judge(trace)
    verdicts = [judged[code].verdict for code in codes]
    return WORDS[next(verdict for verdict in WORDS if verdict in verdicts)]


def policy_row(row: Row) -> str:
    """The verdicts on one policy."""
    own = policy_probe(row.work, callers=CALLERS, sdk=row.sdk, stop_after=600.0)
    hinted = policy_probe(row.work, callers=CALLERS, hint=HINT_S, sdk=row.sdk, stop_after=600.0)
    cells = (
        row.name,
        words(own, "RL102", "RL104"),
        words(own, "RL101"),
        words(own, "RL106", "RL107"),
        words(own, "RL111"),
        words(hinted, "RL103"),
        words(hinted, "RL101", "RL102"),
        row.note,
    )
    return f"| {' | '.join(cells)} |".replace("|  |", "| |")


def front_row(front: Front) -> str:
    """The verdicts on one limiter."""
    provider = FakeProvider(requests_per_minute=20, latency=0.5, start="2026-01-01T00:00:20Z")
    trace = job(front.make(), provider)
    budget = words(trace, "RL201", "RL202", "RL205")
    cells = (
        front.name,
        str(len(trace.refused)),
        f"{trace.makespan:.0f} s",
        budget,
        words(trace, "RL101"),
        front.note,
    )
    return f"| {' | '.join(cells)} |".replace("|  |", "| |")


def page() -> str:
    """The whole page."""
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in LIBRARIES)
    lines = [
        "# Popular policies",
        "",
        "What the checks say of retry policies and limiters as they are commonly written.",
        "`python -m tests.policy_table` writes this page: it runs each of them. A test compares.",
        "",
        f"Versions: {versions}.",
        "",
        "## Retry policies",
        "",
        f"{CALLERS} callers, all of whose attempts are refused, without a hint and with one of",
        f"{HINT_S:g} s; {ATTEMPTS} attempts a call unless the row says otherwise. *error* fails",
        "`assert_well_behaved`, *warning* fails it with `strict=True`, *-* was not to be judged.",
        "",
        "| Policy | Jitter | Herd | Growth | Bound | Hint kept | Herd after the hint | Why |",
        "|---|---|---|---|---|---|---|---|",
        *(policy_row(row) for row in POLICIES),
        "",
        "Jitter is RL102 and RL104, herd RL101, growth RL106 and RL107, bound RL111, hint kept",
        "RL103; see [Findings](findings.md).",
        "",
        "## Limiters in front of the SDK",
        "",
        "12 callers of 4 calls each against 20 requests in any minute; whoever is refused waits",
        "for the hint and up to a minute more. The least that 48 calls can take is 121 s.",
        "",
        "| Limiter | Refused | Took | Budget | Herd | Why |",
        "|---|---|---|---|---|---|",
        *(front_row(front) for front in FRONTS),
        "",
        "Budget is RL201, RL202 and RL205.",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")

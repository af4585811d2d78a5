"""Replays (RL123, RL124): was work sent again that had been delivered, or was being served?"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, NamedTuple

from pytest_ratelimit._checks._judgement import Judgement
from pytest_ratelimit._checks._text import instant, many, names, seconds
from pytest_ratelimit._findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fake_provider._attempt import Attempt
    from pytest_ratelimit._checks._digest import Digest

# A timeout this much above the longest service time of the run leaves room for a slow answer.
_HEADROOM = 2.0


class _Again(NamedTuple):
    """An attempt, and the next one for the same work."""

    before: Attempt
    attempt: Attempt


def judge_output(digest: Digest) -> Judgement:
    """Return the judgement on RL123: an error if the stream broke, a warning if it was closed.

    A client that has read all it wants closes its stream too, and may ask the same again.
    """
    broken = [a for a in digest.trace.attempts if a.output_at is not None and _broke_off(a)]
    if not broken:
        return Judgement.unjudged(
            "no answer broke off after its output had begun: cut a stream, or let the client "
            "time out in the middle of one"
        )
    replays = [
        again
        for again in _continued(digest)
        if again.before.output_at is not None
        and _broke_off(again.before)
        and (_failed_by_itself(again.before) or _same_request(again))
    ]
    return Judgement.of(_output_finding(replays, len(broken)) if replays else None)


def _continued(digest: Digest) -> Iterator[_Again]:
    """Yield each attempt that continues one that was being served, in a call or as its re-queue."""
    for work in digest.works:
        first = work[0].attempts
        if len(work) == len(first) == 1 or any(call.number in digest.inferred for call in work):
            continue
        attempts = itertools.chain.from_iterable(call.attempts for call in work)
        for before, attempt in itertools.pairwise(attempts):
            if before.status == 200:
                yield _Again(before, attempt)


def _broke_off(attempt: Attempt) -> bool:
    """Return True if an answer ended before it was complete."""
    return attempt.ended_at is not None and not attempt.succeeded


def _failed_by_itself(attempt: Attempt) -> bool:
    """Return True if the provider broke off, and not the client."""
    return attempt.cancelled_at is None


def _same_request(again: _Again) -> bool:
    """Return True if both attempts ask for the same, as far as a trace can tell."""
    before, attempt = again
    return _asks(before) == _asks(attempt)


def _asks(attempt: Attempt) -> tuple[object, ...]:
    """Return whom an attempt asks, and for how much."""
    whom = (attempt.key, attempt.host, attempt.model_class)
    return (*whom, attempt.input_tokens, attempt.max_tokens)


def _output_finding(replays: list[_Again], broken: int) -> Finding:
    """Return the finding about answers that were delivered in part, and asked for again."""
    by_itself = [again for again in replays if _failed_by_itself(again.before)]
    error = bool(by_itself) or any(again.attempt.layer == "sdk" for again in replays)
    worst = max(replays, key=lambda again: _delivered_s(again.before))
    before = worst.before
    how = "was closed by the client" if before.cancelled_at is not None else "broke off"
    lines = [
        (
            f"Worst: {before.caller}, call {before.call}, had read for "
            f"{seconds(_delivered_s(before))} when its answer {how} at "
            f"{instant(before.ended_at or 0.0)}, and began again at "
            f"{instant(worst.attempt.arrived_at)}."
        ),
        f"{many(sum(again.attempt.tokens for again in replays), 'token')} were demanded again.",
    ]
    if not error:
        lines.append("The client closed them itself: if it had read all it wanted, accept this.")
    return Finding(
        code="RL123",
        severity="error" if error else "warning",
        summary=f"{len(replays):,} of {many(broken, 'answer')} that broke off after output asked "
        "for again from the start",
        evidence=tuple(lines),
        cause="what is retried is the reading of the answer, and not only its beginning: whoever "
        "reads it gets the first part twice.",
        remedy="retry only until the first output; after it, hand the error on. Where the first "
        "part is thrown away before asking again, which no trace tells, accept this.",
        attempts=tuple(sorted(again.attempt.index for again in replays)),
    )


def _delivered_s(attempt: Attempt) -> float:
    """Return the seconds from the first output to the end."""
    return (attempt.ended_at or 0.0) - (attempt.output_at or 0.0)


def judge_running(digest: Digest) -> Judgement:
    """Return the judgement on RL124.

    An error if the one before still ran, if a call was given up on twice or more, or if it never
    had an answer; a warning if waiting longer would have been cheaper, once. A request to another
    key, host or model is a hedge.
    """
    running = [again for again in _continued(digest) if _overlaps(digest, again)]
    if not running and not any(_abandoned(attempt) for attempt in digest.trace.attempts):
        return Judgement.unjudged(
            "no client gave up on an attempt that was being served: answer more slowly than its "
            "timeout"
        )
    abandoned = (again for again in _continued(digest) if _abandoned(again.before))
    paid = [again for again in (*running, *abandoned) if _same_request(again)]
    return Judgement.of(_running_finding(digest, paid) if paid else None)


def _overlaps(digest: Digest, again: _Again) -> bool:
    """Return True if the attempt before was still being served when the next one came."""
    before, attempt = again
    if before.status != 200 or before.cancelled_at is not None:
        return False
    return before.ended_at is None or before.ended_at > attempt.arrived_at + digest.resolution


def _abandoned(attempt: Attempt) -> bool:
    """Return True if the client gave up on an attempt that was being served, before any output."""
    served = attempt.status == 200 and attempt.output_at is None
    return served and attempt.cancelled_at is not None


def _running_finding(digest: Digest, paid: list[_Again]) -> Finding:
    """Return the finding about work that was paid for more than once."""
    calls = {call.number: call for call in digest.trace.calls}
    times: dict[int, int] = {}
    for again in paid:
        times[again.attempt.call] = times.get(again.attempt.call, 0) + 1
    repeated = max(times.values()) > 1
    unanswered = [number for number in times if not calls[number].succeeded]
    overlap = any(_overlaps(digest, again) for again in paid)
    worst = max(paid, key=lambda again: times[again.attempt.call])
    before, number = worst.before, worst.attempt.call
    tokens = sum(again.before.tokens * again.before.charged for again in paid)
    callers = list(dict.fromkeys(again.attempt.caller for again in paid))
    if before.cancelled_at is None:
        how = "sent the next one while it ran"
        cause = "the code stops waiting for a request without ending it, and sends it again."
    else:
        how = f"gave up after {seconds(before.cancelled_at - before.arrived_at)}"
        cause = "the client's timeout is shorter than the time that the provider works on it."
    return Finding(
        code="RL124",
        severity="error" if repeated or unanswered or overlap else "warning",
        summary=f"{many(len(paid), 'retry')} of {many(len(times), 'call')} sent while the attempt "
        f"before was being served: {many(round(tokens), 'token')} paid for nothing",
        evidence=(
            (
                f"Worst: {before.caller}, call {number}, {how}, "
                f"{times[number] + 1:,} attempts at once or in a row."
            ),
            (
                f"{len(unanswered):,} of {many(len(times), 'call')} had no answer in the end. "
                f"Callers: {names(callers)}."
            ),
        ),
        cause=cause,
        remedy=_patience(digest, before),
        attempts=tuple(sorted(again.attempt.index for again in paid)),
    )


def _patience(digest: Digest, given_up: Attempt) -> str:
    """Return the timeout that this run's service times ask for."""
    longest = max(
        (
            (a.ended_at or 0.0) - a.arrived_at
            for a in digest.trace.attempts
            if a.succeeded and a.model_class == given_up.model_class
        ),
        default=0.0,
    )
    if longest <= 0:
        return "set the client's timeout above the provider's service time; none ended in this run."
    return (
        f"set timeout={math.ceil(_HEADROOM * longest):g} on the client: the longest answer took "
        f"{seconds(longest)}."
    )

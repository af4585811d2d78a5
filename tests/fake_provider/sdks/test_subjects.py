"""SDKs and frameworks: what they make of answers, streams and refusals, and how long they wait.

Each runs in a process of its own, by the first interpreter that has it: this one, or one of those
that the variable RATELIMIT_PYTHONS lists (paths, separated by colons); `python -m
tests.fake_provider.sdks.environments DIRECTORY` makes them. What none of them has is skipped, and
the reason says so. The SDKs that the tests need anyway run always, frameworks are slow tests.

Source of what is expected: the SDKs' code, and runs with the releases of 2026-11-25.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from tests.fake_provider.sdks.environments import ENVIRONMENTS
from tests.fake_provider.sdks.subjects import DATE, HEADERS, STATUSES, SUBJECTS, TEXT, WAIT_S

ROOT = Path(__file__).parents[3]
PYTHONS = (sys.executable, *filter(None, os.environ.get("RATELIMIT_PYTHONS", "").split(":")))
BASE = ("anthropic", "boto3", "google-genai", "groq", "mistralai", "openai")

pytestmark = pytest.mark.timeout(300)


class Expected(NamedTuple):
    """What a subject does.

    Args:
        error: The exception, or one of those that it is a kind of.
        fields: What it tells; True for anything at all.
        requests: How many a call makes that is refused for ever.
        obeys: Whether it waits as long as Retry-After says; None if it does not retry.
    """

    error: str
    fields: dict[str, object]
    requests: int = 3
    obeys: bool | None = True


OPENAI = Expected(
    "RateLimitError",
    {"status_code": 429, "code": "rate_limit_exceeded", "type": "requests", "request_id": True},
)
ANTHROPIC = Expected("RateLimitError", {"status_code": 429, "request_id": True})
GENAI = {"code": 429, "status": "RESOURCE_EXHAUSTED"}
LITELLM = {"status_code": 429}
EXPECTED = {
    "anthropic": ANTHROPIC,
    "anthropic 0": ANTHROPIC,
    "boto3": Expected(
        "ThrottlingException",
        {"status_code": 429, "code": "ThrottlingException", "request_id": True},
        obeys=False,
    ),
    "google-genai": Expected("ClientError", GENAI, 1, None),
    "google-genai, retrying": Expected("ClientError", GENAI, 5, obeys=False),
    "groq": Expected("RateLimitError", {"status_code": 429}),
    "instructor": Expected("InstructorRetryException", {}),
    "langchain-anthropic": ANTHROPIC,
    "langchain-openai": OPENAI,
    "litellm": Expected("RateLimitError", LITELLM),
    "litellm, anthropic": Expected("RateLimitError", LITELLM, 1, None),
    "llama-index-llms-anthropic": ANTHROPIC._replace(requests=11),
    "llama-index-llms-openai": OPENAI._replace(requests=12),
    "mistralai": Expected("SDKError", {"status_code": 429}, 1, None),
    # Told to give up after 10 s: the wait that ends later is its last.
    "mistralai, retrying": Expected("SDKError", {"status_code": 429}, 5),
    "openai": OPENAI,
    "openai 2": OPENAI,
    "openai 2.51": OPENAI,
    "pydantic-ai, anthropic": Expected("ModelHTTPError", {"status_code": 429}),
    "pydantic-ai, openai": Expected("ModelHTTPError", {"status_code": 429}),
}


def marked(names):
    """Names as parameters, slow unless the tests need the package anyway."""
    return [
        pytest.param(name, marks=() if name.split(",")[0] in BASE else pytest.mark.slow)
        for name in names
    ]


EVERY = pytest.mark.parametrize("name", marked(SUBJECTS))
RETRYING = pytest.mark.parametrize(
    "name", marked(["anthropic", "anthropic 0", "groq", "openai", "openai 2", "openai 2.51"])
)


def run(python: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run an interpreter in the checkout."""
    return subprocess.run(
        [python, *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


@cache
def version_of(python: str, package: str) -> Version | None:
    """The version of a package that an interpreter has."""
    found = run(python, "-c", f"import importlib.metadata as m; print(m.version({package!r}))")
    return Version(found.stdout.strip()) if found.returncode == 0 else None


@cache
def observed(name: str, *options: str) -> dict:
    """What a subject does; skips where no interpreter has it."""
    subject = SUBJECTS[name]
    wanted = Requirement(subject.requirement)
    for python in PYTHONS:
        version = version_of(python, wanted.name)
        if version is not None and wanted.specifier.contains(version, prereleases=True):
            done = run(python, "-m", "tests.fake_provider.sdks.subjects", name, *options)
            assert done.returncode == 0, done.stderr
            return json.loads(done.stdout.splitlines()[-1])
    pytest.skip(f"{subject.requirement} is not installed for any of {', '.join(PYTHONS)}")


@EVERY
def test_a_call_and_a_stream_are_read(name):
    """Both texts are those that were scripted, and the second call streams."""
    seen = observed(name)
    assert seen["texts"] == [TEXT, TEXT]
    assert seen["streams"][1]
    assert seen["elsewhere"] == []


@EVERY
def test_a_refused_request_is_retried_after_the_wait_and_answered(name):
    """One refusal, a wait as long as the hint in virtual time, if it is obeyed, and the answer."""
    seen, expected = observed(name), EXPECTED[name]
    if expected.obeys is None:
        assert seen["statuses"] == [429]
        return
    assert seen["statuses"] == [429, 200]
    assert (seen["gaps"] == [WAIT_S]) == expected.obeys


@EVERY
def test_one_call_makes_as_many_requests_as_its_layers_multiply_to(name):
    """Nothing but refusals is one call, whose number of requests is known."""
    seen, expected = observed(name), EXPECTED[name]
    assert (seen["requests"], seen["calls"]) == (expected.requests, 1)
    if expected.obeys:
        assert set(seen["always"]) == {WAIT_S}


@EVERY
def test_the_error_is_of_its_kind_and_tells_what_was_said(name):
    """Its type, and the fields that are parsed from the answer."""
    error, expected = observed(name)["error"], EXPECTED[name]
    assert expected.error in error["names"]
    for field, value in expected.fields.items():
        assert error.get(field) == value or (value is True and error[field])


def test_every_subject_is_expected_and_has_a_place():
    """One that is added says what it does, and is installed somewhere."""
    assert set(EXPECTED) == set(SUBJECTS)
    installed = {Requirement(each).name for row in ENVIRONMENTS.values() for each in row}
    slow = {name for name in SUBJECTS if name.split(",")[0] not in BASE}
    assert {SUBJECTS[name].package for name in slow} <= installed


# ------------------------------------------------------------------ how long SDKs wait

LONGEST_S = 4_294_967.0


def caps(sdk: str, version: Version) -> tuple[float, bool]:
    """The longest wait that an SDK obeys, and whether it retries at all when told a longer one."""
    if sdk == "anthropic" and version >= Version("1.6"):
        return LONGEST_S, True
    if sdk == "openai" and version >= Version("2.52"):
        return 120.0, False
    return 60.0, True


def is_backoff(waits: list[float]) -> bool:
    """Tell the SDKs' own waits: half a second and a second, each less a quarter at most."""
    return len(waits) == 2 and 0.375 <= waits[0] <= 0.5 and 0.75 <= waits[1] <= 1.0


@RETRYING
@pytest.mark.parametrize("header", HEADERS)
def test_an_sdk_waits_what_its_rule_makes_of_a_header(name, header):
    """Exactly what is said up to its cap; above it, its own backoff, or no retry at all."""
    seen = observed(name, "--waits")
    cap_s, goes_on = caps(SUBJECTS[name].sdk, Version(seen["version"]))
    waits = seen["waits"][header]
    if header == "x-should-retry false":
        assert waits == []
        return
    said = {DATE: 20.0, "retry-after-ms 1500 and 9": 1.5}.get(header)
    said = float(header) if said is None and header.replace(".", "").isdigit() else said
    if header == "inf":
        said = LONGEST_S if cap_s == LONGEST_S else None
    if not said or (said > cap_s and goes_on):
        assert is_backoff(waits)
    else:
        assert waits == ([said, said] if said <= cap_s else [])


@RETRYING
@pytest.mark.parametrize("status", STATUSES)
def test_an_sdk_retries_the_statuses_of_its_rule(name, status):
    """408, 409, 429 and every server error, an overload's 529 among them."""
    requests = observed(name, "--waits")["requests"]
    retried = status in (408, 409, 429) or status >= 500
    assert requests[str(status)] == (3 if retried else 1)


@RETRYING
def test_an_sdk_retries_an_empty_account(name):
    """Its status is 429: the code that says that no wait helps is not looked at."""
    assert observed(name, "--waits")["quota"] == 3

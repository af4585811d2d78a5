"""The reference pages: their lists are those of the code."""

from __future__ import annotations

import inspect
import io
import json
import math
import re
from dataclasses import fields, replace
from pathlib import Path

import pytest

import fake_provider
import fake_provider.virtual_time
import pytest_ratelimit
from fake_provider import Attempt, FakeProvider, Limit, Limits, Trace, presets
from fake_provider._limits import ALGORITHMS, CHARGES, SCOPES
from pytest_ratelimit._checks import CHECKED
from pytest_ratelimit._findings import CODES
from pytest_ratelimit._stats import tightest_cluster

ROOT = Path(__file__).parent.parent
CONFIGURATION = "reference/configuration.md"
# A value outside each keyword's range.
OUTSIDE = {
    "tokens_per_minute": 0,
    "input_tokens_per_minute": 0,
    "output_tokens_per_minute": 1.5,
    "requests_per_minute": -1,
    "requests_per_day": 0,
    "tokens_per_day": 0,
    "concurrent_requests": 0,
    "count_tokens_per_minute": 0,
    "window": 0.0,
    "algorithm": "leaky",
    "burst": 0,
    "floor": 1,
    "charge_rejected": 1.1,
    "preset": "none",
    "tokens_per_request": -1,
    "output_tokens": -1,
    "cached_tokens": -1,
    "cache_written_tokens": -1,
    "estimated_tokens": -1,
    "latency": -0.1,
    "hint": "minutes",
    "seed": -1,
    "dialect": "latin",
    "hosts": {"llm.corp": "latin"},
    "door": "back",
    "clock": "sundial",
    "start": "yesterday",
    "schedule": "lifo",
    "stop_after": 0.0,
    "ledger": "http://127.0.0.1",
    "lost_ledger": "admit",
}
UNBOUNDED = {"allow_hosts", "strict_clock", "alpha", "ignore", "policy"}


def page(path: str) -> str:
    """The text of a page below docs/."""
    return (ROOT / "docs" / path).read_text(encoding="utf-8")


def sections_of(text: str) -> dict[str, str]:
    """The sections of a page by their headings of the second level."""
    parts = re.split(r"^## (.*)$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def rows_of(text: str) -> list[list[str]]:
    """The rows of the tables in a text, without their heads; each cell stripped."""
    rows = [line.strip("|").split(" | ") for line in text.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in row] for row in rows]


def names_of(text: str) -> list[str]:
    """What the first column of the tables in a text names."""
    return [row[0].strip("`") for row in rows_of(text)]


def test_findings_has_a_heading_for_each_code():
    """The headings are the codes with their names, in their order."""
    headings = [name for name in sections_of(page("reference/findings.md")) if name[:2] == "RL"]
    assert headings == [f"{code} {CODES[code].name}" for code in CODES]


@pytest.mark.parametrize("code", CODES)
def test_findings_says_what_there_is_to_say(code):
    """A section says meaning, evidence, cause, remedy, threshold and how to accept it.

    One of a code that no check looks for says that instead.
    """
    section = sections_of(page("reference/findings.md"))[f"{code} {CODES[code].name}"]
    labels = re.findall(r"^- \*\*(.*?)\.\*\*", section, re.MULTILINE)
    if code in CHECKED:
        assert labels == ["Evidence", "Cause", "Remedy", "Threshold", "Accept"]
        assert "No check looks for it yet" not in section
    else:
        assert "No check looks for it yet" in section


def test_the_readme_lists_the_findings_that_are_checked():
    """The README's table names every code that a check looks for, and no other."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = [row for row in rows_of(text) if re.fullmatch(r"`RL\d+`", row[0])]
    assert [row[0].strip("`") for row in rows] == list(CHECKED)
    assert [row[1] for row in rows] == [CODES[code].name for code in CHECKED]


def test_configuration_lists_every_keyword_with_its_default():
    """The table has the keywords of FakeProvider in their order, then the judge's own."""
    listed = [(row[0].strip("`"), row[2].strip("`")) for row in rows_of(page(CONFIGURATION))]
    signature = inspect.signature(FakeProvider).parameters.values()
    keywords = [
        (parameter.name, repr(parameter.default).replace("'", '"'))
        for parameter in signature
        if parameter.kind is parameter.KEYWORD_ONLY
    ]
    assert listed == [*keywords, ("alpha", "None"), ("ignore", "{}"), ("policy", "None")]


@pytest.mark.parametrize("keyword", OUTSIDE)
def test_a_value_outside_its_range_is_refused(keyword):
    """Every keyword with a range in the table refuses a value outside it."""
    with pytest.raises(ValueError, match=r"must be|needs"):
        FakeProvider(**{keyword: OUTSIDE[keyword]})


def test_every_keyword_has_a_value_outside_its_range_or_none():
    """The test above leaves out no keyword of the table but those without a range."""
    assert set(names_of(page(CONFIGURATION))) == {*OUTSIDE, *UNBOUNDED}


def test_trace_format_lists_every_field():
    """The three tables are the fields of the header, of a limit and of an attempt."""
    sections = sections_of(page("reference/trace-format.md"))
    header = io.StringIO()
    Trace(clock="real").dump(header)
    assert names_of(sections["Header"]) == list(json.loads(header.getvalue()))
    assert names_of(sections["A limit"]) == [f.name for f in fields(Limit)]
    assert names_of(sections["An attempt"]) == [f.name for f in fields(Attempt)]


@pytest.mark.parametrize(
    "module",
    [fake_provider, fake_provider.virtual_time, pytest_ratelimit],
    ids=lambda m: m.__name__,
)
def test_api_lists_every_public_name(module):
    """Each module's table is its `__all__`."""
    section = sections_of(page("reference/api.md"))[f"`{module.__name__}`"]
    assert names_of(section) == sorted(module.__all__)


def test_limits_lists_every_setting_that_is_its_own():
    """The first table has the keywords of Limits that FakeProvider has not, with their defaults."""
    text = page("reference/limits.md").partition("## Algorithms")[0]
    shared = inspect.signature(FakeProvider).parameters
    own = {
        parameter.name: repr(parameter.default).replace("'", '"')
        for parameter in inspect.signature(Limits).parameters.values()
        if parameter.name not in shared
    }
    assert {row[0].strip("`"): row[2].strip("`") for row in rows_of(text)} == own


@pytest.mark.parametrize(
    ("heading", "words"), [("Algorithms", ALGORITHMS), ("Charges", CHARGES), ("Scopes", SCOPES)]
)
def test_limits_lists_every_word(heading, words):
    """The tables have each algorithm, charge and scope once, in their order."""
    section = sections_of(page("reference/limits.md"))[heading]
    assert [name.strip('"') for name in names_of(section)] == list(words)


def test_limits_lists_every_preset():
    """The table of presets has their names, their model classes and their limits."""
    rows = rows_of(sections_of(page("reference/limits.md"))["Presets"])
    listed = [(row[0].strip("`"), row[1], row[2].removesuffix(" |").split(", ")) for row in rows]
    expected = []
    for preset in presets():
        named = dict.fromkeys(name for limit in preset.limits for name in limit.models)
        for name in (*named, "others"):
            held = [limit for limit in preset.limits if limit.holds_for(name)]
            plain = [str(replace(limit, models=(), except_models=())) for limit in held]
            expected.append((preset.name, name, ", ".join(plain).split(", ")))
    assert listed == expected


def test_judging_jitter_s_tables_are_computed():
    """The least evidence and the least range are what the formulas of the checks give."""
    section = sections_of(page("explanation/judging-jitter.md"))["Least evidence"]
    rows = {row[0].strip("`"): row[1:] for row in rows_of(section)}
    jitter = 0.1
    for name, alpha, resolution in (("virtual, 1e-5", 1e-5, 1e-6), ("real, 1e-3", 1e-3, 5e-3)):
        equal = next(n for n in range(2, 99) if n * (resolution / jitter) ** (n - 1) <= alpha)
        growth = [
            math.ceil((math.log(3) - math.log(alpha)) / ((delays - 1) * math.log(2)))
            for delays in (4, 3, 2)
        ]
        assert rows.pop(name) == [str(number) for number in (equal, *growth)]
    for n, listed in ((int(n), row) for n, row in rows.items()):
        assert listed == [f"{widest_range(n, alpha):.3f}" for alpha in (1e-5, 1e-3)]


def widest_range(n: int, alpha: float) -> float:
    """The widest range, as a share of the jitter, in which n evenly spread delays are rejected."""
    low, high = 0.0, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        cluster = tightest_cluster([middle * i / (n - 1) for i in range(n)], 1.0)
        low, high = (middle, high) if cluster.log_p <= math.log(alpha) else (low, middle)
    return low

"""Presets: the numbers that providers publish, as limits that hold together."""

from __future__ import annotations

import datetime as dt
import math
import re
import subprocess
import sys

import pytest

from fake_provider import Limits, Preset, presets
from fake_provider.__main__ import main
from fake_provider._ledger import Ledger
from fake_provider._presets import PRESETS
from fake_provider._tokens import Cost

S = 1_000_000_000
OTHER = "some-model"
# Requests, input tokens and output tokens per minute, by preset and model class.
ANTHROPIC = {
    ("anthropic-start", "claude-fable-5"): (1_000, 500_000, 100_000),
    ("anthropic-start", "claude-haiku-3-5"): (1_000, 100_000, 20_000),
    ("anthropic-start", "claude-sonnet-5"): (1_000, 2_000_000, 400_000),
    ("anthropic-build", "claude-fable-5"): (2_000, 1_500_000, 300_000),
    ("anthropic-build", "claude-haiku-3-5"): (2_000, 200_000, 40_000),
    ("anthropic-build", "claude-opus-4"): (5_000, 5_000_000, 1_000_000),
    ("anthropic-scale", "claude-fable-5"): (4_000, 4_000_000, 800_000),
    ("anthropic-scale", "claude-haiku-3-5"): (4_000, 400_000, 80_000),
    ("anthropic-scale", "claude-haiku-4-5"): (10_000, 10_000_000, 2_000_000),
    ("anthropic-legacy-tier1", "claude-haiku-4-5"): (50, 50_000, 10_000),
    ("anthropic-legacy-tier1", "claude-sonnet-4"): (50, 30_000, 8_000),
    ("anthropic-legacy-tier2", "claude-haiku-4-5"): (1_000, 450_000, 90_000),
    ("anthropic-legacy-tier2", "claude-sonnet-4"): (1_000, 450_000, 90_000),
    ("anthropic-legacy-tier3", "claude-haiku-4-5"): (2_000, 1_000_000, 200_000),
    ("anthropic-legacy-tier3", "claude-sonnet-4"): (2_000, 800_000, 160_000),
    ("anthropic-legacy-tier4", "claude-haiku-4-5"): (4_000, 4_000_000, 800_000),
    ("anthropic-legacy-tier4", "claude-sonnet-4"): (4_000, 2_000_000, 400_000),
}
# Requests and tokens per minute.
OPENAI = {
    ("openai-tier1", "gpt-4o"): (500, 30_000),
    ("openai-tier1", "gpt-4o-mini"): (500, 200_000),
    ("openai-tier1", "gpt-5"): (500, 500_000),
    ("openai-tier1", "text-embedding-3-large"): (3_000, 1_000_000),
    ("openai-tier2", "gpt-4o"): (5_000, 450_000),
    ("openai-tier2", "gpt-4o-mini"): (5_000, 2_000_000),
    ("openai-tier3", "gpt-4o"): (5_000, 800_000),
    ("openai-tier3", "gpt-4o-mini"): (5_000, 4_000_000),
    ("openai-tier4", "gpt-4o"): (10_000, 2_000_000),
    ("openai-tier4", "gpt-4o-mini"): (10_000, 10_000_000),
    ("openai-tier5", "gpt-4o"): (10_000, 30_000_000),
    ("openai-tier5", "gpt-4o-mini"): (30_000, 150_000_000),
}
CLASSES = ("claude-fable-5", "claude-haiku-3-5", "gpt-4o-mini", "deepseek-v4-flash", OTHER)


def held(name, model_class):
    """The amounts of a preset that hold for a model class, by keyword, buckets and windows."""
    return {
        limit.name: limit.amount
        for limit in Limits.preset(name)
        if limit.holds_for(model_class) and limit.algorithm != "acceleration"
    }


@pytest.mark.parametrize(("name", "model_class"), ANTHROPIC)
def test_a_tier_of_anthropic_is_the_published_row(name, model_class):
    """Requests, input tokens and output tokens per minute are those of the provider's table.

    Source: platform.claude.com/docs/en/api/rate-limits, read 2026-11-25.
    """
    names = ("requests_per_minute", "input_tokens_per_minute", "output_tokens_per_minute")
    published = dict(zip(names, ANTHROPIC[name, model_class], strict=True))
    rates = held(name, model_class)
    rates.pop("count_tokens_per_minute", None)
    assert rates == published


@pytest.mark.parametrize(("name", "model_class"), OPENAI)
def test_a_tier_of_openai_is_the_published_row(name, model_class):
    """Requests and tokens per minute are those of copies of the provider's table.

    Source: community.openai.com and ai-buzz.com/ai-openai-rate-limits, read 2026-11-25.
    """
    rates = held(name, model_class)
    assert rates.pop("requests_per_day", 10_000) == 10_000
    assert tuple(rates.values()) == OPENAI[name, model_class]


def test_every_tier_has_a_published_row():
    """No tier escapes the tables above."""
    tiers = {name for name in PRESETS if re.search(r"start|build|scale|tier", name)}
    assert tiers == {name for name, _ in (*ANTHROPIC, *OPENAI)}


@pytest.mark.parametrize("preset", presets(), ids=lambda preset: preset.name)
def test_a_preset_says_what_it_is_and_where_and_when_it_was_read(preset):
    """Published limits change, so the source and its date stand beside the numbers."""
    assert isinstance(preset, Preset)
    assert preset.about
    assert preset.source
    assert dt.date.fromisoformat(preset.date) <= dt.date(2026, 11, 25)
    assert PRESETS[preset.name] is preset


@pytest.mark.parametrize("model_class", CLASSES)
@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_limits_every_model_class_once(name, model_class):
    """No class is left without limits, and none has two of one kind, period and algorithm."""
    limits = [limit for limit in Limits.preset(name) if limit.holds_for(model_class)]
    assert limits
    assert len({(limit.name, limit.algorithm) for limit in limits}) == len(limits)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_admits_what_it_admits_at_once_and_not_one_more(name):
    """The smallest requests are admitted up to the tightest of the limits on requests."""
    limits = [limit for limit in Limits.preset(name) if limit.holds_for(OTHER)]
    at_once = min(
        limit.capacity for limit in limits if limit.kind in ("requests", "concurrent", "tokens")
    )
    ledger = Ledger(Limits.preset(name))
    decisions = [ledger.admit("key", OTHER, Cost(1, 0, 0), 0) for _ in range(at_once + 1)]
    assert [each.admitted for each in decisions] == [True] * at_once + [False]


def test_a_tier_of_anthropic_counts_what_was_made_and_not_what_was_allowed():
    """Output is charged when the answer has ended, cache reads never; the level may be below 0."""
    ledger = Ledger(Limits.preset("anthropic-legacy-tier1"))
    cost = Cost(20_000, 9_000, max_tokens=64_000, cached_tokens=15_000)
    assert ledger.admit("key", OTHER, cost, 0).admitted
    assert [level.remaining for level in ledger.levels("key", OTHER, 0)] == [25_000, 7_999, 49]
    ledger.settle("key", OTHER, cost, 0, 0)
    assert [level.remaining for level in ledger.levels("key", OTHER, 0)] == [25_000, 0, 49]
    refused = ledger.admit("other key", OTHER, Cost(1, 1), 0)
    # 1,001 tokens are missing until one fits, at 8,000 a minute.
    assert refused.wait_ns == math.ceil(1_001 * 60 * S / 8_000)


def test_a_tier_of_openai_names_the_wait_of_a_reported_refusal():
    """Limit 30000, Used 29869, Requested 654: please try again in 1.046s.

    Source: public reports of the API's messages, read 2026-11-25.
    """
    ledger = Ledger(Limits.preset("openai-tier1"))
    ledger.admit("key", "gpt-4o", Cost(29_869, 10, max_tokens=100), 0)
    refused = ledger.admit("key", "gpt-4o", Cost(100, 10, max_tokens=654), 0)
    assert refused.wait_ns == 1_046_000_000


def test_a_day_of_gemini_begins_at_midnight_pacific_time():
    """From 23:00 in Los Angeles the wait is one hour, whatever the minute's limit says."""
    at = dt.datetime(2026, 7, 1, 6, tzinfo=dt.UTC)  # 23:00 the day before, in summer time
    ledger = Ledger(Limits.preset("gemini-free-rpd"), int(at.timestamp()) * S)
    for call in range(20):
        assert ledger.admit("key", "gemini-2.5-flash", Cost(1, 1), call * 10 * S).admitted
    refused = ledger.admit("key", "gemini-2.5-flash", Cost(1, 1), 200 * S)
    assert refused.violated[0].name == "requests_per_day"
    assert refused.wait_ns == (3_600 - 200) * S


def test_bedrock_burns_five_tokens_for_one_of_output():
    """Input and max_tokens are reserved; what was made counts five times at the end."""
    ledger = Ledger(Limits.preset("bedrock-tpm-burndown"))
    cost = Cost(10_000, 2_000, max_tokens=4_000, cached_tokens=6_000)
    left = ledger.admit("key", "claude-sonnet-4", cost, 0).levels[0].remaining
    assert left == 200_000 - 14_000
    ledger.settle("key", "claude-sonnet-4", cost, 0, 0)
    assert ledger.levels("key", "claude-sonnet-4", 0)[0].remaining == 200_000 - 4_000 - 10_000
    ledger.admit("key", "claude-opus-5", cost, 0)
    ledger.settle("key", "claude-opus-5", cost, 0, 0)
    assert ledger.levels("key", "claude-opus-5", 0)[0].remaining == 200_000 - 4_000 - 20_000


@pytest.mark.parametrize("name", ["anthropic-bild", "", None, 5])
def test_an_unknown_preset_is_answered_with_the_known_ones(name):
    """The message lists every preset there is, in order."""
    with pytest.raises(ValueError, match="preset must be one of") as caught:
        Limits.preset(name)
    assert ", ".join(sorted(PRESETS)) in str(caught.value)
    assert str(caught.value).endswith(f"got {name!r}")


def test_a_preset_joins_limits_of_the_user_s_own():
    """A published tier can be held together with a limit on places in flight."""
    limits = Limits.preset("mistral-free") + Limits(concurrent_requests=20)
    assert [limit.name for limit in limits][-1] == "concurrent_requests"
    assert len(limits) == 3


def test_the_command_lists_every_preset(capsys):
    """Each name stands at the start of a line, with its limits and its date below."""
    assert main(["presets"]) == 0
    printed = capsys.readouterr().out
    assert re.findall(r"^([\w-]+): ", printed, re.MULTILINE) == list(PRESETS)
    assert printed.count("read 2026-11-25") == len(PRESETS)
    assert "requests_per_day=20 (calendar-day)" in printed


def test_the_package_is_a_command():
    """`python -m fake_provider` without a command says which there are, and fails."""
    command = [sys.executable, "-m", "fake_provider"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 2
    assert "presets" in ran.stderr

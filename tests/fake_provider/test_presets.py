"""Presets: the numbers that providers publish, as limits that hold together."""

from __future__ import annotations

import math
import re

import pytest

from fake_provider import _presets
from fake_provider._ledger import Ledger
from fake_provider._limits import Limits
from fake_provider._presets import PRESETS
from fake_provider._tokens import Cost

PUBLISHED = {
    "anthropic-start": (1_000, 2_000_000, 400_000),
    "anthropic-build": (5_000, 5_000_000, 1_000_000),
    "anthropic-scale": (10_000, 10_000_000, 2_000_000),
    "anthropic-legacy-tier1": (50, 30_000, 8_000),
    "anthropic-legacy-tier2": (1_000, 450_000, 90_000),
    "anthropic-legacy-tier3": (2_000, 800_000, 160_000),
    "anthropic-legacy-tier4": (4_000, 2_000_000, 400_000),
}


@pytest.mark.parametrize(("name", "published"), PUBLISHED.items())
def test_a_preset_is_the_published_row(name, published):
    """Requests, input tokens and output tokens per minute are those of the provider's table.

    Source: platform.claude.com/docs/en/api/rate-limits, read 2026-11-25.
    """
    rates = {limit.name: limit.amount for limit in Limits.preset(name)}
    names = ("requests_per_minute", "input_tokens_per_minute", "output_tokens_per_minute")
    assert rates == dict(zip(names, published, strict=True))


def test_every_preset_has_a_published_row():
    """No preset escapes the table above."""
    assert PRESETS.keys() == PUBLISHED.keys()


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_can_be_written_out_by_hand(name):
    """It holds nothing that the keywords cannot say."""
    stated = {limit.name: limit.amount for limit in Limits.preset(name)}
    assert Limits.preset(name) == Limits(**stated, algorithm="token-bucket")


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_admits_a_minute_of_requests_at_once_and_not_one_more(name):
    """Requests come back one by one at the published rate, as a bucket refills."""
    requests = PUBLISHED[name][0]
    ledger = Ledger(Limits.preset(name))
    decisions = [ledger.admit("key", "model", Cost(1, 1), 0) for _ in range(requests + 1)]
    assert [each.admitted for each in decisions] == [True] * requests + [False]
    refused = decisions[-1]
    assert [limit.name for limit in refused.violated] == ["requests_per_minute"]
    assert refused.wait_ns == math.ceil(60 * 10**9 / requests)


@pytest.mark.parametrize("name", ["anthropic-bild", "", None, 5])
def test_an_unknown_preset_is_answered_with_the_known_ones(name):
    """The message lists every preset there is, in order."""
    with pytest.raises(ValueError, match="preset must be one of") as caught:
        Limits.preset(name)
    assert ", ".join(sorted(PRESETS)) in str(caught.value)
    assert str(caught.value).endswith(f"got {name!r}")


def test_a_preset_joins_limits_of_the_user_s_own():
    """A published tier can be held together with a limit on places in flight."""
    limits = Limits.preset("anthropic-build") + Limits(concurrent_requests=20)
    assert [limit.name for limit in limits][-1] == "concurrent_requests"
    assert len(limits) == 4


def test_the_presets_say_when_they_were_read():
    """Published limits change, so the source and its date stand beside the numbers."""
    assert re.search(r"Source: \S+\.\S+, read \d{4}-\d\d-\d\d", _presets.__doc__)

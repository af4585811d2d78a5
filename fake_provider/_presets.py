"""Presets: limits that providers publish, each with the date on which it was read.

Source: platform.claude.com/docs/en/api/rate-limits, read 2026-11-25 (current tiers); the same
page as of 2025 (tiers 1 to 4, which most reports still show). The rows are those of the Sonnet
and Opus classes; the API enforces them as continuously refilled token buckets.
"""

from __future__ import annotations

from fake_provider._limits import Limit, Limits


def _anthropic(requests: int, input_tokens: int, output_tokens: int) -> tuple[Limit, ...]:
    """Return one tier: requests, input tokens and output tokens per minute."""
    return Limits(
        requests_per_minute=requests,
        input_tokens_per_minute=input_tokens,
        output_tokens_per_minute=output_tokens,
        algorithm="token-bucket",
    ).limits


PRESETS: dict[str, tuple[Limit, ...]] = {
    "anthropic-start": _anthropic(1_000, 2_000_000, 400_000),
    "anthropic-build": _anthropic(5_000, 5_000_000, 1_000_000),
    "anthropic-scale": _anthropic(10_000, 10_000_000, 2_000_000),
    "anthropic-legacy-tier1": _anthropic(50, 30_000, 8_000),
    "anthropic-legacy-tier2": _anthropic(1_000, 450_000, 90_000),
    "anthropic-legacy-tier3": _anthropic(2_000, 800_000, 160_000),
    "anthropic-legacy-tier4": _anthropic(4_000, 2_000_000, 400_000),
}

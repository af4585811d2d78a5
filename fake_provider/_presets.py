"""Presets: limits that providers publish, each with the date on which they were read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fake_provider._limits import Limits

READ = "2026-11-25"
PACIFIC = "America/Los_Angeles"


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """A provider's limits under a name.

    Args:
        name: The name, such as `"anthropic-build"`.
        about: What it stands for, and what of it is a choice, in one line.
        limits: The limits.
        source: Where they were read.
        date: When they were read, ISO 8601.
    """

    name: str
    about: str
    limits: Limits
    source: str
    date: str = READ


def presets() -> tuple[Preset, ...]:
    """Return every preset, by provider."""
    return tuple(PRESETS.values())


# Anthropic counts each model class for the whole organization, output as it is made.
_ANTHROPIC: dict[str, Any] = {
    "algorithm": "token-bucket",
    "charge": "delivered",
    "scope": "model",
}
# OpenAI's guide counts refused requests; its messages show that their tokens are not.
_OPENAI: dict[str, Any] = {"algorithm": "leaky-bucket", "charge_cached": 1.0, "scope": "model"}


def _anthropic(requests: int, given: int, made: int, *, charge_cached: float = 0.0) -> Limits:
    """Return one row: requests, input tokens and output tokens per minute."""
    return Limits(
        requests_per_minute=requests,
        input_tokens_per_minute=given,
        output_tokens_per_minute=made,
        charge_cached=charge_cached,
        **_ANTHROPIC,
    )


def _counting(requests: int) -> Limits:
    """Return the limit of the token-counting endpoint, one for all models."""
    return Limits(count_tokens_per_minute=requests, algorithm="token-bucket", scope="all")


def _openai(requests: int, tokens: int, *, daily: int | None = None) -> Limits:
    """Return one row: requests and tokens per minute, and requests per day."""
    return Limits(
        requests_per_minute=requests, requests_per_day=daily, charge_rejected=1.0, **_OPENAI
    ) + Limits(tokens_per_minute=tokens, charge="larger", **_OPENAI)


_FABLE, _HAIKU_3, _HAIKU_4 = "claude-fable-5", "claude-haiku-3-5", "claude-haiku-4-5"
_CLAUDE = "platform.claude.com/docs/en/api/rate-limits"
_START = Limits.by_model(
    {
        _FABLE: _anthropic(1_000, 500_000, 100_000),
        _HAIKU_3: _anthropic(1_000, 100_000, 20_000, charge_cached=1.0),
    },
    default=_anthropic(1_000, 2_000_000, 400_000),
) + _counting(5_000)
_BUILD = Limits.by_model(
    {
        _FABLE: _anthropic(2_000, 1_500_000, 300_000),
        _HAIKU_3: _anthropic(2_000, 200_000, 40_000, charge_cached=1.0),
    },
    default=_anthropic(5_000, 5_000_000, 1_000_000),
) + _counting(10_000)
_SCALE = Limits.by_model(
    {
        _FABLE: _anthropic(4_000, 4_000_000, 800_000),
        _HAIKU_3: _anthropic(4_000, 400_000, 80_000, charge_cached=1.0),
    },
    default=_anthropic(10_000, 10_000_000, 2_000_000),
) + _counting(20_000)
_ANTHROPIC_PRESETS = (
    Preset(name="anthropic-start", about="tier Start", limits=_START, source=_CLAUDE),
    Preset(name="anthropic-build", about="tier Build", limits=_BUILD, source=_CLAUDE),
    Preset(name="anthropic-scale", about="tier Scale", limits=_SCALE, source=_CLAUDE),
    *(
        Preset(
            name=f"anthropic-legacy-tier{tier}",
            about=f"tier {tier} of 2025, which most reports still show",
            limits=Limits.by_model({_HAIKU_4: _anthropic(*haiku)}, default=_anthropic(*others)),
            source=f"{_CLAUDE} as of 2025",
        )
        for tier, haiku, others in (
            (1, (50, 50_000, 10_000), (50, 30_000, 8_000)),
            (2, (1_000, 450_000, 90_000), (1_000, 450_000, 90_000)),
            (3, (2_000, 1_000_000, 200_000), (2_000, 800_000, 160_000)),
            (4, (4_000, 4_000_000, 800_000), (4_000, 2_000_000, 400_000)),
        )
    ),
    Preset(
        name="anthropic-acceleration",
        about="tier Start, and growth to 1.5 times a minute's use; the threshold is a choice",
        limits=_START
        + Limits(input_tokens_per_minute=200_000, algorithm="acceleration", scope="model"),
        source=_CLAUDE,
    ),
    Preset(
        name="anthropic-concurrency",
        about="tier Start, and 50 requests in flight; the threshold is a choice",
        limits=_START + Limits(concurrent_requests=50, scope="model"),
        source="public reports of 429 answers about concurrent connections",
    ),
)

_GPT = "copies of the limits page on community.openai.com and ai-buzz.com/ai-openai-rate-limits"
_EMBEDDING = _openai(3_000, 1_000_000)
_OPENAI_PRESETS = (
    Preset(
        name="openai-tier1",
        about="gpt-4o and other models; gpt-4o-mini, gpt-5 and embeddings have their own",
        limits=Limits.by_model(
            {
                "gpt-4o-mini": _openai(500, 200_000, daily=10_000),
                "gpt-5": _openai(500, 500_000),
                "text-embedding-3-large": _EMBEDDING,
                "text-embedding-3-small": _EMBEDDING,
            },
            default=_openai(500, 30_000),
        ),
        source=_GPT,
    ),
    *(
        Preset(
            name=f"openai-tier{tier}",
            about="gpt-4o and other models; gpt-4o-mini has its own",
            limits=Limits.by_model({"gpt-4o-mini": _openai(*mini)}, default=_openai(*others)),
            source=_GPT,
        )
        for tier, mini, others in (
            (2, (5_000, 2_000_000), (5_000, 450_000)),
            (3, (5_000, 4_000_000), (5_000, 800_000)),
            (4, (10_000, 10_000_000), (10_000, 2_000_000)),
            (5, (30_000, 150_000_000), (10_000, 30_000_000)),
        )
    ),
)


def _bedrock(factor: int) -> Limits:
    """Return the limits of models whose output burns quota at a factor."""
    return Limits(
        tokens_per_minute=200_000,
        tokens_per_day=200_000 * 1_440,
        algorithm="token-bucket",
        charge="reserve",
        output_factor=factor,
        scope="model",
    )


_GEMINI_MINUTE = Limits(
    requests_per_minute=10, charge_rejected=1.0, charge_cached=1.0, scope="model"
) + Limits(input_tokens_per_minute=250_000, charge_cached=1.0, scope="model")
_GEMINI = "ai.google.dev/gemini-api/docs/rate-limits, and reports on gemini-2.5-flash"
_OTHER_PRESETS = (
    Preset(
        name="azure-tpm-window",
        about="a deployment of 30,000 tokens per minute (a choice) and 6 requests per 1,000",
        limits=Limits(
            tokens_per_minute=30_000,
            algorithm="fixed-window",
            charge="max-tokens",
            charge_rejected=1.0,
            charge_cached=1.0,
            scope="model",
        )
        + Limits(
            requests_per_minute=180,
            window=10,
            algorithm="fixed-window",
            charge_rejected=1.0,
            scope="model",
        ),
        source="the quotas of Azure OpenAI in MicrosoftDocs/azure-docs, May 2026",
    ),
    Preset(
        name="bedrock-tpm-burndown",
        about="200,000 tokens per minute (a choice); an output token burns 5 or 10",
        limits=Limits.by_model(
            {model: _bedrock(10) for model in ("claude-opus-5", "claude-sonnet-5", _FABLE)},
            default=_bedrock(5),
        ),
        source="docs.aws.amazon.com/bedrock: quotas-runtime, quotas-token-burndown",
    ),
    Preset(
        name="deepseek-concurrency",
        about="requests in flight, and no rate",
        limits=Limits.by_model(
            {"deepseek-v4-flash": Limits(concurrent_requests=2_500, scope="model")},
            default=Limits(concurrent_requests=500, scope="model"),
        ),
        source="api-docs.deepseek.com",
    ),
    Preset(
        name="gemini-free-rpd",
        about="the free tier's day of 20 requests, from midnight to midnight Pacific time",
        limits=_GEMINI_MINUTE
        + Limits(
            requests_per_day=20,
            algorithm="calendar-day",
            timezone=PACIFIC,
            charge_rejected=1.0,
            scope="model",
        ),
        source=_GEMINI,
    ),
    Preset(
        name="gemini-free-rpm",
        about="the free tier's minute",
        limits=_GEMINI_MINUTE,
        source=_GEMINI,
    ),
    Preset(
        name="groq-free",
        about="the free tier of openai/gpt-oss-120b",
        limits=Limits(
            requests_per_minute=30,
            requests_per_day=1_000,
            tokens_per_minute=8_000,
            tokens_per_day=200_000,
            algorithm="leaky-bucket",
            charge="max-tokens",
            scope="model",
        ),
        source="console.groq.com/docs/rate-limits",
    ),
    Preset(
        name="mistral-free",
        about="the free tier without its monthly limit: one request a second",
        limits=Limits(requests_per_minute=60, window=1, scope="model")
        + Limits(tokens_per_minute=500_000, scope="model"),
        source="Mistral's documentation and public issues",
    ),
    Preset(
        name="openrouter-free",
        about="all free models together, for an account that bought less than $10 of credit",
        limits=Limits(requests_per_minute=20, scope="all")
        + Limits(requests_per_day=50, algorithm="calendar-day", scope="all"),
        source="openrouter.ai/docs",
    ),
)

PRESETS: dict[str, Preset] = {
    preset.name: preset for preset in (*_ANTHROPIC_PRESETS, *_OPENAI_PRESETS, *_OTHER_PRESETS)
}

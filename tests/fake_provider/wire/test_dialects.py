"""Dialects: which of them answers a request, and that each is whole."""

from __future__ import annotations

import fnmatch
import re
from collections import defaultdict

import pytest

from fake_provider._hosts import Hosts
from fake_provider._limits import Limits
from fake_provider._wire import DIALECTS, Dialect, variables
from fake_provider._wire._answer import PLAIN
from fake_provider._wire._shapes import NO_HINT, Ask, Failure, Hint, Ids, Moment, Refusal, Usage
from tests.fake_provider.wire.wiring import NOW, body, full

EVERY = pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
ASK = Ask("generate", "some-model", 100, False, 5, {})
LIMITS = Limits(tokens_per_minute=1_000)
MESSAGES, CHAT = "/v1/messages", "/v1/chat/completions"
CONVERSE = "/model/us.amazon.nova-pro-v1:0/converse"
CLAUDE = "/v1/projects/p/locations/l/publishers/anthropic/models/claude-sonnet-5"
EMBED = "/v1/projects/p/locations/l/publishers/google/models/text-embedding-005:predict"
IMAGE = EMBED.replace("text-embedding-005", "imagen-4")
GENERATE = "/v1beta/models/gemini-2.5-flash:generateContent"


def name(host, path="/", hosts=()):
    """The name of the dialect that answers, or None."""
    dialect = Hosts(None, dict(hosts), ()).dialect(host, path)
    return dialect and dialect.name


def test_an_official_host_decides_whatever_the_path() -> None:
    """A provider's own host speaks its dialect, on a path of another's too."""
    assert name("api.anthropic.com") == "anthropic"
    assert name("api.openai.com", MESSAGES) == "openai"


def test_a_host_of_the_user_s_comes_first() -> None:
    """What `hosts` says holds before the official hosts and before the path."""
    hosts = {"llm-gateway.corp": "openai", "api.anthropic.com": "openai"}
    assert name("llm-gateway.corp", MESSAGES, hosts) == "openai"
    assert name("api.anthropic.com", MESSAGES, hosts) == "openai"


def test_the_path_decides_where_the_host_does_not() -> None:
    """On any other host the path tells, whatever a gateway puts before it."""
    assert name("127.0.0.1", MESSAGES) == "anthropic"
    assert name("127.0.0.1", "/v1/messages/count_tokens") == "anthropic"
    assert name("127.0.0.1", "/anthropic/v1/messages") == "anthropic"
    assert name("127.0.0.1", CHAT) == "openai"
    assert name("127.0.0.1", "/chat/completions") == "openai"


def test_nobody_answers_what_is_nobody_s() -> None:
    """Neither host nor path known: no dialect."""
    assert name("example.org", "/v1/models") is None


def test_an_unknown_dialect_is_an_error_that_lists_the_known_ones() -> None:
    """The message names the host, the value and what is allowed."""
    message = f"hosts['llm.corp'] must be one of {', '.join(DIALECTS)}, got 'antropic'"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        Hosts(None, {"llm.corp": "antropic"}, ())


PATHS = (
    MESSAGES,
    "/v1/messages/count_tokens",
    CHAT,
    "/v1/responses",
    "/v1/responses/input_tokens",
    "/v1/embeddings",
    "/v1/models",
    "/v1/batches",
    "/v1/files",
    "/v1/messages/batches",
    "/openai/v1/chat/completions",
    "/openai/v1/models",
    "/openai/deployments/gpt-5/chat/completions",
    "/openai/deployments/gpt-5/embeddings",
    "/openai/responses",
    "/api/v1/chat/completions",
    "/chat/completions",
    GENERATE,
    "/v1beta/models/gemini-2.5-flash:batchEmbedContents",
    f"/v1/projects/p/locations/l/publishers/google{GENERATE[7:]}",
    f"{CLAUDE}:rawPredict",
    f"{CLAUDE}:streamRawPredict",
    CONVERSE,
    "/model/m/invoke",
)


def test_no_two_dialects_claim_one_host_or_path() -> None:
    """Hosts are each one dialect's unless the path tells, which is one's, also behind a name."""
    hosts = [host for dialect in DIALECTS.values() for host in dialect.hosts]
    assert {host for host in hosts if hosts.count(host) > 1} == set(DIALECTS["vertex"].hosts)
    for path in (*PATHS, *(f"/{first}{path}" for first in DIALECTS for path in PATHS)):
        claims = [dialect.name for dialect in DIALECTS.values() if dialect.owns(path)]
        assert len(claims) <= 1, path


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/openai/deployments/gpt-5/chat/completions", "azure"),
        ("/gateway/openai/deployments/gpt-5/embeddings", "azure"),
        ("/azure/openai/v1/chat/completions", "azure"),
        ("/azure/openai/deployments/gpt-5/chat/completions", "azure"),
        ("/openai/v1/chat/completions", "openai"),
        ("/openai/v1/models", "openai"),
        ("/openai/v1/batches/batch_1/cancel", "openai"),
        ("/openai/v1/files", "openai"),
        ("/v1/responses", "openai"),
        ("/llm/v1/embeddings", "openai"),
        ("/groq/openai/v1/chat/completions", "groq"),
        ("/groq/openai/v1/models", "groq"),
        ("/mistral/v1/embeddings", "mistral"),
        ("/openrouter/api/v1/chat/completions", "openrouter"),
        ("/deepseek/chat/completions", "deepseek"),
        ("/anthropic/v1/models", "anthropic"),
        ("/anthropic/v1/messages/batches/b_1/results", "anthropic"),
        (GENERATE, "gemini"),
        ("/v1/models/gemini-2.5-flash:streamGenerateContent", "gemini"),
        ("/gateway/v1beta/models/m:countTokens", "gemini"),
        ("/gemini/v1beta/models", "gemini"),
        ("/v1beta/models/m:predictLongRunning", None),
        (CONVERSE, "bedrock"),
        (f"/bedrock{CONVERSE}", "bedrock"),
        ("/model/arn:aws:bedrock:us-east-1:1:inference-profile/us.m/invoke", "bedrock"),
        (f"{CLAUDE}:rawPredict", "vertex"),
        (f"/vertex{CLAUDE}:streamRawPredict", "vertex"),
        ("/v1/files", None),
        ("/v1/batches", None),
        ("/groq/v1/embeddings", None),
        ("/v1/images", None),
    ],
)
def test_a_path_tells_whose_it_is(path, expected) -> None:
    """On an unknown host a dialect's name comes first, then what is in no other's API."""
    assert name("gateway.example", path) == expected


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("my-resource.openai.azure.com", "azure"),
        ("my-resource.cognitiveservices.azure.com", "azure"),
        ("my-project.services.ai.azure.com", "azure"),
        ("api.eu.mistral.ai", "mistral"),
        ("openai.azure.com", None),
        ("generativelanguage.googleapis.com", "gemini"),
        ("bedrock-runtime.eu-west-1.amazonaws.com", "bedrock"),
        ("bedrock-runtime-fips.us-gov-west-1.amazonaws.com", "bedrock"),
        ("vpce-1.bedrock-runtime.us-east-1.vpce.amazonaws.com", "bedrock"),
        ("s3.us-east-1.amazonaws.com", None),
    ],
)
def test_a_family_of_hosts_is_told_by_a_pattern(host, expected) -> None:
    """Resources have names of their own; what only looks like one is nobody's."""
    assert name(host, "/openai/v1/chat/completions") == (expected or "openai")
    assert name(host, "/") == expected


@EVERY
def test_every_dialect_sets_its_sdk_s_variables(dialect: Dialect) -> None:
    """A key that is of no use anywhere, and the official origin where the SDK reads one."""
    keys = [value for name, value in dialect.env.items() if name.endswith("_API_KEY")]
    assert len(keys) == (dialect.name not in ("bedrock", "vertex"))
    assert all("fake-provider" in key for key in keys)
    for url in (value for value in dialect.env.values() if value.startswith("https://")):
        host = url.removeprefix("https://").split("/")[0]
        assert any(fnmatch.fnmatchcase(host, known) for known in dialect.hosts)


def test_azure_s_variables_are_set_where_they_are_wanted() -> None:
    """Beside OpenAI's they make its module-level client refuse to choose."""
    assert "AZURE_OPENAI_API_KEY" not in variables({"OPENAI_API_KEY", "OPENAI_API_VERSION"})
    azure = {"AZURE_OPENAI_API_KEY", "AZURE_OPENAI_ENDPOINT", "OPENAI_API_VERSION"}
    assert azure <= variables({"AZURE_OPENAI_ENDPOINT"}).keys()
    assert azure <= variables((), "azure").keys()
    assert variables(()).keys() == variables(azure).keys() - azure


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (f"{CLAUDE}:rawPredict", "vertex"),
        (GENERATE, "gemini"),
        ("/v1/endpoints/e:predict", None),
        (EMBED, "gemini"),
        (IMAGE, None),
    ],
)
@pytest.mark.parametrize(
    "host", ["aiplatform.googleapis.com", "us-east5-aiplatform.googleapis.com"]
)
def test_on_a_host_of_several_dialects_the_path_tells(host, path, expected) -> None:
    """Vertex AI serves Gemini and Claude; what is neither is answered by nobody."""
    assert name(host, path) == expected


def test_a_region_s_hosts_are_not_pointed_at_one_of_them() -> None:
    """In this process every region is answered, and credentials of AWS are the user's."""
    assert not [name for name in variables((), "bedrock") if "AWS" in name or "BEDROCK" in name]
    assert not [name for name in variables((), "vertex") if "VERTEX" in name]


def test_gemini_s_key_is_not_set_where_vertex_is_chosen() -> None:
    """Its SDK would take the key for that of an account of Vertex AI, before the project."""
    assert "GOOGLE_API_KEY" in variables(())
    assert "GOOGLE_API_KEY" not in variables({"GOOGLE_GENAI_USE_VERTEXAI"})
    assert "GOOGLE_API_KEY" not in variables({"GOOGLE_GENAI_USE_ENTERPRISE"})


@EVERY
def test_every_dialect_s_answers_are_complete(dialect: Dialect) -> None:
    """Whatever is rendered has lower-case names, each once, and the exact length of its body."""
    (limit,) = LIMITS
    ids, levels, hint = Ids(3), full(LIMITS), Hint("seconds", 2.0)
    replies = [
        dialect.served(Moment(ASK, levels, ids, NOW), PLAIN, Usage(1, 1)),
        dialect.counted(Moment(ASK, (), ids, NOW), 1),
        dialect.refused(Moment(ASK, levels, ids, NOW), Refusal(limit, hint, 9)),
        dialect.too_large(Moment(ASK, levels, ids, NOW), Refusal(limit, NO_HINT, 2_000)),
        dialect.error(Failure(500), ids, NOW),
    ]
    for reply in replies:
        headers = dict(reply.headers)
        assert len(headers) == len(reply.headers)
        assert all(header == header.lower() for header in headers)
        assert headers["content-length"] == str(len(body(reply)))
        assert headers["date"] == "Fri, 27 Feb 2026 12:52:07 GMT"


@pytest.mark.parametrize("name", sorted(DIALECTS.keys() - {"gemini", "vertex"}))
def test_every_refusal_has_an_id_of_its_own(name: str) -> None:
    """Request ids differ from one answer to the next, also within one provider; Google has none."""
    (limit,), dialect = LIMITS, DIALECTS[name]
    ids, hint = Ids(3), Hint("seconds", 2.0)
    seen = defaultdict(set)
    for _ in range(50):
        reply = dialect.refused(Moment(ASK, full(LIMITS), ids, NOW), Refusal(limit, hint, 9))
        for header, value in reply.headers:
            if header.endswith(("request-id", "requestid", "correlation-id")):
                seen[header].add(value)
    assert {len(values) for values in seen.values()} == {50}

"""Dialects: which of them answers a request, and that each is whole."""

from __future__ import annotations

import re

import pytest

from fake_provider._hosts import Hosts
from fake_provider._limits import Limits
from fake_provider._wire import DIALECTS, Dialect
from fake_provider._wire._answer import PLAIN
from fake_provider._wire._shapes import Ask, Hint, Ids, Usage
from tests.fake_provider.wire.wiring import NOW, body, full

EVERY = pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
ASK = Ask("generate", "some-model", 100, False, 5, {})
LIMITS = Limits(tokens_per_minute=1_000)
MESSAGES, CHAT = "/v1/messages", "/v1/chat/completions"


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
    message = "hosts['llm.corp'] must be one of anthropic, openai, got 'antropic'"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        Hosts(None, {"llm.corp": "antropic"}, ())


def test_no_two_dialects_claim_one_host_or_path() -> None:
    """Hosts and paths are each owned by exactly one dialect."""
    hosts = [host for dialect in DIALECTS.values() for host in dialect.hosts]
    assert len(hosts) == len(set(hosts))
    for path in (MESSAGES, CHAT):
        assert len([dialect for dialect in DIALECTS.values() if dialect.owns(path)]) == 1


@EVERY
def test_every_dialect_sets_its_sdk_s_key_and_base_url(dialect: Dialect) -> None:
    """Two variables: a key that is of no use anywhere, and the official origin."""
    (key_name, key), (url_name, url) = dialect.env.items()
    assert key_name.endswith("_API_KEY")
    assert "fake-provider" in key
    assert url_name.endswith("_BASE_URL")
    assert url.removeprefix("https://").split("/")[0] in dialect.hosts


@EVERY
def test_every_dialect_s_answers_are_complete(dialect: Dialect) -> None:
    """Whatever is rendered has lower-case names, each once, and the exact length of its body."""
    (limit,) = LIMITS
    ids, levels, hint = Ids(3), full(LIMITS), Hint("seconds", 2.0)
    replies = [
        dialect.served(ASK, PLAIN, Usage(1, 1), levels, ids, NOW),
        dialect.counted(ASK, 1, ids, NOW),
        dialect.refused(ASK, limit, levels, hint, ids, NOW, requested=9),
        dialect.too_large(ASK, limit, levels, ids, NOW, requested=2_000),
        dialect.error(500, None, None, ids, NOW),
    ]
    for reply in replies:
        headers = dict(reply.headers)
        assert len(headers) == len(reply.headers)
        assert all(header == header.lower() for header in headers)
        assert headers["content-length"] == str(len(body(reply)))
        assert headers["date"] == "Fri, 27 Feb 2026 12:52:07 GMT"


@EVERY
def test_every_refusal_has_an_id_of_its_own(dialect: Dialect) -> None:
    """Request ids differ from one answer to the next, also within one provider."""
    (limit,) = LIMITS
    ids, hint = Ids(3), Hint("seconds", 2.0)
    seen = set()
    for _ in range(50):
        reply = dialect.refused(ASK, limit, full(LIMITS), hint, ids, NOW, requested=9)
        seen |= {value for header, value in reply.headers if header.endswith("request-id")}
    assert len(seen) == 50

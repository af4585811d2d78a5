"""Counting: prompts counted by tiktoken, which need not be installed."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import openai
import pytest

from fake_provider import FakeProvider, ProviderError
from fake_provider._wire._prompt import characters, prompt
from tests.fake_provider.clients import load

CHAT = {
    "model": "gpt-4o",
    "messages": [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": [{"type": "text", "text": "what is new"}]},
    ],
}
TOOLS = [{"type": "function", "function": {"name": "f", "description": "does it all"}}]


def words(_text, disallowed_special):
    assert disallowed_special == ()
    return _text.split()


def encoding_for_model(model):
    """An encoding of words for one model, none for others, and one that is out of reach."""
    if model == "gpt-far":
        raise OSError("no network")
    return {"gpt-4o": SimpleNamespace(encode=words)}[model]


@pytest.fixture
def _tiktoken(monkeypatch):
    module = ModuleType("tiktoken")
    module.encoding_for_model = encoding_for_model
    monkeypatch.setitem(sys.modules, "tiktoken", module)


def ask(**changes):
    return openai.OpenAI(max_retries=0).chat.completions.create(**{**CHAT, **changes})


@pytest.mark.usefixtures("_tiktoken")
def test_a_prompt_costs_what_the_tokenizer_counts():
    """Its texts and those of its tools, plus the output; the usage says the same."""
    with FakeProvider(tokens_per_request="tiktoken", output_tokens=7) as provider:
        usage = ask(tools=TOOLS).usage
        (attempt,) = provider.trace.attempts
    assert (usage.prompt_tokens, usage.completion_tokens) == (9, 7)
    assert (attempt.input_tokens, attempt.output_tokens) == (9, 7)


@pytest.mark.usefixtures("_tiktoken")
def test_a_model_behind_its_provider_s_name_is_known():
    """As a gateway writes it."""
    with FakeProvider(tokens_per_request="tiktoken", hosts={"gateway.test": "openai"}):
        client = openai.OpenAI(base_url="https://gateway.test/v1")
        usage = client.chat.completions.create(**{**CHAT, "model": "openai/gpt-4o"}).usage
    assert usage.prompt_tokens == 5


@pytest.mark.usefixtures("_tiktoken")
def test_an_unknown_model_is_estimated_and_said_so_once():
    """Characters / 4, as without a tokenizer, and one warning that names the model."""
    with FakeProvider(tokens_per_request="tiktoken") as provider:
        with pytest.warns(UserWarning, match="tiktoken knows no model 'mystery'") as warned:
            counts = [ask(model="mystery").usage.prompt_tokens for _ in range(2)]
        assert provider.trace.attempts[0].input_tokens == 5
    assert (counts, len(warned)) == ([5, 5], 1)


@pytest.mark.usefixtures("_tiktoken")
def test_an_encoding_out_of_reach_is_an_error():
    """It names the model, and where an encoding is kept."""
    with (
        FakeProvider(tokens_per_request="tiktoken"),
        pytest.raises(ProviderError, match=r"'gpt-far'.*TIKTOKEN_CACHE_DIR.*no network"),
    ):
        ask(model="gpt-far")


def test_without_the_package_the_keyword_says_what_to_install(monkeypatch):
    """At once, and not at the first request."""
    monkeypatch.setitem(sys.modules, "tiktoken", None)
    with pytest.raises(ImportError, match="pip install tiktoken"):
        FakeProvider(tokens_per_request="tiktoken")


def test_another_library_is_no_number_of_tokens():
    """The message says what is allowed."""
    with pytest.raises(TypeError, match=r"tokens_per_request must be a whole number.*got 'words'"):
        FakeProvider(tokens_per_request="words")


def test_the_prompt_is_what_its_characters_are_counted_of():
    """Texts join to as many characters as the estimate takes; tokens stand beside them."""
    texts, tokens = prompt({**CHAT, "tools": TOOLS, "model": "gpt-4o"})
    assert sum(map(len, texts)) == characters(CHAT["messages"], TOOLS)
    assert tokens == 0
    assert prompt({"input": [[1, 2], [3]]}) == ([], 3)
    assert prompt({"input": [1, 2]}) == ([], 2)
    assert prompt({"input": ["a b", "c"], "instructions": "d"})[1] == 0


def test_the_real_tokenizer_counts_a_prompt():
    """Where it is installed and its encoding at hand: "be brief" and "what is new" are 5 tokens."""
    tiktoken = load("tiktoken")
    try:
        tiktoken.encoding_for_model("gpt-4o")
    except Exception as error:
        pytest.skip(f"its encoding is not at hand: {error!r}")
    with FakeProvider(tokens_per_request="tiktoken"):
        assert ask().usage.prompt_tokens == 5

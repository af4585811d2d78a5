"""One origin: every dialect behind its name, on a host that is nobody's, through a real SDK."""

from __future__ import annotations

import anthropic
import boto3
import openai
import pytest

from fake_provider import FakeProvider
from fake_provider._wire import DIALECTS
from fake_provider._wire._answer import TEXT

# What follows the dialect's name in the base URL of OpenAI's SDK.
BASES = {
    "azure": "openai/v1",
    "deepseek": "v1",
    "groq": "openai/v1",
    "mistral": "v1",
    "openai": "v1",
    "openrouter": "api/v1",
}
CHAT = {"model": "some-model", "messages": [{"role": "user", "content": "hello"}]}


@pytest.fixture
def origin():
    """A provider that admits one request per key and model."""
    with FakeProvider(requests_per_minute=1) as provider:
        yield provider


def client(provider, name):
    """OpenAI's SDK, pointed at a dialect of the provider's own origin."""
    url = f"{provider.base_url}/{name}/{BASES[name]}"
    return openai.OpenAI(base_url=url, api_key="k", max_retries=0)


@pytest.mark.parametrize("name", BASES)
def test_a_dialect_answers_refuses_and_lists_behind_its_name(origin, name):
    """A completion, a refusal in its own words, and its models."""
    sdk = client(origin, name)
    assert sdk.chat.completions.create(**CHAT).choices[0].message.content == TEXT
    with pytest.raises(openai.RateLimitError):
        sdk.chat.completions.create(**CHAT)
    assert list(sdk.models.list())
    assert [(a.dialect, a.status) for a in origin.trace.attempts] == [(name, 200), (name, 429)]


@pytest.mark.parametrize("name", [name for name in BASES if "embeddings" in DIALECTS[name].forms])
def test_embeddings_and_responses_are_behind_the_name_as_well(origin, name):
    """Whatever a dialect serves beside chat it serves there."""
    sdk = client(origin, name)
    assert sdk.embeddings.create(model="vectors", input="hello").data
    if "responses" in DIALECTS[name].forms:
        assert sdk.responses.create(model="some-model", input="hello").output_text == TEXT
    assert {attempt.dialect for attempt in origin.trace.attempts} == {name}


def test_files_and_batches_are_behind_openai_s_name(origin):
    """Paths that other APIs use as well are found by the name before them."""
    sdk = client(origin, "openai")
    file = sdk.files.create(file=("in.jsonl", b"{}"), purpose="batch")
    assert [each.id for each in sdk.files.list()] == [file.id]
    assert list(sdk.batches.list()) == []


def test_anthropic_s_models_and_batches_are_behind_its_name(origin):
    """A list of models is another API's path without the name."""
    sdk = anthropic.Anthropic(base_url=f"{origin.base_url}/anthropic", max_retries=0)
    assert list(sdk.models.list())
    assert list(sdk.messages.batches.list()) == []


def test_azure_s_own_client_reaches_its_deployments(origin):
    """Its SDK puts the deployment's path behind whatever endpoint it is given."""
    sdk = openai.AzureOpenAI(
        azure_endpoint=f"{origin.base_url}/azure", api_key="k", api_version="2024-10-21"
    )
    assert sdk.chat.completions.create(**CHAT).choices[0].message.content == TEXT
    assert origin.trace.attempts[0].dialect == "azure"


def test_bedrock_is_behind_its_name(origin):
    """Whatever the region, at an endpoint of the user's own."""
    bedrock = boto3.client(
        "bedrock-runtime",
        region_name="us-east-1",
        endpoint_url=f"{origin.base_url}/bedrock",
        aws_access_key_id="k",
        aws_secret_access_key="s",
    )
    turns = [{"role": "user", "content": [{"text": "hello"}]}]
    answer = bedrock.converse(modelId="some-model", messages=turns)
    assert answer["output"]["message"]["content"][0]["text"] == TEXT
    assert origin.trace.attempts[0].dialect == "bedrock"


def test_claude_on_vertex_is_behind_its_name(origin):
    """The client's base URL ends in a version."""
    url = f"{origin.base_url}/vertex/v1"
    sdk = anthropic.AnthropicVertex(base_url=url, region="r", project_id="p", access_token="t")
    turns = [{"role": "user", "content": "hello"}]
    assert sdk.messages.create(model="m", max_tokens=9, messages=turns).content[0].text == TEXT
    assert origin.trace.attempts[0].dialect == "vertex"


def test_gemini_is_behind_its_name(origin):
    """Content and the list of models."""
    genai = pytest.importorskip("google.genai")
    options = {"base_url": f"{origin.base_url}/gemini"}
    with genai.Client(api_key="k", http_options=options) as sdk:
        assert sdk.models.generate_content(model="m", contents="hello").text == TEXT
        assert list(sdk.models.list())
    assert origin.trace.attempts[0].dialect == "gemini"

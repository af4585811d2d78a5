"""OpenAI: models, files and batches, through the real SDK."""

from __future__ import annotations

import json
import time

import openai
import pytest
from openai.types import Batch, CreateEmbeddingResponse, FileObject, Model
from openai.types.chat import ChatCompletion
from openai.types.responses import Response

from fake_provider import FakeProvider
from tests.fake_provider.wire.wiring import extras, strict

MESSAGES = [{"role": "user", "content": "hello"}]
BODIES = {
    "/v1/chat/completions": ({"model": "gpt-5", "messages": MESSAGES}, ChatCompletion, ()),
    "/v1/responses": ({"model": "gpt-5", "input": "hello"}, Response, (".store",)),
    "/v1/embeddings": (
        {"model": "text-embedding-3-small", "input": "a"},
        CreateEmbeddingResponse,
        (),
    ),
}
CHAT = "/v1/chat/completions"


@pytest.fixture
def client():
    """The SDK's client, while a provider is open that admits nothing that runs a model."""
    with FakeProvider(requests_per_minute=1, tokens_per_minute=1) as provider:
        yield openai.OpenAI(max_retries=0)
        assert provider.trace.attempts == ()


def line(name, url=CHAT, **changes):
    """One line of a batch's file."""
    body = {**BODIES[url][0], **changes}
    return json.dumps({"custom_id": name, "method": "POST", "url": url, "body": body})


def batch(client, *lines, endpoint=CHAT, metadata=None):
    """A new batch of these lines."""
    file = client.files.create(file=("in.jsonl", "\n".join(lines).encode()), purpose="batch")
    return client.batches.create(
        input_file_id=file.id, endpoint=endpoint, completion_window="24h", metadata=metadata
    )


def results(client, file_id):
    """The rows of a file of results, by the custom ids."""
    rows = [json.loads(row) for row in client.files.content(file_id).text.splitlines()]
    return {row["custom_id"]: row for row in rows}


def test_models_are_listed_and_told_one_by_one(client):
    """The list is the SDK's page; one of them is found, an unknown one is a 404."""
    models = list(client.models.list())
    assert "gpt-5" in {model.id for model in models}
    assert [extras(model) for model in models] == [[]] * len(models)
    assert client.models.retrieve("gpt-5").owned_by == "system"
    with pytest.raises(openai.NotFoundError, match="The model 'gpt-0' does not exist"):
        client.models.retrieve("gpt-0")
    with pytest.raises(openai.NotFoundError, match="Invalid URL"):
        client.models.delete("gpt-5")
    strict(Model, models[0].model_dump())


def test_a_file_is_kept_byte_for_byte(client):
    """What is uploaded comes back, with its name and purpose, until it is deleted."""
    content = bytes(range(256)) + b"\r\n--x\n\n"
    file = client.files.create(file=("odd name.bin", content), purpose="user_data")
    assert (file.filename, file.bytes, file.purpose) == ("odd name.bin", len(content), "user_data")
    assert extras(file) == []
    assert client.files.content(file.id).content == content
    assert [each.id for each in client.files.list()] == [file.id]
    assert client.files.retrieve(file.id) == file
    assert client.files.delete(file.id).deleted
    with pytest.raises(openai.NotFoundError, match=f"No such File object: {file.id}"):
        client.files.content(file.id)


@pytest.mark.parametrize("endpoint", BODIES)
def test_a_batch_is_validated_worked_on_and_answered(client, endpoint):
    """Status, times and counts follow the clock; each line has its answer in the API's shape."""
    made = batch(
        client, line("a", endpoint), line("b", endpoint), endpoint=endpoint, metadata={"k": "v"}
    )
    assert (made.status, made.output_file_id, made.metadata) == ("validating", None, {"k": "v"})
    assert extras(made) == []
    time.sleep(10)
    assert client.batches.retrieve(made.id).status == "in_progress"
    time.sleep(50)
    done = client.batches.retrieve(made.id)
    assert extras(done) == []
    assert (done.status, done.error_file_id) == ("completed", None)
    assert done.completed_at == made.created_at + 60
    counts = done.request_counts
    assert (counts.total, counts.completed, counts.failed) == (2, 2, 0)
    rows = results(client, done.output_file_id)
    assert list(rows) == ["a", "b"]
    for row in rows.values():
        assert row["error"] is None
        assert row["response"]["status_code"] == 200
        _, kind, untyped = BODIES[endpoint]
        strict(kind, row["response"]["body"], untyped)
    assert results(client, done.output_file_id) == rows
    assert strict(FileObject, client.files.retrieve(done.output_file_id).model_dump())


def test_a_line_that_is_malformed_has_its_error_in_a_file_of_its_own(client):
    """The endpoint's own words for a bad request stand in the file of errors."""
    made = batch(client, line("good"), line("bad", messages=[]))
    time.sleep(60)
    done = client.batches.retrieve(made.id)
    counts = done.request_counts
    assert (counts.total, counts.completed, counts.failed) == (2, 1, 1)
    assert list(results(client, done.output_file_id)) == ["good"]
    answer = results(client, done.error_file_id)["bad"]["response"]
    assert answer["status_code"] == 400
    assert answer["body"]["error"]["message"].startswith("Invalid 'messages': empty array.")


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        (["{"], "invalid_json_line"),
        (["{}"], "missing_required_parameter"),
        ([line("a"), line("a")], "duplicate_custom_id"),
        ([line("a", "/v1/embeddings")], "mismatched_url"),
        ([], "empty_file"),
    ],
)
def test_a_file_that_is_malformed_fails_the_batch(client, lines, code):
    """After validation the batch has failed, and says in which line and why."""
    made = batch(client, *lines)
    time.sleep(10)
    failed = client.batches.retrieve(made.id)
    assert (failed.status, failed.failed_at) == ("failed", made.created_at + 5)
    assert [error.code for error in failed.errors.data] == [code]
    assert extras(failed) == []


def test_a_batch_is_cancelled_in_two_steps(client):
    """It is cancelling for ten seconds, then cancelled; a second time is a conflict."""
    made = batch(client, line("a"))
    assert client.batches.cancel(made.id).status == "cancelling"
    time.sleep(10)
    cancelled = client.batches.retrieve(made.id)
    assert (cancelled.status, cancelled.cancelled_at) == ("cancelled", made.created_at + 10)
    with pytest.raises(openai.ConflictError, match="Cannot cancel a batch with status 'cancelled'"):
        client.batches.cancel(made.id)
    strict(Batch, cancelled.model_dump())


def test_batches_are_listed_with_the_newest_first(client):
    """Files are kept beside them and are not among them."""
    made = [batch(client, line("a")).id for _ in range(3)]
    assert [each.id for each in client.batches.list()] == made[::-1]
    assert len(list(client.files.list())) == 3


def test_what_is_not_there_is_told(client):
    """An unknown batch is a 404, an unknown file or endpoint in a new one a 400."""
    with pytest.raises(openai.NotFoundError, match="No batch found with id 'batch_0'"):
        client.batches.retrieve("batch_0")
    for fields, text in (
        ({"input_file_id": "file-0"}, "No such File object: file-0"),
        ({"endpoint": "/v1/images"}, "Invalid value for 'endpoint'"),
    ):
        given = {"input_file_id": "x", "endpoint": CHAT, "completion_window": "24h", **fields}
        with pytest.raises(openai.BadRequestError, match=text):
            client.batches.create(**given)


def test_each_key_has_its_own_shelf(client):
    """What one key keeps another one does not see."""
    made = batch(client, line("a"))
    with pytest.raises(openai.NotFoundError):
        openai.OpenAI(api_key="other", max_retries=0).batches.retrieve(made.id)

"""Bedrock: conversations and messages of Amazon Bedrock.

Source: docs.aws.amazon.com/bedrock, the service model of botocore 1.44, and public reports of 2025
and 2026; read 2026-11-25.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from fake_provider._limits import DAY_S
from fake_provider._wire._bedrock_ask import asked, found_verb
from fake_provider._wire._bedrock_converse import converse_body, converse_frames
from fake_provider._wire._bedrock_invoke import invoke_body, invoke_frames, invoke_headers
from fake_provider._wire._eventstream import CONTENT_TYPE, exception
from fake_provider._wire._headers import (
    NS_PER_MS,
    NS_PER_S,
    Headers,
    ceil_div,
    http_date,
    override,
    retry_after,
    wait_ns,
)
from fake_provider._wire._shapes import BadRequest, Chunk, Failure, Reply

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fake_provider._limits import Limit
    from fake_provider._wire._named import Name
    from fake_provider._wire._shapes import (
        Ask,
        Content,
        Hint,
        Ids,
        Moment,
        Refusal,
        Request,
        Shelf,
        Usage,
    )

JSON = "application/json"
_SIGNED_BY = re.compile(r"AWS4-\S+ .*?Credential=(?P<id>[^/, ]+)")
_UNEXPECTED = (
    "The system encountered an unexpected error during processing. Try your request again."
)
# By status: the exception. By exception: its message.
_KINDS = {
    400: "ValidationException",
    403: "AccessDeniedException",
    404: "ResourceNotFoundException",
    408: "ModelTimeoutException",
    424: "ModelErrorException",
    429: "ThrottlingException",
    500: "InternalServerException",
    503: "ServiceUnavailableException",
}
_MESSAGES = {
    "AccessDeniedException": "You don't have access to the model with the specified model ID.",
    "InternalServerException": _UNEXPECTED,
    "ModelErrorException": _UNEXPECTED,
    "ModelNotReadyException": "Model is not ready for inference. Wait and try your request again.",
    "ModelStreamErrorException": _UNEXPECTED,
    "ModelTimeoutException": (
        "Model has timed out in processing the request. Try your request again."
    ),
    "ResourceNotFoundException": (
        "Could not resolve the foundation model from the provided model identifier."
    ),
    "ServiceQuotaExceededException": "Your request exceeds the service quota for your account.",
    "ServiceUnavailableException": "Bedrock is unable to process your request.",
    "ThrottlingException": "Too many requests, please wait before trying again.",
}


class Bedrock:
    """The dialect of bedrock-runtime in every region."""

    name = "bedrock"
    hosts = (
        "bedrock-runtime.*.amazonaws.com",
        "bedrock-runtime-fips.*.amazonaws.com",
        "bedrock-runtime.*.amazonaws.com.cn",
        "bedrock-runtime.*.api.aws",
        "bedrock-runtime-fips.*.api.aws",
        "*.bedrock-runtime.*.vpce.amazonaws.com",
    )
    # No credentials: those of the user may serve other services of AWS as well.
    env: Mapping[str, str] = {
        "ANTHROPIC_BEDROCK_BASE_URL": "https://bedrock-runtime.us-east-1.amazonaws.com",
        "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": "https://bedrock-runtime.us-east-1.amazonaws.com",
    }
    named: Mapping[Name, Failure] = {
        "insufficient-quota": Failure(400, "ServiceQuotaExceededException"),
        "overloaded": Failure(503),
    }

    def owns(self, path: str) -> bool:
        """Return True for a verb of this API on a model, whatever precedes it."""
        return found_verb(path) is not None

    def api_key(self, request: Request) -> str:
        """Return the access key id of a signature, or the API key of `Authorization: Bearer`."""
        signed = _SIGNED_BY.match(request.headers.get("authorization", ""))
        return signed["id"] if signed else request.bearer

    def model_class(self, model: str) -> str:
        """Return the model or the inference profile, each of which has limits of its own.

        Source: docs.aws.amazon.com/bedrock/latest/userguide/quotas.html, read 2026-11-25.
        """
        return model.rpartition("/")[2]

    def parse(self, request: Request) -> Ask:
        """Return what a request asks for, or raise BadRequest in the API's words."""
        found = found_verb(request.path)
        if found is None or request.method != "POST":
            raise BadRequest(404, "UnknownOperationException", "")
        if not self.api_key(request):
            raise BadRequest(
                403, "MissingAuthenticationTokenException", "Missing Authentication Token"
            )
        return asked(found, request.body)

    def served(self, moment: Moment, content: Content, usage: Usage) -> Reply:
        """Return the conversation's next message, or a model's own, or the frames of either."""
        invokes = moment.ask.target.startswith("invoke")
        if moment.ask.stream:
            named: Headers = (("x-amzn-bedrock-content-type", JSON),) if invokes else ()
            chunks = (
                invoke_frames(moment.ask.model, content, usage, moment.ids)
                if invokes
                else converse_frames(content, usage, moment.ids)
            )
            head = _envelope(CONTENT_TYPE, moment.ids, moment.wall_ns)
            return Reply(200, (*head, *named), chunks, stream=True)
        if invokes:
            body = invoke_body(moment.ask.model, content, usage, moment.ids)
            return _reply(200, body, moment.ids, moment.wall_ns, invoke_headers(usage))
        return _reply(200, converse_body(content, usage, moment.ids), moment.ids, moment.wall_ns)

    def managed(self, request: Request, shelf: Shelf, ids: Ids, wall_ns: int) -> Reply:  # noqa: ARG002
        """Return that there is no such operation: none is answered."""
        return self.error(Failure(404, "UnknownOperationException", ""), ids, wall_ns)

    def counted(self, moment: Moment, input_tokens: int) -> Reply:
        """Return the count of input tokens."""
        return _reply(200, b'{"inputTokens":%d}' % input_tokens, moment.ids, moment.wall_ns)

    def refused(self, moment: Moment, refusal: Refusal) -> Reply:
        """Return the ThrottlingException, which names no wait unless a header is asked for."""
        return self.error(
            Failure(
                429, message=_refusal(refusal.limit), headers=_waits(refusal.hint, moment.wall_ns)
            ),
            moment.ids,
            moment.wall_ns,
        )

    def too_large(self, moment: Moment, refusal: Refusal) -> Reply:
        """Return the ThrottlingException of any refusal: the API does not tell them apart."""
        return self.error(Failure(429, message=_refusal(refusal.limit)), moment.ids, moment.wall_ns)

    def error(self, failure: Failure, ids: Ids, wall_ns: int) -> Reply:
        """Return any other error; `kind` is the name of an exception."""
        status, kind, message, headers = failure
        kind = kind or _kind(status)
        told = _message(status, kind) if message is None else message
        body = json.dumps({"message": told}, separators=(",", ":")).encode()
        reply = _reply(status, body, ids, wall_ns, (("x-amzn-errortype", kind),))
        return Reply(status, override(reply.headers, headers), reply.chunks)

    def stream_error(self, ask: Ask, failure: Failure, ids: Ids, sent: int) -> Chunk:  # noqa: ARG002
        """Return the frame of an exception, which begins with a small letter there."""
        status, kind, *_ = failure
        kind = kind or _kind(status)
        return Chunk(exception(kind[0].lower() + kind[1:], _message(status, kind)))


def _envelope(content_type: str, ids: Ids, wall_ns: int) -> Headers:
    """Return the headers that every answer has."""
    digits = ids.hex(32)
    parts = (digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:])
    return (
        ("date", http_date(wall_ns // NS_PER_S)),
        ("content-type", content_type),
        ("x-amzn-requestid", "-".join(parts)),
    )


def _reply(status: int, body: bytes, ids: Ids, wall_ns: int, headers: Headers = ()) -> Reply:
    """Return a reply of one JSON body."""
    length = ("content-length", str(len(body)))
    return Reply(status, (*_envelope(JSON, ids, wall_ns), length, *headers), (Chunk(body),))


def _waits(hint: Hint, wall_ns: int) -> Headers:
    """Return the header that names the wait: AWS's own for milliseconds, none for seconds.

    botocore 1.44 obeys `x-amz-retry-after` and nothing else; neither has been seen of Bedrock.
    """
    wait = wait_ns(hint)
    if hint.form == "ms" and wait > 0:
        return (("x-amz-retry-after", str(ceil_div(wait, NS_PER_MS))),)
    return retry_after(hint, wall_ns) if hint.form == "date" else ()


def _refusal(limit: Limit) -> str:
    """Return what a refusal says: what there was too much of."""
    unit = "tokens" if limit.unit == "tokens" else "requests"
    span = " per day" if limit.per == DAY_S else ""
    return f"Too many {unit}{span}, please wait before trying again."


def _kind(status: int) -> str:
    """Return the usual exception of a status, known or not."""
    family = "ServiceUnavailableException" if status >= 500 else "ValidationException"
    return _KINDS.get(status, family)


def _message(status: int, kind: str) -> str:
    """Return the provider's usual wording for an exception."""
    return _MESSAGES.get(kind, f"HTTP status {status}")

"""A provider that answers as it is told, and logs what the doors do with it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from fake_provider._transport import ProviderTransport
from fake_provider._wire._shapes import Chunk, Reply, Request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Step = tuple[float, Chunk | None] | BaseException

MESSAGE = json.dumps(
    {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-test",
        "content": [{"type": "text", "text": "one two"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 3, "output_tokens": 2},
    }
).encode()
COMPLETION = json.dumps(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "gpt-test",
        "choices": [
            {
                "index": 0,
                "finish_reason": "stop",
                "message": {"role": "assistant", "content": "one two"},
            }
        ],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
    }
).encode()


def sse(*events: tuple[str, dict]) -> tuple[Chunk, ...]:
    """Return server-sent events, one a chunk."""
    return tuple(
        Chunk(f"event: {name}\ndata: {json.dumps(data)}\n\n".encode()) for name, data in events
    )


def _delta(text: str) -> tuple[str, dict]:
    delta = {"type": "text_delta", "text": text}
    return "content_block_delta", {"type": "content_block_delta", "index": 0, "delta": delta}


_STARTED = {**json.loads(MESSAGE), "content": [], "stop_reason": None}
MESSAGE_EVENTS = sse(
    ("message_start", {"type": "message_start", "message": _STARTED}),
    (
        "content_block_start",
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    ),
    _delta("one "),
    _delta("two"),
    ("content_block_stop", {"type": "content_block_stop", "index": 0}),
    (
        "message_delta",
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {"output_tokens": 2},
        },
    ),
    ("message_stop", {"type": "message_stop"}),
)


def _piece(text: str, finish: str | None) -> Chunk:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1}
    data = {**head, "model": "gpt-test", "choices": [choice]}
    return Chunk(f"data: {json.dumps(data)}\n\n".encode())


COMPLETION_EVENTS = (
    _piece("one ", None),
    _piece("two", None),
    _piece("", "stop"),
    Chunk(b"data: [DONE]\n\n"),
)


def plain(body: bytes = MESSAGE, status: int = 200) -> Reply:
    """Return a reply in one piece."""
    headers = (("content-type", "application/json"), ("content-length", str(len(body))))
    return Reply(status, headers, (Chunk(body),))


def stream(chunks: tuple[Chunk, ...] = MESSAGE_EVENTS) -> Reply:
    """Return a streamed reply."""
    return Reply(200, (("content-type", "text/event-stream"),), chunks, stream=True)


class Refused(BaseException):
    """What a refused request raises."""


class StubExchange:
    """An exchange that logs how it ended."""

    def __init__(
        self, reply: Reply, steps: list[Step], log: list[str], whole_after_s: float | None
    ) -> None:
        self.reply = reply
        self.whole_after_s = whole_after_s
        self._steps = steps
        self._log = log

    def waits(self) -> Iterator[tuple[float, Chunk | None]]:
        for step in self._steps:
            if isinstance(step, BaseException):
                raise step
            yield step

    def end(self) -> None:
        self._log.append("end")

    def cancel(self) -> None:
        self._log.append("cancel")


class StubProvider:
    """Answers its hosts with one reply; its log holds refusals, sleeps and ends in order."""

    def __init__(
        self,
        reply: Reply | Callable[[Request], Reply] | None = None,
        *,
        hosts: tuple[str, ...] = ("api.anthropic.com", "api.openai.com", "gateway.test"),
        allowed: tuple[str, ...] = (),
        first_s: float = 0.5,
        each_s: float = 0.0,
        steps: list[Step] | None = None,
        log: list[str] | None = None,
    ) -> None:
        self.reply = reply or by_path
        self.hosts = hosts
        self.allowed = allowed
        self.first_s = first_s
        self.each_s = each_s
        self.steps = steps
        self.requests: list[Request] = []
        self.log = [] if log is None else log

    @property
    def transport(self) -> ProviderTransport:
        return ProviderTransport(self)

    def answers(self, host: str, path: str) -> bool:
        return host in self.hosts or path.endswith("/v1/messages")

    def passes(self, host: str) -> bool:
        return host in self.allowed

    def refuse(self, host: str, library: str) -> BaseException:
        self.log.append(f"refuse {library} {host}")
        return Refused(f"{library} to {host}")

    def begin(self, request: Request) -> StubExchange:
        self.requests.append(request)
        reply = self.reply if isinstance(self.reply, Reply) else self.reply(request)
        steps = self.steps
        if steps is None:
            steps = [(self.first_s, None), *((self.each_s, chunk) for chunk in reply.chunks)]
        in_parts = reply.stream or self.steps is not None or self.each_s
        whole_after_s = None if in_parts else self.first_s
        return StubExchange(reply, steps, self.log, whole_after_s)


def by_path(request: Request) -> Reply:
    """Return what the SDK that asks understands, streamed if the request says so."""
    streamed = b'"stream":true' in request.body.replace(b" ", b"")
    if request.path.endswith("/messages"):
        return stream() if streamed else plain()
    return stream(COMPLETION_EVENTS) if streamed else plain(COMPLETION)

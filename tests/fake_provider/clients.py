"""Calls through real SDKs and clients, in all four ways: sync, async, each plain and streamed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from types import ModuleType

MESSAGES = [{"role": "user", "content": "hello"}]
URL = "https://gateway.test/v1/chat/completions"
KINDS = ("sync", "async")
WAYS = ("sync", "sync-stream", "async", "async-stream")
LIBRARIES = ("httpx", "httpx2")


def load(name: str) -> ModuleType:
    """Return a library, or skip where it is not installed."""
    return pytest.importorskip(name)


def anthropic_text(client: Any) -> str:
    """Return the text of a message."""
    message = client.messages.create(model="claude-test", max_tokens=9, messages=MESSAGES)
    return message.content[0].text


def anthropic_stream_text(client: Any) -> str:
    """Return the text of a streamed message."""
    with client.messages.stream(model="claude-test", max_tokens=9, messages=MESSAGES) as stream:
        return "".join(stream.text_stream)


async def anthropic_async_text(client: Any) -> str:
    """Return the text of a message."""
    message = await client.messages.create(model="claude-test", max_tokens=9, messages=MESSAGES)
    return message.content[0].text


async def anthropic_async_stream_text(client: Any) -> str:
    """Return the text of a streamed message."""
    call = client.messages.stream(model="claude-test", max_tokens=9, messages=MESSAGES)
    async with call as stream:
        return "".join([text async for text in stream.text_stream])


def openai_text(client: Any) -> str:
    """Return the text of a completion."""
    answer = client.chat.completions.create(model="gpt-test", messages=MESSAGES)
    return answer.choices[0].message.content


def openai_stream_text(client: Any) -> str:
    """Return the text of a streamed completion."""
    stream = client.chat.completions.create(model="gpt-test", messages=MESSAGES, stream=True)
    return "".join(piece.choices[0].delta.content for piece in stream)


async def openai_async_text(client: Any) -> str:
    """Return the text of a completion."""
    answer = await client.chat.completions.create(model="gpt-test", messages=MESSAGES)
    return answer.choices[0].message.content


async def openai_async_stream_text(client: Any) -> str:
    """Return the text of a streamed completion."""
    call = client.chat.completions.create(model="gpt-test", messages=MESSAGES, stream=True)
    return "".join([piece.choices[0].delta.content async for piece in await call])


SDKS = {
    "anthropic": (
        ("Anthropic", "AsyncAnthropic"),
        {
            "sync": anthropic_text,
            "sync-stream": anthropic_stream_text,
            "async": anthropic_async_text,
            "async-stream": anthropic_async_stream_text,
        },
    ),
    "openai": (
        ("OpenAI", "AsyncOpenAI"),
        {
            "sync": openai_text,
            "sync-stream": openai_stream_text,
            "async": openai_async_text,
            "async-stream": openai_async_stream_text,
        },
    ),
}


def sdk_client(sdk: str, way: str, **options: Any) -> Any:
    """Return a client of an SDK, for one of the four ways."""
    names, _calls = SDKS[sdk]
    return getattr(load(sdk), names[way.startswith("async")])(api_key="none", **options)


def sdk_text(sdk: str, way: str, client: Any) -> str:
    """Return the text that a client gets, in one of the four ways."""
    call = SDKS[sdk][1][way]
    return asyncio.run(call(client)) if way.startswith("async") else call(client)


def sdk_http_client(sdk: str, way: str, transport: Any) -> Any:
    """Return an SDK's own kind of HTTP client around a transport."""
    name = "DefaultAsyncHttpxClient" if way.startswith("async") else "DefaultHttpxClient"
    return getattr(load(sdk), name)(transport=transport)


def fetch(library: ModuleType, kind: str, url: str = URL, **options: Any) -> Any:
    """Return the response to a POST by a new client of a library, "sync" or "async"."""
    if kind == "sync":
        with library.Client(**options) as client:
            return client.post(url, json={"prompt": "hello"})

    async def call() -> Any:
        async with library.AsyncClient(**options) as client:
            return await client.post(url, json={"prompt": "hello"})

    return asyncio.run(call())


def parts(
    library: ModuleType, kind: str, log: list[str], most: int | None = None, **options: Any
) -> list[str]:
    """Read a streamed response, or its first parts, log each part, and return the log."""
    if kind == "sync":
        with library.Client(**options) as client, client.stream("POST", URL) as response:
            log.append(f"status {response.status_code}")
            for number, part in enumerate(response.iter_raw(), start=1):
                log.append(part.decode())
                if number == most:
                    break
        return log

    async def call() -> None:
        async with library.AsyncClient(**options) as client, client.stream("POST", URL) as response:
            log.append(f"status {response.status_code}")
            number = 0
            async for part in response.aiter_raw():
                log.append(part.decode())
                number += 1
                if number == most:
                    break

    asyncio.run(call())
    return log

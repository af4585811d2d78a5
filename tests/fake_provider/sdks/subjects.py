"""Subjects: what SDKs and frameworks ask of the provider, one a process, since their pins conflict.

Run from the checkout, by an interpreter that has the subject: `python -m
tests.fake_provider.sdks.subjects litellm`. It prints one line of JSON.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import importlib.metadata
import itertools
import json
import os
import re
import sys
import time
from collections.abc import Callable
from email.utils import formatdate
from functools import cache
from typing import Any, NamedTuple

from fake_provider import Answer, FakeProvider, Fault

GPT, CLAUDE, GEMINI = "gpt-4o", "claude-sonnet-5", "gemini-2.5-flash"
TEXT = "Four words of text."
WAIT_S = 3.0
QUESTION = [{"role": "user", "content": "hello"}]
# What an error of an SDK tells, where it has it.
FIELDS = ("status_code", "code", "type", "status", "request_id", "response_metadata")
# Headers of a refusal, and the name of each in the table of waits.
DATE = "an HTTP date 20 s later"
HEADERS: dict[str, dict[str, str]] = {
    "none": {},
    **{value: {"retry-after": value} for value in ("30", "61", "119.5", "120", "121", "86400")},
    **{value: {"retry-after": value} for value in ("0", "-5", "abc", "nan", "inf")},
    DATE: {},
    "retry-after-ms 1500 and 9": {"retry-after-ms": "1500", "retry-after": "9"},
    "x-should-retry false": {"x-should-retry": "false"},
}
STATUSES = (400, 401, 403, 404, 408, 409, 413, 422, 429, 500, 502, 503, 504, 529)


class Subject(NamedTuple):
    """An SDK or a framework.

    Args:
        requirement: The package, and the versions of it, as pip takes them.
        sdk: The package that makes the requests, and retries them.
        ask: Makes one call, and returns its text.
        stream: Makes one call whose answer is streamed, and returns its text.
    """

    requirement: str
    sdk: str
    ask: Callable[[], str]
    stream: Callable[[], str]

    @property
    def package(self) -> str:
        """The package, without its versions."""
        return re.split(r"[<>\[]", self.requirement)[0]


# A client is built once: it reads the trust store of the system, which takes longer than its calls.
@cache
def _client(module: str, name: str) -> Any:
    return getattr(importlib.import_module(module), name)(api_key="k")


def anthropic_ask() -> str:
    return _client("anthropic", "Anthropic").messages.create(**_message()).content[0].text


def anthropic_stream() -> str:
    with _client("anthropic", "Anthropic").messages.stream(**_message()) as stream:
        return "".join(stream.text_stream)


def _message() -> dict[str, Any]:
    return {"model": CLAUDE, "max_tokens": 99, "messages": QUESTION}


def openai_ask(module: str = "openai", name: str = "OpenAI") -> str:
    chat = _client(module, name).chat.completions
    return chat.create(model=GPT, messages=QUESTION).choices[0].message.content


def openai_stream(module: str = "openai", name: str = "OpenAI") -> str:
    chat = _client(module, name).chat.completions
    return _joined(chat.create(model=GPT, messages=QUESTION, stream=True))


def _joined(chunks: Any) -> str:
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


def _genai(*, retries: bool) -> Any:
    from google import genai

    options = genai.types.HttpRetryOptions() if retries else None
    return genai.Client(http_options=genai.types.HttpOptions(retry_options=options))


def genai_ask(*, retries: bool = False) -> str:
    client = _genai(retries=retries)
    return client.models.generate_content(model=GEMINI, contents="hello").text


def genai_stream(*, retries: bool = False) -> str:
    client = _genai(retries=retries)
    parts = client.models.generate_content_stream(model=GEMINI, contents="hello")
    return "".join(part.text for part in parts)


def _mistral(*, retries: bool) -> Any:
    from mistralai.client import Mistral
    from mistralai.client.utils import BackoffStrategy, RetryConfig

    strategy = BackoffStrategy(500, 60_000, 1.5, 10_000)
    config = RetryConfig("backoff", strategy, retry_connection_errors=False)
    return Mistral(api_key="k", **({"retry_config": config} if retries else {}))


def mistral_ask(*, retries: bool = False) -> str:
    chat = _mistral(retries=retries).chat
    return chat.complete(model="m", messages=QUESTION).choices[0].message.content


def mistral_stream(*, retries: bool = False) -> str:
    events = _mistral(retries=retries).chat.stream(model="m", messages=QUESTION)
    return _joined(event.data for event in events)


def _boto3() -> Any:
    import boto3

    keys = {"aws_access_key_id": "AKIDFAKE", "aws_secret_access_key": "k"}
    return boto3.client("bedrock-runtime", region_name="us-east-1", **keys)


def _conversation() -> dict[str, Any]:
    messages = [{"role": "user", "content": [{"text": "hello"}]}]
    return {"modelId": "amazon.nova-pro-v1:0", "messages": messages}


def boto3_ask() -> str:
    answer = _boto3().converse(**_conversation())
    return answer["output"]["message"]["content"][0]["text"]


def boto3_stream() -> str:
    events = _boto3().converse_stream(**_conversation())["stream"]
    return "".join(
        event["contentBlockDelta"]["delta"]["text"]
        for event in events
        if "contentBlockDelta" in event
    )


def litellm_ask(model: str = f"openai/{GPT}") -> str:
    import litellm

    return litellm.completion(model, QUESTION).choices[0].message.content


def litellm_stream(model: str = f"openai/{GPT}") -> str:
    import litellm

    return _joined(litellm.completion(model, QUESTION, stream=True))


def _langchain(name: str) -> Any:
    if name == "anthropic":
        from langchain_anthropic import ChatAnthropic

        return ChatAnthropic(model=CLAUDE)
    from langchain_openai import ChatOpenAI

    return ChatOpenAI(model=GPT)


def langchain_ask(name: str) -> str:
    return _langchain(name).invoke("hello").content


def langchain_stream(name: str) -> str:
    return "".join(str(chunk.text) for chunk in _langchain(name).stream("hello"))


def pydantic_ai_ask(model: str) -> str:
    from pydantic_ai import Agent

    return Agent(model).run_sync("hello").output


def pydantic_ai_stream(model: str) -> str:
    from pydantic_ai import Agent

    async def run() -> str:
        async with Agent(model).run_stream("hello") as result:
            return await result.get_output()

    return asyncio.run(run())


def _instructor() -> tuple[Any, Any]:
    import instructor
    import openai
    import pydantic

    class Said(pydantic.BaseModel):
        text: str

    return instructor.from_openai(openai.OpenAI(), mode=instructor.Mode.JSON), Said


def instructor_ask() -> str:
    client, said = _instructor()
    return client.chat.completions.create(model=GPT, messages=QUESTION, response_model=said).text


def instructor_stream() -> str:
    client, said = _instructor()
    partial = client.chat.completions.create_partial
    return list(partial(model=GPT, messages=QUESTION, response_model=said))[-1].text


def _llama(name: str) -> Any:
    if name == "anthropic":
        from llama_index.llms.anthropic import Anthropic

        return Anthropic(model="claude-sonnet-4-5")
    from llama_index.llms.openai import OpenAI

    return OpenAI(model=GPT)


def llama_ask(name: str) -> str:
    return _llama(name).complete("hello").text


def llama_stream(name: str) -> str:
    return "".join(part.delta or "" for part in _llama(name).stream_complete("hello"))


def _both(
    ask: Callable[..., str], stream: Callable[..., str], *given: Any, **more: Any
) -> tuple[Callable[[], str], Callable[[], str]]:
    """Return both calls with these arguments."""
    return lambda: ask(*given, **more), lambda: stream(*given, **more)


_ANTHROPIC, _OPENAI = (anthropic_ask, anthropic_stream), (openai_ask, openai_stream)
_LITELLM = (litellm_ask, litellm_stream)
_PYDANTIC_AI = (pydantic_ai_ask, pydantic_ai_stream)
SUBJECTS = {
    "anthropic": Subject("anthropic>=1.6", "anthropic", *_ANTHROPIC),
    "anthropic 0": Subject("anthropic<1", "anthropic", *_ANTHROPIC),
    "boto3": Subject("boto3>=1.44", "boto3", boto3_ask, boto3_stream),
    "google-genai": Subject("google-genai>=3", "google-genai", genai_ask, genai_stream),
    "google-genai, retrying": Subject(
        "google-genai>=3", "google-genai", *_both(genai_ask, genai_stream, retries=True)
    ),
    "groq": Subject("groq>=1", "groq", *_both(openai_ask, openai_stream, "groq", "Groq")),
    "instructor": Subject("instructor", "openai", instructor_ask, instructor_stream),
    "langchain-anthropic": Subject(
        "langchain-anthropic", "anthropic", *_both(langchain_ask, langchain_stream, "anthropic")
    ),
    "langchain-openai": Subject(
        "langchain-openai", "openai", *_both(langchain_ask, langchain_stream, "openai")
    ),
    "litellm": Subject("litellm", "openai", *_both(*_LITELLM)),
    "litellm, anthropic": Subject("litellm", "litellm", *_both(*_LITELLM, f"anthropic/{CLAUDE}")),
    "llama-index-llms-anthropic": Subject(
        "llama-index-llms-anthropic", "anthropic", *_both(llama_ask, llama_stream, "anthropic")
    ),
    "llama-index-llms-openai": Subject(
        "llama-index-llms-openai", "openai", *_both(llama_ask, llama_stream, "openai")
    ),
    "mistralai": Subject("mistralai>=3", "mistralai", mistral_ask, mistral_stream),
    "mistralai, retrying": Subject(
        "mistralai>=3", "mistralai", *_both(mistral_ask, mistral_stream, retries=True)
    ),
    "openai": Subject("openai>=3", "openai", *_OPENAI),
    "openai 2": Subject("openai>=2.52,<3", "openai", *_OPENAI),
    "openai 2.51": Subject("openai<2.52", "openai", *_OPENAI),
    "pydantic-ai, anthropic": Subject(
        "pydantic-ai-slim[anthropic]", "anthropic", *_both(*_PYDANTIC_AI, f"anthropic:{CLAUDE}")
    ),
    "pydantic-ai, openai": Subject(
        "pydantic-ai-slim[openai]", "openai", *_both(*_PYDANTIC_AI, f"openai-chat:{GPT}")
    ),
}


def gaps(attempts: Any) -> list[float]:
    """Return the seconds between attempts, to the millisecond."""
    times = [attempt.arrived_at for attempt in attempts]
    return [round(after - before, 3) for before, after in itertools.pairwise(times)]


def told(error: Exception) -> dict[str, Any]:
    """Return what an error tells: its names, and its fields that are plain values."""
    names = [kind.__name__ for kind in type(error).__mro__ if kind is not object]
    fields = {name: getattr(error, name, None) for name in FIELDS}
    response = getattr(error, "response", None)
    if isinstance(response, dict):
        fields["code"] = response["Error"]["Code"]
        fields["status_code"] = response["ResponseMetadata"]["HTTPStatusCode"]
        fields["request_id"] = response["ResponseMetadata"]["RequestId"]
    return {"names": names, **{k: v for k, v in fields.items() if isinstance(v, (str, int))}}


def refused(subject: Subject, fault: Callable[[Any], Fault]) -> tuple[list[float], Any, Any]:
    """Return the gaps of a call that is refused for ever, its error, and the trace."""
    with FakeProvider(latency=0.0, stop_after=1e8) as provider:
        provider.script(fault)
        error: dict[str, Any] = {}
        try:
            subject.ask()
        except Exception as raised:
            error = told(raised)
        return gaps(provider.trace.attempts), error, provider.trace


def dated(arrival: Any) -> Fault:
    """Return a refusal that names an instant 20 s after it."""
    return Fault(headers={"retry-after": formatdate(time.time() + 20, usegmt=True)})


def observe(name: str) -> dict[str, Any]:
    """Return what a subject does with an answer, a stream, a refusal, and nothing but refusals."""
    subject = SUBJECTS[name]
    answer = Answer(json={"text": TEXT}) if name == "instructor" else Answer(text=TEXT)
    refusal = Fault(headers={"retry-after": f"{WAIT_S:g}"})
    with FakeProvider(latency=0.0) as provider:
        provider.script(answer)
        text, streamed = subject.ask(), subject.stream()
        whole, stream = provider.trace.attempts
    with FakeProvider(latency=0.0) as provider:
        provider.script([refusal, answer])
        with contextlib.suppress(Exception):
            subject.ask()
        once = provider.trace
    always, error, trace = refused(subject, lambda _arrival: refusal)
    return {
        "version": importlib.metadata.version(subject.package),
        "sdk": importlib.metadata.version(subject.sdk),
        "texts": [text, streamed],
        "streams": [whole.stream, stream.stream],
        "statuses": [attempt.status for attempt in once.attempts],
        "gaps": gaps(once.attempts),
        "requests": len(trace.attempts),
        "always": always,
        "calls": len(trace.calls),
        "error": error,
        "elsewhere": [*once.elsewhere, *trace.elsewhere],
    }


def observe_waits(name: str) -> dict[str, Any]:
    """Return the waits that an SDK takes for each header, and the requests for each status."""
    subject = SUBJECTS[name]
    waits = {
        header: refused(subject, lambda _arrival, headers=headers: Fault(headers=headers))[0]
        for header, headers in HEADERS.items()
    }
    waits[DATE] = refused(subject, dated)[0]
    requests = {
        status: len(refused(subject, lambda _arrival, status=status: Fault(status=status))[0]) + 1
        for status in STATUSES
    }
    quota = refused(subject, lambda _arrival: Fault(code="insufficient_quota"))[0]
    version = importlib.metadata.version(subject.sdk)
    return {"version": version, "waits": waits, "requests": requests, "quota": len(quota) + 1}


if __name__ == "__main__":
    # Its prices come with the package; the newest ones would be fetched from the network.
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    seen = observe_waits if "--waits" in sys.argv else observe
    print(json.dumps(seen(sys.argv[1])))

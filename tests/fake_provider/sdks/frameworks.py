"""Frameworks: what each one asks of the provider, one a process, since their pins conflict.

Run from the checkout, by an interpreter that has the framework: `python -m
tests.fake_provider.sdks.frameworks litellm`. It prints one line of JSON.
"""

from __future__ import annotations

import importlib.metadata
import itertools
import json
import os
import sys

from fake_provider import Answer, FakeProvider, Fault

MODEL = "gpt-4o"
TEXT = "Four words of text."
WAIT_S = 3.0
# What is installed for a framework, and the SDK that it uses.
PACKAGES = {
    "instructor": "instructor",
    "langchain": "langchain-openai",
    "litellm": "litellm",
    "llama-index": "llama-index-llms-openai",
    "pydantic-ai": "pydantic-ai-slim",
}


def ask_instructor():
    """Ask for a validated object."""
    import instructor
    import openai
    import pydantic

    class Said(pydantic.BaseModel):
        text: str

    client = instructor.from_openai(openai.OpenAI(), mode=instructor.Mode.JSON)
    messages = [{"role": "user", "content": "hello"}]
    return client.chat.completions.create(model=MODEL, messages=messages, response_model=Said).text


def ask_langchain():
    """Ask a chat model."""
    from langchain_openai import ChatOpenAI

    return ChatOpenAI(model=MODEL).invoke("hello").content


def ask_litellm():
    """Ask by the function that takes every provider's model."""
    import litellm

    messages = [{"role": "user", "content": "hello"}]
    return litellm.completion(f"openai/{MODEL}", messages).choices[0].message.content


def ask_llama_index():
    """Ask a completion model."""
    from llama_index.llms.openai import OpenAI

    return OpenAI(model=MODEL).complete("hello").text


def ask_pydantic_ai():
    """Ask an agent."""
    from pydantic_ai import Agent

    return Agent(f"openai-chat:{MODEL}").run_sync("hello").output


ASK = {
    "instructor": ask_instructor,
    "langchain": ask_langchain,
    "litellm": ask_litellm,
    "llama-index": ask_llama_index,
    "pydantic-ai": ask_pydantic_ai,
}


def gaps(attempts):
    """Return the seconds between attempts, to the millisecond."""
    times = [attempt.arrived_at for attempt in attempts]
    return [round(after - before, 3) for before, after in itertools.pairwise(times)]


def observe(name):
    """Return what a framework does with one refusal, and with nothing but refusals."""
    answer = Answer(json={"text": TEXT}) if name == "instructor" else Answer(text=TEXT)
    refusal = Fault(headers={"retry-after": f"{WAIT_S:g}"})
    with FakeProvider(latency=0.0) as provider:
        provider.script([refusal, answer])
        text = ASK[name]()
        once = provider.trace.attempts
    with FakeProvider(latency=0.0) as provider:
        provider.script(lambda _arrival: refusal)
        try:
            ASK[name]()
            error = None
        except Exception as raised:
            error = type(raised).__name__
        always = provider.trace
    return {
        "framework": importlib.metadata.version(PACKAGES[name]),
        "openai": importlib.metadata.version("openai"),
        "text": text,
        "statuses": [attempt.status for attempt in once],
        "gaps": gaps(once),
        "refused": len(always.attempts),
        "calls": len(always.calls),
        "error": error,
        "elsewhere": list(always.elsewhere),
    }


if __name__ == "__main__":
    # Its prices come with the package; the newest ones would be fetched from the network.
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    print(json.dumps(observe(sys.argv[1])))

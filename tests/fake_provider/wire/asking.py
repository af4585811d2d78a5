"""Asking: the plainest request to each endpoint that a dialect answers, as HTTP alone makes it."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import httpx2

CHAT = {"model": "some-model", "messages": [{"role": "user", "content": "hello"}]}
MESSAGES = {**CHAT, "max_tokens": 60}
CONTENTS = {"contents": [{"role": "user", "parts": [{"text": "hello"}]}]}
CONVERSE = {"messages": [{"role": "user", "content": [{"text": "hello"}]}]}
INVOKE = {
    "anthropic_version": "bedrock-2023-05-31",
    "max_tokens": 60,
    "messages": CHAT["messages"],
}
RAW = {**INVOKE, "anthropic_version": "vertex-2023-10-16"}

_BEARER = {"authorization": "Bearer fake"}
_GOOGLE = "https://generativelanguage.googleapis.com/v1beta/models"
_CLAUDE = (
    "https://us-east5-aiplatform.googleapis.com/v1/projects/p/locations/us-east5/publishers/"
    "anthropic/models"
)
_BEDROCK = "https://bedrock-runtime.us-east-1.amazonaws.com/model"
_CLAUDE_ID = "anthropic.claude-sonnet-5-v1%3A0"


class Asking(NamedTuple):
    """A request.

    Args:
        url: Where it goes.
        body: Its JSON; None for a GET.
        headers: Its headers.
    """

    url: str
    body: dict[str, Any] | None = None
    headers: dict[str, str] = _BEARER

    def send(self, client: httpx2.Client | None = None) -> httpx2.Response:
        """Make the request."""
        with client or httpx2.Client() as opened:
            if self.body is None:
                return opened.get(self.url, headers=self.headers)
            content = json.dumps(self.body)
            headers = {**self.headers, "content-type": "application/json"}
            return opened.post(self.url, content=content, headers=headers)


# By dialect: a request that runs a model.
GENERATE = {
    "anthropic": Asking(
        "https://api.anthropic.com/v1/messages",
        MESSAGES,
        {"x-api-key": "fake", "anthropic-version": "2023-06-01"},
    ),
    "azure": Asking(
        "https://r.openai.azure.com/openai/deployments/d/chat/completions?api-version=2024-10-21",
        CHAT,
        {"api-key": "fake"},
    ),
    "bedrock": Asking(f"{_BEDROCK}/{_CLAUDE_ID}/converse", CONVERSE),
    "deepseek": Asking("https://api.deepseek.com/chat/completions", CHAT),
    "gemini": Asking(
        f"{_GOOGLE}/gemini-2.5-flash:generateContent", CONTENTS, {"x-goog-api-key": "fake"}
    ),
    "groq": Asking("https://api.groq.com/openai/v1/chat/completions", CHAT),
    "mistral": Asking("https://api.mistral.ai/v1/chat/completions", CHAT),
    "openai": Asking("https://api.openai.com/v1/chat/completions", CHAT),
    "openrouter": Asking("https://openrouter.ai/api/v1/chat/completions", CHAT),
    "vertex": Asking(f"{_CLAUDE}/claude-sonnet-5:rawPredict", RAW),
}


def _streamed(dialect: str, asked: Asking) -> Asking:
    """Return the request of a stream, with its usage where it is to be asked for."""
    if dialect == "bedrock":
        return asked._replace(url=f"{asked.url}-stream")
    if dialect == "gemini":
        return asked._replace(url=asked.url.replace(":g", ":streamG") + "?alt=sse")
    if dialect == "vertex":
        return asked._replace(url=asked.url.replace(":rawPredict", ":streamRawPredict"))
    more = {} if dialect == "anthropic" else {"stream_options": {"include_usage": True}}
    return asked._replace(body={**(asked.body or {}), "stream": True, **more})


# By dialect: a request for a stream.
STREAM = {dialect: _streamed(dialect, asked) for dialect, asked in GENERATE.items()}

"""Errors that no wait can cure, retried by status, by class, or by nobody.

Scenario: one caller; the answer never changes.
Verdict: bad_request, unauthorized, too_large (413), model_not_found, quota: terminal FLAG where the loop catches
  every error; stop_at_once: the same answers and no retry: ok.  server_error: a 500 is curable: terminal ok.
"""
import asyncio
import random

import anthropic
import openai


def _error(kind, text):
    return {"type": "error", "error": {"type": kind, "message": text}}


ANSWERS = {"bad_request": (400, {}, _error("invalid_request_error", "max_tokens: too large")),
           "unauthorized": (401, {}, _error("authentication_error", "invalid x-api-key")),
           "forbidden": (403, {}, _error("permission_error", "no access")),
           "too_large": (413, {}, _error("request_too_large", "too large")),
           "model_not_found": (404, {}, _error("not_found_error", "model: claude-x")),
           "server_error": (500, {}, _error("api_error", "internal"))}
QUOTA = (429, {}, {"error": {"message": "You exceeded your current quota", "type": "insufficient_quota",
                             "param": None, "code": "insufficient_quota"}})


def _always(answer):
    return dict(script=lambda nth, n, b, t: answer, latency=0.2)


SCENARIOS = {name: dict(entry="catch_all", provider=_always(answer)) for name, answer in ANSWERS.items()}
SCENARIOS |= {f"{name}_once": dict(entry="stop_at_once", provider=_always(ANSWERS[name]))
              for name in ("bad_request", "unauthorized", "too_large")}
SCENARIOS["quota"] = dict(entry="quota", sdk="openai", provider=_always(QUOTA))
SCENARIOS["quota_handled"] = dict(entry="quota_handled", sdk="openai", provider=_always(QUOTA))
VERDICTS = {name: dict(terminal="FLAG", layers="ok") for name in ANSWERS}
VERDICTS["server_error"] = dict(terminal="n/a", layers="ok")
VERDICTS |= {f"{name}_once": dict(terminal="ok", sync="n/a") for name in ("bad_request", "unauthorized", "too_large")}
VERDICTS |= {"quota": dict(terminal="FLAG"), "quota_handled": dict(terminal="ok")}


def ask(client):
    return client.messages.create(model="claude-x", max_tokens=8, messages=[{"role": "user", "content": "hi"}])


async def catch_all(client):
    client = client.with_options(max_retries=0)
    for attempt in range(4):
        try:
            return await ask(client)
        except anthropic.APIError:
            await asyncio.sleep(random.uniform(0, 2 ** attempt))


async def stop_at_once(client):
    client = client.with_options(max_retries=0)
    for attempt in range(4):
        try:
            return await ask(client)
        except (anthropic.RateLimitError, anthropic.InternalServerError):
            await asyncio.sleep(random.uniform(0, 2 ** attempt))


def ask_openai(client):
    return client.chat.completions.create(model="gpt-x", messages=[{"role": "user", "content": "hi"}])


async def quota(client):
    for attempt in range(3):
        try:
            return await ask_openai(client.with_options(max_retries=0))
        except openai.RateLimitError:
            await asyncio.sleep(random.uniform(0, 2 ** attempt))


async def quota_handled(client):
    for attempt in range(3):
        try:
            return await ask_openai(client.with_options(max_retries=0))
        except openai.RateLimitError as refusal:
            if refusal.code == "insufficient_quota":
                raise
            await asyncio.sleep(random.uniform(0, 2 ** attempt))

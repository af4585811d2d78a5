"""Errors that say more than their status: spend caps, billing, x-should-retry, context too long.

Scenario: one caller in a jittered loop over every APIStatusError, 4 attempts.
Verdict: billing (429 billing_hard_limit_reached), spend (400 with usage limits), credit (400), context (400
  context_length_exceeded): terminal FLAG.  conflict (409), timeout_408, unavailable (503), overloaded (529): terminal ok.
"""
import asyncio
import random

import anthropic
import openai


def _oai(status, code, kind="invalid_request_error"):
    return (status, {}, {"error": {"message": code, "type": kind, "param": None, "code": code}})


def _ant(status, kind, text):
    return (status, {}, {"type": "error", "error": {"type": kind, "message": text}})


OPENAI = {"billing": _oai(429, "billing_hard_limit_reached", "billing_limit_user_error"),
          "context": _oai(400, "context_length_exceeded"), "conflict": _oai(409, "conflict"),
          "timeout_408": _oai(408, "timeout"), "unavailable": _oai(503, "server_overloaded", "server_error")}
ANTHROPIC = {"spend": _ant(400, "invalid_request_error", "You have reached your specified API usage limits."),
             "credit": _ant(400, "invalid_request_error", "Your credit balance is too low to access the Anthropic API."),
             "overloaded": _ant(529, "overloaded_error", "Overloaded")}


def _always(answer):
    return dict(script=lambda nth, n, b, t: answer, latency=0.1)


SCENARIOS = {n: dict(sdk="openai", entry="run_openai", provider=_always(a)) for n, a in OPENAI.items()}
SCENARIOS |= {n: dict(entry="run", provider=_always(a)) for n, a in ANTHROPIC.items()}
VERDICTS = {n: dict(terminal="FLAG", layers="ok") for n in ("billing", "spend", "credit", "context")}
VERDICTS |= {n: dict(terminal="ok", layers="ok", cap="ok") for n in ("conflict", "timeout_408", "unavailable", "overloaded")}


async def run(client):
    client = client.with_options(max_retries=0)
    for attempt in range(4):
        try:
            return await client.messages.create(model="claude-x", max_tokens=8, messages=[{"role": "user", "content": "hi"}])
        except anthropic.APIStatusError:
            await asyncio.sleep(random.uniform(0, 2 ** attempt))


async def run_openai(client):
    client = client.with_options(max_retries=0)
    for attempt in range(4):
        try:
            return await client.chat.completions.create(model="gpt-x", messages=[{"role": "user", "content": "hi"}])
        except openai.APIStatusError:
            await asyncio.sleep(random.uniform(0, 2 ** attempt))

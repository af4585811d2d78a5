"""A retrying transport under the SDK, event hooks, and a transport that retries connections only.

Scenario: every attempt refused for 100 s, no hint; one caller.
Verdict: transport_in_sdk: 3 below times 3 of the SDK: layers FLAG.  transport_only (max_retries=0): layers ok.
  connect_only: httpx2's own retries=3 never act on a 429: layers ok.  hook: only looks: ok.
"""
import random
import time

import httpx2
import openai

NEVER = dict(script=lambda nth, n, b, t: (429, {}, None) if t < 100 else None, latency=0.2)
NAMES = ("transport_in_sdk", "transport_only", "connect_only", "hook")
SCENARIOS = {n: dict(sdk="openai", provider=NEVER) for n in NAMES}
VERDICTS = {"transport_in_sdk": dict(layers="FLAG", terminal="ok"),
            "transport_only": dict(layers="ok", cap="ok", terminal="ok"),
            "connect_only": dict(layers="ok", cap="ok", terminal="ok"),
            "hook": dict(layers="ok", cap="ok", terminal="ok")}


class Retrying(httpx2.BaseTransport):
    def __init__(self, inner):
        self.inner = inner

    def handle_request(self, request):
        for attempt in range(3):
            response = self.inner.handle_request(request)
            if response.status_code != 429 or attempt == 2:
                return response
            response.close()
            time.sleep(random.uniform(0.5, 1.0) * 2 ** attempt)


def _ask(client):
    try:
        return client.chat.completions.create(model="gpt-x", messages=[{"role": "user", "content": "hi"}])
    except openai.APIError as err:
        return err


def transport_in_sdk(client):
    _ask(client.with_options(http_client=httpx2.Client(transport=Retrying(httpx2.HTTPTransport()))))


def transport_only(client):
    _ask(client.with_options(max_retries=0, http_client=httpx2.Client(transport=Retrying(httpx2.HTTPTransport()))))


def connect_only(client):
    _ask(client.with_options(http_client=httpx2.Client(transport=httpx2.HTTPTransport(retries=3))))


def hook(client):
    seen = []
    hooks = {"response": [lambda response: seen.append(response.status_code)]}
    _ask(client.with_options(http_client=httpx2.Client(event_hooks=hooks)))

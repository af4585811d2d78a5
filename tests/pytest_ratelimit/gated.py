"""Files of tests for nested runs: clients in lockstep, good ones, and none at all."""

from __future__ import annotations

CLIENT = """
import random
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

BODY = {"model": "claude-sonnet-5", "max_tokens": 16, "messages": [{"role": "user", "content": ""}]}

HEADERS = {"x-api-key": "key", "anthropic-version": "2023-06-01"}
SESSION = httpx.Client(headers=HEADERS)


def ask(text="hello"):
    body = {**BODY, "messages": [{"role": "user", "content": text}]}
    return SESSION.post("https://api.anthropic.com/v1/messages", json=body)


def patiently(text, wait, tries=4):
    for _ in range(tries):
        answer = ask(text)
        if answer.status_code == 200:
            return True
        time.sleep(wait(answer))
    return False


def herd(wait, callers=12):
    with ThreadPoolExecutor(callers) as pool:
        return list(pool.map(lambda n: patiently(f"question {n}", wait), range(callers)))


def lockstep():
    return herd(lambda answer: 1.0)


def one_waits():
    return patiently("alone", lambda answer: float(answer.headers["retry-after"]))
"""

SUITE = """
from client import *

LIMITS = pytest.mark.ratelimit(tokens_per_minute=1_000_000, tokens_per_request=400_000)

@LIMITS
def test_lockstep():
    lockstep()

@pytest.mark.ratelimit(requests_per_minute=1)
def test_twice():
    ask("one")
    ask("two")

def test_quiet(fake_provider):
    ask()

def test_silent(fake_provider):
    pass

def test_elsewhere():
    pass
"""

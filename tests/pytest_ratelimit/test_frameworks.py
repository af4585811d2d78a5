"""Applications that are tested in process: what is theirs passes, and what they ask is judged."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

ASKING = """
import anthropic

QUESTION = {
    "model": "claude-sonnet-5",
    "max_tokens": 16,
    "messages": [{"role": "user", "content": "What changed?"}],
}

def ask():
    return anthropic.Anthropic(max_retries=0).messages.create(**QUESTION).content[0].text

async def ask_async():
    async with anthropic.AsyncAnthropic(max_retries=0) as client:
        return (await client.messages.create(**QUESTION)).content[0].text
"""

STARLETTE = """
import asyncio
import time

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from asking import ask, ask_async

async def answer(request):
    await asyncio.sleep(60)
    return PlainTextResponse(await ask_async())

def answer_in_a_thread(request):
    time.sleep(60)
    return PlainTextResponse(ask())

APP = Starlette(routes=[Route("/", answer), Route("/thread", answer_in_a_thread)])

@pytest.fixture(scope="session")
def client():
    with TestClient(APP) as client:
        yield client

@pytest.mark.parametrize("path", ["/", "/thread", "/", "/thread"])
def test_an_application_of_the_session(client, fake_provider, path):
    time.sleep(60)
    assert client.get(path).text == client.get(path).text != ""
    assert len(fake_provider.trace.attempts) == 2
    assert fake_provider.clock.elapsed() == 181.0

def test_an_application_of_the_test(fake_provider):
    with TestClient(APP) as client:
        assert client.get("/").text == client.get("/thread").text != ""
    assert fake_provider.clock.elapsed() == 121.0

def test_a_transport_of_the_application(fake_provider):
    async def main():
        transport = httpx.ASGITransport(APP)
        async with httpx.AsyncClient(transport=transport, base_url="http://app") as client:
            return await asyncio.gather(*(client.get(path) for path in ("/", "/", "/thread")))

    assert [answer.status_code for answer in asyncio.run(main())] == [200] * 3
    assert len(fake_provider.trace.attempts) == 3
    assert fake_provider.clock.elapsed() == 60.5
"""

DJANGO = """
import time

import django
import pytest
from django.conf import settings
from django.db import connection
from django.http import HttpResponse
from django.test import SimpleTestCase, TestCase
from django.urls import path
from pytest_ratelimit import current

from asking import ask, ask_async

def answer(request):
    return HttpResponse(ask())

async def answer_async(request):
    return HttpResponse(await ask_async())

urlpatterns = [path("", answer), path("async", answer_async)]
settings.configure(
    ROOT_URLCONF=__name__,
    ALLOWED_HOSTS=["*"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
)
django.setup()

@pytest.mark.ratelimit(requests_per_minute=2)
class TestViews(SimpleTestCase):
    def test_both_kinds_of_views(self):
        self.assertEqual(self.client.get("/").content, self.client.get("/async").content)
        self.assertEqual(len(current().trace.attempts), 2)

    async def test_both_kinds_of_views_async(self):
        for url in ("/", "/async"):
            self.assertEqual((await self.async_client.get(url)).status_code, 200)
        self.assertEqual(len(current().trace.attempts), 2)

@pytest.mark.ratelimit(requests_per_minute=2)
class TestDatabase(TestCase):
    def test_a_database_under_the_clock(self):
        with connection.cursor() as cursor:
            cursor.execute("create table questions (text)")
            cursor.execute("insert into questions values ('What changed?')")
            time.sleep(3600)
            self.assertEqual(self.client.get("/").status_code, 200)
            cursor.execute("select count(*) from questions")
            self.assertEqual(cursor.fetchone(), (1,))
"""


@pytest.mark.parametrize(
    ("framework", "suite", "passed"),
    [("starlette", STARLETTE, 6), ("django", DJANGO, 3)],
    ids=["starlette", "django"],
)
def test_an_application_is_tested_as_before(pytester, monkeypatch, framework, suite, passed):
    """Test clients, applications of the session, databases: only what leaves is answered."""
    pytest.importorskip(framework)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), *filter(None, sys.path)]))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makepyfile(asking=ASKING, test_it=suite)
    result = pytester.runpytest_subprocess("-p", "pytest_ratelimit.plugin", "-W", "error")
    result.assert_outcomes(passed=passed)

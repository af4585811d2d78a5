"""The door of aiohttp: its sessions, whenever they were made, and aiohttp as it was."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import aiohttp
import pytest
from aiohttp import web
from aiohttp.connector import BaseConnector

from fake_provider._guard import guard
from fake_provider._intercept import intercept
from fake_provider._wire._shapes import Chunk, Reply
from fake_provider.virtual_time import VirtualClock
from tests.fake_provider.stub_provider import MESSAGE, Refused, StubProvider, plain, stream

ONE, TWO = Chunk(b"one"), Chunk(b"two")
URL = "https://gateway.test/v1/chat/completions"


@pytest.fixture(autouse=True)
def nothing_left_behind():
    """Every test here leaves the connector's method as it was."""
    before = vars(BaseConnector)["connect"]
    yield
    assert vars(BaseConnector)["connect"] is before


@pytest.fixture
def clock():
    """A virtual clock."""
    with VirtualClock() as clock:
        yield clock


def run(provider, work, **options):
    """Have `work(session)` done in a session of its own, with the door open."""

    async def main():
        async with aiohttp.ClientSession(**options) as session:
            return await work(session)

    with intercept(provider):
        return asyncio.run(main())


async def read(session, url=URL, **options):
    """The status and the body of an answer."""
    async with session.post(url, **{"json": {"prompt": "hello"}, **options}) as response:
        return response.status, await response.read()


def test_a_session_is_answered_in_its_own_classes(clock):
    """Status, reason, headers and body arrive after the provider's wait."""
    provider = StubProvider(plain(status=429))

    async def work(session):
        async with session.post(URL, json={}) as response:
            assert isinstance(response, aiohttp.ClientResponse)
            assert (response.status, response.reason) == (429, "Too Many Requests")
            assert response.headers["Content-Type"] == "application/json"
            assert await response.read() == MESSAGE
            with pytest.raises(aiohttp.ClientResponseError, match="429"):
                response.raise_for_status()

    run(provider, work)
    assert (clock.elapsed(), provider.log) == (0.5, ["end"])


def test_a_session_made_before_is_answered(clock):
    """A session that is older than the provider gets its answers too, and none afterwards."""

    async def main():
        async with aiohttp.ClientSession() as session:
            with intercept(StubProvider(plain())):
                assert await read(session) == (200, MESSAGE)
            with intercept(StubProvider(plain(b"{}"))):
                assert await read(session) == (200, b"{}")

    asyncio.run(main())


async def _pieces():
    yield b"in "
    yield b"pieces"


@pytest.mark.parametrize(
    ("options", "body"),
    [
        ({"data": b"bytes"}, b"bytes"),
        ({"json": {"a": 1}}, b'{"a": 1}'),
        ({"data": {"a": "1"}}, b"a=1"),
        ({"data": _pieces()}, b"in pieces"),
        ({}, b""),
    ],
)
def test_a_request_is_handed_over_in_the_provider_s_terms(options, body, clock):
    """Header names are lower case, the path is decoded, the query is apart, the body is read."""
    provider = StubProvider(plain())

    async def work(session):
        headers = [("X-Caller", "one"), ("X-Tag", "a"), ("X-Tag", "b")]
        url = "https://GateWay.test:8443/v1/models/a%20b?key=1"
        async with session.post(url, headers=headers, **options) as response:
            await response.read()

    run(provider, work)
    (request,) = provider.requests
    assert (request.method, request.host) == ("POST", "gateway.test")
    assert (request.path, request.query) == ("/v1/models/a b", "key=1")
    assert (request.headers["x-caller"], request.headers["x-tag"]) == ("one", "a, b")
    assert request.body == body


def test_a_stream_arrives_chunk_by_chunk(clock):
    """The status line and each chunk arrive after their own waits."""
    provider = StubProvider(stream((ONE, TWO)), each_s=0.25)
    seen = []

    async def work(session):
        async with session.post(URL, json={}) as response:
            seen.append((response.status, clock.elapsed()))
            async for part in response.content.iter_any():
                seen.append((part, clock.elapsed()))

    run(provider, work)
    assert seen == [(200, 0.5), (b"one", 0.75), (b"two", 1.0)]
    assert provider.log == ["end"]


def test_a_stream_closed_early_is_cancelled(clock):
    """A client that closes before the last chunk has given up, also where no time passes."""
    provider = StubProvider(stream((ONE, TWO)))

    async def work(session):
        async with session.post(URL, json={}) as response:
            assert await response.content.readany() == b"one"

    run(provider, work)
    assert provider.log == ["cancel"]


def test_a_session_closed_early_is_cancelled(clock):
    """An answer that nobody waits for is given up with its loop."""
    provider = StubProvider(plain(), first_s=3600.0)

    async def work(session):
        task = asyncio.create_task(read(session))
        await asyncio.sleep(1.0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(provider, work)
    assert (provider.log, clock.elapsed()) == (["cancel"], 1.0)


@pytest.mark.parametrize(
    ("timeout", "error"),
    [
        (aiohttp.ClientTimeout(total=4.0), asyncio.TimeoutError),
        (aiohttp.ClientTimeout(sock_read=4.0), aiohttp.SocketTimeoutError),
    ],
)
def test_a_timeout_is_aiohttp_s_own(timeout, error, clock):
    """A session waits exactly as long as it is willing to."""
    provider = StubProvider(plain(), first_s=30.0)

    async def work(session):
        with pytest.raises(error):
            await read(session)

    run(provider, work, timeout=timeout)
    assert (provider.log, clock.elapsed()) == (["cancel"], 4.0)


def test_a_timeout_within_a_stream_is_aiohttp_s_own(clock):
    """The read timeout holds for each wait of a stream on its own."""
    steps = [(5.0, None), (5.0, ONE), (9.0, TWO)]
    provider = StubProvider(stream(), steps=steps)

    async def work(session):
        async with session.post(URL, json={}) as response:
            assert await response.content.readany() == b"one"
            with pytest.raises(aiohttp.SocketTimeoutError):
                await response.content.readany()

    run(provider, work, timeout=aiohttp.ClientTimeout(sock_read=6.0))
    assert clock.elapsed() == 16.0
    assert provider.log == ["cancel"]


def test_a_cut_is_aiohttp_s_own_error(clock):
    """Before the status line the server has gone, after it the body is not whole."""
    before = StubProvider(plain(), steps=[ConnectionResetError()])
    after = StubProvider(stream(), steps=[(0.5, None), (0.0, ONE), ConnectionResetError()])

    async def work(session):
        await read(session)

    with pytest.raises(aiohttp.ServerDisconnectedError):
        run(before, work)
    with pytest.raises(aiohttp.ClientPayloadError):
        run(after, work)


def test_a_plain_answer_that_is_cut_is_not_whole(clock):
    """Its length was stated, and less of it came."""
    reply = Reply(200, (("content-length", "9"),), (ONE,), cut=True)
    steps = [(0.5, None), (0.0, ONE), ConnectionResetError()]
    with pytest.raises(aiohttp.ClientPayloadError):
        run(StubProvider(reply, steps=steps), read)


@pytest.mark.parametrize("status", [204, 304])
def test_a_status_without_a_body_has_none(status, clock):
    """What a script has put there does not leave."""
    assert run(StubProvider(plain(status=status)), read) == (status, b"")


def test_a_status_that_no_list_has_needs_no_reason(clock):
    """Anthropic's 529."""
    assert run(StubProvider(plain(status=529)), read) == (529, MESSAGE)


def test_what_aiohttp_does_above_the_connection_it_does(clock):
    """Middlewares, redirects and checks of the status are its own."""
    seen = []

    def reply(request):
        if request.path == "/v1/moved":
            return Reply(307, (("location", URL), ("content-length", "0")), (Chunk(b""),))
        return plain()

    async def middleware(request, handler):
        seen.append(request.url.path)
        return await handler(request)

    async def work(session):
        return await read(session, "https://gateway.test/v1/moved")

    provider = StubProvider(reply)
    assert run(provider, work, middlewares=[middleware], raise_for_status=True) == (200, MESSAGE)
    assert seen == ["/v1/moved", "/v1/chat/completions"]


def test_a_session_behind_a_proxy_is_answered(clock):
    """A session that is set up to use a proxy does not reach for it."""
    assert run(StubProvider(plain()), read, proxy="http://proxy.invalid:9") == (200, MESSAGE)


def test_a_host_that_nobody_answers_is_refused_by_the_guard():
    """A known host is out of reach, with the library's name."""
    provider = StubProvider(hosts=())

    async def work(session):
        await session.post("https://api.groq.com/openai/v1/chat/completions")

    with guard(provider), pytest.raises(Refused):
        run(provider, work)
    assert provider.log == ["refuse aiohttp api.groq.com"]


def test_a_server_on_this_machine_is_reached():
    """What no provider answers takes the network as ever, whatever its path."""

    async def handle(request):
        return web.Response(body=b"real")

    async def work(session):
        app = web.Application()
        app.router.add_post("/v1/messages", handle)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        try:
            return await read(session, f"http://127.0.0.1:{port}/v1/messages")
        finally:
            await runner.cleanup()

    provider = StubProvider(plain())
    assert run(provider, work) == (200, b"real")
    assert provider.requests == []


def test_a_connection_from_before_is_not_used():
    """A connection that a session keeps does not lead around the provider."""

    async def handle(request):
        return web.Response(body=b"real")

    async def main():
        app = web.Application()
        app.router.add_post("/x", handle)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/x"
        async with aiohttp.ClientSession() as session:
            assert await read(session, url) == (200, b"real")
            with intercept(StubProvider(plain(), hosts=("127.0.0.1",), first_s=0.0)):
                assert await read(session, url) == (200, MESSAGE)
            assert await read(session, url) == (200, b"real")
        await runner.cleanup()

    asyncio.run(main())


def test_a_library_imported_inside_is_answered():
    """A process that imports aiohttp only once the provider is open."""
    code = """
import asyncio
from fake_provider import FakeProvider
with FakeProvider() as provider:
    import aiohttp
    async def main():
        async with aiohttp.ClientSession(headers={"authorization": "Bearer k"}) as session:
            turns = [{"role": "user", "content": "hello"}]
            body = {"model": "gpt-5", "messages": turns}
            url = "https://api.openai.com/v1/chat/completions"
            async with session.post(url, json=body) as response:
                assert response.status == 200, await response.text()
    asyncio.run(main())
    assert len(provider.trace.attempts) == 1
assert not hasattr(aiohttp.BaseConnector.connect, "__wrapped__")
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)

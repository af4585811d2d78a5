"""Trust: certificates are read when a client connects, and clients are built without them."""

from __future__ import annotations

import socket
import ssl
import threading
from pathlib import Path

import certifi
import httpx
import httpx2
import pytest

from fake_provider import FakeProvider
from fake_provider._trust import Deferred

LIBRARIES = {"httpx": httpx, "httpx2": httpx2}
EVERY = pytest.mark.parametrize("library", LIBRARIES.values(), ids=LIBRARIES)
PLACES = ("SSL_CERT_DIR", "SSL_CERT_FILE")


@pytest.fixture(params=["default", "SSL_CERT_FILE"], autouse=True)
def _places(request, monkeypatch):
    """Certificates where the library finds them, and where a variable says."""
    for name in (*PLACES, "SSLKEYLOGFILE"):
        monkeypatch.delenv(name, raising=False)
    if request.param != "default":
        monkeypatch.setenv(request.param, certifi.where())


def context(library, **options):
    """The context of a new client."""
    client = library.Client(**options)
    return client._transport._pool._ssl_context


def told(context):
    """Everything that a context tells of itself."""
    names = [name for name in dir(ssl.SSLContext) if not name.startswith("_")]
    values = {name: getattr(context, name) for name in names}
    return {name: value for name, value in values.items() if not callable(value)}


@EVERY
def test_a_client_built_under_a_provider_reads_nothing_until_it_is_asked(library):
    """Its certificates are those of any other client, once they are looked at."""
    real = context(library)
    with FakeProvider():
        deferred = context(library)
    assert type(real) is ssl.SSLContext
    assert isinstance(deferred, Deferred)
    assert deferred.pending
    assert deferred.cert_store_stats() == real.cert_store_stats()
    assert not deferred.pending
    assert deferred.get_ca_certs() == real.get_ca_certs()
    assert told(deferred) == told(real)


@EVERY
def test_contexts_are_not_shared(library):
    """What is done to one client's context is not done to another's."""
    with FakeProvider():
        first, second = context(library), context(library)
    first.check_hostname = False
    assert first is not second
    assert second.check_hostname


@EVERY
def test_other_ways_to_trust_are_left_alone(library, monkeypatch, tmp_path):
    """A context of one's own, none at all, and a file for keys are what they are without."""
    own = ssl.create_default_context()
    with FakeProvider():
        assert context(library, verify=own) is own
        assert context(library, verify=False).verify_mode is ssl.CERT_NONE
        monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
        assert type(context(library)) is ssl.SSLContext


@EVERY
def test_what_is_not_there_is_an_error_at_once(library, monkeypatch, tmp_path):
    """A variable that names no file fails where the client is built, as it does without."""
    own = tmp_path / "own.pem"
    own.write_bytes(Path(certifi.where()).read_bytes())
    monkeypatch.setenv("SSL_CERT_FILE", str(own))
    with FakeProvider():
        assert context(library).pending
        own.unlink()
        with pytest.raises(FileNotFoundError):
            context(library)


@EVERY
def test_after_the_provider_clients_are_built_as_before(library):
    """Nothing is left in the library."""
    with FakeProvider():
        pass
    assert type(context(library)) is ssl.SSLContext


def handshake(client_context):
    """What a client makes of a server on this machine that it cannot know."""
    ours, theirs = socket.socketpair()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)

    def serve():
        with theirs:
            theirs.settimeout(5)
            try:
                server.wrap_socket(theirs, server_side=True)
            except OSError:
                return

    thread = threading.Thread(target=serve)
    thread.start()
    with ours:
        ours.settimeout(5)
        try:
            client_context.wrap_socket(ours, server_hostname="localhost")
        except ssl.SSLError:
            return "refused"
        finally:
            thread.join()
    return "trusted"


@EVERY
def test_a_handshake_reads_the_certificates_first(library):
    """Whether by a socket or by buffers, what is deferred is there when a server is checked."""
    with FakeProvider():
        by_socket, by_buffers = context(library), context(library)
    assert handshake(by_socket) == "refused"
    by_buffers.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="localhost")
    for each in (by_socket, by_buffers):
        assert not each.pending
        assert super(Deferred, each).cert_store_stats()["x509_ca"]


def test_many_threads_read_them_once():
    """A context that several connections begin with at the same time is whole for each of them."""
    with FakeProvider():
        shared = context(httpx2)
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(shared.cert_store_stats()["x509_ca"]))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1
    assert found[0]

"""Blocking sockets and child processes.

A socket whose peer lives in this process needs no real time: the participant waits in the
scheduler, which polls the descriptor before each jump. A child process lives in real time.
"""

import _socket
import select
import subprocess
from collections.abc import Callable
from typing import Any

from . import _current, _real
from . import _participants as states
from ._descriptors import READ, WRITE
from ._patches import AttributePatch

_READING = ("_accept", "recv", "recv_into", "recvfrom", "recvfrom_into", "recvmsg", "recvmsg_into")
_WRITING = ("send", "sendmsg", "sendto")
_real_send: Any = _socket.socket.send
_real_sendall: Any = _socket.socket.sendall
_real_wait = subprocess.Popen.wait


def wait_until_ready(sock: Any, events: int) -> None:
    """Let a participant wait until a blocking socket can be read or written.

    Raises:
        TimeoutError: The timeout of the socket has run out.
    """
    timeout = sock.gettimeout()
    if timeout == 0 or _is_ready(sock, events):
        return
    me = _current.participant(adopt=False)
    scheduler = _current.scheduler
    if scheduler is None or me is None:
        return
    deadline_ns = None if timeout is None else scheduler.deadline_after(timeout)
    while True:
        outcome = scheduler.block(
            me, None, deadline_ns, "a socket", descriptors=[(sock.fileno(), events)]
        )
        if outcome is states.CLOSED or _is_ready(sock, events):
            return
        if outcome is states.TIMEOUT:
            message = "timed out"
            raise TimeoutError(message)


def _is_ready(sock: Any, events: int) -> bool:
    """Whether the original call would not block; it may still fail."""
    descriptor = sock.fileno()
    if descriptor < 0:
        return True
    poller = select.poll()
    poller.register(descriptor, events)
    return bool(poller.poll(0))


def _waiting(name: str, events: int) -> Callable[..., Any]:
    original = _socket.socket.__dict__[name]

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        if _current.scheduler is not None:
            wait_until_ready(self, events)
        return original(self, *args, **kwargs)

    return method


def sendall(self: Any, data: Any, flags: int = 0, /) -> None:
    """``socket.sendall``: in pieces, so that the peer can run when the buffer is full."""
    if _current.participant(adopt=False) is None or self.gettimeout() == 0:
        _real_sendall(self, data, flags)
        return
    with memoryview(data) as view, view.cast("B") as rest:
        sent = 0
        while sent < len(rest):
            wait_until_ready(self, WRITE)
            sent += _real_send(self, rest[sent:], flags | _socket.MSG_DONTWAIT)


def wait_for_child(self: Any, timeout: float | None = None) -> int:
    """``Popen.wait``, in real time."""
    scheduler = _current.visible()
    if scheduler is None:
        return _real_wait(self, timeout)
    ident = _real.get_ident()
    scheduler.exempt.add(ident)
    try:
        return _real_wait(self, timeout)
    finally:
        scheduler.exempt.discard(ident)


METHODS: dict[str, Any] = {
    name: _waiting(name, events)
    for names, events in ((_READING, READ), (_WRITING, WRITE))
    for name in names
    if name in _socket.socket.__dict__
}
METHODS["sendall"] = sendall
PATCHES = [AttributePatch(subprocess.Popen, "wait", wait_for_child)]

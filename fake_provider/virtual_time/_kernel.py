"""What the operating system says about a thread: does it run, or what does it wait for?"""

import errno
import os
import platform
import sys
from pathlib import Path
from typing import Final

RUNNING: Final = "running"  # or runnable: it may be starved of a processor
LOCK: Final = "lock"  # waits for a lock, which may be the interpreter's own
CALL: Final = "call"  # waits in another system call
UNKNOWN: Final = "unknown"

# The number of the futex system call.
_FUTEX = {"x86_64": "202", "aarch64": "98"}.get(platform.machine(), "202")


def wait_of(native_id: int) -> str:
    """The kernel's line on the system call a thread waits in; empty where that is not told.

    Two equal lines mean that the thread waits at the same place of the same call: the line holds
    the arguments and the stack pointer.
    """
    return _read(native_id, "syscall")


def is_wait(line: str) -> bool:
    """Whether a line of ``wait_of`` tells that the thread waits."""
    return line not in ("", RUNNING)


def is_timed(line: str) -> bool:
    """Whether a line of ``wait_of`` tells of a wait for a lock that has a timeout."""
    call = line.split()
    return len(call) > 4 and call[0] == _FUTEX and call[4] != "0x0"


def state_of(native_id: int) -> str:
    """RUNNING, LOCK, CALL or UNKNOWN."""
    call = wait_of(native_id).partition(" ")[0]
    if not call:
        return UNKNOWN
    return RUNNING if call == "running" else LOCK if call == _FUTEX else CALL


def cpu_ns_of(native_id: int) -> int:
    """The processor time that a thread has used, in nanoseconds; 0 where that is not told."""
    return int(_read(native_id, "schedstat").partition(" ")[0] or 0)


def threads() -> list[int]:
    """The native numbers of all threads of this process; empty where that is not told."""
    try:
        return [int(task.name) for task in Path("/proc/self/task").iterdir()]
    except OSError:
        return []


def has_children() -> bool:
    """Whether this process has child processes, running or not yet waited for.

    Those with which `multiprocessing` keeps house live for as long as this one, and answer nobody.
    """
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except (AttributeError, ChildProcessError):
        return False
    except OSError as error:
        return error.errno != errno.ECHILD
    keepers = _housekeepers()
    return not keepers or not _children() <= keepers


def _housekeepers() -> set[int]:
    """The process numbers of the children that `multiprocessing` keeps for itself."""
    tracker = getattr(
        sys.modules.get("multiprocessing.resource_tracker"), "_resource_tracker", None
    )
    server = getattr(sys.modules.get("multiprocessing.forkserver"), "_forkserver", None)
    found = (getattr(tracker, "_pid", None), getattr(server, "_forkserver_pid", None))
    return {pid for pid in found if pid is not None}


def _children() -> set[int]:
    """The process numbers of all children; that of nobody where they are not told."""
    lists = [_read(thread, "children") for thread in threads()]
    return {int(pid) for line in lists for pid in line.split()} or {-1}


def _read(native_id: int, name: str) -> str:
    try:
        descriptor = os.open(f"/proc/self/task/{native_id}/{name}", os.O_RDONLY)
    except OSError:
        return ""
    try:
        return os.read(descriptor, 256).decode("ascii", "replace").strip()
    except OSError:
        return ""
    finally:
        os.close(descriptor)

"""Headless Chromium over a pipe, spoken to in its DevTools protocol; nothing to install beside."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path

FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync "
    "--disable-dev-shm-usage --window-size=1100,900 --remote-debugging-pipe"
)


def chromium():
    """Return Chromium's path, None where there is none."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


class Page:
    """A page of the browser: commands out, results and events in."""

    def __init__(self, out, back):
        self._out, self._back = out, back
        self._number = 0
        self._session = None
        self.complaints, self.requests = [], []
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        attached = self.send("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")

    def send(self, method, **params):
        """Send a command and return its result."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        self._out.write(json.dumps(message).encode() + b"\0")
        self._out.flush()
        while True:
            answer = self._read()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]

    def open(self, path):
        """Load a file and wait until it is there."""
        self.send("Page.navigate", url=Path(path).as_uri())
        while self._read().get("method") != "Page.loadEventFired":
            pass

    def value(self, expression):
        """Return what a JavaScript expression is."""
        return self.send("Runtime.evaluate", expression=expression, returnByValue=True)[
            "result"
        ].get("value")

    def key(self, name, code):
        """Press a key."""
        text = {"text": "\r"} if name == "Enter" else {}
        for kind in ("keyDown", "keyUp"):
            extra = text if kind == "keyDown" else {}
            self.send(
                "Input.dispatchKeyEvent",
                type=kind,
                key=name,
                code=name,
                windowsVirtualKeyCode=code,
                **extra,
            )

    def _read(self):
        text = b""
        while not text.endswith(b"\0"):
            byte = self._back.read(1)
            assert byte, "the browser has gone"
            text += byte
        message = json.loads(text[:-1])
        method, params = message.get("method"), message.get("params", {})
        if method in ("Runtime.exceptionThrown", "Log.entryAdded", "Runtime.consoleAPICalled"):
            self.complaints.append(params)
        if method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        return message


@contextmanager
def opened(folder):
    """Start the browser with an empty profile, and yield a page of it."""
    (reads, commands), (answers, writes) = os.pipe(), os.pipe()
    # The browser reads commands from descriptor 3 and writes answers to 4.
    command = f'exec "$0" {FLAGS} --user-data-dir="$1" 3<&{reads} 4>&{writes}'
    process = subprocess.Popen(
        ["bash", "-c", command, chromium(), str(folder)],
        pass_fds=(reads, writes),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    for number in (reads, writes):
        os.close(number)
    try:
        with os.fdopen(commands, "wb") as out, os.fdopen(answers, "rb") as back:
            yield Page(out, back)
    finally:
        process.kill()
        process.wait()

"""The command `run`: a command in any language against the provider, and its verdict."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fake_provider import Trace
from tests.fake_provider.server.serving import COMMAND, ROOT

CLIENTS = Path(__file__).parent / "clients"
EXAMPLES = ROOT / "tests" / "examples" / "other_languages"
FAST = ("--latency", "0")


def run(*words, env=None, **options):
    """Run the command in a process of its own, and return what became of it."""
    options = {"capture_output": True, "text": True, "timeout": 100, **options}
    variables = {**os.environ, "PYTHONPATH": str(ROOT), **(env or {})}
    return subprocess.run([*COMMAND, "run", *words], env=variables, check=False, **options)


def python(code):
    """Return a command that runs a program in Python."""
    return ["--", sys.executable, "-c", code]


@pytest.mark.parametrize(("code", "status"), [("", 0), ("raise SystemExit(7)", 7)])
def test_it_exits_with_the_command_s_status(code, status):
    """The command's status is the status."""
    assert run(*python(code)).returncode == status


def test_a_command_that_a_signal_ends_has_a_shell_s_status():
    """128 and the signal, as a shell says it."""
    ran = run(*python("import os, signal; os.kill(os.getpid(), signal.SIGKILL)"))
    assert ran.returncode == 128 + signal.SIGKILL


def test_output_and_input_are_the_command_s_own():
    """Nothing is printed between what the command prints, and its input reaches it."""
    ran = run(*python("print(input().upper())"), input="hello\n")
    assert (ran.stdout, ran.stderr) == ("HELLO\n", "")


def test_the_variables_of_every_sdk_are_set():
    """Base URLs point at the server, keys are of no use, and no proxy is asked."""
    code = "import os; print(*(os.environ[n] for n in os.environ['NAMES'].split()))"
    names = "ANTHROPIC_BASE_URL ANTHROPIC_API_KEY OPENAI_BASE_URL OPENAI_API_KEY NO_PROXY"
    ran = run(*python(code), env={"NAMES": names, "NO_PROXY": "corp", "OPENAI_API_KEY": "sk-own"})
    anthropic, key, openai, other_key, no_proxy = ran.stdout.split()
    assert anthropic.startswith("http://127.0.0.1:")
    assert openai.endswith("/openai/v1")
    assert (key, other_key) == ("sk-ant-fake-provider", "sk-fake-provider")
    assert no_proxy.startswith("corp,127.0.0.1")


def test_a_trace_is_written_anew_each_time(tmp_path):
    """The file holds the last run, and a file that is no trace is left alone."""
    path = tmp_path / "t.jsonl"
    for _ in range(2):
        ran = run(*FAST, "--trace", str(path), "--", sys.executable, str(CLIENTS / "plain.py"), "2")
        assert ran.returncode == 0, ran.stderr
    assert [a.status for a in Trace.load(path).attempts] == [200, 200]
    path.write_text("mine\n", encoding="utf-8")
    assert run("--trace", str(path), *python("")).returncode == 2
    assert path.read_text(encoding="utf-8") == "mine\n"


def test_findings_are_status_1_and_on_stderr():
    """A command that succeeds and behaves badly fails, and is told why."""
    words = [sys.executable, str(CLIENTS / "plain.py"), "5"]
    ran = run(*FAST, "--requests-per-minute", "2", "--check", "--", *words)
    assert ran.returncode == 1
    assert ran.stdout == "200 200 429 429 429\n"
    assert "RL103 ignored-retry-after" in ran.stderr
    assert "Times are real: good to " in ran.stderr
    accepted = run(
        *FAST, "--requests-per-minute", "2", "--check", "--ignore=RL103: x", "--ignore=RL105: x",
        "--ignore=RL201: x", "--ignore=RL107: x", "--ignore=RL901: x", "--", *words
    )  # fmt: skip
    assert accepted.returncode == 0, accepted.stderr


def test_a_command_that_asked_nothing_is_no_all_clear():
    """Without a request the verdict is RL903."""
    ran = run("--check", "--allow-quiet", *python(""))
    assert ran.returncode == 1
    assert "RL903 no-request-seen" in ran.stderr


def test_a_failing_command_keeps_its_status_though_findings_come_on_top():
    """The command's own failure is the more telling one."""
    assert run("--check", *python("raise SystemExit(7)")).returncode == 7


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        ([], 2, "no command"),
        (["--window", "0", "--", "true"], 2, "window must be"),
        (["--", "no-such-command"], 127, "command not found"),
        (["--", "/"], 126, "cannot be run"),
    ],
)
def test_what_cannot_be_run_is_one_line(words, status, says):
    """Errors have a shell's statuses and no traceback."""
    ran = run(*words)
    assert (ran.returncode, len(ran.stderr.splitlines())) == (status, 1)
    assert says in ran.stderr


def test_sigterm_is_passed_on(tmp_path):
    """Whoever ends the run ends the command, whose status counts, and the trace is whole."""
    path = tmp_path / "t.jsonl"
    code = "import time; print('ready', flush=True); time.sleep(60)"
    process = subprocess.Popen(
        [*COMMAND, "run", "--trace", str(path), *python(code)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert process.stdout.readline() == b"ready\n"
    process.terminate()
    assert process.wait(timeout=30) == 128 + signal.SIGTERM
    process.stdout.close()
    assert Trace.load(path).ended_at > 0


def test_a_client_in_python_is_judged(tmp_path):
    """The SDK in a process of its own waits as it is told: its retries are the SDK's."""
    path = tmp_path / "t.jsonl"
    words = [sys.executable, str(CLIENTS / "sdk.py")]
    limits = ["--requests-per-minute", "120", "--window", "1", "--hint", "ms"]
    ran = run(*FAST, *limits, "--trace", str(path), "--", *words)
    assert ran.returncode == 0, ran.stderr
    trace = Trace.load(path)
    assert [call.succeeded for call in trace.calls] == [True] * 4
    assert trace.retries
    assert {a.layer for a in trace.retries} == {"sdk"}


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_a_shell_script_is_judged(tmp_path):
    """A script that waits as it is told is served, and its retries are one call each."""
    trace = tmp_path / "t.jsonl"
    limits = ("--requests-per-minute", "120", "--window", "1", "--latency", "0.05")
    words = (
        "--trace",
        str(trace),
        "--check",
        "--allow-quiet",
        "--",
        "sh",
        str(EXAMPLES / "agent.sh"),
    )
    ran = run(*limits, "--trace", str(trace), *words, cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines() == ["What changed?: 200", "Who changed it?: 200", "Why?: 200"]
    assert {call.caller for call in Trace.load(trace).calls} == {"agent.sh"}
    assert [call.succeeded for call in Trace.load(trace).calls] == [True] * 3


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_clients_in_node_are_judged(tmp_path):
    """The official SDKs of Anthropic and OpenAI for Node.js are answered, streamed and judged."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("Node.js and npm are not installed")
    for name in ("client.mjs", "package.json"):
        shutil.copy(EXAMPLES / name, tmp_path)
    install = ["npm", "install", "--no-audit", "--no-fund", "--silent"]
    installed = subprocess.run(install, cwd=tmp_path, capture_output=True, text=True, check=False)
    if installed.returncode:
        pytest.skip(f"the SDKs cannot be had from the npm registry: {installed.stderr[:200]}")
    path = tmp_path / "t.jsonl"
    limits = ["--requests-per-minute", "120", "--window", "1", "--hint", "ms"]
    ran = run(*FAST, *limits, "--trace", str(path), "--", "node", "client.mjs", cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    sentence = "This is a fixed answer from a fake provider."
    assert ran.stdout.splitlines() == [sentence] * 8
    trace = Trace.load(path)
    assert {a.dialect for a in trace.attempts} == {"anthropic", "openai"}
    assert [call.succeeded for call in trace.calls] == [True] * 8
    assert trace.refused
    assert {a.layer for a in trace.retries} == {"sdk"}
    assert sum(a.stream and a.succeeded for a in trace.attempts) == 2

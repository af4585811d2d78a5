"""The demo: the incident on the real SDK and real tenacity, broken and repaired."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from fake_provider import Trace
from pytest_ratelimit import FindingsError, assert_well_behaved
from pytest_ratelimit.__main__ import main
from pytest_ratelimit._demo import broken, repaired
from pytest_ratelimit._demo.replay import LIMITS, replay, replay_all, replay_in_threads

ROOT = Path(__file__).parent.parent.parent
ENGINES = ["asyncio", "threads"]
SUMMARY = [
    "makespan_s",
    "attempts",
    "refused",
    "retries",
    "first_wave_refused",
    "amplification",
    "findings",
    "notes",
    "wall_s",
]
# In a process of its own: the demo with one of its packages hidden from the import system.
HIDE = """
import sys

class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name == {name!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Hidden())
from pytest_ratelimit.__main__ import main
sys.exit(main(["demo"]))
"""


@pytest.fixture(scope="module", params=ENGINES)
def runs(request):
    """The three runs of one engine."""
    return replay_all(threads=request.param == "threads")


def dumped(engine: str, job: str = "broken", seed: int = 0) -> str:
    """The trace of one run, as a file holds it."""
    module = {"broken": broken, "repaired": repaired}[job]
    if engine == "threads":
        run = replay_in_threads(module.run_in_threads, LIMITS, seed)
    else:
        run = replay(module.run, LIMITS, seed)
    file = io.StringIO()
    run.trace.dump(file)
    return file.getvalue()


def test_the_figures_are_the_reports(runs):
    """Without a limit 30 s, on the day 852 s with 8 refused at first, repaired 38.7 s, no retry."""
    makespans = {name: run.trace.makespan for name, run in runs.items()}
    assert makespans == {
        "unlimited": pytest.approx(30, rel=0.05),
        "incident": pytest.approx(852, rel=0.05),
        "repaired": pytest.approx(38.7, rel=0.05),
    }
    assert runs["incident"].summary()["first_wave_refused"] == 8
    assert runs["repaired"].summary()["retries"] == 0


def test_every_run_does_the_same_work(runs):
    """Each run ends with all 52 calls answered."""
    assert {sum(a.succeeded for a in run.trace.attempts) for run in runs.values()} == {52}


@pytest.mark.parametrize(
    ("diagnosis", "codes"),
    [
        ("no jitter", {"RL101", "RL102"}),
        ("no shared budget", {"RL201", "RL202"}),
        ("retries inside the window", {"RL103", "RL105"}),
    ],
)
def test_the_broken_job_fails_on_each_diagnosis(runs, diagnosis, codes):
    """The broken job is condemned for all three faults that the report names."""
    with pytest.raises(FindingsError) as caught:
        assert_well_behaved(runs["incident"].trace)
    errors = {finding.code for finding in caught.value.findings}
    assert errors & codes, diagnosis


def test_the_repaired_job_passes(runs):
    """Jitter and a shared budget pass every check; nothing was refused, which is to be allowed."""
    assert_well_behaved(runs["repaired"].trace, strict=True, allow_quiet=True)
    with pytest.raises(FindingsError, match=r"^RL902"):
        assert_well_behaved(runs["repaired"].trace)


@pytest.mark.parametrize("options", [[], ["--threads"]], ids=ENGINES)
def test_json_is_one_object_and_the_trace_file_holds_the_broken_run(options, tmp_path, capsys):
    """`--json` prints the figures of each run; `--trace FILE` keeps the broken one to be loaded."""
    file = tmp_path / "incident.jsonl"
    assert main(["demo", "--json", *options, "--trace", str(file)]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert list(printed) == ["unlimited", "incident", "repaired"]
    assert [list(run) for run in printed.values()] == [SUMMARY] * 3
    assert printed["unlimited"]["makespan_s"] == pytest.approx(30, rel=0.05)
    assert printed["incident"]["makespan_s"] == pytest.approx(852, rel=0.05)
    assert printed["incident"]["first_wave_refused"] == 8
    assert printed["repaired"]["makespan_s"] == pytest.approx(38.7, rel=0.05)
    assert printed["repaired"]["retries"] == 0
    assert printed["repaired"]["findings"] == []
    trace = Trace.load(file)
    assert len(trace.attempts) == printed["incident"]["attempts"]
    assert len(trace.refused) == printed["incident"]["refused"]
    assert trace.makespan == pytest.approx(printed["incident"]["makespan_s"], abs=1e-3)


@pytest.mark.parametrize("missing", ["anthropic", "tenacity"])
def test_a_missing_package_is_named_with_its_extra(missing):
    """Without one of its packages the demo says which extra to install, and ends with status 2."""
    result = subprocess.run(
        [sys.executable, "-c", HIDE.format(name=missing)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 2, result.stderr
    assert result.stdout == (
        f"pytest-ratelimit demo needs {missing}, which is not installed: "
        "pip install 'pytest-ratelimit[demo]'\n"
    )
    assert result.stderr == ""


@pytest.mark.parametrize("engine", ENGINES)
def test_three_runs_of_one_seed_are_one_trace(engine):
    """Three runs of the broken job with one seed write the same bytes."""
    assert len({dumped(engine) for _ in range(3)}) == 1


@pytest.mark.slow
@pytest.mark.parametrize("job", ["broken", "repaired"])
@pytest.mark.parametrize("engine", ENGINES)
def test_twenty_runs_of_one_seed_are_one_trace(engine, job):
    """Twenty runs of a job with one seed write the same bytes."""
    assert len({dumped(engine, job, seed=7) for _ in range(20)}) == 1


@pytest.mark.slow
@pytest.mark.parametrize("options", [[], ["--threads"]], ids=ENGINES)
def test_runs_in_other_processes_are_the_same_trace(options, tmp_path):
    """Processes with different hash seeds write the same bytes."""
    written = set()
    for number in range(3):
        file = tmp_path / f"{number}.jsonl"
        subprocess.run(
            [sys.executable, "-m", "pytest_ratelimit", "demo", *options, "--trace", str(file)],
            cwd=ROOT,
            env={"PATH": "/usr/bin:/bin", "PYTHONHASHSEED": str(number)},
            capture_output=True,
            check=True,
        )
        written.add(file.read_bytes())
    assert len(written) == 1


@pytest.mark.parametrize("engine", ENGINES)
def test_another_seed_is_another_trace(engine):
    """Another seed gives other service times and pauses, and so another trace."""
    assert dumped(engine, seed=1) != dumped(engine, seed=2)

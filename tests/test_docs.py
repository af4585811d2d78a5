"""The documentation: its code is run, and its output is what is printed.

A fenced block says in a comment above it where it comes from: a file of which it is a part
(`<!-- tests/examples/... -->`), or a run that prints it (`<!-- printed by: lockstep -->`).
"""

from __future__ import annotations

import re
import runpy
import shlex
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

# Imported here because pytester forgets what a nested run imported: these take seconds, and virtual
# time must not be imported twice in one process.
import anthropic  # noqa: F401
import anyio  # noqa: F401
import boto3  # noqa: F401
import freezegun  # noqa: F401
import hypothesis  # noqa: F401
import openai  # noqa: F401
import pytest
import time_machine  # noqa: F401
import trio  # noqa: F401

import fake_provider._mockers
import fake_provider._provider  # noqa: F401
import pytest_ratelimit._asserts  # noqa: F401
from fake_provider.__main__ import options_of
from fake_provider._cli._flags import provider_of
from pytest_ratelimit.__main__ import main

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "tests" / "examples"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
README_COMMANDS = (
    "python3 -m pip install --quiet '.[demo]' && python3 -m pytest_ratelimit demo",
    "python3 -m pip install --quiet -e '.[demo]' -r tests/requirements.txt && python3 -m pytest",
)
# Commands that this file does not run: they install, they run the tests, or test_demo.py has them.
OTHER_COMMANDS = (
    *README_COMMANDS,
    "python3 -m pip install '.[demo]'",
    "python3 -m pip install -e '.[demo]' -r tests/requirements.txt",
    "python3 -m pytest",
    "python3 -m pytest -m slow",
    "python3 -m pytest_ratelimit demo --json",
    "python3 -m pytest_ratelimit demo --threads --trace incident.jsonl",
    "python3 -m tests.fake_provider.sdks.environments DIRECTORY",
    "python3 -m tests.run_cases",
    ".ci/run",
    "BASE_URLS=http://127.0.0.1:8001 locust --headless -u 12 -r 100 --provider-trace sent.jsonl",
    "locust --master --headless -u 1000 -r 100 --expect-workers 2 --provider-trace sent.jsonl",
    "locust --worker --master-host 10.0.0.8",
)


@dataclass(frozen=True)
class Run:
    """Examples that are run together by pytest, in a folder of their own.

    Args:
        files: Paths below tests/examples; a folder stands for its files.
        passed: Tests that pass.
        failed: Tests that fail, on purpose.
        as_: New names by path.
        args: Options of pytest.
    """

    files: tuple[str, ...]
    passed: int = 0
    failed: int = 0
    as_: dict[str, str] = field(default_factory=dict)
    args: tuple[str, ...] = ()


LOCKSTEP = {"pipeline/lockstep.py": "pipeline.py"}
RUNS = {
    "lockstep": Run(
        ("pipeline/test_pipeline.py", "pipeline/lockstep.py"),
        failed=1,
        as_={"pipeline/lockstep.py": "pipeline.py"},
    ),
    "patient": Run(
        ("pipeline/test_pipeline.py", "pipeline/patient.py"),
        passed=1,
        as_={"pipeline/patient.py": "pipeline.py"},
    ),
    "budgeted, not exercised": Run(
        ("pipeline/test_pipeline.py", "pipeline/budgeted.py"),
        failed=1,
        as_={"pipeline/budgeted.py": "pipeline.py"},
    ),
    "budgeted": Run(
        ("pipeline/test_budget.py", "pipeline/budgeted.py"),
        passed=1,
        as_={"pipeline/budgeted.py": "pipeline.py"},
    ),
    "threads and async": Run(("threads_and_async",), passed=4),
    "accepting": Run(
        ("accepting/test_accepting.py", "pipeline/patient.py"),
        passed=1,
        as_={"pipeline/patient.py": "pipeline.py"},
    ),
    "accepting less": Run(
        (
            "accepting/test_levels.py",
            "accepting/test_policies.py",
            "accepting/test_intentions.py",
            "pipeline/lockstep.py",
        ),
        passed=4,
        as_={"pipeline/lockstep.py": "pipeline.py"},
    ),
    "callers": Run(("callers",), passed=2),
    "refusals": Run(("refusals",), passed=8),
    "properties": Run(("properties",), passed=4),
    "real clock": Run(("real_clock",), passed=2),
    "neighbours": Run(("neighbours",), passed=5),
    "windows": Run(("windows",), passed=2),
    "other processes": Run(("other_processes",), passed=1),
    "gate": Run(
        ("gate", "pipeline/lockstep.py"),
        failed=1,
        as_=LOCKSTEP,
        args=("--ratelimit-report=out/report.md", "--ratelimit-report=out/report.html"),
    ),
    "baseline written": Run(
        ("gate", "pipeline/lockstep.py"),
        passed=1,
        as_=LOCKSTEP,
        args=("--ratelimit-baseline=known.json", "--ratelimit-write-baseline"),
    ),
    "baseline": Run(
        ("gate", "adopted", "pipeline/lockstep.py"),
        passed=1,
        as_=LOCKSTEP,
        args=("--ratelimit-baseline=known.json",),
    ),
    "baseline, repaired": Run(
        ("gate", "adopted", "pipeline/patient.py"),
        passed=1,
        as_={"pipeline/patient.py": "pipeline.py"},
        args=("--ratelimit-baseline=known.json",),
    ),
    "existing": Run(("existing",), failed=1, args=("--ratelimit-gate",)),
    "suites": Run(("suites/test_unittest.py", "suites/test_helpers.py"), passed=4),
}
# Scripts of one folder by the run's name, each with its arguments, run one after the other.
SCRIPTS: dict[str, tuple[str, ...]] = {
    "judge": ("traces", "record.py", "judge.py"),
    "obeying": ("obeying", "measure.py"),
    "notebook": ("notebook", "cell.py"),
    "sliding window": ("incident", "sliding_window.py"),
    "simulating": ("simulating", "fleet.py"),
}
SLOW_SCRIPTS = {"obeying, 20 seeds": ("obeying", "measure.py 20")}
# Commands of ours by the run's name, in a folder of the examples, with their exit status.
COMMANDS = {
    "audit of one": ("auditing", "audit policies:patient", 0),
    "audit of several": (
        "auditing",
        "audit policies:lockstep policies:patient policies:gentle",
        1,
    ),
}
# Folders of the examples that the tests of their subject run.
RUN_ELSEWHERE = {
    "load": "fake_provider/server/test_locust.py",
    "other_languages": "fake_provider/server/test_run.py",
}
NOT_RUN = {"conftest.py", "ruff.toml"}


@dataclass(frozen=True)
class Block:
    """A fenced block of a page.

    Args:
        page: Path below the root.
        line: Line of the opening fence, from 1.
        language: What stands after the fence.
        source: The comment above it, without its marks; empty if there is none.
        lines: Its lines.
    """

    page: str
    line: int
    language: str
    source: str
    lines: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks_of(page: Path) -> Iterator[Block]:
    """Every fenced block of a page."""
    lines = page.read_text(encoding="utf-8").splitlines()
    opened = None
    for number, line in enumerate(lines):
        fence = re.match(r" *```(.*)", line)
        if fence is None:
            continue
        if opened is None:
            opened, language = number, fence.group(1).strip()
            continue
        comment = re.fullmatch(r" *<!-- (.*) -->", lines[opened - 1]) if opened else None
        indent = len(lines[opened]) - len(lines[opened].lstrip())
        inside = tuple(text[indent:] for text in lines[opened + 1 : number])
        source = comment.group(1) if comment else ""
        yield Block(str(page.relative_to(ROOT)), opened + 1, language, source, inside)
        opened = None
    assert opened is None, f"{page}: a fence is not closed"


BLOCKS = [block for page in PAGES for block in blocks_of(page)]
CODE = [block for block in BLOCKS if block.language not in ("console", "text")]
PRINTED = [block for block in BLOCKS if block.source.startswith("printed by: ")]


def run_of(block: Block) -> str:
    """The run that prints a block."""
    return block.source.removeprefix("printed by: ")


def assert_prints(name: str, output: str) -> None:
    """Every block that this run prints is in its output, line by line; `...` leaves lines out.

    What pytest puts before a line, and the seconds of real time that end a row, do not count.
    """
    printed = [without_real_time(line.rstrip()) for line in output.splitlines()]
    for block in (block for block in PRINTED if run_of(block) == name):
        at, skips = 0, True
        for line in block.lines:
            if line == "...":
                skips = True
                continue
            wanted = without_real_time(line)
            ends = [n for n in range(at, len(printed)) if ends_with(printed[n], wanted)]
            assert ends, f"{block}: {name} does not print {line!r} there"
            assert skips or ends[0] == at, f"{block}: {name} prints {printed[at]!r} before {line!r}"
            at, skips = ends[0] + 1, False


def without_real_time(line: str) -> str:
    """A row of the demo's table without its last column, which is real time, and its padding."""
    return re.sub(r" +(wall|\d+\.\d\d s)$", "", line)


def ends_with(line: str, wanted: str) -> bool:
    """Whether a line is the wanted one, or pytest's mark or the error's class and that."""
    return line == wanted or (
        line.endswith(wanted) and bool(re.fullmatch(r"E\s*([\w.]+: )?", line.removesuffix(wanted)))
    )


def copy_example(folder: Path, path: str, name: str) -> None:
    """Copy a file of the examples, or a folder's files, into a folder."""
    source = EXAMPLES / path
    for file in sorted(source.iterdir()) if source.is_dir() else [source]:
        if file.is_file():
            shutil.copy(file, folder / (name if file == source else file.name))


# ---------------------------------------------------------------------- code is run


@pytest.mark.parametrize("name", RUNS)
def test_the_examples_end_as_the_pages_say(name, pytester, monkeypatch):
    """Each example passes or fails as stated, and prints what the pages show."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    run = RUNS[name]
    for path in run.files:
        copy_example(pytester.path, path, run.as_.get(path, Path(path).name))
    plugins = ("pytest_ratelimit.plugin", "pytest_asyncio.plugin", "anyio.pytest_plugin")
    options = [word for plugin in plugins for word in ("-p", plugin)]
    options += ["-p", "no:cacheprovider", "-o", "asyncio_default_fixture_loop_scope=function"]
    result = pytester.runpytest(*options, *run.args)
    result.assert_outcomes(passed=run.passed, failed=run.failed)
    assert_prints(name, result.stdout.str())
    if "--ratelimit-write-baseline" in run.args:
        written = (pytester.path / "known.json").read_text()
        assert written == (EXAMPLES / "adopted" / "known.json").read_text()


def run_scripts(name, folder, commands, monkeypatch, capsys, path):
    """Run scripts of one folder of the examples in a folder of their own."""
    copy_example(path, folder, "")
    monkeypatch.chdir(path)
    monkeypatch.syspath_prepend(str(path))
    for command in commands:
        monkeypatch.setattr(sys, "argv", shlex.split(command))
        runpy.run_path(sys.argv[0], run_name="__main__")
    sys.modules.pop("clients", None)
    assert_prints(name, capsys.readouterr().out)


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_scripts_print_what_the_pages_show(name, tmp_path, monkeypatch, capsys):
    """Each script runs, and prints what the pages show."""
    folder, *commands = SCRIPTS[name]
    run_scripts(name, folder, commands, monkeypatch, capsys, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", SLOW_SCRIPTS)
def test_the_long_scripts_print_what_the_pages_show(name, tmp_path, monkeypatch, capsys):
    """Each script that takes long prints what the pages show."""
    folder, *commands = SLOW_SCRIPTS[name]
    run_scripts(name, folder, commands, monkeypatch, capsys, tmp_path)


def test_the_demo_prints_what_the_pages_show(capsys):
    """The demo prints what the pages show."""
    assert main(["demo"]) == 0
    assert_prints("demo", capsys.readouterr().out)


@pytest.mark.parametrize("name", COMMANDS)
def test_our_commands_print_what_the_pages_show(name, tmp_path, monkeypatch, capsys):
    """Each command of ours ends as stated, and prints what the pages show."""
    folder, words, status = COMMANDS[name]
    copy_example(tmp_path, folder, "")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    try:
        assert main(shlex.split(words)) == status
    finally:
        sys.modules.pop("policies", None)
    assert_prints(name, capsys.readouterr().out)


# ---------------------------------------------------------------------- nothing is left out


def test_every_block_of_code_is_part_of_a_file():
    """Code on a page is a file of the examples or of the demo, or consecutive lines of one."""
    for block in CODE:
        assert block.source, f"{block}: no comment above it says which file it is from"
        assert block.source.startswith(("tests/examples/", "pytest_ratelimit/_demo/")), block
        text = "\n" + (ROOT / block.source).read_text(encoding="utf-8")
        assert "\n" + "\n".join(block.lines) + "\n" in text, f"{block} differs from its file"


def test_the_readme_s_example_is_a_whole_file_that_is_run_red_and_green():
    """The README's first block of code is the whole file that both clients are run on."""
    first = next(block for block in CODE if block.page == "README.md")
    assert "\n".join(first.lines) + "\n" == (ROOT / first.source).read_text(encoding="utf-8")
    example = first.source.removeprefix("tests/examples/")
    assert [(example in RUNS[n].files, RUNS[n].passed) for n in ("lockstep", "patient")] == [
        (True, 0),
        (True, 1),
    ]


def test_every_example_is_run_and_shown():
    """There is no file among the examples that no test runs, or that no page shows."""
    files = {str(path.relative_to(EXAMPLES)) for path in EXAMPLES.rglob("*") if path.is_file()}
    files = {f for f in files if "__pycache__" not in f and not f.startswith(".")} - NOT_RUN
    stated = [path for run in RUNS.values() for path in run.files]
    stated += [folder for folder, *_ in (*SCRIPTS.values(), *SLOW_SCRIPTS.values())]
    stated += [folder for folder, *_ in COMMANDS.values()]
    for folder, tests in RUN_ELSEWHERE.items():
        assert f'"{folder}"' in (ROOT / "tests" / tests).read_text(encoding="utf-8")
        stated.append(folder)
    not_run = {file for file in files if not {file, file.partition("/")[0]} & set(stated)}
    assert not not_run
    shown = {block.source.removeprefix("tests/examples/") for block in CODE}
    assert files <= shown


def test_every_printed_block_names_its_run():
    """Each block of text says which run prints it, and that run exists."""
    runs = {*RUNS, *SCRIPTS, *SLOW_SCRIPTS, *COMMANDS, "demo"}
    for block in BLOCKS:
        if block.language == "text" and block.source != "a diagram":
            assert block in PRINTED, f"{block}: no comment above it says what prints it"
            assert run_of(block) in runs, f"{block}: no run is called {run_of(block)!r}"


def test_every_command_is_known():
    """Each line of a console block is a command that a test runs, or one of a stated few."""
    scripts = {file for _, *files in SCRIPTS.values() for file in files}
    ours = {words for _, words, _ in COMMANDS.values()}
    for block in BLOCKS:
        for line in block.lines if block.language == "console" else ():
            run = re.fullmatch(r"python3 -m pytest (test_\w+\.py)", line)
            words = {part.strip().removeprefix("python3 ") for part in line.split("&&")}
            known = line in OTHER_COMMANDS or words <= scripts
            known |= line.removeprefix("python3 -m pytest_ratelimit ") in ours
            known |= is_ours(line)
            known |= run is not None and any(EXAMPLES.glob(f"*/{run[1]}"))
            known |= line in {f"python3 -m pytest {' '.join(run.args)}" for run in RUNS.values()}
            assert known, f"{block}: {line!r} is run by no test"


def test_the_commands_of_the_workflow_are_known():
    """What the CI's file runs pytest with is what a run of this file runs it with."""
    lines = (EXAMPLES / "gate" / "ci.yml").read_text(encoding="utf-8").splitlines()
    commands = [line.partition("run: ")[2] for line in lines if "run: python3" in line]
    assert commands == [f"python3 -m pytest {' '.join(RUNS['gate'].args)}"]


def is_ours(line: str) -> bool:
    """Whether a line is a command of the provider's, with flags that make one, or checks traces."""
    name, *words = shlex.split(line)
    if (name, *words[:1]) == ("pytest-ratelimit", "check"):
        return all(word.endswith(".jsonl") for word in words[1:])
    if name != "fake-provider":
        return False
    options = options_of(words)
    if options.command != "presets":
        provider_of(options)
    return True


def test_the_readme_begins_with_the_two_commands():
    """The first two console blocks of the README hold one line each: see it, and test it."""
    commands = [b.lines for b in BLOCKS if b.page == "README.md" and b.language == "console"]
    assert commands[:2] == [(command,) for command in README_COMMANDS]


def test_the_readme_s_first_screen_is_short():
    """What stands before the README's second heading of its kind is at most 40 lines."""
    head = (ROOT / "README.md").read_text(encoding="utf-8").partition("\n## ")[0]
    assert len(head.splitlines()) <= 40


def test_links_lead_somewhere():
    """Every relative link leads to a file, and every anchor to a heading of it."""
    for page in PAGES:
        for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
            if target.startswith("https://"):
                continue
            path, _, anchor = target.partition("#")
            file = (page.parent / path).resolve() if path else page
            assert file.exists(), f"{page.name}: {target} leads nowhere"
            assert not anchor or anchor in anchors_of(file), f"{page.name}: no anchor {target}"


def anchors_of(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}

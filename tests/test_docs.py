"""The documentation: its code is run, its output is what is printed, its lists are complete.

A fenced block says in a comment above it where it comes from: a file of which it is a part
(`<!-- tests/examples/... -->`), or a run that prints it (`<!-- printed by: lockstep -->`).
"""

from __future__ import annotations

import inspect
import io
import json
import math
import re
import runpy
import shlex
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path

# Imported here because pytester forgets what a nested run imported, and these take seconds.
import anthropic  # noqa: F401
import anyio  # noqa: F401
import freezegun  # noqa: F401
import hypothesis  # noqa: F401
import openai  # noqa: F401
import pytest
import time_machine  # noqa: F401
import trio  # noqa: F401

import fake_provider
import fake_provider._mockers
import fake_provider.virtual_time
import pytest_ratelimit
import pytest_ratelimit._asserts
from fake_provider import Attempt, FakeProvider, Limit, Trace
from fake_provider._presets import PRESETS
from pytest_ratelimit.__main__ import main
from pytest_ratelimit._checks import CHECKED
from pytest_ratelimit._findings import CODES
from pytest_ratelimit._stats import tightest_cluster

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
    "python3 -m tests.run_cases",
    ".ci/run",
)


@dataclass(frozen=True)
class Run:
    """Examples that are run together by pytest, in a folder of their own.

    Args:
        files: Paths below tests/examples; a folder stands for its files.
        passed: Tests that pass.
        failed: Tests that fail, on purpose.
        as_: New names by path.
    """

    files: tuple[str, ...]
    passed: int = 0
    failed: int = 0
    as_: dict[str, str] = field(default_factory=dict)


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
        ("accepting/test_levels.py", "accepting/test_policies.py", "pipeline/lockstep.py"),
        passed=3,
        as_={"pipeline/lockstep.py": "pipeline.py"},
    ),
    "callers": Run(("callers",), passed=2),
    "refusals": Run(("refusals",), passed=3),
    "properties": Run(("properties",), passed=1),
    "real clock": Run(("real_clock",), passed=2),
    "neighbours": Run(("neighbours",), passed=4),
    "windows": Run(("windows",), passed=2),
}
# Scripts of one folder by the run's name, each with its arguments, run one after the other.
SCRIPTS: dict[str, tuple[str, ...]] = {
    "judge": ("traces", "record.py", "judge.py"),
    "obeying": ("obeying", "measure.py"),
    "sliding window": ("incident", "sliding_window.py"),
}
SLOW_SCRIPTS = {"obeying, 20 seeds": ("obeying", "measure.py 20")}
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
    printed = [re.sub(r"\d+\.\d\d s$", "0.00 s", line.rstrip()) for line in output.splitlines()]
    for block in (block for block in PRINTED if run_of(block) == name):
        at, skips = 0, True
        for line in block.lines:
            if line == "...":
                skips = True
                continue
            wanted = re.sub(r"\d+\.\d\d s$", "0.00 s", line)
            ends = [n for n in range(at, len(printed)) if ends_with(printed[n], wanted)]
            assert ends, f"{block}: {name} does not print {line!r} there"
            assert skips or ends[0] == at, f"{block}: {name} prints {printed[at]!r} before {line!r}"
            at, skips = ends[0] + 1, False


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
    result = pytester.runpytest(*options)
    result.assert_outcomes(passed=run.passed, failed=run.failed)
    assert_prints(name, result.stdout.str())


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


# ---------------------------------------------------------------------- nothing is left out


def test_every_block_of_code_is_part_of_a_file():
    """Code on a page is a file of the examples or of the demo, or consecutive lines of one."""
    for block in CODE:
        assert block.source, f"{block}: no comment above it says which file it is from"
        assert block.source.startswith(("tests/examples/", "pytest_ratelimit/_demo/")), block
        text = "\n" + (ROOT / block.source).read_text(encoding="utf-8")
        assert "\n" + "\n".join(block.lines) + "\n" in text, f"{block} differs from its file"


def test_every_example_is_run_and_shown():
    """There is no file among the examples that no test runs, or that no page shows."""
    files = {
        str(path.relative_to(EXAMPLES))
        for path in EXAMPLES.rglob("*")
        if path.is_file() and not re.search(r"/(__pycache__|\.\w+)/", str(path))
    } - NOT_RUN
    stated = [path for run in RUNS.values() for path in run.files]
    stated += [folder for folder, *_ in (*SCRIPTS.values(), *SLOW_SCRIPTS.values())]
    not_run = {file for file in files if not {file, file.partition("/")[0]} & set(stated)}
    assert not not_run
    shown = {block.source.removeprefix("tests/examples/") for block in CODE}
    assert files <= shown


def test_every_printed_block_names_its_run():
    """Each block of text says which run prints it, and that run exists."""
    runs = {*RUNS, *SCRIPTS, *SLOW_SCRIPTS, "demo"}
    for block in BLOCKS:
        if block.language == "text" and block.source != "a diagram":
            assert block in PRINTED, f"{block}: no comment above it says what prints it"
            assert run_of(block) in runs, f"{block}: no run is called {run_of(block)!r}"


def test_every_command_is_known():
    """Each line of a console block is a command that a test runs, or one of a stated few."""
    scripts = {file for _, *files in SCRIPTS.values() for file in files}
    for block in BLOCKS:
        for line in block.lines if block.language == "console" else ():
            run = re.fullmatch(r"python3 -m pytest (test_\w+\.py)", line)
            words = {part.strip().removeprefix("python3 ") for part in line.split("&&")}
            known = line in OTHER_COMMANDS or words <= scripts
            known |= run is not None and any(EXAMPLES.glob(f"*/{run[1]}"))
            assert known, f"{block}: {line!r} is run by no test"


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


# ---------------------------------------------------------------------- lists are complete


def page(path: str) -> str:
    """The text of a page below docs/."""
    return (ROOT / "docs" / path).read_text(encoding="utf-8")


def sections_of(text: str) -> dict[str, str]:
    """The sections of a page by their headings of the second level."""
    parts = re.split(r"^## (.*)$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def rows_of(text: str) -> list[list[str]]:
    """The rows of the tables in a text, without their heads; each cell stripped."""
    rows = [line.strip("|").split(" | ") for line in text.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in row] for row in rows]


def names_of(text: str) -> list[str]:
    """What the first column of the tables in a text names."""
    return [row[0].strip("`") for row in rows_of(text)]


def test_findings_has_a_heading_for_each_code():
    """The headings are the codes with their names, in their order."""
    headings = [name for name in sections_of(page("reference/findings.md")) if name[:2] == "RL"]
    assert headings == [f"{code} {CODES[code].name}" for code in CODES]


@pytest.mark.parametrize("code", CODES)
def test_findings_says_what_there_is_to_say(code):
    """A section says meaning, evidence, cause, remedy, threshold and how to accept it.

    One of a code that no check looks for says that instead.
    """
    section = sections_of(page("reference/findings.md"))[f"{code} {CODES[code].name}"]
    labels = re.findall(r"^- \*\*(.*?)\.\*\*", section, re.MULTILINE)
    if code in CHECKED:
        assert labels == ["Evidence", "Cause", "Remedy", "Threshold", "Accept"]
        assert "No check looks for it yet" not in section
    else:
        assert "No check looks for it yet" in section


def test_the_readme_lists_the_findings_that_are_checked():
    """The README's table names every code that a check looks for, and no other."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = [row for row in rows_of(text) if re.fullmatch(r"`RL\d+`", row[0])]
    assert [row[0].strip("`") for row in rows] == list(CHECKED)
    assert [row[1] for row in rows] == [CODES[code].name for code in CHECKED]


def test_configuration_lists_every_keyword_with_its_default():
    """The table has the keywords of FakeProvider in their order, then the judge's own."""
    listed = [(row[0].strip("`"), row[2].strip("`")) for row in rows_of(page(CONFIGURATION))]
    signature = inspect.signature(FakeProvider).parameters.values()
    keywords = [
        (parameter.name, repr(parameter.default).replace("'", '"'))
        for parameter in signature
        if parameter.kind is parameter.KEYWORD_ONLY
    ]
    assert listed == [*keywords, ("alpha", "None"), ("ignore", "{}")]


CONFIGURATION = "reference/configuration.md"
OUTSIDE = {
    "tokens_per_minute": 0,
    "input_tokens_per_minute": 0,
    "output_tokens_per_minute": 1.5,
    "requests_per_minute": -1,
    "requests_per_day": 0,
    "tokens_per_day": 0,
    "concurrent_requests": 0,
    "count_tokens_per_minute": 0,
    "window": 0.0,
    "algorithm": "leaky",
    "burst": 0,
    "floor": 1,
    "charge_rejected": 1.1,
    "preset": "none",
    "tokens_per_request": -1,
    "output_tokens": -1,
    "latency": -0.1,
    "hint": "minutes",
    "seed": -1,
    "dialect": "latin",
    "hosts": {"llm.corp": "latin"},
    "door": "back",
    "clock": "sundial",
    "start": "yesterday",
    "schedule": "lifo",
    "stop_after": 0.0,
}
UNBOUNDED = {"allow_hosts", "strict_clock", "alpha", "ignore"}


@pytest.mark.parametrize("keyword", OUTSIDE)
def test_a_value_outside_its_range_is_refused(keyword):
    """Every keyword with a range in the table refuses a value outside it."""
    with pytest.raises(ValueError, match=r"must be|needs"):
        FakeProvider(**{keyword: OUTSIDE[keyword]})


def test_every_keyword_has_a_value_outside_its_range_or_none():
    """The test above leaves out no keyword of the table but those without a range."""
    assert set(names_of(page(CONFIGURATION))) == {*OUTSIDE, *UNBOUNDED}


def test_trace_format_lists_every_field():
    """The three tables are the fields of the header, of a limit and of an attempt."""
    sections = sections_of(page("reference/trace-format.md"))
    header = io.StringIO()
    Trace().dump(header)
    assert names_of(sections["Header"]) == list(json.loads(header.getvalue()))
    assert names_of(sections["A limit"]) == [f.name for f in fields(Limit)]
    assert names_of(sections["An attempt"]) == [f.name for f in fields(Attempt)]


@pytest.mark.parametrize(
    "module",
    [fake_provider, fake_provider.virtual_time, pytest_ratelimit],
    ids=lambda m: m.__name__,
)
def test_api_lists_every_public_name(module):
    """Each module's table is its `__all__`."""
    section = sections_of(page("reference/api.md"))[f"`{module.__name__}`"]
    assert names_of(section) == sorted(module.__all__)


def test_fidelity_lists_every_preset():
    """The table of presets has their names and their amounts."""
    kinds = ("requests", "input_tokens", "output_tokens")
    rows = rows_of(sections_of(page("reference/fidelity.md"))["Presets"])
    listed = {row[0].strip("`"): [int(cell.replace(",", "")) for cell in row[1:]] for row in rows}
    amounts = {name: {limit.kind: limit.amount for limit in PRESETS[name]} for name in PRESETS}
    assert listed == {name: [own[kind] for kind in kinds] for name, own in amounts.items()}


def test_judging_jitter_s_tables_are_computed():
    """The least evidence and the least range are what the formulas of the checks give."""
    section = sections_of(page("explanation/judging-jitter.md"))["Least evidence"]
    rows = {row[0].strip("`"): row[1:] for row in rows_of(section)}
    jitter = 0.1
    for name, alpha, resolution in (("virtual, 1e-5", 1e-5, 1e-6), ("real, 1e-3", 1e-3, 5e-3)):
        equal = next(n for n in range(2, 99) if n * (resolution / jitter) ** (n - 1) <= alpha)
        growth = [
            math.ceil((math.log(3) - math.log(alpha)) / ((delays - 1) * math.log(2)))
            for delays in (4, 3, 2)
        ]
        assert rows.pop(name) == [str(number) for number in (equal, *growth)]
    for n, listed in ((int(n), row) for n, row in rows.items()):
        assert listed == [f"{widest_range(n, alpha):.3f}" for alpha in (1e-5, 1e-3)]


def widest_range(n: int, alpha: float) -> float:
    """The widest range, as a share of the jitter, in which n evenly spread delays are rejected."""
    low, high = 0.0, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        cluster = tightest_cluster([middle * i / (n - 1) for i in range(n)], 1.0)
        low, high = (middle, high) if cluster.log_p <= math.log(alpha) else (low, middle)
    return low

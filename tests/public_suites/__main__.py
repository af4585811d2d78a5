"""Run public suites in real time and under the virtual clock: `python -m tests.public_suites`.

It needs the registry, and an environment that has, beside the requirements of the tests, what the
suites and the builds of their source archives import::

    pip install tornado typeguard dirty-equals nest-asyncio http-snapshot inline-snapshot \\
        setuptools wheel setuptools_scm hatchling hatch-vcs hatch-fancy-pypi-readme

On 2026-11-25 (CPython 3.11.7) both suites pass in both kinds of time: tenacity 9.1.4 with 126 tests
and 12 subtests, 18.4 virtual seconds; `tests/test_client.py` of anthropic 2.13.0 with 232 tests (2
are skipped: their own authors switched them off), 6.0 virtual seconds. The one border that is
crossed: three tests of tenacity make thousands of policies in a row, each of which reads the clock,
and are taken for busy waits; a few virtual milliseconds pass.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tempfile
from importlib.metadata import version
from pathlib import Path

SUITES = {"tenacity": "tests", "anthropic": "tests/test_client.py"}
CHECKOUT = Path(__file__).parents[2]


def unpacked(name: str, folder: Path) -> Path:
    """Download the source of the installed version of a package; returns where it is."""
    download = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-build-isolation"]
    requirement = f"{name}=={version(name)}"
    subprocess.run([*download, "--no-binary", ":all:", "-d", folder, requirement], check=True)
    (archive,) = folder.glob(f"{name}-*.tar.gz")
    with tarfile.open(archive) as files:
        files.extractall(folder, filter="data")
    return folder / archive.name.removesuffix(".tar.gz")


def last_lines(suite: Path, target: str, *options: str) -> str:
    """Run a suite; returns what pytest says at its end."""
    # Not our own plugin, nor its settings for hypothesis: they are no part of this.
    path = os.pathsep.join([str(CHECKOUT), str(CHECKOUT / "tests" / "public_suites")])
    environment = {**os.environ, "PYTHONPATH": path, "HYPOTHESIS_NO_PLUGINS": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:ratelimit", "-n", "0"]
    run = subprocess.run(
        [*command, *options, target],
        cwd=suite,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    lines = run.stdout.strip().splitlines()
    told = ("border:", "FAILED", "ERROR")
    return "\n    ".join([*[line for line in lines if line.startswith(told)][:10], *lines[-2:]])


def main() -> None:
    """Print how each suite ends, in real and in virtual time."""
    with tempfile.TemporaryDirectory() as folder:
        for name, target in SUITES.items():
            suite = unpacked(name, Path(folder))
            print(f"{suite.name}\n  real time\n    {last_lines(suite, target)}")
            print(f"  virtual time\n    {last_lines(suite, target, '-p', 'clocked')}", flush=True)


if __name__ == "__main__":
    main()

"""Command: `pytest-ratelimit explain RL112`, what the reference says of a code."""

from __future__ import annotations

import argparse
import re
from importlib.resources import files
from pathlib import Path

from pytest_ratelimit._commands._files import UsageError
from pytest_ratelimit._findings import CODES

ABOUT = "say what a code means, its threshold, its remedy and how to accept it"
PAGE = "findings.md"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's options to its parser."""
    parser.add_argument("code", metavar="CODE", help="such as RL112, or its name; all lists them")


def main(options: argparse.Namespace) -> int:
    """Print what there is to say; return 0."""
    word = options.code
    if word == "all":
        print("\n".join(f"{code} {known.name}: {known.says}" for code, known in CODES.items()))
        return 0
    code = word.upper()
    if code not in CODES:
        named = {known.name: code for code, known in CODES.items()}
        if word.lower() not in named:
            raise UsageError(f"there is no code {word!r}; known are {', '.join(CODES)}")
        code = named[word.lower()]
    print(f"{code} {CODES[code].name}\n\n{section(code)}")
    return 0


def section(code: str) -> str:
    """Return what the reference page says of a code, without its heading."""
    heading = re.escape(f"## {code} {CODES[code].name}")
    found = re.search(rf"^{heading}\n+(.*?)(?=^## |\Z)", page(), re.DOTALL | re.MULTILINE)
    return found[1].strip() if found else CODES[code].says


def page() -> str:
    """Return the reference page: a wheel holds a copy of it, a checkout the page itself."""
    copy = files("pytest_ratelimit").joinpath(PAGE)
    if copy.is_file():
        return copy.read_text(encoding="utf-8")
    own = Path(__file__).parents[2] / "docs" / "reference" / PAGE
    return own.read_text(encoding="utf-8") if own.is_file() else ""

"""Environments: one for each set of SDKs and frameworks whose pins go together.

Run from the checkout: `python -m tests.fake_provider.sdks.environments DIRECTORY`. It makes virtual
environments there, installs what is named below, and prints the variable by which the slow tests
find them. What is there already is kept.
"""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

OWN = ("httpx", "respx")
ENVIRONMENTS = {
    "current": ("langchain-anthropic", "langchain-openai", "pydantic-ai-slim[anthropic,openai]"),
    "httpx": ("instructor", "litellm", "openai>=2.52,<3"),
    # llama-index-llms-anthropic 0.12 calls what anthropic 2 no longer lets it call.
    "llama-index": ("anthropic<1", "llama-index-llms-anthropic", "llama-index-llms-openai"),
    "older": ("anthropic<1", "openai<2.52"),
}


def make(directory: Path) -> list[Path]:
    """Make the environments below a directory, and return their interpreters."""
    interpreters = []
    for name, requirements in ENVIRONMENTS.items():
        python = directory / name / "bin" / "python"
        if not python.exists():
            venv.create(directory / name, with_pip=True)
            pip = [python, "-m", "pip", "install", "--quiet", *OWN, *requirements]
            subprocess.run(pip, check=True)
        interpreters.append(python)
    return interpreters


if __name__ == "__main__":
    pythons = map(str, make(Path(sys.argv[1]).absolute()))
    print(f"export RATELIMIT_PYTHONS={os.pathsep.join(pythons)}")

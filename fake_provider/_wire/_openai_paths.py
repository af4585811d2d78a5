"""Paths of the OpenAI API, which many providers serve as well: what each asks for, and whose."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal

Form = Literal["chat", "responses", "embeddings", "count_tokens", "models", "files", "batches"]

# The dialects that share these paths: behind one of their names a path is that dialect's.
FAMILY = ("azure", "deepseek", "groq", "mistral", "openai", "openrouter")
MANAGED: tuple[Form, ...] = ("models", "files", "batches")

_ENDINGS: dict[str, Form] = {
    "/chat/completions": "chat",
    "/responses": "responses",
    "/responses/input_tokens": "count_tokens",
    "/embeddings": "embeddings",
}
_MANAGED = re.compile(
    r"(?<!/messages)/(?:(?P<models>models)(?:/(?P<model>.+))?"
    r"|(?P<files>files)(?:/(?P<file>[^/]+)(?P<content>/content)?)?"
    r"|(?P<batches>batches)(?:/(?P<batch>[^/]+)(?P<cancel>/cancel)?)?)$"
)


@lru_cache(maxsize=1024)
def form_of(path: str) -> Form | None:
    """Return what a path asks for, whatever precedes it; None if it is none of this API's."""
    for ending, form in _ENDINGS.items():
        if path.endswith(ending):
            return form
    found = managed_path(path)
    if found is None:
        return None
    return next(form for form in MANAGED if found[form])


def managed_path(path: str) -> re.Match[str] | None:
    """Return the parts of a path of models, files or batches."""
    return _MANAGED.search(path)


def first_part(path: str) -> str:
    """Return the first part of a path, which may be a dialect's name."""
    return path[1:].partition("/")[0]


def is_behind(name: str, path: str) -> bool:
    """Tell whether a path begins with a dialect's name, as in `/groq/openai/v1/models`."""
    return first_part(path) == name

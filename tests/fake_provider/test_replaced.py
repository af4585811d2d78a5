"""Replaced functions: put back exactly, and put in the place of what is imported later."""

from __future__ import annotations

import importlib
import importlib.util
import subprocess
import sys
import types
from contextlib import ExitStack

import pytest

from fake_provider._replaced import once_imported, replaced

SOURCE = "def answer():\n    return 'theirs'\n"


@pytest.fixture
def library(tmp_path, monkeypatch):
    """The name of a module that can be imported and has not been."""
    name = "library_imported_later"
    (tmp_path / f"{name}.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)
    yield name
    sys.modules.pop(name, None)


def ours(module):
    """Replace the library's function by one of ours."""
    return replaced(module, "answer", lambda: "ours")


def test_a_function_is_put_back(library):
    """While open it is ours, then theirs again."""
    module = importlib.import_module(library)
    with ours(module):
        assert module.answer() == "ours"
    assert module.answer() == "theirs"


def test_an_inherited_function_leaves_nothing_in_the_class():
    """What was a base's is a base's again."""

    class Base:
        def answer(self):
            return "theirs"

    class Heir(Base):
        pass

    with replaced(Heir, "answer", lambda self: "ours"):
        assert Heir().answer() == "ours"
    assert Heir().answer() == "theirs"
    assert "answer" not in vars(Heir)


def test_whoever_replaces_later_keeps_theirs():
    """A function that is not ours any more is left as it is."""
    module = types.SimpleNamespace(answer=lambda: "theirs")
    undo = replaced(module, "answer", lambda: "ours")
    module.answer = latest = lambda: "latest"
    undo.close()
    assert module.answer is latest


def test_a_library_that_is_imported_is_changed_at_once(library):
    """Nothing waits for an import that has been."""
    module = importlib.import_module(library)
    before = list(sys.meta_path)
    with once_imported(library, ours):
        assert module.answer() == "ours"
        assert sys.meta_path == before
    assert module.answer() == "theirs"


def test_a_library_is_changed_as_soon_as_it_is_imported(library):
    """It is not imported for that, keeps its own loader, and is put back in the end."""
    before = list(sys.meta_path)
    with once_imported(library, ours):
        assert library not in sys.modules
        assert importlib.util.find_spec(library) is not None
        assert library not in sys.modules
        module = importlib.import_module(library)
        assert module.answer() == "ours"
        assert type(module.__loader__) is type(module.__spec__.loader)
        assert type(module.__loader__).__module__.startswith(("_frozen", "importlib", "_pytest"))
    assert module.answer() == "theirs"
    assert sys.meta_path == before


def test_a_library_that_is_imported_after_the_end_is_not_changed(library):
    """Nobody waits any more."""
    with once_imported(library, ours):
        pass
    assert importlib.import_module(library).answer() == "theirs"


def test_an_import_that_was_found_before_the_end_changes_nothing_after_it(library):
    """A spec that somebody holds does not bring the change back."""
    with once_imported(library, ours):
        spec = importlib.util.find_spec(library)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.answer() == "theirs"


def test_two_wait_for_one_library(library):
    """The change that is undone first leaves the other's in place."""
    with ExitStack() as outer:
        outer.enter_context(once_imported(library, ours))
        with once_imported("another_library", ours):
            module = importlib.import_module(library)
        assert module.answer() == "ours"


def test_a_library_that_there_is_not_is_not_found_as_ever(library):
    """The error is that of every import."""
    with once_imported("no_such_library", ours), pytest.raises(ModuleNotFoundError):
        importlib.import_module("no_such_library")


def test_a_provider_imports_no_library_that_the_user_has_not():
    """Opening one imports neither aiohttp nor botocore, in a process that has both installed."""
    code = (
        "import sys; from fake_provider import FakeProvider\n"
        "with FakeProvider(): pass\n"
        "assert not {'aiohttp', 'botocore', 'boto3', 'urllib3'} & sys.modules.keys()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)

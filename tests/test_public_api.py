"""The public API: what there is, that it is documented and typed, and what importing it costs."""

from __future__ import annotations

import ast
import importlib
import inspect
import pickle
import subprocess
import sys
import textwrap
import typing
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LAZY = ("fake_provider", "pytest_ratelimit")
PUBLIC = (*LAZY, "fake_provider.virtual_time")
PACKAGES = (*PUBLIC, "fake_provider._wire", "pytest_ratelimit._checks")
HEAVY = (
    "anthropic",
    "anyio",
    "asyncio",
    "concurrent.futures",
    "freezegun",
    "httpx",
    "httpx2",
    "hypothesis",
    "openai",
    "respx",
    "tenacity",
    "trio",
)


def source(package):
    """Return the syntax tree of a package's `__init__.py`."""
    path = importlib.import_module(package).__file__
    return ast.parse(Path(path).read_text(encoding="utf-8"))


def literal_all(package):
    """Return what `__all__` is assigned, which must be a list of words."""
    (value,) = (
        node.value
        for node in source(package).body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
    )
    assert isinstance(value, ast.List)
    return [ast.literal_eval(word) for word in value.elts]


@pytest.mark.parametrize("package", PACKAGES)
def test_all_is_a_literal_sorted_list_of_what_there_is(package):
    """`__all__` can be read without running anything, and every name in it exists."""
    names = literal_all(package)
    assert names == sorted(set(names))
    module = importlib.import_module(package)
    assert [name for name in names if not hasattr(module, name)] == []


@pytest.mark.parametrize("package", PUBLIC)
def test_all_is_what_the_package_imports(package):
    """No name without a leading underscore is imported that is not public, and none left out."""
    imported = {
        alias.name
        for node in ast.walk(source(package))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if not alias.name.startswith("_")
    }
    assert imported - {"annotations", "TYPE_CHECKING", "import_module"} == set(literal_all(package))


@pytest.mark.parametrize("package", LAZY)
def test_lazy_names_resolve_to_one_object(package):
    """A name that is imported on use is the same object every time, and is listed by `dir`."""
    module = importlib.import_module(package)
    assert dir(module) == literal_all(package)
    for name in literal_all(package):
        assert getattr(module, name) is getattr(module, name)


@pytest.mark.parametrize("package", LAZY)
def test_a_name_that_there_is_not_is_an_attribute_error(package):
    """A slip in a name is named with its package."""
    with pytest.raises(AttributeError, match=f"module '{package}' has no attribute 'Provider'"):
        getattr(importlib.import_module(package), "Provider")  # noqa: B009  (it is what raises)


def objects():
    """Yield every public function, class, and public method of a public class, by its name."""
    seen = set()
    for package in PUBLIC:
        for name in literal_all(package):
            value = getattr(importlib.import_module(package), name)
            if id(value) in seen:
                continue
            seen.add(id(value))
            yield f"{package}.{name}", value
            if inspect.isclass(value):
                for member, kind in vars(value).items():
                    if not member.startswith("_") and _is_documentable(kind):
                        yield f"{package}.{name}.{member}", kind


def _is_documentable(member):
    return inspect.isfunction(member) or isinstance(member, (property, classmethod))


def _function(value):
    """Return the function whose arguments and errors a docstring describes."""
    if inspect.isclass(value):
        own = vars(value).get("__init__")
        return own if inspect.isfunction(own) else None
    if isinstance(value, property):
        return value.fget
    return inspect.unwrap(getattr(value, "__func__", value))


def _parameters(value):
    """Return the names of the arguments that a user gives."""
    if isinstance(value, property) or _function(value) is None:
        return []
    names = list(inspect.signature(_function(value)).parameters)
    return [name for name in names if name not in ("self", "cls", "__")]


def _raises(value):
    """Tell whether a function's own body raises, other than what it has caught."""
    function = _function(value)
    if function is None or (inspect.isclass(value) and function.__module__ != value.__module__):
        return False
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError):
        return False  # made by the dataclass: its checks are in __post_init__
    return any(isinstance(node, ast.Raise) and node.exc is not None for node in ast.walk(tree))


OBJECTS = dict(objects())


@pytest.mark.parametrize("name", OBJECTS)
def test_everything_public_has_a_docstring(name):
    """The first line is one sentence."""
    first = (inspect.getdoc(OBJECTS[name]) or "").partition("\n")[0]
    assert first.endswith((".", "?"))


@pytest.mark.parametrize("name", [name for name, value in OBJECTS.items() if _parameters(value)])
def test_every_argument_is_described(name):
    """The docstring has a line for each argument."""
    text = inspect.getdoc(OBJECTS[name]) or ""
    assert "Args:" in text
    described = text.partition("Args:")[2]
    missing = [each for each in _parameters(OBJECTS[name]) if f"{each}:" not in described]
    assert missing == []


@pytest.mark.parametrize("name", [name for name, value in OBJECTS.items() if _raises(value)])
def test_every_error_is_described(name):
    """What raises says so."""
    assert "Raises:" in (inspect.getdoc(OBJECTS[name]) or "")


ERRORS = {
    name: value
    for name, value in OBJECTS.items()
    if inspect.isclass(value) and issubclass(value, BaseException) and "virtual_time" not in name
}


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_shows_the_name_that_users_import(name):
    """Tracebacks and summaries print the public package, and a pickled error finds its class."""
    value = ERRORS[name]
    assert f"{value.__module__}.{value.__qualname__}" == name
    assert pickle.loads(pickle.dumps(value)) is value


CLASSES = [name for name, value in OBJECTS.items() if inspect.isclass(value)]


@pytest.mark.parametrize("name", CLASSES)
def test_annotations_can_be_resolved(name):
    """Tools that build values from annotations find every type."""
    assert isinstance(typing.get_type_hints(OBJECTS[name]), dict)


def imported_by(statement):
    """Return the modules that a statement loads in a fresh interpreter."""
    program = (
        f"import sys; before = set(sys.modules); {statement}; print(*set(sys.modules) - before)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(ran.stdout.split())


@pytest.mark.parametrize(
    "statement",
    [
        "import fake_provider",
        "import pytest_ratelimit",
        "from fake_provider import Trace, Limits",
    ],
)
def test_importing_costs_nothing_heavy(statement):
    """No client, no event loop and no machinery of the provider comes with a name."""
    loaded = imported_by(statement)
    assert [name for name in HEAVY if name in loaded] == []
    assert not {"fake_provider._provider", "fake_provider._stages"} & loaded


def test_importing_the_provider_brings_no_client_library():
    """The class itself is there without the libraries that it intercepts."""
    loaded = imported_by("from fake_provider import FakeProvider")
    clients = ("anthropic", "httpx", "httpx2", "openai", "respx", "trio")
    assert [name for name in clients if name in loaded] == []


def test_the_api_is_typed_for_its_users():
    """mypy, as strict as it gets, agrees with code that uses the API as documented."""
    pytest.importorskip("mypy", reason="mypy comes with tests/lint-requirements.txt")
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--no-error-summary"]
    ran = subprocess.run(
        [*command, "tests/typing/api.py"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ran.stdout + ran.stderr == ""


def test_the_api_is_typed_for_users_of_pyright():
    """Pyright's engine agrees with the same code."""
    pytest.importorskip("basedpyright", reason="it comes with tests/lint-requirements.txt")
    command = [sys.executable, "-m", "basedpyright", "--level", "error"]
    ran = subprocess.run(
        [*command, "--pythonpath", sys.executable, "tests/typing/api.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr

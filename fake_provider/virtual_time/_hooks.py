"""Deep hooks: point functions and methods of CPython at ours, and back.

``time.sleep`` is one object. Re-pointing that object, rather than the name ``time.sleep``, reaches
``from time import sleep``, default arguments, partials and class attributes alike; replacing an
entry in the dict of a C type reaches locks that were made long before. Both are pure ctypes.
"""

import ctypes
import gc
import sys
from typing import Any

# The calling conventions of a C function (Include/methodobject.h) and, for each, the exported
# function whose C signature is the same. Called with our Python function in the place of `self`,
# it calls our function: no closure is generated, and exceptions propagate as usual.
_VARARGS, _KEYWORDS, _NOARGS, _ONE, _FASTCALL = 0x0001, 0x0002, 0x0004, 0x0008, 0x0080
_TRAMPOLINES = {
    _NOARGS: "PyObject_CallNoArgs",
    _ONE: "PyObject_CallOneArg",
    _VARARGS: "PyObject_CallObject",
    _VARARGS | _KEYWORDS: "PyObject_Call",
    _FASTCALL | _KEYWORDS: "PyObject_Vectorcall",
}


class _MethodDef(ctypes.Structure):
    """PyMethodDef: what a built-in function object knows about its C code."""

    _fields_ = [
        ("name", ctypes.c_char_p),
        ("code", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_void_p),
    ]


# The two fields of PyCFunctionObject that follow the object header.
_DEFINITION_OFFSET = object.__basicsize__
_SELF_OFFSET = _DEFINITION_OFFSET + ctypes.sizeof(ctypes.c_void_p)

_new_builtin = ctypes.pythonapi.PyCFunction_NewEx
_new_builtin.restype = ctypes.py_object
_new_builtin.argtypes = [ctypes.c_void_p, ctypes.py_object, ctypes.py_object]
_type_modified = ctypes.pythonapi.PyType_Modified
_type_modified.restype = None
_type_modified.argtypes = [ctypes.py_object]
_increment_references = ctypes.pythonapi.Py_IncRef
_increment_references.restype = None
_increment_references.argtypes = [ctypes.py_object]
_decrement_references = ctypes.pythonapi.Py_DecRef
_decrement_references.restype = None
_decrement_references.argtypes = [ctypes.py_object]

_clones: list[_MethodDef] = []  # a clone points into its definition, so that must stay alive


def _definition_pointer(builtin: Any) -> ctypes.c_void_p:
    return ctypes.c_void_p.from_address(id(builtin) + _DEFINITION_OFFSET)


def _self_pointer(builtin: Any) -> ctypes.c_void_p:
    return ctypes.c_void_p.from_address(id(builtin) + _SELF_OFFSET)


def _definition(builtin: Any) -> _MethodDef:
    """A copy of the definition that the built-in uses now."""
    address = _definition_pointer(builtin).value
    assert address is not None
    found = _MethodDef.from_address(address)
    return _MethodDef(found.name, found.code, found.flags, found.doc)


def clone_builtin(builtin: Any) -> Any:
    """A second built-in with the same C code, which a swap of the first does not touch."""
    definition = _definition(builtin)
    _clones.append(definition)
    return _new(ctypes.addressof(definition), builtin)


def twin_builtin(builtin: Any) -> Any:
    """Like ``clone_builtin``, but it shares the definition, which others may change and restore."""
    return _new(_definition_pointer(builtin).value, builtin)


def _new(definition: int | None, builtin: Any) -> Any:
    return _new_builtin(definition, builtin.__self__, getattr(builtin.__self__, "__name__", None))


class BuiltinSwap:
    """Every reference to one built-in function calls a Python function instead."""

    def __init__(self, builtin: Any, replacement: Any) -> None:
        definition = _definition(builtin)
        trampoline = getattr(ctypes.pythonapi, _TRAMPOLINES[definition.flags])
        definition.code = ctypes.cast(trampoline, ctypes.c_void_p).value
        self._definition = definition
        self._builtin = builtin
        self._replacement = replacement
        self._definition_pointer = _definition_pointer(builtin)
        self._self_pointer = _self_pointer(builtin)
        self._before: tuple[int | None, int | None] | None = None

    def on(self) -> None:
        """Point the built-in at the replacement: two pointer writes."""
        self._before = (self._self_pointer.value, self._definition_pointer.value)
        # The built-in reports its `self` to the garbage collector, so it has to own it.
        _increment_references(self._replacement)
        self._self_pointer.value = id(self._replacement)
        self._definition_pointer.value = ctypes.addressof(self._definition)

    def off(self) -> None:
        """Point the built-in at its own code again."""
        if self._before is None:
            return
        self._self_pointer.value, self._definition_pointer.value = self._before
        self._before = None
        _decrement_references(self._replacement)


class TypePatch:
    """Entries in the dict of a type, which may be an immutable C type."""

    def __init__(self, patched: type, attributes: dict[str, Any]) -> None:
        self._type = patched
        (self._dict,) = gc.get_referents(patched.__dict__)
        self._ours = attributes
        self._before: dict[str, Any] = {}

    def on(self) -> None:
        """Replace the entries."""
        self._before = {name: self._dict[name] for name in self._ours}
        self._dict.update(self._ours)
        _type_modified(self._type)

    def off(self) -> None:
        """Put the entries back."""
        self._dict.update(self._before)
        self._before = {}
        _type_modified(self._type)


def why_unusable() -> str | None:
    """Why built-ins and C types cannot be re-pointed here, or None if a trial on spares works."""
    if sys.implementation.name != "cpython":
        return f"{sys.implementation.name} is not CPython"
    if not getattr(sys, "_is_gil_enabled", lambda: True)():
        return "this Python runs without the global interpreter lock"
    import _queue
    import time

    if _self_pointer(time.sleep).value != id(time):
        return "a built-in function has another layout than expected"
    try:
        spare = clone_builtin(time.get_clock_info)
        if spare("monotonic") != time.get_clock_info("monotonic"):
            return "a cloned built-in function does not run its own code"
        seen: list[Any] = []
        swap = BuiltinSwap(spare, lambda *arguments: seen.extend(arguments))
        swap.on()
        try:
            spare("swapped")
        finally:
            swap.off()
        if seen != ["swapped"] or spare("monotonic") != time.get_clock_info("monotonic"):
            return "a built-in function cannot be re-pointed and put back"
        patch = TypePatch(_queue.SimpleQueue, {"empty": lambda _: False})
        patch.on()
        try:
            looks_empty: list[Any] = [_queue.SimpleQueue().empty()]
        finally:
            patch.off()
        looks_empty.append(_queue.SimpleQueue().empty())
        if looks_empty != [False, True]:
            return "the dict of a C type cannot be changed and put back"
    except (AttributeError, KeyError, ValueError) as error:
        return f"{type(error).__name__}: {error}"
    return None

"""Once in a process: a second import of this package shares the modules of the first.

A process has one clock, and hooks that know one scheduler. Tools that drop modules and import them
again (pytester in its own process, notebooks) would get a second set, which knows nothing of the
first: two clocks could be open, and time would stand still for both. So whoever imports the package
again finds what was loaded before, through an attribute of ``sys``, which nobody drops.
"""

import sys
from types import ModuleType
from typing import Final

_PLACE: Final = "_fake_provider_virtual_time"


def _share(name: str) -> None:
    """Give a package that is being imported the modules of its first import, if there was one.

    Args:
        name: The package's name in ``sys.modules``.

    Raises:
        ImportError: The first import was of another copy of the package.
    """
    package = sys.modules[name]
    first: ModuleType | None = getattr(sys, _PLACE, None)
    setattr(sys, _PLACE, package)
    if first is None or first is package:
        return
    if first.__file__ != package.__file__:
        setattr(sys, _PLACE, first)
        message = (
            f"virtual time is loaded from {first.__file__} already; a second copy, from "
            f"{package.__file__}, cannot run in the same process"
        )
        raise ImportError(message)
    for attribute, module in list(vars(first).items()):
        if isinstance(module, ModuleType) and module.__name__ == f"{name}.{attribute}":
            sys.modules.setdefault(module.__name__, module)
            setattr(package, attribute, sys.modules[module.__name__])


_share(__name__.rpartition(".")[0])

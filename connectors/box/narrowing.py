"""Importing Box's SDK in part: of its 550 modules a run needs some eighty, and the others take a tenth of a second.

Each package of the SDK imports all that is in it. Here such a package is there without that: its modules are found and
imported one by one, as they are asked for by their full names, and the package does all of it as soon as somebody asks
it for anything else. What is imported is the SDK's own, and unchanged.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from importlib.util import find_spec, module_from_spec
from types import ModuleType
from typing import Any

SDK = "box_sdk_gen"
#: Those that import everything in them.
PACKAGES = (
    SDK,
    *(f"{SDK}.{name}" for name in ("box", "internal", "managers", "networking", "parameters", "schemas")),
)

_lock = threading.RLock()


def narrow(packages: Sequence[str] = PACKAGES) -> None:
    """Have these packages import their modules as they are asked for; nothing once somebody has imported the first."""
    if packages[0] in sys.modules:
        return
    for name in packages:
        spec = find_spec(name)
        if spec is None or spec.loader is None:
            return  # not installed, or made differently
        module = module_from_spec(spec)
        parent, _, own = name.rpartition(".")
        sys.modules[name] = module
        if parent:
            setattr(sys.modules[parent], own, module)
        _do_all_when_asked(module, spec)


def _do_all_when_asked(module: ModuleType, spec: ModuleSpec) -> None:
    """An attribute that the module does not have makes it do what it says; `__all__` is asked for by `import *`."""

    works = False

    def ask(name: str) -> Any:
        nonlocal works
        if name.startswith("__") and name != "__all__":
            raise AttributeError(name)
        with _lock:  # other threads wait here until all of it is there
            if not works and vars(module).get("__getattr__") is ask and spec.loader is not None:
                works = True
                try:
                    spec.loader.exec_module(module)
                finally:
                    vars(module).pop("__getattr__", None)
        try:
            return vars(module)[name]
        except KeyError:
            raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}") from None

    vars(module)["__getattr__"] = ask

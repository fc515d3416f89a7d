"""Packages that import everything in them, imported in part."""

from __future__ import annotations

import importlib
import itertools
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

import pytest

from connectors.box.narrowing import narrow

_numbers = itertools.count()


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Its name; it imports a part, whose package imports two modules."""
    name = f"narrowed_{next(_numbers)}"
    part = tmp_path / name / "part"
    part.mkdir(parents=True)
    (tmp_path / name / "__init__.py").write_text(f"from {name}.part import *\nown = 3\n")
    (part / "__init__.py").write_text(f"from {name}.part.one import *\nfrom {name}.part.two import *\n")
    (part / "one.py").write_text("first = 1\n")
    (part / "two.py").write_text(f"from {name}.part.one import first\nsecond = first + 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    return name


def _module(name: str) -> ModuleType:
    return importlib.import_module(name)


def _imported(package: str) -> set[str]:
    return {name.removeprefix(package) for name in sys.modules if name.startswith(package)}


def test_a_module_comes_alone(package: str) -> None:
    """With the packages above it and what it imports itself."""
    narrow([package, f"{package}.part"])

    assert 1 == _module(f"{package}.part.one").first
    assert {"", ".part", ".part.one"} == _imported(package)


@pytest.mark.parametrize(
    "ask", ["from {0} import second", "from {0}.part import *; second", "import {0}; {0}.own"]
)
def test_all_of_it_comes_when_asked_for(package: str, ask: str) -> None:
    """By name, by star, and as an attribute; what was imported before stays the same."""
    narrow([package, f"{package}.part"])
    before = _module(f"{package}.part.one")

    exec(ask.format(package), {})
    assert {"", ".part", ".part.one", ".part.two"} == _imported(package)
    assert (before, 2) == (sys.modules[f"{package}.part.one"], _module(package).second)


def test_two_threads_ask_for_all_of_it(package: str, tmp_path: Path) -> None:
    """The one that comes second waits until it is there."""
    slow = tmp_path / package / "part" / "two.py"
    slow.write_text(f"import time\ntime.sleep(0.2)\n{slow.read_text()}")
    narrow([package, f"{package}.part"])
    with ThreadPoolExecutor(4) as pool:
        assert [3] * 4 == list(pool.map(lambda _: _module(package).own, range(4)))


def test_what_is_nowhere(package: str) -> None:
    """The error that everybody expects; names of Python's own are no reason to import anything."""
    narrow([package, f"{package}.part"])

    assert not hasattr(_module(package), "__wrapped__")
    assert {"", ".part"} == _imported(package)
    for _ in range(2):
        with pytest.raises(AttributeError, match="has no attribute 'third'"):
            _ = _module(package).third


def test_what_somebody_has_imported_stays(package: str) -> None:
    """And a package that is not there is nobody's business."""
    whole = _module(package)
    narrow([package, f"{package}.part"])
    narrow(["nowhere_to_be_found"])

    assert (whole, 3) == (sys.modules[package], whole.own)
    assert "nowhere_to_be_found" not in sys.modules


def test_what_signs_is_imported_by_who_signs() -> None:
    """Who only looks leaves it out, with the cryptography that it brings; whoever asks for it gets it whole."""
    ask = "import sys, connectors.box.destination, jwt; print('jwt.algorithms' in sys.modules, callable(jwt.encode))"
    told = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, timeout=60, check=True)

    assert "False True" == told.stdout.strip()

"""What hatchling builds: a wheel that brings one name, `boxhaul`, with the packages of this checkout below it.

At the top level `flows`, `state` and `connectors` would be in the way of a user's own Prefect project. So the wheel
holds `boxhaul/flows` and so on, and every import of ours in it says so. Line numbers stay those of the checkout. An
editable installation is left alone: there the packages are the folders themselves.
"""

from __future__ import annotations

import ast
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PACKAGES = ("flows", "connectors", "state")

#: What stands beside them and is read by `boxhaul deploy`, or by the person who runs it.
DATA = "deployments"

NAME = "boxhaul"
ABOUT = '"""Boxhaul as a wheel installs it; the checkout has these packages at its top level."""\n'

MODULE_PATH = re.compile(rf"({'|'.join(PACKAGES)})\.\w+(\.\w+)*(:\w+)?")


class BelowOneName(BuildHookInterface[Any]):
    """Puts rewritten copies of the packages into the wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Write the copies; ValueError for code that would not find itself below another name."""
        if version != "standard":
            return
        self.folder = Path(tempfile.mkdtemp(prefix="boxhaul-wheel-"))
        write_below(Path(self.root), self.folder / NAME)
        build_data["force_include"][str(self.folder / NAME)] = NAME
        scripts = self.metadata.core.scripts
        scripts.update({command: f"{NAME}.{target}" for command, target in scripts.items()})

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Take the copies away again."""
        if version == "standard":
            shutil.rmtree(self.folder)


def write_below(root: Path, target: Path) -> None:
    """Copy what a wheel holds from a checkout to `target`, with its imports rewritten."""
    for name in (*PACKAGES, DATA):
        shutil.copytree(
            root / name,
            target / name,
            ignore=shutil.ignore_patterns(
                "__pycache__", "build_wheel.py", "reference.py", "manual.py", "handbook"
            ),
        )
    (target / "__init__.py").write_text(ABOUT, encoding="utf-8")
    for path in sorted(target.rglob("*.py")):
        path.write_bytes(rewritten(path.read_bytes(), str(path.relative_to(target))))


def rewritten(source: bytes, name: str) -> bytes:
    """The module with `boxhaul.` before each import of ours, every line where it was."""
    tree = ast.parse(source, filename=name)
    lines = source.splitlines(keepends=True)
    for line, column, module in sorted(imports(tree, name), reverse=True):
        text = lines[line - 1]
        if not text[column:].startswith(module.encode()):
            raise ValueError(f"{name}:{line}: write the import of {module} on one line")
        lines[line - 1] = text[:column] + f"{NAME}.".encode() + text[column:]
    for line, text in module_paths(tree):
        raise ValueError(f"{name}:{line}: {text!r} is not found in a wheel; make it relative to __package__")
    return b"".join(lines)


def imports(tree: ast.Module, name: str) -> Iterator[tuple[int, int, str]]:
    """Line, column in bytes and module of every absolute import of ours."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level == 0 and is_ours(node.module or ""):
            yield node.lineno, node.col_offset + len("from "), node.module or ""
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if is_ours(alias.name) and alias.asname is None:
                    raise ValueError(f"{name}:{node.lineno}: import {alias.name}: give it a name with `as`")
                if is_ours(alias.name):
                    yield alias.lineno, alias.col_offset, alias.name


def is_ours(module: str) -> bool:
    """Whether it is one of the packages or lies in one."""
    return module.partition(".")[0] in PACKAGES


def module_paths(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Strings, other than docstrings, that are nothing but the path of a module or of something in one."""
    sentences = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        text = node.value if isinstance(node, ast.Constant) and id(node) not in sentences else None
        if isinstance(text, str) and MODULE_PATH.fullmatch(text):
            yield node.lineno, text

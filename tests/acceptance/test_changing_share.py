"""A share with a history: people create, edit, touch, rename, move, swap and delete; a pass after each few steps.

In the end Box is what the policy says, whatever was killed in between: what is in the share is in Box, once, with its
bytes; with `trash` nothing else is; with `keep` nothing that was ever sent is lost.
"""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from connectors.box.sandbox import Sandbox
from tests.acceptance.changing import assert_same, calls_of, program_on
from tests.acceptance.proof import report_items, sums_add_up
from tests.acceptance.shares import digest
from tests.program import Program
from tests.sampling import sampled
from tests.servers.fixtures import empty
from tests.servers.samba import Samba

#: Steps of a history, and how many of them come between two passes at most.
STEPS, AT_ONCE = 15, 6


class History:
    """One share and its people, by a seed."""

    def __init__(self, root: Path, rng: random.Random) -> None:
        self.root, self.rng, self.number = root, rng, 0
        #: SHA-1 of everything that a pass may have sent.
        self.contents: set[str] = set()

    def begin(self) -> None:
        """A few folders with a few files each."""
        for name in ("a", "b", "a/c", "a/c/d"):
            (self.root / name).mkdir()
            for _ in range(3):
                self.create(self.root / name)

    def step(self) -> str:
        """One thing that somebody does."""
        names = (
            "create",
            "edit",
            "touch",
            "rename",
            "move",
            "swap",
            "delete",
            "letters",
            "folder",
            "replace",
        )
        name = self.rng.choice(names)
        act: Callable[[], object] = getattr(self, f"_{name}")
        act()
        return name

    def create(self, folder: Path) -> Path:
        """A new file with bytes of its own."""
        self.number += 1
        path = folder / f"file {self.number}.txt"
        path.write_bytes(f"content {self.number} ".encode() * self.rng.randint(1, 20))
        self._date(path)
        return path

    def _date(self, path: Path) -> None:
        self.number += 1
        seconds = 1_500_000_000 + self.number * 100
        os.utime(path, ns=(seconds * 10**9 + 500, seconds * 10**9 + 500))

    def _files(self) -> list[Path]:
        return sorted(path for path in self.root.rglob("*") if path.is_file())

    def _folders(self) -> list[Path]:
        return sorted(path for path in self.root.rglob("*") if path.is_dir())

    def _any(self) -> Path | None:
        found = self._files() + self._folders()
        return self.rng.choice(found) if found else None

    def _fresh(self, path: Path) -> str:
        self.number += 1
        return f"name {self.number}{path.suffix}"

    def _create(self) -> None:
        self.create(self.rng.choice([self.root, *self._folders()]))

    def _edit(self) -> None:
        if files := self._files():
            self.number += 1
            path = self.rng.choice(files)
            path.write_bytes(path.read_bytes() + f" edited {self.number}".encode())
            self._date(path)

    def _touch(self) -> None:
        if files := self._files():
            self._date(self.rng.choice(files))

    def _rename(self) -> None:
        if path := self._any():
            path.rename(path.with_name(self._fresh(path)))

    def _letters(self) -> None:
        if path := self._any():
            path.rename(path.with_name(path.name.swapcase()))

    def _move(self) -> None:
        path = self._any()
        target = self.rng.choice([self.root, *self._folders()])
        if path and not target.is_relative_to(path) and not (target / path.name).exists():
            path.rename(target / path.name)

    def _swap(self) -> None:
        kind = self.rng.choice([self._files(), self._folders()])
        if len(kind) < 2:
            return
        one, other = self.rng.sample(kind, 2)
        if one.is_relative_to(other) or other.is_relative_to(one):
            return
        aside = self.root / "aside"
        one.rename(aside)
        other.rename(one)
        aside.rename(other)

    def _delete(self) -> None:
        path = self._any()
        if path and path.is_dir() and len(self._folders()) > 3:
            shutil.rmtree(path)
        elif path and path.is_file():
            path.unlink()

    def _folder(self) -> None:
        folder = self.rng.choice([self.root, *self._folders()]) / self._fresh(Path("folder"))
        folder.mkdir()
        if self.rng.random() < 0.7:
            self.create(folder)

    def _replace(self) -> None:
        """A file or folder is put aside and another of the same name takes its place."""
        if path := self._any():
            path.rename(path.with_name(self._fresh(path)))
            if path.suffix == ".txt":
                self.create(path.parent).rename(path)
            else:
                path.mkdir()
                self.create(path)


@pytest.mark.parametrize(
    ("seed", "kind", "policy"),
    sampled(
        [
            (seed, kind, policy)
            for seed in range(10)
            for kind in ("file", "smb")
            for policy in ("trash", "keep")
        ],
        every=19,
    ),
)
def test_history(
    tmp_path: Path, box: Sandbox, request: pytest.FixtureRequest, seed: int, kind: str, policy: str
) -> None:
    """After each pass the same holds; a killed one is followed by one that ends."""
    samba: Samba | None = request.getfixturevalue("samba") if kind == "smb" else None
    root = (tmp_path if samba is None else empty(samba.root)) / "share"
    root.mkdir()
    root.chmod(0o777)
    changes = {"deletions": policy, "max_delete": "100%"}
    program = program_on(tmp_path / "run", box, root, samba, changes=changes)
    program.plan["source"]["may_be_empty"] = True
    program.write_plan()
    rng = random.Random(f"{seed} {kind} {policy}")
    history = History(root, rng)
    history.begin()
    told = _pass(program, box, history, policy)
    done = 0
    while done < STEPS:
        steps = [history.step() for _ in range(rng.randint(1, AT_ONCE))]
        done += len(steps)
        kill = rng.randint(1, 12) if rng.random() < 0.4 else None
        told = f"{steps}, killed at call {kill}; before: {told}"
        if kill is not None:
            box.calls.reset()
            program.kill_when(lambda: sum(box.calls.by_route.values()) > kill)  # noqa: B023
        try:
            _pass(program, box, history, policy)
        except AssertionError as exc:
            raise AssertionError(f"{exc}\n{told}") from exc
    if samba is not None:
        empty(samba.root)


def _pass(program: Program, box: Sandbox, history: History, policy: str) -> str:
    calls_of(program, box)
    history.contents |= {digest(path) for path in history._files()}
    if policy == "trash":
        assert_same(box, history.root, dates=False, letters=str.casefold)
    else:
        _assert_kept(program, box, history.root)
    sums_add_up(program)
    assert {} == calls_of(program, box)
    return "begun"


def _assert_kept(program: Program, box: Sandbox, root: Path) -> None:
    """Every file of the share is in Box under its own line, with its bytes."""
    lines: dict[str, dict[str, Any]] = report_items(program)
    in_box = {file.id: file for file in box.files().values()}
    for path in root.rglob("*"):
        if path.is_file():
            line = lines[path.relative_to(root).as_posix()]
            assert ("uploaded", digest(path)) == (line["status"], in_box[line["box_id"]].sha1), path

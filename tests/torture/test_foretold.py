"""Drawn shares and drawn changes: over several passes the calls that `simulate` foretells are those that Box counts."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from connectors.box.sandbox import Sandbox
from tests.acceptance.test_simulate import LONG_AGO, assert_foretold
from tests.program import program_for

PASSES, CHANGES = 4, 8


class DrawnShare:
    """A share of two trees that grows, changes and shrinks by chance."""

    def __init__(self, root: Path, seed: int) -> None:
        self.root, self.rng, self.number = root, random.Random(seed), 0
        for tree in ("A", "B"):
            (root / tree).mkdir(parents=True)
        for _ in range(12):
            self.make_folder()
        for _ in range(60):
            self.make_file()

    def name(self) -> str:
        """A name that was never there."""
        self.number += 1
        return f"{self.rng.choice(['n', 'Ü', 'a b', 'end.', 'x:y'])}{self.number}"

    def folders(self) -> list[Path]:
        """Every folder, the trees among them."""
        return sorted(path for path in self.root.rglob("*") if path.is_dir())

    def files(self) -> list[Path]:
        """Every file."""
        return sorted(path for path in self.root.rglob("*") if path.is_file())

    def make_folder(self) -> None:
        """A new folder somewhere."""
        (self.rng.choice(self.folders()) / self.name()).mkdir()

    def make_file(self) -> None:
        """A new file somewhere, with a date and a content of its own."""
        self.write(self.rng.choice(self.folders()) / self.name())

    def write(self, path: Path) -> None:
        """Other bytes, of a length that no other file has."""
        self.number += 1
        path.write_bytes(b"x" * self.number)
        os.utime(path, (LONG_AGO + self.number, LONG_AGO + self.number))

    def change_file(self) -> None:
        """New content."""
        self.write(self.rng.choice(self.files()))

    def move_file(self) -> None:
        """Another name or place in its tree."""
        self.move(self.rng.choice(self.files()))

    def move_folder(self) -> None:
        """The same of a folder that is no tree, with all that is in it."""
        below = [path for path in self.folders() if path.parent != self.root]
        if below:
            self.move(self.rng.choice(below))

    def move(self, path: Path) -> None:
        """To a folder of its tree that is not below it."""
        tree = self.root / path.relative_to(self.root).parts[0]
        places = [
            tree,
            *(each for each in self.folders() if tree in each.parents and path not in each.parents),
        ]
        target = self.rng.choice([each for each in places if each != path])
        path.rename(target / self.name())

    def edit_moved_file(self) -> None:
        """Another name or place and other bytes, in one pass."""
        before = set(self.files())
        self.move_file()
        self.write((set(self.files()) - before).pop())

    def exchange_files(self) -> None:
        """Files of one folder get each other's names: two, or three in a circle."""
        folder = self.rng.choice(self.folders())
        files = [path for path in self.files() if path.parent == folder]
        if len(files) > 1:
            self.exchange(self.rng.sample(files, min(len(files), self.rng.choice([2, 3]))))

    def exchange_folders(self) -> None:
        """Two folders of one tree, neither below the other, get each other's places."""
        below = [path for path in self.folders() if path.parent != self.root]
        if len(below) < 2:
            return
        one, other = self.rng.sample(below, 2)
        is_apart = one not in other.parents and other not in one.parents
        if is_apart and one.relative_to(self.root).parts[0] == other.relative_to(self.root).parts[0]:
            self.exchange([one, other])

    def exchange(self, paths: list[Path]) -> None:
        """Each gets the place of the next one."""
        aside = paths[-1].with_name("aside")
        paths[-1].rename(aside)
        for old, new in reversed(list(pairwise(paths))):
            old.rename(new)
        aside.rename(paths[0])

    def delete_file(self) -> None:
        """One file less."""
        self.rng.choice(self.files()).unlink()

    def delete_folder(self) -> None:
        """One folder less, with all that is in it; a small one."""
        below = [path for path in self.folders() if path.parent != self.root]
        small = [path for path in below if sum(1 for _ in path.rglob("*")) < 6]
        if small:
            shutil.rmtree(self.rng.choice(small))

    def change_rights(self) -> None:
        """Neither date nor bytes change."""
        self.rng.choice(self.files()).chmod(self.rng.choice([0o600, 0o644]))

    def draw(self) -> None:
        """One change."""
        changes: list[Callable[[], None]] = [
            self.make_file, self.make_folder, self.change_file, self.move_file, self.move_folder,
            self.delete_file, self.delete_folder, self.change_rights, self.edit_moved_file, self.exchange_files,
            self.exchange_folders,
        ]  # fmt: skip
        self.rng.choice(changes)()


@pytest.mark.torture
@pytest.mark.parametrize("deletions", ["keep", "trash"])
@pytest.mark.parametrize("seed", range(6))
def test_drawn_passes_are_foretold(tmp_path: Path, seed: int, deletions: str) -> None:
    """New, changed, moved, exchanged and deleted files and folders in any mixture, pass after pass."""
    share = DrawnShare(tmp_path / "share", seed)
    with Sandbox(content="hash") as box:
        program = program_for(
            tmp_path / "run",
            box,
            {"url": share.root.as_uri()},
            changes={"deletions": deletions, "max_delete": "100%"},
        )
        for _ in range(PASSES):
            assert_foretold(program, box)
            for _ in range(CHANGES):
                share.draw()

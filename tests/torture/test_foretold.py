"""Drawn shares and drawn changes: over several passes the calls that `simulate` foretells are those that Box counts."""

from __future__ import annotations

import os
import random
import re
import shutil
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from connectors.box.sandbox import Sandbox
from tests.acceptance.test_simulate import LONG_AGO, assert_foretold, simulated
from tests.program import Program, program_for

PASSES, CHANGES = 4, 8

VERSIONS = "POST /files/:id/content"


class DrawnShare:
    """A share of some trees that grows, changes and shrinks by chance."""

    def __init__(self, root: Path, seed: int, trees: Sequence[str] = ("A", "B")) -> None:
        self.root, self.rng, self.number = root, random.Random(seed), 0
        self.deleted: list[tuple[Path, bytes, os.stat_result]] = []
        for tree in trees:
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

    def move_to_other_tree(self) -> None:
        """A file or a small folder goes to another tree, under the name that it had or another one."""
        path = self.rng.choice([each for each in self.root.rglob("*") if each.parent != self.root])
        tree = path.relative_to(self.root).parts[0]
        places = [each for each in self.folders() if each.relative_to(self.root).parts[0] != tree]
        if path.is_file() or sum(1 for _ in path.rglob("*")) < 6:
            path.rename(
                self.rng.choice(places) / self.rng.choice([self.name(), f"{self.number} {path.name}"])
            )

    def make_pipe(self) -> None:
        """Something that cannot move."""
        os.mkfifo(self.rng.choice(self.folders()) / self.name())

    def remove_pipes(self) -> None:
        """Nothing is in the way any more."""
        for path in self.root.rglob("*"):
            if path.is_fifo():
                path.unlink()

    def empty_folder(self) -> None:
        """A folder lists nothing of what it had, as where a disk is away; or it is back."""
        aside = self.root.parent / "disk"
        if aside.exists():
            [(there, away)] = [(self.root / each.name.replace("|", "/"), each) for each in aside.iterdir()]
            if there.is_dir() and not list(there.iterdir()):
                there.rmdir()
            if not there.exists() and there.parent.is_dir():
                away.rename(there)
                aside.rmdir()
            return
        below = [path for path in self.folders() if path.parent != self.root and any(path.iterdir())]
        if below:
            path = self.rng.choice(below)
            aside.mkdir()
            path.rename(aside / str(path.relative_to(self.root)).replace("/", "|"))
            path.mkdir()

    def put_back(self) -> None:
        """A copy of something that was deleted, with the name, date and content that it had."""
        if self.deleted:
            path, content, stat = self.deleted.pop(self.rng.randrange(len(self.deleted)))
            if path.parent.is_dir() and not path.exists():
                path.write_bytes(content)
                os.utime(path, ns=(stat.st_mtime_ns, stat.st_mtime_ns))

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
        path = self.rng.choice(self.files())
        self.deleted.append((path, path.read_bytes(), path.stat()))
        path.unlink()

    def delete_folder(self) -> None:
        """One folder less, with all that is in it; a small one."""
        below = [path for path in self.folders() if path.parent != self.root]
        small = [path for path in below if sum(1 for _ in path.rglob("*")) < 6]
        if small:
            shutil.rmtree(self.rng.choice(small))

    def change_rights(self) -> None:
        """Neither date nor bytes change."""
        self.rng.choice(self.files()).chmod(self.rng.choice([0o600, 0o644]))

    def draw_among_trees(self) -> None:
        """One change of those that concern more trees than one, or that hold deletions back; or any."""
        changes: list[Callable[[], None]] = [
            self.move_to_other_tree, self.move_to_other_tree, self.delete_file, self.delete_folder, self.put_back,
            self.make_pipe, self.remove_pipes, self.empty_folder, self.draw, self.draw,
        ]  # fmt: skip
        self.rng.choice(changes)()

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


def words_of(document: dict[str, Any]) -> dict[str, int]:
    """What a run says of deletions, as far as a simulation tells the same."""
    items = document["items"]
    told = {"put into Box's trash": items["trashed"], "held back": items["held"]}
    return {words: count for words, count in told.items() if count}


def said(output: str) -> dict[str, int]:
    """The same of what a run has said."""
    found = re.findall(r"([\d,]+) (put into Box's trash|held back)", output)
    return {words: int(count.replace(",", "")) for count, words in found}


def assert_part_is_foretold(program: Program, box: Sandbox, *flags: str) -> None:
    """Simulate, then migrate some trees: the same calls, the same trashed and held back, the same end."""
    box.calls.reset()
    document = simulated(program, *flags)
    assert 0 == box.calls.total
    finished = program.run("migrate", *flags)
    expected = 3 if document["stops"] else int(document["items"]["failed"] > 0)
    assert expected == finished.code, (document, finished.output)
    asked, foretold = dict(box.calls.by_route), dict(document["calls"]["by_route"])
    # What has the size that Box has is foretold at most: it is read, and sent only where it differs.
    versions = asked.pop(VERSIONS, 0), foretold.pop(VERSIONS, 0)
    assert 0 <= versions[1] - versions[0] <= document["items"]["same_size"], (document, finished.output)
    assert asked == foretold, (document, finished.output)
    assert words_of(document) == said(finished.stdout), (document, finished.output)
    is_told = "nothing goes to the trash in this run" in finished.output
    assert is_told == (document["nothing_trashed"] is not None), (document, finished.output)


@pytest.mark.torture
@pytest.mark.parametrize("named", [False, True], ids=["found", "named"])
@pytest.mark.parametrize("seed", range(8))
def test_drawn_runs_of_some_trees_are_foretold(tmp_path: Path, seed: int, named: bool) -> None:
    """What is held back since it may be in a tree that the run does not walk, goes once it is known, or is too much."""
    share = DrawnShare(tmp_path / "share", seed, "ABC")
    rng = random.Random(seed)
    changes = {"deletions": "trash", "max_delete": rng.choice(["100%", "5%"])}
    trees = {"trees": [{"source": each} for each in "ABC"]} if named else {}
    with Sandbox(content="hash") as box:
        program = program_for(tmp_path / "run", box, {"url": share.root.as_uri()}, changes=changes, **trees)
        assert_part_is_foretold(program, box)
        for _ in range(2 * PASSES):
            for _ in range(CHANGES):
                share.draw_among_trees()
            chosen = rng.sample("ABC", rng.choice([1, 1, 2, 3]))
            assert_part_is_foretold(program, box, *(f"--tree={each}" for each in chosen))

"""A share and its people in Box, both at work, by a seed; and what may be in Box afterwards, by a model of its own.

The model knows nothing of the program: what the share holds, what anybody ever wrote where, and which files of Box a
person touched. Of those the policy decides; all others are the share's.
"""

from __future__ import annotations

import hashlib
import os
import random
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from connectors.box.sandbox import Sandbox
from connectors.box.sandbox.person import Person
from connectors.box.sandbox.store.records import File, Folder
from flows.transfer.moved_folders import ASIDE
from state.records import ItemLine

#: Trees of the plan, each with a person of its own.
TREES = {"T": "ann@example.com", "U": "bob@example.com"}


def sha1(content: bytes) -> str:
    """As Box tells it."""
    return hashlib.sha1(content, usedforsecurity=False).hexdigest()


class Share:
    """A local share that people work in."""

    DEEDS = (
        "create", "edit", "rename", "rename_and_edit", "move", "move", "swap_names", "swap", "circle", "delete",
        "letters", "mkdir", "rmdir", "replace", "save_over",
    )  # fmt: skip
    #: After one of these alone every file that was there keeps its id in Box.
    FOLLOWED = ("rename", "rename_and_edit", "swap_names", "circle", "letters")

    def __init__(self, root: Path, rng: random.Random) -> None:
        self.root, self.rng, self.number = root, rng, 0
        #: Tree → SHA-1 of everything that was ever in it.
        self.ever: dict[str, set[str]] = {tree: set() for tree in TREES}
        for tree in TREES:
            for name in ("a", "b", "a/c"):
                (root / tree / name).mkdir(parents=True)
                for _ in range(2):
                    self._write(root / tree / name / f"file {self._next()}.txt")
        self.look()

    def step(self) -> str:
        """Do one thing that somebody does; return which."""
        name = self.rng.choice(self.DEEDS)
        deed: Callable[[], object] = getattr(self, f"_{name}")
        deed()
        self.look()
        return name

    def files(self) -> list[Path]:
        """Every file."""
        return sorted(path for path in self.root.rglob("*") if path.is_file())

    def folders(self) -> list[Path]:
        """Every folder below a tree's own."""
        return sorted(path for tree in TREES for path in (self.root / tree).rglob("*") if path.is_dir())

    def path_of(self, path: Path) -> str:
        """As the report has it."""
        return path.relative_to(self.root).as_posix()

    def look(self) -> None:
        """Remember what there is now."""
        for path in self.files():
            self.ever[self.path_of(path).partition("/")[0]].add(sha1(path.read_bytes()))

    def _next(self) -> int:
        self.number += 1
        return self.number

    def _write(self, path: Path) -> None:
        path.write_bytes(f"content {self._next()} ".encode() * self.rng.randint(1, 9))
        self._date(path)

    def _date(self, path: Path) -> None:
        nanoseconds = (1_500_000_000 + self._next() * 100) * 10**9 + 500
        os.utime(path, ns=(nanoseconds, nanoseconds))

    def _places(self) -> list[Path]:
        return [*(self.root / tree for tree in TREES), *self.folders()]

    def _some(self) -> Iterator[Path]:
        """One file or folder, or none."""
        if found := self.files() + self.folders():
            yield self.rng.choice(found)

    def _create(self) -> None:
        self._write(self.rng.choice(self._places()) / f"file {self._next()}.txt")

    def _edit(self) -> None:
        if files := self.files():
            self._append(self.rng.choice(files))

    def _append(self, path: Path) -> None:
        with path.open("ab") as file:
            file.write(f" edited {self._next()}".encode())
        self._date(path)

    def _rename(self) -> None:
        for path in self._some():
            path.rename(path.with_name(f"name {self._next()}{path.suffix}"))

    def _rename_and_edit(self) -> None:
        if files := self.files():
            path = self.rng.choice(files)
            self._append(path.rename(path.with_name(f"name {self._next()}.txt")))

    def _move(self) -> None:
        target = self.rng.choice(self._places())
        for path in self._some():
            if not target.is_relative_to(path) and not (target / path.name).exists():
                path.rename(target / path.name)

    def _swap_names(self) -> None:
        self._turn(2)

    def _circle(self) -> None:
        self._turn(3)

    def _turn(self, count: int) -> None:
        """Some files of one folder change their names in a circle."""
        folders = [each for each in self._places() if len(self._files_in(each)) >= count]
        if folders:
            chosen = self.rng.sample(self._files_in(self.rng.choice(folders)), count)
            names = [*chosen[1:], chosen[0]]
            for path in chosen:
                path.rename(path.with_suffix(".aside"))
            for path, name in zip(chosen, names, strict=True):
                path.with_suffix(".aside").rename(name)

    @staticmethod
    def _files_in(folder: Path) -> list[Path]:
        return sorted(path for path in folder.iterdir() if path.is_file())

    def _swap(self) -> None:
        """Two of anything have each other's places, wherever they are."""
        kind = self.rng.choice([self.files(), self.folders()])
        if len(kind) >= 2:
            one, other = self.rng.sample(kind, 2)
            if not one.is_relative_to(other) and not other.is_relative_to(one):
                one.rename(self.root / "aside")
                other.rename(one)
                (self.root / "aside").rename(other)

    def _delete(self) -> None:
        for path in self._some():
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    def _letters(self) -> None:
        for path in self._some():
            path.rename(path.with_name(path.name.swapcase()))

    def _mkdir(self) -> None:
        (self.rng.choice(self._places()) / f"folder {self._next()}").mkdir()

    def _rmdir(self) -> None:
        if empty := [path for path in self.folders() if not any(path.iterdir())]:
            self.rng.choice(empty).rmdir()

    def _replace(self) -> None:
        """It is put aside, and another of the same name takes its place."""
        for path in self._some():
            was_folder = path.is_dir()
            path.rename(path.with_name(f"old {self._next()}{path.suffix}"))
            if was_folder:
                path.mkdir()
            self._write(path / f"file {self._next()}.txt" if was_folder else path)

    def _save_over(self) -> None:
        """A new file takes a file's place, as many programs save."""
        if files := self.files():
            path = self.rng.choice(files)
            self._write(path.with_suffix(".tmp"))
            path.with_suffix(".tmp").rename(path)


@dataclass
class People:
    """Those who were let into the trees, at work in Box."""

    box: Sandbox
    rng: random.Random
    number: int = 0
    #: Tree → SHA-1 of everything that they wrote in it.
    wrote: dict[str, set[str]] = field(default_factory=lambda: {tree: set() for tree in TREES})
    #: Ids of the files that they edited, renamed, moved or put into the trash, and of those that they made.
    touched: set[str] = field(default_factory=set)
    #: Places, in small letters, where such a file lay before one of their deeds → its id.
    held: dict[str, str] = field(default_factory=dict)

    DEEDS = ("edit", "edit", "rename", "move", "trash", "restore", "make")

    def step(self) -> str:
        """Do one thing that somebody in Box does; return which."""
        tree = self.rng.choice(sorted(TREES))
        store = self.box.core.store
        person = self.box.person(store.logins[TREES[tree]])
        person.accept()
        name = self.rng.choice(self.DEEDS)
        files = [file for file in self._files(tree) if not is_below_trash(file)]
        if name == "restore":
            self._restore(tree)
        elif name == "make":
            self._make(person, tree)
        elif files:
            file = self.rng.choice(sorted(files, key=lambda each: int(each.id)))
            self.touched.add(file.id)
            self.held[place_of(file)] = file.id
            self._do(person, tree, name, file)
        return name

    def _do(self, person: Person, tree: str, name: str, file: File) -> None:
        self.number += 1
        if name == "edit":
            content = f"a person's {self.number}".encode()
            person.edit(file.id, content)
            self.wrote[tree].add(sha1(content))
        elif name == "rename":
            person.rename(file.id, f"renamed in Box {self.number}.txt")
        elif name == "move":
            folder = self.rng.choice(self._folders(tree))
            if not any(
                each.name.casefold() == file.name.casefold()
                for each in self._files(tree)
                if each.parent is folder
            ):
                person.move(file.id, folder.id)
        else:
            person.trash(file.id)

    def _restore(self, tree: str) -> None:
        there = {(each.parent.id, each.name.casefold()) for each in self._files(tree) if each.trashed is None}
        trashed = [
            each
            for each in self._files(tree)
            if each.trashed is not None and each.id in self.touched and not is_below_trash(each.parent)
            if (each.parent.id, each.name.casefold()) not in there
        ]
        if trashed:
            self.box.person().restore(self.rng.choice(trashed).id)

    def _make(self, person: Person, tree: str) -> None:
        self.number += 1
        content = f"made in Box {self.number}".encode()
        folder = self.rng.choice(self._folders(tree))
        self.touched.add(person.upload(f"made in Box {self.number}.txt", content, folder.id))
        self.wrote[tree].add(sha1(content))

    def _files(self, tree: str) -> list[File]:
        files = list(self.box.core.store.files.values())
        return [file for file in files if tree in names_above(file)]

    def _folders(self, tree: str) -> list[Folder]:
        folders = list(self.box.core.store.folders.values())
        found = [each for each in folders if tree in (each.name, *names_above(each)) and each.trashed is None]
        return sorted((each for each in found if not is_below_trash(each)), key=lambda each: int(each.id))


def names_above(item: File | Folder) -> list[str]:
    """Names of the folders that it is in."""
    names = []
    parent = item.parent
    while parent is not None:
        names.append(parent.name)
        parent = parent.parent
    return names


def is_below_trash(item: File | Folder) -> bool:
    """True for what is in the trash, by itself or with a folder above it."""
    while item is not None:
        if item.trashed is not None:
            return True
        item = item.parent
    return False


def contents(file: File) -> set[str]:
    """SHA-1 of each of its versions."""
    return {file.sha1, *(version.sha1 for version in file.versions or ())}


@dataclass(frozen=True)
class Policy:
    """What the plan says of changes."""

    in_box: str
    deletions: str
    moves: str

    def as_plan(self) -> dict[str, Any]:
        """The plan's key."""
        return {"in_box": self.in_box, "deletions": self.deletions, "moves": self.moves, "max_delete": "100%"}


def require_promises(
    box: Sandbox,
    share: Share,
    people: People,
    policy: Policy,
    lines: Mapping[str, ItemLine],
    *,
    complete: bool,
) -> None:
    """What holds after every pass that was not killed, whatever was done before it. AssertionError."""
    files = dict(box.core.store.files)
    held: dict[str, set[str]] = {tree: set() for tree in TREES}
    for file in files.values():
        for tree in TREES:
            if tree in names_above(file):
                held[tree] |= contents(file)
    everything = set().union(*held.values())
    for tree in TREES:
        lost = people.wrote[tree] - everything
        assert not lost, f"of a person's work in {tree} nothing is left: {lost}"
        shown = held[tree] - share.ever[tree] - people.wrote[tree]
        assert not shown, f"{TREES[tree]} saw what never was in {tree}: {shown}"
    assert not [file.name for file in files.values() if file.name.startswith(ASIDE)]
    for path in share.files():
        _require_file(box, share, people, policy, lines, path)
    if complete and policy.deletions == "trash":
        ours = {line.box_id for line in lines.values() if line.status in ("uploaded", "waived")}
        left = [
            file
            for file in files.values()
            if not is_below_trash(file) and file.id not in ours | people.touched
        ]
        assert not left, (
            f"in Box, and not in the share: {[(*names_above(file)[::-1], file.name) for file in left]}"
        )


def place_of(file: File) -> str:
    """Where it lies below its landing folder, in small letters."""
    return "/".join([*names_above(file)[::-1], file.name][1:]).casefold()


def _theirs_at(box: Sandbox, people: People, line: ItemLine) -> File | None:
    """The file in this place that a person touched: what is new in the share under that name is not sent over it. Once
    it was left to Box, that lasts, wherever the person puts the file later."""
    place = line.path.casefold()
    for box_id in people.touched:
        file = box.core.store.files[box_id]
        if not is_below_trash(file) and place_of(file) == place:
            return file
    left = people.held.get(place) if (line.status, line.reason) == ("waived", "left_to_box") else None
    return box.core.store.files[left] if left is not None else None


def _require_file(
    box: Sandbox, share: Share, people: People, policy: Policy, lines: Mapping[str, ItemLine], path: Path
) -> None:
    """One file of the share, with its line in the report."""
    name, content = share.path_of(path), sha1(path.read_bytes())
    line = lines[name]
    file = box.core.store.files.get(line.box_id) if line.box_id else _theirs_at(box, people, line)
    if file is not None and file.id in people.touched:
        allowed = {"uploaded", "failed"} if policy.in_box == "stop" else {"uploaded", "waived"}
        assert line.status in allowed, line
        if line.status == "failed":
            assert "changed_in_box" == line.reason, line
        elif line.status == "uploaded":
            assert content in contents(file), line
        return
    assert file is not None, line
    assert ("uploaded", content) == (line.status, file.sha1), (line, file.sha1)
    assert not is_below_trash(file), line
    where = [*names_above(file)[::-1], file.name]
    where = where[where.index(name.partition("/")[0]) :]
    assert name.casefold() == "/".join(where).casefold(), (name, where)

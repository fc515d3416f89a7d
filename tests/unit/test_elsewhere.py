"""What is gone from one tree, and may be in another: held back by what tells it again."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

from connectors.entry import Entry, EntryKind, Fingerprint
from flows.run.stop import StopSignal
from flows.transfer.elsewhere import held_back
from state.change_records import GoneEntry

FILES = 10_000


GONE = GoneEntry(
    kind=EntryKind.FILE, row_id=5, folder_id=3, path="A/gone.txt", box_id="1", box_name="gone.txt", parent_box_id="2"
)  # fmt: skip


def waived_files(plan_id: int) -> Iterator[tuple[str, Fingerprint]]:
    """Very many, with long paths; the last one has the name of the one that is gone."""
    for number in range(FILES):
        yield f"{'long ' * 200}/{number}", Fingerprint(size=number, modified_ns=number)
    yield "B/gone.txt", Fingerprint(size=1, modified_ns=1)


def test_waived_files_are_compared_one_by_one() -> None:
    """However many were waived, they are not held in memory all at once."""
    tree: Any = SimpleNamespace(id=1)
    migration: Any = SimpleNamespace(
        plan_id=1,
        plan=SimpleNamespace(trees=[tree]),
        trees=[tree],
        not_chosen=[],
        stop=StopSignal(),
        checkpoint=SimpleNamespace(
            waived_files=waived_files,
            gone_files=lambda tree_id: [GONE],
            gone_folders_above=lambda folder_id: [],
        ),
    )
    tracemalloc.start()
    held = held_back(migration, [tree])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert {5: "B/gone.txt"} == held.files
    assert peak < FILES * 100


def test_no_more_is_listed_once_all_is_held_back() -> None:
    """Of two other trees the first has what is gone: nothing is about to be deleted, the second is not looked at."""
    listed: list[str] = []

    def list_folders(paths: list[str]) -> Iterator[tuple[str, list[Entry]]]:
        for path in paths:
            listed.append(path)
            yield path, [Entry(path=f"{path}/gone.txt", kind=EntryKind.FILE, size=1, file_id="7")]

    trees = [
        SimpleNamespace(id=number, name=name, source=name, root_folder_id=None)
        for number, name in enumerate("ABC")
    ]
    migration: Any = SimpleNamespace(
        plan_id=1,
        plan=SimpleNamespace(trees=trees, source=SimpleNamespace(may_be_empty=False)),
        trees=trees[:1],
        not_chosen=trees[1:],
        quick=None,
        excluded=lambda entry: None,
        stop=StopSignal(),
        source=SimpleNamespace(list_folders=list_folders),
        checkpoint=SimpleNamespace(
            waived_files=lambda plan_id: iter(()),
            gone_files=lambda tree_id: [GONE],
            gone_folders_above=lambda folder_id: [],
            known_children_of=lambda rows: {},
        ),
    )

    held = held_back(migration, migration.trees)

    assert ({5: "B/gone.txt"}, ["B"]) == (held.files, listed)

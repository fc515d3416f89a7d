"""What the report's page is made of agrees with the lines of every entry, on random checkpoints of both databases."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from sqlalchemy import insert, select, update

from connectors.entry import EntryKind
from flows.reporting.findings import FirstLines
from state.database.models import Folder, Item
from state.records import ItemLine, TreeSpec
from state.reports.files import files, folder_paths, folder_sums
from state.reports.lines import NEVER_SEEN, item_lines
from state.reports.lists import Scope, first_lines, never_seen, not_moved
from state.statuses import ItemStatus, Listed
from tests.integration.state.scene import ManualClock, Scene

#: They sort otherwise by path than by name: what comes before and after a slash, and what no database holds as it is.
NAMES = (
    "a",
    "a b",
    "a!",
    "a.b",
    "a\x01",
    "a0",
    "A",
    "\U0001f600",
    "\uffee",
    "caf\udce9",
    "\x1ax",
    "b",
    "ä",
    "z",
)
REASONS = (None, "", "locked", "rule: *.tmp", "name_in_use")

Wanted = Callable[[ItemLine], bool]
#: Which lines are of which kind.
KINDS: dict[Listed, Wanted] = {
    Listed.FAILED: lambda line: line.status is ItemStatus.FAILED,
    Listed.RENAMED: lambda line: line.renamed and line.box_id is not None and line.status != ItemStatus.GONE,
    Listed.EXCLUDED_IN_BOX: lambda line: line.status is ItemStatus.EXCLUDED and line.box_id is not None,
    Listed.WAIVED: lambda line: line.status is ItemStatus.WAIVED,
    Listed.GONE: lambda line: line.status is ItemStatus.GONE,
}


def fill(scene: Scene, draw: random.Random) -> None:
    """Three trees, one of them the whole share: folders and items with whatever values a row may have."""
    specs = [
        TreeSpec(source=source, folder=f"to {name}", name=name)
        for source, name in (("", "all"), ("b/c", "deep"))
    ]
    trees = [scene.tree, *scene.checkpoint.ensure_trees(scene.plan_id, specs)]
    with scene.checkpoint.database.engine.begin() as connection:
        number = 0
        for tree in trees:
            folders = [(tree.root_folder_id, tree.source, 0)]
            for _ in range(9):
                parent, path, depth = draw.choice(folders)
                name = draw.choice(NAMES)
                if any(known == f"{path}/{name}".lstrip("/") for _, known, _ in folders):
                    continue
                number += 1
                row = {
                    "tree_id": tree.id, "parent_id": parent, "depth": depth + 1, "name": name,
                    "path": f"{path}/{name}".lstrip("/"), "unlisted": draw.random() < 0.5,
                    "box_name": draw.choice((name, f"{name}_")), "status": draw.choice(list(ItemStatus)),
                    "reason": draw.choice(REASONS), "detail": draw.choice((None, "x")),
                    "box_folder_id": draw.choice((None, f"f{number}")), "box_plan_id": scene.plan_id,
                }  # fmt: skip
                connection.execute(insert(Folder).values(row))
                added = select(Folder.id).where(Folder.parent_id == parent, Folder.name == name)
                folders.append((connection.execute(added).scalar_one(), row["path"], depth + 1))
            connection.execute(
                update(Folder)
                .where(Folder.id == tree.root_folder_id)
                .values(status=draw.choice(list(ItemStatus)))
            )
            for folder, _, _ in folders:
                for name in draw.sample(NAMES, draw.randint(0, 6)):
                    number += 1
                    arrived = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=draw.random() * 10**6)
                    row = {
                        "tree_id": tree.id, "folder_id": folder, "name": name, "size": draw.randint(0, 10**11),
                        "kind": draw.choice([EntryKind.FILE, EntryKind.FILE, EntryKind.SYMLINK]),
                        "box_name": draw.choice((None, f"{name}_")), "status": draw.choice(list(ItemStatus)),
                        "reason": draw.choice(REASONS), "detail": draw.choice((None, "x")),
                        "box_file_id": draw.choice((None, f"i{number}")), "box_plan_id": scene.plan_id,
                        "modified_ns": draw.choice((None, 0, -(10**18), 10**18 + number)),
                        "uploaded_at": draw.choice((None, arrived, arrived.replace(microsecond=0))),
                    }  # fmt: skip
                    connection.execute(insert(Item).values(row))


@pytest.fixture(params=range(4))
def filled(request: pytest.FixtureRequest, state_url: str, clock: ManualClock, scene: Scene) -> Scene:
    """Another checkpoint each time."""
    fill(scene, random.Random(request.param))
    return scene


def first(lines: Iterable[ItemLine], wanted: Wanted) -> tuple[int, list[ItemLine]]:
    """How many there are, and the first seven."""
    found = [line for line in lines if wanted(line)]
    return len(found), found[:7]


def test_lists_are_the_first_lines_of_every_entry(filled: Scene) -> None:
    """Each kind, of the plan, of one tree and without some: as many, and the same lines in the same order."""
    checkpoint, plan_id = filled.checkpoint, filled.plan_id
    trees = {tree.name: tree.id for tree in checkpoint.trees(plan_id)}
    for scope, names in (
        (Scope(plan_id=plan_id), set(trees)),
        (Scope(plan_id=plan_id, tree_id=trees["deep"]), {"deep"}),
        (Scope(plan_id=plan_id, without={trees["deep"], trees["A"]}), {"all"}),
    ):
        lines = [line for line in item_lines(checkpoint, plan_id) if line.tree in names]
        for kind, wanted in KINDS.items():
            assert first(lines, wanted) == first_lines(checkpoint, scope, kind, limit=7), kind
        assert sum(line.note == NEVER_SEEN for line in lines) == never_seen(checkpoint, scope)
        expected = Counter(
            (line.status.value, line.reason, line.box_id is not None)
            for line in lines
            if line.status in (ItemStatus.FAILED, ItemStatus.EXCLUDED)
        )
        counted: Counter[tuple[str, str | None, bool]] = Counter()
        for status, reason, in_box, count in not_moved(checkpoint, scope):
            counted[status, reason, in_box] += count
        assert expected == counted


def test_facts_of_files_are_those_of_their_lines(filled: Scene) -> None:
    """Of every file once, folder by folder; and the sums of the folders right below each tree."""
    checkpoint, plan_id = filled.checkpoint, filled.plan_id
    lines = [line for line in item_lines(checkpoint, plan_id) if line.kind is EntryKind.FILE]
    found = list(files(checkpoint, plan_id))
    changes = sum(one[:2] != other[:2] for one, other in pairwise(found))
    paths = folder_paths(checkpoint, sorted({folder for _, folder, *_ in found}))

    assert len({one[:2] for one in found}) == changes + 1, "no folder comes twice"
    assert Counter(
        (line.tree, line.path.rpartition("/")[0], line.status, line.size, line.modified_ns,
         None if line.uploaded_at is None else line.uploaded_at.timestamp())
        for line in lines
    ) == Counter((tree, paths[folder], *more) for tree, folder, *more in found)  # fmt: skip

    below: dict[str, Counter[tuple[str, str]]] = defaultdict(Counter)
    sources = {tree.name: tree.source for tree in checkpoint.trees(plan_id)}
    for line in lines:
        inside = line.path.removeprefix(sources[line.tree]).lstrip("/").split("/")
        below[line.tree][inside[0] if len(inside) > 1 else "", line.status] += line.size
    sums: dict[str, Counter[tuple[str, str]]] = defaultdict(Counter)
    for tree, folder, status, size in folder_sums(checkpoint, plan_id, sources):
        assert (folder, status) not in sums[tree]
        sums[tree][folder, status] = size
    assert below == sums


def test_list_of_a_page_ends_where_it_is_full() -> None:
    """However many lines there are, and however long."""
    line = ItemLine(
        tree="A", path="p" * 100_000, kind=EntryKind.FILE, status=ItemStatus.FAILED, reason="x", detail="d", size=1,
        sha1=None, box_id=None, box_version_id=None, box_name="p", renamed=False, modified_ns=None, uploaded_at=None,
        attempts=1,
    )  # fmt: skip
    long, short = FirstLines(), FirstLines()
    long.fill(3_000, [line] * 3)
    short.fill(3_000, [line._replace(path="p")] * 2_000)

    assert [(3_000, 1), (3_000, 1_000)] == [(each.found, len(each)) for each in (long, short)]

"""Drawn histories of one tree: what happens to its share, to its files on their way, and to its rows. Compares nothing.

A history is played into a checkpoint by the program's own walk over a share that is a dictionary.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

from hypothesis import strategies as st
from sqlalchemy import select

from connectors.entry import Entry, EntryKind, Fault
from connectors.errors import ConnectorError, NotFound
from flows.plan.exclude import ExcludeRules
from flows.plan.transfer import Verification
from flows.run.progress import Progress
from flows.run.root_guard import RootGuard
from flows.run.stop import StopSignal
from flows.transfer.walking import walk_trees
from state.checkpoint import Checkpoint
from state.database.models import Folder, Item, Tree
from state.records import ClaimedItem, Failed, TreeSpec, Uploaded
from state.statuses import DIFFERENT_IN_BOX, GONE_FROM_BOX, EventKind, PassState

FOLDERS = ("A", "A/sub", "A/sub/deep", "A/other")
NAMES = ("f", "g", "F", "sub", "skip.tmp")
PATHS = tuple(f"{folder}/{name}" for folder in FOLDERS for name in NAMES)
RULES: tuple[tuple[str, ...], ...] = ((), ("*.tmp",), ("deep/",), ("f",))

#: One thing that happens: its name, which path it is about, and a number that means what it likes.
Step = tuple[str, str, int]

SHARE = ("write", "touch", "remove", "restore", "restore", "folder", "hide", "break", "mend", "link")
WAY = ("send", "send", "fail", "send other", "create folders", "fail folders", "die", "die walking")
ROWS = ("retry", "waive", "unwaive", "mismatch", "folder lost", "remember", "rules", "tree gone")

steps = st.lists(
    st.tuples(
        st.sampled_from((*SHARE, *WAY, *ROWS, "walk", "walk", "walk")),
        st.sampled_from(PATHS),
        st.integers(0, 3),
    ),
    max_size=25,
)


@dataclass
class Share:
    """A share in memory, as a Source lists it."""

    display_url: str = "file:///s"
    entries: dict[str, Entry] = field(default_factory=dict)
    hidden: set[str] = field(default_factory=set)
    #: What was there before, and is restored as it was.
    former: dict[str, Entry] = field(default_factory=dict)
    number: int = 0

    def entry(self, path: str, kind: EntryKind = EntryKind.FILE, *, whole_second: bool = False) -> Entry:
        """A new content at this path."""
        self.number += 1
        at = 1_000_000_000_000_000_000 + self.number * 10**9 + (0 if whole_second else 123_456)
        size = self.number if kind is EntryKind.FILE else 0
        return Entry(path=path, kind=kind, size=size, modified_ns=at, created_ns=at)

    def put(self, entry: Entry) -> None:
        """Put it there, in folders that are made where they are missing."""
        above = entry.path.rpartition("/")[0]
        if above and (above not in self.entries or self.entries[above].kind is not EntryKind.FOLDER):
            self.put(self.entry(above, EntryKind.FOLDER))
        self.remove(entry.path)
        self.entries[entry.path] = entry

    def remove(self, path: str) -> None:
        """Take it away with everything below it."""
        for each in [each for each in self.entries if f"{each}/".startswith(f"{path}/")]:
            self.former[each] = self.entries.pop(each)
            self.hidden.discard(each)

    def list_folders(self, paths: Iterable[str]) -> Iterator[tuple[str, list[Entry] | ConnectorError]]:
        """Each folder, or why it cannot be listed."""
        for path in paths:
            there = self.entries.get(path)
            if there is None or there.kind is not EntryKind.FOLDER:
                yield path, NotFound("it is not there")
            else:
                yield path, self.list_folder(path)

    def list_folder(self, path: str) -> list[Entry]:
        """What it lists."""
        below = [each for each in self.entries.values() if each.path.rpartition("/")[0] == path]
        return sorted((each for each in below if each.path not in self.hidden), key=lambda each: each.path)

    def stat(self, path: str) -> Entry:
        """One entry by its name, hidden or not."""
        if path in self.entries:
            return self.entries[path]
        if path == "":
            return Entry(path="", kind=EntryKind.FOLDER)
        raise NotFound("it is not there")


class Play:
    """One history on its way into one plan of a checkpoint."""

    def __init__(
        self, checkpoint: Checkpoint, name: str, *, carries_claims: bool, tell: Callable[[str], None]
    ) -> None:
        self.checkpoint, self.share, self.tell = checkpoint, Share(), tell
        self.carries_claims = carries_claims
        self.plan_id = checkpoint.ensure_plan(name=name, source_url="s", landing_folder_id="0")
        self.spec = TreeSpec(source="A", folder="A", name="A")
        [self.tree] = checkpoint.ensure_trees(self.plan_id, [self.spec])
        self.rules = ExcludeRules(())
        self.sent = 0
        self.events: list[tuple[EventKind, str]] = []
        self.share.put(self.share.entry("A/f"))
        self.share.put(self.share.entry("A/sub/f"))
        self.worker = checkpoint.register_worker(self.plan_id, name="first", lease_seconds=10**9)
        self.begin()

    def begin(self) -> None:
        """Begin a pass, by the rules of now."""
        rules = self.rules.digest
        self.pass_id = self.checkpoint.begin_pass(self.plan_id, kind="play", rules=rules, worker=self.worker)

    def step(self, step: Step) -> None:
        """Let it happen; what makes no sense now does nothing."""
        what, path, number = step
        getattr(self, f"_{what.replace(' ', '_')}")(path, number)

    def _walk(self, _path: str, _number: int) -> None:
        self.checkpoint.end_pass(self.pass_id, PassState.INCOMPLETE, summary={})
        self.begin()
        self.walk()

    def walk(self) -> None:
        """Walk the whole tree in this pass, as the program does."""
        guard: Any = RootGuard(self.checkpoint, self.share, may_be_empty=True)  # type: ignore[arg-type]
        [tree] = [tree for tree in self.checkpoint.trees(self.plan_id) if tree.id == self.tree.id]
        guard.take_up([tree])
        source = SimpleNamespace(may_be_empty=True)
        migration: Any = SimpleNamespace(
            follows_moves=False,
            reads_all=False,
            look=lambda folder, listing: None,
            quick=None,
            is_dry=True,  # names are given back in Box, which is not here
            emptied={},
            trees_of=lambda found: {},
            claims=SimpleNamespace(held=[], hold=lambda found: None),
            checkpoint=self.checkpoint,
            worker=self.worker,
            pass_id=self.pass_id,
            tree_ids=[self.tree.id],
            source=self.share,
            stop=StopSignal(),
            guard=guard,
            progress=Progress(uploads_per_minute=1),
            walking=threading.Event(),
            files_only_trees=frozenset(),
            excluded=self.rules.reason,
            rules=self.rules.digest,
            record_event=lambda kind, detail: self.events.append((kind, str(detail))),
            plan=SimpleNamespace(transfer=SimpleNamespace(verify=Verification.LISTING), source=source),
        )
        walk_trees(migration)

    # The share

    def _write(self, path: str, number: int) -> None:
        self.share.put(self.share.entry(path, whole_second=number == 0))

    def _touch(self, path: str, number: int) -> None:
        if (there := self.share.entries.get(path)) is not None and there.modified_ns is not None:
            self.share.entries[path] = replace(there, changed_ns=there.modified_ns + number)

    def _remove(self, path: str, number: int) -> None:
        self.share.remove(path if number else path.rpartition("/")[0] or path)
        self.share.entries.setdefault("A", self.share.entry("A", EntryKind.FOLDER))

    def _restore(self, path: str, number: int) -> None:
        """What was there before comes back as it was, with what was below it; with a zero, all of it."""
        above = path.rpartition("/")[0] if number else "A"
        for former in sorted(self.share.former.values(), key=lambda each: each.path):
            if f"{former.path}/".startswith(f"{above}/"):
                self.share.put(former)

    def _folder(self, path: str, _number: int) -> None:
        self.share.put(self.share.entry(path, EntryKind.FOLDER))

    def _link(self, path: str, _number: int) -> None:
        self.share.put(self.share.entry(path, EntryKind.SYMLINK))

    def _hide(self, path: str, number: int) -> None:
        (self.share.hidden.add if number % 2 else self.share.hidden.discard)(path)

    def _break(self, path: str, _number: int) -> None:
        if path in self.share.entries:
            fault = Fault("access_denied", "no")
            self.share.entries[path] = replace(self.share.entries[path], fault=fault)

    def _mend(self, path: str, _number: int) -> None:
        if path in self.share.entries:
            self.share.entries[path] = replace(self.share.entries[path], fault=None)

    # The way

    def _claim(self) -> list[ClaimedItem]:
        batch = self.checkpoint.claim_batch(
            self.worker, tree_ids=[self.tree.id], max_items=1_000, max_bytes=10**15
        )
        return sorted(batch, key=lambda item: item.path)

    def _uploaded(self, item: ClaimedItem, number: int, read: Entry) -> Uploaded:
        self.sent += 1
        again = item.box_file_id is not None and number == 3
        return Uploaded(
            item_id=item.id,
            box_file_id=item.box_file_id or f"file {self.sent}",
            box_version_id=f"v{self.sent}",
            box_etag="0",
            box_name=f"{item.box_name}_" if number == 2 else item.box_name,
            sha1=f"{self.sent:040x}",
            entry=read,
            adopted=again,
            identity="user",
            settles_ns=item.settles_ns if number == 1 else None,
            claimed=item if self.carries_claims else None,
        )

    def _send(self, _path: str, number: int) -> None:
        self.checkpoint.record_results(
            self.worker, [self._uploaded(item, number, self._read(item)) for item in self._claim()]
        )

    def _send_other(self, path: str, number: int) -> None:
        """One is sent as something else, as another's file of Box, or comes back late; the others are given back."""
        batch = self._claim()
        chosen = [item for item in batch if item.path == path]
        if number == 2:
            self._walk(path, number)
        results = [self._uploaded(item, 0, replace(self._read(item), size=item.size + 7)) for item in chosen]
        if number == 1:
            results = [replace(result, box_file_id=f"file {self.sent - 1}") for result in results]
        self.checkpoint.record_results(self.worker, results)
        self.checkpoint.release_claims(self.worker, [item.id for item in batch])

    def _read(self, item: ClaimedItem) -> Entry:
        return Entry(
            path=item.path,
            kind=EntryKind.FILE,
            size=item.size,
            modified_ns=item.modified_ns,
            created_ns=item.created_ns,
            changed_ns=item.fingerprint.changed_ns,
        )

    def _fail(self, path: str, number: int) -> None:
        batch = self._claim()
        reason = "locked" if number % 2 else "too_large"
        failed = [
            Failed(item_id=item.id, reason=reason, detail="x", retry=number > 1)
            for item in batch
            if item.path == path
        ]
        self.checkpoint.record_results(self.worker, failed, max_attempts=2)
        self.checkpoint.release_claims(self.worker, [item.id for item in batch])

    def _create_folders(self, _path: str, number: int) -> None:
        while folders := self.checkpoint.folders_to_create(self.pass_id, tree_ids=[self.tree.id], limit=10):
            for folder in folders:
                self.sent += 1
                self.checkpoint.claim_folder_creation(self.worker, folder.id)
                self.checkpoint.record_folder_created(
                    folder.id,
                    box_folder_id=f"folder {self.sent}",
                    box_name=folder.box_name,
                    adopted=number == 3,
                    worker=self.worker,
                )

    def _fail_folders(self, path: str, _number: int) -> None:
        for folder in self.checkpoint.folders_to_create(self.pass_id, tree_ids=[self.tree.id], limit=10):
            if folder.path == path:
                self.checkpoint.claim_folder_creation(self.worker, folder.id)
                self.checkpoint.record_folder_creation_failed(folder.id, reason="name_rejected", detail="x")

    def _die(self, _path: str, number: int) -> None:
        if number:
            self._claim()
        self.checkpoint.release_worker(self.worker)
        self.worker = self.checkpoint.register_worker(self.plan_id, name="next", lease_seconds=10**9)

    def _die_walking(self, path: str, number: int) -> None:
        """Some folders of a new pass are claimed, and never recorded."""
        self.checkpoint.end_pass(self.pass_id, PassState.INCOMPLETE, summary={})
        self.begin()
        self.checkpoint.claim_folders_to_walk(
            self.worker, self.pass_id, tree_ids=[self.tree.id], limit=number + 1
        )
        self._die(path, 0)

    # The rows

    def _retry(self, _path: str, number: int) -> None:
        self.checkpoint.retry_failures(self.plan_id, reason="locked" if number == 0 else None)

    def _waive(self, path: str, number: int) -> None:
        self.checkpoint.waive(self.plan_id, path, who="ann", why="x", pending_too=number > 1)

    def _unwaive(self, path: str, _number: int) -> None:
        self.checkpoint.unwaive(self.plan_id, path, who="ann")

    def _mismatch(self, path: str, number: int) -> None:
        reason = GONE_FROM_BOX if number % 2 else DIFFERENT_IN_BOX
        self.checkpoint.record_verification_mismatch(
            self.tree.id, item_ids_by_reason={reason: self._item_ids(path)}, detail="x"
        )

    def _folder_lost(self, path: str, _number: int) -> None:
        query = select(Folder.id, Folder.box_folder_id).where(
            Folder.tree_id == self.tree.id, Folder.path == path, Folder.box_folder_id.is_not(None)
        )
        lost = {row[0]: row[1] for row in self.checkpoint.database.read(lambda c: c.execute(query).all())}
        self.checkpoint.record_verification_mismatch(
            self.tree.id, item_ids_by_reason={}, folders_gone=lost, detail="x"
        )

    def _remember(self, path: str, _number: int) -> None:
        self.sent += 1
        for item_id in self._item_ids(path):
            self.checkpoint.remember_box_file(item_id, box_file_id=f"file {self.sent}", box_etag=None)

    def _item_ids(self, path: str) -> list[int]:
        above, _, name = path.rpartition("/")
        query = select(Item.id).join(Folder, Folder.id == Item.folder_id)
        query = query.where(Item.tree_id == self.tree.id, Folder.path == above, Item.name == name)
        return self.checkpoint.database.read(lambda c: list(c.execute(query).scalars()))

    def _rules(self, _path: str, number: int) -> None:
        self.rules = ExcludeRules(RULES[number])

    def _tree_gone(self, _path: str, _number: int) -> None:
        self.checkpoint.record_tree_gone(self.tree.id)
        [self.tree] = self.checkpoint.ensure_trees(self.plan_id, [self.spec])

    def rows(self) -> dict[str, list[tuple[Any, ...]]]:
        """Every row of the tree by its path, without numbers that two plans or two claims have each their own."""
        folders = [column for column in Folder.__table__.c if column.name not in _OWN]
        items = [column for column in Item.__table__.c if column.name not in _OWN]
        trees = [column for column in Tree.__table__.c if column.name not in _OWN]
        mine = self.tree.id

        def read(connection: Any) -> dict[str, list[tuple[Any, ...]]]:
            below = select(Folder.path.label("above"), *items).join(Folder, Folder.id == Item.folder_id)
            queries = {
                "folders": select(*folders, Folder.walked_pass > 0).where(Folder.tree_id == mine),
                "items": below.where(Item.tree_id == mine).add_columns(Item.settles_ns.is_(None)),
                "tree": select(*trees).where(Tree.id == mine),
            }
            found = {name: connection.execute(query).all() for name, query in queries.items()}
            return {name: sorted(map(tuple, rows), key=repr) for name, rows in found.items()}

        return self.checkpoint.database.read(read)


_OWN = {
    "id",
    "tree_id",
    "plan_id",
    "parent_id",
    "folder_id",
    "box_plan_id",
    "walked_pass",
    "listing_digest",
    "digest_pass",
    "walk_claimed_by",
    "walk_claim",
    "create_claimed_by",
    "claimed_by",
    "claim",
    "settles_ns",
    "begun_at",
}

"""Scene: a plan with one tree in a checkpoint, driven by literals of a share. Knows neither share nor Box."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Union

from connectors.entry import Entry, EntryKind, Fault
from flows.transfer.remembering import listing_digest, may_be_remembered
from state.checkpoint import Checkpoint
from state.diff import Change, Compared, diff_folder
from state.records import ClaimedItem, Failed, FolderNode, KnownChild, TreeSpec, Uploaded
from state.reports.lines import item_lines
from state.statuses import ItemStatus, PassState

#: Folders are mappings, files their size or (size, modified_ns), or why they cannot be looked at; other things their
#: kind.
Share = Mapping[str, Union["Share", int, tuple[int, int], Fault, EntryKind]]


class ManualClock:
    """A clock that stands until a test moves it."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, seconds: float) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)


def entry(path: str, value: object) -> Entry:
    """The entry of one literal."""
    if isinstance(value, EntryKind):
        return Entry(path=path, kind=value)
    if isinstance(value, Mapping):
        return Entry(path=path, kind=EntryKind.FOLDER)
    if isinstance(value, Fault):
        return Entry(path=path, kind=EntryKind.FILE, fault=value)
    size, modified = value if isinstance(value, tuple) else (value, 1_000)
    assert isinstance(size, int)
    return Entry(path=path, kind=EntryKind.FILE, size=size, modified_ns=modified, created_ns=500)


@dataclass
class Scene:
    """One plan, one tree (source folder "A"), one pass, one worker."""

    checkpoint: Checkpoint
    clock: ManualClock = field(default_factory=ManualClock)
    excluded: Callable[[Entry], str | None] = lambda entry: None
    source_url: str = "file:///s"

    def __post_init__(self) -> None:
        self.plan_id = self.checkpoint.ensure_plan(
            name="p", source_url=self.source_url, landing_folder_id="0"
        )
        spec = TreeSpec(source="A", folder="Arrived/A", name="A")
        [self.tree] = self.checkpoint.ensure_trees(self.plan_id, [spec])
        self.worker = self.checkpoint.register_worker(self.plan_id, name="first")
        self.pass_id = self.checkpoint.begin_pass(self.plan_id, kind="initial")
        self.entries: dict[str, Entry] = {}

    @property
    def root_id(self) -> int:
        """The folder row of the tree's root."""
        return self.tree.root_folder_id

    def folder_id(self, path: str) -> int:
        """The row of a folder by its path below the root; "" is the root."""
        found = self.root_id
        for name in filter(None, path.split("/")):
            children = self.checkpoint.known_children(found)
            [found] = [c.id for c in children if c.name == name and c.kind is EntryKind.FOLDER]
        return found

    def child(self, name: str, folder: str = "") -> KnownChild:
        """What the checkpoint knows of one child that is no folder."""
        children = self.checkpoint.known_children(self.folder_id(folder))
        [found] = [c for c in children if c.name == name and c.kind is not EntryKind.FOLDER]
        return found

    def compare(self, folder_id: int, path: str, share: Share) -> list[Change]:
        """The changes of one folder."""
        listing = [entry(f"{path}/{name}", value) for name, value in share.items()]
        self.entries |= {e.path: e for e in listing}
        known = self.checkpoint.known_children(folder_id)
        return diff_folder(listing, known, box_names={}, excluded=self.excluded)

    def record(self, share: Share, folder: str = "") -> list[Change]:
        """List one folder, whether it is claimed or not."""
        folder_id = self.folder_id(folder)
        changes = self.compare(folder_id, f"A/{folder}" if folder else "A", share)
        self.checkpoint.record_listing(folder_id, self.pass_id, changes)
        return changes

    def walk(self, share: Share) -> None:
        """Walk the whole tree in this pass."""
        while folders := self.claim_folders():
            for folder in folders:
                inside: Share | None = share
                for name in folder.path.split("/")[1:]:
                    inside = None if inside is None else inside.get(name)  # type: ignore[assignment]
                if inside is None:
                    self.checkpoint.record_folder_vanished(folder.id, self.pass_id)
                    continue
                changes = self.compare(folder.id, folder.path, inside)
                self.checkpoint.record_listing(folder.id, self.pass_id, changes, worker=self.worker)

    def walk_remembering(self, share: Share) -> list[str]:
        """The same as the program does it, many folders at once; paths of those that were not compared."""
        unchanged: list[str] = []
        while folders := self.claim_folders():
            known = self.checkpoint.known_children_of([folder.id for folder in folders])
            found = []
            for folder in folders:
                inside: Share = share
                for name in folder.path.split("/")[1:]:
                    inside = inside[name]  # type: ignore[assignment]
                listing = [entry(f"{folder.path}/{name}", value) for name, value in inside.items()]
                self.entries |= {e.path: e for e in listing}
                digest = listing_digest(listing, "rules")
                if digest == folder.listing_digest:
                    assert [] == self.checkpoint.record_unchanged(self.pass_id, [folder], worker=self.worker)
                    unchanged.append(folder.path)
                    continue
                changes = diff_folder(listing, known[folder.id], box_names={}, excluded=self.excluded)
                remembered = digest if may_be_remembered(changes, known[folder.id]) else None
                seen = folder.listing_digest
                found.append(Compared(folder_id=folder.id, changes=changes, digest=remembered, seen=seen))
            self.checkpoint.record_listings(self.pass_id, found, worker=self.worker)
        return unchanged

    def claim_folders(self, limit: int = 50) -> list[FolderNode]:
        """The next folders of the frontier."""
        return self.checkpoint.claim_folders_to_walk(
            self.worker, self.pass_id, tree_ids=[self.tree.id], limit=limit
        )

    def claim(self, max_items: int = 100, max_bytes: int = 10**15) -> list[ClaimedItem]:
        """The next files to send."""
        return self.checkpoint.claim_batch(
            self.worker, tree_ids=[self.tree.id], max_items=max_items, max_bytes=max_bytes
        )

    def uploaded(self, item: ClaimedItem, *, read: Entry | None = None) -> Uploaded:
        """The good result of sending this file."""
        return Uploaded(
            item_id=item.id,
            box_file_id=f"file-{item.id}",
            box_version_id="v1",
            box_etag="0",
            box_name=item.box_name,
            sha1=f"{item.id:040x}",
            entry=read or self.entries[item.path],
            adopted=False,
            identity="user-1",
            claimed=item,
        )

    def create_folders(self) -> None:
        """Every folder arrives in Box."""
        while folders := self.checkpoint.folders_to_create(self.pass_id, tree_ids=[self.tree.id], limit=10):
            for folder in folders:
                assert self.checkpoint.claim_folder_creation(self.worker, folder.id)
                self.checkpoint.record_folder_created(
                    folder.id, box_folder_id=f"folder-{folder.id}", box_name=folder.box_name, adopted=False
                )

    def send_everything(self) -> int:
        """Every pending file and folder arrives in Box; how many files."""
        self.create_folders()
        sent = 0
        while batch := self.claim():
            self.checkpoint.record_results(self.worker, [self.uploaded(item) for item in batch])
            sent += len(batch)
        return sent

    def fail(self, name: str, *, reason: str = "locked", retry: bool = False, max_attempts: int = 3) -> None:
        """The file of this name fails, the others are given back."""
        batch = self.claim()
        results = [
            Failed(item_id=item.id, reason=reason, detail="because", retry=retry)
            for item in batch
            if item.path.endswith(name)
        ]
        self.checkpoint.record_results(self.worker, results, max_attempts=max_attempts)
        self.checkpoint.release_claims(self.worker, [item.id for item in batch])

    def next_pass(self) -> None:
        """End this pass and begin another one."""
        self.checkpoint.end_pass(self.pass_id, PassState.INCOMPLETE, summary={})
        self.pass_id = self.checkpoint.begin_pass(self.plan_id, kind="delta")

    def statuses(self) -> dict[str, ItemStatus]:
        """Path → status of every line of the report that is not GONE."""
        return dict(self.lines())

    def lines(self) -> Iterator[tuple[str, ItemStatus]]:
        """Path and status in the report's order, without what is GONE."""
        for line in item_lines(self.checkpoint, self.plan_id, with_gone=False):
            yield line.path, line.status

"""What the checkpoint alone costs: entries a second through walk, claims and results, memory, and bytes a row.

The share is made up as it is listed and Box answers from nothing, so that neither disk nor network counts. Each stage
is a process of its own over one database; it walks, compares, claims and records as a run does that follows no moves.

    python -m tests.benchmarks.bench_checkpoint [ENTRIES [sqlite|postgresql|URL ...]]
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from sqlalchemy import text

from connectors.entry import Entry, EntryKind
from flows.plan.exclude import DEFAULT_EXCLUDE, ExcludeRules
from flows.plan.transfer import Verification
from flows.run.progress import Progress
from flows.run.recording import ResultRecorder
from flows.run.root_guard import RootGuard
from flows.run.stop import StopSignal
from flows.transfer.walking import walk_trees
from state.checkpoint import Checkpoint
from state.records import ClaimedItem, TreeSpec, Uploaded
from state.statuses import PassState
from tests.benchmarks.measuring import measure
from tests.benchmarks.results import Row, table
from tests.servers.postgres import PostgresServer, find_programs, unprivileged_user

ENTRIES, FILES_PER_FOLDER = 200_000, 100
#: November 2023, and no whole second: such a time proves what it dates.
LONG_AGO_NS = 1_700_000_000_123_456_700

#: What each process does, step by step.
STAGES = {"first": ("walk", "make_folders"), "send": ("send",), "second": ("walk",), "third": ("walk",)}
#: Arguments for a quick look.
QUICK: dict[str, Any] = {"entries": 10_000}
WORDS = {
    "first walk": "new, found and recorded",
    "first make_folders": "folders made",
    "send send": "claimed, sent and recorded",
    "second walk": "unchanged, compared and remembered",
    "third walk": "unchanged",
}


class MadeUpShare:
    """A share of so many files in folders of a hundred, two levels deep, that is listed from nothing."""

    display_url = "file:///made-up"

    def __init__(self, entries: int) -> None:
        folders = max(1, entries // FILES_PER_FOLDER)
        self.wide = max(1, round(folders**0.5))
        self.folders = folders

    def list_folders(self, paths: Iterable[str]) -> Iterator[tuple[str, list[Entry]]]:
        """Each folder as it is asked for."""
        for path in paths:
            yield path, self.list_folder(path)

    def list_folder(self, path: str) -> list[Entry]:
        """The entries of one folder, sorted."""
        names = path.split("/")
        if len(names) == 1:
            return [_folder(f"{path}/department {n:04d}") for n in range(-(-self.folders // self.wide))]
        first = int(names[1].rpartition(" ")[2]) * self.wide
        if len(names) == 2:
            return [
                _folder(f"{path}/project {n:06d}") for n in range(first, min(first + self.wide, self.folders))
            ]
        number = int(names[2].rpartition(" ")[2]) * FILES_PER_FOLDER
        return [
            _file(f"{path}/Report {n:08d} final.docx", n) for n in range(number, number + FILES_PER_FOLDER)
        ]


def _folder(path: str) -> Entry:
    return Entry(path=path, kind=EntryKind.FOLDER, modified_ns=LONG_AGO_NS, file_id=path[-6:])


def _file(path: str, number: int) -> Entry:
    at = LONG_AGO_NS + number * 1_000_100
    return Entry(
        path=path,
        kind=EntryKind.FILE,
        size=4096 + number,
        modified_ns=at,
        created_ns=at,
        changed_ns=at,
        file_id=str(7_000_000_000 + number),
    )


def main(entries: int = ENTRIES, databases: Iterable[str] = ("sqlite", "postgresql")) -> list[Row]:
    """A row for each step on each database, and one for the bytes of an entry."""
    rows = []
    for name in databases:
        with _database(name) as url:
            for stage in STAGES:
                command = [
                    sys.executable,
                    "-m",
                    "tests.benchmarks.bench_checkpoint",
                    "--stage",
                    stage,
                    str(entries),
                ]
                took = measure([*command, url])
                # The whole may take half an hour.
                print(f"{entries:,} entries:\n{took.output}", end="", flush=True)
                for line in took.output.splitlines():
                    rows.append(_row(name.partition(":")[0], json.loads(line), took.peak_megabytes))
            size = {"bytes an entry": _bytes(url) / entries}
            rows.append(Row("kept", f"ours, {name.partition(':')[0]}", size))
    return rows


def _row(name: str, found: dict[str, Any], peak: float) -> Row:
    count, wall, cpu = found["entries"], found["wall"], found["cpu"]
    figures = {
        "entries/s": count / wall,
        "CPU us an entry": 1e6 * cpu / count,
        "in the server": 1e6 * found["server"] / count,
        "MB at most": peak,
    }
    return Row(WORDS[found["step"]], f"ours, {name}", figures)


@contextmanager
def _database(name: str) -> Iterator[str]:
    with ExitStack() as stack:
        if name == "sqlite":
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="boxhaul-bench-"))
            yield f"sqlite:///{folder}/state.db"
        elif name == "postgresql":
            # A home of its own: the server runs as another user, who reads no one else's folders.
            server = PostgresServer(
                Path(tempfile.mkdtemp(prefix="boxhaul-bench-")), find_programs(), unprivileged_user()
            )
            stack.callback(server.remove)
            server.create()
            server.start()
            yield server.url(server.create_database())
        else:
            yield name


def _bytes(url: str) -> int:
    with Checkpoint.open(url) as checkpoint, checkpoint.database.reading() as connection:
        if checkpoint.database.is_sqlite:
            return Path(url.removeprefix("sqlite:///")).stat().st_size
        sizes = "SELECT pg_total_relation_size('items') + pg_total_relation_size('folders')"
        return int(connection.execute(text(sizes)).scalar_one())


def run_stage(stage: str, entries: int, url: str) -> None:
    """One stage, in this process; each line that it prints is one step, as JSON."""
    with Checkpoint.open(url) as checkpoint:
        run = _Run(checkpoint, MadeUpShare(entries))
        for step in STAGES[stage]:
            server, cpu, wall = _server_seconds(checkpoint), time.process_time(), time.perf_counter()
            count = getattr(run, step)()
            found = {
                "step": f"{stage} {step}",
                "entries": count,
                "wall": time.perf_counter() - wall,
                "cpu": time.process_time() - cpu,
                "server": _server_seconds(checkpoint) - server,
            }
            print(json.dumps(found))
        run.end()


def _server_seconds(checkpoint: Checkpoint) -> float:
    """CPU seconds of the PostgreSQL that keeps it, all its processes together; 0 where none runs on this machine."""
    if checkpoint.database.is_sqlite:
        return 0.0
    with checkpoint.database.reading() as connection:
        backend = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
    processes = {pid: found for pid in _pids() if (found := _stat(pid)) is not None}
    parent = int(processes[backend][1]) if backend in processes else None
    ticks = (sum(map(int, found[11:13])) for pid, found in processes.items() if int(found[1]) == parent)
    return sum(ticks) / os.sysconf("SC_CLK_TCK")


def _pids() -> Iterator[int]:
    return (int(path.name) for path in Path("/proc").glob("[0-9]*"))


def _stat(pid: int) -> list[str] | None:
    """What follows the name in /proc/PID/stat: state, parent, … user and system time."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    except OSError:
        return None


class _Run:
    """The parts of a run that walk, claim and record."""

    def __init__(self, checkpoint: Checkpoint, share: MadeUpShare) -> None:
        self.checkpoint, self.share, self.stop = checkpoint, share, StopSignal()
        plan_id = checkpoint.ensure_plan(name="bench", source_url="file:///s", landing_folder_id="0")
        [tree] = checkpoint.ensure_trees(plan_id, [TreeSpec(source="A", folder="A", name="A")])
        self.worker = checkpoint.register_worker(plan_id, name="bench", lease_seconds=86_400)
        rules = ExcludeRules(DEFAULT_EXCLUDE)
        self.pass_id = checkpoint.begin_pass(plan_id, kind="bench", rules=rules.digest)
        self.tree_ids = [tree.id]
        self.progress = Progress(uploads_per_minute=240)
        guard = RootGuard(checkpoint, share, may_be_empty=False)  # type: ignore[arg-type]
        guard.take_up([tree])
        self.migration: Any = SimpleNamespace(
            checkpoint=checkpoint,
            worker=self.worker,
            pass_id=self.pass_id,
            tree_ids=self.tree_ids,
            source=share,
            stop=self.stop,
            guard=guard,
            progress=self.progress,
            walking=threading.Event(),
            files_only_trees=frozenset(),
            claims=SimpleNamespace(held=(), hold=lambda found: None),
            follows_moves=False,
            reads_all=False,
            look=lambda folder, listing: None,
            quick=None,
            excluded=rules.reason,
            rules=rules.digest,
            emptied={},
            is_dry=False,
            trees_of=lambda found: {},
            plan=SimpleNamespace(
                transfer=SimpleNamespace(verify=Verification.LISTING),
                source=SimpleNamespace(may_be_empty=False),
            ),
        )

    def walk(self) -> int:
        """List, compare and record everything; how many entries."""
        walk_trees(self.migration)
        return self.progress.snapshot().entries_seen

    def make_folders(self) -> int:
        """Every folder arrives in Box; how many."""
        made = 0
        while folders := self.checkpoint.folders_to_create(self.pass_id, tree_ids=self.tree_ids, limit=1_000):
            for folder in folders:
                self.checkpoint.folder_chain(folder.id)
                self.checkpoint.claim_folder_creation(self.worker, folder.id)
                self.checkpoint.record_folder_created(
                    folder.id, box_folder_id=f"3{folder.id:011d}", box_name=folder.box_name, adopted=False
                )
            made += len(folders)
        return made

    def send(self) -> int:
        """Every file arrives in Box, claimed in batches and recorded by the run's recorder; how many."""
        recorder = ResultRecorder(
            self.checkpoint, self.worker, self.progress, max_attempts=3, on_error=self.stop.fail
        )
        sent = 0
        while batch := self.checkpoint.claim_batch(
            self.worker, tree_ids=self.tree_ids, max_items=5_000, max_bytes=20 * 10**9
        ):
            for item in batch:
                recorder.put(_sent(item))
            recorder.flush()
            sent += len(batch)
        recorder.close()
        return sent

    def end(self) -> None:
        """The pass and the lease are over."""
        self.checkpoint.end_pass(self.pass_id, PassState.INCOMPLETE, summary={})
        self.checkpoint.release_worker(self.worker)


def _sent(item: ClaimedItem) -> Uploaded:
    entry = Entry(
        path=item.path,
        kind=EntryKind.FILE,
        size=item.size,
        modified_ns=item.modified_ns,
        created_ns=item.created_ns,
        changed_ns=item.fingerprint.changed_ns,
        file_id=item.fingerprint.file_id,
    )
    return Uploaded(
        item_id=item.id,
        box_file_id=f"1{item.id:012d}",
        box_version_id=f"2{item.id:012d}",
        box_etag="0",
        box_name=item.box_name,
        sha1=f"{item.id * 0x9E3779B97F4A7C15 % 2**160:040x}",
        entry=entry,
        adopted=False,
        identity="30000000001",
        claimed=item,
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--stage"]:
        run_stage(sys.argv[2], int(sys.argv[3]), sys.argv[4])
    else:
        print(table(main(int((sys.argv[1:2] or [ENTRIES])[0]), sys.argv[2:] or ("sqlite", "postgresql"))))

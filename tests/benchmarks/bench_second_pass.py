"""A later pass, beside `rclone sync --track-renames`: 1 % changed, 1 % moved and one large folder, 0.5 % deleted.

    python -m tests.benchmarks.bench_second_pass [FILES]

Once from local disk and once from Samba. Each program has a Box of its own that holds the share; then the share
changes, and each brings its Box up to date. Our plan trashes what is gone, as `sync` does. Calls and bytes are exact;
each Box has the very contents of the share afterwards, or the run fails; so it does where ours needs more calls than
promised. rclone compares digests on disk; its SMB has none, and there it tells a rename by size and date.
"""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from connectors.box.sandbox import Sandbox
from tests.benchmarks.box_rclone import REMOTE, Before, box_over_tls, migrate
from tests.benchmarks.measuring import Measured
from tests.benchmarks.results import Row, table
from tests.benchmarks.smb_rivals import remote
from tests.program import Program
from tests.servers.samba import Samba

FILES, PER_FOLDER, SIZE = 20_000, 100, 100
#: Arguments for a quick look.
QUICK: dict[str, Any] = {"files": 2_000}
#: One folder holds this share of all files, and is renamed.
LARGE_FOLDER = 0.05
CHANGED, MOVED, DELETED = 0.01, 0.01, 0.005
#: Calls that a pass may need beside one for each file changed, moved or deleted, and each moved folder; and its proof.
CALLS_BESIDE, PROOF = 20, "GET /folders/:id/items"
PLAN = {"changes": {"deletions": "trash", "max_delete": "5%"}}


@dataclass(frozen=True)
class Day:
    """What changed in the share."""

    changed: int
    moved_roots: int
    gone: int

    @property
    def calls(self) -> int:
        """How many calls a pass may need, without its proof."""
        return self.changed + self.moved_roots + self.gone + CALLS_BESIDE


def main(files: int = FILES) -> list[Row]:
    """Calls, bytes, seconds and CPU of both on both sources; which calls they were is printed."""
    with _samba() as server, tempfile.TemporaryDirectory(prefix="boxhaul-bench-") as name:
        share = server.root / "share"
        _build(share, files)
        smb = {"url": f"{server.url}/share", "username": server.username, "password": server.password}
        sources: dict[str, dict[str, object]] = {
            "local disk": {"url": share.as_uri()},
            "Samba": {**smb, "port": server.port},
        }
        words = {
            "local disk": (str(share), "--track-renames"),
            "Samba": (f"S:{server.share}/share", "--track-renames", "--track-renames-strategy", "modtime"),
        }
        with ExitStack() as stack:
            boxes, programs = {}, {}
            for number, (where, source) in enumerate(sources.items()):
                ours = _box(stack, Path(name, f"ours{number}"))
                programs[where] = ours.ours(ours.folder / "run", source, **PLAN)
                _fill(programs[where], where)
                theirs = _box(stack, Path(name, f"theirs{number}"))
                _copy(ours.box, theirs.box)
                boxes[where] = ours, theirs
            day = _change(share, files)
            print(f"{files:,} files; {day}", flush=True)
            rows, wanted = [], _contents(share)
            for where, (ours, theirs) in boxes.items():
                ours.box.calls.reset()
                rows.append(_row(where, "ours", migrate(programs[where]), ours, wanted))
                _require_calls(ours.box, day)
                flags = (*words[where], "--transfers", "16", "--checkers", "16")
                run = theirs.rclone("sync", flags[0], REMOTE, *flags[1:], more=remote(server))
                rows.append(_row(where, "rclone", run, theirs, wanted))
            return rows


@contextmanager
def _samba() -> Iterator[Samba]:
    server = Samba()
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(server.home, ignore_errors=True)


def _box(stack: ExitStack, folder: Path) -> Before:
    folder.mkdir()
    return stack.enter_context(box_over_tls(folder))


def _fill(program: Program, where: str) -> None:
    run = migrate(program)
    print(f"{where}: filled in {run.wall_seconds:.0f} s, {run.cpu_seconds:.0f} s of CPU", flush=True)


def _copy(full: Sandbox, empty: Sandbox) -> None:
    """Put what one Box holds into another, as rclone would have: content, size and dates."""
    core, user = empty.core, empty.core.service_account
    ids = {"": "0"}
    with core.store.lock:
        for path in sorted(full.folders()):
            above, _, name = path.rpartition("/")
            ids[path] = core.items.create_folder(user, ids[above], name).id
        for path, file in full.files().items():
            above, _, name = path.rpartition("/")
            folder, blob = core.store.folders[ids[above]], core.store.contents.keep((b"",), 0)
            dates = (file.content_created, file.content_modified)
            core.items.add_file(user, folder, name, file.size, file.sha1, blob, *dates)
        core.store.flush()


def _build(share: Path, files: int) -> None:
    """Every file has a content and a date of its own, as files of people do."""
    rng = random.Random(14)
    large = int(files * LARGE_FOLDER)
    for number in range(files):
        folder = share / "Tree" / ("large" if number < large else f"{number // PER_FOLDER:05d}")
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"{number:06d}.bin"
        file.write_bytes(rng.randbytes(SIZE))
        os.utime(file, (1_500_000_000 + 60 * number,) * 2)


def _change(share: Path, files: int) -> Day:
    """Another day."""
    rng, tree = random.Random(15), share / "Tree"
    chosen = rng.sample(range(int(files * LARGE_FOLDER), files), int(files * (CHANGED + MOVED + DELETED)))
    changed, rest = chosen[: int(files * CHANGED)], chosen[int(files * CHANGED) :]
    moved, gone = rest[: int(files * MOVED)], rest[int(files * MOVED) :]
    for number in changed:
        _file(tree, number).write_bytes(rng.randbytes(SIZE + 1))
    for number in moved:
        target = tree / f"{rng.randrange(files // 20, files) // PER_FOLDER:05d}"
        _file(tree, number).rename(target / f"moved {number:06d}.bin")
    for number in gone:
        _file(tree, number).unlink()
    (tree / "large").rename(tree / "large, renamed")
    return Day(len(changed), len(moved) + 1, len(gone))


def _file(tree: Path, number: int) -> Path:
    return tree / f"{number // PER_FOLDER:05d}" / f"{number:06d}.bin"


def _contents(share: Path) -> dict[str, str]:
    """Path → SHA-1 of every file."""
    files = [Path(folder, name) for folder, _, names in os.walk(share) for name in names]
    return {
        file.relative_to(share).as_posix(): hashlib.sha1(file.read_bytes(), usedforsecurity=False).hexdigest()
        for file in files
    }


def _row(where: str, name: str, run: Measured, before: Before, wanted: dict[str, str]) -> Row:
    calls = before.box.calls
    most = ", ".join(f"{count:,} {route}" for route, count in calls.by_route.most_common(6))
    print(f"{where}, {name}: {most}", flush=True)
    _require_equal(before.box, wanted, f"{where}, {name}")
    figures = {"calls": calls.total, "MB sent": calls.bytes_received / 1e6, "s": run.wall_seconds}
    return Row(where, name, figures | {"CPU s": run.cpu_seconds, "MB at most": run.peak_megabytes})


def _require_equal(box: Sandbox, wanted: dict[str, str], name: str) -> None:
    """RuntimeError unless Box has the very files of the share, with their contents."""
    there = {path: file.sha1 for path, file in box.files().items()}
    if there != wanted:
        different = sorted(set(there.items()) ^ set(wanted.items()))
        raise RuntimeError(f"{name}: {len(different)} files differ, among them {different[:5]}")


def _require_calls(box: Sandbox, day: Day) -> None:
    """RuntimeError where a pass needed more than a call for each thing that changed."""
    made = box.calls.total - box.calls.by_route[PROOF]
    print(f"ours without the proof: {made:,} calls of at most {day.calls:,}", flush=True)
    if made > day.calls:
        raise RuntimeError(f"{made:,} calls, and {day.calls:,} are promised: {box.calls.by_route}")


if __name__ == "__main__":
    print(table(main(*(int(word) for word in sys.argv[1:2]))))

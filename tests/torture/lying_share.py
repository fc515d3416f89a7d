"""LyingShare: a true share of any kind, a source that lies about it, and what must be true of every entry of it."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from fsspec import AbstractFileSystem

from connectors.box.sandbox import Sandbox
from connectors.entry import EntryKind
from connectors.errors import ConnectorError
from flows.errors import PlanError
from flows.migrate import migrate_share
from flows.plan.connections import known_plan, open_checkpoint
from flows.plan.file import load_plan
from state.records import ItemLine
from state.reports.lines import item_lines
from state.statuses import ItemStatus
from tests.torture.faults import Ended
from tests.torture.liars import TELLER, Lies
from tests.trees import Tree, files_of

#: What is lied about is below T; U is as it says.
TREE: Tree = {
    "T": {"a.txt": b"1", "folder": {"b.txt": b"22", "deep": {"c.txt": b"333"}}, "twin": {"d.txt": b"4444"}},
    "U": {"e.txt": b"55555"},
}


class LyingShare:
    """One share that tells what `lies` say, and the plan that moves it. The share itself is `true`."""

    def __init__(
        self, folder: Path, box: Sandbox, true: AbstractFileSystem, root: str, source: Mapping[str, Any]
    ) -> None:
        """`true` reads and writes the share past the source, from `root` on."""
        self.box, self._true, self._root, self._folder = box, true, root, folder
        #: How many contents each path has had: as many versions Box may hold.
        self.contents: Counter[str] = Counter()
        self._write_plan(source)
        for path, content in files_of(TREE).items():
            self.write(path, content)

    def _write_plan(self, source: Mapping[str, Any]) -> None:
        self.box.reset()
        self.box.add_user("ann@example.com")
        self.box.write_config(self._folder / "box_config.json")
        limits = {"uploads_per_minute": 10_000, "calls_per_minute": 50_000, "backoff_seconds": 0.001}
        document = {
            "name": "liars",
            "source": dict(source),
            "box": {
                "auth": {"method": "jwt", "config_file": "box_config.json"},
                "base_url": self.box.url,
                "upload_url": self.box.upload_url,
                "limits": limits,
            },
            "state_url": "sqlite:///state.db",
            "trees": [
                {"source": name, "collaborators": [{"login": "ann@example.com", "role": "viewer"}]}
                for name in TREE
            ],
        }
        (self._folder / "plan.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
        self.plan = load_plan(self._folder / "plan.yaml")

    # --- the share as it is ---

    def write(self, path: str, content: bytes) -> None:
        """Put these bytes there."""
        full = f"{self._root}/{path}"
        self._true.makedirs(full.rpartition("/")[0], exist_ok=True)
        self._true.pipe_file(full, content)
        self.contents[path] += 1

    def delete(self, path: str) -> None:
        """Remove a file or a folder."""
        self._true.rm(f"{self._root}/{path}", recursive=True)

    def files(self) -> dict[str, bytes]:
        """Path → bytes of every file."""
        return {self._inside(path): self._true.cat_file(path) for path in self._true.find(self._root)}

    def folders(self) -> set[str]:
        """Every folder below a tree's."""
        found = self._true.find(self._root, withdirs=True, detail=True)
        paths = {self._inside(path) for path, info in found.items() if info["type"] == "directory"}
        return {path for path in paths if "/" in path}

    def _inside(self, path: str) -> str:
        return path.strip("/").removeprefix(self._root.strip("/")).strip("/")

    # --- runs ---

    def run(self, lies: Lies | None = None) -> Ended:
        """One run of the flow itself, while the source tells these lies."""
        TELLER.lies = lies or Lies()
        try:
            summary = migrate_share.fn(self.plan, check=False)
        except PlanError as exc:
            return Ended(2, message=str(exc))
        except ConnectorError as exc:
            return Ended(3, message=str(exc))
        finally:
            TELLER.lies = Lies()
        return Ended(0 if summary["complete"] else 1, summary)

    def lines(self) -> dict[tuple[str, bool], ItemLine]:
        """(path, whether it is a folder) → the line of the report."""
        checkpoint = open_checkpoint(self.plan)
        try:
            plan_id = known_plan(self.plan, checkpoint)
            return {
                (line.path, line.kind is EntryKind.FOLDER): line for line in item_lines(checkpoint, plan_id)
            }
        finally:
            checkpoint.close()

    # --- what must be true ---

    def assert_told(
        self,
        ended: Ended,
        *,
        never_seen: Iterable[str] = (),
        gone: Iterable[str] = (),
        links: Iterable[str] = (),
        served: Mapping[str, bytes] | None = None,
    ) -> None:
        """Every entry is uploaded as it is, failed, gone or excluded, with a reason; code and trees agree with that.

        `never_seen` was in no listing, and nobody can know of it; `gone` the source denied in every way; of `links`
        it said that they are some; `served` are the bytes that it gave for a file, each time.
        """
        assert ended.code in (0, 1, 3), ended
        lines = self.lines()
        if (
            ended.code == 3
        ):  # stopped before it looked at everything: what it did not look at waits, or is as it was
            self._assert_box_is_known(lines)
            return
        for path in self.folders():
            self._assert_line(path, lines.get((path, True)), lines, never_seen, gone, links)
        for path, content in self.files().items():
            line = lines.get((path, False))
            self._assert_line(path, line, lines, never_seen, gone, links)
            if line is not None and line.status is ItemStatus.UPLOADED and not self._told_above(path, lines):
                self._assert_same(path, line, content, (served or {}).get(path, content))
        failed = [line for line in lines.values() if line.status is ItemStatus.FAILED]
        assert (ended.code == 1) == bool(failed), (ended, failed)
        self._assert_box_is_known(lines)

    def _assert_line(
        self,
        path: str,
        line: ItemLine | None,
        lines: Mapping[tuple[str, bool], ItemLine],
        never_seen: Iterable[str],
        gone: Iterable[str],
        links: Iterable[str],
    ) -> None:
        if line is None:
            assert path in never_seen or self._told_above(f"{path}/", lines), f"{path}: no line"
            return
        if line.status is ItemStatus.GONE:
            assert path in gone, line
        elif line.status is ItemStatus.EXCLUDED:
            assert path in links, line
        elif line.status is ItemStatus.FAILED:
            assert line.reason, line
            assert line.detail, line
        else:
            assert line.status is ItemStatus.UPLOADED, line

    @staticmethod
    def _told_above(path: str, lines: Mapping[tuple[str, bool], ItemLine]) -> bool:
        """What is above it failed, or is said to be no folder: it was not looked at, and the report says so."""
        while path := path.rpartition("/")[0]:
            for is_folder in (True, False):
                found = lines.get((path, is_folder))
                if found is not None and found.status in (ItemStatus.FAILED, ItemStatus.EXCLUDED):
                    return True
        return False

    def _assert_same(self, path: str, line: ItemLine, *contents: bytes) -> None:
        """One of these: a file that was read before the lie is not read again."""
        [file] = [file for file in self.box.files().values() if file.id == line.box_id]
        same = {(hashlib.sha1(content).hexdigest(), len(content)) for content in contents}
        assert (file.sha1, file.size) in same, path
        # Bytes that were served and are not the file's are one more content, where it was read again meanwhile.
        assert file.versions <= self.contents[path] + len(same) - 1, path

    def _assert_box_is_known(self, lines: Mapping[tuple[str, bool], ItemLine]) -> None:
        known = {line.box_id for line in lines.values()}
        assert [] == [path for path, file in self.box.files().items() if file.id not in known]
        assert [] == [path for path, count in Counter(self.box.folders()).items() if count > 1]
        inside = [path for path in self.box.folders() if "/" in path]
        assert len(inside) == len(
            {line.box_id for (path, folder), line in lines.items() if folder and "/" in path and line.box_id}
        )

    def assert_arrived(self) -> None:
        """After honest runs everything is there as it is, and the trees are complete."""
        ended = self.run()
        if ended.code != 0:
            ended = self.run()
        assert 0 == ended.code, (
            ended,
            [line for line in self.lines().values() if line.status is ItemStatus.FAILED],
        )
        self.assert_told(ended)
        lines = self.lines()
        assert {ItemStatus.UPLOADED} == {lines[path, False].status for path in self.files()}
        assert {"T", "U"} == {grant["path"] for grant in self.box.collaborations()}

"""Proof that a share arrived: the share's own bytes against what the sandbox holds, by way of the report."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from connectors.box.sandbox import Sandbox
from tests.acceptance.shares import digest
from tests.program import Program
from tests.readings import violations


def report_items(program: Program) -> dict[str, dict[str, Any]]:
    """Every line of the JSON report by its source path."""
    finished = program.run("report", "--plain")
    assert finished.code == 0, finished.output
    path = next(Path(line) for line in finished.stdout.splitlines() if line.endswith("items.json"))
    lines = json.loads(path.read_text())
    assert len({(line["path"], line["kind"]) for line in lines}) == len(lines)
    return {line["path"]: line for line in lines}


def local_files(root: Path) -> dict[str, Path]:
    """Every file under a folder by its path as the source spells it."""
    found = {}
    for folder, _, names in os.walk(root):
        for name in names:
            path = Path(folder, name)
            found[path.relative_to(root).as_posix()] = path
    return found


def assert_arrived(
    program: Program,
    box: Sandbox,
    root: Path,
    *,
    dates: bool = True,
    versions: Mapping[str, int] | None = None,
) -> None:
    """Every file once, one version, same sha1 and size, same date to the second; one folder per folder.

    `versions`: how many those files have that were in Box before they changed.
    """
    items = report_items(program)
    in_box = {file.id: file for file in box.files().values()}
    files = local_files(root)
    for path, local in files.items():
        line = items[path]
        file = in_box.pop(line["box_id"])
        assert ("uploaded", digest(local), local.stat().st_size) == (line["status"], file.sha1, file.size), (
            path
        )
        assert file.versions == (versions or {}).get(path, 1), path
        if dates:
            modified = int(local.stat().st_mtime)
            assert modified == file.content_modified, f"{path}: {modified}, in Box {file.content_modified}"
    assert in_box == {}
    twice = [path for path, count in Counter(box.folders()).items() if count > 1]
    assert twice == []
    assert box.open_sessions() == []
    assert [] == violations(box)


def sums_add_up(program: Program) -> dict[str, Any]:
    """The status document, after checking that each tree's counts add up to its total (P2)."""
    document = program.status()
    for tree in document["trees"]:
        counts = tree["items"]
        assert counts["total"] == sum(counts[name] for name in counts if name not in ("total", "gone")), tree
    return document

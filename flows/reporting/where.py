"""Where the plan's reports lie in Box: as part of the status, and as lines for a person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flows.words import counted
from state.checkpoint import Checkpoint

#: Reports that are named to a person; --json has all.
NAMED = 3

#: How the key of a report's page ends; the list beside it is in the same folder.
PAGE = "|report.html"


def reports_in_box(checkpoint: Checkpoint, plan_id: int, plan_name: str) -> list[dict[str, Any]]:
    """Each page: tree (None: of the whole plan), name, file_id, folder_id, and `at`; the latest first."""
    kept = {
        key.removesuffix(PAGE): file
        for key, file in checkpoint.reports_in_box(plan_name).items()
        if key.endswith(PAGE)
    }
    names = {str(tree.id): tree.name for tree in checkpoint.trees(plan_id)} if kept else {}
    found = [
        {
            "tree": names.get(key),
            "name": file["name"],
            "file_id": file["id"],
            "folder_id": file.get("folder"),
            "at": file.get("at"),
        }
        for key, file in kept.items()
    ]
    return sorted(found, key=lambda each: each["at"] or "", reverse=True)


def report_lines(document: Mapping[str, Any]) -> list[str]:
    """Say where the latest of them lie."""
    found = document.get("reports_in_box", [])
    lines = [
        f"report in Box: {each['name']} (file {each['file_id']})"
        + (f" in folder {each['folder_id']}" if each["folder_id"] else "")
        + (f", as of {each['at'][:16].replace('T', ' ')} UTC" if each["at"] else "")
        for each in found[:NAMED]
    ]
    more = len(found) - NAMED
    return [*lines, f"and {counted(more, 'more report')} in Box; --json has all"] if more > 0 else lines

"""Manifest: every entry of a plan and every grant as one chained line, for an auditor. Reads the checkpoint alone.

The first line says what it is of, the last one what it counted; between them the trees with their people, and then
the entries, tree by tree, a folder before what is in it. Memory does not grow with the plan (P9).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from connectors.box.values import box_date
from connectors.entry import EntryKind
from flows.errors import PlanError
from flows.plan.connections import known_plan, open_checkpoint
from flows.plan.model import MigrationPlan
from flows.reconciliation.chain import Chain
from flows.reconciliation.signing import private_key, public_line, public_pem, signature_of
from flows.reporting.files import replacing
from flows.reporting.items import item_row
from state.checkpoint import Checkpoint
from state.people_records import CollaborationRecord, CollaboratorSpec
from state.records import ItemLine, TreeRecord
from state.reports.events import events
from state.reports.lines import item_lines
from state.statuses import EventKind, ItemStatus

FORMAT = "boxhaul-manifest"
FORMAT_VERSION = 1


def write_manifest(plan: MigrationPlan, target: Path, key_file: Path | None) -> tuple[list[Path], str]:
    """Write the manifest, its signature beside it and the public key; return their paths, and the key as one line.

    Without a key of its own the plan's is taken, beside the plan file, and made when it is not there. Earlier files
    stay whole until the new ones are. PlanError before the first run, and where nothing can be written.
    """
    key = private_key(key_file or plan.path(f"{plan.name}-manifest.key"), make=key_file is None)
    paths = [target, target.with_name(f"{target.name}.sig"), target.with_name(f"{target.name}.pub")]
    try:
        with replacing(paths) as (lines, signature, public):
            chain = Chain()
            with closing(open_checkpoint(plan)) as checkpoint:
                for line in manifest_lines(plan, checkpoint):
                    lines.write(chain.link(line).decode("ascii"))
            signature.write(signature_of(key, chain.hash))
            public.write(public_pem(key))
    except OSError as exc:
        raise PlanError(f"--manifest: {target} cannot be written ({exc.strerror or exc})") from exc
    return paths, public_line(key.public_key())


def manifest_lines(plan: MigrationPlan, checkpoint: Checkpoint) -> Iterator[dict[str, Any]]:
    """Every line as an object, the counts of the others at the end."""
    plan_id = known_plan(plan, checkpoint)
    kinds, statuses, size = Counter[str](), Counter[str](), 0
    for line in _content_lines(plan, checkpoint, plan_id):
        kinds[line["type"]] += 1
        if line["type"] == "entry":
            statuses[line["status"]] += 1
            size += line["size"] if line["status"] == ItemStatus.UPLOADED.value else 0
        yield line
    yield {
        "type": "closing",
        "lines": kinds.total() + 1,
        "by_type": dict(kinds),
        "by_status": dict(statuses),
        "bytes_uploaded": size,
    }


def _content_lines(plan: MigrationPlan, checkpoint: Checkpoint, plan_id: int) -> Iterator[dict[str, Any]]:
    yield _header(plan, checkpoint, plan_id)
    proofs = {line.tree_id: line.detail["by"] for line in events(checkpoint, plan_id, kind=EventKind.PROVEN)}
    trees = {tree.name: tree for tree in checkpoint.trees(plan_id)}
    for tree in trees.values():
        yield _tree_line(tree, proofs.get(tree.id))
        for record in checkpoint.all_collaborations(tree.id):
            if record.box_collaboration_id is not None:
                yield _grant_line(tree, record)
    places = _BoxPaths(checkpoint)
    for line in item_lines(checkpoint, plan_id):
        tree = trees[line.tree]
        # What is not compared any more, a tree whose folder is to be made again, is not proven by what was.
        proof = proofs.get(tree.id) if tree.verified else None
        yield _entry_line(line, places.of(tree, line), proof)


def _header(plan: MigrationPlan, checkpoint: Checkpoint, plan_id: int) -> dict[str, Any]:
    origin = next(each for each in checkpoint.plan_origins() if each.id == plan_id)
    last: dict[str, Any] | None = None
    for line in events(checkpoint, plan_id, kind=EventKind.RECONCILED):
        last = {**line.detail, "at": line.at.isoformat()}
    return {
        "type": "header",
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "program": f"boxhaul {version('boxhaul')}",
        "written_at": datetime.now(UTC).isoformat(),
        "plan": plan.name,
        "source_url": origin.source_url,
        "landing_folder_id": origin.landing_folder_id,
        "box": {
            "base_url": plan.box.base_url,
            "client_id": origin.box.client_id,
            "enterprise_id": origin.box.enterprise_id,
            "account_id": origin.box.account_id,
            "account_login": origin.box.account_login,
        },
        "last_verification": last,
    }


def _tree_line(tree: TreeRecord, proof: str | None) -> dict[str, Any]:
    link = tree.shared_link
    return {
        "type": "tree",
        "tree": tree.name,
        "source": tree.source,
        "folder": tree.folder,
        "box_id": tree.box_folder_id,
        "state": tree.state.value,
        "incomplete_reason": tree.incomplete_reason.value if tree.incomplete_reason else None,
        "verified": tree.verified,
        "proof": proof,
        # Without its address, which opens it.
        "shared_link": {k: v for k, v in link.items() if k != "url"} if link else None,
    }


def _grant_line(tree: TreeRecord, record: CollaborationRecord) -> dict[str, Any]:
    spec = record.spec
    who = {name: getattr(spec, name) for name in CollaboratorSpec.__dataclass_fields__}
    who["expires_at"] = spec.expires_at.isoformat() if spec.expires_at else None
    return {
        "type": "grant",
        "tree": tree.name,
        "box_id": tree.box_folder_id,
        **who,
        "status": record.status.value,
        "collaboration_id": record.box_collaboration_id,
    }


def _entry_line(item: ItemLine, box_path: str, proof: str | None) -> dict[str, Any]:
    """The report's line of an item, with what was read and what Box answered."""
    is_file, uploaded = item.kind is EntryKind.FILE, item.status is ItemStatus.UPLOADED
    sent = box_date(item.modified_ns) if is_file and uploaded and item.modified_ns is not None else None
    return {
        **item_row(item),
        "type": "entry",
        "modified_ns": item.modified_ns,
        "created_ns": item.created_ns,
        "changed_ns": item.changed_ns,
        "source_file_id": item.source_file_id,
        "box_path": box_path if item.box_id is not None else None,
        "box_modified": sent,
        "uploaded_by": item.uploaded_by,
        "adopted": item.adopted,
        "walked_pass": item.walked_pass,
        "proof": proof if uploaded else None,
    }


class _BoxPaths:
    """Paths in Box, below the landing folder, of lines that come a folder before what is in it: a few names held."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._checkpoint = checkpoint
        self._tree: int | None = None
        #: (source path, path in Box) of the folders above, the tree's own first.
        self._above: list[tuple[str, str]] = []

    def of(self, tree: TreeRecord, line: ItemLine) -> str:
        """The path of the next line."""
        if tree.id != self._tree:
            [root] = self._checkpoint.folder_chain(tree.root_folder_id)
            above = tree.folder.rpartition("/")[0]
            self._tree, self._above = tree.id, [(tree.source, f"{above}/{root.box_name}".lstrip("/"))]
        if line.kind is EntryKind.FOLDER and line.path == self._above[0][0]:
            return self._above[0][1]  # a tree's own folder, which has a line when something is wrong with it
        while len(self._above) > 1 and not line.path.startswith(f"{self._above[-1][0]}/"):
            self._above.pop()
        path = f"{self._above[-1][1]}/{line.box_name}"
        if line.kind is EntryKind.FOLDER:
            self._above.append((line.path, path))
        return path

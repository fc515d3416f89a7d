"""The report of a plan: HTML for people, CSV and JSON of every item for auditors. Reads the checkpoint alone."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from jinja2 import Environment, PackageLoader, select_autoescape

from flows.errors import PlanError
from flows.plan.model import MigrationPlan
from flows.reporting.status import open_checkpoint, status_document
from flows.reporting.verdict import VERIFIED, verdict
from flows.transfer.remarks import NOT_COVERED, words
from flows.transfer.remarks import WORDS as REMARK_WORDS
from flows.words import duration_words, printable, size_words
from state.records import EventLine, ItemLine
from state.reports.lines import events
from state.statuses import ItemStatus

#: Lines of one list in the HTML; the CSV has them all.
LISTED = 500

#: Remarks that are known again when a later pass makes them once more.
REMEMBERED = 100_000

#: A cell that begins with one of these is a formula to a spreadsheet; a file's name must never be one.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")

COLUMNS = (
    "tree",
    "path",
    "kind",
    "status",
    "reason",
    "detail",
    "size",
    "sha1",
    "box_id",
    "box_version_id",
    "box_name",
    "renamed",
    "modified",
    "uploaded_at",
    "attempts",
    "waived_by",
    "waived_why",
    "waived_at",
    "note",
)


@dataclass(frozen=True)
class Remark:
    """A line of the report about one folder."""

    path: str
    what: str
    count: int
    names: list[str]


@dataclass
class Findings:
    """What the HTML lists, gathered in one pass over the items; bounded whatever the share's size (P9)."""

    failed: list[ItemLine] = field(default_factory=list)
    renamed: list[ItemLine] = field(default_factory=list)
    #: Sent once, and excluded by a rule since: Box holds them still.
    excluded_in_box: list[ItemLine] = field(default_factory=list)
    waived: list[ItemLine] = field(default_factory=list)
    by_reason: dict[tuple[str, str], int] = field(default_factory=dict)
    failed_count: int = 0
    renamed_count: int = 0
    excluded_in_box_count: int = 0
    remarks: list[Remark] = field(default_factory=list)
    remark_count: int = 0
    #: Entries of the share that no tree of the plan covers.
    uncovered_count: int = 0
    #: Tree → what proved it the last time, a Verification.
    proofs: dict[str, str] = field(default_factory=dict)
    #: Trees that the plan does not name any more; their items are no findings.
    outside: frozenset[str] = frozenset()

    def read_diary(self, lines: Iterator[EventLine]) -> None:
        """Pick from the plan's diary what a person should know; the same remark of a later pass counts once."""
        seen: set[int] = set()
        left_out: dict[str, Any] = {}
        for line in lines:
            if line.kind == NOT_COVERED:
                left_out = line.detail
                continue
            if line.kind == VERIFIED:
                self.proofs[line.detail["tree"]] = line.detail["by"]
                continue
            key = hash((line.kind, json.dumps(line.detail, sort_keys=True)))
            if line.kind not in REMARK_WORDS or key in seen:
                continue
            if len(seen) < REMEMBERED:
                seen.add(key)
            self.remark_count += 1
            if len(self.remarks) < LISTED:
                detail = line.detail
                what = words(line.kind, detail)
                self.remarks.append(Remark(detail["path"], what, detail["count"], detail["names"]))
        if left_out.get("count") or left_out.get("unlisted"):
            self.remark_count += 1
            self.uncovered_count = left_out["count"]
            what = words(NOT_COVERED, left_out)
            self.remarks.insert(0, Remark("", what, left_out["count"], left_out["names"]))

    def take(self, item: ItemLine) -> None:
        """Look at one line."""
        if item.tree in self.outside:
            return
        if item.status is ItemStatus.FAILED:
            self.failed_count += 1
            if len(self.failed) < LISTED:
                self.failed.append(item)
        if item.renamed:
            self.renamed_count += 1
            if len(self.renamed) < LISTED:
                self.renamed.append(item)
        if item.status is ItemStatus.WAIVED and len(self.waived) < LISTED:
            self.waived.append(item)
        if item.status is ItemStatus.EXCLUDED and item.box_id is not None:
            self.excluded_in_box_count += 1
            if len(self.excluded_in_box) < LISTED:
                self.excluded_in_box.append(item)
        elif item.status in (ItemStatus.FAILED, ItemStatus.EXCLUDED):
            key = (item.status.value, item.reason or "")
            self.by_reason[key] = self.by_reason.get(key, 0) + 1


def write_report(plan: MigrationPlan, folder: Path | None = None) -> list[Path]:
    """Write report.html, items.csv and items.json; the paths.

    PlanError when nothing is known of the plan yet, and when the folder cannot be written to. An earlier report stays
    whole until the new one is.
    """
    target = folder or plan.path(f"{plan.name}-report")
    document = status_document(plan)
    if document["pass"] is None:
        raise PlanError(f"nothing is known of the plan {plan.name} yet; run: boxhaul migrate")
    paths = [target / "report.html", target / "items.csv", target / "items.json"]
    try:
        target.mkdir(parents=True, exist_ok=True)
        with replacing(paths) as (page, table, lines):
            findings = _write_items(plan, document, table, lines)
            page.write_text(
                render_html(plan, document, findings), encoding="utf-8", errors="backslashreplace"
            )
    except OSError as exc:
        raise PlanError(f"the report cannot be written into {target} ({exc.strerror or exc})") from exc
    return paths


@contextmanager
def replacing(paths: Sequence[Path]) -> Iterator[list[Path]]:
    """Where to write what takes the place of these files once all is written, the first of them last; they stay as they
    are until then."""
    fresh = [path.with_name(f".{path.name}.{os.getpid()}") for path in paths]
    try:
        yield fresh
        for new, path in reversed(list(zip(fresh, paths, strict=True))):
            new.replace(path)
    finally:
        for new in fresh:
            new.unlink(missing_ok=True)


def _write_items(plan: MigrationPlan, document: dict[str, Any], csv_path: Path, json_path: Path) -> Findings:
    """Every item into both files; what the page says of them and of the plan's diary."""
    outside = frozenset(tree["name"] for tree in document["trees"] if not tree["in_plan"])
    with closing(open_checkpoint(plan)) as checkpoint:
        plan_id = checkpoint.find_plan(plan.name)
        assert plan_id is not None  # noqa: S101  status_document found it
        findings = _write_lines(
            checkpoint.item_lines(plan_id), Findings(outside=outside), csv_path, json_path
        )
        diary = events(checkpoint, plan_id)
        findings.read_diary(line for line in diary if plan.trees or line.kind != NOT_COVERED)
    return findings


def _write_lines(lines: Iterator[ItemLine], findings: Findings, csv_path: Path, json_path: Path) -> Findings:
    with (
        csv_path.open("w", encoding="utf-8", errors="backslashreplace", newline="") as csv_file,
        json_path.open("w", encoding="ascii") as json_file,
    ):
        table = csv.writer(csv_file)
        table.writerow(COLUMNS)
        json_file.write("[")
        for number, item in enumerate(lines):
            row = item_row(item)
            table.writerow([csv_cell(row[column]) for column in COLUMNS])
            _write_json(json_file, row, first=number == 0)
            findings.take(item)
        json_file.write("\n]\n")
    return findings


def _write_json(file: TextIO, row: dict[str, Any], *, first: bool) -> None:
    file.write(("\n" if first else ",\n") + json.dumps(row, ensure_ascii=True))


def item_row(item: ItemLine) -> dict[str, Any]:
    """One item as the CSV and the JSON have it; times in UTC."""
    modified = None
    if item.modified_ns is not None:
        modified = _utc(item.modified_ns)
    return {
        "tree": item.tree,
        "path": item.path,
        "kind": item.kind.value,
        "status": item.status.value,
        "reason": item.reason,
        "detail": item.detail,
        "size": item.size,
        "sha1": item.sha1,
        "box_id": item.box_id,
        "box_version_id": item.box_version_id,
        "box_name": item.box_name,
        "renamed": item.renamed,
        "modified": modified,
        "uploaded_at": item.uploaded_at.isoformat() if item.uploaded_at else None,
        "attempts": item.attempts,
        "waived_by": item.waived_by,
        "waived_why": item.waived_why,
        "waived_at": item.waived_at.isoformat() if item.waived_at else None,
        "note": item.note,
    }


def _utc(nanoseconds: int) -> str:
    """RFC 3339 with a second's precision; the raw number when no calendar holds it."""
    try:
        return datetime.fromtimestamp(nanoseconds // 1_000_000_000, UTC).isoformat()
    except (OverflowError, ValueError, OSError):
        return str(nanoseconds)


def csv_cell(value: Any) -> str:
    """A cell that no spreadsheet takes for a formula, on one line, without terminal escapes."""
    if value is None:
        return ""
    text = str(value)
    if not isinstance(value, str):
        return text
    text = printable(text)
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def render_html(plan: MigrationPlan, document: dict[str, Any], findings: Findings) -> str:
    """The page, complete in itself: no script, no address outside, every name escaped."""
    environment = Environment(
        loader=PackageLoader("flows.reporting", "templates"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(size=size_words, duration=duration_words, printable=printable)
    return environment.get_template("report.html.j2").render(
        plan=plan,
        document=document,
        findings=findings,
        totals=_totals(document, findings),
        verdict=verdict(
            document,
            _proofs(plan, document, findings),
            excluded_in_box=findings.excluded_in_box_count,
            uncovered=findings.uncovered_count,
        ),
        written=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        listed=LISTED,
    )


def _proofs(plan: MigrationPlan, document: dict[str, Any], findings: Findings) -> dict[str, str]:
    """Tree → what proved it; as the plan says where the diary of an older version does not."""
    return {tree["name"]: plan.transfer.verify.value for tree in document["trees"]} | findings.proofs


def _totals(document: dict[str, Any], findings: Findings) -> dict[str, int]:
    """Sums over the trees that the plan names."""
    trees = [tree for tree in document["trees"] if tree["in_plan"]]
    names = ("total", "uploaded", "failed", "excluded", "waived", "pending")
    totals = {name: sum(tree["items"][name] for tree in trees) for name in names}
    totals["excluded_in_box"] = findings.excluded_in_box_count
    totals["excluded"] = max(0, totals["excluded"] - findings.excluded_in_box_count)
    totals["bytes"] = sum(tree["bytes"]["uploaded"] for tree in trees)
    return totals

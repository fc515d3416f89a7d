"""The report of a plan: HTML for people, CSV and JSON of every item for auditors. Reads the checkpoint alone."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from jinja2 import Environment, PackageLoader, select_autoescape

from flows.errors import PlanError
from flows.plan.connections import open_checkpoint
from flows.plan.exclude import DEFAULT_EXCLUDE, unused_rules
from flows.plan.model import MigrationPlan
from flows.plan.origin import find_plan
from flows.reporting.files import replacing
from flows.reporting.findings import LISTED, Findings
from flows.reporting.headline import verdict
from flows.reporting.items import how_renamed, write_lines
from flows.reporting.status import running_words, status_document
from flows.words import duration_words, printable, size_words
from state.reports.events import events
from state.reports.lines import item_lines
from state.statuses import EventKind, PassState


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
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
        with replacing(paths) as (page, table, lines):
            findings = _write_items(plan, document, table, lines)
            page.write(render_html(plan, document, findings))
    except OSError as exc:
        raise PlanError(f"the report cannot be written into {target} ({exc.strerror or exc})") from exc
    return paths


def _write_items(plan: MigrationPlan, document: dict[str, Any], table: TextIO, array: TextIO) -> Findings:
    """Every item into both files; what the page says of them and of the plan's events."""
    outside = frozenset(tree["name"] for tree in document["trees"] if not tree["in_plan"])
    with closing(open_checkpoint(plan)) as checkpoint:
        plan_id = find_plan(checkpoint, plan)
        assert plan_id is not None  # noqa: S101  status_document found it
        findings = write_lines(item_lines(checkpoint, plan_id), Findings(outside=outside), table, array)
        lines = events(checkpoint, plan_id)
        if document["pass_state"] != PassState.RUNNING:
            findings.note_unused_rules(unused_rules(plan.exclude, findings.excluded_reasons, DEFAULT_EXCLUDE))
        findings.read_events(line for line in lines if plan.trees or line.kind != EventKind.NOT_COVERED)
    return findings


def render_html(plan: MigrationPlan, document: dict[str, Any], findings: Findings) -> str:
    """The page, complete in itself: no script, no address outside, every name escaped."""
    environment = Environment(
        loader=PackageLoader(__package__, "templates"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(size=size_words, duration=duration_words, printable=printable, how=how_renamed)
    return environment.get_template("report.html.j2").render(
        plan=plan,
        document=document,
        findings=findings,
        totals=_totals(document, findings),
        running=running_words(document),
        verdict=verdict(
            document,
            _proofs(plan, document, findings),
            excluded_in_box=findings.excluded_in_box_count,
            uncovered=findings.uncovered_count,
            never_seen=findings.never_seen_count,
        ),
        written=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        listed=LISTED,
    )


def _proofs(plan: MigrationPlan, document: dict[str, Any], findings: Findings) -> dict[str, str]:
    """Tree → what proved it; as the plan says where the events of an older version do not."""
    return {tree["name"]: plan.transfer.verify.value for tree in document["trees"]} | findings.proofs


def _totals(document: dict[str, Any], findings: Findings) -> dict[str, int]:
    """Sums over the trees that the plan names, as status has them, and one that the lines alone tell."""
    return {
        **document["totals"]["items"],
        "excluded_in_box": findings.excluded_in_box_count,
        "bytes": document["totals"]["bytes"]["uploaded"],
    }

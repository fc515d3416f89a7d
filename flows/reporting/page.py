"""The report's page: one HTML file, complete in itself. No script, no address outside, every name escaped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, select_autoescape

from flows.plan.model import MigrationPlan
from flows.reporting.course import Course
from flows.reporting.findings import LISTED, Findings
from flows.reporting.headline import verdict
from flows.reporting.items import how_renamed
from flows.reporting.pictures.drawing import FILLS
from flows.reporting.shape import Shape
from flows.reporting.status import running_words
from flows.words import duration_words, printable, size_words

if TYPE_CHECKING:
    from flows.reporting.pictures.drawing import Figure


@dataclass(frozen=True)
class Told:
    """What the page tells beside the status document."""

    findings: Findings
    shape: Shape
    course: Course | None


def render(
    plan: MigrationPlan, document: dict[str, Any], told: Told, drawn: Sequence[Figure] | None = None
) -> str:
    """The page, with these pictures; None: without pictures and the workbook."""
    findings = told.findings
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
        figures=drawn or (),
        fills=FILLS,
        workbook=drawn is not None,
        totals=_totals(document, findings),
        running=running_words(document),
        verdict=verdict(
            document,
            _proofs(plan, document, findings),
            excluded_in_box=findings.excluded_in_box.found,
            uncovered=findings.uncovered_count,
            never_seen=findings.never_seen_count,
        ),
        written=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        listed=LISTED,
    )


def draw_figures(document: dict[str, Any], told: Told) -> Sequence[Figure]:
    """Draw the pictures. Their library is loaded here and nowhere before: it takes long."""
    from flows.reporting.pictures.figures import figures

    return figures(document, told.shape, told.course)


def _proofs(plan: MigrationPlan, document: dict[str, Any], findings: Findings) -> dict[str, str]:
    """Tree → what proved it; as the plan says where the events of an older version do not."""
    return {tree["name"]: plan.transfer.verify.value for tree in document["trees"]} | findings.proofs


def _totals(document: dict[str, Any], findings: Findings) -> dict[str, int]:
    """Sums over the trees that the plan names, as status has them, and one that the lines alone tell."""
    return {
        **document["totals"]["items"],
        "excluded_in_box": findings.excluded_in_box.found,
        "bytes": document["totals"]["bytes"]["uploaded"],
    }

"""The text of a run's page: numbers, trees with links, a chart of throughput. Pure; Markdown in, no Prefect."""

from __future__ import annotations

import json
from collections.abc import Sequence
from urllib.parse import urlsplit

from flows.plan.model import MigrationPlan
from flows.plan.origin import source_name
from flows.run.forecast import left_words, uploads_per_minute
from flows.run.progress import Snapshot, bytes_words
from flows.words import counted, failed_words, printable, size_words
from state.records import TreeReport
from state.reports.sums import add_up

#: Points of the chart; when there are more, every other one goes.
CHART_POINTS = 60

CHART_COLOURS = {"themeVariables": {"xyChart": {"plotColorPalette": "#0061d5", "backgroundColor": "#ffffff"}}}

#: Where people see folders; the API's own address differs.
BOX_APP = "https://app.box.com"


class History:
    """Uploaded files and bytes over time, in bounded memory however long the run lasts (P9)."""

    def __init__(self) -> None:
        self._points: list[tuple[float, int, int]] = []

    def add(self, seconds: float, files: int, size: int) -> None:
        """What was uploaded after so many seconds."""
        self._points.append((seconds, files, size))
        if len(self._points) > CHART_POINTS:
            # The newest stays, so that the last span is never longer than it was.
            self._points = self._points[:-1][::2] + self._points[-1:]

    def per_minute(self) -> list[tuple[float, float, float]]:
        """Minutes since the beginning, files and megabytes per minute, for each span between two points."""
        return [
            (later[0] / 60, (later[1] - sooner[1]) * 60 / span, (later[2] - sooner[2]) * 60 / span / 1e6)
            for sooner, later in zip(self._points, self._points[1:], strict=False)
            if (span := later[0] - sooner[0]) > 0
        ]


def share_done(state: Snapshot) -> float:
    """Percent of what has to move that has arrived: the mean of files and bytes, since both take their time."""
    files = state.files_uploaded / state.files_total if state.files_total > 0 else 0.0
    size = state.bytes_uploaded / state.bytes_total if state.bytes_total else files
    # All there is said by the trees' states alone, after Box's listing agreed.
    limit = 100.0 if state.phase == "complete" else 99.0
    return 100.0 if state.phase == "complete" else min(limit, 50.0 * (min(1.0, files) + min(1.0, size)))


def progress_words(name: str, state: Snapshot) -> str:
    """One line under the progress bar. The UI's card shows the first thirty characters: figures first."""
    left = left_words(state.eta_seconds, walks_on=state.walks_on)
    return (
        f"{state.files_uploaded:,} of {state.files_total:,} files,"
        f" {size_words(state.bytes_uploaded)} of {size_words(state.bytes_total)},"
        f" {state.files_per_second:.1f} files/s, {left}, {counted(state.calls, 'call')} to Box"
        + (f", {failed_words(state.failed)}" if state.failed else "")
        + f"; {name}, {state.phase}"
    )


def overview(
    plan: MigrationPlan,
    state: Snapshot,
    history: History,
    trees: Sequence[TreeReport],
    *,
    more_trees: int = 0,
) -> str:
    """The Markdown of the run's overview."""
    parts = [f"# {_cell(plan.name)}: {state.phase}", _numbers(plan, state)]
    parts.append("## Trees\n\n" + _trees(plan, trees))
    if more_trees:
        parts.append(f"and {counted(more_trees, 'tree')} more; `boxhaul status` has them all.")
    failures = _failures(trees)
    if failures:
        parts.append("## Failures by reason\n\n" + failures)
    chart = _chart(history)
    if chart:
        parts.append("## Files per minute\n\n" + chart)
    return "\n\n".join(parts) + "\n"


def _numbers(plan: MigrationPlan, state: Snapshot) -> str:
    identities = max(1, len(plan.box.identities))
    limit = uploads_per_minute(plan.box)
    left = left_words(state.eta_seconds, walks_on=state.walks_on)
    rows = [
        ("from", _code(source_name(plan) or plan.source.url)),
        ("files", f"{state.files_uploaded:,} of {state.files_total:,}"),
        ("bytes", bytes_words(state)),
        ("rate", f"{state.files_per_second:.1f} files/s, {size_words(state.bytes_per_second)}/s"),
        ("Box allows", f"{limit / 60:.1f} files/s with {identities} uploading"),
        ("time left", left),
        ("calls to Box", f"{state.calls:,}, {state.rate_limited:,} answered 429"),
        ("failed", counted(state.failed, "entry", "entries")),
    ]
    return "| | |\n|---|---|\n" + "\n".join(f"| {name} | {value} |" for name, value in rows)


def _trees(plan: MigrationPlan, trees: Sequence[TreeReport]) -> str:
    lines = [
        "| tree | state | entries in Box | of | bytes | entries failed |",
        "|---|---|---:|---:|---:|---:|",
    ]
    for report in trees:
        tree, counts = report.tree, report.items
        name = _cell(tree.name)
        if tree.box_folder_id is not None:
            name = f"[{name}]({box_folder_url(plan, tree.box_folder_id)})"
        state = tree.state.value + (f": {tree.incomplete_reason.value}" if tree.incomplete_reason else "")
        lines.append(
            f"| {name} | {state} | {counts.uploaded:,} | {counts.to_move:,} |"
            f" {size_words(counts.bytes_uploaded)} | {counts.failed:,} |"
        )
    return "\n".join(lines)


def box_folder_url(plan: MigrationPlan, folder_id: str) -> str:
    """Where a person opens this folder; a sandbox shows its own page."""
    host = urlsplit(plan.box.base_url)
    root = BOX_APP if host.hostname == "api.box.com" else f"{host.scheme}://{host.netloc}"
    return f"{root}/folder/{folder_id}"


def _failures(trees: Sequence[TreeReport]) -> str:
    sums = add_up(trees).failures_by_reason
    if not sums:
        return ""
    return "| reason | entries |\n|---|---:|\n" + "\n".join(
        f"| {_cell(reason)} | {count:,} |" for reason, count in sums.items()
    )


def _chart(history: History) -> str:
    points = history.per_minute()
    if len(points) < 2:
        return ""
    labels = ", ".join(f'"{minutes:.1f}"' for minutes, _, _ in points)
    rates = [max(0.0, files) for _, files, _ in points]
    values = ", ".join(f"{rate:.0f}" for rate in rates)
    return (
        "```mermaid\n"
        f"%%{{init: {json.dumps(CHART_COLOURS)}}}%%\n"
        "xychart-beta\n"
        f'  x-axis "minutes since the run began" [{labels}]\n'
        f'  y-axis "files per minute" 0 --> {max(1.0, *rates) * 1.1:.0f}\n'
        f"  bar [{values}]\n```"
    )


def _cell(text: str) -> str:
    """Text of the share inside a Markdown table: it forms no cell, link, tag or code of its own."""
    for char in "\\`*_{}[]<>()#|!~$":
        text = text.replace(char, f"\\{char}")
    return printable(text)


def _code(text: str) -> str:
    """Text as code inside a Markdown table, where only the cell's own border can be escaped."""
    return "`" + printable(text).replace("`", "'").replace("|", "\\|") + "`"

"""The text of a run's page: a chart of the whole, numbers, trees with links, what failed. Pure; no Prefect."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from flows.orchestration.picture import History, Whole, chart
from flows.plan.model import MigrationPlan
from flows.plan.origin import source_name
from flows.run.forecast import left_words, uploads_per_minute
from flows.run.progress import Snapshot, bytes_words
from flows.words import counted, failed_words, printable, size_words
from state.records import Counts, TreeReport
from state.reports.sums import add_up

#: Where people see folders; the API's own address differs.
BOX_APP = "https://app.box.com"


def share_done(state: Snapshot) -> float:
    """Percent of what has to move that has arrived: the mean of files and bytes, since both take their time."""
    files = state.files_uploaded / state.files_total if state.files_total > 0 else 0.0
    size = state.bytes_uploaded / state.bytes_total if state.bytes_total else files
    # All there is said by the trees' states alone, after Box's listing agreed.
    is_complete = state.phase.startswith("complete")
    limit = 100.0 if is_complete else 99.0
    return 100.0 if is_complete else min(limit, 50.0 * (min(1.0, files) + min(1.0, size)))


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
    whole: Whole | None = None,
    report: Path | None = None,
) -> str:
    """The Markdown of the run's overview. `whole`: all trees of the plan, where the run moves some of them alone;
    `report`: where the page of the report is, on the machine that runs this."""
    whole = whole or whole_of(state)
    parts = [f"# {cell(plan.name)}: {state.phase}", chart(plan.name, whole, history), _numbers(plan, state)]
    parts.append("## Trees\n\n" + _trees(plan, trees))
    if more_trees:
        parts.append(f"and {counted(more_trees, 'tree')} more; `boxhaul status` has them all.")
    failures = _failures(trees)
    if failures:
        parts.append("## Failures by reason\n\n" + failures)
    if report is not None:
        parts.append(report_words(report))
    return "\n\n".join(parts) + "\n"


def whole_of(state: Snapshot, others: Counts | None = None) -> Whole:
    """The trees that this run moves, and the files of those that it does not."""
    others = others or Counts()
    return Whole(
        total=state.files_total + others.to_move,
        uploaded=state.files_uploaded + others.uploaded,
        failed=state.files_failed + others.failed,
    )


def report_words(report: Path) -> str:
    """Where the report is; no link, which would lead a browser elsewhere to nothing."""
    return (
        f"## Report\n\nOn the machine that ran this ({printable(socket.gethostname())}):\n\n{_code(str(report))}\n\n"
        "Beside it every item as CSV and JSON. Elsewhere: `boxhaul report PLAN --out FOLDER`."
    )


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
        name = cell(tree.name)
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
        f"| {cell(reason)} | {count:,} |" for reason, count in sums.items()
    )


def cell(text: str) -> str:
    """Text of the share inside a Markdown table: it forms no cell, link, tag or code of its own."""
    for char in "\\`*_{}[]<>()#|!~$":
        text = text.replace(char, f"\\{char}")
    return printable(text)


def _code(text: str) -> str:
    """Text as code inside a Markdown table, where only the cell's own border can be escaped."""
    return "`" + printable(text).replace("`", "'").replace("|", "\\|") + "`"

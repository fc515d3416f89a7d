"""Where a plan stands: the document of `boxhaul status --json`, and the same as a table. Reads the checkpoint alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from flows.plan.connections import known_plan, open_checkpoint
from flows.plan.model import MigrationPlan
from flows.plan.people import COLLABORATOR_KEYS
from flows.reporting.failures import first_by_reason
from flows.reporting.where import report_lines, reports_in_box
from flows.run.forecast import beside_the_fact, seconds_at_least
from flows.words import counted, duration_words, normal_form, printable, size_words
from state.checkpoint import Checkpoint
from state.records import MessagesRefused
from state.reports.lines import failures
from state.reports.status import plan_status
from state.statuses import PassState, SurveyKind

#: What a tree's entries, and its files, are counted as.
COUNTED = ("total", "uploaded", "failed", "excluded", "waived", "pending", "gone")


#: Entries that failed and are named in a status, and how many are looked at to find some of each reason.
FAILED_NAMED, FAILED_LOOKED_AT = 5, 1000

#: What is told of the last simulation.
FORECAST = ("at", "calls", "uploads", "bytes", "items", "days", "seconds", "binding", "finish_at")


def status_document(plan: MigrationPlan) -> dict[str, Any]:
    """plan, pass, trees, calls, eta_seconds: the shape of DESIGN's outside. PlanError before the first run.

    "messages": since when nobody takes what people are to be told; None where somebody does.
    "failures" are the first entries that failed, of each reason some. Each tree says whether the plan still names it
    (in_plan), and whom an earlier version of the plan let in who is in Box still (still_in); "not_begun" are those
    that no run has begun. "complete" is of all that the plan names. "reports_in_box" says where those lie that were put
    there.
    """
    checkpoint = open_checkpoint(plan)
    try:
        plan_id = known_plan(plan, checkpoint)
        document = {**plan_status(checkpoint, plan_id), "plan": plan.name}
        document["failures"] = _first_failures(checkpoint, plan_id)
        document["messages"] = _messages(plan, checkpoint, plan_id)
        forecast = checkpoint.last_survey(plan.checkpoint_name, SurveyKind.FORECAST)
        document["reports_in_box"] = reports_in_box(checkpoint, plan_id, plan.checkpoint_name)
    finally:
        checkpoint.close()
    _compare_trees(plan, document)
    _compare_people(plan, document)
    named = [tree for tree in document["trees"] if tree["in_plan"]]
    arrived = all(tree["state"] in ("complete", "closed") for tree in named)
    document["complete"] = bool(named) and arrived and not document["not_begun"]
    document["totals"] = sums_of(named)
    document["forecast"] = _forecast(forecast, document)
    document["eta_seconds"] = seconds_at_least(document["totals"]["files"]["pending"], plan.box)
    return document


def _first_failures(checkpoint: Checkpoint, plan_id: int) -> list[dict[str, Any]]:
    """The first entries that failed, so that nobody needs a report to learn which they are."""
    lines = islice(failures(checkpoint, plan_id), FAILED_LOOKED_AT)
    return [
        {"tree": line.tree, "path": line.path, "reason": line.reason}
        for line in first_by_reason(lines, limit=FAILED_NAMED)
    ]


def _messages(plan: MigrationPlan, checkpoint: Checkpoint, plan_id: int) -> dict[str, Any] | None:
    refused = checkpoint.messages_refused(plan_id) if plan.notify is not None else None
    if refused is None:
        return None
    return {
        "by": refused.by,
        "since": refused.since.isoformat(timespec="seconds"),
        "last": refused.last.isoformat(timespec="seconds"),
        "words": refused_words(refused),
    }


def refused_words(refused: MessagesRefused) -> str:
    """Say that nobody is told of runs."""
    since, last = (f"{moment:%Y-%m-%d %H:%M} UTC" for moment in (refused.since, refused.last))
    return f"messages by {refused.by} are not taken since {since}, last tried {last}"


def _forecast(
    kept: tuple[datetime, dict[str, Any]] | None, document: Mapping[str, Any]
) -> dict[str, Any] | None:
    """The last simulation, with the calls made since and in words; None where there was none."""
    if kept is None:
        return None
    forecast = {name: kept[1][name] for name in FORECAST}
    since = document["calls"]["total"] - kept[1]["calls_before"]
    pending = document["totals"]["files"]["pending"]
    words = beside_the_fact(forecast, calls_since=since, pending=pending)
    return {**forecast, "calls_since": since, "words": words}


def sums_of(trees: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Sums over the trees that the plan names, for all who show some: items, files and bytes as a tree has them."""
    return {
        part: {name: sum(tree[part][name] for tree in trees) for name in names}
        for part, names in (("items", COUNTED), ("files", COUNTED), ("bytes", ("total", "uploaded")))
    }


def _compare_trees(plan: MigrationPlan, document: dict[str, Any]) -> None:
    """What the plan names now against what was begun under it; without trees: the plan means every one."""
    begun = {(normal_form(tree["source"]), tree["name"]) for tree in document["trees"]}
    planned = {(normal_form(tree.source), tree.box_path) for tree in plan.trees}
    for tree in document["trees"]:
        tree["in_plan"] = not planned or (normal_form(tree["source"]), tree["name"]) in planned
    document["not_begun"] = sorted(name for source, name in planned - begun)


def _compare_people(plan: MigrationPlan, document: dict[str, Any]) -> None:
    """Whoever is in and was taken out of the plan, or written otherwise there, since the last run is told, too."""
    planned = {(tree.source, tree.box_path): tree.collaborators for tree in plan.trees}
    for tree in document["trees"]:
        people = planned.get((tree["source"], tree["name"]), [])
        named = {name for person in people for name in person_names(person.model_dump())}
        left = [person for person in tree["collaborators"] if not named & set(person_names(person))]
        tree["collaborators"] = [person for person in tree["collaborators"] if person not in left]
        tree["still_in"] += [person for person in left if person["status"] in ("accepted", "pending")]


def person_names(person: Mapping[str, Any]) -> list[tuple[str, str]]:
    """How the plan or the checkpoint names somebody: pairs of key and name, without regard to case."""
    return [(name, str(person[name]).casefold()) for name in COLLABORATOR_KEYS if person.get(name)]


def person_name(person: Mapping[str, Any]) -> str:
    """The name of somebody as people read it."""
    return next((str(person[name]) for name in COLLABORATOR_KEYS if person.get(name)), "?")


def status_table(document: dict[str, Any], *, with_gone: bool = True) -> RenderableType:
    """The document for a person: a table that fits 80 columns, then the people, then what is left.

    `with_gone`: False where what became of entries that are gone from the source is said beside it.
    """
    title = f"{document['plan']}, pass {document['pass'] or '-'}{_as_of(document)}"
    table = Table(title=Text(printable(title)), title_justify="left")
    for name in ("tree", "state"):
        table.add_column(name, overflow="fold")
    for name in ("in Box", "failed", "not\nmoved", "pending", "bytes"):
        table.add_column(name, justify="right", no_wrap=True)
    for tree in document["trees"]:
        items = tree["items"]
        table.add_row(
            Text(printable(tree["name"])),
            Text(tree["state"], style=_style(tree)),
            _in_box(items),
            f"{items['failed']:,}",
            f"{items['excluded'] + items['waived']:,}",
            f"{items['pending']:,}",
            size_words(tree["bytes"]["uploaded"]),
        )
    lines = (
        *_running(document),
        *_reasons(document),
        *_failures(document),
        _files(document),
        *(_gone(document) if with_gone else []),
        *_not_begun(document),
        *_people(document),
        *_links(document),
        *(Text(f"  {printable(line)}", style="dim", overflow="fold") for line in report_lines(document)),
        *([Text(f"  {document['forecast']['words']}", style="dim")] if document["forecast"] else []),
        *_untold(document),
    )
    return Group(table, *lines, _calls(document))


def _untold(document: Mapping[str, Any]) -> list[Text]:
    if not document.get("messages"):
        return []
    words = f"  {document['messages']['words']}; try it: boxhaul check PLAN --notify"
    return [Text(printable(words), style="yellow")]


def running_words(document: Mapping[str, Any]) -> list[str]:
    """Say which processes are at work on the plan, or that none is although its pass is not over; else nothing."""
    if not document.get("running"):
        left = document.get("pass_state") == PassState.RUNNING
        return (
            ["no process runs this plan now; its pass is not over: boxhaul migrate goes on"] if left else []
        )
    return [
        f"running on {each['host']}, process {each['pid']}, since {each['since'][:16].replace('T', ' ')} UTC:"
        f" {each['doing']}"
        for each in document["running"]
    ]


def _running(document: Mapping[str, Any]) -> list[Text]:
    return [Text(printable(f"  {words}"), style="bold") for words in running_words(document)]


def _in_box(counts: Mapping[str, int]) -> str:
    """How many of those that are to move; what a rule or a person left out is not among them."""
    return f"{counts['uploaded']:,} / {counts['total'] - counts['excluded'] - counts['waived']:,}"


def _files(document: Mapping[str, Any]) -> Text:
    """Tell what the table counts, and the files alone, as a run counts them while it lasts."""
    files = document["totals"]["files"]
    others = [f"{files[name]:,} {name}" for name in COUNTED[2:] if files[name]]
    moved = f"{_in_box(files).replace(' / ', ' of ')} in Box"
    return Text(f"  files and folders above; files alone: {', '.join([moved, *others])}", style="dim")


def _gone(document: Mapping[str, Any]) -> list[Text]:
    gone = document["gone"]
    told = [f"{gone['in_box']:,} still in Box"] if gone["in_box"] else []
    told += [f"{gone['kept']:,} of them changed there and kept"] if gone["kept"] else []
    told += [f"{gone['trashed']:,} in Box's trash"] if gone["trashed"] else []
    return [Text(f"  gone from the share: {', '.join(told)}", style="dim")] if told else []


def _as_of(document: dict[str, Any]) -> str:
    """Since when every folder of the share was looked at, where that is true of every tree of the plan."""
    times = [tree["as_of"] for tree in document["trees"] if tree["in_plan"]]
    if not times or None in times:
        return ""
    return f", the share as of {min(times)[:16].replace('T', ' ')} UTC"


def _not_begun(document: dict[str, Any]) -> list[Text]:
    return [Text(printable(f"  {name}: not begun yet")) for name in document.get("not_begun", [])]


def _style(tree: Mapping[str, Any]) -> str:
    if not tree["in_plan"]:
        return "dim"
    return {"complete": "green", "closed": "green", "verified": "green", "incomplete": "red"}.get(
        tree["state"], "yellow"
    )


def _reasons(document: Mapping[str, Any]) -> list[Text]:
    """Of each tree what its state alone does not say; the table has no room for it."""
    return [
        Text(printable(f"  {tree['name']}: {words}"), style=_style(tree))
        for tree in document["trees"]
        if (words := _state_words(tree)) != tree["state"]
    ]


def _state_words(tree: Mapping[str, Any]) -> str:
    if not tree["in_plan"]:
        return f"{tree['state']}; the plan does not name it any more"
    words = str(tree["state"])
    if tree["closed"]:
        at = tree["closed"]["at"][:16].replace("T", " ")
        words += f" by {tree['closed']['by']} on {at} UTC"
    if tree["state"] == "verified":
        waiting = sum(person["status"] in ("planned", "failed") for person in tree["collaborators"])
        words += ": all of it is in Box, and proven"
        words += (
            f"; {counted(waiting, 'person or group is', 'people and groups are')} not in yet"
            if waiting
            else ""
        )
    if tree["state"] == "incomplete":
        words += f": {tree['incomplete_reason']}"
        if tree.get("detail"):
            words += f" ({tree['detail']})"
    return words


def _failures(document: Mapping[str, Any]) -> list[Text]:
    """Name the first ones; how many more there are is in the sums of the table."""
    first = document.get("failures", [])
    lines = [Text(printable(f"  failed: {each['path'] or '/'} ({each['reason']})")) for each in first]
    more = document["totals"]["items"]["failed"] - len(first)
    if first and more > 0:
        lines.append(Text(f"  and {more:,} more, which boxhaul report lists"))
    return lines


def _people(document: dict[str, Any]) -> list[Text]:
    lines = []
    for tree in document["trees"]:
        for person in (*tree["collaborators"], *tree["still_in"]):
            since = ", not in the plan any more" if person in tree["still_in"] else ""
            words = f"{person_name(person)} as {person['role']}, {person['status']}{since}"
            lines.append(Text(printable(f"  {tree['name']}: {words}")))
    return lines


def _links(document: dict[str, Any]) -> list[Text]:
    trees = [tree for tree in document["trees"] if tree.get("shared_link")]
    return [Text(printable(f"  {tree['name']}: published as {tree['shared_link']['url']}")) for tree in trees]


def _calls(document: dict[str, Any]) -> Text:
    calls = f"{document['calls']['total']:,} Box calls so far"
    left = document["eta_seconds"]
    return Text(
        f"{calls}; at least {duration_words(left)} left under Box's limits" if left else calls, style="dim"
    )

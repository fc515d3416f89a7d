"""Where a plan stands: the document of `boxhaul status --json`, and the same as a table. Reads the checkpoint alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from flows.analysis.forecast import seconds_at_least
from flows.plan.connections import open_checkpoint
from flows.plan.model import COLLABORATOR_KEYS, MigrationPlan
from flows.plan.origin import find_plan
from flows.words import duration_words, normal_form, printable, size_words
from state.reports.status import plan_status


def status_document(plan: MigrationPlan) -> dict[str, Any]:
    """plan, pass, trees, calls, eta_seconds: the shape of DESIGN's outside. PlanError before the first run.

    Each tree says whether the plan still names it (in_plan), and whom an earlier version of the plan let in who is in
    Box still (still_in); "not_begun" are those that no run has begun.
    """
    checkpoint = open_checkpoint(plan)
    try:
        plan_id = find_plan(checkpoint, plan)
        if plan_id is None:
            calls: dict[str, Any] = {"total": 0, "by_route": {}}
            return {"plan": plan.name, "pass": None, "trees": [], "calls": calls, "eta_seconds": None}
        document = {**plan_status(checkpoint, plan_id), "plan": plan.name}
    finally:
        checkpoint.close()
    _compare_trees(plan, document)
    _compare_people(plan, document)
    pending = sum(tree["items"]["pending"] for tree in document["trees"] if tree["in_plan"])
    document["eta_seconds"] = seconds_at_least(pending, plan.box)
    return document


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


def status_table(document: dict[str, Any]) -> RenderableType:
    """The document for a person: a table that fits 80 columns, then the people, then what is left."""
    title = f"{document['plan']}, pass {document['pass'] or '-'}{_as_of(document)}"
    table = Table(title=Text(printable(title)), title_justify="left")
    for name in ("tree", "state"):
        table.add_column(name, overflow="fold")
    for name in ("uploaded", "failed", "not moved", "pending", "bytes"):
        table.add_column(name, justify="right", no_wrap=True)
    for tree in document["trees"]:
        items = tree["items"]
        table.add_row(
            Text(printable(tree["name"])),
            _state(tree),
            f"{items['uploaded']:,} / {items['total']:,}",
            f"{items['failed']:,}",
            f"{items['excluded'] + items['waived']:,}",
            f"{items['pending']:,}",
            size_words(tree["bytes"]["uploaded"]),
        )
    return Group(table, *_not_begun(document), *_people(document), *_links(document), _calls(document))


def _as_of(document: dict[str, Any]) -> str:
    """Since when every folder of the share was looked at, where that is true of every tree of the plan."""
    times = [tree["as_of"] for tree in document["trees"] if tree["in_plan"]]
    if not times or None in times:
        return ""
    return f", the share as of {min(times)[:16].replace('T', ' ')} UTC"


def _not_begun(document: dict[str, Any]) -> list[Text]:
    return [Text(printable(f"  {name}: not begun yet")) for name in document.get("not_begun", [])]


def _state(tree: dict[str, Any]) -> Text:
    if not tree["in_plan"]:
        return Text(f"{tree['state']}; the plan does not name it any more", style="dim")
    style = {"complete": "green", "verified": "green", "incomplete": "red"}.get(tree["state"], "yellow")
    words = tree["state"]
    if tree["state"] == "incomplete":
        words += f": {tree['incomplete_reason']}"
        if tree.get("detail"):
            words += f" ({printable(tree['detail'])})"
    return Text(words, style=style)


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

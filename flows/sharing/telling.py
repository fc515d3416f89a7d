"""What people are told after Box was brought up to the plan: who was let in, and who could not be. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flows.run.notices import Tone
from flows.sharing.trees import LET_IN
from flows.words import counted
from state.people_records import CollaborationRecord
from state.records import TreeRecord

#: People of one tree that a line names.
NAMED = 10

#: What was done, as a line says it.
DONE = {"invite": "let in", "change": "changed", "remove": "took away", "failed": "could not let in"}


def complete_words(tree: TreeRecord, people: Sequence[CollaborationRecord]) -> str:
    """One line about a tree that is complete now, and who of these is in."""
    who = counted(sum(each.status in LET_IN for each in people), "person or group", "people and groups")
    return f"tree complete: {tree.name}; {who} let in"


def people_lines(document: Mapping[str, Any]) -> list[tuple[Tone, str]]:
    """One line for each tree of which something was done, or failed; none where Box agreed already."""
    lines = []
    for tree in document["trees"]:
        found = {action: [each for each in tree["people"] if each["action"] == action] for action in DONE}
        said = [f"{DONE[action]} {_named(people)}" for action, people in found.items() if people]
        if said:
            tone = Tone.LOOK if found["failed"] else Tone.GOOD
            lines.append((tone, f"people of {tree['name']}: {'; '.join(said)}"))
    return lines


def all_in(document: Mapping[str, Any]) -> list[tuple[Tone, str]]:
    """One line for a cutover whose people are all in, by whatever run; none where somebody is missing."""
    if not document["complete"]:
        return []
    people = sum(len(tree["people"]) for tree in document["trees"])
    trees = counted(len(document["trees"]), "tree")
    return [
        (
            Tone.GOOD,
            f"cutover: {counted(people, 'person or group', 'people and groups')} in, {trees} to close",
        )
    ]


def _named(people: Sequence[Mapping[str, Any]]) -> str:
    more = f" and {len(people) - NAMED:,} more" if len(people) > NAMED else ""
    return ", ".join(_one(each) for each in people[:NAMED]) + more


def _one(person: Mapping[str, Any]) -> str:
    if person["action"] == "failed":
        return f"{person['who']}: {person['detail']}"
    return f"{person['who']} as {person['role']}" if person["role"] else str(person["who"])

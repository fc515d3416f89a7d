"""The report's headline: how far the plan's trees are, what proved them, and who is in. Pure; counts no items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flows.plan.transfer import Verification
from flows.reporting.status import person_name
from flows.words import counted, printable

#: Trees that are named in the headline; the table below it has them all.
NAMED_TREES = 3


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """One line for people, and whether it is the good one."""

    complete: bool
    text: str


def verdict(
    document: Mapping[str, Any],
    proofs: Mapping[str, str],
    *,
    excluded_in_box: int,
    uncovered: int,
    never_seen: int = 0,
) -> Verdict:
    """What is true of the trees that the plan names.

    `document`: of status. `proofs`: tree → how Box proved it, a Verification. `excluded_in_box`: entries that Box
    holds, and that a rule excludes now. `uncovered`: entries of the share that no tree covers, nor what is below them.
    `never_seen`: waived folders that could never be listed.
    """
    trees = [tree for tree in document["trees"] if tree["in_plan"]]
    begun, total = len(trees), len(trees) + len(document.get("not_begun", ()))
    open_trees = [tree for tree in trees if tree["state"] not in ("complete", "closed")]
    missing = len(open_trees) + total - begun
    if total and not missing:
        text = f"Complete: every entry is accounted for, {_proof(trees, proofs)}, and {_people(trees)}."
    elif not total:
        text = "Not complete: no tree was begun."
    else:
        text = f"Not complete: {missing:,} of {counted(total, 'tree')}; {_let_in(open_trees, missing)}."
    return Verdict(
        complete=bool(total) and not missing,
        text=text
        + _never_seen(never_seen)
        + _excluded(excluded_in_box)
        + _uncovered(uncovered)
        + _outside(len(document["trees"]) - begun)
        + _still_in(document["trees"]),
    )


def _proof(trees: Sequence[Mapping[str, Any]], proofs: Mapping[str, str]) -> str:
    unlisted = sum(proofs.get(tree["name"]) == Verification.RECEIPTS for tree in trees)
    if not unlisted:
        return "Box's listing agrees"
    if unlisted == len(trees):
        return "Box's receipt for each file agrees (no listing was made)"
    return f"Box's listing agrees (for {unlisted:,} of {len(trees):,} trees its receipts: no listing was made there)"


def _people(trees: Sequence[Mapping[str, Any]]) -> str:
    statuses = [person["status"] for tree in trees for person in tree["collaborators"]]
    exceptions = [
        f"{number:,} {words}"
        for status, words in (("pending", "still to accept"), ("rejected", "declined"))
        if (number := statuses.count(status))
    ]
    return "the people of the plan are in" + (f" ({', '.join(exceptions)})" if exceptions else "")


def _let_in(trees: Sequence[Mapping[str, Any]], missing: int) -> str:
    """Of the trees that are not complete: whom an earlier pass, or this one before it was refused more, let in."""
    names = [printable(tree["name"]) for tree in trees if tree["let_in"] or tree["shared_link"]]
    if not names:
        return "nobody was let in there"
    more = f" and {len(names) - NAMED_TREES:,} more" if len(names) > NAMED_TREES else ""
    others = "; nobody was let in elsewhere" if len(names) < missing else ""
    return f"already open to people: {', '.join(names[:NAMED_TREES])}{more}{others}"


def _never_seen(number: int) -> str:
    if not number:
        return ""
    return f" What is in {counted(number, 'waived folder')} was never seen."


def _excluded(number: int) -> str:
    if not number:
        return ""
    entries = (
        "1 entry that is excluded now is" if number == 1 else f"{number:,} entries that are excluded now are"
    )
    return f" {entries} in Box all the same."


def _uncovered(number: int) -> str:
    if not number:
        return ""
    entries = "1 entry of the share is" if number == 1 else f"{number:,} entries of the share are"
    return f" {entries} in no tree of the plan."


def _outside(number: int) -> str:
    if not number:
        return ""
    return f" Left out: {counted(number, 'tree')} that the plan does not name any more."


def _still_in(trees: Sequence[Mapping[str, Any]]) -> str:
    """Everybody whom an earlier version of the plan let in, and whom nobody has taken out since."""
    people = [
        f"{printable(person_name(person))} ({person['role']}, {printable(tree['name'])})"
        for tree in trees
        for person in tree["still_in"]
    ]
    if not people:
        return ""
    return f" Still let in, though not in the plan any more: {', '.join(people)}."

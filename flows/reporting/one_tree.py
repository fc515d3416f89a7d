"""A report of one tree alone, for the people of that tree: no name, person or number of any other tree is in it. Pure.

Free text is left out as well, since nobody can tell what it names: why something failed in the server's words, why it
was waived, what a run remarked, and the plan's own rules. Reason codes stay, and the plan's own report has all of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flows.plan.exclude import DEFAULT_EXCLUDE, rule_reason
from flows.reporting.status import sums_of
from state.records import ItemLine, TreeRecord

#: How the reason of a rule begins; those that name nothing of the share; and what the others become.
_RULE = rule_reason("")
_USUAL = frozenset(rule_reason(pattern) for pattern in DEFAULT_EXCLUDE)
_ARCHIVE = rule_reason("archive, ")
_OWN_RULE = rule_reason("of the plan")


def of_one_tree(document: Mapping[str, Any], tree: TreeRecord) -> dict[str, Any]:
    """Return the status document as if the plan had this tree alone."""
    trees = [
        {**each, "detail": None, "in_plan": True}
        for each in document["trees"]
        if (each["name"], each["source"]) == (tree.name, tree.source)
    ]
    return {
        "plan": document["plan"],
        "tree": tree.name,
        "owner": document["owner"],
        "source_url": None,
        "pass": document["pass"],
        "pass_kind": document["pass_kind"],
        "pass_state": document["pass_state"],
        "running": [],
        "trees": trees,
        "not_begun": [],
        "complete": all(each["state"] in ("complete", "closed") for each in trees),
        "totals": sums_of(trees),
        "calls": {"total": 0, "by_route": {}},
        "forecast": None,
        "eta_seconds": 0.0,
    }


def without_free_text(line: ItemLine) -> ItemLine:
    """Return the line without what a person or a server wrote."""
    return line._replace(reason=plain_reason(line.reason), detail=None, waived_by=None, waived_why=None)


def plain_reason(reason: str | None) -> str | None:
    """A glob of the plan may name folders of several trees."""
    if reason is None or not reason.startswith(_RULE) or reason in _USUAL or reason.startswith(_ARCHIVE):
        return reason
    return _OWN_RULE

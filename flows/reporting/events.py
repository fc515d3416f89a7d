"""Events as sentences of the report: what a listing brought, and what Box does not keep. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from flows.words import HIDDEN_NAMES, counted
from state.records import EventLine
from state.statuses import EventKind

#: Kinds of events that a person should know, and what each says.
WORDS: dict[str, str] = {
    EventKind.NOT_COVERED: "in no tree of the plan; neither looked at nor moved",
    EventKind.NAMES_HIDDEN: HIDDEN_NAMES,
    EventKind.DATES_BEFORE_1970: "dated before 1970; Box has 1970-01-01 for them",
    EventKind.DATES_TOO_LATE: "dated after 11 April 2262; Box has that day for them",
    EventKind.DATES_IN_THE_FUTURE: "dated in the future; Box has the date as it is",
    EventKind.NOT_KEPT: "",
    EventKind.NAMES_LOOK_ALIKE: "names that some programs take for the same (Unicode form NFKC); Box keeps them apart",
    EventKind.ONLY_IN_BOX: "in Box, but not in the share; left alone",
    EventKind.CHANGED_IN_BOX: "changed in Box since it was sent; left as it is, and not sent again",
    EventKind.MOVED_IN_BOX: "moved to another folder in Box; left there, and not sent again",
    EventKind.RENAMED_IN_BOX: "renamed in Box; left as it is",
    EventKind.OVER_CHANGE_IN_BOX: "changed in Box; the share's content is a new version over it, as the plan says",
    EventKind.BESIDE_CHANGE_IN_BOX: "changed in Box and in the share; what Box had keeps another name there, as the"
    " plan says",
    EventKind.LEFT_TO_BOX: "changed or deleted in Box; left as it is there, and the share's content is not sent, as the"
    " plan says",
    EventKind.PUT_BACK_IN_BOX: "renamed or moved in Box; put back where the share has it, as the plan says",
    EventKind.MOVE_FOLLOWED: "moved or renamed in the share; moved in Box, with its versions and links",
    EventKind.MOVE_NOT_FOLLOWED: "moved or renamed in the share; not moved in Box but sent anew",
    EventKind.GONE_STILL_IN_BOX: "gone from the share, and still in Box",
    EventKind.GONE_AND_TRASHED: "gone from the share; put into Box's trash",
    EventKind.GONE_AND_KEPT: "gone from the share; kept in Box",
    EventKind.GONE_AND_HELD: "gone from a tree; not put into Box's trash yet, since it may be in another one",
}


#: Kinds of events that `watch` makes of what people do in Box; what it sees in the share is told by another line.
WATCHED = (EventKind.PEOPLE_CHANGED, EventKind.ACCESS_CHANGED, EventKind.DOWNLOADED)


def finding_words(detail: Mapping[str, Any]) -> str:
    """What somebody did in Box, by whom and when, without the path; times in UTC."""
    at = datetime.fromisoformat(detail["at"]).astimezone(UTC)
    more = f" {detail['detail']}" if detail["detail"] else ""
    return f"{detail['what']}{more}, in Box by {detail['by']} on {at:%Y-%m-%d %H:%M:%S} UTC"


def finding_line(detail: Mapping[str, Any]) -> str:
    """One line of a terminal: when, who, what and where."""
    at = datetime.fromisoformat(detail["at"]).astimezone(UTC)
    more = f"  ({detail['detail']})" if detail["detail"] else ""
    who = detail["by"] or "in the share"
    return f"{at:%Y-%m-%d %H:%M:%S}  {who}  {detail['what']}  {detail['path'] or detail['tree']}{more}"


@dataclass
class WaitingInShare:
    """What a watch saw in the share since the last pass: of each tree and deed how many entries, and the first."""

    since_pass: int
    found: dict[tuple[str, str], tuple[int, list[str]]] = field(default_factory=dict)

    def add(self, detail: Mapping[str, Any]) -> None:
        """Take one finding; what was seen before the last pass waits no more."""
        if detail["since_pass"] < self.since_pass:
            return
        count, names = self.found.get((detail["tree"], detail["what"]), (0, []))
        more = [*names, *detail["names"]][:NAMED]
        self.found[detail["tree"], detail["what"]] = count + detail["count"], more

    def lines(self) -> list[tuple[str, str, int, list[str]]]:
        """Tree, what to say, how many, and the first of them."""
        return [
            (
                tree,
                f"{what} in the share since the last pass, as a watch saw it; the next one sees to it",
                count,
                names,
            )
            for (tree, what), (count, names) in self.found.items()
        ]


#: How a watch's findings of one kind begin in a message, the most pressing kind first; those that are only counted.
TOGETHER = {
    EventKind.ACCESS_CHANGED: "access changed in Box",
    EventKind.DOWNLOADED: "downloaded by outsiders",
    EventKind.PEOPLE_CHANGED: "changed by people in Box",
}

#: Changes of access, and people, that one line names.
NAMED = 10


def findings_together(findings: Sequence[tuple[str, Mapping[str, Any]]]) -> list[str]:
    """A line for each tree and kind of finding, of (kind, detail): what was done how often, and by whom."""
    found: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for kind, detail in findings:
        found.setdefault((kind, detail["tree"]), []).append(detail)
    return [
        f"{words}, {tree}: {_together(kind, details)}"
        for kind, words in TOGETHER.items()
        for (each, tree), details in found.items()
        if each == kind
    ]


def _together(kind: str, details: Sequence[Mapping[str, Any]]) -> str:
    if kind == EventKind.ACCESS_CHANGED:
        each = [f"{one['what']} {one['detail']}".rstrip() + f" by {one['by']}" for one in details]
        return "; ".join(_bounded(each))
    who = ", ".join(_bounded(sorted({str(one["by"]) for one in details})))
    if kind == EventKind.DOWNLOADED:
        return f"{counted(len(details), 'time')} by {who}"
    done = Counter(str(one["what"]) for one in details)
    return f"{', '.join(f'{number:,} {what}' for what, number in done.items())}, by {who}"


def _bounded(words: Sequence[str]) -> list[str]:
    more = [f"and {len(words) - NAMED:,} more"] if len(words) > NAMED else []
    return [*words[:NAMED], *more]


def event_words(kind: str, detail: Mapping[str, Any]) -> str:
    """The sentence for an event whose kind is in WORDS; its own note where it has one."""
    unlisted = detail.get("unlisted")
    unknown = f"; unknown where the folder cannot be listed: {', '.join(unlisted)}" if unlisted else ""
    return str(detail.get("note") or WORDS[kind]) + unknown


def handover_words(line: EventLine) -> str:
    """That trees were closed, or opened again, by whom, when, and what was said of it."""
    detail, when = line.detail, line.at.strftime("%Y-%m-%d %H:%M UTC")
    if line.kind == EventKind.REOPENED:
        return f"opened again for further passes on {when} by {detail['who']}: {detail['why']}"
    accepted = ", ".join(f"{number:,} {kind}" for kind, number in detail["accepted"].items())
    return f"handed over and closed on {when} by {detail['who']}" + (
        f"; differences that were accepted: {accepted}" if accepted else ""
    )


#: What a verification compared the checkpoint with.
COMPARED_WITH = {
    "box": "Box",
    "source": "Box and the share",
    "deep": "Box, the share and its bytes",
    "manifest against box": "Box, by the manifest",
}


def reconciled_words(line: EventLine) -> str:
    """When everything was compared again, with what, and the result."""
    detail = line.detail
    when, files = line.at.strftime("%Y-%m-%d %H:%M UTC"), counted(detail["checked"]["files"], "file")
    found = ", ".join(f"{number:,} {kind}" for kind, number in detail["by_kind"].items())
    result = f"differences: {found}" if found else "everything agrees"
    sure = f". Read again: {detail['confidence']}" if detail["confidence"] else ""
    trees = counted(detail["trees"], "tree")
    return (
        f"Verified {when}: {files} in {trees} compared with {COMPARED_WITH[detail['mode']]}: {result}{sure}."
    )

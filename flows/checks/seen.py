"""What a look at a share noticed besides its size: what cannot be looked at, gets another name, or stays behind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from connectors.entry import SUBSTITUTE_NAME_NOTE, Entry, EntryKind
from connectors.errors import ConnectorError, FatalError, NotFound
from flows.checks.rows import Row, problem, said, warning
from flows.plan.sample import SAMPLED
from flows.transfer.naming import new_names
from flows.words import counted

#: Paths that are named of each kind.
NAMED = 3


@dataclass
class Tally:
    """How many there are, and the first of them in words."""

    count: int = 0
    first: list[str] = field(default_factory=list)

    def add(self, words: str) -> None:
        """One more."""
        self.count += 1
        if len(self.first) < NAMED:
            self.first.append(words)

    def __str__(self) -> str:
        return "; ".join(self.first) + ("; ..." if self.count > len(self.first) else "")


@dataclass
class Seen:
    """What was noticed; bounded, whatever the share's size (P9)."""

    excluded: Callable[[Entry], str | None]
    unreadable: Tally = field(default_factory=Tally)
    renamed: Tally = field(default_factory=Tally)
    #: Names that the server made up.
    made_up: Tally = field(default_factory=Tally)
    #: Volume mount points and junctions, behind which other data may be.
    junctions: Tally = field(default_factory=Tally)
    #: Reason → how many entries; what is below an excluded folder was not looked at.
    left_out: Counter[str] = field(default_factory=Counter)

    def look(self, path: str, listing: Sequence[Entry] | ConnectorError) -> None:
        """Look at one folder's listing, or at why there is none."""
        if isinstance(listing, ConnectorError):
            if not isinstance(listing, FatalError | NotFound):
                why = said(listing).removeprefix(f"{path!r}: ")
                self.unreadable.add(f"{path or '/'} ({why})")
            return
        moving = []
        for entry in listing:
            reason = self.excluded(entry)
            if reason is None and not entry.is_link:
                moving.append(entry)
                if entry.note == SUBSTITUTE_NAME_NOTE:
                    self.made_up.add(entry.path)
            if not entry.is_link and reason is not None:
                # A sample was asked for: what is not of it is nothing to see to.
                if not reason.startswith(SAMPLED):
                    self.left_out[reason] += 1
            elif entry.kind is EntryKind.JUNCTION and reason is None:
                self.junctions.add(entry.path)
            elif entry.fault is not None:
                why = (entry.fault.detail or entry.fault.reason).removeprefix(f"{entry.path!r}: ")
                self.unreadable.add(f"{entry.path} ({why})")
        for entry, choice in new_names(moving):
            self.renamed.add(f"{entry.path} as {choice.box_name} ({choice.reason})")


def seen_rows(seen: Seen) -> Iterator[Row]:
    """Rows of what was noticed; none where there is nothing to tell."""
    if seen.unreadable.count:
        yield problem(
            "unreadable",
            f"{counted(seen.unreadable.count, 'entry', 'entries')} cannot be looked at: {seen.unreadable}",
            "Let the account read it, or exclude it; else it fails, and its tree stays incomplete until somebody "
            "waives it.",
        )
    if seen.renamed.count:
        yield warning(
            "names",
            f"{counted(seen.renamed.count, 'entry gets', 'entries get')} another name in Box: {seen.renamed}",
            "Rename in the share what people look for by name; the report lists every changed name.",
        )
    if seen.made_up.count:
        yield warning(
            "made-up names",
            f"{counted(seen.made_up.count, 'entry has a name', 'entries have names')} that the server made up, since "
            f"Windows does not allow their own: {seen.made_up}",
            "Rename them on the server itself, best before the first run; else these are their names in Box.",
        )
    if seen.junctions.count:
        one, many = "volume mount point or junction is", "volume mount points or junctions are"
        yield warning(
            "junctions",
            f"{counted(seen.junctions.count, one, many)} not followed: {seen.junctions}",
            "To move what one leads to, share that itself on the server, and name that share as the source of a plan.",
        )
    if seen.left_out:
        rules = [
            f"{reason.removeprefix('rule: ')} ({count:,})"
            for reason, count in seen.left_out.most_common(2 * NAMED)
        ]
        more = ", ..." if len(seen.left_out) > len(rules) else ""
        total = counted(sum(seen.left_out.values()), "entry stays", "entries stay")
        yield warning(
            "excluded",
            f"{total} behind by rule, folders with all that is in them: {', '.join(rules)}{more}",
            "Write an exclude list of your own, without the pattern, for what should move.",
        )

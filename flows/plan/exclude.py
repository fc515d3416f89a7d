"""ExcludeRules: the plan's globs, as one compiled expression. Pure; knows nothing of kinds that are never followed."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Collection, Sequence

from connectors.entry import Entry, EntryKind
from flows.words import normal_form

#: What programs leave beside people's files; then folders that servers keep for themselves: snapshots, bins, indexes.
DEFAULT_EXCLUDE = [
    "Thumbs.db",
    "desktop.ini",
    "~$*",
    ".DS_Store",
    "~snapshot/",
    ".snapshot/",
    ".snapshots/",
    "#recycle/",
    "@eaDir/",
    "$RECYCLE.BIN/",
    "System Volume Information/",
    ".Trashes/",
    "DfsrPrivate/",
    "lost+found/",
]

#: Changes when the same patterns match other entries than before: what was walked by the old meaning is walked again.
MEANING = "NFC"


class ExcludeRules:
    """Case-insensitive globs; the first one that matches an entry excludes it, and everything below it.

    A pattern without "/" matches any entry's name, one with "/" the path from the source's root; "/" at the end
    means folders only. "*" and "?" stop at "/", "**" does not, "[…]" is a set of characters ("[!…]": not these).
    Pattern and path are compared in Unicode's form NFC, whichever way either is spelled.
    """

    def __init__(self, patterns: Sequence[str]) -> None:
        """ValueError, a line that names the pattern, for one that can match nothing."""
        self.patterns = tuple(patterns)
        alternatives = [
            f"(?P<rule{number}>{_translate(normal_form(pattern))})"
            for number, pattern in enumerate(self.patterns)
        ]
        self._expression = re.compile("|".join(alternatives) or r"(?!)", re.IGNORECASE | re.DOTALL)

    def reason(self, entry: Entry) -> str | None:
        """ "rule: PATTERN" when a rule excludes the entry, else None."""
        # The subject ends with "/" for folders, so that one expression serves all the forms of a pattern.
        path = normal_form(entry.path)
        subject = f"/{path}/" if entry.kind is EntryKind.FOLDER else f"/{path}"
        match = self._expression.fullmatch(subject)
        if match is None or match.lastgroup is None:
            return None
        return rule_reason(self.patterns[int(match.lastgroup.removeprefix("rule"))])

    @property
    def digest(self) -> str:
        """64 characters; other rules, or the same in another order, have another one."""
        return hashlib.sha256(json.dumps([MEANING, *self.patterns]).encode()).hexdigest()

    def __repr__(self) -> str:
        return f"ExcludeRules({list(self.patterns)!r})"


def rule_reason(pattern: str) -> str:
    """Return the reason that an entry has which this pattern excludes."""
    return f"rule: {pattern}"


def unused_rules(patterns: Sequence[str], reasons: Collection[str], usual: Collection[str]) -> list[str]:
    """Return the patterns that excluded nothing: none of these reasons is theirs. The usual ones seldom do."""
    return [each for each in patterns if each not in usual and rule_reason(each) not in reasons]


def noting(excluded: Callable[[Entry], str | None], reasons: set[str]) -> Callable[[Entry], str | None]:
    """Return the same rules, which add the reason of each entry that they exclude to these."""

    def reason(entry: Entry) -> str | None:
        found = excluded(entry)
        if found is not None:
            reasons.add(found)
        return found

    return reason


def _translate(pattern: str) -> str:
    """The expression for "/" + path (+ "/" for folders). ValueError for a pattern that can match nothing."""
    folders_only = pattern.endswith("/")
    glob = pattern.strip("/")
    if not glob:
        raise ValueError(f"the exclude pattern {pattern!r} matches nothing")
    by_path = "/" in pattern.rstrip("/")
    start = "/" if by_path else "/(?:.*/)?"
    try:
        return start + _translate_glob(glob) + ("/" if folders_only else "/?")
    except _EmptyRange as exc:
        raise ValueError(
            f"the exclude pattern {pattern!r} matches nothing: {exc} is an empty range"
        ) from None


def _translate_glob(glob: str) -> str:
    parts: list[str] = []
    position = 0
    while position < len(glob):
        rest = glob[position:]
        if rest.startswith("**/"):
            parts.append("(?:.*/)?")
            position += 3
        elif rest.startswith("**"):
            parts.append(".*")
            position += 2
        elif (found := re.match(r"\[(!?)(\][^\]]*|[^\]]+)\]", rest)) is not None:
            parts.append(f"(?!/)[{'^' if found[1] else ''}{_translate_set(found[2])}]")
            position += found.end()
        else:
            parts.append({"*": "[^/]*", "?": "[^/]"}.get(glob[position]) or re.escape(glob[position]))
            position += 1
    return "".join(parts)


class _EmptyRange(Exception):
    """A range within a set ends before it begins."""


def _translate_set(body: str) -> str:
    """What stands between the brackets: characters and ranges, each by itself, so that none has another meaning."""
    parts: list[str] = []
    position = 0
    while position < len(body):
        first, last = body[position], body[position + 2 : position + 3]
        if body[position + 1 : position + 2] == "-" and last:
            if first > last:
                raise _EmptyRange(f"{first}-{last}")
            parts.append(f"{re.escape(first)}-{re.escape(last)}")
            position += 3
        else:
            parts.append(re.escape(first))
            position += 1
    return "".join(parts)

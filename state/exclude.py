"""ExcludeRules: the plan's globs, as one compiled expression. Pure; knows nothing of kinds that are never followed."""

from __future__ import annotations

import re
from collections.abc import Sequence

from connectors.entry import Entry, EntryKind


class ExcludeRules:
    """Case-insensitive globs; the first one that matches an entry excludes it, and everything below it.

    A pattern without "/" matches any entry's name, one with "/" the path from the source's root; "/" at the end
    means folders only. "*" and "?" stop at "/", "**" does not, "[…]" is a set of characters ("[!…]": not these).
    """

    def __init__(self, patterns: Sequence[str]) -> None:
        self.patterns = tuple(patterns)
        alternatives = [
            f"(?P<rule{number}>{_translate(pattern)})" for number, pattern in enumerate(self.patterns)
        ]
        self._expression = re.compile("|".join(alternatives) or r"(?!)", re.IGNORECASE | re.DOTALL)

    def reason(self, entry: Entry) -> str | None:
        """ "rule: PATTERN" when a rule excludes the entry, else None."""
        # The subject ends with "/" for folders, so that one expression serves all the forms of a pattern.
        subject = f"/{entry.path}/" if entry.kind is EntryKind.FOLDER else f"/{entry.path}"
        match = self._expression.fullmatch(subject)
        if match is None or match.lastgroup is None:
            return None
        return f"rule: {self.patterns[int(match.lastgroup.removeprefix('rule'))]}"

    def __repr__(self) -> str:
        return f"ExcludeRules({list(self.patterns)!r})"


def _translate(pattern: str) -> str:
    """The expression for "/" + path (+ "/" for folders). ValueError for an empty pattern."""
    folders_only = pattern.endswith("/")
    glob = pattern.strip("/")
    if not glob:
        raise ValueError(f"the exclude pattern {pattern!r} matches nothing")
    by_path = "/" in pattern.rstrip("/")
    start = "/" if by_path else "/(?:.*/)?"
    return start + _translate_glob(glob) + ("/" if folders_only else "/?")


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
        elif (found := re.match(r"\[(!?)(\]?[^\]]*)\]", rest)) is not None:
            body = found[2].replace("\\", r"\\").replace("[", r"\[").replace("^", r"\^").replace("]", r"\]")
            parts.append(f"(?!/)[{'^' if found[1] else ''}{body}]")
            position += found.end()
        else:
            parts.append({"*": "[^/]*", "?": "[^/]"}.get(glob[position]) or re.escape(glob[position]))
            position += 1
    return "".join(parts)

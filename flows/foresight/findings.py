"""Findings of an inventory: their kinds, what to do about each, and the tally that counts, samples and writes them."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple, TextIO

from flows.reporting.items import csv_cell
from flows.words import HIDDEN_NAMES, HIDDEN_NAMES_ADVICE

#: Paths that the document names of each kind; the CSV has them all (P9).
EXAMPLES = 10

COLUMNS = ("kind", "path", "bytes", "detail")


class Severity(StrEnum):
    """How much a finding matters, the worst first."""

    #: It will fail, and keep its tree from being complete.
    PROBLEM = "problem"
    #: It moves, and not as people may expect it; or it stays.
    WARNING = "warning"
    #: Worth knowing.
    NOTE = "note"


class FindingKind(StrEnum):
    """What an inventory may find, in the order in which it is told."""

    MISSING_TREE = "missing_tree"
    UNREADABLE_FOLDER = "unreadable_folder"
    UNREADABLE = "unreadable"
    OFFLINE = "offline"
    UNCLASSIFIED = "unclassified"
    FILE_TOO_LARGE = "file_too_large"
    NAMES_HIDDEN = "names_hidden"
    NAME_REFUSED = "name_refused"
    NAME_TOO_LONG = "name_too_long"
    NAME_COLLISION = "name_collision"
    NAME_UNUSUAL = "name_unusual"
    NAME_NORMALIZED = "name_normalized"
    FOLDER_OVER_15000 = "folder_over_15000"
    FOLDER_OVER_10000 = "folder_over_10000"
    PATH_OVER_255 = "path_over_255"
    LINK = "link"
    JUNCTION = "junction"
    NOT_COVERED = "not_covered"
    EXCLUDED = "excluded"
    SAME_CONTENT = "same_content"
    SAME_SIZE = "same_size"


class Meaning(NamedTuple):
    """A kind of finding for a person."""

    severity: Severity
    what: str
    what_to_do: str


_PROBLEM, _WARNING, _NOTE = Severity.PROBLEM, Severity.WARNING, Severity.NOTE

MEANINGS: Mapping[FindingKind, Meaning] = {
    FindingKind.MISSING_TREE: Meaning(
        _PROBLEM, "trees of the plan that the share does not have", "Correct trees: source in the plan."
    ),
    FindingKind.UNREADABLE_FOLDER: Meaning(
        _PROBLEM,
        "folders that cannot be listed; what is below them is not counted",
        "Give the account read access, or exclude them.",
    ),
    FindingKind.UNREADABLE: Meaning(
        _PROBLEM, "entries that cannot be looked at", "Give the account read access, or exclude them."
    ),
    FindingKind.OFFLINE: Meaning(
        _PROBLEM,
        "files that slower storage must recall first",
        "Recall them, or let reading do it: source: {options: {recall_offline: true}}.",
    ),
    FindingKind.UNCLASSIFIED: Meaning(
        _PROBLEM, "things that are neither file nor folder nor link", "Exclude them, or waive them later."
    ),
    FindingKind.FILE_TOO_LARGE: Meaning(
        _PROBLEM,
        "files larger than Box takes",
        "Correct box: {tier} in the plan, split them, or exclude them.",
    ),
    FindingKind.NAMES_HIDDEN: Meaning(_WARNING, HIDDEN_NAMES, HIDDEN_NAMES_ADVICE),
    FindingKind.NAME_REFUSED: Meaning(
        _WARNING,
        "names with characters that Box refuses",
        "They get another name; rename what people look for.",
    ),
    FindingKind.NAME_TOO_LONG: Meaning(
        _WARNING, "names longer than Box takes", "They are shortened; rename what people look for."
    ),
    FindingKind.NAME_COLLISION: Meaning(
        _WARNING,
        "names that are the same to Box as a neighbour's",
        "One keeps its name, the others are marked; rename them.",
    ),
    FindingKind.NAME_UNUSUAL: Meaning(
        _WARNING,
        "names that Box may refuse, and that its clients on Windows do not show",
        "They are sent as they are, and as shown only where Box refuses that.",
    ),
    FindingKind.NAME_NORMALIZED: Meaning(
        _NOTE, "names that are spelled decomposed", "They look the same in Box; nothing to do."
    ),
    FindingKind.FOLDER_OVER_15000: Meaning(
        _WARNING,
        "folders of more than 15,000 items, more than Box advises",
        "Split them in the share; Box's pages and clients become slow.",
    ),
    FindingKind.FOLDER_OVER_10000: Meaning(
        _WARNING, "folders of more than 10,000 items", "Think of splitting them; Box advises fewer."
    ),
    FindingKind.PATH_OVER_255: Meaning(
        _WARNING,
        "paths of more than 255 characters",
        "They move; Box Drive on Windows may not open them. Shorten folders.",
    ),
    FindingKind.LINK: Meaning(
        _NOTE, "symbolic links, not followed", "Nothing; what they lead to moves if it is in the share."
    ),
    FindingKind.JUNCTION: Meaning(
        _WARNING,
        "volume mount points and junctions, not followed",
        "Share what one leads to by itself, and name that share in a plan.",
    ),
    FindingKind.NOT_COVERED: Meaning(
        _WARNING, "entries beside the trees of the plan", "Add trees to the plan for what should move."
    ),
    FindingKind.EXCLUDED: Meaning(
        _NOTE,
        "entries that a rule of the plan leaves out, each folder with all that is in it",
        "Write an exclude list of your own for what should move.",
    ),
    FindingKind.SAME_CONTENT: Meaning(
        _NOTE, "files with the same bytes as another one", "Delete what nobody needs before it is sent."
    ),
    FindingKind.SAME_SIZE: Meaning(
        _NOTE,
        "files with the size of another one, which may be copies",
        "--hashes reads them and says which are.",
    ),
}


@dataclass
class Findings:
    """Counts, sums of bytes and the first examples of each kind; every one into the CSV, where there is one."""

    table: TextIO | None = None
    count: Counter[FindingKind] = field(default_factory=Counter)
    size: Counter[FindingKind] = field(default_factory=Counter)
    _examples: dict[FindingKind, list[tuple[str, str]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.table is not None:
            csv.writer(self.table).writerow(COLUMNS)

    def add(self, kind: FindingKind, path: str, size: int = 0, detail: str = "", *, count: int = 1) -> None:
        """One more; `count`: how many entries it stands for."""
        self.count[kind] += count
        self.size[kind] += size
        examples = self._examples.setdefault(kind, [])
        if len(examples) < EXAMPLES:
            examples.append((path or "/", detail))
        if self.table is not None:
            row = (kind.value, path or "/", size, detail)
            csv.writer(self.table).writerow([csv_cell(cell) for cell in row])

    def documents(self) -> list[dict[str, Any]]:
        """Every kind that was found, problems first."""
        found = [kind for severity in Severity for kind in FindingKind if MEANINGS[kind].severity is severity]
        return [self._document(kind) for kind in found if self.count[kind]]

    def _document(self, kind: FindingKind) -> dict[str, Any]:
        meaning, examples = MEANINGS[kind], self._examples[kind]
        return {
            "kind": kind.value,
            "count": self.count[kind],
            "bytes": self.size[kind],
            "examples": [path for path, _ in examples],
            "details": [detail for _, detail in examples],
            "severity": meaning.severity.value,
            "what": meaning.what,
            "what_to_do": meaning.what_to_do,
        }

"""The diff of one folder: what the source lists, what the checkpoint knows, what follows. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from connectors.entry import Entry
from state.records import KnownChild


class ChangeKind(StrEnum):
    """What happened to an entry since the checkpoint saw it last."""

    NEW = "new"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    MISSING = "missing"
    EXCLUDED = "excluded"


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One difference. UNCHANGED ones are counted, never written."""

    kind: ChangeKind
    name: str
    #: None for MISSING.
    entry: Entry | None
    #: None for NEW.
    known: KnownChild | None
    #: Name in Box that NEW and CHANGED ones get.
    box_name: str
    #: EXCLUDED: which rule or kind said so.
    reason: str | None = None


def diff_folder(
    listing: Sequence[Entry],
    known: Sequence[KnownChild],
    *,
    box_names: Mapping[str, str],
    excluded: Callable[[Entry], str | None],
) -> list[Change]:
    """Changes of one folder, sorted by name, UNCHANGED left out. `excluded` returns the reason or None."""
    raise NotImplementedError

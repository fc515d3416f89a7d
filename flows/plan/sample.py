"""Sampling: a rehearsal that moves a part of the files, the same ones each time. Pure."""

from __future__ import annotations

import hashlib
import math

from connectors.entry import Entry, EntryKind
from flows.plan.exclude import rule_reason
from flows.words import normal_form

_ALL = 1 << 64


def share_of(text: str) -> float:
    """Return "1%" as 0.01. ValueError for what is no percentage above 0 and up to 100."""
    number = text.strip().removesuffix("%").strip()
    try:
        share = float(number) / 100
    except ValueError:
        share = math.nan
    if not 0 < share <= 1:
        raise ValueError(f"{text!r} is not a percentage above 0 and up to 100, such as 1%")
    return share


#: How the reason of what is not of a sample begins.
SAMPLED = rule_reason("sample ")


class SampleRule:
    """So much of the files, chosen by a hash of each path: whatever else is in the share. Folders move all."""

    def __init__(self, text: str) -> None:
        """ValueError as share_of()."""
        self._text = text.strip()
        self._below = int(share_of(text) * _ALL)

    def reason(self, entry: Entry) -> str | None:
        """Return "rule: sample …" for what is not of the sample, else None."""
        if entry.kind is not EntryKind.FILE:
            return None
        digest = hashlib.sha256(normal_form(entry.path).encode("utf-8", "surrogateescape")).digest()
        chosen = int.from_bytes(digest[:8]) < self._below
        return None if chosen else f"{SAMPLED}{self._text}"

    @property
    def digest(self) -> str:
        """Another sample has another one."""
        return f"sample {self._text}"

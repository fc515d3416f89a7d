"""Numbers, names and counts as people and Prefect read them. Pure."""

from __future__ import annotations

import re
import unicodedata

#: Of an SMB share with access-based enumeration.
HIDDEN_NAMES = "the share hides what the account may not read: nobody can say what is missing"
HIDDEN_NAMES_ADVICE = (
    "Give the account read access to all of the share, or have access-based enumeration switched off."
)


def size_words(size: float) -> str:
    """Bytes in decimal units, as Box and disks count them: 1.5 GB."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if abs(size) < 999.5 or unit == "TB":
            return f"{size:.0f} {unit}" if unit == "B" or size >= 99.5 else f"{size:.1f} {unit}"
        size /= 1000
    raise AssertionError


def duration_words(seconds: float) -> str:
    """Seconds as 45 s, 12 min, 3 h 20 min or 2 d 4 h."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return (
            f"{whole // 60} min" if whole >= 600 or whole % 60 == 0 else f"{whole // 60} min {whole % 60} s"
        )
    if whole < 86_400:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 86_400} d {whole % 86_400 // 3600} h"


def counted(number: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun: 1 file, 2 files, 1,000 entries. `plural`: where an s is not enough."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"


def failed_words(number: int) -> str:
    """How many entries are failed, wherever that is said: files and folders are never counted as one another."""
    return f"{counted(number, 'entry', 'entries')} failed"


def printable(text: str) -> str:
    """A name from the share as it may stand on a terminal: no control or escape, no direction switch, no surrogate."""
    if text.isprintable():  # nearly always, and two hundred times as fast
        return text
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text)


def block_name(text: str) -> str:
    """Return a name as Prefect's blocks take it: lower-case letters, digits and dashes; empty when nothing is left."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def slug(text: str) -> str:
    """Return a name as Prefect's keys and resource ids take it: lower-case letters, digits and dashes, never empty."""
    return block_name(text) or "x"


def normal_form(text: str) -> str:
    """Return a name or path in the form in which what a person writes is compared with the share: Unicode's NFC.

    A Mac writes "ä" as two characters and most keyboards as one; both mean one name. Case counts.
    """
    return text if text.isascii() else unicodedata.normalize("NFC", text)

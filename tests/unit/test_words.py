"""Numbers as people read them."""

from __future__ import annotations

import pytest

from flows.reporting.items import csv_cell
from flows.words import counted, duration_words, printable, size_words


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1_500, "1.5 kB"),
        (2_000_000_000, "2.0 GB"),
        (50e12, "50.0 TB"),
        (150e6, "150 MB"),
    ],
)
def test_sizes_read_as_disks_count(size: float, words: str) -> None:
    """Bytes are shown in decimal units."""
    assert words == size_words(size)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(5, "5 s"), (90, "1 min 30 s"), (720, "12 min"), (12_000, "3 h 20 min"), (190_000, "2 d 4 h")],
)
def test_durations_read_as_people_speak(seconds: float, words: str) -> None:
    """Two units at most."""
    assert words == duration_words(seconds)


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("@x", "'@x"),
        ("plain", "plain"),
        (None, ""),
        (-3, "-3"),
        ("a\nb", "a\\x0ab"),
        ("\tx", "\\x09x"),
    ],
)
def test_name_is_never_a_formula(value: object, cell: str) -> None:
    """A file called =cmd() is text in every spreadsheet, and one cell stays one line."""
    assert cell == csv_cell(value)


def test_terminal_escapes_are_shown_not_sent() -> None:
    """A file name cannot clear the screen of the person who reads the report."""
    assert "\\x1b[2J" == printable("\x1b[2J")
    assert "Übersicht 📊" == printable("Übersicht 📊")


@pytest.mark.parametrize(
    ("number", "noun", "plural", "words"),
    [
        (1, "file", "", "1 file"),
        (0, "file", "", "0 files"),
        (1_000, "file", "", "1,000 files"),
        (1, "entry", "entries", "1 entry"),
        (2, "entry", "entries", "2 entries"),
        (2, "person", "people", "2 people"),
    ],
)
def test_count_agrees_with_its_noun(number: int, noun: str, plural: str, words: str) -> None:
    """One is singular, everything else plural, and thousands are told apart."""
    assert words == counted(number, noun, plural)

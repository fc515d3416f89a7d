"""What is not listed any more is asked for by name, and what is not found is looked for in the folder above."""

from __future__ import annotations

from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.entry import Entry, EntryKind, Fault, Fingerprint
from connectors.errors import (
    AccessDenied,
    ConnectionLost,
    ItemError,
    NotFound,
    PathForbidden,
    PathRefused,
    ReadFailed,
    ShareUnreachable,
    Stopped,
)
from connectors.source import Source
from flows.transfer.absent import Listings, with_unlisted
from state.records import KnownChild
from state.statuses import ItemStatus

Answer = Entry | Exception | list[Entry]


class Scripted:
    """A source that answers by path; what it has no answer for is not there."""

    def __init__(self, stats: dict[str, Answer], listings: dict[str, Answer] | None = None) -> None:
        self.stats = stats
        self.listings = listings or {}
        self.listed: list[str] = []

    def stat(self, path: str) -> Any:
        """The answer for a path."""
        return self._answer(self.stats, path)

    def list_folder(self, path: str) -> Any:
        """The answer for a folder."""
        self.listed.append(path)
        return self._answer(self.listings, path)

    @staticmethod
    def _answer(answers: dict[str, Answer], path: str) -> Answer:
        answer = answers.get(path, NotFound(path))
        if isinstance(answer, Exception):
            raise answer
        return answer


def entry(path: str, kind: EntryKind = EntryKind.FILE, file_id: str | None = None) -> Entry:
    """An entry of one byte."""
    return Entry(path=path, kind=kind, size=1 if kind is EntryKind.FILE else 0, file_id=file_id)


def known(name: str, status: ItemStatus = ItemStatus.UPLOADED, *, placed: bool = True) -> KnownChild:
    """A file that the checkpoint knows."""
    return KnownChild(
        id=1,
        name=name,
        kind=EntryKind.FILE,
        box_name=name,
        status=status,
        reason=None,
        fingerprint=Fingerprint(size=1, modified_ns=None),
        placed=placed,
    )


def found(answer: Answer, child: KnownChild, *, listing: list[Entry] | None = None) -> list[Entry]:
    """What the listing of F becomes when this child is asked for."""
    source = cast(Source, Scripted({f"F/{child.name}": answer}))
    return with_unlisted(source, "F", listing or [], [child])


def test_gone_is_what_is_not_there_by_name() -> None:
    """Not listed and not found: nothing is added; not listed and there: it is in the listing again."""
    assert [] == found(NotFound(), known("a"))
    assert [entry("F/a")] == found(entry("F/a"), known("a"))


@pytest.mark.parametrize(
    "error", [AccessDenied("no"), ReadFailed("disk"), ConnectionLost("line"), ItemError("x")]
)
def test_what_is_not_answered_for_has_a_fault(error: ItemError) -> None:
    """Hidden by the share, or unreadable: it is there with a fault, and never gone."""
    [hidden] = found(error, known("a"))

    assert ("F/a", error.reason) == (hidden.path, cast(Fault, hidden.fault).reason)
    assert "asked for by name" in cast(Fault, hidden.fault).detail


@pytest.mark.parametrize("error", [PathForbidden("a:b"), PathRefused("a?")])
def test_what_can_never_be_asked_for(error: ItemError) -> None:
    """A name that the server does not take is gone with its line, unless it was once read under that name."""
    assert [] == found(error, known("a", ItemStatus.FAILED, placed=False))
    assert [True] == [hidden.fault is not None for hidden in found(error, known("a"))]


@pytest.mark.parametrize("error", [ShareUnreachable(), Stopped()])
def test_what_ends_a_walk_is_raised(error: Exception) -> None:
    """A share that is gone says nothing of its files."""
    with pytest.raises(type(error)):
        found(error, known("a"))


@pytest.mark.parametrize("listed", ["F/OTHER.TXT", "F/README"])
def test_what_only_looks_like_another_is_there(listed: str) -> None:
    """Hidden beside a hard link of it, or beside a file whose name differs in case alone: it is not gone."""
    beside = entry(listed, file_id="7" if listed == "F/OTHER.TXT" else "8")

    assert [beside, entry("F/readme", file_id="7")] == found(
        entry("F/readme", file_id="7"), known("readme"), listing=[beside]
    )


def test_other_spellings_are_not_taken_for_others() -> None:
    """A server that minds no case finds under the old name what was renamed; so does one with short names."""
    listing = [entry("F/REPORT.txt"), entry("F/long name", file_id="7")]

    assert listing == found(entry("F/report.txt"), known("report.txt"), listing=listing)
    assert sorted(listing, key=lambda each: each.path) == found(
        entry("F/LONGNA~1", file_id="7"), known("LONGNA~1"), listing=listing
    )


@pytest.mark.parametrize("name", ["REPORT.txt", "\u2460.txt", "copy.txt", "a~b.txt"])
def test_an_equal_id_or_a_similar_name_proves_nothing(name: str) -> None:
    """What was listed beside another is there when asked for by name, though it looks like that one (a hard link)."""
    listing = [entry("F/report.txt", file_id="7"), entry("F/1.txt", file_id="7")]
    known_ones = [known("report.txt"), known("1.txt"), known(name)]
    source = cast(Source, Scripted({f"F/{name}": entry(f"F/{name}", file_id="7")}))

    assert f"F/{name}" in [each.path for each in with_unlisted(source, "F", listing, known_ones)]


def test_another_thing_in_other_letters_is_there() -> None:
    """A name that differs in case from a new one is no renaming when something else is under it."""
    listing = [entry("F/REPORT.txt")]
    other = Entry(path="F/report.txt", kind=EntryKind.FILE, size=99)

    assert sorted([*listing, other], key=lambda each: each.path) == found(
        other, known("report.txt"), listing=listing
    )


@pytest.mark.parametrize("answer", [EntryKind.FILE, EntryKind.FOLDER])
def test_what_is_listed_as_another_kind_is_asked_for_by_name(answer: EntryKind) -> None:
    """A file that is listed as a folder is one only when the server says so of it by name as well."""
    listing = [entry("F/a", EntryKind.FOLDER)]

    assert [entry("F/a", answer)] == found(entry("F/a", answer), known("a"), listing=listing)
    assert listing == found(AccessDenied(), known("a"), listing=listing)


@given(st.lists(st.sampled_from(ItemStatus), max_size=5), st.lists(st.booleans(), min_size=5, max_size=5))
def test_nothing_that_moved_is_lost(statuses: list[ItemStatus], denied: list[bool]) -> None:
    """Each known entry that moves is in the listing afterwards, or was not there when asked for by name."""
    children = [known(f"{number}", status) for number, status in enumerate(statuses)]
    stats: dict[str, Answer] = {
        f"F/{number}": AccessDenied() for number in range(len(children)) if denied[number]
    }
    listing = with_unlisted(cast(Source, Scripted(stats)), "F", [], children)
    moving = {f"F/{c.name}" for c in children if c.status not in (ItemStatus.GONE, ItemStatus.EXCLUDED)}

    assert moving & set(stats) == {each.path for each in listing}


FOLDER = EntryKind.FOLDER


@pytest.mark.parametrize(
    ("listings", "stats", "shown"),
    [
        ({"F": [entry("F/a", FOLDER)]}, {}, True),
        ({"F": [entry("F/b", FOLDER)]}, {}, False),
        ({"F": [entry("F/a")]}, {"F/a": entry("F/a")}, False),  # a file now
        ({"F": []}, {"F/a": entry("F/a", FOLDER)}, True),
        ({"F": []}, {"F/a": AccessDenied()}, True),
        ({"F": AccessDenied()}, {}, True),
        ({"": []}, {}, False),  # the folder above is gone, too
        ({"": [entry("F", FOLDER)]}, {}, True),  # it is not found either, and listed all the same
    ],
)
def test_gone_is_what_the_folder_above_does_not_list(
    listings: dict[str, Answer], stats: dict[str, Answer], shown: bool
) -> None:
    """ "Not found" alone proves nothing: a path may be too long for the server."""
    source = Scripted(stats, listings)
    above = Listings(cast(Source, source))

    assert [shown] * 2 == [above.shows("F/a"), above.shows("F/a")]
    assert len(source.listed) == len(set(source.listed))

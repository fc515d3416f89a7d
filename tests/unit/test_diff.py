"""The diff of one folder: each kind of change, and what an unchanged folder costs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.entry import Entry, EntryKind, Fault, Fingerprint
from state.diff import Change, ChangeKind, diff_folder
from state.records import KnownChild
from state.statuses import ItemStatus

SETTLED = (ItemStatus.PENDING, ItemStatus.UPLOADED, ItemStatus.FAILED, ItemStatus.WAIVED)


def file(name: str, *, size: int = 1, modified: int | None = 10, **more: object) -> Entry:
    """A listed file."""
    return Entry(path=f"A/{name}", kind=EntryKind.FILE, size=size, modified_ns=modified, **more)  # type: ignore[arg-type]


def folder(name: str) -> Entry:
    """A listed folder."""
    return Entry(path=f"A/{name}", kind=EntryKind.FOLDER)


def known(
    name: str,
    *,
    status: ItemStatus = ItemStatus.UPLOADED,
    kind: EntryKind = EntryKind.FILE,
    size: int = 1,
    modified: int | None = 10,
    box_name: str | None = None,
    reason: str | None = None,
    in_box: bool = False,
    settles_ns: int | None = None,
) -> KnownChild:
    """What the checkpoint has."""
    is_file = kind is EntryKind.FILE
    return KnownChild(
        id=1,
        name=name,
        kind=kind,
        box_name=box_name or name,
        status=status,
        reason=reason,
        fingerprint=Fingerprint(size=size if is_file else 0, modified_ns=modified if is_file else None),
        in_box=in_box,
        settles_ns=settles_ns,
    )


def diff(
    listing: list[Entry],
    children: list[KnownChild],
    *,
    box_names: dict[str, str] | None = None,
    rule: str | None = None,
) -> list[Change]:
    """The changes; `rule` excludes every entry named "x…"."""
    return diff_folder(
        listing,
        children,
        box_names=box_names or {},
        excluded=lambda entry: rule if entry.name.startswith("x") else None,
    )


def kinds(changes: list[Change]) -> list[tuple[ChangeKind, str]]:
    """What happened to whom."""
    return [(change.kind, change.name) for change in changes]


def test_new_entries() -> None:
    """What was never seen is NEW, with the Box name that was chosen for it, sorted by name."""
    changes = diff([file("b"), folder("a")], [], box_names={"b": "b_"})

    assert kinds(changes) == [(ChangeKind.NEW, "a"), (ChangeKind.NEW, "b")]
    assert [change.box_name for change in changes] == ["a", "b_"]


@pytest.mark.parametrize("status", SETTLED)
def test_unchanged_file_is_left_out(status: ItemStatus) -> None:
    """The same fingerprint is no change, whatever became of the file: a waiver and a failure stay."""
    assert diff([file("f")], [known("f", status=status)]) == []


@pytest.mark.parametrize("status", SETTLED)
@pytest.mark.parametrize("seen", [file("f", size=2), file("f", modified=11)])
def test_changed_file(status: ItemStatus, seen: Entry) -> None:
    """Another size or time is CHANGED; the name in Box stays."""
    [change] = diff([seen], [known("f", status=status, box_name="f_")], box_names={"f": "other"})

    assert (change.kind, change.box_name) == (ChangeKind.CHANGED, "f_")


def test_what_the_source_cannot_tell_is_no_change() -> None:
    """A time that only one side knows decides nothing."""
    assert diff([file("f", modified=None, changed_ns=5, file_id="7")], [known("f")]) == []


def test_known_folder_is_unchanged() -> None:
    """A folder's own times say nothing about it."""
    assert diff([folder("d")], [known("d", kind=EntryKind.FOLDER)]) == []


def test_missing() -> None:
    """What is known and not listed is MISSING, once."""
    children = [known("f"), known("d", kind=EntryKind.FOLDER), known("gone", status=ItemStatus.GONE)]
    changes = diff([], children)

    assert kinds(changes) == [(ChangeKind.MISSING, "d"), (ChangeKind.MISSING, "f")]
    assert [change.entry for change in changes] == [None, None]


@pytest.mark.parametrize("status", [ItemStatus.GONE, ItemStatus.EXCLUDED])
@pytest.mark.parametrize("kind", [EntryKind.FILE, EntryKind.FOLDER])
def test_what_comes_back_is_new_with_its_past(status: ItemStatus, kind: EntryKind) -> None:
    """What was MISSING or EXCLUDED and is to move now is NEW, and carries what is known of it."""
    past = known("f", status=status, kind=kind)
    [change] = diff([Entry(path="A/f", kind=kind, size=1, modified_ns=10)], [past])

    assert (ChangeKind.NEW, past) == (change.kind, change.known)


SETTLED_BY_ITSELF = (ItemStatus.FAILED, ItemStatus.WAIVED)


def test_name_in_box_may_be_taken_meanwhile() -> None:
    """What comes back gets the name that is free now, and else the one it had."""
    past = known("f", status=ItemStatus.GONE, box_name="f_")

    assert diff([file("f")], [past])[0].box_name == "f_"
    assert diff([file("f")], [past], box_names={"f": "f (2)"})[0].box_name == "f (2)"


@pytest.mark.parametrize("kind", EntryKind)
@pytest.mark.parametrize("fault", [None, Fault("offline", "on tape")])
@pytest.mark.parametrize("skip_reason", [None, "whatever a source says"])
@pytest.mark.parametrize("status", [None, *ItemStatus])
def test_only_links_and_rules_exclude(
    kind: EntryKind, fault: Fault | None, skip_reason: str | None, status: ItemStatus | None
) -> None:
    """Whatever a source says of an entry and whatever is known of it: without a rule, links alone are EXCLUDED, and
    what is neither file, folder nor link FAILED, unless it already is, or was waived."""
    links = (EntryKind.SYMLINK, EntryKind.JUNCTION)
    entry = Entry(path="A/l", kind=kind, fault=fault, skip_reason=skip_reason)
    children = [] if status is None else [known("l", kind=kind, status=status)]
    found = [change.kind for change in diff([entry], children)]

    assert kind in links or ChangeKind.EXCLUDED not in found
    assert kind not in links or status is ItemStatus.EXCLUDED or [ChangeKind.EXCLUDED] == found
    if kind not in (*links, EntryKind.FILE, EntryKind.FOLDER) and status not in SETTLED_BY_ITSELF:
        assert [ChangeKind.FAILED] == found


@pytest.mark.parametrize("kind", [EntryKind.SPECIAL, EntryKind.REPARSE, EntryKind.UNKNOWN])
def test_what_is_not_classified_says_so(kind: EntryKind) -> None:
    """Without a fault of its own it has a reason all the same."""
    [change] = diff([Entry(path="A/l", kind=kind)], [])

    assert (ChangeKind.FAILED, "unclassified") == (change.kind, change.reason)


def test_reasons_of_exclusion() -> None:
    """The source's own reason for a link comes first, then its kind, then the plan's rule."""
    listing = [
        Entry(path="A/x1", kind=EntryKind.JUNCTION, skip_reason="volume mount point"),
        Entry(path="A/x2", kind=EntryKind.SYMLINK),
        file("x3"),
        folder("x4"),
    ]

    assert [change.reason for change in diff(listing, [], rule="rule: x*")] == [
        "volume mount point",
        "symlink",
        "rule: x*",
        "rule: x*",
    ]


@pytest.mark.parametrize("status", [*SETTLED, ItemStatus.GONE])
def test_rule_that_came_later(status: ItemStatus) -> None:
    """A known thing that a rule excludes now is EXCLUDED."""
    assert kinds(diff([file("x")], [known("x", status=status)], rule="rule: x*")) == [
        (ChangeKind.EXCLUDED, "x")
    ]


def test_excluded_once_is_enough() -> None:
    """The same exclusion again is no change; another reason is."""
    past = known("x", status=ItemStatus.EXCLUDED, reason="rule: x*")

    assert diff([file("x", size=99)], [past], rule="rule: x*") == []
    assert kinds(diff([file("x")], [past], rule="rule: x?")) == [(ChangeKind.EXCLUDED, "x")]


def test_file_that_became_a_folder() -> None:
    """The file is MISSING and the folder NEW, in this order; and the other way round."""
    expected = [(ChangeKind.MISSING, "f"), (ChangeKind.NEW, "f")]

    assert expected == kinds(diff([folder("f")], [known("f")]))
    assert expected == kinds(diff([file("f")], [known("f", kind=EntryKind.FOLDER)]))


def test_both_rows_of_one_name() -> None:
    """After such a change the MISSING file and the folder stand side by side without further changes."""
    children = [known("f", status=ItemStatus.GONE), known("f", kind=EntryKind.FOLDER)]

    assert diff([folder("f")], children) == []


def test_link_that_became_a_file() -> None:
    """A link that is a plain file now is NEW."""
    past = known("f", status=ItemStatus.EXCLUDED, kind=EntryKind.SYMLINK, reason="symlink")

    assert kinds(diff([file("f")], [past])) == [(ChangeKind.NEW, "f")]


@pytest.mark.parametrize("status", ItemStatus)
def test_what_is_not_settled_is_read_again(status: ItemStatus) -> None:
    """What Box holds, and was read too early to prove anything, is CHANGED; nothing else is for that reason."""
    unsettled = diff([file("f", size=1)], [known("f", status=status, settles_ns=5)])
    settled = diff([file("f", size=1)], [known("f", status=status)])

    assert (kinds(settled) != kinds(unsettled)) is (status is ItemStatus.UPLOADED)
    assert status is not ItemStatus.UPLOADED or [(ChangeKind.CHANGED, "f")] == kinds(unsettled)


def unseen(name: str, kind: EntryKind = EntryKind.FILE) -> Entry:
    """An entry that is there and could not be looked at."""
    return Entry(path=f"A/{name}", kind=kind, fault=Fault("access_denied", "no"))


@pytest.mark.parametrize("kind", [EntryKind.FILE, EntryKind.SPECIAL, EntryKind.UNKNOWN])
@pytest.mark.parametrize(
    "status",
    [None, ItemStatus.PENDING, ItemStatus.UPLOADED, ItemStatus.GONE, ItemStatus.EXCLUDED],
)
def test_what_could_not_be_looked_at(status: ItemStatus | None, kind: EntryKind) -> None:
    """It is FAILED with its reason, whatever is known of it; never MISSING, EXCLUDED or of other content."""
    children = [known("f", status=status)] if status else []
    [change] = diff([unseen("f", kind)], children)

    assert (ChangeKind.FAILED, "access_denied", "no") == (change.kind, change.reason, change.detail)
    assert change.known is (children[0] if children else None)


@pytest.mark.parametrize("status", [ItemStatus.FAILED, ItemStatus.WAIVED])
def test_what_failed_or_was_waived_and_could_not_be_looked_at(status: ItemStatus) -> None:
    """The same failure again is no change, and a waiver stays."""
    assert diff([unseen("f")], [known("f", status=status)]) == []


def test_rule_beats_fault() -> None:
    """What a rule excludes needs no look."""
    assert kinds(diff([unseen("x")], [], rule="rule: x*")) == [(ChangeKind.EXCLUDED, "x")]


@pytest.mark.parametrize("status", SETTLED)
def test_known_folder_of_which_nothing_could_be_learned(status: ItemStatus) -> None:
    """It stays what it is: the walk lists it and says what is wrong."""
    folder = known("d", kind=EntryKind.FOLDER, status=status)
    assert diff([unseen("d", EntryKind.UNKNOWN)], [folder]) == []
    assert diff([Entry(path="A/d", kind=EntryKind.UNKNOWN)], [folder]) == []
    assert diff([Entry(path="A/d", kind=EntryKind.REPARSE)], [folder]) == []


def test_folder_that_became_a_file_that_could_not_be_looked_at() -> None:
    """Where the kind is known, the folder is MISSING and the file FAILED."""
    changes = diff([unseen("d")], [known("d", kind=EntryKind.FOLDER)])

    assert [(ChangeKind.MISSING, "d"), (ChangeKind.FAILED, "d")] == kinds(changes)


@pytest.mark.parametrize("status", [ItemStatus.FAILED, ItemStatus.PENDING])
def test_what_can_be_looked_at_again(status: ItemStatus) -> None:
    """What Box holds is to be restored without reading it; what was of no known kind gets one."""
    assert kinds(diff([file("f")], [known("f", status=status, in_box=True)])) == [(ChangeKind.CHANGED, "f")]
    past = known("f", status=status, kind=EntryKind.SPECIAL, size=0, modified=None)
    assert kinds(diff([file("f", size=0)], [past])) == [(ChangeKind.CHANGED, "f")]


NAMES = st.sampled_from(["a", "b", "x1", "x2", "é", "\udcff"])


@given(
    listing=st.lists(st.builds(file, NAMES, size=st.integers(0, 2)), unique_by=lambda e: e.name),
    children=st.lists(
        st.builds(known, NAMES, size=st.integers(0, 2), status=st.sampled_from(ItemStatus)),
        unique_by=lambda c: c.name,
    ),
)
def test_every_name_is_accounted_for(listing: list[Entry], children: list[KnownChild]) -> None:
    """Each name changes at most once, in order, and what has no change is either the same or was missing before."""
    changes = diff(listing, children, rule="rule: x*")
    names = [change.name for change in changes]
    listed, before = {e.name: e for e in listing}, {c.name: c for c in children}

    assert sorted(set(names)) == names
    for name in (listed.keys() | before.keys()) - set(names):
        child = before[name]
        if name in listed and child.status is not ItemStatus.EXCLUDED:
            assert child.fingerprint.same_content_as(listed[name].fingerprint)
        elif name not in listed:
            assert child.status is ItemStatus.GONE
    for change in changes:
        assert (change.kind is ChangeKind.MISSING) == (change.entry is None)

"""Names: what Box refuses never leaves, what Box takes for equal never meets, and every change is told."""

from __future__ import annotations

import random
import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from connectors.box.names import (
    Offence,
    box_name,
    collision_key,
    escape_offences,
    keep_their_names,
    plan_names,
    source_name,
)
from connectors.entry import EntryKind

FILE, FOLDER = EntryKind.FILE, EntryKind.FOLDER

#: Few letters, so that generated names meet each other; every kind of trouble among them.
TROUBLE = "aAbßsſKkıİiéＡ.~ /\\\x00\x1f\x7f\x80‛␀␠∕⧵․ﬁ\u0301\u0345\u0338\ud800\udcff\udfff😀u0d8"
NAMES = st.text(alphabet=st.one_of(st.sampled_from(TROUBLE), st.characters()), min_size=1, max_size=12)
LONG = st.builds(lambda text, count: (text * count)[:400], NAMES, st.integers(1, 300))
FOLDERS = st.lists(
    st.tuples(st.one_of(NAMES, LONG), st.sampled_from([FILE, FOLDER])),
    max_size=12,
    unique_by=lambda entry: entry[0],
)


def refusal(name: str) -> str | None:
    """What Box has against a name, by every reading of its documentation."""
    if not name or len(name.encode("utf-16-le", "surrogatepass")) > 510:
        return "length"
    if any(char in "/\\\x7f" or char < " " for char in name):
        return "character"
    if any("\ud800" <= char <= "\udfff" for char in name):
        return "surrogate"
    if name in (".", "..") or name[-1] in " .":
        return "end"
    return None if unicodedata.normalize("NFC", name) == name else "not NFC"


@settings(max_examples=150, deadline=None)
@given(st.one_of(NAMES, LONG), st.sampled_from([FILE, FOLDER]))
@example("..", FOLDER)
@example("\udc80" * 255, FILE)
@example("😀" * 128 + ".txt", FILE)
def test_box_never_sees_a_name_that_it_refuses(name: str, kind: EntryKind) -> None:
    """Whatever the source calls an entry, the name that is sent is one that Box takes."""
    assert None is refusal(box_name(name, kind))


@settings(max_examples=150, deadline=None)
@given(NAMES)
@example("a‛u0d80")
@example("‛∕")
@example("end․")
def test_encoded_names_are_reversible(name: str) -> None:
    """source_name() gives the source's name back, in NFC."""
    assert unicodedata.normalize("NFC", name) == source_name(box_name(name))


@settings(max_examples=100, deadline=None)
@given(FOLDERS)
@example([("a", FILE), ("A", FILE), ("a~ca978112", FOLDER)])
@example([("a/b", FILE), ("a∕b", FILE), ("A∕B", FOLDER)])
def test_a_plan_has_no_collision_no_refusal_and_no_silent_change(
    entries: list[tuple[str, EntryKind]],
) -> None:
    """Every entry gets a name of its own; a changed one has a reason, an unchanged one has none."""
    plan = plan_names([(name, kind, None) for name, kind in entries])
    sent = [plan[name].box_name for name, _ in entries]

    assert len(entries) == len({collision_key(name) for name in sent})
    assert len(entries) == len({unicodedata.normalize("NFC", name).casefold() for name in sent})
    assert [] == [name for name in sent if refusal(name)]
    assert [] == [name for name in plan if (plan[name].box_name != name) != (plan[name].reason is not None)]


@settings(max_examples=100, deadline=None)
@given(st.one_of(FOLDERS, st.lists(st.tuples(st.text("aAb .~", max_size=3), st.just(FILE)), max_size=4)))
@example([("Report 1.docx", FILE), ("Report 2.docx", FOLDER)])
def test_names_that_need_no_thought_are_kept(entries: list[tuple[str, EntryKind]]) -> None:
    """Where the short way says that every name stays, the whole plan says so, too."""
    names = [name for name, _ in entries]
    if keep_their_names(names):
        plan = plan_names([(name, kind, None) for name, kind in entries])

        assert names == [plan[name].box_name for name in names]


@settings(max_examples=60, deadline=None)
@given(FOLDERS, FOLDERS, st.randoms(use_true_random=False))
def test_a_plan_is_stable(
    entries: list[tuple[str, EntryKind]], more: list[tuple[str, EntryKind]], dice: random.Random
) -> None:
    """The listing's order changes nothing, and entries that arrive later change no name given before."""
    plan = plan_names([(name, kind, None) for name, kind in entries])
    shuffled = dice.sample(entries, len(entries))

    assert plan == plan_names([(name, kind, None) for name, kind in shuffled])

    later = [(name, kind, plan[name].box_name) for name, kind in entries]
    later += [(name, kind, None) for name, kind in more if name not in plan]
    extended = plan_names(later)

    assert {name: planned.box_name for name, planned in plan.items()} == {
        name: extended[name].box_name for name in plan
    }
    assert len(later) == len({collision_key(planned.box_name) for planned in extended.values()})
    again = plan_names([(name, kind, extended[name].box_name) for name, kind, _ in later])
    assert {name: planned.box_name for name, planned in extended.items()} == {
        name: planned.box_name for name, planned in again.items()
    }


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("plain name (1).txt", "plain name (1).txt"),
        ("a/b\\c", "a∕b⧵c"),
        ("tab\there", "tab␉here"),
        ("del\x7f", "del␡"),
        ("end ", "end␠"),
        ("two  ", "two ␠"),
        ("Acme Inc.", "Acme Inc․"),
        (".", "․"),
        ("..", ".․"),
        (".hidden", ".hidden"),
        (" leading", " leading"),
        ('q?*<>|:"', 'q?*<>|:"'),
        ("bytes\udcff", "bytes‛udcff"),
        ("a∕b", "a‛∕b"),
        ("mid․dle", "mid․dle"),
        ("e\u0301", "é"),
    ],
)
def test_the_documented_table(name: str, expected: str) -> None:
    """Each row of the table is what is sent."""
    assert expected == box_name(name)


def test_a_long_name_keeps_its_extension() -> None:
    """A name beyond 255 UTF-16 units loses the end of its stem, never its extension; a folder has none."""
    name = "😀" * 200 + ".xlsx"
    short = box_name(name, FILE)

    assert short.endswith(".xlsx")
    assert 255 >= len(short.encode("utf-16-le")) // 2 >= 253
    assert not box_name(name, FOLDER).endswith(".xlsx")


def test_names_of_255_units_are_left_alone() -> None:
    """The limit itself is no reason to rename."""
    assert "x" * 251 + ".txt" == box_name("x" * 251 + ".txt")


def test_files_and_folders_share_one_namespace() -> None:
    """A file and a folder whose names differ in case only do not get the same name."""
    plan = plan_names([("readme", FILE, None), ("README", FOLDER, None)])

    assert "README" == plan["README"].box_name
    assert plan["readme"].box_name.startswith("readme~")
    assert "for Box the same name as 'README'" == plan["readme"].reason


def test_an_unchanged_name_wins_over_an_encoded_one() -> None:
    """Who needs no renaming keeps the name."""
    plan = plan_names([("e\u0301", FILE, None), ("é", FILE, None)])

    assert "é" == plan["é"].box_name
    assert None is plan["é"].reason
    assert plan["e\u0301"].box_name.startswith("é~")


def test_marks_that_meet_grow() -> None:
    """Two losers whose hashes begin alike (found by trying) still get two names; the later one a longer mark."""
    first, second = "QuaRTErLyFIguReSold", "qUarteRlyfIgURESold"
    plan = plan_names([(first.upper(), FILE, None), (second, FILE, None), (first, FILE, None)])

    assert f"{first}~81471f8c" == plan[first].box_name
    assert plan[second].box_name.startswith(f"{second}~81471f8c")
    assert len(f"{second}~") + 16 == len(plan[second].box_name)


def test_a_name_given_earlier_is_kept() -> None:
    """A newcomer with the better claim does not take a name that Box already holds for somebody else."""
    plan = plan_names([("readme", FILE, "readme"), ("README", FILE, None)])

    assert "readme" == plan["readme"].box_name
    assert plan["README"].box_name.startswith("README~")


def test_a_name_taken_in_box_is_not_given() -> None:
    """Whatever holds it, the same name included; an entry that has the name already keeps it."""
    planned = plan_names([("x", FOLDER, None), ("Y", FILE, "Y"), ("z", FILE, None)], taken=["X", "x", "y"])

    assert ["Y", "z"] == [planned[name].box_name for name in ("Y", "z")]
    assert planned["x"].box_name.startswith("x~")
    assert planned["x"].reason == "for Box the same name as 'X'"


def test_canonical_forms_are_one_name() -> None:
    """However the accents are ordered or composed, the key is the same, in every case."""
    assert 1 == len(
        {collision_key(name) for name in ("α\u0345\u0301", "α\u0301\u0345", "ᾴ", "Α\u0345\u0301")}
    )
    assert collision_key("É") == collision_key("e\u0301")


def test_a_name_twice_in_one_folder_is_refused() -> None:
    """Two entries of one name cannot be told apart, so they are not planned."""
    with pytest.raises(ValueError, match="twice"):
        plan_names([("a", FILE, None), ("a", FOLDER, None)])


@pytest.mark.parametrize(
    "names",
    [
        ("1", "①", "１", "¹"),
        ("テスト", "ﾃｽﾄ"),
        ("ﬁx", "FIX"),
        ("№", "no"),
        ("K", "\u212a", "ｋ"),
        ("™", "TM"),
    ],
)
def test_compatible_forms_are_one_name(names: tuple[str, ...]) -> None:
    """Widths, ligatures, circled and raised digits: one key, so that one of them keeps its name and others change."""
    plan = plan_names([(name, FOLDER, None) for name in names])

    assert 1 == len({collision_key(name) for name in names})
    assert len(names) - 1 == sum(planned.reason is not None for planned in plan.values())


@settings(max_examples=150, deadline=None)
@given(NAMES)
def test_no_other_way_to_compare_sees_more(name: str) -> None:
    """Whatever form Box brings a name into, alone or with its case folded, the key stays the same."""
    for form in ("NFC", "NFD", "NFKC", "NFKD"):
        changed = unicodedata.normalize(form, name)  # type: ignore[arg-type]  # a literal in a tuple
        assert collision_key(name) == collision_key(changed) == collision_key(changed.casefold())


@settings(max_examples=150, deadline=None)
@given(st.one_of(NAMES, LONG), st.sets(st.sampled_from(Offence)), st.sampled_from([FILE, FOLDER]))
@example(" 😀:\u200b", set(Offence), FILE)
def test_offences_are_escaped_reversibly(name: str, offences: set[Offence], kind: EntryKind) -> None:
    """What Box refused is in no escaped name, what it never takes neither, and the source's name comes back."""
    plain = box_name(name, kind)
    escaped = escape_offences(plain, offences, kind)

    assert None is refusal(escaped)
    assert not (Offence.LEADING_SPACE in offences and escaped.startswith(" "))
    assert not (Offence.WINDOWS in offences and set(escaped) & set('<>:|?*"'))
    assert escaped == escape_offences(escaped, offences, kind)
    if len(escape_offences(plain, offences, kind).encode("utf-16-le")) < 400 and "~" not in escaped:
        assert unicodedata.normalize("NFC", name) == source_name(escaped)


def test_a_harmless_name_is_not_escaped() -> None:
    """Letters of any script, digits and common marks offend in no way; our own look-alikes neither."""
    for name in ("Übersicht 2026 (final), v1.0", "テスト.txt", box_name("a/b\\c "), "e\u0301x"):
        assert name == escape_offences(name, set(Offence))
    assert "‛u0020a‛u003ab" == escape_offences(" a:b", {Offence.LEADING_SPACE, Offence.WINDOWS})
    assert "‛U01f600" == escape_offences("😀", {Offence.UNUSUAL})


def generated(count: int, seed: int) -> list[tuple[str, EntryKind, None]]:
    """Distinct names that meet each other often."""
    dice = random.Random(seed)
    alphabet = TROUBLE + "".join(map(chr, range(0x20, 0x7F))) + "中文äöü"
    names: set[str] = set()
    while len(names) < count:
        length = dice.choice((3, 4, 5, 6, 8, 250, 260)) if dice.random() < 0.02 else dice.randint(3, 6)
        names.add("".join(dice.choices(alphabet, k=length)))
    return [(name, dice.choice((FILE, FOLDER)), None) for name in sorted(names)]


def check_plan_of(count: int, seed: int) -> None:
    """Plan so many names in one folder and look for collisions, refusals, unreported changes."""
    entries = generated(count, seed)
    plan = plan_names(entries)

    assert count == len(plan)
    assert count == len({collision_key(planned.box_name) for planned in plan.values()})
    assert [] == [planned.box_name for planned in plan.values() if refusal(planned.box_name)]
    assert [] == [
        name for name, planned in plan.items() if (planned.box_name != name) != bool(planned.reason)
    ]


def test_thousands_of_names() -> None:
    """Five thousand names in one folder: no collision, no refusal, no unreported change."""
    check_plan_of(5_000, seed=1)


@pytest.mark.torture
def test_a_million_names() -> None:
    """A million names in one folder: no collision, no refusal, no unreported change."""
    check_plan_of(1_000_000, seed=2)

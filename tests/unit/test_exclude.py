"""Exclude rules: what each form of a pattern matches."""

from __future__ import annotations

import unicodedata

import pytest

from connectors.entry import Entry, EntryKind
from flows.plan.exclude import DEFAULT_EXCLUDE, ExcludeRules, unused_rules


def reason(pattern: str, path: str, kind: EntryKind = EntryKind.FILE) -> str | None:
    """The reason that one pattern gives for one path."""
    return ExcludeRules([pattern]).reason(Entry(path=path, kind=kind))


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("Thumbs.db", "a/b/thumbs.DB"),
        ("Thumbs.db", "Thumbs.db"),
        ("~$*", "Finance/~$Q1.xlsx"),
        ("*.tmp", "x.TMP"),
        ("*.tmp", "deep/er/.tmp"),
        ("?.txt", "a/é.txt"),
        ("[ab].txt", "b.txt"),
        ("[!ab].txt", "c.txt"),
        ("[]x].txt", "].txt"),
        ("[+--]", "a/,"),
        ("[a&&b]", "&"),
        ("[a||b]", "|"),
        ("[~~[x]", "["),
        ("[a-]", "-"),
        ("[\\d]", "\\"),
        ("[]", "[]"),
        ("[!]", "!"),
        ("[a-c]*", "Beta"),
        ("Finance/*.bak", "Finance/q.bak"),
        ("/top.txt", "top.txt"),
        ("Finance/**", "Finance/deep/er/q"),
        ("**/cache/*.bin", "cache/x.bin"),
        ("**/cache/*.bin", "a/b/cache/x.bin"),
        ("a/**/z", "a/z"),
        ("a/**/z", "a/b/c/z"),
        ("line\nbreak", "a/line\nbreak"),
        ("caf\udce9*", "caf\udce9.txt"),
        ("(x|y)+.txt", "(x|y)+.txt"),
        ("[open", "[open"),
        ("a\\b", "a\\b"),
    ],
)
def test_matches(pattern: str, path: str) -> None:
    """A pattern that matches gives itself as the reason."""
    assert f"rule: {pattern}" == reason(pattern, path)


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("Thumbs.db", "Thumbs.db.txt"),
        ("Thumbs.db", "xThumbs.db"),
        ("*.tmp", "x.tmp/kept.txt"),
        ("?.txt", "ab.txt"),
        ("[!ab].txt", "a.txt"),
        ("Finance/*.bak", "Finance/deep/q.bak"),
        ("Finance/*.bak", "x/Finance/q.bak"),
        ("/top.txt", "deep/top.txt"),
        ("Finance/**", "Finance"),
        ("cache/", "cache"),
        ("a?b/x", "a/b/x"),
        ("a[!x]b/x", "a/b/x"),
        ("[+--]", "*"),
        ("[\\d]", "5"),
        ("[a-]", "b"),
    ],
)
def test_does_not_match(pattern: str, path: str) -> None:
    """A pattern matches whole names and whole paths, and stops at "/"."""
    assert None is reason(pattern, path)


def test_folders_only() -> None:
    """A "/" at the end is for folders; without it a pattern is for both."""
    assert reason("cache/", "a/cache", EntryKind.FOLDER) == "rule: cache/"
    assert reason("a/cache/", "a/cache", EntryKind.FOLDER) == "rule: a/cache/"
    assert reason("cache", "a/cache", EntryKind.FOLDER) == "rule: cache"
    assert None is reason("a/cache/", "b/a/cache", EntryKind.FOLDER)


def test_first_rule_wins() -> None:
    """Of many rules the first that matches is named; no rules exclude nothing."""
    rules = ExcludeRules([f"nothing{number}" for number in range(150)] + ["*.tmp", "*"])

    assert rules.reason(Entry(path="x.tmp", kind=EntryKind.FILE)) == "rule: *.tmp"
    assert rules.reason(Entry(path="x", kind=EntryKind.FILE)) == "rule: *"
    assert None is ExcludeRules([]).reason(Entry(path="x", kind=EntryKind.FILE))


def test_digest_tells_rules_apart() -> None:
    """The same rules have the same digest, any other ones another, also where they look alike in a row."""
    lists = ([], ["a"], ["a", "b"], ["b", "a"], ["ab"], ["a,b"], ['a", "b'])

    assert len(lists) == len({ExcludeRules(patterns).digest for patterns in lists})
    assert ExcludeRules(["a", "b"]).digest == ExcludeRules(("a", "b")).digest


@pytest.mark.parametrize("pattern", ["", "/", "//", "[z-a]", "x/[a-cz-a]*"])
def test_pattern_that_can_match_nothing_is_refused(pattern: str) -> None:
    """A pattern without a name, or with a range that ends before it begins, is a mistake."""
    with pytest.raises(ValueError, match="matches nothing"):
        ExcludeRules([pattern])


@pytest.mark.parametrize("rule", [rule for rule in DEFAULT_EXCLUDE if rule.endswith("/")])
def test_folder_that_a_server_keeps_for_itself_is_excluded_by_default(rule: str) -> None:
    """Wherever it lies and however it is written; a file of that name is somebody's own."""
    rules, name = ExcludeRules(DEFAULT_EXCLUDE), rule.rstrip("/")
    folder = Entry(path=f"Legal/{name.upper()}", kind=EntryKind.FOLDER)

    assert f"rule: {rule}" == rules.reason(folder)
    assert rules.reason(Entry(path=f"Legal/{name}", kind=EntryKind.FILE)) is None


@pytest.mark.parametrize("pattern", ["Gehälter", "Geh?lter", "Geh[äö]lter", "*älter*", "Personal/Gehälter/"])
@pytest.mark.parametrize("typed", ["NFC", "NFD"])
@pytest.mark.parametrize("stored", ["NFC", "NFD"])
def test_letters_match_however_they_are_spelled(pattern: str, typed: str, stored: str) -> None:
    """A rule and a name that a Mac writes in two characters and a keyboard in one are compared as the same."""
    pattern, path = unicodedata.normalize(typed, pattern), unicodedata.normalize(stored, "Personal/Gehälter")

    assert f"rule: {pattern}" == reason(pattern, path, EntryKind.FOLDER)


def test_rules_that_matched_nothing() -> None:
    """Those of the plan that gave no reason are named; the usual ones, which seldom match, are not."""
    rules = ["Thumbs.db", "*.tmp", "Gehaelter"]

    assert ["Gehaelter"] == unused_rules(rules, {"rule: *.tmp", "symlink"}, usual=["Thumbs.db"])

"""Filters in rclone's syntax: what each form of a rule selects, and what a person is told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from connectors.entry import Entry, EntryKind, Fault
from flows.plan.filters import FilterPlan, FilterRules
from flows.plan.model import MigrationPlan
from flows.plan.rules import PlanRules

NOW = datetime(2026, 6, 15, 13, 30, tzinfo=UTC)


def rules(**keys: Any) -> FilterRules:
    """These filters, now."""
    return FilterRules(FilterPlan(**keys), now=NOW)


def taken(path: str, *, size: int = 10_000, days: float = 10, **keys: Any) -> bool:
    """Whether a file of this path, size and age moves."""
    return rules(**keys).takes(path, size, int((NOW - timedelta(days=days)).timestamp()) * 10**9)


@pytest.mark.parametrize(
    ("glob", "matches", "others"),
    [
        ("*.tmp", ["a.tmp", "A/b/c.tmp"], ["a.tmp/x", "a.TMP", "atmp"]),
        ("/A/*.tmp", ["A/a.tmp"], ["B/A/a.tmp", "A/b/a.tmp"]),
        ("A/", ["A/x", "B/A/b/x"], ["A", "AA/x"]),
        ("/A/**", ["A/x", "A/b/x"], ["B/A/x"]),
        ("re?d.[ab]", ["read.a", "A/reed.b"], ["red.a", "read.c", "re/d.a"]),
        ("[^a]x", ["bx"], ["ax"]),
        ("{one,two}.txt", ["one.txt", "A/two.txt"], ["three.txt"]),
        (r"\[1\].txt", ["[1].txt"], ["1.txt"]),
        (r"{{\d{2,3}}}.txt", ["12.txt", "A/123.txt"], ["1.txt"]),
        ("[[:digit:]].txt", ["1.txt"], ["a.txt"]),
        ("a+b(1)^$.txt", ["a+b(1)^$.txt"], ["aab1.txt"]),
        ("Bücher/**", ["Bu\u0308cher/x"], ["Bucher/x"]),
    ],
)
def test_globs(glob: str, matches: list[str], others: list[str]) -> None:
    """What is excluded by the glob, and what is not; included by it, the other way round."""
    assert matches == [path for path in matches + others if not taken(path, exclude=[glob])]
    if not glob.endswith("/"):  # which includes folders, and no file, as for rclone
        assert matches == [path for path in matches + others if taken(path, include=[glob])]


@pytest.mark.parametrize("glob", [r"\d", r"a\1", r"\é*", r"x\b/", "a\\"])
def test_backslash_before_what_needs_none_is_refused(glob: str) -> None:
    """rclone hands it on to its regular expressions, where it is something else, or refuses it."""
    with pytest.raises(ValidationError, match=r"is not supported; write the character alone|it ends with"):
        rules(exclude=[glob])


def test_classes_of_a_regular_expression_are_of_ascii() -> None:
    """As rclone's are."""
    assert not taken("x3", exclude=[r"{{x\d}}"])
    for glob in (r"{{x\d}}", r"{{x[\d]}}", r"{{x[-\w]}}"):
        assert taken("x\N{ARABIC-INDIC DIGIT THREE}", exclude=[glob]), glob
        assert not taken("x3", exclude=[glob]), glob
    assert taken("é", exclude=[r"{{\w}}"])
    assert not taken("é", exclude=[r"{{[^a]\W?}}"])


def test_case_counts_unless_it_does_not() -> None:
    """As for rclone, and not as for the plan's exclude patterns."""
    assert taken("a.TMP", exclude=["*.tmp"])
    assert not taken("a.TMP", exclude=["*.tmp"], ignore_case=True)


def test_first_rule_that_matches_decides() -> None:
    """Lines of a file in their order; ! forgets those before."""
    text = "# people\n- *.bak\n!\n; all of A, but for the large\n- /A/large/**\n+ /A/**\n- *\n"
    wanted = {"A/x": True, "A/x.bak": True, "A/large/x": False, "B/x": False, "x": False}
    assert wanted == {path: taken(path, rules=text) for path in wanted}


@pytest.mark.parametrize(
    ("keys", "moves"),
    [
        ({"min_size": "10"}, False),
        ({"min_size": "9"}, True),
        ({"max_size": "9K"}, False),
        ({"max_size": "10000B"}, True),
        ({"max_size": "1.5m"}, True),
        ({"min_age": "11d"}, False),
        ({"min_age": "1w"}, True),
        ({"max_age": "9d"}, False),
        ({"max_age": "1M"}, True),
        ({"max_age": "2026-06-06"}, False),
        ({"max_age": "2026-06-05"}, True),
        ({"max_age": "2026-06-05T23:59:59Z"}, False),
        ({"max_age": "2026-06-05T00:00:01"}, True),
    ],
)
def test_sizes_and_ages(keys: dict[str, str], moves: bool) -> None:
    """A file of 10,000 bytes that is ten days old; a number alone is KiB."""
    assert moves is taken("x", **keys)


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"rules": "*.tmp"}, "begins with neither '\\+ ' nor '- '"),
        ({"exclude": ["a[b"]}, "a \\[ without its \\]"),
        ({"include": ["a***"]}, "more than two \\*"),
        ({"exclude": ["{a"]}, "a { without its }"),
        ({"exclude": ["{{(}}"]}, "cannot be read"),
        ({"min_size": "many"}, "is no size"),
        ({"max_age": "soon"}, "is no age"),
        ({"include": [""]}, "an empty pattern"),
        ({"exclude": ["*.tmp", " "]}, "an empty pattern"),
        ({"min_age": "3d", "max_age": "2d"}, "nothing is of such an age"),
    ],
)
def test_bad_filters_are_told(keys: dict[str, Any], words: str) -> None:
    """One line that says what is wrong."""
    with pytest.raises(ValidationError, match=words):
        FilterPlan(**keys)


def plan(**keys: Any) -> MigrationPlan:
    """A plan with these keys."""
    box = {"auth": {"method": "jwt", "config_file": "x.json"}}
    return MigrationPlan.model_validate({"name": "p", "source": {"url": "file:///x"}, "box": box, **keys})


def test_rules_of_a_plan() -> None:
    """A plan's filters come after its exclude patterns; each entry has the rule as its reason."""
    found = PlanRules(
        plan(exclude=["~$*"], filters={"rules": "+ *.doc\n- /old/**\n", "max_size": "1M"}), now=NOW
    )

    def reason(path: str, kind: EntryKind = EntryKind.FILE, **more: Any) -> str | None:
        return found.reason(Entry(path=path, kind=kind, **more))

    assert "rule: ~$*" == reason("~$a.doc")
    assert reason("old/a.doc") is None
    assert "rule: filters, - /old/**" == reason("old/a.txt")
    assert "rule: filters, larger than 1M" == reason("a.txt", size=2_000_000)
    only = PlanRules(plan(filters={"include": ["/A/*.doc"]}), now=NOW)
    assert "rule: filters, included by no rule" == only.reason(Entry(path="B", kind=EntryKind.FOLDER))
    assert only.reason(Entry(path="A", kind=EntryKind.FOLDER)) is None


def test_what_may_be_a_folder_is_not_left_out_as_a_file() -> None:
    """A filter of files says nothing of what nobody could look at (P2)."""
    unseen = Entry(path="A/x", kind=EntryKind.UNKNOWN, fault=Fault("access_denied", "denied"))
    assert unseen.may_be_folder
    assert rules(include=["*.doc"]).reason(unseen) is None
    assert rules(exclude=["/A/**"]).reason(unseen) is not None


def test_digest_changes_with_the_rules_and_the_day() -> None:
    """A walk that goes on within the day finds the same rules."""
    aged = plan(filters={"max_age": "30d"})
    digests = {PlanRules(aged, now=NOW + timedelta(hours=hours)).digest for hours in (0, 5, 24)}
    assert 2 == len(digests)
    assert 3 == len({PlanRules(each, now=NOW).digest for each in (plan(), aged, plan(filters={}))})

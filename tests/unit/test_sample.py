"""The sample of a rehearsal: a part of the files, the same ones each time; on a local Box alone."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from connectors.entry import Entry, EntryKind
from flows.plan.model import MigrationPlan
from flows.plan.rules import PlanRules
from flows.plan.sample import SampleRule, share_of

LOCAL = {"base_url": "http://127.0.0.1:9", "upload_url": "http://127.0.0.1:9/api"}


def plan(box: dict[str, Any] = LOCAL, **keys: Any) -> MigrationPlan:
    """A plan of a share, on a local Box."""
    document = {
        "name": "test",
        "source": {"url": "file:///share"},
        "box": {"auth": {"method": "block", "name": "none"}, **box},
        **keys,
    }
    return MigrationPlan.model_validate(document)


def entry(path: str, kind: EntryKind = EntryKind.FILE) -> Entry:
    """A file of the share."""
    return Entry(path=path, kind=kind, size=1)


def test_so_much_of_the_files_and_all_folders() -> None:
    """Of 20,000 files some 400 move with 2%; those of a smaller sample are in a larger one; folders are whole."""
    paths = [f"A/{number}.txt" for number in range(20_000)]
    two, ten = SampleRule("2%"), SampleRule("10%")
    few = {path for path in paths if two.reason(entry(path)) is None}

    assert 300 < len(few) < 500
    assert few <= {path for path in paths if ten.reason(entry(path)) is None}
    assert "rule: sample 2%" == two.reason(entry(next(path for path in paths if path not in few)))
    assert all(two.reason(entry(path, EntryKind.FOLDER)) is None for path in paths[:500])
    assert all(SampleRule("100%").reason(entry(path)) is None for path in paths[:500])


def test_name_in_either_form_of_unicode_is_one() -> None:
    """A share that spells a name otherwise the next time has the same sample."""
    rule = SampleRule("50%")
    for number in range(50):
        assert rule.reason(entry(f"\u00e4{number}")) == rule.reason(entry(f"a\u0308{number}"))


def test_rules_of_the_plan_come_first() -> None:
    """What a rule leaves out has that rule as its reason; another sample is another set of rules."""
    rules = PlanRules(plan(sample="0.0001%"))

    assert "rule: Thumbs.db" == rules.reason(entry("A/Thumbs.db"))
    assert "rule: sample 0.0001%" == rules.reason(entry("A/a.txt"))
    assert 3 == len({PlanRules(plan(sample=each)).digest for each in ("", "1%", "2%")})


@pytest.mark.parametrize("text", ["0%", "101%", "-1", "many", "nan"])
def test_no_percentage_is_no_sample(text: str) -> None:
    """It is refused, in a plan by its key."""
    with pytest.raises(ValueError, match="is not a percentage"):
        share_of(text)
    with pytest.raises(ValidationError, match="is not a percentage"):
        plan(sample=text)


def test_real_box_gets_everything() -> None:
    """A sample that somebody forgot in a plan never makes a migration that leaves files behind."""
    with pytest.raises(ValidationError, match="local Box alone"):
        plan(box={}, sample="2%")


def test_sample_of_names_that_are_no_text() -> None:
    """A name with a byte that no character has is chosen or left as any other."""
    assert SampleRule("50%").reason(entry("A/\udcff")) in (None, "rule: sample 50%")

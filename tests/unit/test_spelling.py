"""The trees of a plan, spelled as the share has them."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from connectors.sources.registry import open_source
from flows.plan.model import MigrationPlan
from flows.plan.spelling import as_the_share_spells

AUTH = {"method": "ccg", "client_id": "app", "client_secret": "${BOX_SECRET}", "enterprise_id": "1"}


def plan_of(root: Path, *sources: str) -> MigrationPlan:
    """A plan with these trees."""
    trees = [{"source": source} for source in sources]
    return MigrationPlan.model_validate(
        {"name": "p", "source": {"url": root.as_uri()}, "box": {"auth": AUTH}, "trees": trees}
    )


@pytest.mark.parametrize("typed", ["NFC", "NFD"])
@pytest.mark.parametrize("stored", ["NFC", "NFD"])
def test_tree_is_found_however_it_is_spelled(tmp_path: Path, typed: str, stored: str) -> None:
    """The tree comes from the folder that the share has, and goes into one name in Box."""
    there = unicodedata.normalize(stored, "Büro/Gehälter")
    (tmp_path / there).mkdir(parents=True)
    plan = plan_of(tmp_path, unicodedata.normalize(typed, "Büro/Gehälter"), "Sales")

    source = open_source(tmp_path.as_uri())
    source.connect()
    found = as_the_share_spells(plan, source)

    assert [there, "Sales"] == [tree.source for tree in found.trees]
    assert [unicodedata.normalize("NFC", "Gehälter"), "Sales"] == [tree.box_path for tree in found.trees]


def test_both_spellings_in_the_share(tmp_path: Path) -> None:
    """Where the share has both, each tree comes from its own."""
    names = [unicodedata.normalize(form, "Ö") for form in ("NFC", "NFD")]
    for name in names:
        (tmp_path / name).mkdir()
    source = open_source(tmp_path.as_uri())
    source.connect()

    found = [as_the_share_spells(plan_of(tmp_path, name), source).trees[0].source for name in names]

    assert names == found


def test_tree_that_is_not_there_stays_as_written(tmp_path: Path) -> None:
    """Whoever walks says that it is missing."""
    source = open_source(tmp_path.as_uri())
    source.connect()

    assert "Ö/x" == as_the_share_spells(plan_of(tmp_path, "Ö/x"), source).trees[0].source

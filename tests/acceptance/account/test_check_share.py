"""What `check`, and the start of a run, say of the share: all that is to be sent, and what will not arrive as it is."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from connectors.errors import QuotaExceeded
from flows.errors import PlanError
from tests.acceptance.account.conftest import Account
from tests.trees import build_tree
from tests.unprivileged import unprivileged


@pytest.mark.parametrize("trees", [True, False], ids=["named", "each-folder"])
def test_a_tree_that_is_added_later_is_counted_whole(account: Account, share: Path, trees: bool) -> None:
    """After a first run, a new tree of the plan, or a new folder of the share, is what is still to be sent."""
    if not trees:
        account.change(trees=[])
    account.migrate()
    build_tree(share, {"New": {"a": b"x" * 1000, "sub": {"b": b"y" * 500}}})
    if trees:
        account.change(trees=[{"source": "Accounting"}, {"source": "Legal"}, {"source": "New"}])

    rows = account.rows()

    assert "2 files to send from 3 trees" in rows["source"]["found"]
    assert "the plan needs 1.5 kB for 2 files" in rows["space"]["found"]


def test_the_start_of_a_run_counts_a_tree_that_was_added(account: Account, share: Path) -> None:
    """What is too much for the account stops the run, although the trees that it knows have arrived."""
    account.migrate()
    account.change(trees=[{"source": "Accounting"}, {"source": "Legal"}, {"source": "New"}])
    (share / "New").mkdir()
    with (share / "New" / "huge").open("wb") as file:
        file.truncate(20 * 10**9)

    with pytest.raises(QuotaExceeded, match="for 1 file"):
        account.migrate()


def test_names_that_change_and_what_rules_leave_behind_are_told(account: Account, share: Path) -> None:
    """With an example and the reason each, before anything is sent; also what servers keep for themselves."""
    odd = {"Report.doc": b"1", "report.DOC": b"2", "dot.": b"3", "Thumbs.db": b"4", "#recycle": {"old": b"5"}}
    build_tree(share / "Legal", odd)
    rows = account.rows()

    assert "warning" == rows["names"]["state"]
    assert "2 entries get another name in Box" in rows["names"]["found"]
    assert "Legal/dot. as dot\u2024" in rows["names"]["found"]
    assert "for Box the same name as 'Report.doc'" in rows["names"]["found"]
    assert "2 entries stay behind by rule" in rows["excluded"]["found"]
    assert "Thumbs.db (1)" in rows["excluded"]["found"]
    assert "#recycle/ (1)" in rows["excluded"]["found"]


def test_folders_that_cannot_be_listed_are_named_at_the_start_of_a_run(
    account: Account, share: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """By `check` as a problem, by a run as a line; the run goes on, as one refusal is one entry's."""
    (share / "Accounting" / "sub").chmod(0)
    rows = unprivileged(account.rows)
    with caplog.at_level(logging.WARNING, "flows.checks"):
        summary = unprivileged(account.migrate)

    assert "problem" == rows["unreadable"]["state"]
    assert "1 entry cannot be looked at: Accounting/sub" in rows["unreadable"]["found"]
    assert "unreadable: 1 entry cannot be looked at: Accounting/sub" in caplog.text
    assert {"Accounting": "incomplete", "Legal": "complete"} == {
        tree["name"]: tree["state"] for tree in summary["trees"]
    }


def test_an_empty_share_is_the_same_to_check_and_to_a_run(account: Account, share: Path) -> None:
    """Nothing at all is more likely a wrong folder than a finished move."""
    account.change(trees=[], source={"url": f"file://{share / 'Legal' / 'empty'}"})
    (share / "Legal" / "empty").mkdir()

    row = account.rows()["source"]
    with pytest.raises(PlanError) as told:
        account.migrate()

    assert "problem" == row["state"]
    assert str(told.value) in row["found"]

"""Whom an earlier version of the plan let in: named while they are in, and left alone where the plan says nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from connectors.box.sandbox import Sandbox
from flows.collaborate import collaborate_share
from flows.errors import PlanError
from flows.reporting.report import write_report
from flows.reporting.status import status_document
from tests.acceptance.account.conftest import Account

SetPeople = Callable[..., None]
ANN, BOB = "ann@example.com", "bob@example.com"


def grants(box: Sandbox) -> set[tuple[str, str, str]]:
    """Path, login and role of everybody in Box."""
    return {(each["path"], each["login"], each["role"]) for each in box.collaborations()}


@pytest.mark.parametrize("run_again", [False, True])
def test_whoever_was_corrected_in_the_plan_is_named(
    account: Account, box: Sandbox, people: SetPeople, run_again: bool
) -> None:
    """Status and report say who is in still and not in the plan any more, until --prune takes them out."""
    box.add_user(BOB)
    people({"login": ANN, "role": "editor"})
    account.migrate()
    people({"login": BOB, "role": "editor"})
    if run_again:
        account.migrate()

    status = {tree["name"]: tree for tree in status_document(account.plan)["trees"]}
    page = write_report(account.plan)[0].read_text()
    assert [ANN] == [person["login"] for person in status["Accounting"]["still_in"]]
    assert [] == status["Legal"]["still_in"]
    assert f"Still let in, though not in the plan any more: {ANN} (editor, Accounting)." in page
    assert "still in, not in the plan any more" in page

    account.collaborate(prune=True)
    assert {("Accounting", BOB, "editor")} == grants(box)
    assert "Still let in" not in write_report(account.plan)[0].read_text()


def test_tree_that_moved_in_the_plan_lets_nobody_into_its_old_folder(account: Account, box: Sandbox) -> None:
    """Another folder in the plan is refused; meanwhile nobody new comes into the old one, and nobody leaves it."""

    def plan(folder: str, login: str) -> None:
        account.change(
            trees=[{"source": "Accounting", "folder": folder, "collaborators": [{"login": login}]}]
        )

    box.add_user(BOB)
    plan("Old", ANN)
    account.migrate()
    plan("New", BOB)
    with pytest.raises(PlanError, match=r"'Accounting' is in Box as 'Old'.*write folder: Old again"):
        account.migrate()
    account.collaborate(prune=True)

    assert {("Old", ANN, "viewer")} == grants(box)


def test_tree_that_left_the_plan_keeps_its_people(account: Account, box: Sandbox, people: SetPeople) -> None:
    """--prune takes nothing from a tree that the plan does not name; the summary says so."""
    people({"login": ANN})
    account.migrate()
    account.change(trees=[{"source": "Legal"}])
    document: dict[str, Any] = collaborate_share.fn(account.plan, True, False)

    trees = {tree["name"]: tree for tree in document["trees"]}
    assert {("Accounting", ANN, "viewer")} == grants(box)
    assert (True, False) == (trees["Legal"]["in_plan"], trees["Accounting"]["in_plan"])
    assert "stay as they are" in trees["Accounting"]["waiting"]
    assert document["complete"]


def test_folder_of_one_tree_that_is_gone_stops_no_other(account: Account, box: Sandbox) -> None:
    """A folder deleted in Box is that tree's failure; the people of the next tree come in."""
    account.migrate()
    folders = {tree["name"]: tree["box_folder_id"] for tree in account.program.status()["trees"]}
    with box.core.store.lock:
        box.core.trash.delete_folder(box.service_account, folders["Accounting"], True, None)
    account.change(
        trees=[{"source": name, "collaborators": [{"login": ANN}]} for name in ("Accounting", "Legal")]
    )
    document: dict[str, Any] = collaborate_share.fn(account.plan, False, False)

    people = {tree["name"]: [each["action"] for each in tree["people"]] for tree in document["trees"]}
    assert {"Accounting": ["failed"], "Legal": ["invite"]} == people
    assert not document["complete"]

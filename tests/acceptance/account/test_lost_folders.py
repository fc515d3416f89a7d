"""P3: a folder that Box made without its answer arriving is this plan's own, whatever happens afterwards."""

from __future__ import annotations

from contextlib import closing

import pytest

from connectors.box.sandbox import Sandbox
from connectors.box.sandbox.person import Person
from state.checkpoint import Checkpoint
from tests.acceptance.account.conftest import Account


def made_by_plan(account: Account) -> dict[str, bool]:
    """Folders that wait for nothing in Box any more → whether this plan made them."""
    with closing(Checkpoint.open(account.plan.resolved_state_url())) as checkpoint:
        plan_id = checkpoint.find_plan(f"{account.plan.name} (rehearsal)")
        assert plan_id is not None
        roots = [tree.root_folder_id for tree in checkpoint.trees(plan_id)]
        below = [max(roots) + 1]
        return {
            checkpoint.folder_chain(each)[-1].path: checkpoint.folder_was_created_by_plan(each)
            for each in [*roots, *below]
        }


@pytest.mark.parametrize("name", [pytest.param("Accounting", marks=pytest.mark.torture), "sub"])
def test_a_folder_whose_answer_never_came(account: Account, box: Sandbox, name: str) -> None:
    """Box makes it, no answer arrives in the whole run: the next run knows since when the path was claimed."""
    box.faults.next("POST /folders").about(name).status(500, after_effect=True)
    box.faults.next("POST /folders").about(name).status(503).times(None)
    first = account.migrate(check=False)
    box.faults.clear()
    second = account.migrate(check=False)

    assert (False, True) == (first["complete"], second["complete"])
    assert {"Accounting": True, "Accounting/sub": True, "Legal": True} == made_by_plan(account)


@pytest.mark.torture
def test_a_folder_that_a_person_made_meanwhile_is_not(account: Account, box: Sandbox) -> None:
    """Somebody else makes a folder of that name after the claim: it is adopted and stays theirs."""
    box.faults.next("POST /folders").about("sub").status(503).times(None)
    account.migrate(check=False)
    box.faults.clear()
    ann = box.core.store.logins["ann@example.com"]
    accounting = next(folder.id for folder in box.core.store.folders.values() if folder.name == "Accounting")
    grant_id = box.person().invite(accounting, "ann@example.com")
    Person(box.core, ann).make_folder("sub", accounting)
    box.person().uninvite(grant_id)
    account.migrate(check=False)

    assert {"Accounting": True, "Accounting/sub": False, "Legal": True} == made_by_plan(account)

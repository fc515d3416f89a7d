"""Somebody who comes into the plan of a complete tree, or comes back, is in when nothing unfinished is seen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from connectors.box.sandbox import Sandbox
from tests.acceptance.account.conftest import Account

ANN = "ann@example.com"
OUTER: dict[str, Any] = {"source": "Accounting", "folder": "Top"}
INNER: dict[str, Any] = {"source": "Legal", "folder": "Top/Legal"}
SEES: dict[str, dict[str, Any]] = {
    "a person": {"collaborators": [{"login": ANN, "role": "viewer"}]},
    "a link": {"shared_link": {"access": "open"}},
}


def seen(box: Sandbox) -> bool:
    """Whether anybody but the account sees the outer tree."""
    return (
        bool(box.collaborations()) or box.core.store.folders[box.tree()["Top"]["id"]].shared_link is not None
    )


@pytest.mark.parametrize("command", ["migrate", "collaborate"])
@pytest.mark.parametrize("access", SEES)
@pytest.mark.gate(1)
def test_who_is_new_waits_for_the_tree_inside(
    account: Account, box: Sandbox, share: Path, command: str, access: str
) -> None:
    """Both trees were complete; the inner one is not any more, and is not shown half sent (P4)."""
    account.change(trees=[OUTER, INNER])
    assert account.migrate(check=False)["complete"]
    (share / "Legal/bad.txt").write_bytes(b"bad")
    (share / "Legal/half.txt").write_bytes(b"half")
    box.faults.next("POST /files/content").about("bad.txt").status(403, error="forbidden_by_policy").times(
        None
    )
    if command == "collaborate":
        account.migrate(check=False)
    account.change(trees=[OUTER | SEES[access], INNER])

    refused = account.program.run(command)
    seen_early = seen(box)
    box.faults.clear()
    finished = account.program.run("retry")

    assert 1 == refused.code, refused.output
    assert "Top/Legal" in refused.output
    assert not seen_early
    assert 0 == finished.code, finished.output
    assert seen(box)


@pytest.mark.parametrize("command", ["migrate", "collaborate"])
@pytest.mark.gate(1)
def test_who_is_in_is_changed_all_the_same(account: Account, box: Sandbox, share: Path, command: str) -> None:
    """A role that the plan lowers does not wait for the tree inside, which is not complete any more."""
    editor, viewer = ({"collaborators": [{"login": ANN, "role": role}]} for role in ("editor", "viewer"))
    account.change(trees=[OUTER | editor, INNER])
    assert account.migrate(check=False)["complete"]
    (share / "Legal/bad.txt").write_bytes(b"bad")
    box.faults.next("POST /files/content").about("bad.txt").status(403, error="forbidden_by_policy").times(
        None
    )
    account.migrate(check=False)
    account.change(trees=[OUTER | viewer, INNER])

    finished = account.program.run(command)

    assert 1 == finished.code, finished.output
    assert [(ANN, "viewer")] == [(each["login"], each["role"]) for each in box.collaborations()]


def test_who_comes_back_into_the_plan_is_invited_again(account: Account, box: Sandbox) -> None:
    """Taken out of the plan, and by an administrator out of Box: named again she is in, and not only said to be."""
    with_ann = [{"source": "Accounting"} | SEES["a person"]]
    account.change(trees=with_ann)
    assert account.migrate(check=False)["complete"]
    account.change(trees=[{"source": "Accounting"}])
    assert account.migrate(check=False)["complete"]
    with box.core.store.lock:
        [grant] = list(box.core.store.collaborations)
        box.core.collaborations.delete(box.service_account, grant)
    account.change(trees=with_ann)

    assert account.migrate(check=False)["complete"]
    assert [ANN] == [each["login"] for each in box.collaborations()]

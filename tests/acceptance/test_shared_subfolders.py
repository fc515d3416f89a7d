"""A folder inside a tree that was in Box before is adopted only where nobody but the plan's people sees it (P4)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from connectors.box.sandbox import Sandbox
from connectors.box.sandbox.person import Person
from flows.orchestration.runs import move_share
from flows.plan.file import load_plan
from tests.acceptance.proof import report_items
from tests.program import program_for
from tests.trees import build_tree

IN_PLAN, OUTSIDER = "ann@example.com", "bob@example.com"


def link(boss: Person, folder_id: str) -> None:
    """Give the folder an open link."""
    boss.core.changes.update_folder(boss.user, folder_id, {"shared_link": {"access": "open"}}, None)


#: What was done with the subfolder before, and what the report must say of it; "" when it is adopted.
BEFORE: dict[str, tuple[Callable[[Person, str], object], str]] = {
    "nothing": (lambda boss, folder: None, ""),
    "shared with the plan's person": (lambda boss, folder: boss.invite(folder, IN_PLAN, "viewer"), ""),
    "shared with an outsider": (lambda boss, folder: boss.invite(folder, OUTSIDER, "viewer"), OUTSIDER),
    "open link": (link, "shared link"),
}


@pytest.mark.parametrize("before", BEFORE)
@pytest.mark.gate(2)
def test_subfolder_that_was_there_before(tmp_path: Path, box: Sandbox, before: str) -> None:
    """Seen by others it fails with their names and gets nothing; the rest of the tree moves."""
    act, told = BEFORE[before]
    boss = box.person(box.add_user("boss@example.com"))
    box.add_user(OUTSIDER)
    landing = boss.make_folder("landing")
    boss.invite(landing, box.service_account.login, "co-owner")
    box.person().accept()
    inside = boss.make_folder("HR", boss.make_folder("A", landing))
    act(boss, inside)
    share = tmp_path / "share"
    share.mkdir()
    build_tree(share, {"A": {"HR": {"salaries.txt": b"secret"}, "x.txt": b"x"}})
    trees = [
        {
            "source": "A",
            "collaborators": [
                {"login": IN_PLAN, "role": "editor"},
                {"login": "boss@example.com", "role": "editor"},
            ],
        }
    ]
    program = program_for(tmp_path / "run", box, {"url": share.as_uri()}, trees=trees)
    program.write_plan(box=program.plan["box"] | {"landing_folder_id": landing})

    finished = move_share(load_plan(program.plan_path), check=False)

    assert (told == "") is finished["complete"]
    names = {path.rpartition("/")[2] for path in box.files()}
    assert ({"x.txt"} if told else {"x.txt", "salaries.txt"}) == names
    if told:
        line = report_items(program)["A/HR"]
        assert ("failed", "name_in_use") == (line["status"], line["reason"])
        assert told in line["detail"]

"""What the report, the status and refusals say of waivers, renames and reasons, on a real checkpoint."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.errors import PlanError
from flows.orchestration.runs import retry_share
from flows.reporting.report import write_report
from flows.reporting.status import status_document
from flows.waive import waive_items
from state.checkpoint import Checkpoint
from state.statuses import IncompleteReason, TreeState
from tests.integration.state.scene import Scene
from tests.integration.test_report import plan_in

WHY = "the owner agreed"


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """A plan "p" with a tree "A" in a checkpoint of its own."""
    with Checkpoint.open(f"sqlite:///{tmp_path / 'state.db'}") as checkpoint:
        yield Scene(checkpoint, source_url="https://files.example.com/s")


def section(page: str, title: str) -> str:
    """What stands below this heading."""
    return page.partition(f"<h2>{title}")[2].partition("<h2>")[0]


def test_a_waived_folder_that_nobody_could_list_is_told(tmp_path: Path, scene: Scene) -> None:
    """Nobody knows what stays behind in it; one that was listed before is no such folder."""
    scene.walk({"dark": {}, "known": {"f": 1}})
    for name in ("dark", "known"):
        scene.checkpoint.record_folder_failure(
            scene.folder_id(name), scene.pass_id, reason="access_denied", detail="no right"
        )
        waive_items.fn(plan_in(tmp_path, trees=[]), f"A/{name}", WHY, "Ann")
    page, table, *_ = write_report(plan_in(tmp_path, trees=[]), plain=True)

    lines = {line.split(",")[1]: line for line in table.read_text().splitlines()}
    assert "its content was never seen" in lines["A/dark"]
    assert "never seen" not in lines["A/known"]
    assert 1 == section(page.read_text(), "Waived").count("its content was never seen")
    assert "What is in 1 waived folder was never seen." in page.read_text()


@pytest.mark.parametrize("why", ["", " ", "x", "ok", "approved", "no, no"])
def test_a_reason_is_more_than_a_word(tmp_path: Path, scene: Scene, why: str) -> None:
    """An auditor learns nothing from it."""
    scene.walk({"f": 1})
    scene.fail("f")

    with pytest.raises(PlanError, match="why: say in a few words"):
        waive_items.fn(plan_in(tmp_path, trees=[]), "A/f", why, "Ann")
    assert 1 == waive_items.fn(plan_in(tmp_path, trees=[]), "A/f", "所有者已同意不迁移", "Ann")["waived"]


def test_renamed_is_what_box_has(tmp_path: Path, scene: Scene) -> None:
    """A name that will be another one in Box, perhaps, is none that somebody can look for there."""
    decomposed = unicodedata.normalize("NFD", "Übersicht")
    share = {decomposed: {}, "kept": 1}
    changes = scene.compare(scene.root_id, "A", share)
    changes = [
        type(change)(
            kind=change.kind,
            name=change.name,
            entry=change.entry,
            known=None,
            box_name=unicodedata.normalize("NFC", change.name),
        )
        for change in changes
    ]
    scene.checkpoint.record_listing(scene.root_id, scene.pass_id, changes)
    before = write_report(plan_in(tmp_path, trees=[]), plain=True)[0].read_text()
    scene.walk(share)
    scene.create_folders()
    after = section(
        write_report(plan_in(tmp_path, trees=[]), plain=True)[0].read_text(), "Renamed for Box (1)"
    )

    assert "Renamed for Box (0)" in before
    assert "the same letters: Unicode form NFC in Box, NFD in the share" in after


def test_a_tree_says_no_more_that_something_failed_once_it_is_waived(tmp_path: Path, scene: Scene) -> None:
    """What it lacks is counted when it is asked for, and not when the run ended."""
    scene.walk({"f": 1, "g": 1})
    scene.create_folders()
    scene.fail("f")
    scene.fail("g")
    scene.checkpoint.set_tree_state(
        scene.tree.id, TreeState.INCOMPLETE, reason=IncompleteReason.FAILED_ITEMS, detail="2 locked"
    )

    def detail() -> str:
        [tree] = status_document(plan_in(tmp_path, trees=[]))["trees"]
        return str(tree["detail"])

    assert "2 locked" == detail()
    waive_items.fn(plan_in(tmp_path, trees=[]), "A/f", WHY, "Ann")
    assert "1 locked" == detail()
    waive_items.fn(plan_in(tmp_path, trees=[]), "A/g", WHY, "Ann")
    assert "nothing is failed or pending now: the next run completes it" == detail()


def test_unknown_reason_names_those_that_fail_now(tmp_path: Path, scene: Scene) -> None:
    """Not every reason that there is."""
    scene.walk({"f": 1})
    scene.fail("f", reason="locked")

    with pytest.raises(PlanError, match=r"nothing fails for 'lockd'; what is failed now: locked \(1\)$"):
        retry_share(plan_in(tmp_path, trees=[]), reason="lockd")

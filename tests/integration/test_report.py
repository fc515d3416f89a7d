"""Report and waive on a real checkpoint, without share and Box."""

from __future__ import annotations

import csv
import os
import resource
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from connectors.entry import Entry
from flows.errors import Interrupted, PlanError
from flows.plan.model import MigrationPlan
from flows.reporting import report
from flows.reporting.report import write_report
from flows.reporting.status import status_document
from flows.waive import waive_items
from state.checkpoint import Checkpoint
from state.records import Failed, TreeSpec
from state.statuses import IncompleteReason, ItemStatus, TreeState
from tests.integration.state.scene import Scene


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """A plan "p" with a tree "A" in a checkpoint of its own."""
    with Checkpoint.open(f"sqlite:///{tmp_path / 'state.db'}") as checkpoint:
        yield Scene(checkpoint, source_url="https://files.example.com/s")


def plan_in(folder: Path, **changes: Any) -> MigrationPlan:
    """The plan of the scene."""
    document: dict[str, Any] = {
        "name": "p",
        "source": {"url": "https://files.example.com/s?part=canary-7f"},
        "box": {"auth": {"method": "jwt", "config_file": "box_config.json"}},
        "state_url": "sqlite:///state.db",
        "base_dir": str(folder),
        "trees": [{"source": "A", "folder": "Arrived/A"}],
    }
    return MigrationPlan.model_validate(document | changes)


def content(path: Path) -> bytes:
    """Of a file, or of all that is packed in it."""
    if not zipfile.is_zipfile(path):
        return path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        return b"".join(archive.read(name) for name in archive.namelist())


@contextmanager
def files_at_most(size: int) -> Iterator[None]:
    """No file of this process grows beyond so many bytes: a full disk, in effect."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_plain_report(scene: Scene, tmp_path: Path) -> None:
    """No pictures and no workbook, not even an older one; the same tables."""
    scene.walk({"a.txt": 1, "b.txt": 2})
    scene.send_everything()
    whole = {path.name: path.read_bytes() for path in write_report(plan_in(tmp_path, trees=[]))}
    plain = {path.name: path.read_bytes() for path in write_report(plan_in(tmp_path, trees=[]), plain=True)}

    assert {"report.xlsx"} == set(whole) - set(plain)
    assert not (tmp_path / "p-report" / "report.xlsx").exists()
    assert (True, False) == (b"<figure>" in whole["report.html"], b"<figure>" in plain["report.html"])
    assert b"report.xlsx" not in plain["report.html"]
    assert [whole[name] for name in ("items.csv", "items.json")] == [
        plain[name] for name in ("items.csv", "items.json")
    ]


def test_secret_in_the_query_of_the_source_is_in_no_report(tmp_path: Path, scene: Scene) -> None:
    """The page shows the share as the checkpoint keeps it: without what stands behind a question mark."""
    scene.walk({"f": 1})
    written = write_report(plan_in(tmp_path))

    assert "https://files.example.com/s →" in written[0].read_text()
    for path in written:
        assert b"canary-7f" not in content(path)


def test_lists_that_cannot_be_written_leave_the_old_ones_whole(tmp_path: Path, scene: Scene) -> None:
    """Disk full in the middle: one line, a new page, the lists as they were, and nothing left beside them."""
    scene.walk({"f": 1})
    paths = write_report(plan_in(tmp_path))
    before = {path.name: path.read_bytes() for path in paths}
    scene.next_pass()
    scene.walk({f"file {number:04}": 1 for number in range(3_000)})

    with (
        files_at_most(200_000),
        pytest.raises(
            PlanError, match=r"cannot be written into .*p-report \(File too large\); report.html is new"
        ),
    ):
        write_report(plan_in(tmp_path))

    after = {path.name: path.read_bytes() for path in paths[0].parent.iterdir()}
    assert ["report.html"] == [name for name in before if before[name] != after[name]]
    assert b"pass 2" in after["report.html"]
    assert set(before) == set(after)
    with files_at_most(1_000), pytest.raises(PlanError):
        write_report(plan_in(tmp_path))
    assert after == {path.name: path.read_bytes() for path in paths[0].parent.iterdir()}
    assert len(before["items.csv"]) < len(write_report(plan_in(tmp_path))[1].read_bytes())
    assert sorted(before) == sorted(path.name for path in paths[0].parent.iterdir())


def test_interrupted_report_says_what_is_new(
    tmp_path: Path, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing yet, or the page alone: its lists are older, and nobody should take them for its own."""
    scene.walk({"f": 1})
    page = write_report(plan_in(tmp_path))[0]
    before = page.read_bytes()
    scene.next_pass()

    for place, words in (
        ("_write_lists", "; report.html is new, and the lists"),
        ("_write_page", "; the report is"),
    ):
        with monkeypatch.context() as patched:
            patched.setattr(report, place, interrupted)
            with pytest.raises(Interrupted, match=f"^interrupted{words}"):
                write_report(plan_in(tmp_path))
    assert before != page.read_bytes()


def interrupted(*_: object, **__: object) -> None:
    """Somebody presses Ctrl-C."""
    raise KeyboardInterrupt


def test_folder_that_cannot_hold_a_report_is_told(tmp_path: Path, scene: Scene) -> None:
    """A file, a device, a place where nothing can be made: one line each."""
    scene.walk({"f": 1})
    (tmp_path / "file").write_text("x")
    (tmp_path / "in the way" / "items.csv").mkdir(parents=True)

    for out in (tmp_path / "file", Path("/proc/x"), Path("/dev/null/x"), tmp_path / "in the way"):
        with pytest.raises(PlanError, match="the report cannot be written into"):
            write_report(plan_in(tmp_path), out)
    assert "x" == (tmp_path / "file").read_text()
    held = set(os.listdir(tmp_path / "in the way"))
    assert {"report.html", "items.csv", "items.json", "report.xlsx"} == held, "nothing unfinished stays"


def test_excluded_files_that_box_holds_are_counted_apart(tmp_path: Path, scene: Scene) -> None:
    """A new rule moves nothing out of Box: what was sent before is not among what did not move."""
    share = {"sent.pst": 1, "kept": 1, "sub": {"below": 1}}
    scene.walk(share)
    scene.send_everything()
    scene.next_pass()

    def by_rule(entry: Entry) -> str | None:
        return "rule: x" if entry.name in ("sent.pst", "never.pst", "sub") else None

    scene.excluded = by_rule
    scene.walk({**share, "never.pst": 1})
    scene.checkpoint.record_verified(scene.tree.id)
    scene.checkpoint.set_tree_state(scene.tree.id, TreeState.COMPLETE)
    page, table, *_ = write_report(plan_in(tmp_path, trees=[]))
    text = page.read_text()

    assert "3 entries that are excluded now are in Box all the same." in text
    assert "<b>4</b><span>excluded by rule, 3 of them in Box all the same</span>" in text
    listed = text.partition("Excluded, but in Box (3)")[2].partition("<h2>")[0]
    for path in ("A/sent.pst", "A/sub", "A/sub/below"):
        assert path in listed
    assert "A/never.pst" not in listed
    not_moved = text.partition("Not moved, by reason")[2].partition("<h2>")[0]
    assert '<td>rule: x</td><td class="n">1</td>' in not_moved
    with table.open(newline="") as file:
        rows = {row["path"]: row for row in csv.DictReader(file)}
    assert ("excluded", True) == (rows["A/sent.pst"]["status"], bool(rows["A/sent.pst"]["box_id"]))


def test_trees_that_the_plan_names_no_more_are_marked(tmp_path: Path, scene: Scene) -> None:
    """Status and report know them, and the headline, its sums and its lists are about the others."""
    [typed] = scene.checkpoint.ensure_trees(scene.plan_id, [TreeSpec(source="Aa", folder="Aa", name="Aa")])
    scene.checkpoint.record_folder_failure(
        typed.root_folder_id, scene.pass_id, reason="not_found", detail="no such folder"
    )
    scene.checkpoint.set_tree_state(typed.id, TreeState.INCOMPLETE, reason=IncompleteReason.FAILED_ITEMS)
    scene.walk({"f": 1})
    scene.send_everything()
    scene.checkpoint.record_verified(scene.tree.id)
    scene.checkpoint.set_tree_state(scene.tree.id, TreeState.COMPLETE)
    plan = plan_in(tmp_path, trees=[{"source": "A", "folder": "A"}, {"source": "B"}])

    status = status_document(plan)
    text = write_report(plan)[0].read_text()

    assert {"A": True, "Aa": False} == {tree["name"]: tree["in_plan"] for tree in status["trees"]}
    assert ["B"] == status["not_begun"]
    assert "Not complete: 1 of 2 trees; nobody was let in there. Left out: 1 tree" in text
    assert 1 == text.count("not in the plan any more")
    assert "Nothing failed." in text
    assert (
        '<div class="verdict good">Complete: '
        in write_report(plan_in(tmp_path, trees=[{"source": "A", "folder": "A"}]))[0].read_text()
    )
    every = status_document(plan_in(tmp_path, trees=[]))
    assert ([True, True], []) == ([tree["in_plan"] for tree in every["trees"]], every["not_begun"])


def test_what_proved_a_tree_is_told_whatever_the_plan_says_now(tmp_path: Path, scene: Scene) -> None:
    """The last proof counts; a checkpoint of an older version, which kept none, has the plan's."""
    scene.checkpoint.record_verified(scene.tree.id)
    scene.checkpoint.set_tree_state(scene.tree.id, TreeState.COMPLETE)
    trees = [{"source": "A", "folder": "A"}]
    by_listing, by_receipts = (
        plan_in(tmp_path, trees=trees, transfer={"verify": verify}) for verify in ("listing", "receipts")
    )

    def proof(plan: MigrationPlan) -> str:
        text = write_report(plan)[0].read_text()
        return (
            "listing"
            if "Box&#39;s listing agrees" in text
            else "receipts"
            if "receipt for each" in text
            else ""
        )

    assert ["listing", "receipts"] == [proof(by_listing), proof(by_receipts)]
    for by in ("listing", "receipts"):
        scene.checkpoint.record_event(
            scene.plan_id, "verified", {"tree": "A", "by": by}, tree_id=scene.tree.id
        )
        assert [by, by] == [proof(by_listing), proof(by_receipts)]


#: Names that the report does not show as they are.
SHOWN = {
    "a\u00a0b": "A/a\\xa0b",
    "a\nb": "A/a\\x0ab",
    "caf\udce9": "A/caf\\xdce9",
    "folder\u00a0": "A/folder\\xa0",
}


@pytest.mark.parametrize("name", SHOWN)
def test_waive_takes_a_path_as_the_report_shows_it(tmp_path: Path, scene: Scene, name: str) -> None:
    """No-break spaces, line breaks and bytes that are no text are escaped there, in folders' names, too."""
    is_folder = name.startswith("folder")
    scene.walk({name: {"f": 1} if is_folder else 1, "other": 1})
    for failing in (f"{name}/f" if is_folder else name, "other"):
        scene.fail(failing, reason="locked")
    with write_report(plan_in(tmp_path))[1].open(newline="", encoding="utf-8") as file:
        shown = [row["path"] for row in csv.DictReader(file) if row["status"] == "failed"]
    assert any(path.startswith(SHOWN[name]) for path in shown)

    done = waive_items.fn(plan_in(tmp_path), SHOWN[name], "not needed", "Ann")

    assert (1, f"A/{name}") == (done["waived"], done["path"]), "what is pending stays so"
    assert ItemStatus.FAILED == scene.statuses()["A/other"]


def test_waive_takes_a_path_as_the_table_guards_it(tmp_path: Path, scene: Scene) -> None:
    """The CSV puts a quote before what a spreadsheet would take for a formula."""
    [odd] = scene.checkpoint.ensure_trees(scene.plan_id, [TreeSpec(source="=B", folder="B", name="B")])
    changes = scene.compare(odd.root_folder_id, "=B", {"f": 1})
    scene.checkpoint.record_listing(odd.root_folder_id, scene.pass_id, changes)
    scene.checkpoint.record_folder_failure(odd.root_folder_id, scene.pass_id, reason="x", detail="x")

    assert 1 == waive_items.fn(plan_in(tmp_path), "'=B", "not needed", "Ann", pending=True)["waived"]


def test_waive_refuses_a_path_that_stands_for_several(tmp_path: Path, scene: Scene) -> None:
    """Two names that the report shows alike: neither is waived; the very name of one is."""
    names = ["a\u00a0b", "a\u0a0b", "a\\xa0b"]  # the second one is no character (yet)
    scene.walk(dict.fromkeys(names, 1))
    for name in names:
        scene.fail(name, reason="locked")
    plan = plan_in(tmp_path)

    assert (1, names[2]) == (waive_items.fn(plan, "A/a\\xa0b", "not needed", "Ann")["waived"], "a\\xa0b")
    with pytest.raises(PlanError, match="several paths as A/a"):
        waive_items.fn(plan, "A/a\\xa0b", "not needed", "Ann")
    statuses = scene.statuses()
    assert ["failed", "failed", "waived"] == [statuses[f"A/{name}"].value for name in names]
    assert 1 == waive_items.fn(plan, f"A/{names[1]}", "not needed", "Ann")["waived"]
    assert 1 == waive_items.fn(plan, "A/a\\xa0b", "not needed", "Ann")["waived"], "only one is left"


def test_nothing_is_asked_of_a_checkpoint_that_is_not_there(tmp_path: Path) -> None:
    """Status, report and waive say what makes it, and make none."""
    plan = plan_in(tmp_path, state_url="sqlite:///wrong.db")

    for ask in (status_document, write_report, lambda plan: waive_items.fn(plan, "A", "not needed")):
        with pytest.raises(PlanError, match=r"no checkpoint .*wrong\.db yet.*boxhaul migrate"):
            ask(plan)
    assert [] == list(tmp_path.iterdir())


def test_page_of_a_share_full_of_failures_stays_small(tmp_path: Path, scene: Scene) -> None:
    """Thousands of lines of several kinds with long paths: the first of each, how many there are, and where all are."""
    folder = "a folder with a name of some length " * 5
    scene.walk({folder: {f"{number:04} {'a long name ' * 15}.docx": 1 for number in range(3_000)}})
    scene.create_folders()
    while batch := scene.claim(max_items=1_000):
        failed = [Failed(item_id=item.id, reason="locked", detail="because", retry=False) for item in batch]
        scene.checkpoint.record_results(scene.worker, failed)
    page, table, *_ = write_report(plan_in(tmp_path, trees=[]))
    text = page.read_text()
    listed = text.partition("<h2>Failed (3,000)")[2].partition("<h2>")[0].count("<td>locked</td>")

    assert 100 < listed <= 1_000
    assert f"The first {listed:,} of 3,000; " in text
    assert '<a href="items.csv">' in text
    assert page.stat().st_size < 2_000_000
    assert 3_001 < len(table.read_text().splitlines())


def test_long_report_says_how_far_it_is(
    tmp_path: Path, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line now and then, once the page is there, with a sum that the last one reaches; of a short report none."""
    said: list[str] = []
    there: list[set[str]] = []
    scene.walk({f"file {number:04}": 1 for number in range(2_500)})
    write_report(plan_in(tmp_path, trees=[]), say=said.append)
    assert [] == said
    monkeypatch.setattr("flows.reporting.telling.LINE_SECONDS", 0)

    def say(line: str) -> None:
        said.append(line)
        there.append({name for name in os.listdir(tmp_path / "new") if not name.startswith(".")})

    write_report(plan_in(tmp_path, trees=[]), tmp_path / "new", say=say)

    assert [{"report.html"}] * 3 == there
    assert ["p: the page is written; the lists of every entry follow"] == said[:1]
    assert ["p: 1,000 of 2,500 entries written", "p: 2,000 of 2,500 entries written"] == said[1:]

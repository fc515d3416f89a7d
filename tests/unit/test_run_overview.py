"""The text of a run's page: what a person reads there, and what the share's names cannot do to it."""

from __future__ import annotations

from flows.orchestration.overview import CHART_POINTS, History, overview, share_done
from flows.orchestration.page import LONGEST_SECONDS, picture_pause
from flows.plan.model import MigrationPlan
from flows.run.progress import Snapshot
from state.records import Counts, TreeRecord, TreeReport
from state.statuses import TreeState


def plan(**source: str) -> MigrationPlan:
    """A plan with this source."""
    return MigrationPlan.model_validate(
        {"name": "a_b", "source": source, "box": {"auth": {"method": "block", "name": "b"}}}
    )


def report(name: str) -> TreeReport:
    """A tree of two files, one of them failed."""
    tree = TreeRecord(
        id=1,
        name=name,
        source=name,
        folder=name,
        root_folder_id=1,
        box_folder_id="77",
        state=TreeState.MOVING,
        incomplete_reason=None,
        detail=None,
        verified=False,
    )
    counts = Counts(total=2, uploaded=1, failed=1)
    return TreeReport(
        tree=tree, items=counts, files=counts, folders=Counts(), failures_by_reason={"locked": 1}
    )


def written(name: str = "Legal", url: str = "smb://fs01/data_2026") -> str:
    """The page."""
    return overview(plan(url=url), Snapshot(files_total=2), History(), [report(name)])


def test_trees_link_into_box_and_failures_have_reasons() -> None:
    """The two things that a person looks for."""
    page = written()

    assert "[Legal](https://app.box.com/folder/77)" in page
    assert "| locked | 1 |" in page


def test_the_source_is_shown_as_it_is() -> None:
    """Inside code Markdown knows no escapes, except for the border of a cell."""
    assert "| from | `smb://fs01/data_2026` |" in written()
    assert "| from | `file:///a'b\\|c` |" in written(url="file:///a`b|c")


def test_a_name_forms_no_markup() -> None:
    """No cell, link, tag or line of its own."""
    page = written("x](javascript:alert(1))|<img>\n# y")

    assert "<img>" not in page.replace("\\<img\\>", "")
    assert "](javascript:" not in page
    assert "\n# y" not in page


def test_history_stays_small_and_keeps_the_newest() -> None:
    """However long the run lasts (P9)."""
    history = History()
    for second in range(10_000):
        history.add(float(second), second * 4, second * 100)

    spans = history.per_minute()

    assert len(spans) < CHART_POINTS
    assert 9_999 / 60 == spans[-1][0]
    assert {240} == {round(files) for _, files, _ in spans}


def test_all_is_said_only_once_it_is_complete() -> None:
    """Sent is not proven: 100 percent waits for Box's listing."""
    sent = Snapshot(files_total=2, files_uploaded=2, bytes_total=9, bytes_uploaded=9)

    assert 99.0 == share_done(sent)
    assert 0.0 == share_done(Snapshot())


def test_pictures_become_rare() -> None:
    """Quick at first, every five minutes when days pass."""
    assert picture_pause(0, 0) < picture_pause(60, 5) < picture_pause(86_400, 500) == LONGEST_SECONDS

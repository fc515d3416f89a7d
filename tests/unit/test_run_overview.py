"""The text of a run's page: what a person reads there, and what the share's names cannot do to it."""

from __future__ import annotations

import base64
import re
import xml.etree.ElementTree as ElementTree
from datetime import UTC, datetime, timedelta
from pathlib import Path

from flows.orchestration.overview import overview, report_words, share_done
from flows.orchestration.page import LONGEST_SECONDS, picture_pause
from flows.orchestration.picture import CHART_POINTS, History, Whole, chart
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


BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


def test_history_stays_small_and_keeps_both_ends() -> None:
    """However long the migration lasts (P9)."""
    history = History()
    for minute in range(10_000):
        history.add(BEGAN + timedelta(minutes=minute), minute * 4)

    assert len(history.points) <= CHART_POINTS
    assert (BEGAN, 0) == history.points[0]
    assert (BEGAN + timedelta(minutes=9_999), 9_999 * 4) == history.points[-1]
    assert sorted(history.points) == history.points


def drawn(name: str, whole: Whole, history: History) -> ElementTree.Element:
    """The chart, as a browser takes it out of the Markdown."""
    image = re.fullmatch(
        r"!\[([^\]]*)\]\(data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)\)", chart(name, whole, history)
    )
    assert image is not None
    assert whole.words == image[1]
    return ElementTree.fromstring(base64.b64decode(image[2]))


def test_the_chart_is_a_picture_that_says_the_whole_in_words() -> None:
    """Each part of the bar has its number and a word beside its colour; the curve goes from the first run to now."""
    history = History()
    for day in range(30):
        history.add(BEGAN + timedelta(days=day), day * 10)

    picture = drawn('<b>&"', Whole(total=1_000, uploaded=290, failed=10), history)

    words = " ".join(picture.itertext())
    for part in ("290 of 1,000 files in Box (29 %)", "failed, striped: 10", "to send, empty: 700", '<b>&"'):
        assert part in words
    assert "2026-01-01 00:00 UTC" in words
    assert "2026-01-30 00:00 UTC" in words
    (line,) = [each for each in picture.iter() if each.tag.endswith("polyline")]
    assert 30 == len(line.get("points", "").split())


def test_the_chart_of_nothing_is_one_all_the_same() -> None:
    """Before anything is known of the share."""
    assert "0 of 0 files in Box" in " ".join(
        drawn("p", Whole(total=0, uploaded=0, failed=0), History()).itertext()
    )


def test_the_report_is_a_path_and_no_link() -> None:
    """A browser on another machine would follow a link into nothing."""
    words = report_words(Path("/srv/finance-report/report.html"))

    assert "`/srv/finance-report/report.html`" in words
    assert "file:" not in words
    assert "](" not in words


def test_all_is_said_only_once_it_is_complete() -> None:
    """Sent is not proven: 100 percent waits for Box's listing."""
    sent = Snapshot(files_total=2, files_uploaded=2, bytes_total=9, bytes_uploaded=9)

    assert 99.0 == share_done(sent)
    assert 0.0 == share_done(Snapshot())


def test_pictures_become_rare() -> None:
    """Quick at first, every five minutes when days pass."""
    assert picture_pause(0, 0) < picture_pause(60, 5) < picture_pause(86_400, 500) == LONGEST_SECONDS

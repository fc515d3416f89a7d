"""What looks at a share found is kept by the plan's name and kind; it needs no plan that has begun."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import event

from state.checkpoint import Checkpoint
from state.statuses import SurveyKind

INVENTORY, FORECAST = SurveyKind.INVENTORY, SurveyKind.FORECAST


def test_last_survey_of_a_kind(state_url: str) -> None:
    """The last one counts, with names as the share has them; another plan's and another kind's are their own."""
    with Checkpoint.open(state_url) as checkpoint:
        checkpoint.record_survey("p", INVENTORY, {"files": 1})
        checkpoint.record_survey("p", INVENTORY, {"files": 2, "path": "\udcff\x01é"})
        checkpoint.record_survey("p", FORECAST, {"files": 3})
        found = [
            checkpoint.last_survey(*which) for which in (("p", INVENTORY), ("p", FORECAST), ("q", FORECAST))
        ]
        begun = checkpoint.find_plan("p")

    assert [{"files": 2, "path": "\udcff\x01é"}, {"files": 3}, None] == [each and each[1] for each in found]
    assert all(each is None or each[0].tzinfo is not None for each in found)
    assert begun is None


def file_of(key: str) -> dict[str, Any]:
    """What is written down of a report in Box."""
    return {"id": f"1{key}", "version": "2", "sha1": "ab", "name": key, "folder": "7"}


def intent_of(key: str) -> dict[str, Any]:
    """What is written down before one is sent."""
    return {"folder": "7", "name": key, "sha1": "cd"}


@pytest.mark.parametrize("trees", [5, 500])
def test_one_report_costs_the_same_however_many_there_are(checkpoint: Checkpoint, trees: int) -> None:
    """To write one down, and to find it, so many statements with so many bytes; and none is lost."""
    keys = [f"{number}|report.html" for number in range(trees)] + [
        "|report.html",
        "|items.csv",
        "99999999999|items.csv",
    ]
    for key in keys:
        checkpoint.record_report_in_box("p", key, file_of(key))
    sent: list[int] = []

    def note(_c: object, _cursor: object, statement: str, parameters: object, *_: object) -> None:
        sent.append(len(statement) + len(str(parameters)))

    event.listen(checkpoint.database.engine, "before_cursor_execute", note)
    mark = checkpoint.reports_mark()
    checkpoint.intend_report("p", keys[3], intent_of(keys[3]))
    found = checkpoint.report_in_box("p", keys[3])
    event.remove(checkpoint.database.engine, "before_cursor_execute", note)

    assert len(sent) < 10 and sum(sent) < 4_000, sent
    assert mark != checkpoint.reports_mark()
    assert found[0] is not None and found[1] == intent_of(keys[3])
    assert {key: file_of(key) for key in keys} == {
        key: {name: value for name, value in file.items() if name != "at"}
        for key, file in checkpoint.reports_in_box("p").items()
    }
    assert {keys[3]: intent_of(keys[3])} == checkpoint.report_intents("p")
    assert ({}, {}) == (checkpoint.reports_in_box("q"), checkpoint.report_intents("q"))


def test_reports_that_an_older_version_wrote_down_are_known(checkpoint: Checkpoint) -> None:
    """It kept all of a plan as one document; what is written down since counts before it."""
    files, intents = (
        {"1|report.html": file_of("old"), "2|items.csv": file_of("kept")},
        {"1|report.html": intent_of("x")},
    )
    checkpoint.record_survey("p", SurveyKind.REPORTS, {"files": files, "intents": intents})
    before = (checkpoint.reports_in_box("p"), checkpoint.report_intents("p"))
    checkpoint.record_report_in_box("p", "1|report.html", file_of("new"))

    assert (files, intents) == before
    assert {"new", "kept"} == {file["name"] for file in checkpoint.reports_in_box("p").values()}
    assert {} == checkpoint.report_intents("p")
    assert (file_of("kept"), None) == checkpoint.report_in_box("p", "2|items.csv")

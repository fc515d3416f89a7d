"""What looks at a share found is kept by the plan's name and kind; it needs no plan that has begun."""

from __future__ import annotations

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

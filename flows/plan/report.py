"""Where in Box the report of each run goes, and one that somebody asks for. Part of MigrationPlan."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from flows.plan.base import PlanModel


class UploadTo(StrEnum):
    """Which folder of Box."""

    #: The plan's report, into the landing folder.
    LANDING = "landing"
    #: For each tree a report of that tree alone, into the tree's own folder.
    TREE = "tree"


class ReportPlan(PlanModel):
    """What each run, and `boxhaul report --upload`, puts into Box."""

    upload_to: Annotated[
        UploadTo,
        Field(
            title="Upload to",
            description="landing: the report of the plan, into the landing folder; tree: for each tree a report of it "
            "alone, into its own folder.",
        ),
    ] = UploadTo.LANDING

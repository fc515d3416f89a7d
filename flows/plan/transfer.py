"""How files are sent. Part of MigrationPlan."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field, field_validator

from flows.plan.bandwidth import Timetable
from flows.plan.base import PlanModel


class Verification(StrEnum):
    """What proves that a tree is in Box."""

    #: Box lists every folder again, one call per 1,000 entries, and names, sizes and sha1 must agree.
    LISTING = "listing"
    #: The sha1 and size that Box answered to each upload; no further call, for a tight monthly allotment of calls.
    RECEIPTS = "receipts"


class TransferOptions(PlanModel):
    """How files are sent. The defaults suit one service account."""

    threads: Annotated[int, Field(description="Files in flight for each identity at most.", ge=1, le=64)] = 64
    walk_threads: Annotated[int, Field(description="Folders listed at once.", ge=1, le=64)] = 8
    batch_items: Annotated[int, Field(description="Files of one batch, at most.", ge=1, le=50_000)] = 5_000
    batch_bytes: Annotated[int, Field(description="Bytes of one batch, at most.", ge=1)] = 20_000_000_000
    max_attempts: Annotated[int, Field(description="Tries of one file in one pass.", ge=1, le=20)] = 3
    bandwidth: Annotated[
        str,
        Field(
            title="Bandwidth",
            description="Bytes a second at most, of all processes of the plan together, as rclone's --bwlimit: 4M, or "
            "a timetable on the clock of the machine that sends: 08:00,4M 20:00,off. Without a suffix it is KiB.",
        ),
    ] = ""
    verify: Annotated[
        Verification,
        Field(
            title="Verification",
            description="What proves a tree before people are let in: Box's listing of every folder, or the receipts.",
        ),
    ] = Verification.LISTING
    notify: Annotated[
        bool,
        Field(description="Let Box send mail to those who are let in: one each, about their first tree."),
    ] = False

    @field_validator("bandwidth")
    @classmethod
    def _is_a_timetable(cls, value: str) -> str:
        Timetable.parse(value)
        return value

"""What a later pass does with what changed at the source, or in Box: dates, moves, deletions, edits. Part of
MigrationPlan."""

from __future__ import annotations

import re
from enum import StrEnum
from fractions import Fraction
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator

_LIMIT = re.compile(r"(\d{1,3}(?:\.\d{1,3})?)\s*%|(\d{1,9})", re.ASCII)


class Touched(StrEnum):
    """What happens in Box when the date of a file changed and its bytes did not."""

    #: The file in Box gets the new date by one call, and no new version.
    UPDATE = "update"
    #: Nothing: Box keeps the date with which the content was sent.
    IGNORE = "ignore"


class Deletions(StrEnum):
    """What happens in Box with what is gone from the source."""

    #: It stays.
    KEEP = "keep"
    #: It stays; each pass says what `trash` would trash.
    REPORT = "report"
    #: It goes to Box's trash, as far as this plan put it there and nobody changed it since.
    TRASH = "trash"


class Moves(StrEnum):
    """What happens in Box with what has another name or place in the source."""

    #: One call moves it in Box; ids, versions, comments, links and collaborations stay.
    FOLLOW = "follow"
    #: It is sent anew; what Box has under the old name is gone from the source.
    COPY = "copy"


class InBox(StrEnum):
    """Who decides about what a person changed in Box while the migration lasts."""

    #: A file that changed in the source as well fails, and says who changed it; everything else of theirs stays.
    STOP = "stop"
    #: The source: its content becomes a new version over theirs, its names and folders count.
    SOURCE = "source"
    #: Box: what they changed or deleted stays, and is settled for this plan.
    BOX = "box"
    #: Both: theirs stays under another name, the source's content becomes the file.
    BOTH = "both"


class ChangesPlan(BaseModel):
    """How Box follows changes of the source, and what becomes of changes in Box."""

    model_config = ConfigDict(extra="forbid", coerce_numbers_to_str=True)

    touched: Annotated[
        Touched,
        Field(
            title="Touched files",
            description="Of a file with a new date and the same bytes: give Box the date (no version), or nothing.",
        ),
    ] = Touched.UPDATE
    moves: Annotated[
        Moves,
        Field(
            title="Moves",
            description="Of what was moved or renamed inside of a tree, where the source has ids (smb://, file://): "
            "move it in Box, too, or send a copy.",
        ),
    ] = Moves.FOLLOW
    deletions: Annotated[
        Deletions,
        Field(
            title="Deletions",
            description="What is gone from the source: keep it in Box, report it, or put it into Box's trash.",
        ),
    ] = Deletions.KEEP
    max_delete: Annotated[
        str,
        Field(
            title="Deletions at most",
            description="A share (1%) or a number of the entries in Box; where more are gone, nothing is trashed and "
            "the run stops.",
        ),
    ] = "1%"

    in_box: Annotated[
        InBox,
        Field(
            title="Changed in Box",
            description="Of what people edited, renamed, moved or deleted in Box: stop and say so where the source "
            "changed as well, let the source or Box decide, or keep both.",
        ),
    ] = InBox.STOP

    @field_validator("max_delete")
    @classmethod
    def _is_a_limit(cls, value: str) -> str:
        found = _LIMIT.fullmatch(value.strip())
        if found is None or (found[1] and Fraction(found[1]) > 100):
            raise ValueError("write a share from 0% to 100%, or a number of entries")
        return value.strip()

    def most_deletions(self, in_box: int) -> int:
        """Return how many of so many entries in Box one pass may trash; a share is rounded down."""
        found = _LIMIT.fullmatch(self.max_delete)
        assert found is not None  # noqa: S101  (validated)
        return int(found[2]) if found[2] else int(in_box * Fraction(found[1]) / 100)

"""What every part of a plan is made of."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class PlanModel(BaseModel):
    """Unknown keys are errors: a mistyped key must never be a silent default."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=False)

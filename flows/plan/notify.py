"""Who is told how a migration goes. Part of MigrationPlan."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, SecretStr, field_validator

from flows.plan.base import PlanModel
from flows.plan.secrets import is_reference


class NotifyPlan(PlanModel):
    """Where messages go: ended or stopped runs, complete trees and their people, limits, what needs a person."""

    url: Annotated[
        SecretStr,
        Field(
            title="URL",
            description="Apprise's URL of a mailbox or a chat as a reference to an environment variable: ${NAME}. "
            "There stands mailtos://…, slack://…, workflows://… (Teams), jsons://host/path or another of its many; "
            "several with commas between them.",
        ),
    ]

    @field_validator("url")
    @classmethod
    def _is_a_reference(cls, url: SecretStr) -> SecretStr:
        if not is_reference(url.get_secret_value()):
            raise ValueError("the URL is a secret and does not stand in a plan; write it as ${NAME}")
        return url


def spelled_out(value: object) -> object:
    """`notify: ${NAME}` is short for `notify: {url: ${NAME}}`."""
    return {"url": value} if isinstance(value, str) else value

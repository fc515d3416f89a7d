"""References to environment variables, `${NAME}`: filled in when a connection is opened, masked when a plan leaves."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import (
    BaseModel,
    SecretStr,
)

from flows.errors import PlanError
from flows.plan.secrets import MASK, REFERENCE

Model = TypeVar("Model", bound=BaseModel)


#: What the file beside the plan that was read last says of names that the environment lacks.
_beside: dict[str, str] = {}


def use_beside(values: Mapping[str, str]) -> None:
    """Let these stand for names that the environment lacks, in place of those of the plan before."""
    _beside.clear()
    _beside.update(values)


def expand(text: str, *, key: str) -> str:
    """Fill in every `${NAME}`. PlanError names the variable that is missing, never a value."""

    def value_of(match: re.Match[str]) -> str:
        name = match.group(1)
        value = os.environ.get(name, _beside.get(name))
        if value is None:
            raise PlanError(
                f"{key}: the environment variable {name} is not set, nor is it in .env beside the plan"
            )
        return value

    return REFERENCE.sub(value_of, text)


def expand_all(value: Any, *, key: str) -> Any:
    """The same for every text inside lists and mappings."""
    if isinstance(value, str):
        return expand(value, key=key)
    if isinstance(value, list):
        return [expand_all(item, key=f"{key}.{number}") for number, item in enumerate(value)]
    if isinstance(value, dict):
        return {name: expand_all(item, key=f"{key}.{name}") for name, item in value.items()}
    return value


def reference_or_mask(value: SecretStr) -> str:
    """What may leave the process in place of a secret: the reference that was written, else a mask."""
    text = value.get_secret_value()
    return text if REFERENCE.fullmatch(text) else MASK


def reveal(secret: SecretStr | None, *, key: str) -> str | None:
    """The secret itself, for the moment a connection is opened. PlanError for the mask of one."""
    if secret is None:
        return None
    if secret.get_secret_value() == MASK:
        raise masked(key)
    return expand(secret.get_secret_value(), key=key)


def masked(key: str) -> PlanError:
    """What is raised before somebody tries the mask as the password, and locks the account."""
    return PlanError(
        f"{key}: the secret did not come along with the plan; write it as ${{NAME}}, or keep it in a block"
    )


def reveal_all(model: Model, *, key: str) -> Model:
    """A copy whose secrets are filled in, for the connector that uses them. Never dumped, never logged."""
    updates: dict[str, Any] = {}
    for name in type(model).model_fields:
        value: Any = getattr(model, name)
        if isinstance(value, SecretStr):
            updates[name] = SecretStr(reveal(value, key=f"{key}.{name}") or "")
        elif isinstance(value, BaseModel):
            updates[name] = reveal_all(value, key=f"{key}.{name}")
    return model.model_copy(update=updates)


def secret_fields(model: BaseModel, prefix: str = "") -> dict[str, SecretStr]:
    """Every secret of a model by its dotted key, as written."""
    found: dict[str, SecretStr] = {}
    for name in type(model).model_fields:
        value: Any = getattr(model, name)
        key = f"{prefix}{name}"
        if isinstance(value, SecretStr):
            found[key] = value
        elif isinstance(value, BaseModel):
            found |= secret_fields(value, f"{key}.")
        elif isinstance(value, list):
            for number, item in enumerate(value):
                if isinstance(item, BaseModel):
                    found |= secret_fields(item, f"{key}.{number}.")
    return found


def file_fields(model: BaseModel, prefix: str = "") -> dict[str, Path]:
    """Every file that a model names, by its dotted key."""
    found: dict[str, Path] = {}
    for name in type(model).model_fields:
        value: Any = getattr(model, name)
        if isinstance(value, Path):
            found[f"{prefix}{name}"] = value
        elif isinstance(value, BaseModel):
            found |= file_fields(value, f"{prefix}{name}.")
    return found

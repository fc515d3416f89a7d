"""Options of rclone's names that say which files a run sends."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.errors import PlanError

if TYPE_CHECKING:
    from flows.plan.filters import FilterPlan

_PANEL = "Filters, as rclone's (of this run; the rest stays pending)"

IncludeOption = Annotated[
    list[str] | None,
    typer.Option(
        "--include", metavar="GLOB", help="Only what matches; may be repeated.", rich_help_panel=_PANEL
    ),
]
ExcludeOption = Annotated[
    list[str] | None,
    typer.Option(
        "--exclude", metavar="GLOB", help="Not what matches; may be repeated.", rich_help_panel=_PANEL
    ),
]
FilterFromOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--filter-from", metavar="FILE", help="Lines: + GLOB, - GLOB, !, # remark.", rich_help_panel=_PANEL
    ),
]
IgnoreCaseOption = Annotated[
    bool, typer.Option("--ignore-case", help="Case does not count in filters.", rich_help_panel=_PANEL)
]
MinSizeOption = Annotated[
    str, typer.Option(metavar="SIZE", help="At least: 10M, 1.5G; KiB alone.", rich_help_panel=_PANEL)
]
MaxSizeOption = Annotated[str, typer.Option(metavar="SIZE", help="At most.", rich_help_panel=_PANEL)]
MinAgeOption = Annotated[
    str, typer.Option(metavar="AGE", help="Modified before: 30d, 2y, 2025-01-31.", rich_help_panel=_PANEL)
]
MaxAgeOption = Annotated[str, typer.Option(metavar="AGE", help="Modified since.", rich_help_panel=_PANEL)]


def filters_of(
    include: list[str] | None, exclude: list[str] | None, filter_from: list[Path] | None, **others: str | bool
) -> FilterPlan | None:
    """Return what these options say; None where none was given. PlanError names what cannot be read."""
    from pydantic import ValidationError

    from flows.plan.filters import FilterPlan

    lines = [_text(file) for file in filter_from or []]
    given = {"include": include or [], "exclude": exclude or [], "rules": "\n".join(lines), **others}
    # The case alone chooses nothing.
    if not any(value for key, value in given.items() if key != "ignore_case"):
        return None
    if include and exclude:
        sys.stderr.write(
            "--include is read before --exclude, as by rclone: what both match is sent; --filter-from has an order\n"
        )
    try:
        return FilterPlan.model_validate(given)
    except ValidationError as exc:
        fault = exc.errors(include_input=False, include_url=False)[0]
        option = "--" + str(fault["loc"][0]).replace("_", "-") + ": " if fault["loc"] else ""
        raise PlanError(option + fault["msg"].removeprefix("Value error, ")) from None


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError as exc:
        raise PlanError(f"--filter-from: {file}: {exc.strerror}") from None
    except UnicodeDecodeError:
        raise PlanError(f"--filter-from: {file}: is not UTF-8 text") from None

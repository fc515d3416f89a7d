"""deployments/reference.md says what the program says."""

from __future__ import annotations

from typing import Any

import typer

from deployments.reference import PAGE, models_below, page
from flows.cli import app
from flows.plan.model import MigrationPlan


def test_reference_is_what_the_program_says() -> None:
    """Written anew it is the same page."""
    assert page() == PAGE.read_text(encoding="utf-8"), "python -m deployments.reference writes it anew"


def test_every_key_of_a_plan_is_described() -> None:
    """Each field of the plan and of what is below it has a sentence, which the form and the reference show."""
    models = [("plan", MigrationPlan), *models_below(MigrationPlan, "")]
    keys = {
        f"{path}.{key}": field.description or ""
        for path, model in models
        for key, field in model.model_fields.items()
    }

    assert len(keys) > 60
    assert [] == [key for key, words in keys.items() if not words.endswith(".")]


def test_every_option_of_a_command_is_described() -> None:
    """Each argument and option has its sentence in --help."""
    group: Any = typer.main.get_command(app)
    silent = [
        f"{name} {parameter.name}"
        for name, command in group.commands.items()
        for parameter in command.params
        if not (parameter.help or "").endswith((".", "'", ")"))
    ]

    assert [] == silent

"""The database's migrations: one line from the first to the newest."""

from __future__ import annotations

from pathlib import Path

from alembic.config import Config
from alembic.script import ScriptDirectory

import state.database
from state.database.version import HEAD


def test_there_is_exactly_one_head() -> None:
    """Every revision is on the way to the newest one, whose name the program knows without Alembic."""
    config = Config()
    config.set_main_option("script_location", str(Path(state.database.__file__).parent / "migrations"))
    scripts = ScriptDirectory.from_config(config)
    revisions = list(scripts.walk_revisions())

    assert [HEAD] == scripts.get_heads()
    assert len(list((Path(scripts.dir) / "versions").glob("[0-9]*.py"))) == len(revisions)

"""What of a run is logged: how it begins, its progress, what fails, its trees, and how it ends."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from connectors.errors import ConnectorError
from flows.errors import Interrupted, PlanError
from flows.orchestration.log_lines import told
from flows.orchestration.watching import watching_with
from flows.plan.model import MigrationPlan
from flows.plan.references import reveal, secret_fields
from flows.run.log_file import FILE_ONLY, LogFormat, logged
from flows.transfer.migration import Migration
from flows.words import printable
from state.database.engine import sqlite_file
from state.errors import StateError

log = logging.getLogger(FILE_ONLY)


def usual_log_file(plan: MigrationPlan) -> Path | None:
    """Return where a run is logged unless somebody says otherwise: beside the checkpoint, or beside the plan where that
    is no file. None where neither is known."""
    file = sqlite_file(plan.resolved_state_url())
    folder = file.parent if file is not None else Path(plan.base_dir) if plan.base_dir else None
    return folder / f"{plan.checkpoint_name}.log" if folder is not None and folder.is_dir() else None


@contextmanager
def logged_run(
    plan: MigrationPlan,
    command: str,
    *,
    file: Path | None = None,
    form: LogFormat = LogFormat.TEXT,
    level: int = logging.INFO,
) -> Iterator[None]:
    """Log the run that the body makes into this file, by default into the usual one. PlanError for one that is given
    and cannot be written; without the usual one a run goes on."""
    path = file or usual_log_file(plan)
    if path is None:
        yield
        return
    try:
        opened = logged(path, plan=plan.name, form=form, level=level, hidden=_secrets(plan))
        opened.__enter__()
    except PlanError as exc:
        if file is not None:
            raise
        logging.getLogger(__name__).warning("no log is written: %s", exc)
        yield
        return
    try:
        with _told_to_its_end(plan, command):
            yield
    finally:
        opened.__exit__(None, None, None)


@contextmanager
def _told_to_its_end(plan: MigrationPlan, command: str) -> Iterator[None]:
    log.info("%s begins: %s", command, printable(plan.source.url))
    try:
        with watching_with(_log_watcher):
            yield
    except (KeyboardInterrupt, Interrupted):
        log.info("%s was interrupted; its state is saved", command)
        raise
    except (PlanError, ConnectorError, StateError) as exc:
        log.error("%s ended: %s", command, exc)  # noqa: TRY400  one line says it all
        raise
    except Exception:
        log.exception("%s ended by an error that nobody foresaw", command)
        raise
    log.info("%s ended", command)


@contextmanager
def _log_watcher(migration: Migration) -> Iterator[None]:
    with told(migration, log.info, log.warning):
        yield


def _secrets(plan: MigrationPlan) -> list[str]:
    """What the plan's references stand for. Messages hold none of it; this is for those that nobody foresaw."""
    found = []
    for key, secret in secret_fields(plan).items():
        with suppress(PlanError):
            found.append(reveal(secret, key=key) or "")
    return found

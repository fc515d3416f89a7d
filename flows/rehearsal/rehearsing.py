"""Rehearsing a plan from open to end: a local Box, the ordinary migration, and what both say of the real one.

The real Box is never asked, and none of its secrets is needed. Each rehearsal begins clean.
"""

from __future__ import annotations

import fcntl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from flows.commands.migrate import migrate_share
from flows.commands.simulate import simulate_pass
from flows.errors import PlanError
from flows.orchestration.endings import closing_words
from flows.orchestration.run_log import logged_run
from flows.plan.connections import known_plan, open_checkpoint
from flows.plan.file import load_plan, read_document
from flows.plan.model import MigrationPlan
from flows.plan.sample import share_of
from flows.rehearsal.local_box import LocalBox, Scale, box_keys, local_box, minute_seconds
from flows.rehearsal.table import WHOLE
from flows.reporting.status import status_document
from flows.run.forecast import parse_speed
from flows.run.own_folder import clear_own_folder, take_own_folder
from flows.sharing.trees import LET_IN
from state.reports.sums import failures_by_reason

#: The first file in a rehearsal's folder, and what else it makes there.
MARKER = ".boxhaul-rehearsal"
MADE = ("box_config.json", "plan.yaml", "checkpoint.db*", "forecast.db*", "*(rehearsal).log*")


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """What a person wants of a rehearsal."""

    #: The part of the files that moves, such as 2%; empty: all.
    sample: str = ""
    scale: Scale = Scale.SCALED
    #: Names of trees; none: all.
    trees: tuple[str, ...] = ()
    #: Where it keeps what it makes; None: beside the plan file.
    folder: Path | None = None
    #: What the line to the real Box gives, for the forecast; empty: no bound.
    line_speed: str = ""


def rehearse_plan(file: Path, wishes: Wishes, say: Callable[[str], None]) -> dict[str, Any]:
    """Move the plan's share, or the sample of it, into a local Box; return what happened and what is to be expected.

    `say`: takes a line for a person. Raises what a migration raises; PlanError for a bad plan or sample, and for a
    folder that is somebody else's.
    """
    _require_sample(wishes.sample)
    if wishes.line_speed:
        parse_speed(wishes.line_speed)
    folder = (wishes.folder or file.with_suffix(".rehearsal")).resolve()
    config = folder / "box_config.json"
    expected = load_plan(file, lambda written: _expected(written, folder))
    with ExitStack() as stack:
        take_own_folder(folder, MARKER, said_by="rehearsal")
        stack.enter_context(_alone(folder))
        clear_own_folder(folder, MADE, said_by="rehearsal")
        box = stack.enter_context(local_box(file, expected.box, config, wishes.scale))
        plan = load_plan(file, lambda written: _rehearsed(written, folder, box, wishes))
        _write_plan(file, folder, box, wishes)
        say(f"rehearsing {plan.name} on a local Box, {box.url}; what it makes is in {folder}")
        began = time.monotonic()
        with logged_run(plan, "rehearse"):
            summary = migrate_share(plan, list(wishes.trees))
        seconds = time.monotonic() - began
        calls = box.calls()
    happened = _happened(plan, summary, calls, seconds)
    say("rehearsed; walking the share once more, to forecast the real thing")
    forecast = simulate_pass(expected, list(wishes.trees), wishes.line_speed)
    return {
        "plan": plan.name,
        "sample": wishes.sample or WHOLE,
        "limits": wishes.scale.value,
        "minute_seconds": None if wishes.scale is Scale.OFF else minute_seconds(wishes.scale),
        "folder": str(folder),
        **happened,
        "forecast": forecast,
    }


def _require_sample(sample: str) -> None:
    if sample:
        try:
            share_of(sample)
        except ValueError as exc:
            raise PlanError(f"--sample: {exc}") from None


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One rehearsal at a time in a folder. PlanError where another one is."""
    with (folder / MARKER).open("rb") as marker:
        try:
            fcntl.flock(marker, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise PlanError(
                f"--folder: another rehearsal is at work in {folder}; wait for it, or name another"
            ) from None
        yield


def _expected(written: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The plan whose forecast is made: Box's real limits, nothing known, and nobody to sign in as."""
    changed = {**written, "state_url": f"sqlite:///{folder / 'forecast.db'}"}
    changed.pop("notify", None)
    if isinstance(box := written.get("box"), dict):
        changed["box"] = {**box, "auth": {"method": "block", "name": "none"}}
    return changed


def _rehearsed(written: dict[str, Any], folder: Path, box: LocalBox, wishes: Wishes) -> dict[str, Any]:
    """The plan that is moved: the local Box in place of the real one, a checkpoint of its own, a line without limit."""
    transfer = written.get("transfer") or {}
    return {
        **{key: value for key, value in written.items() if key != "notify"},
        "state_url": f"sqlite:///{folder / 'checkpoint.db'}",
        "box": box_keys(written["box"], box, folder / "box_config.json", wishes.scale),
        "transfer": {key: value for key, value in transfer.items() if key != "bandwidth"},
        **({"sample": wishes.sample} if wishes.sample else {}),
    }


def _write_plan(file: Path, folder: Path, box: LocalBox, wishes: Wishes) -> None:
    """Leave a plan that `boxhaul status` and `boxhaul report` take, without anything secret."""
    written = read_document(file)
    shown = {**_rehearsed(written, folder, box, wishes), "source": {"url": written["source"]["url"]}}
    trees = written.get("trees") or []
    shown["trees"] = [{key: tree[key] for key in tree if key != "shared_link"} for tree in trees]
    (folder / "plan.yaml").write_text(yaml.safe_dump(shown, sort_keys=False), encoding="utf-8")


def _happened(
    plan: MigrationPlan, summary: Mapping[str, Any], calls: Mapping[str, Any], seconds: float
) -> dict[str, Any]:
    """What the migration did, from its checkpoint and from the local Box."""
    status = status_document(plan)
    with closing(open_checkpoint(plan)) as checkpoint:
        failures = failures_by_reason(checkpoint, known_plan(plan, checkpoint))
    trees, totals = status["trees"], status["totals"]
    people = [person for tree in trees for person in tree["collaborators"] if person["status"] in LET_IN]
    return {
        "complete": bool(summary["complete"]),
        "words": closing_words(dict(summary)),
        "seconds": round(seconds, 1),
        "files_per_second": round(totals["files"]["uploaded"] / seconds, 1),
        "trees": {
            "total": len(trees) + len(status["not_begun"]),
            "complete": sum(tree["state"] == "complete" for tree in trees),
        },
        "items": totals["items"],
        "files": totals["files"],
        "bytes": totals["bytes"],
        "failures": failures,
        "people": len(people),
        "calls": {"total": calls["total"], "by_route": calls["by_route"]},
        "rate_limited": int(calls["by_status"].get("429", 0)),
        "status": status,
    }

"""Observing: a run that tells what people do in Box, and what waits in the share: on a terminal, and in Prefect."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any

from flows.errors import PlanError
from flows.foresight.share_watch import ShareWatch
from flows.observation.reading import CALL_SECONDS, EventReader
from flows.orchestration.notifying import begin_to_tell, calls_alarm, notifying
from flows.orchestration.on_demand import FlowRunContext, emit_event, get_run_logger
from flows.plan.model import MigrationPlan
from flows.reporting.events import finding_line, findings_together
from flows.run.allotment import Allotment
from flows.run.notices import WATCH, Notices, Tone
from flows.sharing.access import Access, open_access
from flows.words import printable, slug
from state.statuses import EventKind

#: Prefect's events; the resource is the plan.
EVENTS: Mapping[str, str] = {
    EventKind.PEOPLE_CHANGED: "boxhaul.box.changed",
    EventKind.ACCESS_CHANGED: "boxhaul.access.changed",
    EventKind.DOWNLOADED: "boxhaul.box.downloaded",
    EventKind.CHANGED_IN_SHARE: "boxhaul.source.changed",
}

Teller = Callable[[Mapping[str, Any]], None]

#: What the command line set up; nothing by default.
_teller: ContextVar[Teller | None] = ContextVar("teller", default=None)


@contextmanager
def on_stdout(*, as_json: bool) -> Iterator[None]:
    """Every finding of a watch that begins inside is a line on stdout, at once: for people, or one JSON object."""

    def tell(finding: Mapping[str, Any]) -> None:
        line = json.dumps(finding, ensure_ascii=True) if as_json else printable(finding_line(finding))
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()

    token = _teller.set(tell)
    try:
        yield
    finally:
        _teller.reset(token)


def watch(plan: MigrationPlan, *, once: bool, every_seconds: float, share: bool) -> dict[str, Any]:
    """Tell what people do in the trees of a plan, and with `share` what waits there for the next pass.

    once: what there is by now; else until somebody stops it. PlanError before the first run. A finding is written down
    with the place behind it, and told after that, once. The message about it waits in the checkpoint until it was
    taken: what a stop came before is told by the next watch, and nothing is lost.
    """
    if every_seconds < 1:
        raise PlanError("--every: Box is asked once a second at most")
    with (
        notifying(plan, WATCH) as notices,
        open_access(plan) as access,
        ExitStack() as stack,
    ):
        stack.callback(notices.leave)
        alarm = calls_alarm(plan, notices)
        allotment = Allotment(access.checkpoint, access.plan_id, plan.box, lambda: alarm)
        allotment.begin()
        begin_to_tell(access.checkpoint, access.plan_id, notices, WATCH)
        found, last = _tell(access, notices, 0)  # what an earlier one wrote down and did not come to tell
        reader = EventReader(access)
        look = stack.enter_context(_looking(access)) if share else lambda: None
        if not reader.sees_everything:
            sys.stderr.write(f"{NARROW}\n")
        if not once:
            sys.stderr.write(f"boxhaul: watching; a look every {every_seconds:g} s, Ctrl-C ends it\n")
        while True:
            more = reader.read()
            look()
            told, last = _tell(access, notices, last)
            found += told
            allotment.beat(sum(access.box.call_counts().values()))
            if once and not more:
                if not found:
                    sys.stderr.write("boxhaul: nothing new\n")
                return {"plan": plan.name, "stream": reader.place.stream, "found": found}
            reader.pause(CALL_SECONDS if more else every_seconds)


@contextmanager
def _looking(access: Access) -> Iterator[Callable[[], None]]:
    """A look at the share; what a person should know of it is said once."""
    said = ""
    with closing(ShareWatch(access.plan, access.checkpoint, access.plan_id)) as share:

        def look() -> None:
            nonlocal said
            words = share.look()
            if words and words != said:
                sys.stderr.write(f"boxhaul: {printable(words)}\n")
            said = words or said

        yield look


NARROW = (
    "boxhaul: the account may not read the events of the enterprise; it sees what Box tells it of its own files alone. "
    'For all of them tick "Manage enterprise properties", and have the app authorised anew.'
)


def _tell(access: Access, notices: Notices, last: int) -> tuple[int, int]:
    """Tell what comes after the finding of this number; return how many, and the number of the last one."""
    told, checkpoint, plan_id = 0, access.checkpoint, access.plan_id
    while findings := checkpoint.untold_findings(plan_id, after=last):
        for _, line in findings:
            _tell_one(access.plan, line.kind, line.detail)
        last = findings[-1][0]
        # What waits in the share is told here alone, so that there may be no line.
        lines = (
            findings_together([(line.kind, line.detail) for _, line in findings])
            if notices.has_target
            else []
        )
        numbers = checkpoint.record_told(plan_id, last, by=WATCH, messages=lines)
        for number, words in zip(numbers, lines, strict=True):
            notices.tell(Tone.LOOK, words, logged=False, sent=partial(checkpoint.forget_message, number))
        told += len(findings)
    return told, last


def _tell_one(plan: MigrationPlan, kind: str, finding: Mapping[str, Any]) -> None:
    teller = _teller.get()
    if teller is not None:
        teller(finding)
    if FlowRunContext.get() is None:
        return
    words = {name: printable(str(value)) for name, value in finding.items()}
    if teller is None:
        get_run_logger().info(printable(finding_line(finding)))
    emit_event(
        event=EVENTS[kind],
        resource={
            "prefect.resource.id": f"boxhaul.plan.{slug(plan.name)}",
            "prefect.resource.name": plan.name,
            "boxhaul.tree": words["tree"],
        },
        payload={"plan": plan.name, **words},
    )

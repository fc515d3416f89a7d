"""Notifying: what of a run people are told, and in which words. A plan without `notify` tells its log alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any

from connectors.errors import ConnectorError, QuotaExceeded
from flows.errors import Interrupted, PlanError, WindowClosed
from flows.orchestration.endings import announce_calls, closing_words
from flows.orchestration.run_warnings import said
from flows.orchestration.tasks import in_flow_run, run_log
from flows.plan.model import MigrationPlan
from flows.plan.references import reveal
from flows.run.allotment import ALARMS, Alarm
from flows.run.notices import RUN, WATCH, Notices, Tone
from flows.transfer.migration import Migration
from state.checkpoint import Checkpoint
from state.errors import LeaseHeld, StateError

#: Percent of the month's calls from which on somebody has to act.
BADLY_USED = max(ALARMS)


@contextmanager
def notifying(plan: MigrationPlan, what: str = RUN) -> Iterator[Notices]:
    """Tell people of the run that the body makes, also where it cannot even begin. `what`: how it is called."""
    log = run_log()
    notices = Notices(plan.name, target(plan, log.warning), log.info, log.warning)

    def look(words: str) -> None:
        notices.tell(Tone.LOOK, f"may need a person: {words}", logged=False)

    try:
        with said(look) if plan.notify is not None else nullcontext():
            yield notices
    except LeaseHeld:
        raise  # the other run tells of itself
    except BaseException as exc:
        _tell_stop(notices, exc, what)
        raise
    finally:
        notices.close()


def target(plan: MigrationPlan, warn: Callable[..., object]) -> str | None:
    """Where messages go; None for nowhere. A variable that is not there is a line of the log, and no failed run."""
    if plan.notify is None:
        return None
    try:
        return reveal(plan.notify.url, key="notify.url")
    except PlanError as exc:
        warn("nobody is told of this run: %s", exc)
        return None


def calls_alarm(plan: MigrationPlan, notices: Notices) -> Alarm:
    """Tells people, and Prefect where this is a flow run, how much of the month's calls is used up."""
    shown = in_flow_run()

    def alarm(percent: int, words: str, told: Callable[[], object]) -> None:
        notices.tell(Tone.LOOK if percent < BADLY_USED else Tone.BAD, words, sent=told)
        if shown:
            announce_calls(plan.name, percent, words)

    return alarm


def tell_by(migration: Migration, notices: Notices) -> None:
    """Let the run tell people by these."""
    migration.tell, migration.alarm = notices.tell, calls_alarm(migration.plan, notices)
    migration.let_notices_leave = notices.leave
    begin_to_tell(migration.checkpoint, migration.plan_id, notices, RUN)


def begin_to_tell(checkpoint: Checkpoint, plan_id: int, notices: Notices, by: str) -> None:
    """Tell what an earlier process wrote down to be told, and nobody took; write down whether this one is heard."""
    if not notices.has_target:
        return
    notices.remember_with(lambda kinds, taken: checkpoint.record_messages_taken(plan_id, kinds, taken=taken))
    for number, at, text in checkpoint.messages_to_send(plan_id, by):
        words = f"{text} (on {at:%Y-%m-%d %H:%M} UTC)"  # it may be days ago, and otherwise by now
        notices.tell(Tone.INFO, words, logged=False, sent=partial(checkpoint.forget_message, number))


def tell_end(migration: Migration, summary: Mapping[str, Any]) -> None:
    """The run came to its end: the verdict. What a cutover holds back is no verdict yet."""
    if migration.holds_people:
        return
    complete = bool(summary["complete"])
    words = f"run ended, {'complete' if complete else 'not complete'}: {closing_words(dict(summary))}"
    migration.tell(Tone.GOOD if complete else Tone.LOOK, words)


def tell_limit(migration: Migration, cause: WindowClosed) -> None:
    """The hours in which files may be sent are over."""
    migration.tell(Tone.INFO, f"limit reached: {cause}; the next run goes on")


def _tell_stop(notices: Notices, cause: BaseException, what: str) -> None:
    """A limit, or something that needs a person. Who pressed Ctrl-C knows it."""
    if isinstance(cause, KeyboardInterrupt | Interrupted):
        if what != WATCH:  # how it ends
            notices.tell(Tone.INFO, f"{what} interrupted; its state is saved")
    elif isinstance(cause, QuotaExceeded):
        notices.tell(Tone.BAD, f"limit reached, the {what} stopped and needs a person: {cause}")
    elif isinstance(cause, PlanError | ConnectorError | StateError):
        notices.tell(Tone.BAD, f"{what} stopped, needs a person: {cause}")
    else:
        # The text of a foreign error might hold a secret (P8).
        notices.tell(
            Tone.BAD,
            f"{what} stopped by an error that nobody foresaw, needs a person: {type(cause).__name__}",
        )

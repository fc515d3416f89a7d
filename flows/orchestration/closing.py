"""A cutover from open to end: freeze, last pass, verification, approval, people, report, close; and its rehearsal.

Each step is written down when it is done. What is refused ends the cutover, whose next run begins at the freeze again;
what was killed goes on at the step that was not done.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from flows.closing.freeze import (
    quiet_seconds,
    require_still,
    require_still_frozen,
    run_command,
    seconds_of_a_look,
)
from flows.closing.steps import Cutover, Step, unsettled
from flows.errors import NotApproved, NotFrozen, PlanError
from flows.orchestration.approval import approved, require_somebody_to_ask
from flows.orchestration.counting import counting
from flows.orchestration.endings import returned
from flows.orchestration.handing_in import put_report_into_box
from flows.orchestration.notifying import notifying
from flows.orchestration.runs import move_share
from flows.orchestration.tasks import in_flow_run, run_log
from flows.plan.model import MigrationPlan
from flows.reconciliation.differences import DifferenceKind, Ledger
from flows.reconciliation.table import verification_words
from flows.reconciliation.verification import Wanted, verify_plan
from flows.reporting.report import write_report
from flows.reporting.waivers import whoever_runs_this
from flows.sharing.agreement import agree_with_plan
from flows.sharing.telling import all_in, people_lines
from flows.transfer.completing import complete_verified_tree
from flows.words import counted, duration_words, printable

#: What no cutover goes on with, whatever is accepted.
NEVER_ACCEPTED = (DifferenceKind.NOT_SETTLED, DifferenceKind.MISSING_IN_BOX, DifferenceKind.TRUNCATED)

#: Differences that a line names.
NAMED = 3

#: Does a step; returns what is kept of it.
Work = Callable[[], Mapping[str, Any]]


class Refused(Exception):
    """The cutover does not go on; the words say why, and what to do."""


@dataclass
class _Told:
    """What the document says in the end."""

    details: dict[str, str] = field(default_factory=dict)
    words: list[str] = field(default_factory=list)
    accepted: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """How a cutover is to be done."""

    quiet: str = ""
    freeze_command: str = ""
    accept: Sequence[str] = ()
    yes: bool = False
    anew: bool = False
    give_up: bool = False
    who: str = ""


def cut_over(plan: MigrationPlan, wishes: Wishes) -> dict[str, Any]:
    """Do every step that is not done; return the document, of which "closed" says whether the plan's trees are.

    With `give_up` end the one that is under way instead, which "given_up" says.
    """
    cutover, told = _opened(plan, wishes), _Told()
    if wishes.give_up:
        told.words.append(cutover.give_up())
        return _document(cutover, told, rehearsal=False, closed=False) | {"given_up": True}
    require_somebody_to_ask(yes=wishes.yes)
    cutover.begin(anew=wishes.anew)
    steps: dict[Step, Work] = {
        Step.FREEZE: lambda: _freeze(plan, wishes, cutover, told),
        Step.PASS: lambda: _last_pass(plan, cutover, told),
        Step.VERIFY: lambda: _verify(plan, wishes, told),
        Step.APPROVE: lambda: _approve(plan, wishes, cutover, told),
        Step.PEOPLE: lambda: _let_in(plan, cutover, told),
        Step.REPORT: lambda: _report(plan, told),
    }
    try:
        for step, work in steps.items():
            cutover.do(step, work)
        _still_frozen(plan, cutover)
        _close(cutover, told)
    except Refused as exc:
        if Step.APPROVE not in cutover.done():
            cutover.end()
        told.words.append(str(exc))
        return _document(cutover, told, rehearsal=False, closed=False)
    except (NotFrozen, NotApproved):
        cutover.end()
        raise
    return _document(cutover, told, rehearsal=False, closed=True)


def rehearse(plan: MigrationPlan, wishes: Wishes) -> dict[str, Any]:
    """Do the steps that let nobody in and close nothing, and say how long each will take in the evening."""
    cutover, told = _opened(plan, wishes), _Told()
    cutover.refuse_closed()
    quiet = _quiet(wishes)
    going = True
    with cutover.timed(Step.FREEZE):
        look = seconds_of_a_look(plan) if quiet else 0.0
    cutover.took[Step.FREEZE.value] = 2 * look + max(0.0, quiet - look) if quiet else 0.0
    told.details[Step.FREEZE.value] = (
        "estimated: two looks at the share, and the quiet time" if quiet else "command"
    )
    steps: dict[Step, Work] = {
        Step.PASS: lambda: _last_pass(plan, cutover, told),
        Step.VERIFY: lambda: _verify(plan, wishes, told),
        Step.REPORT: lambda: _report(plan, told),
    }
    for step, work in steps.items():
        try:
            with cutover.timed(step):
                work()
        except Refused as exc:
            going = False
            told.words.append(str(exc))
            if step is Step.PASS:
                break
    waiting = cutover.people_waiting()
    cutover.took[Step.PEOPLE.value] = float(math.ceil(waiting * 60 / plan.box.limits.calls_per_minute))
    told.details[Step.PEOPLE.value] = f"estimated: {counted(waiting, 'person is', 'people are')} not in yet"
    told.details[Step.APPROVE.value] = "as long as it takes a person"
    return _document(cutover, told, rehearsal=True, closed=False, going=going)


def _opened(plan: MigrationPlan, wishes: Wishes) -> Cutover:
    plan.require_secrets()
    known = {kind.value for kind in DifferenceKind} - set(NEVER_ACCEPTED)
    if unknown := [kind for kind in wishes.accept if kind not in known]:
        raise PlanError(
            f"accept: {unknown[0]!r} is nothing that can be accepted; there are: {', '.join(sorted(known))}"
        )
    _quiet(wishes)
    return Cutover(plan, wishes.who.strip() or whoever_runs_this(), _say)


def _quiet(wishes: Wishes) -> int:
    """With a command and nothing else said, the command is believed; without either, ten minutes."""
    return quiet_seconds(wishes.quiet or ("0" if wishes.freeze_command else "10m"))


def _say(words: str) -> None:
    """One line for whoever watches."""
    if in_flow_run():
        run_log().info(printable(words))
    else:
        sys.stderr.write(f"{printable(words)}\n")


def _freeze(plan: MigrationPlan, wishes: Wishes, cutover: Cutover, told: _Told) -> dict[str, Any]:
    if wishes.freeze_command:
        run_command(wishes.freeze_command, cutover.say)
    quiet = _quiet(wishes)
    if not quiet:
        how = "made read-only by the command" if wishes.freeze_command else "not looked at, as asked for"
        told.details[Step.FREEZE.value] = how
        return {"quiet_seconds": 0}
    found = require_still(plan, quiet, cutover.say)
    told.details[Step.FREEZE.value] = (
        f"{counted(found['entries'], 'entry', 'entries')} stood still for {wishes.quiet or '10m'}"
    )
    return dict(found)


def _last_pass(plan: MigrationPlan, cutover: Cutover, told: _Told) -> dict[str, Any]:
    """Nobody is let in by it who is not in yet: that comes after the verification (P4)."""
    cutover.say("last pass: what changed since the one before is sent")
    summary = _outcome(move_share(plan, hold_people=True))
    if open_ := unsettled(cutover.trees()):
        names = ", ".join(printable(name) for name in open_[:NAMED])
        raise Refused(
            f"the last pass left {counted(len(open_), 'tree')} incomplete: {names}; see boxhaul report"
        )
    files = sum(tree["files"]["uploaded"] for tree in summary["trees"])
    told.details[Step.PASS.value] = f"{counted(files, 'file')} in Box"
    return {"files": files}


def _outcome(ended: Any) -> dict[str, Any]:
    """The summary of a run, which is the data of a state inside a flow run."""
    if isinstance(ended, dict):
        return ended
    if ended.data is None:
        raise PlanError(str(ended.message))  # the plan is being run by somebody else
    summary: dict[str, Any] = returned(ended.data)
    return summary


def _verify(plan: MigrationPlan, wishes: Wishes, told: _Told) -> dict[str, Any]:
    _say("verification: Box, and the share, are compared with what was sent")
    ledger = Ledger(None)
    with counting(plan.name, ledger):
        document = verify_plan(plan, Wanted(source=True, lets_in=True), ledger)
    found = {kind: number for kind, number in document["by_kind"].items() if number}
    told.details[Step.VERIFY.value] = "; ".join(verification_words(document))
    if set(found) - set(wishes.accept):
        kinds = ", ".join(f"{number:,} {kind}" for kind, number in found.items())
        names = ", ".join(printable(each["path"]) for each in document["differences"][:NAMED])
        raise Refused(
            f"the verification differs ({kinds}): {names}; nobody was let in, nothing was closed. See them all:"
            " boxhaul verify PLAN --source --csv FILE; what may stay so: --accept KIND"
        )
    return {"accepted": found, "at": _now()}


def _approve(plan: MigrationPlan, wishes: Wishes, cutover: Cutover, told: _Told) -> dict[str, Any]:
    trees, people = len(cutover.trees()), cutover.people_waiting()
    everything = f"{counted(trees, 'tree')} of {plan.name} in Box and verified."
    question = f"{everything} Let {counted(people, 'person', 'people')} in, and close the trees?"
    approval = approved(question, yes=wishes.yes, who=cutover.who)
    told.details[Step.APPROVE.value] = f"{approval['approved_by']} ({approval['how']})"
    return approval


def _still_frozen(plan: MigrationPlan, cutover: Cutover) -> None:
    """NotFrozen when somebody wrote into the share after it was proven: a person may take hours to approve, and a
    cutover that was killed goes on the next morning. Not asked where the share was not watched, nor within the time
    that it was watched for."""
    frozen = cutover.kept(Step.FREEZE)
    proven = [kept["at"] for step in (Step.VERIFY, Step.PEOPLE) if "at" in (kept := cutover.kept(step))]
    if "digest" not in frozen or not proven:
        return
    passed = (datetime.now(UTC) - datetime.fromisoformat(max(proven))).total_seconds()
    if passed > frozen["quiet_seconds"]:
        require_still_frozen(plan, frozen, cutover.say)


def _now() -> str:
    return datetime.now(UTC).isoformat()


def _let_in(plan: MigrationPlan, cutover: Cutover, told: _Told) -> dict[str, Any]:
    _still_frozen(plan, cutover)
    # Its messages have left when the step is written down: a kill in between has them told again.
    with notifying(plan, "cutover") as notices:
        document = agree_with_plan(plan, prune=False, dry_run=False, complete_tree=complete_verified_tree)
        for tone, line in (*people_lines(document), *all_in(document)):
            notices.tell(tone, line)
    if not document["complete"]:
        raise Refused(
            "not everybody could be let in; see boxhaul status PLAN, then run the same command again"
        )
    people = sum(len(tree["people"]) for tree in document["trees"])
    told.details[Step.PEOPLE.value] = f"{counted(people, 'person is', 'people are')} in"
    return {"people": people, "at": _now()}


def _report(plan: MigrationPlan, told: _Told) -> dict[str, Any]:
    written = [str(path) for path in write_report(plan)]
    told.details[Step.REPORT.value] = written[0]
    if plan.report is not None:
        put_report_into_box(plan)  # that of the last pass says that people wait
    return {"report": written[0]}


def _close(cutover: Cutover, told: _Told) -> None:
    if open_ := unsettled(cutover.trees(), people_are_in=True):
        names = ", ".join(printable(name) for name in open_[:NAMED])
        cutover.end()
        raise Refused(f"not complete any more, by another run perhaps: {names}; nothing was closed")
    with cutover.timed(Step.CLOSE):
        closed = cutover.close(cutover.kept(Step.VERIFY).get("accepted", {}))
    told.details[Step.CLOSE.value] = f"{counted(closed, 'tree')} closed by {cutover.who}"


def _document(
    cutover: Cutover, told: _Told, *, rehearsal: bool, closed: bool, going: bool = True
) -> dict[str, Any]:
    done = cutover.done() if not closed else list(Step)
    steps: list[Mapping[str, Any]] = [
        {
            "step": step.value,
            "seconds": cutover.took.get(step.value),
            "done": step in done,
            "detail": told.details.get(step.value, ""),
        }
        for step in Step
    ]
    if rehearsal:
        total = sum(cutover.took.values())
        told.words.append(f"in all {duration_words(total)}, and the time until somebody approves")
    return {
        "plan": cutover.plan.name,
        "rehearsal": rehearsal,
        "closed": closed,
        "ready": going,
        "steps": steps,
        "words": told.words,
    }

"""The row about who is told of runs. Of a target's URL nothing but the scheme is said."""

from __future__ import annotations

from collections.abc import Iterator

from flows.checks.rows import Row, ok, problem, warning
from flows.errors import PlanError
from flows.plan.model import MigrationPlan
from flows.plan.references import reveal
from flows.run.notices import Tone, kinds, send, understood

NAME = "messages"
TEST = "This is the test message of boxhaul check --notify."


def message_rows(plan: MigrationPlan, *, test: bool, refused: str = "") -> Iterator[Row]:
    """Whether messages can be sent; `test`: one is. None for a plan that has nobody to tell, and no test wanted.

    `refused`: what the checkpoint says of messages that runs sent in vain.
    """
    if plan.notify is None:
        if test:
            yield problem(NAME, "the plan has nobody to tell", "Write notify: ${NAME} into it.")
        return
    try:
        url = reveal(plan.notify.url, key="notify.url") or ""
    except PlanError as exc:
        yield warning(NAME, str(exc), "Set it where runs are started; they go on without.")
        return
    if not understood(url):
        yield problem(
            NAME, f"a URL of notify is none that Apprise knows ({kinds(url)})", "Correct its variable."
        )
    elif not test and refused:
        yield warning(NAME, refused, "Send one: boxhaul check PLAN --notify")
    elif not test:
        yield ok(NAME, f"by {kinds(url)}", "Send one: boxhaul check PLAN --notify")
    elif send(url, f"Boxhaul: {plan.name}", TEST, Tone.INFO):
        missed = "The next run sends what was missed, and status says nothing of it then." if refused else ""
        yield ok(NAME, f"a test message was taken ({kinds(url)})", missed)
    else:
        yield problem(
            NAME,
            f"the test message was not taken ({kinds(url)})",
            "Check address, login, proxy and firewall.",
        )

"""cutover_share: hand a share over: freeze, last pass, verification, people, report; then no pass moves it any more.

Requires: the plan's environment variables or blocks on the machine that runs it; the share and Box.
"""

from __future__ import annotations

from typing import Any

from flows.orchestration.closing import Wishes, cut_over, rehearse
from flows.orchestration.endings import handed_over
from flows.orchestration.traces import traced
from flows.plan.model import MigrationPlan


def cutover_share(
    plan: MigrationPlan,
    quiet: str = "",
    freeze_command: str = "",
    rehearsal: bool = False,
    accept: list[str] = [],  # noqa: B006  read by the form
    yes: bool = False,
    anew: bool = False,
    who: str = "",
    give_up: bool = False,
) -> Any:
    """See that the share stands still, move the rest, verify, let people in once a person approves, report, and close.

    Running it again goes on at the step that was not done.

    Args:
        plan: What moved from where to where.
        quiet: How long nothing may change in the share: `10m` (without a command), `90s`, `1h`; `0`: do not look.
        freeze_command: Program and arguments that make the share read-only; it must end with 0.
        rehearsal: Do all but freeze, people and close, and say how long the evening will take.
        accept: Kinds of differences that may stay, such as `altered` for what people edited in Box.
        yes: Let people in without asking; off: the run pauses until somebody resumes it.
        anew: Begin at the first step, whatever an earlier run has done.
        who: Who hands over; by default the account that runs this.
        give_up: End the one that is under way instead, and close nothing; other passes move the trees again.
    """
    wishes = Wishes(
        quiet=quiet,
        freeze_command=freeze_command,
        accept=accept,
        yes=yes,
        anew=anew,
        give_up=give_up,
        who=who,
    )
    with traced(plan.name, "cutover"):
        return handed_over(rehearse(plan, wishes) if rehearsal and not give_up else cut_over(plan, wishes))

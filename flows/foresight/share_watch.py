"""ShareWatch: looks at a plan's share between passes, and writes down what waits in it for the next one.

Where the server tells of changes by itself, only what it told of is looked at. All of the share is walked once at the
beginning, in short turns, and again where the server lost count, or nobody tells. Nothing is written to the share.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from datetime import UTC, datetime

from connectors.errors import AuthenticationFailed, ConnectorError
from connectors.source import ChangeNotices, Source
from flows.errors import PlanError
from flows.foresight.share_look import Folder, ShareLook
from flows.foresight.waiting import together
from flows.plan.connections import open_share
from flows.plan.model import MigrationPlan
from state.checkpoint import Checkpoint

#: Seconds that one turn of a walk lasts; that pass before the next walk, or attempt to reach the share, where nobody
#: tells of changes; and where the server does.
TURN_SECONDS, REST_SECONDS, LONG_REST_SECONDS = 20.0, 900.0, 6 * 3600.0
#: Written down so that a refused login is not tried again before a pass has proven it: that would lock the account.
REFUSED = "login refused"


class ShareWatch:
    """What waits in the share, each told once until the next pass. For one thread."""

    def __init__(
        self,
        plan: MigrationPlan,
        checkpoint: Checkpoint,
        plan_id: int,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._plan, self._checkpoint, self._plan_id, self._clock = plan, checkpoint, plan_id, clock
        self._pass_id: int | None = None
        self._source: Source | None = None
        self._notices: ChangeNotices | None = None
        #: Folders of the walk that is under way.
        self._frontier: list[Folder] = []
        #: When the next walk, or attempt to reach the share, may begin.
        self._next = 0.0

    def look(self) -> str:
        """Write down what waits and was not told since the last pass.

        Return what a person should know of the look itself, or "". While a run is at work nothing is looked at: it
        sees to what there is.
        """
        if self._checkpoint.live_workers(self._plan_id):
            return ""
        pass_id = self._checkpoint.last_pass(self._plan_id)
        if pass_id is None:
            return ""
        if pass_id != self._pass_id:
            self._pass_id, self._frontier, self._next = pass_id, [], 0.0
        try:
            return self._look(pass_id)
        except (PlanError, ConnectorError) as exc:
            if isinstance(exc, AuthenticationFailed):
                self._checkpoint.record_seen_in_share(self._plan_id, pass_id, [REFUSED], [])
            self.close()
            self._next = self._clock() + REST_SECONDS
            return f"the share is not looked at: {exc}"

    @property
    def is_told_nothing(self) -> bool:
        """True where the server does not tell of changes by itself, so that walks find them."""
        return self._notices is None or self._notices.is_over

    def close(self) -> None:
        """Leave the share."""
        if self._notices is not None:
            self._notices.close()
        if self._source is not None:
            self._source.close()
        self._notices = self._source = None
        self._frontier = []

    def _look(self, pass_id: int) -> str:
        due = self._clock() >= self._next
        if due and self._checkpoint.seen_in_share(self._plan_id, pass_id, [REFUSED]):
            self._next = self._clock() + REST_SECONDS
            return "the share is not looked at: it refused the login; the next pass tries again"
        if self._source is None:
            if not due:
                return ""
            self._source = open_share(self._plan)
        paths, lost = self._noticed(self._source, due)
        if not (due or lost or paths or self._frontier):
            return ""
        look = ShareLook(self._plan, self._source, self._checkpoint)
        look.at(paths)
        if due or lost:
            self._frontier = look.roots()
            self._next = self._clock() + (REST_SECONDS if self._notices is None else LONG_REST_SECONDS)
        until = self._clock() + TURN_SECONDS
        self._frontier = look.walk(self._frontier, lambda: self._clock() > until)
        self._tell(pass_id, look)
        return "the share is not looked through yet" if self._frontier else ""

    def _noticed(self, source: Source, due: bool) -> tuple[Collection[str], bool]:
        """What the server told of, and whether that is not all; begin to listen before a walk does."""
        if self._notices is not None and self._notices.is_over:
            self._notices.close()
            self._notices = None
            # Refused, or the connection broke: seldom, so that walks do not follow each other.
            self._next = min(self._next, self._clock() + REST_SECONDS)
        if self._notices is None and due:
            self._notices = source.notices()
        if self._notices is None:
            return (), False
        noticed = self._notices.take()
        return noticed.paths, noticed.lost and not self._notices.is_over

    def _tell(self, pass_id: int, look: ShareLook) -> None:
        waiting = look.differences.waiting()
        told = self._checkpoint.seen_in_share(self._plan_id, pass_id, {each.mark for each in waiting})
        findings = together(waiting, told, datetime.now(UTC))
        if findings:
            self._checkpoint.record_seen_in_share(self._plan_id, pass_id, (), findings)

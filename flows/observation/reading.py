"""Reading Box's events: page by page to their end, what they mean, and where to go on, in one transaction."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from connectors.box.events import ENTERPRISE_STREAM, FROM_THE_BEGINNING
from connectors.box.types import BoxEvent, EventPage
from connectors.errors import DestinationGone, ItemError, PermissionMissing
from flows.observation.meaning import ASKED_FOR, NOT_LOGGED_IN, What, box_ids, finding_of
from flows.sharing.access import Access
from state.watch_records import WatchFinding, WatchPlace

log = logging.getLogger(__name__)

#: What is written down together, sorted by date: Box tells live events only roughly in order.
FINDINGS_AT_ONCE, PAGES_AT_ONCE = 2_000, 20
#: Seconds between two calls; and while a run uses the account, whose budget is the run's.
CALL_SECONDS, CALL_SECONDS_IN_A_RUN = 0.25, 20.0


class EventReader:
    """Reads what people did, once, whoever stops in between. One thread."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._plan_id, self._checkpoint, self._box = access.plan_id, access.checkpoint, access.box
        self._account = access.box.whoami()
        uploaders = {each.box_user_id for each in access.checkpoint.uploaders(access.plan_id)}
        self._ours = {self._account.id, *access.plan.box.identities, *uploaders}
        self._outsiders: dict[str, bool | None] = {}
        self._counted: Counter[str] = Counter()
        self._since: datetime | None = None
        self._began = datetime.now(UTC)
        self.place = self._begin()

    @property
    def sees_everything(self) -> bool:
        """True when it reads the events of the whole enterprise; False: those that concern the account alone."""
        return self.place.stream == ENTERPRISE_STREAM

    def read(self) -> bool:
        """Read on and write down what was found and how far it went; True when there may be more at once."""
        place, findings, is_end = self.place, list[WatchFinding](), False
        for number in range(PAGES_AT_ONCE):
            if number:
                self.pause()
            page = self._box.events.page(place.stream, place.position, ASKED_FOR)
            findings += self._findings(page, findings)
            is_end = not page.events and page.position == place.position
            place = _after(place, page)
            if is_end or len(findings) >= FINDINGS_AT_ONCE:
                break
        findings.sort(key=lambda finding: finding.at)
        self._checkpoint.record_watched(self._plan_id, place, findings)
        self.place = place
        self._count_calls()
        # Where something happens all the time there is no last page: what came after the start is another look's.
        return not is_end and not (place.seen_until is not None and place.seen_until > self._began)

    def pause(self, seconds: float = CALL_SECONDS) -> None:
        """Wait before the next call, longer while a run uses the account."""
        held = self._checkpoint.identity_is_held(self._account.id)
        threading.Event().wait(max(seconds, CALL_SECONDS_IN_A_RUN) if held else seconds)

    def _begin(self) -> WatchPlace:
        """Go on where the last one stopped; from all that Box still has, the first time and in another stream."""
        known, stream = self._checkpoint.watch_place(self._plan_id), self._box.events.best_stream()
        if known is not None and known.stream == stream:
            return known
        if known is not None:
            log.warning("Box's events come from another stream now (%s); some may be told again", stream)
            self._since = known.seen_until
        return WatchPlace(stream=stream, position=FROM_THE_BEGINNING)

    def _findings(self, page: EventPage, before: Sequence[WatchFinding]) -> list[WatchFinding]:
        fresh = {event.id: event for event in page.events if not self._is_old(event)}
        for known in self._checkpoint.known_events(self._plan_id, fresh):
            del fresh[known]
        for finding in before:
            fresh.pop(finding.event_id, None)
        events = list(fresh.values())
        found = self._checkpoint.found_in_box(self._plan_id, box_ids(events))
        meant = ((event, finding_of(event, found, self._ours)) for event in events)
        told = (self._completed(event, finding) for event, finding in meant if finding is not None)
        return [finding for finding in told if finding is not None]

    def _is_old(self, event: BoxEvent) -> bool:
        return self._since is not None and event.at is not None and event.at <= self._since

    def _completed(self, event: BoxEvent, finding: WatchFinding) -> WatchFinding | None:
        """Add what only a question to Box, or to the plan, tells; None for what is not worth telling after all."""
        if finding.what == What.DOWNLOADED:
            return self._download(event, finding)
        if finding.what == What.LINKED:
            access = event.link_access or self._box.events.link_access(
                event.item_kind or "file", event.item_id
            )
            return replace(finding, detail=access or "none any more")
        if finding.what in (What.INVITED, What.ROLE_CHANGED, What.REMOVED):
            role = f" as {event.role.lower()}" if event.role and finding.what != What.REMOVED else ""
            return replace(finding, detail=f"{self._invited(event, finding)}{role}")
        return finding

    def _download(self, event: BoxEvent, finding: WatchFinding) -> WatchFinding | None:
        if (outside := self._is_outsider(event, finding.tree_id)) is False:
            return None
        doubt = "by an outsider" if outside else "perhaps by an outsider: Box does not say who that is"
        return replace(finding, detail="by a link, not logged in" if event.by_id == NOT_LOGGED_IN else doubt)

    def _invited(self, event: BoxEvent, finding: WatchFinding) -> str:
        """Return who: as the event says, as the plan made it, or as Box still knows."""
        if event.invited:
            return event.invited
        if event.collaboration_id is None:
            return "somebody"
        records = self._checkpoint.all_collaborations(finding.tree_id)
        ours = (each for each in records if each.box_collaboration_id == event.collaboration_id)
        if (record := next(ours, None)) is not None:
            return record.spec.key.partition(":")[2]
        who = self._box.events.who_was_invited(event.collaboration_id)
        return who or f"collaboration {event.collaboration_id}"

    def _is_outsider(self, event: BoxEvent, tree_id: int) -> bool | None:
        """Tell whether somebody is neither of the plan's people nor of the enterprise; None where nobody says."""
        if event.by_id in ("", NOT_LOGGED_IN):
            return True
        specs = [each.spec for each in self._checkpoint.all_collaborations(tree_id)]
        if event.by.casefold() in {(spec.login or "").casefold() for spec in specs}:
            return False
        if event.by_id in {spec.user_id for spec in specs}:
            return False
        if event.by_id not in self._outsiders:
            self._outsiders[event.by_id] = self._is_of_another_enterprise(event.by_id)
        return self._outsiders[event.by_id]

    def _is_of_another_enterprise(self, user_id: str) -> bool | None:
        try:
            return self._box.accounts.user(user_id).enterprise_id != self._account.enterprise_id
        except DestinationGone:
            return True  # whoever may look people up sees all of the enterprise
        except (ItemError, PermissionMissing):
            return None

    def _count_calls(self) -> None:
        now = Counter(self._box.call_counts())
        self._checkpoint.add_call_counts(self._plan_id, now - self._counted)
        self._counted = now


def _after(place: WatchPlace, page: EventPage) -> WatchPlace:
    dates = [event.at for event in page.events if event.at is not None]
    if place.seen_until is not None:
        dates.append(place.seen_until)
    return WatchPlace(stream=place.stream, position=page.position, seen_until=max(dates, default=None))

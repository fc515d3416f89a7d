"""Obeying the control plane: a flow run that somebody pauses in the UI ends here and goes on when it is resumed.

Cancelling needs nothing here: Prefect's worker sends a signal. Pausing only changes the run's state, which this listens
to over one websocket, so that days of running cost no API call.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun
from prefect.context import FlowRunContext
from prefect.events import emit_event
from prefect.events.clients import get_events_subscriber
from prefect.events.filters import (
    EventFilter,
    EventNameFilter,
    EventOccurredFilter,
    EventResourceFilter,
)
from prefect.events.related import tags_as_related_resources
from prefect.exceptions import Pause
from prefect.states import Cancelled

from flows.transfer.migration import Migration

log = logging.getLogger(__name__)

#: Seconds until the next try when the server cannot be heard.
RECONNECT_SECONDS = 20.0

#: The last word of a run that obeys a pause; the resource is the flow run.
RUN_PAUSED = "boxhaul.run.paused"


@contextmanager
def obeyed(migration: Migration) -> Iterator[None]:
    """Stop the run with Prefect's Pause when its flow run is suspended while the body lasts."""
    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        yield
        return
    flow_run = context.flow_run
    listener = _Listener(migration, flow_run)
    thread = threading.Thread(target=listener.run, name="obeying", daemon=True)
    thread.start()
    try:
        yield
    except Pause:
        end_heartbeats(flow_run)
        emit_event(**last_word(flow_run))
        raise
    finally:
        listener.stop()
        thread.join(timeout=5)


def end_heartbeats(flow_run: FlowRun) -> None:
    """Let Prefect's heartbeats of this run end: whoever waits for the one after it would take a paused run for dead.

    Prefect ends them for a final state alone. The state here is this process's own copy, which Prefect replaces by the
    paused one when the flow is left; the server's is not touched.
    """
    if flow_run.state is None or not flow_run.state.is_final():
        flow_run.state = Cancelled(name="Suspended", message="paused; ending")


def last_word(flow_run: FlowRun) -> dict[str, Any]:
    """The event that tells whoever waits for the next heartbeat that none will come: one may have been sent after the
    word of the pause. Arguments of Prefect's emit_event."""
    return {
        "event": RUN_PAUSED,
        "resource": {
            "prefect.resource.id": f"prefect.flow-run.{flow_run.id}",
            "prefect.resource.name": flow_run.name or "",
        },
        "related": tags_as_related_resources(set(flow_run.tags or [])),
    }


class _Listener:
    def __init__(self, migration: Migration, flow_run: FlowRun) -> None:
        self._migration = migration
        self._flow_run = flow_run
        self._flow_run_id: UUID = flow_run.id
        self._loop = asyncio.new_event_loop()
        self._task: asyncio.Task[None] | None = None

    def run(self) -> None:
        """Listen until stop(), whatever happens to the server."""
        asyncio.set_event_loop(self._loop)
        self._task = self._loop.create_task(self._listen())
        with suppress(asyncio.CancelledError):
            self._loop.run_until_complete(self._task)
        self._loop.close()

    def stop(self) -> None:
        """End run() from another thread."""
        with suppress(RuntimeError):  # it has ended by itself
            self._loop.call_soon_threadsafe(self._cancel)

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _listen(self) -> None:
        while True:
            try:
                await self._listen_once()
                return
            except Exception as exc:  # noqa: BLE001  the bytes go on, whatever the control plane does
                log.debug("not listening for a pause: %s", type(exc).__name__)
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _listen_once(self) -> None:
        wanted = EventFilter(
            occurred=EventOccurredFilter(since=datetime.now(UTC)),
            event=EventNameFilter(name=["prefect.flow-run.Suspended", "prefect.flow-run.Paused"]),
            resource=EventResourceFilter(id=[f"prefect.flow-run.{self._flow_run_id}"]),
        )
        async with get_events_subscriber(filter=wanted) as events:
            if await self._suspended():
                return
            async for _ in events:
                if await self._suspended():
                    return

    async def _suspended(self) -> bool:
        """Look at the run itself: an event may be old. Stops the run when it is so."""
        async with get_client() as client:
            state = (await client.read_flow_run(self._flow_run_id)).state
        if state is None or not state.is_paused():
            return False
        end_heartbeats(self._flow_run)
        self._migration.stop.fail(
            Pause("suspended; resuming the flow run goes on from the checkpoint", state=state)
        )
        return True

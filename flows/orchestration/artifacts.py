"""The artifacts of one flow run: each made once, then kept up to date, also by a later attempt of the same run.

Both of Prefect's UIs list the artifacts of a run by their ids, the highest first, and the server draws ids by lot. So
that the first of them is the one that people look for, an artifact that would stand wrongly is given back and drawn
anew: a few calls when a run begins.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import ArtifactCreate, ArtifactUpdate
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.exceptions import ObjectNotFound

#: An id from here on leaves enough room below it for the others: one draw in four has one.
HIGH = UUID("c0000000-0000-0000-0000-000000000000")

#: After so many draws the artifact stays where it is.
DRAWS = 40


class Artifacts:
    """What one flow run shows; the artifact with the key `first` is above all others. Not safe for threads."""

    def __init__(self, flow_run_id: UUID, *, first: str) -> None:
        self._flow_run_id = flow_run_id
        self._first = first
        self._ids: dict[str, UUID] | None = None

    def put(self, kind: str, key: str, data: Any, words: str) -> None:
        """Show this, in place of what was shown under the key: "markdown", "progress" or "table" as Prefect has it."""
        known = self._known()
        with get_client(sync_client=True) as client:
            if key in known:
                client.update_artifact(known[key], ArtifactUpdate(data=data, description=words))
                return
        known[key] = self._drawn(kind, key, data, words)

    def remove(self, key: str) -> None:
        """Show nothing under this key any more."""
        if (known := self._known().pop(key, None)) is not None:
            self._delete(known)

    def _known(self) -> dict[str, UUID]:
        """Key → id; those of an earlier attempt are asked for once."""
        if self._ids is None:
            with get_client(sync_client=True) as client:
                wanted = FlowRunFilter(id=FlowRunFilterId(any_=[self._flow_run_id]))
                there = client.read_artifacts(flow_run_filter=wanted)
            self._ids = {each.key: each.id for each in there if each.key is not None}
        return self._ids

    def _drawn(self, kind: str, key: str, data: Any, words: str) -> UUID:
        asked = ArtifactCreate(
            type=kind, key=key, data=data, description=words, flow_run_id=self._flow_run_id, task_run_id=None
        )
        for draw in range(DRAWS):
            with get_client(sync_client=True) as client:
                made = client.create_artifact(asked).id
            if self._stands_well(key, made) or draw == DRAWS - 1:
                break
            self._delete(made)
        return made

    def _stands_well(self, key: str, artifact_id: UUID) -> bool:
        if key == self._first:
            return artifact_id >= HIGH
        first = self._known().get(self._first)
        return first is None or artifact_id < first

    @staticmethod
    def _delete(artifact_id: UUID) -> None:
        try:
            with get_client(sync_client=True) as client:
                client.delete_artifact(artifact_id)
        except ObjectNotFound:
            pass  # a person has deleted it

"""Checkpoint: every read and write of the database, as sentences. No session escapes it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from connectors.entry import Fingerprint
from state.diff import Change
from state.records import *  # noqa: F403  (skeleton: replace by explicit imports)
from state.statuses import CollaborationStatus, IncompleteReason, PassState, TreeState


class Checkpoint:
    # --- life ---
    @classmethod
    def open(cls, url: str, *, upgrade: bool = True, clock: Callable[[], datetime] = ...) -> Checkpoint: ...
    def close(self) -> None: ...

    # --- plan, trees, passes ---
    def ensure_plan(self, *, name: str, source_url: str, landing_folder_id: str) -> int:
        """Plan id; PlanMismatch when the name is known for another source/landing folder."""
    def find_plan(self, name: str) -> int | None: ...
    def ensure_trees(self, plan_id: int, specs: Sequence[TreeSpec]) -> list[TreeRecord]:
        """Creates missing trees (with their root folder row, whose box_name is the last component of spec.folder);
        keeps known ones; trees of the plan that are not in specs stay in the database and are not returned."""
    def trees(self, plan_id: int) -> list[TreeRecord]: ...
    def begin_pass(self, plan_id: int, *, kind: str) -> int:
        """Continues the RUNNING pass of this plan when there is one, else opens a new one (whose frontier is every
        folder again, and in which FAILED items of retryable kinds become PENDING again with attempts 0)."""
    def current_pass(self, plan_id: int) -> int | None: ...
    def end_pass(self, pass_id: int, state: PassState, *, summary: Mapping[str, Any]) -> None: ...

    # --- workers (leases with heartbeats) ---
    def register_worker(self, plan_id: int, *, name: str, lease_seconds: float = 60) -> WorkerLease:
        """Also frees everything that dead workers hold: lease expired, or same host and the pid is gone."""
    def heartbeat(self, worker: WorkerLease) -> None:
        """Prolong; LostLease when it was taken over."""
    def release_worker(self, worker: WorkerLease) -> None: ...
    def live_workers(self, plan_id: int) -> list[WorkerLease]: ...

    # --- identities (P10): one process at a time holds an identity's budget ---
    def lease_identity(self, worker: WorkerLease, box_user_id: str) -> list[BudgetBlock]:
        """LeaseHeld when a live worker has it (message names host, pid, since when). Returns the blocks reserved in
        the last minutes by whoever held it before, oldest first."""
    def reserve_budget(self, worker: WorkerLease, box_user_id: str, block: BudgetBlock) -> None:
        """Write a block down before it is used; blocks older than 5 minutes are dropped. LostLease when not ours."""
    def release_identity(self, worker: WorkerLease, box_user_id: str) -> None: ...

    # --- walk ---
    def claim_folders_to_walk(self, worker: WorkerLease, pass_id: int, *, tree_ids: Sequence[int], limit: int) -> list[FolderNode]:
        """Folders not walked in this pass and not claimed by a live worker, shallow ones first."""
    def known_children(self, folder_id: int) -> list[KnownChild]:
        """Everything the checkpoint has under this folder, MISSING included (never the grandchildren)."""
    def record_listing(self, folder_id: int, pass_id: int, changes: Sequence[Change]) -> None:
        """One transaction: apply the differences, mark the folder walked in this pass. An unchanged folder costs one
        small write. A missing subfolder takes everything below it with it (MISSING). Any real change clears the
        tree's `verified`."""
    def record_folder_failure(self, folder_id: int, pass_id: int, *, reason: str, detail: str) -> None:
        """The folder could not be listed: FAILED, walked; what is below keeps its status."""
    def record_folder_vanished(self, folder_id: int, pass_id: int) -> None: ...
    def walk_is_done(self, pass_id: int, tree_id: int) -> bool: ...

    # --- folders in Box ---
    def folder_chain(self, folder_id: int) -> list[FolderNode]:
        """From the tree's root down to this folder."""
    def claim_folder_creation(self, worker: WorkerLease, folder_id: int) -> bool:
        """True when this worker alone may create it now; False while a live other one does, or when it is created."""
    def record_folder_created(self, folder_id: int, *, box_folder_id: str, box_name: str, adopted: bool) -> None:
        """status UPLOADED; releases the claim."""
    def record_folder_creation_failed(self, folder_id: int, *, reason: str, detail: str) -> None: ...
    def folders_to_create(self, pass_id: int, *, tree_ids: Sequence[int], limit: int) -> list[FolderNode]:
        """Walked, not excluded/missing/failed, no box_folder_id yet (so that empty folders arrive too), parents first."""

    # --- files ---
    def claim_batch(self, worker: WorkerLease, *, tree_ids: Sequence[int], max_items: int, max_bytes: int) -> list[ClaimedItem]:
        """PENDING files, in folder order, at most so many and so many bytes (at least one). Empty: nothing to do now."""
    def release_claims(self, worker: WorkerLease, item_ids: Sequence[int]) -> None: ...
    def record_results(self, worker: WorkerLease, results: Sequence[Uploaded | Failed], *, max_attempts: int = 3) -> None:
        """One transaction for all. `Failed(retry=True)` goes back to PENDING until max_attempts, then FAILED.
        Raises LostLease and writes nothing when the worker's lease was taken over."""
    def item_of_box_file(self, plan_id: int, box_file_id: str) -> int | None:
        """Which item holds this Box file id, if any (for the adopt rule)."""
    def remember_box_file(self, item_id: int, *, box_file_id: str, box_etag: str | None) -> None:
        """This Box file is this item's (an unrecorded upload of ours was found); the next send makes a version of it."""
    def folder_was_created_by_plan(self, folder_id: int) -> bool:
        """True when this plan made the folder in Box, False when it was adopted."""

    # --- upload sessions ---
    def upload_session(self, item_id: int) -> StoredSession | None: ...
    def save_upload_session(self, item_id: int, session: StoredSession) -> None: ...
    def add_upload_part(self, item_id: int, part: StoredPart) -> None: ...
    def clear_upload_session(self, item_id: int) -> None: ...
    def open_upload_sessions(self, plan_id: int) -> list[tuple[int, StoredSession]]: ...

    # --- complete ---
    def tree_report(self, tree_id: int) -> TreeReport: ...
    def tree_is_settled(self, pass_id: int, tree_id: int) -> bool:
        """Walked in this pass, nothing pending, nothing failed."""
    def folders_to_verify(self, tree_id: int) -> Iterator[FolderNode]:
        """Every folder of the tree that is in Box, streamed."""
    def expected_children(self, folder_id: int) -> dict[str, ExpectedChild]:
        """box id → what Box's listing of this folder must show."""
    def record_verified(self, tree_id: int) -> None: ...
    def record_verification_mismatch(self, tree_id: int, *, item_ids_by_reason: Mapping[str, Sequence[int]], detail: str) -> None:
        """Items that Box lost or holds differently become PENDING again (without box ids when they are gone)."""
    def set_tree_state(self, tree_id: int, state: TreeState, *, reason: IncompleteReason | None = None, detail: str | None = None) -> None: ...

    # --- collaborations ---
    def ensure_collaborations(self, tree_id: int, specs: Sequence[CollaboratorSpec]) -> list[CollaborationRecord]:
        """The plan's collaborators of this tree, PLANNED where new; a changed role goes back to PLANNED."""
    def record_collaboration(self, collaboration_id: int, *, status: CollaborationStatus, box_collaboration_id: str | None, detail: str | None = None) -> None: ...

    # --- people ---
    def waive(self, plan_id: int, path: str, *, who: str, why: str) -> int:
        """FAILED/PENDING items at this path or below → WAIVED; how many. Recorded as an event."""
    def retry_failures(self, plan_id: int, *, reason: str | None = None) -> int:
        """FAILED items (of one reason) → PENDING; how many."""
    def record_event(self, plan_id: int, kind: str, detail: Mapping[str, Any], *, tree_id: int | None = None) -> None: ...

    # --- reports: in state/reports.py as functions over the Checkpoint, streamed ---
    def item_lines(self, plan_id: int) -> Iterator[ItemLine]: ...
    def call_counts(self, plan_id: int) -> dict[str, int]: ...
    def add_call_counts(self, plan_id: int, by_route: Mapping[str, int]) -> None: ...

"""What an item, a folder, a tree, a pass and a collaboration can be, and which steps are allowed."""

from __future__ import annotations

from enum import StrEnum


class ItemStatus(StrEnum):
    """Where one entry of the source stands. Files and folders alike."""

    #: Found; not in Box yet, or Box has an older content.
    PENDING = "pending"
    #: In Box, and Box's sha1 and size equal what was read (files); created in Box (folders).
    UPLOADED = "uploaded"
    #: Could not be moved; `reason` says why.
    FAILED = "failed"
    #: A rule of the plan, or the kind of the entry, says that it does not move; `reason` says which.
    EXCLUDED = "excluded"
    #: A person accepted that it does not move.
    WAIVED = "waived"
    #: No longer in the source. Never counted, never deleted in Box.
    MISSING = "missing"


#: From → to. The checkpoint refuses anything else with IllegalTransition.
ITEM_TRANSITIONS: dict[ItemStatus, frozenset[ItemStatus]] = {
    ItemStatus.PENDING: frozenset(
        {ItemStatus.UPLOADED, ItemStatus.FAILED, ItemStatus.EXCLUDED, ItemStatus.WAIVED, ItemStatus.MISSING}
    ),
    ItemStatus.UPLOADED: frozenset({ItemStatus.PENDING, ItemStatus.FAILED, ItemStatus.EXCLUDED, ItemStatus.MISSING}),
    ItemStatus.FAILED: frozenset(
        {ItemStatus.PENDING, ItemStatus.UPLOADED, ItemStatus.EXCLUDED, ItemStatus.WAIVED, ItemStatus.MISSING}
    ),
    ItemStatus.EXCLUDED: frozenset({ItemStatus.PENDING, ItemStatus.MISSING}),
    ItemStatus.WAIVED: frozenset({ItemStatus.PENDING, ItemStatus.EXCLUDED, ItemStatus.MISSING}),
    ItemStatus.MISSING: frozenset({ItemStatus.PENDING, ItemStatus.UPLOADED, ItemStatus.EXCLUDED, ItemStatus.FAILED}),
}


class TreeState(StrEnum):
    """Where one tree stands."""

    #: Not every entry is known or settled yet.
    MOVING = "moving"
    #: A pass ended and the tree is not complete; `incomplete_reason` says why.
    INCOMPLETE = "incomplete"
    #: Every item uploaded, excluded or waived, and Box's listing agrees; not collaborated yet.
    VERIFIED = "verified"
    #: Verified, and every collaborator of the plan is in.
    COMPLETE = "complete"


class IncompleteReason(StrEnum):
    """Why a pass left a tree incomplete."""

    #: Some items failed; the report lists them.
    FAILED_ITEMS = "failed items"
    #: Somebody stopped the pass.
    CANCELLED = "cancelled"
    #: The time window, a call budget or the owner's quota ended.
    LIMIT_REACHED = "limit reached"
    #: Something fatal stopped the pass: login, share unreachable, landing folder gone.
    STOPPED = "stopped"
    #: Box's listing differs from what was uploaded.
    VERIFICATION_FAILED = "verification failed"
    #: A collaboration could not be made.
    COLLABORATION_FAILED = "collaboration failed"
    #: The source changed while the pass ran.
    SOURCE_CHANGED = "source changed"


class PassState(StrEnum):
    """Where one walk + diff + upload of a share stands."""

    #: Started; an unfinished pass is continued by the next run of the same plan.
    RUNNING = "running"
    #: Ended with every tree complete.
    COMPLETE = "complete"
    #: Ended with something left.
    INCOMPLETE = "incomplete"


class CollaborationStatus(StrEnum):
    """Where one collaborator of a tree stands."""

    #: In the plan; not asked of Box yet.
    PLANNED = "planned"
    #: Box took it; access is in force.
    ACCEPTED = "accepted"
    #: Box took it; the invited person has to accept.
    PENDING = "pending"
    #: The invited person declined.
    REJECTED = "rejected"
    #: Box refused; the tree is not complete.
    FAILED = "failed"

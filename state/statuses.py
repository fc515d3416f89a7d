"""What an item, a folder, a tree, a pass and a collaboration can be, and which steps are allowed."""

from __future__ import annotations

from enum import StrEnum

from state.errors import IllegalTransition


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
    #: It was there in an earlier pass and is not any more; what Box has of it stays there. Kept as the word that the
    #: first schema has for it; people read `word`.
    GONE = "missing"

    @property
    def word(self) -> str:
        """As reports and documents say it."""
        return "gone" if self is ItemStatus.GONE else self.value


#: What became in Box of something that is GONE: it is in the trash; somebody changed it there, so it stays.
TRASHED, KEPT_IN_BOX = "trashed", "kept_in_box"

#: Why a file is GONE that has another name or place in the source now, and in Box.
MOVED = "moved"

#: What a tree's own folder, which is no entry of the tree, is told and counted as all the same.
TOLD_OF_ROOTS = (ItemStatus.FAILED, ItemStatus.WAIVED, ItemStatus.GONE)

#: From → to. The checkpoint refuses anything else with IllegalTransition.
ITEM_TRANSITIONS: dict[ItemStatus, frozenset[ItemStatus]] = {
    ItemStatus.PENDING: frozenset(
        {ItemStatus.UPLOADED, ItemStatus.FAILED, ItemStatus.EXCLUDED, ItemStatus.WAIVED, ItemStatus.GONE}
    ),
    ItemStatus.UPLOADED: frozenset(
        {ItemStatus.PENDING, ItemStatus.FAILED, ItemStatus.EXCLUDED, ItemStatus.GONE}
    ),
    ItemStatus.FAILED: frozenset(
        {ItemStatus.PENDING, ItemStatus.UPLOADED, ItemStatus.EXCLUDED, ItemStatus.WAIVED, ItemStatus.GONE}
    ),
    # Straight to UPLOADED: no longer excluded, and Box still holds this very content.
    ItemStatus.EXCLUDED: frozenset({ItemStatus.PENDING, ItemStatus.UPLOADED, ItemStatus.GONE}),
    # To UPLOADED: it was on its way when it was waived, or something below a waived folder moves after all.
    ItemStatus.WAIVED: frozenset(
        {ItemStatus.PENDING, ItemStatus.UPLOADED, ItemStatus.EXCLUDED, ItemStatus.GONE}
    ),
    ItemStatus.GONE: frozenset(
        {ItemStatus.PENDING, ItemStatus.UPLOADED, ItemStatus.EXCLUDED, ItemStatus.FAILED}
    ),
}

#: Reason codes that a new pass does not try again by itself: the file or its name has to change, or a person has to
#: say `retry`. (Everything else may be better next time: a lock, a permission, a full quota.)
PERMANENT_REASONS = frozenset(
    {"name_rejected", "rejected", "too_large", "changed_in_box", "folder_moved_in_box"}
)

#: Why an entry is WAIVED by a plan that leaves to Box what a person changed, or deleted, there.
LEFT_TO_BOX, LEFT_IN_TRASH = "left_to_box", "left_in_trash"

#: The reason for which a verification finds that Box does not hold an entry at all.
GONE_FROM_BOX = "gone_from_box"
#: The reason for which an entry has no place of its own in Box: another one has it.
NAME_IN_USE = "name_in_use"
#: The reason for which it finds another size, sha1 or name.
DIFFERENT_IN_BOX = "different_in_box"
#: The reason for which an entry fails on an error that nobody foresaw; the log has the whole of it.
UNFORESEEN = "unforeseen"
#: The reason for which a folder fails that lists nothing, where entries were before.
FOLDER_EMPTIED = "folder_emptied"
#: The reason for which a file fails that is not where the walk saw it.
NOT_FOUND = "not_found"


def require_transition(before: ItemStatus, after: ItemStatus) -> None:
    """IllegalTransition unless ITEM_TRANSITIONS has this step, or it is none."""
    if after is not before and after not in ITEM_TRANSITIONS[before]:
        raise IllegalTransition(f"an entry that is {before} cannot become {after}")


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

    #: It is in the plan, and no run has looked at it yet.
    NOT_BEGUN = "not begun"
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
    #: Its folder contains another tree's, which is not complete; its people would see that one unfinished.
    TREE_BELOW = "a tree below is not complete"
    #: Its people are in, and Box refused the shared link.
    SHARED_LINK_FAILED = "shared link failed"
    #: A run sent what its filters let through; the rest waits for another one.
    LEFT_OUT = "files left out"
    #: The source changed while the pass ran.
    SOURCE_CHANGED = "source changed"
    #: Nothing lacks as far as a quick pass looked, which was not at everything; no whole pass completed it yet.
    NOT_WHOLE = "quick pass"


#: The kind of a pass that looks only at what changed lately.
QUICK = "quick"

#: The kind of a walk before the first pass, which sends nothing and begins no tree.
INVENTORY = "inventory"


class PassState(StrEnum):
    """Where one walk + diff + upload of a share stands."""

    #: Started; an unfinished pass is continued by the next run of the same plan.
    RUNNING = "running"
    #: Ended with every tree complete.
    COMPLETE = "complete"
    #: Ended with something left.
    INCOMPLETE = "incomplete"


class EventKind(StrEnum):
    """What an event of a plan tells."""

    #: What of the share no tree covers; only the latest is true of the plan.
    NOT_COVERED = "not_covered"
    #: How a tree was proven: {"tree": its name, "by": a Verification}.
    PROVEN = "verified"
    #: `boxhaul verify` compared: {"mode", "agrees", "checked", "by_kind", "confidence"}; the last one counts.
    RECONCILED = "reconciled"
    #: The share leaves out of its listings what the account may not read.
    NAMES_HIDDEN = "names_hidden"
    DATES_BEFORE_1970 = "dates_before_1970"
    DATES_TOO_LATE = "dates_too_late"
    DATES_IN_THE_FUTURE = "dates_in_the_future"
    #: Something that Box does not keep; the detail's note says what.
    NOT_KEPT = "not_kept"
    NAMES_LOOK_ALIKE = "names_look_alike"
    ONLY_IN_BOX = "only_in_box"
    #: A process died while it put something new into these folders: {"folders": row ids}. Nothing is told by it alone.
    LEFT_IN_FLIGHT = "left_in_flight"
    #: Somebody wrote another version, moved or renamed what this plan sent; it is left as it is.
    CHANGED_IN_BOX = "changed_in_box"
    MOVED_IN_BOX = "moved_in_box"
    RENAMED_IN_BOX = "renamed_in_box"
    #: What became of such a change as the plan says (`changes: in_box`): a version over theirs, theirs under another
    #: name, left to Box, put back where the source has it.
    OVER_CHANGE_IN_BOX = "over_change_in_box"
    BESIDE_CHANGE_IN_BOX = "beside_change_in_box"
    LEFT_TO_BOX = "left_to_box"
    PUT_BACK_IN_BOX = "put_back_in_box"
    #: Gone from the source, and still in Box; in Box's trash; kept in Box, since somebody changed it there.
    GONE_STILL_IN_BOX = "gone_still_in_box"
    GONE_AND_TRASHED = "gone_and_trashed"
    GONE_AND_KEPT = "gone_and_kept"
    #: Gone from a tree, and not in the trash yet, since it may be in one that the run did not walk.
    GONE_AND_HELD = "gone_and_held"
    #: Moved or renamed in the source, and in Box by one call; or not in Box, so that it was sent anew.
    MOVE_FOLLOWED = "move_followed"
    MOVE_NOT_FOLLOWED = "move_not_followed"
    #: An entry got another name in Box than it has in the source.
    RENAMED = "renamed"
    #: A person accepted that entries do not move.
    WAIVED = "waived"
    UNWAIVED = "unwaived"
    #: A cutover handed trees over: {"who", "trees", "accepted"}; and somebody took that back: {"who", "why", "trees"}.
    CLOSED = "closed"
    REOPENED = "reopened"
    #: How many files were in Box, of how many: {"files", "of"}; now and then while Prefect shows a run.
    PROGRESS = "progress"
    #: What people do in Box, as `watch` reads it from Box's own events: with content, with access, by downloading.
    PEOPLE_CHANGED = "people_changed"
    ACCESS_CHANGED = "access_changed"
    DOWNLOADED = "downloaded"
    #: What waits in the share for the next pass, as `watch` sees it: {"what", "path", "count", "names", …}.
    CHANGED_IN_SHARE = "changed_in_share"
    #: Somebody whom the plan does not name was removed from a tree.
    COLLABORATION_REMOVED = "collaboration_removed"
    #: How many calls the plan had made before this month: {"calls"}; and that so much of the month's was used up, told
    #: once: {"percent"}.
    CALLS_BEFORE = "calls_before"
    CALLS_USED_UP = "calls_used_up"
    #: A line that people are to be told: {"by", "text"}; gone once its message was taken. And that messages are not
    #: taken: {"by", "since", "last"}; gone once one is. Neither is told by itself.
    TO_BE_TOLD = "to_be_told"
    MESSAGES_REFUSED = "messages_refused"


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


class SurveyKind(StrEnum):
    """What a look at a share was for."""

    INVENTORY = "inventory"
    FORECAST = "forecast"
    #: No look at a share: the plan's own reports in Box, as an older version kept them (own_reports.py).
    REPORTS = "reports"


class Listed(StrEnum):
    """Kinds of lines that a report lists, the first of each."""

    FAILED = "failed"
    #: Box has it under another name.
    RENAMED = "renamed"
    #: Sent once, and excluded by a rule since: Box holds it still.
    EXCLUDED_IN_BOX = "excluded in Box"
    WAIVED = "waived"
    #: It was in the share in an earlier pass, and is not any more.
    GONE = "gone"

"""Records of people: who is to be let in, and what became of that. Frozen, keyword-only, no behaviour, no SQL."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from state.statuses import CollaborationStatus


@dataclass(frozen=True, kw_only=True, slots=True)
class CollaboratorSpec:
    """A collaborator as the plan wants it. Exactly one of login, user_id, group, group_id, app_user."""

    role: str
    login: str | None = None
    user_id: str | None = None
    group: str | None = None
    group_id: str | None = None
    #: Name of an app user, made on request.
    app_user: str | None = None
    can_view_path: bool = False
    is_access_only: bool = False
    expires_at: datetime | None = None

    @property
    def key(self) -> str:
        """What identifies the person or group inside a tree, case-folded."""
        for kind, value in (
            ("login", self.login),
            ("user", self.user_id),
            ("group", self.group),
            ("group_id", self.group_id),
            ("app_user", self.app_user),
        ):
            if value is not None:
                return f"{kind}:{value.casefold()}"
        raise ValueError("a collaborator needs login, user_id, group, group_id or app_user")


@dataclass(frozen=True, kw_only=True, slots=True)
class CollaborationRecord:
    """A collaborator as the checkpoint knows it."""

    id: int
    tree_id: int
    spec: CollaboratorSpec
    status: CollaborationStatus
    box_collaboration_id: str | None
    #: Why it failed, one line.
    detail: str | None

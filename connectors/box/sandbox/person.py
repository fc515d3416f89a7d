"""A person at work in Box: what somebody does in the web app while a migration runs. No HTTP, no counted calls.

The rights are those of the user: what his role does not allow raises the error that Box would answer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, TypeVar

from connectors.box.sandbox.core import Core
from connectors.box.sandbox.store.records import Collaboration, File, Folder, User

T = TypeVar("T")


class Person:
    """One user's hands; `Sandbox.person(user)` makes it. Ids in, ids out."""

    def __init__(self, core: Core, user: User) -> None:
        self.core = core
        self.user = user

    def make_folder(self, name: str, parent_id: str = "0") -> str:
        """Make a folder; return its id."""
        return self._do(lambda: self.core.items.create_folder(self.user, parent_id, name).id)

    def upload(self, name: str, content: bytes, parent_id: str = "0") -> str:
        """Upload a new file; return its id."""

        def work() -> str:
            parent, text = self.core.items.check_upload(self.user, parent_id, name, len(content))
            return self._add(parent, text, content).id

        return self._do(work)

    def edit(self, file_id: str, content: bytes) -> None:
        """Save new content over a file."""

        def work() -> None:
            file = self.core.items.check_version(self.user, file_id, len(content), None)
            blob = self.core.store.contents.keep((content,), len(content))
            self.core.items.add_version(self.user, file, len(content), _sha1(content), blob, None)

        self._do(work)

    def rename(self, item_id: str, name: str) -> None:
        """Give a file or folder another name."""
        self._change(item_id, {"name": name})

    def move(self, item_id: str, parent_id: str) -> None:
        """Move a file or folder into another folder."""
        self._change(item_id, {"parent": {"id": parent_id}})

    def download(self, file_id: str) -> None:
        """Look into a file, which Box tells as a download."""
        self._do(lambda: self.core.changes.download(self.user, file_id))

    def link(self, item_id: str, access: str = "open") -> None:
        """Give a file or folder a shared link, or change who may use the one that it has."""
        self._change(item_id, {"shared_link": {"access": access}})

    def unlink(self, item_id: str) -> None:
        """Take the shared link away."""
        self._change(item_id, {"shared_link": None})

    def lock(self, file_id: str) -> None:
        """Lock a file against everybody else."""
        self._change(file_id, {"lock": {"type": "lock", "access": "lock"}})

    def unlock(self, file_id: str) -> None:
        """Take the own lock away."""
        self._change(file_id, {"lock": None})

    def set_folder(self, folder_id: str, **flags: bool) -> None:
        """Change a folder's settings.

        flags: can_non_owners_invite, can_non_owners_view_collaborators, is_collaboration_restricted_to_enterprise.
        """
        self._change(folder_id, flags)

    def trash(self, item_id: str) -> None:
        """Put a file or folder into the trash."""
        trash = self.core.trash
        if item_id in self.core.store.folders:
            self._do(lambda: trash.delete_folder(self.user, item_id, True, None))
        else:
            self._do(lambda: trash.delete_file(self.user, item_id, None))

    def restore(self, item_id: str) -> None:
        """Take a file or folder out of the trash again."""
        kind = "folder" if item_id in self.core.store.folders else "file"
        self._do(lambda: self.core.trash.restore(self.user, kind, item_id, {}))

    def invite(self, item_id: str, login: str, role: str = "editor") -> str:
        """Invite somebody by his address; return the collaboration's id."""
        kind = "folder" if item_id in self.core.store.folders else "file"
        body = {
            "item": {"type": kind, "id": item_id},
            "accessible_by": {"type": "user", "login": login},
            "role": role,
        }
        return self._do(lambda: self.core.collaborations.create(self.user, body).id)

    def set_role(self, collaboration_id: str, role: str) -> None:
        """Change what a collaborator may do."""
        self._do(lambda: self.core.collaborations.update(self.user, collaboration_id, {"role": role}))

    def uninvite(self, collaboration_id: str) -> None:
        """Take a collaboration away."""
        self._do(lambda: self.core.collaborations.delete(self.user, collaboration_id))

    def accept(self) -> list[str]:
        """Accept every invitation that waits for an answer; return the ids of the collaborations."""

        def work() -> list[str]:
            found: list[Collaboration] = self.core.collaborations.pending_of(self.user)
            for grant in found:
                self.core.collaborations.update(self.user, grant.id, {"status": "accepted"})
            return [grant.id for grant in found]

        return self._do(work)

    def _change(self, item_id: str, body: dict[str, Any]) -> None:
        changes = self.core.changes
        if item_id in self.core.store.folders:
            self._do(lambda: changes.update_folder(self.user, item_id, body, None))
        else:
            self._do(lambda: changes.update_file(self.user, item_id, body, None))

    def _add(self, parent: Folder, name: str, content: bytes) -> File:
        blob = self.core.store.contents.keep((content,), len(content))
        size, sha1 = len(content), _sha1(content)
        return self.core.items.add_file(self.user, parent, name, size, sha1, blob, None, None)

    def _do(self, work: Callable[[], T]) -> T:
        with self.core.store.lock:
            try:
                return work()
            finally:
                self.core.store.flush()


def _sha1(content: bytes) -> str:
    return hashlib.sha1(content, usedforsecurity=False).hexdigest()

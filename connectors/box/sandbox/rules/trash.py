"""Deleting, the trash, restoring and purging. What lies in the trash keeps its owner's space used."""

from __future__ import annotations

from typing import Any

from connectors.box.sandbox.errors import BoxError, forbidden, not_found
from connectors.box.sandbox.rules import permissions
from connectors.box.sandbox.rules.collaborations import Collaborations
from connectors.box.sandbox.rules.items import Items
from connectors.box.sandbox.store.records import File, Folder, Item, User
from connectors.box.sandbox.store.store import Store
from connectors.box.sandbox.wire import child_id


class Trash:
    """The rules of deletion. A folder goes to the trash as one entry with everything below it."""

    def __init__(self, store: Store, items: Items, collaborations: Collaborations) -> None:
        self.store = store
        self.items = items
        self.collaborations = collaborations

    def delete_folder(self, user: User, folder_id: str, recursive: bool, if_match: str | None) -> None:
        """DELETE /folders/:id; 400 folder_not_empty without `recursive`."""
        folder = self.items.folder(user, folder_id)
        if folder.parent is None:
            raise forbidden("The root folder cannot be deleted")
        permissions.require_movable(user, folder)
        self.items.check_match(folder, if_match)
        if folder.children and not recursive:
            raise BoxError(400, "folder_not_empty", "Cannot delete - folder not empty")
        self._throw_away(user, folder)

    def delete_file(self, user: User, file_id: str, if_match: str | None) -> None:
        """DELETE /files/:id."""
        file = self.items.file(user, file_id)
        permissions.require_movable(user, file)
        permissions.check_lock(file, user)
        self.items.check_match(file, if_match)
        self._throw_away(user, file)

    def entries(self, user: User) -> list[Item]:
        """What lies in the trash of the user's own tree, sorted for paging."""
        own = self.store.trash.get(user.id, {}).values()
        return sorted(own, key=lambda item: (isinstance(item, File), int(item.id)))

    def find(self, user: User, kind: str, item_id: str) -> Item:
        """An item of the user's trash; 404 when it is not there."""
        item = self.store.trash.get(user.id, {}).get(item_id)
        if item is None or item.kind != kind:
            raise not_found(kind, item_id)
        return item

    def restore(self, user: User, kind: str, item_id: str, body: dict[str, Any]) -> Item:
        """POST /folders/:id or /files/:id: back to where it was, or to `parent` when that is gone."""
        item = self.find(user, kind, item_id)
        parent = item.parent
        wanted = child_id(body, "parent", required=False)
        gone = parent is None or self._is_gone(parent)
        if gone and wanted is None:
            raise not_found("parent", "" if parent is None else parent.id)
        target = self.items.folder(user, wanted, "parent") if gone and wanted is not None else parent
        if target is None:
            raise not_found("parent")
        name = item.name if body.get("name") is None else self.items.checked_name(item, body["name"])
        self.items.refuse_taken(target, name, type(item))
        del self.store.trash[item.owner.id][item.id]
        item.trashed, item.name, item.parent = None, name, target
        self.items.attach(target, item)
        self.items.touch(item)
        self.store.events.record(self.store.now(), "undelete", user, item)
        return item

    def purge(self, user: User, kind: str, item_id: str) -> None:
        """DELETE …/trash: gone for good, and the owner's space is free again."""
        item = self.find(user, kind, item_id)
        del self.store.trash[item.owner.id][item.id]
        below = list(self.items.below(item)) if isinstance(item, Folder) else []
        for gone in (item, *below):
            self._destroy(gone)

    def destroy_all(self, user: User) -> None:
        """Everything that a user owns, and every grant to him, when the user himself is deleted."""
        owned = [item for item in self.store.items() if item.owner is user]
        for item in owned:
            self._destroy(item)
        user.root.children.clear()
        user.root.wide.clear()
        self.store.trash.pop(user.id, None)
        for grant in [grant for grant in self.store.collaborations.values() if grant.user is user]:
            self.collaborations.remove(grant)

    def _throw_away(self, user: User, item: Item) -> None:
        self.items.detach(item)
        item.trashed = self.store.now()
        self.store.trash.setdefault(item.owner.id, {})[item.id] = item
        self.items.touch(item)
        self.store.events.record(item.trashed, "delete", user, item)

    def _is_gone(self, folder: Folder) -> bool:
        node: Folder | None = folder
        while node is not None:
            if node.trashed is not None:
                return True
            if node.parent is None:
                return False
            if node.id not in self.store.folders:
                return True
            node = node.parent
        return False

    def _destroy(self, item: Item) -> None:
        for grant in list(item.collaborations or ()):
            self.collaborations.remove(grant)
        if isinstance(item, File):
            item.owner.space_used -= self.items.stored(item)
            for version in item.versions or ():
                self.store.contents.drop(version.blob)
            self.store.contents.drop(item.blob)
            self.store.files.pop(item.id, None)
        else:
            self.store.folders.pop(item.id, None)
        self.store.drop(item)

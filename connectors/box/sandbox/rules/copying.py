"""Copying: one file or a whole folder to another parent. Moving and creating are in `items`."""

from __future__ import annotations

from connectors.box.sandbox.errors import BoxError, bad_request, storage_limit_exceeded
from connectors.box.sandbox.rules import permissions
from connectors.box.sandbox.rules.items import Items
from connectors.box.sandbox.store.records import File, Folder, Item, User
from connectors.box.sandbox.store.store import Store


class Copying:
    """The rules of copies. Everything is checked before anything is made."""

    def __init__(self, store: Store, items: Items) -> None:
        self.store = store
        self.items = items

    def copy(
        self, user: User, item: Item, parent_id: str, name: object | None, version: str | None = None
    ) -> Item:
        """Copy the item to another parent; contents are shared, versions, grants and metadata stay behind."""
        if item.parent is None:
            raise BoxError(500, "internal_server_error", "The root folder cannot be copied")
        permissions.require(user, item, "download")
        target = self.items.folder(user, parent_id, "parent")
        is_folder = isinstance(item, Folder)
        permissions.require(user, target, "create_folder" if is_folder else "upload")
        text = item.name if name is None else self.items.checked_name(item, name)
        if isinstance(item, Folder) and self.items.is_inside(target, item):
            raise BoxError(400, "cyclical_folder_structure", "Folder cannot be copied into itself")
        self.items.refuse_taken(target, text, type(item))
        total = sum(f.size for f in self.items.files_below(item))
        owner = target.owner
        if owner.space_amount >= 0 and owner.space_used + total > owner.space_amount:
            raise storage_limit_exceeded()
        made = self._copy_tree(user, item, target, text, version)
        self.store.events.record(made.created, "copy", user, made)
        return made

    # --- inside ---

    def _copy_tree(self, user: User, item: Item, parent: Folder, name: str, version: str | None) -> Item:
        if isinstance(item, File):
            return self._copy_file(user, item, parent, name, version)
        top = self._copy_folder(user, item, parent, name)
        pairs = [(item, top)]
        while pairs:
            old, new = pairs.pop()
            # The list is taken first: a copy into a folder below the original's parent must not feed itself.
            for child in list(old.children.values()):
                if isinstance(child, File):
                    self._copy_file(user, child, new, child.name, None)
                else:
                    pairs.append((child, self._copy_folder(user, child, new, child.name)))
        return top

    def _copy_folder(self, user: User, old: Folder, parent: Folder, name: str) -> Folder:
        now = self.store.now()
        new = Folder(
            id=self.store.new_id(),
            name=name,
            parent=parent,
            owner=parent.owner,
            created_by=user,
            modified_by=user,
            created=now,
            modified=now,
            description=old.description,
            tags=old.tags,
        )
        self.store.folders[new.id] = new
        self.items.attach(parent, new)
        self.store.save(new)
        return new

    def _copy_file(self, user: User, old: File, parent: Folder, name: str, version: str | None) -> File:
        size, sha1, blob = old.size, old.sha1, old.blob
        if version is not None and version != old.version_id:
            chosen = next((v for v in old.versions or () if v.id == version), None)
            if chosen is None:
                raise bad_request("Unknown version", "version")
            size, sha1, blob = chosen.size, chosen.sha1, chosen.blob
        if blob is not None:
            blob.references += 1
        now = self.store.now()
        new = File(
            id=self.store.new_id(),
            name=name,
            parent=parent,
            owner=parent.owner,
            created_by=user,
            modified_by=user,
            created=now,
            modified=now,
            content_created=old.content_created,
            content_modified=old.content_modified,
            size=size,
            sha1=sha1,
            version_id=self.store.new_id(),
            version_created=now,
            version_by=user,
            blob=blob,
            description=old.description,
            tags=old.tags,
        )
        self.store.files[new.id] = new
        self.items.attach(parent, new)
        new.owner.space_used += size
        self.store.save(new)
        return new

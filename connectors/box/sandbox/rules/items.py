"""Folders and files: creating, finding, renaming, moving. Copying is in `copying`, deleting in `trash`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from connectors.box.sandbox.errors import (
    BoxError,
    file_size_limit_exceeded,
    forbidden,
    name_in_use,
    not_found,
    precondition_failed,
    storage_limit_exceeded,
)
from connectors.box.sandbox.rules import permissions
from connectors.box.sandbox.rules.mini import mini
from connectors.box.sandbox.rules.names import check_file_name, check_folder_name, name_key, wide_key
from connectors.box.sandbox.store.contents import Blob
from connectors.box.sandbox.store.records import ROOT_ID, File, Folder, Item, User, Version
from connectors.box.sandbox.store.store import Store

#: Folders out of sight, by id: how many calls still meet them as absent; None is for ever.
Hidden: TypeAlias = dict[str, int | None]


class Items:
    """The rules of the tree. Every method checks everything before it changes anything."""

    def __init__(self, store: Store, hidden: Hidden) -> None:
        self.store = store
        self.hidden = hidden

    # --- finding ---

    def folder(self, user: User, folder_id: str, parameter: str = "folder") -> Folder:
        """The folder as the user may see it; 404 not_found or trashed otherwise."""
        if folder_id == ROOT_ID:
            return user.root
        folder = self.store.folders.get(folder_id)
        if folder is None or not permissions.sees(user, folder):
            raise not_found(parameter, folder_id)
        self._refuse_hidden(folder, parameter)
        permissions.check_not_trashed(folder)
        return folder

    def file(self, user: User, file_id: str) -> File:
        """The file as the user may see it; 404 not_found or trashed otherwise."""
        file = self.store.files.get(file_id)
        if file is None or not permissions.sees(user, file):
            raise not_found("file", file_id)
        self._refuse_hidden(file, "file")
        permissions.check_not_trashed(file)
        return file

    def file_or_trashed(self, user: User, file_id: str) -> File:
        """The file, the trash included: reading a trashed file answers it with `item_status` trashed."""
        file = self.store.files.get(file_id)
        if file is None or not permissions.sees(user, file):
            raise not_found("file", file_id)
        self._refuse_hidden(file, "file")
        return file

    def is_hidden(self, item: Item) -> bool:
        """The item, or a folder above it, is out of sight for the moment."""
        return bool(self.hidden) and self._hidden_by(item) is not None

    def holders(self, folder: Folder, name: str, *, wide: bool) -> list[Item]:
        """Return what holds this name in the folder; `wide` compares in NFKC as well."""
        key = name_key(name)
        found = [folder.children.get(key)]
        if wide and (not name.isascii() or folder.wide):
            form = wide_key(name)
            found.append(folder.children.get(form))
            if self.store.settings.nfkc_existing:
                found += folder.wide.get(form, ())
        return [item for item in found if item is not None]

    # --- creating ---

    def create_folder(
        self,
        user: User,
        parent_id: str,
        name: object,
        *,
        checked: bool = False,
        folder_id: str | None = None,
    ) -> Folder:
        """A new folder; 409 with an array of conflicts when the name is taken.

        checked: the name was found free a moment ago, and is not looked at again (the race of
        `duplicate_folders_under_race`).
        """
        text = check_folder_name(name, self.store.settings)
        parent = self.folder(user, parent_id, "parent")
        permissions.require(user, parent, "create_folder")
        if not checked:
            self.refuse_taken(parent, text, Folder)
        now = self.store.now()
        folder = Folder(
            id=folder_id or self.store.new_id(),
            name=text,
            parent=parent,
            owner=parent.owner,
            created_by=user,
            modified_by=user,
            created=now,
            modified=now,
        )
        self.store.folders[folder.id] = folder
        self.attach(parent, folder)
        self.store.save(folder)
        self.store.events.record(now, "create", user, folder)
        return folder

    def check_folder(self, user: User, parent_id: str, name: object) -> None:
        """The checks of `create_folder` alone."""
        text = check_folder_name(name, self.store.settings)
        parent = self.folder(user, parent_id, "parent")
        permissions.require(user, parent, "create_folder")
        self.refuse_taken(parent, text, Folder)

    def check_upload(
        self, user: User, parent_id: str, name: object, size: int | None, *, preflight: bool = False
    ) -> tuple[Folder, str]:
        """What an upload, a preflight and a session creation check: parent, name, limits, conflict."""
        text = check_file_name(name, self.store.settings)
        parent = self.folder(user, parent_id, "parent")
        if parent.owner is not user:
            permissions.require(user, parent, "upload")
        if size is not None:
            self.check_room(parent.owner, size)
        self.refuse_taken(parent, text, File, preflight=preflight)
        return parent, text

    def check_room(self, owner: User, size: int) -> None:
        """403 when the folder's owner may not have a file of this size, or has no space for it."""
        if size > owner.max_upload_size:
            raise file_size_limit_exceeded()
        if owner.space_amount >= 0 and owner.space_used + size > owner.space_amount:
            raise storage_limit_exceeded()

    def add_file(
        self,
        user: User,
        parent: Folder,
        name: str,
        size: int,
        sha1: str,
        blob: Blob | None,
        content_created: int | None,
        content_modified: int | None,
    ) -> File:
        """A new file in a place that `check_upload` has just found good."""
        now = self.store.now()
        file = File(
            id=self.store.new_id(),
            name=name,
            parent=parent,
            owner=parent.owner,
            created_by=user,
            modified_by=user,
            created=now,
            modified=now,
            content_created=now if content_created is None else content_created,
            content_modified=now if content_modified is None else content_modified,
            size=size,
            sha1=sha1,
            version_id=self.store.new_id(),
            version_created=now,
            version_by=user,
            blob=blob,
        )
        self.store.files[file.id] = file
        self.attach(parent, file)
        parent.owner.space_used += size
        self.store.save(file)
        self.store.events.record(now, "upload", user, file)
        return file

    def check_version(self, user: User, file_id: str, size: int | None, if_match: str | None) -> File:
        """The file, if the user may give it a new version of this size."""
        file = self.file(user, file_id)
        permissions.require(user, file, "new_version")
        permissions.check_lock(file, user)
        self.check_match(file, if_match)
        if size is not None:
            self.check_room(file.owner, size)
        return file

    def add_version(
        self, user: User, file: File, size: int, sha1: str, blob: Blob | None, content_modified: int | None
    ) -> File:
        """Make new content current and keep the old one as a version."""
        now = self.store.now()
        self._retire_current(file)
        file.version_id = self.store.new_id()
        file.version_created, file.version_by = now, user
        file.version_number += 1
        file.modified, file.modified_by = now, user
        file.content_modified = now if content_modified is None else content_modified
        self.resize(file.parent, size - file.size)
        file.size, file.sha1, file.blob = size, sha1, blob
        file.owner.space_used += size
        self.touch(file)
        self.store.events.record(now, "edit", user, file)
        return file

    # --- changing ---

    def check_match(self, item: Item, if_match: str | None) -> None:
        """412 unless the header is absent, `*` or the current etag."""
        if if_match is not None and if_match.strip('"') not in {"*", str(item.etag)}:
            raise precondition_failed()

    def move_or_rename(self, user: User, item: Item, name: object | None, parent_id: str | None) -> None:
        """Rename and/or move; an absent value keeps what there is."""
        folder = item.parent
        if folder is None:
            raise forbidden()
        target = folder if parent_id is None else self.folder(user, parent_id, "parent")
        text = item.name if name is None else self.checked_name(item, name)
        moves, renames = target is not folder, text != item.name
        if not moves and not renames:
            return
        permissions.require(user, item, "change")
        permissions.check_lock(item, user)
        if moves:
            self._check_move(user, item, target)
        self.refuse_taken(target, text, type(item), but=item)
        self.detach(item)
        if moves and target.owner is not item.owner:
            self.give(item, target.owner)
        item.name = text
        item.parent = target
        self.attach(target, item)
        item.modified, item.modified_by = self.store.now(), user
        self.touch(item)
        self.store.events.record(item.modified, "move" if moves else "rename", user, item)

    def check_rename(self, user: User, item: Item, name: object) -> None:
        """The checks of a rename alone."""
        text = self.checked_name(item, name)
        if text == item.name or item.parent is None:
            return
        permissions.require(user, item, "change")
        self.refuse_taken(item.parent, text, type(item), but=item)

    def checked_name(self, item: Item, name: object) -> str:
        """The name as this kind of item may have it."""
        settings = self.store.settings
        return (
            check_folder_name(name, settings) if isinstance(item, Folder) else check_file_name(name, settings)
        )

    def touch(self, item: Item) -> None:
        """New etag and sequence id, saved."""
        item.etag += 1
        item.sequence += 1
        self.store.save(item)

    # --- the tree ---

    def attach(self, parent: Folder, item: Item) -> None:
        """Put the item under its parent; a second one of the same name gets a key of its own."""
        key = name_key(item.name)
        if key in parent.children:
            key = f"{key}\0{item.id}"
        parent.children[key] = item
        if not item.name.isascii() and (form := wide_key(item.name)) != name_key(item.name):
            parent.wide.setdefault(form, []).append(item)
        parent.edition += 1
        self.resize(parent, item.size)

    def detach(self, item: Item) -> None:
        """Take the item from its parent; a duplicate of its name moves up."""
        parent = item.parent
        if parent is None:
            return
        key = name_key(item.name)
        if parent.children.get(key) is item:
            del parent.children[key]
            twin = next((k for k in parent.children if k.startswith(key + "\0")), None)
            if twin is not None:
                parent.children[key] = parent.children.pop(twin)
        else:
            parent.children.pop(f"{key}\0{item.id}", None)
        if not item.name.isascii() and item in (same := parent.wide.get(wide_key(item.name), [])):
            same.remove(item)
            if not same:
                del parent.wide[wide_key(item.name)]
        parent.edition += 1
        self.resize(parent, -item.size)

    def resize(self, folder: Folder | None, by: int) -> None:
        """Add bytes to a folder and to everything above it, up to one that lies in the trash."""
        while folder is not None:
            folder.size += by
            folder = folder.parent if folder.trashed is None else None

    def below(self, folder: Folder) -> Iterator[Item]:
        """Everything under the folder, parents before children."""
        stack = [folder]
        while stack:
            for child in stack.pop().children.values():
                yield child
                if isinstance(child, Folder):
                    stack.append(child)

    def files_below(self, item: Item) -> Iterator[File]:
        """The file itself, or every file under the folder."""
        if isinstance(item, File):
            yield item
        else:
            yield from (child for child in self.below(item) if isinstance(child, File))

    # --- inside ---

    def refuse_taken(
        self, parent: Folder, name: str, kind: type[Item], *, but: Item | None = None, preflight: bool = False
    ) -> None:
        """Raise 409 when an item other than `but` holds the name; folder calls get the conflict in an array."""
        settings = self.store.settings
        wide = settings.nfkc_folders if kind is Folder or preflight else settings.nfkc_uploads
        for taken in self.holders(parent, name, wide=wide):
            if taken is not but:
                raise name_in_use([mini(taken)] if kind is Folder else mini(taken))

    def _hidden_by(self, item: Item) -> str | None:
        node: Item | None = item
        while node is not None:
            if node.id in self.hidden:
                return node.id
            node = node.parent
        return None

    def _refuse_hidden(self, item: Item, parameter: str) -> None:
        folder_id = self._hidden_by(item) if self.hidden else None
        if folder_id is None:
            return
        left = self.hidden[folder_id]
        if left is not None:
            self.hidden[folder_id] = left - 1
            if left <= 1:
                del self.hidden[folder_id]
        raise not_found(parameter, item.id)

    def _check_move(self, user: User, item: Item, target: Folder) -> None:
        permissions.require_movable(user, item)
        permissions.require(user, target, "create_folder" if isinstance(item, Folder) else "upload")
        if isinstance(item, Folder) and self.is_inside(target, item):
            raise BoxError(400, "cyclical_folder_structure", "Folder cannot be moved into itself")
        if target.owner is not item.owner:
            need = sum(self.stored(file) for file in self.files_below(item))
            owner = target.owner
            if owner.space_amount >= 0 and owner.space_used + need > owner.space_amount:
                raise storage_limit_exceeded()

    def is_inside(self, folder: Folder, ancestor: Folder) -> bool:
        """The folder is the ancestor, or lies anywhere below it."""
        node: Folder | None = folder
        while node is not None:
            if node is ancestor:
                return True
            node = node.parent
        return False

    def stored(self, file: File) -> int:
        """Bytes that the file takes from its owner's space: all versions."""
        return file.size + sum(version.size for version in file.versions or ())

    def give(self, item: Item, owner: User) -> None:
        """Make another user the owner of the item and all below it, and charge him for the bytes."""
        for file in self.files_below(item):
            size = self.stored(file)
            file.owner.space_used -= size
            owner.space_used += size
            file.owner = owner
            self.store.save(file)
        if isinstance(item, Folder):
            item.owner = owner
            for child in self.below(item):
                child.owner = owner
                self.store.save(child)

    def _retire_current(self, file: File) -> None:
        if file.versions is None:
            file.versions = []
        file.versions.append(current_version(file))


def current_version(file: File) -> Version:
    """The file's current content as a version, which it becomes once another one follows."""
    return Version(
        id=file.version_id,
        sha1=file.sha1,
        size=file.size,
        name=file.name,
        created=file.version_created,
        modified_by=file.version_by,
        blob=file.blob,
    )

"""Who may do what to an item: roles over the tree (box.md §8.2, §8.3). Grants are made elsewhere."""

from __future__ import annotations

import time

from connectors.box.sandbox.errors import BoxError, forbidden, not_found, trashed
from connectors.box.sandbox.store.records import Collaboration, Folder, Item, User

#: Order of the roles; a collaboration below one that the user has already must add something to it.
RANKS = {
    "uploader": 1,
    "previewer": 2,
    "viewer": 3,
    "previewer uploader": 4,
    "viewer uploader": 5,
    "editor": 6,
    "co-owner": 7,
    "owner": 8,
}

_READ = {"list", "preview"}
_FILL = {"upload", "create_folder", "metadata"}
_EDIT = _READ | _FILL | {"download", "new_version", "change", "invite", "share"}

#: Support article 360044196413, as box.md §8.3 has it. "owner" may do everything.
CAPABILITIES: dict[str, frozenset[str]] = {
    "uploader": frozenset({"list"} | _FILL),
    "previewer": frozenset(_READ),
    "viewer": frozenset(_READ | {"download"}),
    "previewer uploader": frozenset(_READ | _FILL),
    "viewer uploader": frozenset(_READ | _FILL | {"download", "new_version"}),
    "editor": frozenset(_EDIT),
    "co-owner": frozenset(_EDIT | {"settings"}),
}


def grants(user: User, collaboration: Collaboration) -> bool:
    """The collaboration is in force for this user."""
    if collaboration.status != "accepted":
        return False
    if collaboration.expires is not None and collaboration.expires <= time.time():
        return False
    if collaboration.user is user:
        return True
    return collaboration.group is not None and user.id in collaboration.group.members


def role_of(user: User, item: Item) -> str | None:
    """The highest role that the user has on the item: owner, one of `RANKS`, or None."""
    if item.owner is user:
        return "owner"
    best: str | None = None
    node: Item | None = item
    while node is not None:
        for collaboration in node.collaborations or ():
            if grants(user, collaboration) and (best is None or RANKS[collaboration.role] > RANKS[best]):
                best = collaboration.role
        node = node.parent
    return best


def sees(user: User, item: Item) -> bool:
    """The item exists for this user."""
    return item.owner is user or role_of(user, item) is not None


def require(user: User, item: Item, capability: str) -> None:
    """Raise 404 when the user cannot see the item, 403 when his role lacks the capability.

    Capabilities: list, preview, download, upload, new_version, create_folder, metadata, change, invite, share,
    settings, own.
    """
    if item.owner is user:
        return
    role = role_of(user, item)
    if role is None:
        raise not_found(item.kind, item.id)
    if role != "owner" and capability not in CAPABILITIES[role]:
        raise forbidden()


def require_movable(user: User, item: Item) -> None:
    """`change`, and not the collaborated top folder itself, which only its owner may move or delete."""
    require(user, item, "change")
    if item.owner is user:
        return
    parent = item.parent
    if parent is None or not sees(user, parent):
        raise forbidden()


def visible_path(user: User, item: Item) -> list[Folder]:
    """The ancestors that the user can see, outermost first, without the root.

    A collaborator sees from the collaborated folder on, or the whole path with `can_view_path`.
    """
    path: list[Folder] = []
    node = item.parent
    while node is not None and node.parent is not None:
        path.append(node)
        node = node.parent
    path.reverse()
    if item.owner is user:
        return path
    for index, folder in enumerate(path):
        for collaboration in folder.collaborations or ():
            if grants(user, collaboration):
                return path if collaboration.can_view_path else path[index:]
    own = item.collaborations or ()
    return path if any(grants(user, c) and c.can_view_path for c in own) else []


def check_not_trashed(item: Item) -> None:
    """Raise 404 trashed for an item in the trash or below a trashed folder."""
    node: Item | None = item
    while node is not None:
        if node.trashed is not None:
            raise trashed()
        node = node.parent


def check_lock(item: Item, user: User) -> None:
    """403 access_denied_item_locked when somebody else holds a lock on the file."""
    lock = getattr(item, "lock", None)
    if lock is None or (lock["expires_at"] is not None and lock["expires_at"] <= time.time()):
        return
    if lock["created_by"] is not user:
        raise BoxError(403, "access_denied_item_locked", "The item is currently locked")

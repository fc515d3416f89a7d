"""What the Box holds, dumped for tests and rehearsals: trees, files, folders, grants, sessions. Reads only."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

from connectors.box.sandbox.core import Core
from connectors.box.sandbox.store.records import Collaboration, File, Folder, Item, User

Dump: TypeAlias = dict[str, Any]


class FileDump(NamedTuple):
    """One file; times in whole seconds since the epoch, `versions` counts the current one too."""

    id: str
    name: str
    size: int
    sha1: str
    content_created: int
    content_modified: int
    versions: int
    owner: str
    created_by: str
    etag: str


def tree(core: Core, folder_id: str = "0", user_id: str | None = None) -> dict[str, Dump]:
    """Path below the folder → item, for a user's own tree (the service account's by default).

    A second item of the same name (a duplicate that a race let in) has its id after a `#`.
    """
    user = core.service_account if user_id is None else core.store.users[user_id]
    folder = user.root if folder_id == "0" else core.store.folders[folder_id]
    found: dict[str, Dump] = {}
    for path, item in _walk(folder):
        key = path if path not in found else f"{path}#{item.id}"
        found[key] = _dump(item)
    return found


def files(core: Core) -> dict[str, FileDump]:
    """Path → file, over the trees of all users; paths of other users than the service account start with `~login/`."""
    found: dict[str, FileDump] = {}
    for path, item in _everything(core):
        if isinstance(item, File):
            found[path if path not in found else f"{path}#{item.id}"] = file_dump(item)
    return found


def folders(core: Core) -> list[str]:
    """All folder paths in order, duplicates included."""
    return sorted(path for path, item in _everything(core) if isinstance(item, Folder))


def file_dump(file: File) -> FileDump:
    """One file as `files` gives it."""
    return FileDump(
        file.id,
        file.name,
        file.size,
        file.sha1,
        file.content_created,
        file.content_modified,
        1 + len(file.versions or ()),
        file.owner.login,
        file.created_by.login,
        str(file.etag),
    )


def collaborations(core: Core) -> list[Dump]:
    """Every grant there is."""
    return [_grant(grant) | {"path": path_of(grant.item)} for grant in core.store.collaborations.values()]


def open_sessions(core: Core) -> list[Dump]:
    """Every upload session that is neither committed, aborted nor expired."""
    core.sessions.expire_old()
    return [
        {
            "id": session.id,
            "name": session.name,
            "size": session.size,
            "part_size": session.part_size,
            "folder_id": session.folder.id,
            "file_id": None if session.file is None else session.file.id,
            "user": session.user.login,
            "parts": sorted(session.parts),
        }
        for session in core.store.sessions.values()
    ]


def users(core: Core) -> list[Dump]:
    """Every user with his space."""
    return [user(one) for one in core.store.users.values()]


def user(one: User) -> Dump:
    """One user with his space."""
    return {
        "id": one.id,
        "login": one.login,
        "aliases": list(one.aliases),
        "name": one.name,
        "kind": one.kind,
        "space_amount": one.space_amount,
        "space_used": one.space_used,
        "status": one.status,
    }


def path_of(item: Item) -> str:
    """Names from the root down, joined by `/`."""
    names: list[str] = []
    node: Item | None = item
    while node is not None and node.parent is not None:
        names.append(node.name)
        node = node.parent
    return "/".join(reversed(names))


def _everything(core: Core) -> list[tuple[str, Item]]:
    service = core.service_account
    found: list[tuple[str, Item]] = []
    for owner in core.store.users.values():
        prefix = "" if owner is service else f"~{owner.login}/"
        found.extend((prefix + path, item) for path, item in _walk(owner.root))
    return found


def _walk(folder: Folder) -> list[tuple[str, Item]]:
    found: list[tuple[str, Item]] = []
    stack: list[tuple[str, Folder]] = [("", folder)]
    while stack:
        prefix, node = stack.pop()
        for child in node.children.values():
            path = prefix + child.name
            found.append((path, child))
            if isinstance(child, Folder):
                stack.append((path + "/", child))
    return found


def _dump(item: Item) -> Dump:
    dump: Dump = {
        "type": item.kind,
        "id": item.id,
        "size": item.size,
        "owner": item.owner.login,
        "created_by": item.created_by.login,
        "created": item.created,
        "modified": item.modified,
        "collaborations": [_grant(grant) for grant in item.collaborations or ()],
    }
    if isinstance(item, File):
        dump |= {
            "sha1": item.sha1,
            "content_created": item.content_created,
            "content_modified": item.content_modified,
            "versions": 1 + len(item.versions or ()),
        }
    return dump


def _grant(grant: Collaboration) -> Dump:
    holder = grant.user.login if grant.user is not None else grant.invite_email
    return {
        "id": grant.id,
        "item_id": grant.item.id,
        "role": grant.role,
        "status": grant.status,
        "login": None if grant.group is not None else holder,
        "group": None if grant.group is None else grant.group.name,
    }

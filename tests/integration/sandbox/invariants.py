"""What must hold of a Box whatever was done to it."""

from __future__ import annotations

import hashlib
from collections import Counter

from connectors.box.sandbox import Sandbox
from connectors.box.sandbox.rules.names import name_key
from connectors.box.sandbox.store.contents import Blob
from connectors.box.sandbox.store.records import File, Folder


def check(box: Sandbox) -> None:
    """Assert that names are unique, sums are right, and nothing is lost or held twice."""
    with box.core.store.lock:
        _check_tree(box)
        _check_space(box)
        _check_memory(box)


def _check_tree(box: Sandbox) -> None:
    store = box.core.store
    tops: list[Folder] = [user.root for user in store.users.values()]
    trashed = [item for bin_ in store.trash.values() for item in bin_.values()]
    seen = Counter(item.id for item in trashed)
    stack = tops + [item for item in trashed if isinstance(item, Folder)]
    while stack:
        folder = stack.pop()
        assert len(folder.children) == len({name_key(child.name) for child in folder.children.values()})
        assert folder.size == sum(child.size for child in folder.children.values())
        for key, child in folder.children.items():
            assert key == name_key(child.name)
            assert child.parent is folder
            assert child.owner is folder.owner
            assert child.trashed is None
            seen[child.id] += 1
            if isinstance(child, Folder):
                stack.append(child)
    assert set(seen.values()) <= {1}
    assert set(seen) == set(store.folders) | set(store.files)


def _check_space(box: Sandbox) -> None:
    used: Counter[str] = Counter()
    for file in box.core.store.files.values():
        used[file.owner.id] += file.size + sum(version.size for version in file.versions or ())
        assert file.version_number == 1 + len(file.versions or ())
    for user in box.core.store.users.values():
        assert user.space_used == used[user.id]
        assert user.space_amount < 0 or user.space_used <= user.space_amount


def _check_memory(box: Sandbox) -> None:
    """Every blob in memory is counted once, however many files and sessions hold it."""
    store = box.core.store
    found: dict[int, Blob] = {}

    def visit(blob: Blob | None) -> None:
        if blob is not None:
            found[id(blob)] = blob
            for piece in blob.pieces:
                visit(piece)

    for file in store.files.values():
        for holder in (file, *(file.versions or ())):
            visit(holder.blob)
    for session in store.sessions.values():
        for part in session.parts.values():
            visit(part.blob)
    held = sum(blob.size for blob in found.values() if blob.data is not None)
    assert store.contents.memory_left == box.config.memory_bytes - held
    assert all(blob.references > 0 for blob in found.values())


def content_is_right(box: Sandbox, file: File) -> bool:
    """The kept bytes have the size and the digest that the file claims."""
    content = box.content(file.id)
    return content is not None and (len(content), hashlib.sha1(content).hexdigest()) == (file.size, file.sha1)

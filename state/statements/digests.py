"""Digests: what is remembered of a folder's last listing, and forgotten as soon as anything else changes its rows.

A folder whose listing has the digest that is remembered is not compared. That is right as long as comparing would
change nothing, so whoever writes to the rows of a folder's children outside the recording of its listing forgets its
digest in the same transaction.

While a folder is claimed for the walk and nothing is remembered, a mark of that claim stands in the column. It is
forgotten like a digest, so that a listing whose rows changed after they were read leaves none (see `remembered`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, and_, select, update

from state.database.models import Folder, Item
from state.statements.base import IDS_PER_STATEMENT, in_chunks
from state.statements.bulk import is_postgresql, one_of

#: What a folder without a digest has; in `values()` of an update that changes the folder anyway.
FORGOTTEN: dict[str, Any] = {"listing_digest": None}

_KNOWN = Folder.listing_digest.is_not(None)

_FORGET = {
    postgresql: update(Folder).where(one_of(Folder.id, postgresql=postgresql), _KNOWN).values(FORGOTTEN)
    for postgresql in (False, True)
}


def forget_listings(connection: Connection, folder_ids: Iterable[int | None]) -> None:
    """Whatever these folders list, it is compared next time. Writes nothing where nothing is remembered.

    None, the folder above a tree's own, is none.
    """
    statement = _FORGET[is_postgresql(connection)]
    ids = sorted({folder_id for folder_id in folder_ids if folder_id is not None})
    for chunk in in_chunks(ids, IDS_PER_STATEMENT):
        connection.execute(statement, {"ids": list(chunk)})


def forget_listings_of_items(connection: Connection, *which: Any) -> None:
    """The same of the folders in which these items are; to be said before the items change."""
    folders = select(Item.folder_id).where(*which)
    connection.execute(update(Folder).where(Folder.id.in_(folders), _KNOWN).values(FORGOTTEN))


def forget_listings_of_folders(connection: Connection, *which: Any) -> None:
    """The same of these folders and of the folders above them; to be said before they change."""
    above = select(Folder.parent_id).where(*which, Folder.parent_id.is_not(None))
    connection.execute(update(Folder).where(Folder.id.in_(above), _KNOWN).values(FORGOTTEN))
    connection.execute(update(Folder).where(and_(*which), _KNOWN).values(FORGOTTEN))


def remembered(folder: Any, digest: str | None, *, seen: str | None) -> str | None:
    """What is remembered of a folder whose listing was compared and found to change nothing.

    `seen`: what the column had before the rows were read. When it has something else by now, they changed meanwhile.
    """
    return digest if digest is not None and seen is not None and folder.listing_digest == seen else None

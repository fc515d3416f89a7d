"""Files and folders changed where they are: a new date, another name or place, the trash.

Every call carries the etag of what is to be changed, so that nothing that somebody else did meanwhile is undone. A call
whose answer was lost is refused when it is repeated: then the thing itself is looked at.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from connectors.box.client.connection import BoxConnection
from connectors.box.client.refusal import status_of
from connectors.box.files import file_info
from connectors.box.folders import folder_info
from connectors.box.types import Changed, Known, Place
from connectors.box.values import box_date, json_object, moment_of, text_of
from connectors.entry import EntryKind
from connectors.errors import ChangedInBox, DestinationGone, Rejected

#: Returns the etag as it is now, and whether nothing is left to do.
Look = Callable[[], tuple[Changed, bool]]


class BoxItems:
    """Changes what is there already, as the service account."""

    def __init__(self, connection: BoxConnection) -> None:
        self._connection = connection

    def set_date(self, known: Known, modified_ns: int) -> Changed:
        """Give a file this date (whole seconds), and no new version.

        ChangedInBox when its content is not what `known` says any more, DestinationGone.
        """
        date = box_date(modified_ns)

        def look() -> tuple[Changed, bool]:
            stored = file_info(self._connection, known.box_id)
            if stored.trashed:
                raise DestinationGone(f"The Box file {known.box_id} is in the trash.")
            if known.version_id not in (None, stored.version_id) or known.sha1 not in (None, stored.sha1):
                raise ChangedInBox("somebody put another version over it in Box")
            return Changed(etag=stored.etag, name=stored.name), stored.content_modified == moment_of(date)

        return _change(self._connection, known, {"content_modified_at": date}, look)

    def move(self, known: Known, old: Place, new: Place) -> Changed:
        """Move and rename a file or a folder, with all that is below it, in one call. The id stays.

        ChangedInBox when it is neither where `old` nor where `new` says; NameInUse when something has the name there;
        NameRejected, DestinationGone.
        """

        def look() -> tuple[Changed, bool]:
            same = True
            if known.kind is EntryKind.FOLDER:
                folder = folder_info(self._connection, known.box_id)
                now, etag = Place(folder.parent_id or "", folder.name), folder.etag
            else:
                file = file_info(self._connection, known.box_id)
                if file.trashed:
                    raise DestinationGone(f"The Box file {known.box_id} is in the trash.")
                now, etag = Place(file.parent_id or "", file.name), file.etag
                same = known.version_id in (None, file.version_id)
            if now not in (old, new):
                raise ChangedInBox(f"somebody moved or renamed it in Box; it is called {now.name!r} there")
            return Changed(etag=etag, name=now.name, same_content=same), now == new

        wanted: dict[str, Any] = {}
        if new.name != old.name:
            wanted["name"] = new.name
        if new.parent_id != old.parent_id:
            wanted["parent"] = {"id": new.parent_id}
        return _change(self._connection, known, wanted, look)

    def trash(self, known: Known) -> None:
        """Put a file, or a folder with all that is below it, into the trash; gone already counts as done.

        ChangedInBox when it has another etag than `known` says, LockedInBox, NotPermitted.
        """
        kind = _routes(known)
        recursive = {"recursive": "true"} if known.kind is EntryKind.FOLDER else {}
        try:
            self._connection.ask(
                f"DELETE /{kind}/:id",
                f"/{kind}/{known.box_id}",
                params=recursive,
                headers={"if-match": known.etag or ""},
            )
        except DestinationGone:
            return
        except Rejected as exc:
            if status_of(exc) == 412:
                raise ChangedInBox("somebody changed it in Box meanwhile") from exc
            raise


# --- private ---


def _change(connection: BoxConnection, known: Known, wanted: dict[str, Any], look: Look) -> Changed:
    kind = _routes(known)
    route = f"PUT /{kind}/:id"

    def send(etag: str | None) -> Changed:
        answer = connection.ask(
            route,
            f"/{kind}/{known.box_id}",
            params={"fields": "name,etag"},
            data=wanted,
            headers={"if-match": etag or "*"},
        )
        made = json_object(answer.data, route)
        return Changed(etag=text_of(made.get("etag")), name=str(made.get("name") or known.name))

    if known.etag is not None:
        try:
            return send(known.etag)
        except Rejected as exc:
            if status_of(exc) != 412:
                raise
    now, is_done = look()
    return now if is_done else replace(send(now.etag), same_content=now.same_content)


def _routes(known: Known) -> str:
    return "folders" if known.kind is EntryKind.FOLDER else "files"

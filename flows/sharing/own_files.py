"""Own files: the plan's reports that were put into Box. What a kill left unrecorded is known again, and written down.

Before a report is sent, its folder, name and sha1 are written down. A file that has all three, and that nobody but our
account made and changed, is what was sent then.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any

from connectors.box.destination import BoxDestination
from connectors.box.types import BoxChild, BoxFile
from connectors.errors import DestinationGone, ItemError
from state.checkpoint import Checkpoint


class OwnFiles:
    """The reports of one plan in Box. Safe for threads."""

    def __init__(self, checkpoint: Checkpoint, box: BoxDestination, plan_name: str) -> None:
        self._checkpoint, self._box, self._plan_name = checkpoint, box, plan_name
        self._reading = threading.Lock()
        self._mark = -1
        self._kept: tuple[set[tuple[str, str]], dict[str, dict[str, Any]]] = set(), {}

    def ids_among(self, folder_id: str | None, listed: Iterable[BoxChild]) -> set[str]:
        """Ids of those of a folder's entries that are the plan's reports as they were left."""
        own, intents = self._known()
        found, others = set[str](), list[BoxChild]()
        for child in listed:
            if (child.id, child.sha1) in own:
                found.add(child.id)
            else:
                others.append(child)
        if not others:
            return found
        for key, intent in intents.items():
            wanted = (intent["folder"], intent["name"], intent["sha1"])
            for child in others:
                if (folder_id, child.name, child.sha1) == wanted and self._adopt(key, intent, child.id):
                    found.add(child.id)
        return found

    def _known(self) -> tuple[set[tuple[str, str]], dict[str, dict[str, Any]]]:
        """Ids and sha1 of all of them, and what was intended; read again once something was written down: a plan may
        have thousands, and each of its folders asks."""
        mark = self._checkpoint.reports_mark()
        with self._reading:
            if mark != self._mark:
                files = self._checkpoint.reports_in_box(self._plan_name).values()
                intents = self._checkpoint.report_intents(self._plan_name)
                self._kept = {(file["id"], file["sha1"]) for file in files}, intents
                self._mark = mark
            return self._kept

    def adopt(self, key: str) -> None:
        """Look in Box for what was about to be sent under this key, if a kill left it unrecorded."""
        _, intent = self._checkpoint.report_in_box(self._plan_name, key)
        if intent is None:
            return
        try:
            for child in self._box.list_folder(intent["folder"]):
                if (child.name, child.sha1) == (intent["name"], intent["sha1"]):
                    self._adopt(key, intent, child.id)
                    return
        except DestinationGone:
            return

    def is_by_us(self, there: BoxFile) -> bool:
        """Tell whether nobody but the account had a hand in a file."""
        return {there.created_by_id, there.modified_by_id} == {self._box.whoami().id}

    def _adopt(self, key: str, intent: dict[str, Any], file_id: str) -> bool:
        try:
            there = self._box.file_info(file_id)
        except ItemError:
            return False
        if there.trashed or there.sha1 != intent["sha1"] or not self.is_by_us(there):
            return False
        file = {"id": there.id, "version": there.version_id, "sha1": there.sha1, "name": there.name}
        file["folder"] = intent["folder"]
        self._checkpoint.record_report_in_box(self._plan_name, key, file)
        return True

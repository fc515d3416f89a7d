"""Addresses of contents: what a download answers with, valid for a while and without a token."""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from typing import NamedTuple

from connectors.box.sandbox.store.contents import Blob

#: The path that stands for Box's download host.
DOWNLOADS = "/dl"
MAX_ADDRESSES = 10_000
LIFE_SECONDS = 15 * 60


class Download(NamedTuple):
    """What an address leads to: the content as it was when the address was made."""

    blob: Blob | None
    size: int
    sha1: str
    name: str


class Downloads:
    """The newest addresses."""

    def __init__(self) -> None:
        self._addresses: OrderedDict[str, tuple[float, Download]] = OrderedDict()

    def issue(self, download: Download) -> str:
        """A new ticket."""
        ticket = secrets.token_urlsafe(24)
        self._addresses[ticket] = (time.monotonic() + LIFE_SECONDS, download)
        if len(self._addresses) > MAX_ADDRESSES:
            self._addresses.popitem(last=False)
        return ticket

    def find(self, ticket: str) -> Download | None:
        """What the ticket leads to, while it is valid."""
        until, download = self._addresses.get(ticket, (0.0, None))
        if download is None or until <= time.monotonic():
            return None
        # A purged file's bytes are gone, whatever addresses are about.
        return None if download.blob is not None and download.blob.references < 1 else download

    def clear(self) -> None:
        """Forget every ticket."""
        self._addresses.clear()

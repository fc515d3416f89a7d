"""Listing folders of an SMB share: one compound of CREATE and QUERY_DIRECTORY each, then pages, some at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from typing import Any, NamedTuple

from connectors.sources.smb import wire
from connectors.sources.smb.carrier import Answer
from connectors.sources.smb.connection import SMBLink, data_of
from connectors.sources.smb.status import SMBStatusError

#: Pages of a large folder that are asked for together.
PAGES_AT_ONCE = 4
#: Folders that are asked for and have not come. The server takes those of one connection one after the other, so that
#: many cost it no more than few.
FOLDERS_IN_FLIGHT = 16


class Listing(NamedTuple):
    """What the folder itself is, and its records as the server sent them (wire.directory_records)."""

    folder: wire.Record
    pages: list[bytes]


def list_folder(link: SMBLink, path: str, *, follow_data_tag: bool = False) -> Listing:
    """List a folder: one round trip for some 1,200 entries.

    A link is opened itself, unless its tag is known to hold the folder's own entries. Raises the errors of status.py.
    """
    opening = wire.open_folder(path, follow_data_tag=follow_data_tag)
    created, *pages = link.answers(opening, _first_pages(link))
    return _finish(link, path, data_of(created, path), pages)


def list_together(link: SMBLink, paths: Iterable[str]) -> Iterator[tuple[str, Listing]]:
    """List folders, `FOLDERS_IN_FLIGHT` asked for at any time, each yielded when it has come: while it is looked at,
    the server is at work on the next ones.

    `paths` is drawn from as answers come. Those that answer with an error, or are links, are left out: to be asked for
    by themselves; those behind one that finds no room in the server's credits, too. Raises SMBConnectionLostError and
    SMBUnreachableError, which say nothing of any folder.
    """
    waiting, flying = iter(paths), deque[tuple[str, list[Any]]]()
    with link.gathering():
        while _send_more(link, waiting, flying):
            path, sent = flying.popleft()
            created, *pages = link.take(sent)
            if created.status:
                continue
            with suppress(SMBStatusError):
                found = _finish(link, path, created.data, pages)
                if found.folder.is_folder and not found.folder.attributes & wire.ATTRIBUTE_REPARSE_POINT:
                    yield path, found


def _send_more(link: SMBLink, waiting: Iterator[str], flying: deque[tuple[str, list[Any]]]) -> bool:
    """Ask for as many folders as have room, once half of them have come; False when all have."""
    if len(flying) <= FOLDERS_IN_FLIGHT // 2:
        for path in islice(waiting, FOLDERS_IN_FLIGHT - len(flying)):
            sent = link.start(wire.open_folder(path), _first_pages(link))
            if sent is None:
                break
            flying.append((path, sent))
    return bool(flying)


def _first_pages(link: SMBLink) -> list[wire.OnFile]:
    return [wire.query_directory(link.answer_buffer)] * 2


def _finish(link: SMBLink, path: str, created: bytes, answers: Sequence[Answer]) -> Listing:
    """Take the first pages, ask for more until one is empty, and close the folder."""
    handle, folder = wire.created_file(created)
    more = wire.query_directory(link.answer_buffer)(handle)
    try:
        pages = [data_of(answer, path) for answer in answers]
        found = _payloads(pages)
        while all(pages):
            pages = link.ask_together(path, [more] * PAGES_AT_ONCE)
            found += _payloads(pages)
    finally:
        link.release(handle)
    return Listing(folder, found)


def _payloads(pages: Sequence[bytes]) -> list[bytes]:
    return [wire.output_buffer(page) for page in pages if page]

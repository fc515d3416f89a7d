"""Reading small files of an SMB share: one compound each opens, reads, looks again and closes; many in flight."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import islice
from typing import Any, NamedTuple, TypeGuard

from connectors.sources.smb import wire
from connectors.sources.smb.connection import SMBLink, SMBWhole
from connectors.sources.smb.status import SMBStatusError

#: Files that are asked for and have not come. Each takes five credits, or some more where it is large.
FILES_IN_FLIGHT = 32


class _Asked(NamedTuple):
    path: str
    size: int
    sent: list[Any]


def read_together(
    link: SMBLink, wanted: Iterable[tuple[str, int]], *, recall: bool = False
) -> Iterator[tuple[str, SMBWhole]]:
    """Read files of up to so many bytes, each yielded when it has come: while it is looked at, the server is at work on
    the next ones. No file stays open between two answers.

    `wanted`, paths with sizes, is drawn from as answers come. Those that answer with an error, have more, or are links
    are left out: to be asked for by themselves; those that find no room in the server's credits, too. Raises
    SMBConnectionLostError and SMBUnreachableError, which say nothing of any file.
    """
    waiting, flying = iter(wanted), deque[_Asked]()
    with link.gathering():
        while _send_more(link, waiting, flying, recall=recall):
            path, size, sent = flying.popleft()
            with suppress(SMBStatusError):
                whole = link.finish_whole(path, size, sent)
                if is_plain(whole):
                    yield path, whole


def is_plain(whole: SMBWhole | None) -> TypeGuard[SMBWhole]:
    """Whether there is such a file, and it is no link nor anything else that stands for another."""
    if whole is None:
        return False
    return not (whole.before.attributes | whole.after.attributes) & wire.ATTRIBUTE_REPARSE_POINT


def _send_more(
    link: SMBLink, waiting: Iterator[tuple[str, int]], flying: deque[_Asked], *, recall: bool
) -> bool:
    """Ask for as many files as have room, once half of them have come; False when all have."""
    if len(flying) <= FILES_IN_FLIGHT // 2:
        for path, size in islice(waiting, FILES_IN_FLIGHT - len(flying)):
            if (sent := link.start_whole(path, size, recall=recall)) is not None:
                flying.append(_Asked(path, size, sent))
    return bool(flying)

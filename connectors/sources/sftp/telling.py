"""What a path is, on servers whose attributes do not say it: a folder can be listed, a file can be opened."""

from __future__ import annotations

import posixpath
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import cast

import asyncssh

from connectors.entry import EntryKind
from connectors.sources.sftp.attributes import kind_of
from connectors.sources.sftp.status import is_lost


async def tell(
    channel: asyncssh.SFTPClient, path: str, *, follow: bool = False
) -> tuple[EntryKind, asyncssh.SFTPAttrs]:
    """What is at a path, and its attributes. UNKNOWN when it can neither be listed nor opened, or may be a link.

    A link is told by reading it, before anything is opened that would follow it (P5); `follow` is for the root, which
    whoever wrote the plan chose. Raises what asyncssh raises where nothing is there, or the connection is lost.
    """
    attributes = await (channel.stat(path) if follow else channel.lstat(path))
    kind = kind_of(attributes)
    if kind is EntryKind.UNKNOWN and not follow:
        if await _is_read_as_link(channel, path):
            return EntryKind.SYMLINK, attributes
        if not await _is_itself(channel, path):
            return kind, attributes
    if kind is EntryKind.UNKNOWN and await _can_be_listed(channel, path):
        return EntryKind.FOLDER, attributes
    if kind is EntryKind.UNKNOWN or (kind is EntryKind.FILE and attributes.size is None):
        return await _opened(channel, path, attributes)
    return kind, attributes


async def _is_read_as_link(channel: asyncssh.SFTPClient, path: str) -> bool:
    try:
        await channel.readlink(path)
    except asyncssh.SFTPError as exc:
        _require_answer(exc)
        return False
    return True


async def _is_itself(channel: asyncssh.SFTPClient, path: str) -> bool:
    """True when the server resolves the path to itself: no link that it did not want to read leads elsewhere."""
    folder, name = posixpath.split(path)
    try:
        real = str(await channel.realpath(path))
        return real.casefold() == posixpath.join(str(await channel.realpath(folder)), name).casefold()
    except asyncssh.SFTPError as exc:
        _require_answer(exc)
        return False


async def _can_be_listed(channel: asyncssh.SFTPClient, path: str) -> bool:
    try:
        async with aclosing(cast(AsyncGenerator[asyncssh.SFTPName, None], channel.scandir(path))) as names:
            async for _ in names:
                break
    except asyncssh.SFTPError as exc:
        _require_answer(exc)
        return False
    return True


async def _opened(
    channel: asyncssh.SFTPClient, path: str, attributes: asyncssh.SFTPAttrs
) -> tuple[EntryKind, asyncssh.SFTPAttrs]:
    """What an opened file says of itself; UNKNOWN when the server does not open it."""
    try:
        async with await channel.open(path, "rb") as file:
            if attributes.size is None:
                attributes = await file.stat()
    except asyncssh.SFTPError as exc:
        _require_answer(exc)
        return EntryKind.UNKNOWN, attributes
    return EntryKind.FILE, attributes


def _require_answer(exc: asyncssh.SFTPError) -> None:
    """Raise it when the connection is lost. "Bad message" is how OpenSSH answers a request that does not fit."""
    if is_lost(exc) and not isinstance(exc, asyncssh.SFTPBadMessage):
        raise exc

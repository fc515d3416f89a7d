"""SFTPFileSystem: one SSH connection with several channels, and the files that it has open."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import suppress
from typing import Any

import asyncssh
from fsspec.asyn import sync
from sshfs import SSHFileSystem

from connectors.sources.sftp.attributes import info_of
from connectors.sources.sftp.config import SFTPConfig
from connectors.sources.sftp.status import is_lost
from connectors.sources.sftp.telling import tell

#: What came of a listing in so many seconds is handed over; what the limit for an answer is added to.
PAGE_SECONDS = 1.0


class SFTPFileSystem(SSHFileSystem):  # type: ignore[misc]
    """sshfs without following links, with all the attributes of a listing, and with names that are no Unicode."""

    cachable = False

    def __init__(self, config: SFTPConfig) -> None:
        """Connect; raises what asyncssh raises."""
        self._pid = os.getpid()
        self._ended = False
        self._answer_seconds = config.request_timeout_seconds
        super().__init__(
            config.host,
            sftp_client_kwargs={"path_errors": "surrogateescape"},
            **config.connect_options(),
        )

    @property
    def usable(self) -> bool:
        """False after the connection was lost or closed, and in a forked child."""
        return self._pid == os.getpid() and not self._ended and not self.client.is_closed()

    def run(self, coroutine: Any, *arguments: Any, more_seconds: float = 0.0) -> Any:
        """A coroutine in fsspec's loop, with a limit for its answer."""
        limit = self._answer_seconds + more_seconds
        return sync(self.loop, coroutine, *arguments, timeout=limit)

    async def look(self, path: str) -> dict[str, Any]:
        """What is there, itself if it is a link."""
        async with self._pool.get() as channel:
            kind, attributes = await tell(channel, path)
        return info_of(path, attributes, kind=kind)

    async def look_behind_link(self, path: str) -> dict[str, Any]:
        """As `look`, with a link resolved."""
        async with self._pool.get() as channel:
            kind, attributes = await tell(channel, path, follow=True)
        return info_of(path, attributes, kind=kind)

    async def look_at_many(self, paths: Sequence[str]) -> list[dict[str, Any] | BaseException]:
        """As `look`, for some paths at once: what each is, or why that cannot be said."""
        return await asyncio.gather(*map(self.look, paths), return_exceptions=True)

    async def pages(self, path: str) -> AsyncGenerator[list[asyncssh.SFTPName], None]:
        """A folder piece by piece, "." and ".." included where the server lists them."""
        async with self._pool.get() as channel:
            clock = asyncio.get_running_loop().time
            page: list[asyncssh.SFTPName] = []
            until = clock() + PAGE_SECONDS
            async for name in channel.scandir(path):
                page.append(name)
                if clock() > until:
                    yield page
                    page, until = [], clock() + PAGE_SECONDS
            yield page

    async def open_for_reading(self, path: str) -> asyncssh.SFTPClientFile:
        """A file, read in parallel blocks of the size that the server likes."""
        async with self._pool.get() as channel:
            file: asyncssh.SFTPClientFile = await channel.open(path, "rb")
            return file

    def close(self) -> None:
        """Close the connection; never raises."""
        if self._ended or self._pid != os.getpid():
            return
        self._ended = True
        with suppress(Exception):
            sync(self.loop, self._end, timeout=5)

    async def _end(self) -> None:
        await self._pool.close()
        await self._stack.aclose()


class SFTPFile:
    """An asyncssh file as a RawFile."""

    def __init__(
        self, filesystem: SFTPFileSystem, file: asyncssh.SFTPClientFile, *, lost: Callable[[], None]
    ) -> None:
        """`lost` is called when the connection turns out to be lost."""
        self._filesystem = filesystem
        self._file = file
        self._lost = lost
        self._offset = 0

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes."""
        if not self._filesystem.usable:
            raise ConnectionError("the connection is gone")
        try:
            data: bytes = self._filesystem.run(self._file.read, size, self._offset)
        except Exception as exc:
            if is_lost(exc):
                self._lost()
            raise
        self._offset += len(data)
        return data

    def seek(self, offset: int, /) -> int:
        """Move to an absolute offset."""
        self._offset = offset
        return offset

    def close(self) -> None:
        """Close the handle."""
        if self._filesystem.usable:
            self._filesystem.run(self._file.close)

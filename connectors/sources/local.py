"""LocalSource: a folder of this machine, NFS mounts included. POSIX only; follows no link anywhere."""

from __future__ import annotations

import errno
import os
import pwd
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Self
from urllib.parse import unquote

from pydantic import BaseModel, ConfigDict, Field

from connectors.entry import LINK_REASON, Entry, EntryKind, Fault, listed_entry
from connectors.errors import AccessDenied, NotAFile, ReadFailed
from connectors.source import AccessTimes, WholeFile
from connectors.sources.beneath import open_beneath
from connectors.sources.birth import born_ns
from connectors.sources.location import Location
from connectors.sources.paths import bytes_of, name_of
from connectors.sources.patience import Patience
from connectors.sources.reopening import OpenedFile, read_up_to
from connectors.sources.resilient import WALKERS, ResilientSource
from connectors.sources.root import RootMemory

#: File systems, by the beginning of their name, whose inode numbers do not outlive a mount.
UNSTABLE_IDS = ("fuse", "vfat", "msdos", "exfat", "9p", "vboxsf")

#: File systems whose times are by a server's clock, which may be another than ours.
OF_OTHER_CLOCKS = ("nfs", "cifs", "smb", "ceph", "lustre", "gluster", *UNSTABLE_IDS)

_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# O_NONBLOCK: opening a FIFO that took a file's place must not wait for a writer.
_FILE_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
# To look at it alone: what cannot be read can be looked at, and a link is looked at itself. Linux has it.
_LOOK_FLAGS = getattr(os, "O_PATH", 0) | os.O_NOFOLLOW | os.O_CLOEXEC
# Without touching the access time, where the system lets us (P5).
_QUIET = getattr(os, "O_NOATIME", 0)


class LocalConfig(BaseModel):
    """A folder of this machine."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    path: Path = Field(description="Absolute path of the root folder.")

    @classmethod
    def from_location(cls, location: Location, options: Mapping[str, Any]) -> Self:
        """A configuration from file:///path or a plain absolute path.

        A path that exists as it is written is meant as it is written; else percent escapes count (`%20`), as in what
        `Path.as_uri()` gives.
        """
        path = _as_meant(location.path.removeprefix("localhost"))
        if not path.startswith("/"):
            raise ValueError("a local source needs an absolute path: file:///srv/share")
        return cls.model_validate({"path": path, **options})


def _as_meant(path: str) -> str:
    decoded = unquote(path, errors="surrogateescape")
    return decoded if "\0" not in path + decoded and not os.path.lexists(bytes_of(path)) else path


class LocalSource(ResilientSource):
    """Each step of a path is opened from its parent with O_NOFOLLOW; nothing leads out of the root."""

    def __init__(self, root: Path, *, patience: Patience | None = None, walkers: int = WALKERS) -> None:
        super().__init__(
            Location(scheme="file", path=str(root)).display_url, patience=patience, walkers=walkers
        )
        self._raw_root = bytes_of(str(root))
        self._root_memory = RootMemory(self._root_names)
        self._device: int | None = None
        self._stable_ids = True
        self._own_clock = False

    @classmethod
    def from_config(cls, config: LocalConfig) -> Self:
        """A source over the configured folder."""
        return cls(config.path)

    def _probe(self) -> None:
        with self._folder("") as folder, os.scandir(folder) as children:
            self._root_memory.saw(name_of(child.name) for child in children)

    def _list(self, path: str) -> list[Entry]:
        with self._folder(path) as folder, os.scandir(folder) as children:
            listed = [entry for child in children if (entry := self._child(path, child)) is not None]
        if not path:
            self._root_memory.saw(entry.name for entry in listed)
        return listed

    def _stat(self, path: str) -> Entry:
        with self._folder("") as root:
            return self._look_below(root, path)

    def _look_below(self, root: int, path: str) -> Entry:
        return self._entry(path, _looked_at(root, path) if path else os.fstat(root))

    def access_times(self) -> AccessTimes:
        """As the mount of the root keeps them."""
        return kept_access_times(Path(os.fsdecode(self._raw_root)).stat().st_dev)

    def was_born_before(self, path: str, moment: datetime) -> bool:
        """By the time that the file system keeps of it, which nobody can set; on this machine's own disks alone."""
        self._check_path(path)
        born = self._retrying(path, lambda: self._born_ns(path))
        return born is not None and born / 10**9 < moment.timestamp()

    def _born_ns(self, path: str) -> int | None:
        parent, _, name = path.rpartition("/")
        with self._folder(parent) as folder:
            return born_ns(bytes_of(name), folder=folder) if name and self._own_clock else None

    def _open(self, path: str) -> OpenedFile:
        parent, _, name = path.rpartition("/")
        with self._folder(parent) as folder:
            file = _LocalFile(_open_file(name or ".", folder))
        try:
            return OpenedFile(raw=file, entry=self._entry(path, file.status()))
        except BaseException:
            file.close()
            raise

    def _read_whole(self, path: str, limit: int) -> WholeFile | None:
        """The look before is one at the handle itself; the look after goes through the folders anew."""
        with self._folder("") as root:
            try:
                file = _LocalFile(_open_file_below(root, path))
            except OSError:  # gone, a link, denied: looking and opening tell which
                return super()._read_whole(path, limit)
            try:
                found = os.fstat(file.fileno())
                if not stat.S_ISREG(found.st_mode) or found.st_size > limit:
                    return None
                before = self._entry(path, found)
                content = _content(file, found.st_size)
            finally:
                file.close()
            if len(content) > limit:
                return None
            after = self._look_below(root, path)
        return WholeFile(before, content, after, one_handle=True)

    def _root_names(self) -> Iterator[str]:
        with os.scandir(self._raw_root) as children:
            yield from [name_of(child.name) for child in children]

    @contextmanager
    def _folder(self, path: str) -> Iterator[int]:
        """A descriptor of a folder below the root, reached without following any link."""
        folder = os.open(self._raw_root, _FOLDER_FLAGS & ~os.O_NOFOLLOW)
        try:
            self._require_same_root(folder)
            if path:
                below = _folder_below(folder, path)
                os.close(folder)
                folder = below
            yield folder
        finally:
            os.close(folder)

    def _require_same_root(self, folder: int) -> None:
        """An unmounted share leaves an empty folder behind, in which everything would look deleted."""
        found = os.fstat(folder)
        self._root_memory.require_same((found.st_dev, found.st_ino))
        if found.st_dev != self._device:
            self._device = found.st_dev
            self._stable_ids = has_stable_ids(found.st_dev)
            self._own_clock = has_own_clock(found.st_dev)

    def _child(self, folder: str, child: os.DirEntry[str]) -> Entry | None:
        name = name_of(child.name)
        path = f"{folder}/{name}" if folder else name
        try:
            return self._entry(path, child.stat(follow_symlinks=False))
        except FileNotFoundError:
            return None  # deleted between the listing and its attributes: it is not there
        except OSError as exc:
            return _unseen(path, child, exc)

    def _entry(self, path: str, found: os.stat_result) -> Entry:
        """The device number changes with a reboot or a new mount, so only inodes of the root's own count."""
        return entry_of_stat(path, found, with_id=found.st_dev == self._device and self._stable_ids)


class _LocalFile:
    """A descriptor as a RawFile."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def fileno(self) -> int:
        """The descriptor."""
        return self._descriptor

    def status(self) -> os.stat_result:
        """Of what is open; IsADirectoryError or PermissionError when it is no regular file."""
        found = os.fstat(self._descriptor)
        if stat.S_ISDIR(found.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not stat.S_ISREG(found.st_mode):
            raise PermissionError(errno.EPERM, "not a regular file")
        return found

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes."""
        return os.read(self._descriptor, min(size, 1 << 24))

    def readinto(self, buffer: memoryview, /) -> int:
        """Fill a buffer, or a part of it."""
        return os.readv(self._descriptor, [buffer])

    def seek(self, offset: int, /) -> int:
        """Move to an absolute offset."""
        return os.lseek(self._descriptor, offset, os.SEEK_SET)

    def close(self) -> None:
        """Close the descriptor."""
        os.close(self._descriptor)


def entry_of_stat(path: str, found: os.stat_result, *, with_id: bool = True) -> Entry:
    """What lstat says as an Entry. POSIX has no creation time; ctime is the change time."""
    kind = _kind(found.st_mode)
    if kind is EntryKind.FILE or kind is EntryKind.FOLDER:
        size, file_id = (
            found.st_size if kind is EntryKind.FILE else 0,
            f"{found.st_ino:x}" if with_id else None,
        )
        return listed_entry(
            path,
            kind,
            size,
            found.st_mtime_ns,
            None,
            found.st_ctime_ns,
            file_id,
            found.st_atime_ns,
            _owner(found.st_uid),
        )
    return Entry(
        path=path,
        kind=kind,
        modified_ns=found.st_mtime_ns,
        changed_ns=found.st_ctime_ns,
        file_id=f"{found.st_ino:x}" if with_id else None,
        skip_reason=_SKIP_REASONS.get(kind),
        fault=Fault(NotAFile.reason, f"{path!r}: {NotAFile()}") if kind is EntryKind.SPECIAL else None,
    )


@cache
def _owner(user_id: int) -> str:
    """Who that is on this machine; the number where nobody is."""
    try:
        return pwd.getpwuid(user_id).pw_name
    except KeyError:
        return str(user_id)


def _unseen(path: str, child: os.DirEntry[str], exc: OSError) -> Entry:
    """A child whose attributes cannot be read, as the listing alone shows it.

    It may say that it is a folder, which is plain then: walking into it will say what is wrong.
    """
    kind = _listed_kind(child)
    if kind in (EntryKind.FOLDER, EntryKind.SYMLINK):
        return Entry(path=path, kind=kind, skip_reason=_SKIP_REASONS.get(kind))
    error = AccessDenied if isinstance(exc, PermissionError) else ReadFailed
    detail = f"{path!r} is there, but its attributes cannot be read: {exc.strerror}"
    return Entry(path=path, kind=kind, fault=Fault(error.reason, detail))


def _listed_kind(child: os.DirEntry[str]) -> EntryKind:
    """What the directory itself says of a child; UNKNOWN where that is nothing."""
    try:
        if child.is_symlink():
            return EntryKind.SYMLINK
        if child.is_dir(follow_symlinks=False):
            return EntryKind.FOLDER
        return EntryKind.FILE if child.is_file(follow_symlinks=False) else EntryKind.SPECIAL
    except OSError:
        return EntryKind.UNKNOWN  # this file system keeps no kinds in its directories


_SKIP_REASONS = {EntryKind.SYMLINK: LINK_REASON}


def has_stable_ids(device: int, mounts: str | None = None) -> bool:
    """False where inode numbers are made up anew with each mount (FUSE, FAT, …); True where nobody says so."""
    return not any(kind.startswith(UNSTABLE_IDS) for kind in _kinds_of(device, mounts))


def has_own_clock(device: int, mounts: str | None = None) -> bool:
    """True where the file system is proven to take its times from this machine's clock."""
    kinds = _kinds_of(device, mounts)
    return bool(kinds) and not any(kind.startswith(OF_OTHER_CLOCKS) for kind in kinds)


def _kinds_of(device: int, mounts: str | None) -> set[str]:
    return {line.partition(" - ")[2].split(" ")[0] for line in _mounts_of(device, mounts)}


def kept_access_times(device: int, mounts: str | None = None) -> AccessTimes:
    """By the options of the mounts of this device, the worst of them; UNKNOWN where nobody says so."""
    lines = _mounts_of(device, mounts)
    options = {option for line in lines for option in line.split(" ")[5].split(",")}
    if "noatime" in options:
        return AccessTimes.NONE
    if not lines:
        return AccessTimes.UNKNOWN
    return AccessTimes.DAILY if "relatime" in options else AccessTimes.EXACT


def _mounts_of(device: int, mounts: str | None) -> list[str]:
    """The lines of /proc/self/mountinfo, or of this text, that are about a device."""
    if mounts is None:
        try:
            mounts = Path("/proc/self/mountinfo").read_text(errors="replace")
        except OSError:
            return []
    wanted = f"{os.major(device)}:{os.minor(device)}"
    return [line for line in mounts.splitlines() if line.split(" ")[2:3] == [wanted]]


def _folder_below(root: int, path: str) -> int:
    """A descriptor of a folder, by one call, or from folder to folder where that does not tell."""
    found = open_beneath(root, bytes_of(path), _FOLDER_FLAGS)
    if found is not None:
        return found
    folder = root
    try:
        for name in path.split("/"):
            child = os.open(bytes_of(name), _FOLDER_FLAGS, dir_fd=folder)
            if folder != root:
                os.close(folder)
            folder = child
    except BaseException:
        if folder != root:
            os.close(folder)
        raise
    return folder


def _looked_at(root: int, path: str) -> os.stat_result:
    """What is there, itself if it is a link."""
    found = open_beneath(root, bytes_of(path), _LOOK_FLAGS)
    if found is not None:
        try:
            return os.fstat(found)
        finally:
            os.close(found)
    parent, _, name = path.rpartition("/")
    folder = _folder_below(root, parent) if parent else root
    try:
        return os.stat(bytes_of(name), dir_fd=folder, follow_symlinks=False)
    finally:
        if folder != root:
            os.close(folder)


def _content(file: _LocalFile, size: int) -> bytes:
    """What a file of this size holds; one that grew meanwhile shows more.

    The system had room for a byte more: where it gave all that were expected, and not that one, the end is known.
    """
    content = file.read(size + 1)
    return content if len(content) == size else content + read_up_to(file, size + 1 - len(content))


def _open_file_below(root: int, path: str) -> int:
    found = open_beneath(root, bytes_of(path), _FILE_FLAGS | _QUIET) if path else None
    if found is not None:
        return found
    parent, _, name = path.rpartition("/")
    folder = _folder_below(root, parent) if parent else root
    try:
        return _open_file(name or ".", folder)
    finally:
        if folder != root:
            os.close(folder)


def _open_file(name: str, folder: int) -> int:
    """Without touching the access time, where the system lets us (P5)."""
    try:
        return os.open(bytes_of(name), _FILE_FLAGS | _QUIET, dir_fd=folder)
    except PermissionError:
        if not _QUIET:
            raise
        return os.open(bytes_of(name), _FILE_FLAGS, dir_fd=folder)


def _kind(mode: int) -> EntryKind:
    if stat.S_ISREG(mode):
        return EntryKind.FILE
    if stat.S_ISDIR(mode):
        return EntryKind.FOLDER
    return EntryKind.SYMLINK if stat.S_ISLNK(mode) else EntryKind.SPECIAL

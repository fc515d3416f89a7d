"""What all sources share, without I/O: paths, parents, loops, patience, foreign exceptions, times."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import asyncssh
import pytest

from connectors.entry import Entry, EntryKind
from connectors.errors import (
    AccessDenied,
    ConnectionLost,
    ConnectorError,
    FatalError,
    Locked,
    NotFound,
    ReadFailed,
    ServerBusy,
    ShareUnreachable,
    Stopped,
)
from connectors.sources.ancestry import AncestorCheck, ancestors
from connectors.sources.filesystem import entry_of_info, filesystem_error, nanoseconds
from connectors.sources.os_errors import connector_error
from connectors.sources.paths import check_path
from connectors.sources.patience import Patience
from connectors.sources.reopening import OpenedFile
from connectors.sources.resilient import ResilientSource
from connectors.sources.sftp.status import sftp_error


class Clock:
    """Time that passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Scripted(ResilientSource):
    """A source whose stat does what a list of steps says: raise the exception, or return the entry."""

    def __init__(self, *steps: Exception | Entry, seconds: float = 10.0) -> None:
        self.clock = Clock()
        patience = Patience(seconds=seconds, sleep=self.clock.sleep, clock=self.clock)
        super().__init__("test://share", patience=patience)
        self.steps = list(steps)
        self.calls = 0

    def _stat(self, path: str) -> Entry:
        self.calls += 1
        step = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
        if isinstance(step, Exception):
            raise step
        return step

    def _probe(self) -> None:
        self._stat("")

    def _list(self, path: str) -> list[Entry]:
        return [self._stat(path)]

    def _open(self, path: str) -> OpenedFile:
        raise NotImplementedError


FILE = Entry(path="a", kind=EntryKind.FILE, size=1)


@pytest.mark.parametrize("path", ["", "a", "a/b", "...", "a/..b/c..", "a b/ c ", "~", "a:b", "caf\udce9"])
def test_plain_paths_pass(path: str) -> None:
    """Odd names are no reason to refuse a path."""
    check_path(path)


@pytest.mark.parametrize("path", ["..", ".", "/", "/a", "a/", "a//b", "a/..", "../a", "a/./b", "a\0b"])
def test_other_paths_are_refused(path: str) -> None:
    """Nothing that could lead out of the root, or name an entry twice."""
    with pytest.raises(AccessDenied):
        check_path(path)


def test_ancestors_go_from_the_root_down() -> None:
    """The root is the empty path; it has no ancestors."""
    assert ["", "a", "a/b"] == list(ancestors("a/b/c"))
    assert [""] == list(ancestors("a"))
    assert [] == list(ancestors(""))


def test_parents_are_looked_at_once_a_while() -> None:
    """A folder seen a moment ago is not asked about again, unless anew; a second later it is; a listing counts."""
    asked: list[str] = []
    clock = Clock()

    def look(path: str) -> Entry:
        asked.append(path)
        return Entry(path=path, kind=EntryKind.FOLDER, file_id=path or "root")

    check = AncestorCheck(look, list, clock=clock)
    check.saw([Entry(path="a", kind=EntryKind.FOLDER, file_id="a")])
    check.require_plain(["", "a"])

    assert [""] == asked
    assert {"": "root", "a": "a"} == check.ids(["", "a"])
    clock.sleep(0.9)
    check.require_plain(["", "a"])
    assert [""] == asked
    check.require_plain(["", "a"], anew=True)
    assert ["", "", "a"] == asked
    clock.sleep(1.1)
    check.require_plain(["", "a"])
    assert ["", "", "a", "", "a"] == asked


@pytest.mark.parametrize(("kind", "error"), [(EntryKind.SYMLINK, AccessDenied), (EntryKind.FILE, NotFound)])
def test_a_parent_that_is_no_folder_ends_it(kind: EntryKind, error: type[ConnectorError]) -> None:
    """A link is refused, a file is not the folder that was there; both also when a listing showed them later."""
    check = AncestorCheck(lambda path: Entry(path=path, kind=kind), list)
    check.saw([Entry(path="a", kind=EntryKind.FOLDER)])
    check.saw([Entry(path="a", kind=kind)])

    with pytest.raises(error):
        check.require_plain(["a"])


def test_what_is_transient_is_repeated() -> None:
    """Lost connections and busy servers cost time, then the call succeeds."""
    source = Scripted(ConnectionResetError(), OSError(errno.EMFILE, "too many files"), FILE)

    assert FILE == source.stat("a")
    assert 3 == source.calls
    assert 0 < source.clock.now < 1


def test_patience_ends() -> None:
    """After the time is used up the last error is raised, with the foreign exception as its cause."""
    source = Scripted(ConnectionResetError(), seconds=10)
    with pytest.raises(ConnectionLost) as caught:
        source.stat("a")

    assert 10 <= source.clock.now < 15
    assert isinstance(caught.value.__cause__, ConnectionResetError)


def test_a_stop_ends_patience() -> None:
    """Once somebody said stop, a call is tried and not repeated: Stopped, and no time goes by."""
    source = Scripted(ConnectionResetError(), FILE, seconds=10)
    stop = threading.Event()
    source.stop_with(stop)
    stop.set()
    with pytest.raises(Stopped):
        source.stat("a")

    assert (1, 0.0) == (source.calls, source.clock.now)
    assert FILE == source.stat("a")


@pytest.mark.parametrize(
    "exc", [FileNotFoundError(), PermissionError(), OSError(errno.EIO, "bad disk"), KeyError("x")]
)
def test_what_is_final_is_not_repeated(exc: Exception) -> None:
    """An item's own error is raised at once."""
    source = Scripted(exc)
    with pytest.raises(ConnectorError):
        source.stat("a")

    assert (1, 0.0) == (source.calls, source.clock.now)


def test_a_long_walk_piles_nothing_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """What folders are drawn from is wrapped for those that were left alone: a million times would end the process."""
    monkeypatch.setattr("connectors.sources.resilient.chain", None)

    assert 20 == len(list(Scripted(FILE).list_folders(map(str, range(20)))))


def test_first_contact_has_no_patience() -> None:
    """`connect` tries once: a mistake in the plan is said at once, as fatal."""
    for exc in (ConnectionRefusedError(), FileNotFoundError(), PermissionError(), KeyError("x")):
        source = Scripted(exc)
        with pytest.raises(FatalError) as caught:
            source.connect()

        assert (1, 0.0) == (source.calls, source.clock.now)
        assert "\n" not in str(caught.value)


def test_a_root_that_is_gone_is_not_a_missing_item() -> None:
    """NotFound for the root means that the share is unreachable."""
    with pytest.raises(ShareUnreachable):
        Scripted(FileNotFoundError(), seconds=0).list_folder("")


@pytest.mark.parametrize(
    ("exc", "error"),
    [
        (FileNotFoundError(), NotFound),
        (NotADirectoryError(), NotFound),
        (IsADirectoryError(), NotFound),
        (PermissionError(), AccessDenied),
        (ConnectionAbortedError(), ConnectionLost),
        (TimeoutError(), ConnectionLost),
        (OSError(errno.ESTALE, "stale"), ConnectionLost),
        (OSError(errno.EHOSTUNREACH, "no route"), ConnectionLost),
        (OSError(errno.ENFILE, "full"), ServerBusy),
        (OSError(errno.EBUSY, "busy"), Locked),
        (OSError(errno.ELOOP, "loop"), AccessDenied),
        (OSError(errno.EIO, "bad disk"), ReadFailed),
        (RuntimeError("what"), ReadFailed),
    ],
)
def test_foreign_exceptions_become_ours(exc: Exception, error: type[ConnectorError]) -> None:
    """By class and errno; what nobody knows fails the item, not the pass."""
    assert error is type(connector_error(exc, "a\x1b[31m"))
    assert "\x1b" not in str(connector_error(exc, "a\x1b[31m"))


def test_every_sftp_error_is_mapped() -> None:
    """Each status that asyncssh knows leads to one of our errors, a new one too."""
    known = [
        kind
        for kind in vars(asyncssh).values()
        if isinstance(kind, type) and issubclass(kind, asyncssh.SFTPError)
    ]
    found = {kind.__name__: type(sftp_error(_instance(kind), "a")).__name__ for kind in known}

    assert 20 < len(found)
    assert {"NotFound", "AccessDenied", "ConnectionLost", "Locked", "ReadFailed"} == set(found.values())
    assert ("NotFound", "AccessDenied", "ConnectionLost", "Locked") == tuple(
        found[name]
        for name in ("SFTPNoSuchFile", "SFTPPermissionDenied", "SFTPConnectionLost", "SFTPLockConflict")
    )


def _instance(kind: type) -> Exception:
    return kind(1, "why") if kind is asyncssh.SFTPError else kind("why")  # type: ignore[no-any-return]


def test_errors_of_libraries_are_known_by_name() -> None:
    """An S3 endpoint that does not answer is a lost connection, whatever library says so."""
    lost = type("EndpointConnectionError", (Exception,), {})
    changed = type("FileExpired", (OSError,), {})

    assert "connection_lost" == filesystem_error(lost(), "a").reason
    assert "changed_while_reading" == filesystem_error(changed(), "a").reason
    assert (
        "authentication_failed"
        == filesystem_error(type("NoCredentialsError", (Exception,), {})(), "a").reason
    )


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (datetime(2024, 1, 2, 3, 4, 5, 123456, tzinfo=UTC), 1_704_164_645_123_456_000),
        (datetime(2024, 1, 2, 3, 4, 5), 1_704_164_645_000_000_000),
        (datetime(2024, 1, 2, 5, 4, 5, tzinfo=timezone(timedelta(hours=2))), 1_704_164_645_000_000_000),
        (datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC), -1_000_000_000),
        (1_704_164_645, 1_704_164_645_000_000_000),
        (1_704_164_645.5, 1_704_164_645_500_000_000),
        ("2024-01-02T03:04:05+00:00", 1_704_164_645_000_000_000),
        ("yesterday", None),
        (None, None),
    ],
)
def test_times_of_any_filesystem(value: object, expected: int | None) -> None:
    """Datetimes, seconds and ISO text become integer nanoseconds; naive ones are UTC."""
    assert expected == nanoseconds(value)


def test_info_dictionaries_become_entries() -> None:
    """Links and unknown types are listed with a reason; folders have no size."""
    kinds: dict[str, Callable[[], Entry]] = {
        "file": lambda: entry_of_info("a", {"type": "file", "size": 5}),
        "folder": lambda: entry_of_info("a", {"type": "directory", "size": 4096}),
        "symlink": lambda: entry_of_info("a", {"type": "link", "size": 5}),
        "unknown": lambda: entry_of_info("a", {"type": "other", "size": None}),
    }

    assert {"file": 5, "folder": 0, "symlink": 0, "unknown": 0} == {
        name: make().size for name, make in kinds.items()
    }
    assert list(kinds) == [make().kind.value for make in kinds.values()]
    assert [True, True, False, True] == [make().skip_reason is None for make in kinds.values()]
    assert [True, True, True, False] == [make().fault is None for make in kinds.values()]


@pytest.mark.parametrize(
    ("names_now", "is_the_same"), [([], False), (["lost+found"], False), (["new", "Accounting"], True)]
)
def test_a_root_with_another_id(names_now: list[str], is_the_same: bool) -> None:
    """Another id alone is nothing: a merged file system changes it. Nothing left of what was there is a lost mount."""
    ids = iter(["mounted", "mounted", "another"])
    check = AncestorCheck(
        lambda path: Entry(path=path, kind=EntryKind.FOLDER, file_id=next(ids)), lambda: names_now
    )
    check.require_plain([""], anew=True)
    listing = [Entry(path=name, kind=EntryKind.FOLDER) for name in ("Accounting", "Legal")]
    check.saw(listing, folder="")
    check.require_plain([""], anew=True)

    if is_the_same:
        check.require_plain([""], anew=True)
    else:
        with pytest.raises(ShareUnreachable, match="check what is mounted"):
            check.require_plain([""], anew=True)

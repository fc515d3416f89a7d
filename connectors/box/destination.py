"""BoxDestination: Box as the flows see it. It picks who acts and delegates; it speaks no HTTP itself."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from connectors.box import collaborations, files, folders
from connectors.box.accounts import BoxAccounts, whoami
from connectors.box.client.bandwidth import Bandwidth
from connectors.box.client.connection import BoxConnection, connect
from connectors.box.client.pacer import EarlierBlock, Reserve
from connectors.box.client.transport import Transport
from connectors.box.config import BoxConfig
from connectors.box.events import BoxEvents
from connectors.box.items import BoxItems
from connectors.box.name_forms import NameForms
from connectors.box.probes import Probes, Standing
from connectors.box.refused_alike import RefusedAlike, UploaderRefused, way_of
from connectors.box.types import (
    Account,
    BoxChild,
    BoxFile,
    BoxFolder,
    BoxVersion,
    CheckSource,
    Collaboration,
    Invitee,
    OpenFile,
    Receipt,
    SessionState,
    SharedLink,
    Statistics,
    Upload,
)
from connectors.box.upload.direct import put_direct
from connectors.box.upload.part_threads import PartSenders
from connectors.box.upload.session import abort, put_session
from connectors.box.upload.session_store import MemorySessions, SessionStore
from connectors.entry import EntryKind
from connectors.errors import AuthenticationFailed, ItemError, PermissionMissing

log = logging.getLogger(__name__)


class BoxDestination:
    """A Box enterprise seen through one service account, and through uploader app users where the plan names some.

    Safe for many threads. Every method raises connectors.errors only: TransientError after its own bounded retries,
    ItemError, FatalError; source errors inside put() are re-raised as what they were.
    """

    def __init__(
        self,
        config: BoxConfig,
        *,
        base_dir: Path | None = None,
        reserve: Reserve | None = None,
        earlier_blocks: Sequence[EarlierBlock] = (),
        stop: threading.Event | None = None,
        uploading: Sequence[str] | None = None,
        borrow: Callable[[str], None] | None = None,
        bandwidth: Bandwidth | None = None,
    ) -> None:
        """Prepare the connections; nothing is sent yet.

        base_dir: what relative files of the plan are relative to. reserve and earlier_blocks: the service account's
        budget, as set_budget() takes them. stop: ends every wait with Stopped. uploading: those of the identities
        that upload through this object, by default all. borrow: asked, and may refuse by raising, before another
        one goes on with an upload session that it opened elsewhere; from then on it uploads here, too. bandwidth: what
        content is sent by.
        """
        self.config = config
        self._transport = Transport(config, base_dir=base_dir, bandwidth=bandwidth)
        self._service = connect(config, self._transport, base_dir=base_dir, stop=stop)
        self._base_dir, self._stop, self._borrow = base_dir, stop, borrow
        self._uploaders = {
            user_id: self._connect_as(user_id)
            for user_id in (config.identities if uploading is None else uploading)
        }
        self._standing = Standing(self._service, config.landing_folder_id)
        self._refused_alike = RefusedAlike(
            self._service, config.landing_folder_id, large_size=config.direct_upload_limit_bytes
        )
        self._names = NameForms()
        self._borrow_lock = threading.Lock()
        self._parts = PartSenders(config.part_threads)
        self._account: Account | None = None
        self._account_lock = threading.Lock()
        self.set_budget(None, reserve=reserve, earlier_blocks=earlier_blocks)

    # --- who acts ---

    @property
    def identities(self) -> tuple[str, ...]:
        """The user ids of the plan's uploader app users; empty when the service account uploads itself."""
        return tuple(self.config.identities)

    @property
    def uploading(self) -> tuple[str, ...]:
        """The identities that upload through this object; empty when the service account does."""
        return tuple(self._uploaders)

    def set_budget(
        self, identity: str | None, *, reserve: Reserve | None, earlier_blocks: Sequence[EarlierBlock] = ()
    ) -> None:
        """Hand over one identity's budget (None or the service account's id: the service account).

        reserve(uploads, calls) is called, one call at a time, before a block of that many is used; whoever continues
        this identity later hands what was written down back as earlier_blocks: (reserved_at, uploads, calls),
        oldest first. An exception of reserve ends the call that needed the block and leaves as it is.
        """
        self._connection_of(identity).pacer.set_budget(reserve=reserve, earlier=earlier_blocks)

    def give_back_budget(self, identity: str | None) -> tuple[int, int]:
        """Return (uploads, calls) of its last reserved block that nobody used; the next call reserves anew."""
        return self._connection_of(identity).pacer.give_back()

    def whoami(self) -> Account:
        """Return the service account (cached). AuthenticationFailed, BoxUnreachable when it cannot be asked."""
        with self._account_lock:
            if self._account is None:
                self._account = whoami(self._service)
                self._service.user_id = self._account.id
            return self._account

    def clock_skew_seconds(self) -> float | None:
        """Return Box's clock minus ours, by its last answer; None before one."""
        return self._transport.clock_skew_seconds

    # --- folders ---

    def landing_folder(self) -> BoxFolder:
        """Return the plan's landing folder with owner and permissions. LandingFolderMissing when it is not there."""
        return folders.landing_folder(self._service, self.config.landing_folder_id)

    def folder_info(self, folder_id: str) -> BoxFolder:
        """Return a folder with owner and permissions. DestinationGone when it is not there."""
        return folders.folder_info(self._service, folder_id)

    def folder_is_trashed(self, folder_id: str) -> bool:
        """Tell whether a folder lies in the trash; False also for one that was deleted for good, or is hidden."""
        return folders.folder_is_trashed(self._service, folder_id)

    def filled_since(self, folder_id: str, account_ids: Collection[str]) -> datetime | None:
        """Return when one of these accounts first put something into it, None for never. One call. DestinationGone."""
        return folders.filled_since(self._service, folder_id, account_ids)

    def create_folder(self, parent_id: str, name: str, *, claimed_at: datetime | None = None) -> BoxFolder:
        """Create it, or adopt the folder that has this name (adopted=True). One writer per path.

        Box has been seen to create two folders under a race (facts: concurrent creates), so callers claim the path
        first. A name whose characters Box refuses is tried once more in a stricter form; the answer has the name that
        was taken. NameInUse when a file has the name, NameRejected, DestinationGone (parent), NotPermitted here or
        PermissionMissing as a whole. claimed_at (aware): when a process that died claimed the path; what this
        account made there since then is that claim's own, and not adopted.
        """
        with self._standing.needed("can_upload"):
            return self._names.send(
                name,
                EntryKind.FOLDER,
                lambda text: folders.create_folder(self._service, parent_id, text, claimed_at=claimed_at),
            )

    def list_folder(self, folder_id: str, *, whole: bool = False) -> Iterator[BoxChild]:
        """Yield every child once, in pages of 1,000 (one call each); `whole`: with version and shared link.

        DestinationGone when the folder is not there.
        """
        return folders.list_folder(self._service, folder_id, whole=whole)

    def share_folder(self, folder_id: str, link: SharedLink, password: str | None = None) -> SharedLink:
        """Publish a folder under this link, or change the one it has; the answer names its address.

        Rejected where the enterprise forbids it, NotPermitted, DestinationGone.
        """
        return folders.share_folder(self._service, folder_id, link, password)

    def delete_folder(self, folder_id: str) -> None:
        """Delete an empty folder (the probe of `check`). DestinationGone, Rejected when it is not empty."""
        folders.delete_folder(self._service, folder_id)

    # --- files ---

    def put(
        self,
        item: Upload,
        open_file: OpenFile,
        sessions: SessionStore | None = None,
        *,
        check_source: CheckSource | None = None,
    ) -> Receipt:
        """Store one file, or adopt it when Box already has this content under this name.

        A name whose characters Box refuses is tried once more in a stricter form; the receipt has the name that was
        taken. open_file is called once per attempt, never by two threads at once. sessions keeps the upload session
        of this one file across processes (large files only). check_source is asked before the last byte leaves.
        NameInUse: Box holds other content under this name (box_id, sha1, etag say which). DigestMismatch: Box stored
        other bytes (box_id, etag: send a version over it). ChangedWhileReading: nothing was stored. Also TooLarge,
        NameRejected, DestinationGone, LockedInBox, NotPermitted (here), WayRefused or PermissionMissing (the account),
        QuotaExceeded, and whatever the source raised.
        """
        store = sessions or MemorySessions()
        with self._standing.needed("can_upload"):
            return self._names.send(
                item.name,
                EntryKind.FILE,
                lambda text: self._put(item, text, open_file, store, check_source),
            )

    def abort_session(self, session: SessionState) -> None:
        """Give an upload session back to Box, which takes it from its opener alone; gone already counts as done."""
        if not self._is_taken_out(session.identity):
            abort(self._connection_of(session.identity), session)
            return
        try:
            abort(self._connect_as(str(session.identity)), session)
        except (AuthenticationFailed, ItemError, PermissionMissing) as exc:
            # Taken out of the plan, the opener may not be able to sign in any more.
            log.warning(
                "an upload session of %s, which the plan does not name any more, stays open and ends by itself after"
                " seven days: %s",
                session.identity,
                exc,
            )

    def file_info(self, file_id: str) -> BoxFile:
        """Return a file's content and owner as Box has them now. DestinationGone when it is not there."""
        return files.file_info(self._service, file_id)

    def file_in_trash(self, file_id: str) -> BoxFile | None:
        """Return a file that lies in the trash; None also for one that was deleted for good, or is hidden."""
        return files.file_in_trash(self._service, file_id)

    def older_versions(self, file_id: str) -> list[BoxVersion]:
        """Return the earlier versions of a file, the newest first. One call. DestinationGone."""
        return files.older_versions(self._service, file_id)

    def version_info(self, file_id: str, version_id: str) -> BoxVersion:
        """Return who wrote a version of a file; nobody where Box does not tell."""
        return files.version_info(self._service, file_id, version_id)

    @property
    def items(self) -> BoxItems:
        """Changes of what is there already: its date, its name and place, the trash."""
        return BoxItems(self._service)

    # --- collaborations ---

    def collaborate(
        self,
        folder_id: str,
        invitee: Invitee,
        role: str,
        *,
        notify: bool = False,
        can_view_path: bool = False,
        is_access_only: bool = False,
        expires_at: datetime | None = None,
        known_id: str | None = None,
        others: Collection[str] = (),
    ) -> Collaboration:
        """Make sure that invitee has this role on the folder; `outcome` says created, updated or unchanged.

        known_id: the collaboration that this invitee was given before; others: those of the folder's other people.
        DestinationGone (folder, or a group of that name), Rejected (policy, malformed login), NotPermitted (this
        role or person) or PermissionMissing (the whole account).
        """
        wanted = collaborations.Grant(
            invitee=invitee,
            role=role,
            can_view_path=can_view_path,
            is_access_only=is_access_only,
            expires_at=expires_at,
        )
        with self._standing.needed("can_invite_collaborator"):
            return collaborations.ensure(
                self._service, folder_id, wanted, notify=notify, known_id=known_id, others=others
            )

    def collaborations(self, folder_id: str) -> list[Collaboration]:
        """Return every grant on the folder, pending ones included."""
        return collaborations.list_on(self._service, folder_id)

    def find_collaboration(self, folder_id: str, invitee: Invitee) -> Collaboration | None:
        """Return the invitee's grant on this folder, or None."""
        return collaborations.find(self._service, folder_id, invitee)

    def remove_collaboration(self, collaboration_id: str) -> None:
        """Take a grant away; one that is gone already counts as done."""
        collaborations.remove(self._service, collaboration_id)

    # --- events ---

    @property
    def events(self) -> BoxEvents:
        """Box's event streams, as the service account may read them."""
        return BoxEvents(self._service)

    # --- accounts ---

    @property
    def accounts(self) -> BoxAccounts:
        """Users, groups and app users of the enterprise."""
        return BoxAccounts(self._service)

    def identity_account(self, identity: str) -> Account:
        """Return one uploader app user, as its own token shows it. AuthenticationFailed when it cannot sign in."""
        return whoami(self._connection_of(identity))

    def set_space_amount(self, user_id: str, space_amount: int) -> Account:
        """Give a user this many bytes (-1: unlimited). PermissionMissing without the right to do so."""
        changed = self.accounts.set_space_amount(user_id, space_amount)
        with self._account_lock:
            self._account = None
        return changed

    @property
    def probes(self) -> Probes:
        """What the service account may do, found by calls that leave no trace."""
        return Probes(self._service)

    # --- numbers ---

    def call_counts(self) -> dict[str, int]:
        """Return the requests sent so far by route template ("POST /files/content"), token requests included."""
        return self._transport.counts_by_route()

    def call_counts_by_status(self) -> dict[int, int]:
        """Return the answers so far by HTTP status; 0 counts requests without an answer."""
        return self._transport.counts_by_status()

    def statistics(self) -> Statistics:
        """Return totals so far, over all identities."""
        connections = [self._service, *self._uploaders.values()]
        return self._transport.statistics(
            retries=sum(each.retries for each in connections),
            paced_seconds=sum(each.pacer.waited_seconds for each in connections),
        )

    def close(self) -> None:
        """Let running parts end and close the connections; may be called twice."""
        self._parts.close()
        self._transport.close()

    def __enter__(self) -> BoxDestination:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _put(
        self, item: Upload, name: str, open_file: OpenFile, store: SessionStore, check: CheckSource | None
    ) -> Receipt:
        item = item if name == item.name else replace(item, name=name)
        large = item.size >= self.config.direct_upload_limit_bytes
        while True:  # until an uploader has sent it whom Box lets
            stored = self._session_of(store) if large else None
            connection = self._connection_of(stored.identity) if stored else self._pick_uploader()
            others = len(self._uploaders.keys() - self._refused_alike.uploaders - {connection.user_id})
            way = way_of(item.file_id, large=large)
            watched = self._refused_alike.watched(connection, item, way, others=others)
            with suppress(UploaderRefused), watched:
                if not large:
                    return put_direct(connection, item, open_file, check)
                if not self._uploaders:
                    self.whoami()
                return put_session(connection, item, open_file, store, self._parts, check)

    def _session_of(self, store: SessionStore) -> SessionState | None:
        """The session to go on with. One whose opener is not asked any more is given back: nobody else can use it."""
        stored = store.load()
        if stored is None or not self._is_taken_out(stored.identity):
            return stored
        self.abort_session(stored)
        store.clear()
        return None

    def _is_taken_out(self, identity: str | None) -> bool:
        """True for who uploaded for the plan once and is not named any more, or whom Box refuses whatever he sends."""
        if identity in self._refused_alike.uploaders:
            return True
        if identity is None or identity in self.config.identities:
            return False
        return identity != self.whoami().id

    def _connection_of(self, identity: str | None) -> BoxConnection:
        if identity is None or identity not in self.config.identities:
            return self._service
        if identity in self._uploaders:
            return self._uploaders[identity]
        with self._borrow_lock:
            if identity not in self._uploaders:
                self._uploaders = {**self._uploaders, identity: self._connect_as(identity)}
                try:
                    if self._borrow is not None:
                        self._borrow(identity)
                except BaseException:
                    self._uploaders = {k: v for k, v in self._uploaders.items() if k != identity}
                    raise
            return self._uploaders[identity]

    def _connect_as(self, user_id: str) -> BoxConnection:
        return connect(
            self.config, self._transport, base_dir=self._base_dir, stop=self._stop, user_id=user_id
        )

    def _pick_uploader(self) -> BoxConnection:
        """Return the connection whose upload budget is the least used."""
        if not self._uploaders:
            return self._service
        refused = self._refused_alike.uploaders
        able = [each for user_id, each in self._uploaders.items() if user_id not in refused]
        return min(able or self._uploaders.values(), key=lambda each: each.pacer.pressure())

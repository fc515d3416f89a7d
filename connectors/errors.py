"""Every error that leaves a connector.

* ConnectorError
  x TransientError            retry the call: back off, then give up as the batch's failure
    + RateLimited             carries retry_after_seconds
    + ConnectionLost
    + ServerBusy
    + Stopped                 somebody stopped the pass while the call waited; nothing was sent
  x ItemError                 record against the item, go on with the batch
    + NotFound                vanished since the walk
    + AccessDenied
      - PathForbidden         never asked for: it could lead to another entry
    + Locked                  open elsewhere; worth another pass
      - LockedInBox           somebody locked the file in Box
    + Offline                 its bytes are on slower storage, and the plan does not say to recall them
    + NotAFile                a socket, a pipe or a device: there is no content to move
    + Unclassified            the source does not say what it is, or it stands for something else
    + NameRejected
    + NameInUse               carries the id of what is there
      - NameAwaited           another file of ours, perhaps, that no result is written down of; tried again
    + ChangedInBox            somebody else wrote the latest version of a file of ours
    + DestinationGone         the Box folder or file that the call named is not there (any more)
    + TooLarge
    + RequestTooLarge         Box's edge or a proxy takes no request of this size
    + NotPermitted            the role that the account has there does not allow this one thing
    + ChangedWhileReading     bytes read differ from bytes declared, or the source moved under us
    + DigestMismatch          what the server stored is not what we sent
    + ReadFailed              the source answered with an error for this entry
      - PathRefused           the server does not take the path
    + Rejected                Box refused this item for a reason that no retry changes
  x FatalError                stop the pass; nothing will get better by itself
    + AuthenticationFailed
    + ShareUnreachable
    + ShareEmptied            a tree lists nothing where entries were: rather a disk that is not mounted
    + QuotaExceeded
    + LandingFolderMissing
    + PermissionMissing       the account may not do this at all (scope, role)
    + BoxUnreachable          no answer from Box at first, or for outage_minutes; or its certificate is not trusted

A class decides what happens next; its docstring is the default message and says what to do.
No message, argument or attribute ever holds a secret or a token (P8).
"""

from __future__ import annotations

from typing import ClassVar


class ConnectorError(Exception):
    """Something outside failed."""

    #: The reason code that the checkpoint and the reports show.
    reason: ClassVar[str] = "error"

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").split("\n")[0])


class TransientError(ConnectorError):
    """A passing fault; the call is repeated by itself."""

    reason = "transient"


class RateLimited(TransientError):
    """Box asked us to wait; the call is repeated after the time it named."""

    reason = "rate_limited"

    def __init__(self, message: str | None = None, *, retry_after_seconds: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class ConnectionLost(TransientError):
    """The connection broke; the effect of the call is unknown until it is repeated."""

    reason = "connection_lost"


class ServerBusy(TransientError):
    """The server answered that it cannot do this now; it is asked again."""

    reason = "server_busy"


class Stopped(TransientError):
    """The pass was stopped while this call waited; nothing was sent, and the next run goes on here."""

    reason = "stopped"


class ItemError(ConnectorError):
    """This one entry failed; the others go on."""

    reason = "item_error"


class NotFound(ItemError):
    """It vanished since the walk; the next pass will record it as missing."""

    reason = "not_found"


class AccessDenied(ItemError):
    """The account may not read this; grant it read access, then run the pass again."""

    reason = "access_denied"


class PathForbidden(AccessDenied):
    """No such path is ever asked for, as it could lead to another entry; rename it in the source."""

    reason = "path_forbidden"


class Locked(ItemError):
    """Another program holds it open exclusively; run another pass when it is closed."""

    reason = "locked"


class LockedInBox(Locked):
    """Somebody locked this file in Box; ask for it to be unlocked there, then retry."""

    reason = "locked_in_box"


class Offline(ItemError):
    """Its bytes are on slower storage; set recall_offline in the source's options to have them recalled."""

    reason = "offline"


class NotAFile(ItemError):
    """It is a socket, a pipe or a device, which holds no content; exclude it by a rule of the plan, or waive it."""

    reason = "not_a_file"


class Unclassified(ItemError):
    """The source does not say what it is; look at it on the server, then exclude it by a rule, or waive it."""

    reason = "unclassified"


class NameRejected(ItemError):
    """Box does not accept this name, not even after renaming."""

    reason = "name_rejected"


class NameInUse(ItemError):
    """Box already has something else under this name; move it away or rename it, then retry."""

    reason = "name_in_use"

    def __init__(
        self,
        message: str | None = None,
        *,
        box_id: str | None = None,
        box_type: str | None = None,
        sha1: str | None = None,
        etag: str | None = None,
        version_id: str | None = None,
        box_name: str | None = None,
    ) -> None:
        super().__init__(message)
        self.box_id = box_id
        self.box_type = box_type
        self.sha1 = sha1
        self.etag = etag
        self.version_id = version_id
        self.box_name = box_name


class NameAwaited(NameInUse):
    """Box takes this name for that of a file of ours that no entry holds; rename that one in Box, then retry."""

    reason = "name_awaited"


class ChangedInBox(ItemError):
    """Somebody changed this file in Box since it was sent; theirs stays; move or rename it, then retry."""

    reason = "changed_in_box"


class FolderMovedInBox(ItemError):
    """Somebody moved the file's folder in Box out of its tree, where others may see it; move it back, then retry."""

    reason = "folder_moved_in_box"


class DestinationGone(ItemError):
    """The Box folder or file that this belongs to is gone, in the trash, or hidden from the service account."""

    reason = "destination_gone"


class TooLarge(ItemError):
    """The file exceeds the size that the owner of the Box folder may store."""

    reason = "too_large"


class RequestTooLarge(ItemError):
    """A proxy on the way, or Box's edge, takes no request of this size (413); raise the proxy's limit, then retry."""

    reason = "request_too_large"


class NotPermitted(ItemError):
    """Box does not let the service account do this here; give it editor or co-owner on this folder, then retry."""

    reason = "not_permitted"


class WayRefused(ItemError):
    """Box refuses whatever is sent in this way; the files stay pending, and a run that sent the others ends with 3."""

    reason = "way_refused"

    def __init__(self, message: str = "", *, way: str = "") -> None:
        super().__init__(message)
        self.way = way


class ChangedWhileReading(ItemError):
    """The file changed while it was read; it is taken again in the next pass."""

    reason = "changed_while_reading"


class DigestMismatch(ItemError):
    """Box stored other bytes than were read; the file is sent again."""

    reason = "digest_mismatch"

    def __init__(
        self, message: str | None = None, *, box_id: str | None = None, etag: str | None = None
    ) -> None:
        super().__init__(message)
        #: The Box file that holds the wrong bytes, made by this very upload; None when Box kept nothing.
        self.box_id = box_id
        self.etag = etag


class ReadFailed(ItemError):
    """The source could not deliver this file's bytes; check the disk behind the share."""

    reason = "read_failed"


class PathRefused(ReadFailed):
    """The server does not take this path, which may well be there; shorten it, or rename it on the server."""

    reason = "path_refused"


class Rejected(ItemError):
    """Box refused this item."""

    reason = "rejected"


class FatalError(ConnectorError):
    """Nothing will get better by itself; the pass stops and keeps its state."""

    reason = "fatal"


class AuthenticationFailed(FatalError):
    """The login was refused; check user and password, key or secret."""

    reason = "authentication_failed"


class ShareUnreachable(FatalError):
    """The source does not answer; check host, port and share name."""

    reason = "share_unreachable"


class ShareEmptied(FatalError):
    """A folder lists nothing, where entries were before; check that its disk is mounted."""

    reason = "share_emptied"


class QuotaExceeded(FatalError):
    """The owner of the Box folder has no space left; raise the quota, then run again."""

    reason = "quota_exceeded"


class LandingFolderMissing(FatalError):
    """The landing folder does not exist or the service account cannot see it."""

    reason = "landing_folder_missing"


class PermissionMissing(FatalError):
    """The service account lacks a scope or a role that the plan needs."""

    reason = "permission_missing"


class BoxUnreachable(FatalError):
    """Box does not answer, or its certificate is not trusted; check base_url, proxy, firewall and ca_file."""

    reason = "box_unreachable"


#: What a call about one entry may end with, when all its repeats are used up, though Box goes on answering others.
OF_ONE_ENTRY = (ItemError, ServerBusy, ConnectionLost)


def item_error(reason: str, detail: str) -> ItemError:
    """Return the error of a reason code with this message; a plain ItemError for a code that none has."""
    kinds = {kind.reason: kind for kind in ItemError.__subclasses__()}
    return kinds.get(reason, ItemError)(detail)

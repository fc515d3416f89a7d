"""BackupIntent: opens as a backup program does, so that an account with the backup right reads past the rights."""

from __future__ import annotations

from connectors.sources.smb import wire
from connectors.sources.smb.status import ACCESS_DENIED, UNSUPPORTED

#: The bits of an open's options that say whether it is a folder's, a file's or one that takes both.
_KIND = wire.OPTION_FOLDER | wire.OPTION_NOT_FOLDER


class BackupIntent:
    """Whether opens of one share say that they are for a backup, as far as its server has shown. Safe for threads.

    A server that knows the account as a backup operator lets such an open past the rights of a file; others ignore
    the option ([MS-SMB2] 2.2.13). Some refuse an open for it, of everything or of a single folder: what was refused
    is tried without.
    """

    def __init__(self) -> None:
        #: By kind of open, whether the server took the option when it first did such an open.
        self._taken: dict[int, bool] = {}

    @property
    def refused(self) -> bool:
        """True once the server has refused a kind of open for its intent alone."""
        return False in self._taken.values()

    def options(self, options: int) -> int:
        """The options of an open with the intent, or as they are where the server refuses that."""
        return options | wire.OPTION_BACKUP_INTENT if self._taken.get(options & _KIND, True) else options

    def may_be_why(self, status: int) -> bool:
        """True for the status of an open with the intent that may well do without it."""
        return status in ACCESS_DENIED or status in UNSUPPORTED

    def learn(self, options: int, *, taken: bool) -> None:
        """Take note of an open that the server did with the intent, or without it alone."""
        self._taken.setdefault(options & _KIND, taken)

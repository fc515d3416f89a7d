"""Notices: what people are told of a run, wherever they are. A message that does not arrive ends nothing.

What is to be told once is written down as told when its message has left, and not before: a kill in between has it
told again, and never lost. A message that is not taken goes once more, with the next one, which is tried ever more
rarely, and so does what an earlier process could not tell.

Apprise speaks to the mailbox or chat; its URL is a secret, of which nothing but the scheme is ever said.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from flows.words import counted, printable

#: Seconds that lines are gathered into one message after the last one left: a thousand trees are no thousand mails; and
#: at most, where one after the other is not taken.
GATHERED_SECONDS, GATHERED_AT_MOST_SECONDS = 60.0, 3600.0

#: Who tells: a run that moves; the watch, which lasts until somebody ends it.
RUN, WATCH = "run", "watch"

#: Seconds that the end of a run waits for its last message.
LAST_SECONDS = 45.0

#: Lines of one message, and those kept of messages that were not taken; the log and the report have all.
LINES, KEPT = 25, 200


class Tone(StrEnum):
    """How a message is meant, in Apprise's words."""

    GOOD = "success"
    INFO = "info"
    #: A person is to look.
    LOOK = "warning"
    BAD = "failure"


_WORST = (Tone.INFO, Tone.GOOD, Tone.LOOK, Tone.BAD)


@dataclass(frozen=True)
class Notice:
    """One line for people."""

    tone: Tone
    text: str
    #: Called once a message that holds it was taken.
    sent: Callable[[], object] | None = None


def send(url: str, title: str, body: str, tone: Tone) -> bool:
    """Send one message now; tell whether every target took it. False for a URL that Apprise does not know."""
    # Takes longer to import than all else that a short command does.
    import apprise

    with _silent("apprise"):
        targets = apprise.Apprise()
        known = targets.add([each.strip() for each in url.split(",") if each.strip()])
        kind, text = apprise.NotifyType(tone.value), apprise.NotifyFormat.TEXT
        return bool(known and targets.notify(title=title, body=body, notify_type=kind, body_format=text))


def understood(url: str) -> bool:
    """Tell whether Apprise knows this kind of URL. Sends nothing."""
    import apprise

    with _silent("apprise"):
        return bool(apprise.Apprise().add([each.strip() for each in url.split(",") if each.strip()]))


def kinds(url: str) -> str:
    """The schemes of a URL, or several: all of it that may be said."""
    return ", ".join(urlsplit(each.strip()).scheme or "?" for each in url.split(","))


@contextmanager
def _silent(name: str) -> Iterator[None]:
    """Its own lines may hold the URL."""
    logger = logging.getLogger(name)
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before


class Notices:
    """What one run tells. Each line is logged at once; messages leave from a thread of their own. Safe for threads."""

    def __init__(
        self, plan: str, url: str | None, log: Callable[[str], object], warn: Callable[[str], object]
    ) -> None:
        """`url`: None where nobody but the log is told."""
        self._plan, self._url, self._log, self._warn = plan, url, log, warn
        self._lines: list[Notice] = []
        #: Those that were not taken, how many more there were, and how many messages in a row were not.
        self._kept: list[Notice] = []
        self._let_go = self._refused = 0
        #: Called with the kinds of address, and whether these take messages: when it turns out, when that changes, and
        #: for each one that is not taken.
        self._remember: Callable[[str, bool], object] | None = None
        self._taken: bool | None = None
        self._come = threading.Condition()
        self._ended = self._hurries = self._sends = False
        #: Seconds that may still be waited for messages.
        self._patience = LAST_SECONDS
        self._thread: threading.Thread | None = None

    @property
    def has_target(self) -> bool:
        """Whether somebody is told, and not the log alone."""
        return self._url is not None

    def tell(
        self, tone: Tone, text: str, *, logged: bool = True, sent: Callable[[], object] | None = None
    ) -> None:
        """Say this line; the first one at once, later ones together. `logged`: False where the log has it already.

        `sent`: called when its message was taken, by the thread that sent it; at once where nobody but the log is told.
        """
        line = printable(text)
        if logged:
            self._log(f"notice: {line}")
        if self._url is None:
            if sent is not None:
                sent()
            return
        self._gather(Notice(tone, line, sent))

    def remember_with(self, remember: Callable[[str, bool], object]) -> None:
        """Call this with what becomes of messages, by the thread that sends them, until `leave`."""
        self._remember = remember

    def leave(self) -> None:
        """Flush; what `sent` and `remember_with` write to is closed next."""
        self.flush()
        self._remember = None

    def _gather(self, notice: Notice) -> None:
        with self._come:
            self._lines.append(notice)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="notices", daemon=True)
                self._thread.start()

    def flush(self) -> None:
        """Send what was gathered, and wait for it, but not for long: what `sent` writes to may be closed next."""
        with self._come, self._waiting():
            self._hurries = True
            self._come.notify_all()
            self._come.wait_for(lambda: not self._lines and not self._sends, self._patience)
            self._hurries = False

    @contextmanager
    def _waiting(self) -> Iterator[None]:
        """All waits of a run together last no longer than one."""
        began = time.monotonic()
        yield
        self._patience = max(0.0, self._patience - (time.monotonic() - began))

    def close(self) -> None:
        """Send what was gathered, and wait for it, but not for long."""
        with self._come:
            self._ended = True
            self._come.notify_all()
        if self._thread is not None:
            self._thread.join(self._patience)
            if self._thread.is_alive():
                self._warn(f"no message left by {kinds(self._url or '')} within {LAST_SECONDS:.0f} s")

    def _run(self) -> None:
        while True:
            with self._come:
                lines, self._lines = self._lines, []
                self._sends = bool(lines)
                if not lines and self._ended:
                    return
            if lines:
                self._send(lines)
            with self._come:
                self._sends = False
                self._come.notify_all()
                self._come.wait_for(
                    lambda: self._ended or bool(self._hurries and self._lines),
                    min(GATHERED_SECONDS * 2**self._refused, GATHERED_AT_MOST_SECONDS),
                )

    def _send(self, new: list[Notice]) -> None:
        url, lines = self._url or "", [*self._kept, *new]
        taken = self._is_taken(url, lines)
        if taken:
            for line in lines:
                if line.sent is not None:
                    self._write_down(line.sent)
        self._kept = [] if taken else lines[-KEPT:]
        self._let_go = 0 if taken else self._let_go + len(lines) - len(self._kept)
        self._turned_out(kinds(url), taken)
        self._refused = 0 if taken else min(self._refused + 1, 10)

    def _turned_out(self, by: str, taken: bool) -> None:
        """Say it once, and not with every message; when one was tried in vain is remembered each time."""
        before, self._taken, remember = self._taken, taken, self._remember
        if not taken and before is not False:
            self._warn(
                f"a message by {by} was not taken, and goes with the next one; try it: boxhaul check PLAN --notify"
            )
        elif taken and before is False:
            self._log(f"messages by {by} are taken again")
        if remember is not None and not (taken and before):
            self._write_down(lambda: remember(by, taken))

    def _is_taken(self, url: str, lines: list[Notice]) -> bool:
        tone = max((line.tone for line in lines), key=_WORST.index)
        shown = [line.text for line in lines[-LINES:]]
        if more := self._let_go + len(lines) - len(shown):
            shown.insert(0, f"and {counted(more, 'line')} before, which the log has")
        try:
            return send(url, f"Boxhaul: {self._plan}", "\n".join(shown), tone)
        except Exception:  # noqa: BLE001  whatever a service does, the bytes go on; its text may hold the URL
            return False

    def _write_down(self, sent: Callable[[], object]) -> None:
        try:
            sent()
        except Exception as exc:  # noqa: BLE001  it left; told twice is better than a run that ends for it
            self._warn(
                f"that it was told could not be written down, so it is told again ({type(exc).__name__})"
            )

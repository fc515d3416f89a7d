"""The program, made to die: runs a command in which a named function kills its own process with SIGKILL.

    python -m tests.torture.crashing CRASH [COUNTS [SIGNALS]] -- migrate PLAN

CRASH is `WHEN|WHERE|N`, several joined by `;`: at the N-th call of WHERE (see points.py for the places) `before`,
`inside` (everything said, not yet committed) or `after` it. Instead of dying, `pause` waits inside until a file
appears, `pause-committed` does so behind the client's back after the commit, and `hold` waits after it.
`full||PAGES`, `limit||BYTES`, `patience||SECONDS` and `lease||SECONDS` give the database little room, files little
size, the program little patience and a lease little time.
COUNTS: the file that tells at the end how often each place was reached. SIGNALS: the folder that a pause looks at.
Nothing of this is in the program itself.
"""

from __future__ import annotations

import functools
import importlib
import json
import os
import resource
import signal
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from tests.torture.points import FUNCTIONS, WRITE

#: Seconds that a paused process waits for its signal.
PAUSE_SECONDS = 60.0

#: How often each place was reached in this process.
reached: Counter[str] = Counter()
_lock = threading.Lock()
#: The checkpoint's sentence that this thread is in, and which call of it: (place, number).
_sentence = threading.local()


class Script:
    """What is to happen where."""

    def __init__(self, crash: str, signals: str | None) -> None:
        steps = [step.split("|") for step in crash.split(";") if "|" in step]
        self.steps = {(when, where, int(number)) for when, where, number in steps if where}
        self.settings = {when: float(value) for when, where, value in steps if not where}
        self._signals = Path(signals) if signals else None

    def at(self, when: str, where: str, number: int) -> None:
        """Die or wait here, when the script says so."""
        if (when, where, number) in self.steps:
            os.kill(os.getpid(), signal.SIGKILL)
        if when == "after" and ("hold", where, number) in self.steps:
            self._wait()

    def inside(self, connection: Any, where: str, number: int) -> None:
        """The same within a transaction."""
        self.at("inside", where, number)
        if ("pause-committed", where, number) in self.steps:
            connection.exec_driver_sql("COMMIT")
        if {("pause", where, number), ("pause-committed", where, number)} & self.steps:
            self._wait()

    def _wait(self) -> None:
        signals = self._signals
        assert signals is not None
        (signals / "paused").touch()
        deadline = time.monotonic() + PAUSE_SECONDS
        while not (signals / "go").exists() and time.monotonic() < deadline:
            time.sleep(0.01)


def install(script: Script) -> None:
    """Wrap every place."""
    for place in FUNCTIONS:
        _wrap_function(place, script)
    _wrap_writes(script)
    _wrap_calls(script)
    if "full" in script.settings:
        _leave_little_room(int(script.settings["full"]))
    if "limit" in script.settings:
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(script.settings["limit"]), resource.RLIM_INFINITY))
    if "patience" in script.settings:
        _have_little_patience(script.settings["patience"])
    if "lease" in script.settings:
        _lease_for(script.settings["lease"])


def _count(place: str) -> int:
    with _lock:
        reached[place] += 1
        return reached[place]


def _wrap_function(place: str, script: Script) -> None:
    module_name, _, qualified = place.partition(":")
    owner: Any = importlib.import_module(module_name)
    *parents, name = qualified.split(".")
    for parent in parents:
        owner = getattr(owner, parent)
    function: Callable[..., Any] = getattr(owner, name)

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        number = _count(place)
        script.at("before", place, number)
        outer, _sentence.now = getattr(_sentence, "now", None), (place, number)
        try:
            answer = function(*args, **kwargs)
        finally:
            _sentence.now = outer
        script.at("after", place, number)
        return answer

    setattr(owner, name, wrapped)


def _wrap_writes(script: Script) -> None:
    """Every commit of the checkpoint."""
    from state.database.engine import Database

    plain = Database.write

    def write(self: Database, function: Callable[[Any], Any]) -> Any:
        number = _count(WRITE)
        script.at("before", WRITE, number)
        first = True

        def inside(connection: Any) -> Any:
            nonlocal first
            answer = function(connection)
            if first:  # a transaction that is said again is not a new one
                first = False
                script.inside(connection, WRITE, number)
                script.inside(connection, *(getattr(_sentence, "now", None) or ("", 0)))
            return answer

        answer = plain(self, inside)
        script.at("after", WRITE, number)
        return answer

    Database.write = write  # type: ignore[method-assign]


def _wrap_calls(script: Script) -> None:
    """Every request to Box: before it is sent, after its answer has come."""
    from connectors.box.client import transport

    plain = transport.Transport.fetch

    def fetch(self: Any, options: Any) -> Any:
        token = options.url.endswith("/oauth2/token")
        route = transport.TOKEN_ROUTE if token else transport.current_route.get()
        number = _count(route)
        script.at("before", route, number)
        answer = plain(self, options)
        script.at("after", route, number)
        return answer

    transport.Transport.fetch = fetch  # type: ignore[method-assign]


def _leave_little_room(pages: int) -> None:
    """SQLite answers as on a full disk once the file has so many pages."""
    from sqlalchemy import Engine, event

    def limit(connection: Any) -> None:
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")

    event.listen(Engine, "begin", limit)


def _have_little_patience(seconds: float) -> None:
    from state import checkpoint

    checkpoint.Checkpoint.open = functools.partial(  # type: ignore[method-assign]
        checkpoint.Checkpoint.open, patience_seconds=seconds
    )


def _lease_for(seconds: float) -> None:
    from flows.run import heartbeat, leases
    from state.database import engine

    leases.LEASE_SECONDS = seconds
    heartbeat.CALL_COUNTS_SECONDS = seconds / 5
    heartbeat.HEARTBEAT_EVERY = 1
    # A third of it, as in the program: what a frozen process holds is free before its lease ends.
    engine.IDLE_SECONDS = seconds / 3


# --- running ---


def run(crash: str, arguments: list[str], counts: str | None = None, signals: str | None = None) -> NoReturn:
    """Run the command in this process and leave with its exit code."""
    from flows.cli import main

    install(Script(crash, signals))
    sys.argv = ["boxhaul", *arguments]
    code: Any = 0
    try:
        main()
    except SystemExit as leaving:
        code = leaving.code
    except BaseException:
        traceback.print_exc()
        code = 1
    if counts is not None:
        with open(counts, "w") as file:
            json.dump(reached, file)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 0 if code is None else 1)


def main() -> NoReturn:
    """Read sys.argv."""
    end = sys.argv.index("--")
    crash, *files = sys.argv[1:end]
    run(crash, sys.argv[end + 1 :], *[file or None for file in files])


if __name__ == "__main__":
    main()

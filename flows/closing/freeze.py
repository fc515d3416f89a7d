"""Freeze: does the source stand still? It is listed twice, some minutes apart, and both listings are compared.

Of a listing nothing is held but a sum of digests for each tree (P9). Nothing is written to the source, and nothing in
it is locked: who makes it read-only is an administrator, or a command of theirs.
"""

from __future__ import annotations

import hashlib
import math
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from connectors.entry import Entry
from connectors.errors import ConnectorError
from connectors.source import Source
from flows.errors import NotFrozen, PlanError
from flows.plan.connections import open_share
from flows.plan.model import MigrationPlan
from flows.plan.rules import PlanRules
from flows.plan.spelling import as_the_share_spells
from flows.survey.needs import needs_by_survey
from flows.words import counted, duration_words, printable

_SPAN = re.compile(r"(\d{1,5})\s*([smh])", re.ASCII)
_SECONDS = {"s": 1, "m": 60, "h": 3600}

#: A sum of digests, modulo this.
_SUMS = 1 << 128

#: Changed entries that a refusal names.
NAMED = 3

#: Says one line to whoever watches.
Say = Callable[[str], None]


def quiet_seconds(text: str) -> int:
    """Return how long the source has to stand still: `90s`, `10m`, `1h`; 0 for `0`. PlanError for anything else."""
    found = _SPAN.fullmatch(text.strip())
    if found is None and text.strip() != "0":
        raise PlanError(f"quiet: {text!r} is no span of time; write for example 10m, or 0 to go without")
    return int(found[1]) * _SECONDS[found[2]] if found else 0


@dataclass
class Still:
    """One look at the source: for each folder that a tree begins at, how many entries and the sum of their digests."""

    roots: Sequence[str]
    excluded: Callable[[Entry], str | None]
    #: Entries written or changed since are named (nanoseconds since 1970, by the clock of this machine).
    since_ns: int | None = None
    sums: dict[str, tuple[int, int]] = field(default_factory=dict)
    recent: list[str] = field(default_factory=list)

    def look(self, path: str, listing: Sequence[Entry] | ConnectorError) -> None:
        """Take one folder's listing, or why there is none: that may not change either."""
        root = next((root for root in self.roots if path == root or path.startswith(f"{root}/")), "")
        if isinstance(listing, ConnectorError):
            self._add(root, f"{path}\0{listing.reason}")
            return
        for entry in listing:
            if entry.is_link or self.excluded(entry) is None:
                self._add(root, repr((path, entry.name, entry.kind.value, entry.fingerprint)))
                self._name(entry)

    def _add(self, root: str, words: str) -> None:
        digest = hashlib.blake2b(words.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        count, total = self.sums.get(root, (0, 0))
        self.sums[root] = count + 1, (total + int.from_bytes(digest)) % _SUMS

    def _name(self, entry: Entry) -> None:
        times = [moment for moment in (entry.modified_ns, entry.changed_ns) if moment is not None]
        if self.since_ns is not None and times and max(times) >= self.since_ns and len(self.recent) < NAMED:
            self.recent.append(entry.path)

    @property
    def digest(self) -> str:
        """One word for all that was seen."""
        words = repr(sorted(self.sums.items())).encode("utf-8", "surrogatepass")
        return hashlib.blake2b(words, digest_size=16).hexdigest()


def require_still(plan: MigrationPlan, seconds: int, say: Say) -> dict[str, Any]:
    """List the source, wait until each entry was seen so many seconds ago, list it again; return what was seen.

    NotFrozen when the two differ, with the names of what is known to have changed.
    """
    with closing(open_share(plan)) as source:
        plan = as_the_share_spells(plan, source)
        began = time.time_ns()
        say("freeze: looking at the share for the first time")
        first, took = _look(plan, source, None)
        wait = max(0.0, seconds - took)
        if wait:
            say(
                f"freeze: looked in {duration_words(took)}; looking again in {duration_words(math.ceil(wait))}"
            )
            time.sleep(wait)
        second, _ = _look(plan, source, began)
    changed = sorted(
        root
        for root in first.sums.keys() | second.sums.keys()
        if first.sums.get(root) != second.sums.get(root)
    )
    entries = sum(count for count, _ in second.sums.values())
    if changed:
        raise NotFrozen(_refusal(changed, second.recent))
    say(f"freeze: {counted(entries, 'entry', 'entries')} of the share stood still")
    return {"entries": entries, "quiet_seconds": seconds, "digest": second.digest, "began_ns": began}


def require_still_frozen(plan: MigrationPlan, frozen: Mapping[str, Any], say: Say) -> None:
    """Look once more, and compare with what require_still() returned. NotFrozen when the source changed since."""
    say("freeze: looking once more, since some time has passed")
    with closing(open_share(plan)) as source:
        now, _ = _look(as_the_share_spells(plan, source), source, frozen["began_ns"])
    if now.digest != frozen["digest"]:
        named = f": {', '.join(map(printable, now.recent))}" if now.recent else ""
        raise NotFrozen(
            f"the source changed since the freeze{named}; make it read-only for everybody, then run the same command"
            " again: it begins at the freeze, and sends what changed"
        )


def seconds_of_a_look(plan: MigrationPlan) -> float:
    """Look at the source once, and return how long that took."""
    with closing(open_share(plan)) as source:
        return _look(as_the_share_spells(plan, source), source, None)[1]


def run_command(command: str, say: Say) -> None:
    """Run the command that makes the source read-only, without a shell. NotFrozen unless it exits with 0.

    What it prints goes to stderr as it is, and nowhere else: it may hold what no log should.
    """
    words = shlex.split(command)
    if not words:
        raise PlanError("freeze-command: it is empty")
    say("freeze: running the command that makes the share read-only")
    try:
        finished = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=_stderr(), check=False)  # noqa: S603
    except OSError as exc:
        raise NotFrozen(f"the freeze command cannot be run ({exc.strerror or exc})") from exc
    if finished.returncode != 0:
        raise NotFrozen(f"the freeze command ended with {finished.returncode}; nothing was done after it")


def _stderr() -> int | None:
    try:
        return sys.stderr.fileno()
    except (OSError, AttributeError, ValueError):  # a stderr that is no file: what is printed goes nowhere
        return subprocess.DEVNULL


def _look(plan: MigrationPlan, source: Source, since_ns: int | None) -> tuple[Still, float]:
    began = time.monotonic()
    excluded = PlanRules(plan).reason
    roots = [tree.source for tree in plan.trees] or [""]
    still = Still(roots, excluded, since_ns)
    needs_by_survey(source, roots, excluded, seconds=math.inf, look=still.look)
    return still, time.monotonic() - began


def _refusal(changed: Sequence[str], recent: Sequence[str]) -> str:
    where = ", ".join(printable(root) or "the share" for root in changed[:NAMED])
    named = f": {', '.join(map(printable, recent))}" if recent else ""
    return (
        f"the source changed while it was watched, in {where}{named}; make it read-only for everybody, then run"
        " the same command again"
    )

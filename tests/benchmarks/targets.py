"""What the benchmarks are to reach: ratios to a peer in the same run, and limits. Measures nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.benchmarks.results import Row

#: What is judged, from the rows of one benchmark; None where this run did not measure it.
Value = Callable[[Sequence[Row]], float | None]


@dataclass(frozen=True)
class Target:
    """One figure and its limit."""

    says: str
    value: Value
    #: One of both is the limit.
    least: float | None = None
    most: float | None = None

    def judge(self, rows: Sequence[Row]) -> Verdict | None:
        """None where these rows do not have what it is about."""
        value = self.value(rows)
        if value is None:
            return None
        met = (self.least is None or value >= self.least) and (self.most is None or value <= self.most)
        return Verdict(self.says, value, self.least, self.most, met)


@dataclass(frozen=True)
class Verdict:
    """A target, and what this run found."""

    says: str
    value: float
    least: float | None
    most: float | None
    met: bool

    def __str__(self) -> str:
        limit = f"at least {self.least:g}" if self.least is not None else f"at most {self.most:g}"
        return f"{'met' if self.met else 'NOT MET'}: {self.says}: {self.value:.3g}, {limit}"


def figure(what: str, name: str, who: str = "ours") -> Value:
    """This figure of the row that is called so, or of the first whose names begin so."""

    def value(rows: Sequence[Row]) -> float | None:
        found = [row for row in rows if row.what.startswith(what) and row.who.startswith(who)]
        exact = [row for row in found if row.what == what]
        return next((row.figures[name] for row in exact + found if name in row.figures), None)

    return value


def ratio(one: Value, other: Value) -> Value:
    """The one divided by the other."""

    def value(rows: Sequence[Row]) -> float | None:
        mine, theirs = one(rows), other(rows)
        return None if mine is None or not theirs else mine / theirs

    return value


def beside(what: str, name: str, *, who: str = "rclone") -> Value:
    """Ours as so many times another's figure of the same name."""
    return ratio(figure(what, name), figure(what, name, who))


def faster(what: str, name: str) -> Value:
    """How many times rclone's speed, from times."""
    return ratio(figure(what, name, "rclone"), figure(what, name))


def highest(name: str, who: str = "ours") -> Value:
    """The highest of all rows that have this figure."""
    return lambda rows: max(_of_all(rows, name, who), default=None)


def lowest(name: str, who: str = "ours") -> Value:
    """The lowest of all rows that have this figure."""
    return lambda rows: min(_of_all(rows, name, who), default=None)


def _of_all(rows: Sequence[Row], name: str, who: str) -> list[float]:
    return [row.figures[name] for row in rows if name in row.figures and row.who.startswith(who)]


def _growth(what: str, name: str) -> Value:
    """The last row of that step as so many times its first; `name`: how the figure's begins."""

    def value(rows: Sequence[Row]) -> float | None:
        of_step = [row.figures for row in rows if row.what.startswith(what)]
        found = [value for each in of_step for key, value in each.items() if key.startswith(name)]
        return found[-1] / found[0] if len(found) > 1 and found[0] else None

    return value


_CPU_FILE, _CPU_ENTRY, _MEMORY = "CPU ms a file", "CPU us an entry", "MB at most"


def _checkpoint(database: str, new: float, sent: float) -> list[Target]:
    """By the clock, rows a second; `new`, `sent`: at least."""
    who = f"ours, {database}"
    return [
        Target(f"new entries a second, {database}", figure("new", "entries/s", who), least=new),
        Target(f"sent entries a second, {database}", figure("claimed", "entries/s", who), least=sent),
        Target(
            f"unchanged entries a second, {database}", figure("unchanged", "entries/s", who), least=100_000
        ),
        Target(f"MB, {database}", highest(_MEMORY, who), most=200),
    ]


TARGETS: dict[str, Sequence[Target]] = {
    "upload_rclone": (
        Target("Box calls a file, proof included", figure("0 ms", "calls a file"), most=1.05),
        Target("times rclone's speed, no latency", beside("0 ms", "files/s"), least=25),
        Target("CPU ms a file, no latency", figure("0 ms", _CPU_FILE), most=0.9),
        Target("of rclone's CPU, no latency", beside("0 ms", _CPU_FILE), most=0.334),
        Target("times rclone's speed, 60 ms a call", beside("60 ms", "files/s"), least=18),
        Target("of a bare client's speed, 60 ms a call", beside("60 ms", "files/s", who="bare"), least=0.7),
    ),
    "unchanged": (
        Target("s for 200,000 files", figure("200,000 unchanged", "s"), most=7),
        Target("of rclone's time", ratio(lowest("s"), lowest("s", "rclone")), most=0.334),
        Target("Box calls, who signs in included", lowest("Box calls"), most=3),
    ),
    "checkpoint": (*_checkpoint("sqlite", 20_000, 12_000), *_checkpoint("postgresql", 12_000, 8_000)),
    "walk_smb": (
        Target("times rclone's speed", beside("walk", "entries/s"), least=2),
        Target("times stock fsspec's speed", beside("walk", "entries/s", who="fsspec"), least=100),
    ),
    "small_files_smb": (
        Target(
            "times rclone's speed, as migrate reads",
            figure("as migrate reads", "times rclone's speed"),
            least=3,
        ),
    ),
    "large_file_smb": (
        Target("times rclone's speed", figure("1 GiB", "times rclone's speed"), least=3),
        Target("CPU s a GB", figure("1 GiB", "CPU s a GB"), most=1),
    ),
    "large_files": (
        Target("times rclone's speed, from Samba", faster("2 x", "s"), least=1.8),
        Target("of rclone's CPU, from Samba", beside("2 x", "CPU s"), most=0.65),
        Target("times rclone's speed, from disk", faster("4 x", "s"), least=1.15),
        Target("of rclone's CPU, from disk", beside("4 x", "CPU s"), most=0.9),
        Target("of rclone's memory, from disk", beside("4 x", _MEMORY), most=1),
    ),
    "limits": (
        Target("% of the budget, the least of three ways of counting", lowest("% of the budget"), least=98),
        Target("answers 429", highest("answers 429"), most=0),
    ),
    "identities": (Target("times the uploads of one with eight", _growth("", "uploads"), least=7.8),),
    "scale": (
        Target("times the memory for ten times the new entries", _growth("new", _MEMORY), most=1.1),
        Target("times the CPU of each of them", _growth("new", _CPU_ENTRY), most=1.15),
        Target("times the CPU of each that is unchanged", _growth("unchanged:", _CPU_ENTRY), most=1.15),
    ),
    "start": (
        Target("s, status", figure("status", "s"), most=0.8),
        Target("s, migrate with nothing to do", figure("migrate", "s"), most=3),
    ),
}


def judged(name: str, rows: Sequence[Row]) -> list[Verdict]:
    """What these rows of that benchmark say of its targets."""
    found = (target.judge(rows) for target in TARGETS.get(name, ()))
    return [verdict for verdict in found if verdict is not None]


def unjudged(name: str, rows: Sequence[Row]) -> list[str]:
    """The targets that these rows say nothing of: of a benchmark in full there are none, unless a row was renamed."""
    return [target.says for target in TARGETS.get(name, ()) if target.judge(rows) is None]

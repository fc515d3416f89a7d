"""Filters in rclone's syntax: which files move, by path, size and age. Part of MigrationPlan, and of a single run."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Annotated

from pydantic import Field, field_validator, model_validator

from connectors.entry import Entry, EntryKind
from flows.plan.base import PlanModel
from flows.plan.exclude import rule_reason
from flows.plan.globs import expression, folder_globs
from flows.words import normal_form

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([BKMGTP]?)(?:I?B)?", re.IGNORECASE | re.ASCII)
_AGE = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w|M|y|)", re.ASCII)
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "M": 2592000, "y": 31536000}
_DAY = 86400.0

#: Folders whose answer is remembered: those that are being walked or sent.
FOLDERS_REMEMBERED = 4096

NOT_INCLUDED = "included by no rule"


class FilterPlan(PlanModel):
    """Which files move, in rclone's syntax: the first rule that matches a path decides, and what none matches moves.

    `include` is read first and leaves out everything else, then `exclude`, then `rules`. Paths start at the source's
    URL; case counts. Folders move whatever they hold, but for those that a rule leaves out as a whole.
    """

    include: Annotated[
        list[str],
        Field(title="Include", description="Only what one of these globs matches, as rclone's --include."),
    ] = []
    exclude: Annotated[
        list[str],
        Field(title="Exclude", description="Nothing that one of these globs matches, as rclone's --exclude."),
    ] = []
    rules: Annotated[
        str,
        Field(
            title="Rules",
            description="Lines as in the file of rclone's --filter-from: + GLOB, - GLOB, ! forgets the lines before, "
            "# and ; begin a comment.",
        ),
    ] = ""
    ignore_case: Annotated[bool, Field(title="Ignore case", description="Case does not count.")] = False
    min_size: Annotated[
        str, Field(title="Size at least", description="In KiB, or with a suffix: 100B, 10M, 1.5G.")
    ] = ""
    max_size: Annotated[
        str, Field(title="Size at most", description="In KiB, or with a suffix: 100B, 10M, 1.5G.")
    ] = ""
    min_age: Annotated[
        str,
        Field(
            title="Age at least",
            description="Modified so long ago: ms, s, m (minutes), h, d, w, M (months of 30 days), y; or a date.",
        ),
    ] = ""
    max_age: Annotated[
        str,
        Field(
            title="Age at most",
            description="Modified since then: ms, s, m (minutes), h, d, w, M (months of 30 days), y; or a date.",
        ),
    ] = ""

    @field_validator("include", "exclude")
    @classmethod
    def _says_something(cls, globs: list[str]) -> list[str]:
        if not all(glob.strip() for glob in globs):
            raise ValueError("an empty pattern matches nothing; is a variable not set?")
        return globs

    @field_validator("min_size", "max_size")
    @classmethod
    def _is_a_size(cls, value: str) -> str:
        size_of(value)
        return value

    @field_validator("min_age", "max_age")
    @classmethod
    def _is_an_age(cls, value: str) -> str:
        moment_of(value, datetime.now(UTC))
        return value

    @model_validator(mode="after")
    def _can_be_read(self) -> FilterPlan:
        rules = FilterRules(self)
        if rules.oldest is not None and rules.newest is not None and rules.oldest > rules.newest:
            raise ValueError("min_age is more than max_age: nothing is of such an age")
        return self

    def lines(self) -> Iterator[str]:
        """Yield every rule as a line of a --filter-from file, in the order in which they are read."""
        yield from (f"+ {glob}" for glob in self.include)
        yield from (f"- {glob}" for glob in self.exclude)
        stripped = (line.strip() for line in self.rules.splitlines())
        yield from (line for line in stripped if line and line[0] not in "#;")


class FilterRules:
    """A FilterPlan at one moment. Safe for threads."""

    def __init__(self, plan: FilterPlan, *, now: datetime | None = None, by_the_day: bool = False) -> None:
        """ValueError, a line for a person. `by_the_day`: ages of days and more are counted from midnight UTC, so that a
        walk that goes on later finds the same rule."""
        now = now or datetime.now(UTC)
        self._plan = plan
        self._files: list[tuple[re.Pattern[str], bool, str]] = []
        self._folders: list[tuple[re.Pattern[str], bool, str]] = []
        for line in plan.lines():
            self._add_line(line)
        if plan.include:
            self._add(False, "/**", NOT_INCLUDED)
        self._smallest, self._largest = size_of(plan.min_size), size_of(plan.max_size)
        #: Nanoseconds since 1970 between which a file was modified; None: no limit.
        self.oldest = moment_of(plan.max_age, now, by_the_day=by_the_day)
        self.newest = moment_of(plan.min_age, now, by_the_day=by_the_day)
        self._reason_of_folder = lru_cache(FOLDERS_REMEMBERED)(self._find_reason_of_folder)

    @property
    def digest(self) -> str:
        """Another text for other rules, and for the same once their limits moved."""
        return f"{self._plan.model_dump_json()} {self.oldest} {self.newest}"

    def reason(self, entry: Entry) -> str | None:
        """Return "rule: …" when the filters leave the entry out, else None.

        What cannot be looked at and may be a folder is left out only where they leave out both.
        """
        if entry.kind is EntryKind.FOLDER:
            return self._reason_of_folder(normal_form(entry.path))
        if (found := self._reason_of_path(normal_form(entry.path))) is not None:
            return found if not entry.may_be_folder or self._folder_too(entry) else None
        if entry.kind is not EntryKind.FILE or entry.fault is not None:
            return None
        return self._reason_of_content(entry.size, entry.modified_ns)

    def takes(self, path: str, size: int, modified_ns: int | None) -> bool:
        """Tell whether a file moves by these filters."""
        by_path = self._reason_of_path(normal_form(path))
        return by_path is None and self._reason_of_content(size, modified_ns) is None

    # --- private ---

    def _add_line(self, line: str) -> None:
        if line == "!":
            self._files, self._folders = [], []
        elif line[:2] in ("+ ", "- "):
            self._add(line[0] == "+", line[2:], line)
        else:
            raise ValueError(f"the filter {line!r} begins with neither '+ ' nor '- '")

    def _add(self, includes: bool, glob: str, words: str) -> None:
        of_folders = glob.endswith("/")
        whole = glob + "**" if of_folders and not includes else glob
        deep = "**" in whole
        found = expression(whole, ignore_case=self._plan.ignore_case)
        if deep or not of_folders:
            self._files.append((found, includes, words))
            # Where something is included, the folders above it are looked into.
            above = folder_globs(whole) if includes or whole == "*" else []
            for each in above:
                if each != "/":
                    compiled = expression(each, ignore_case=self._plan.ignore_case)
                    self._folders.append((compiled, includes, words))
        if deep or of_folders:
            self._folders.append((found, includes, words))

    def _reason_of_path(self, path: str) -> str | None:
        above = path.rpartition("/")[0]
        return (self._reason_of_folder(above) if above else None) or _first(self._files, path)

    def _find_reason_of_folder(self, path: str) -> str | None:
        above = path.rpartition("/")[0]
        return (self._reason_of_folder(above) if above else None) or _first(self._folders, f"{path}/")

    def _folder_too(self, entry: Entry) -> bool:
        return self._reason_of_folder(normal_form(entry.path)) is not None

    def _reason_of_content(self, size: int, modified_ns: int | None) -> str | None:
        plan = self._plan
        if self._smallest is not None and size < self._smallest:
            return _reason(f"smaller than {plan.min_size}")
        if self._largest is not None and size > self._largest:
            return _reason(f"larger than {plan.max_size}")
        if self.oldest is None and self.newest is None:
            return None
        if modified_ns is None:
            return _reason("the share does not say when it was modified")
        if self.oldest is not None and modified_ns < self.oldest:
            return _reason(f"not modified within {plan.max_age}")
        if self.newest is not None and modified_ns > self.newest:
            return _reason(f"modified within {plan.min_age}")
        return None


def _first(rules: Iterable[tuple[re.Pattern[str], bool, str]], path: str) -> str | None:
    """The reason of the first rule that matches, when that leaves the path out."""
    for found, includes, words in rules:
        if found.search(path):
            return None if includes else _reason(words)
    return None


def _reason(words: str) -> str:
    return rule_reason(f"filters, {words}")


def size_of(words: str) -> int | None:
    """Return bytes; None for "". Without a suffix it is KiB, as for rclone. ValueError."""
    if not words:
        return None
    if (found := _SIZE.fullmatch(words.strip())) is None:
        raise ValueError(f"{words!r} is no size; write it like 100B, 10M or 1.5G")
    return int(float(found[1]) * 1024 ** "BKMGTP".index(found[2].upper() or "K"))


def moment_of(words: str, now: datetime, *, by_the_day: bool = False) -> int | None:
    """Return the moment so long ago, or the one that is written, in nanoseconds since 1970; None for "".

    A date alone is its beginning; without a time zone it is UTC, as for --since.

    `by_the_day`: spans of whole days are counted from the last midnight in UTC. ValueError.
    """
    if not words:
        return None
    found = _AGE.fullmatch(words.strip())
    try:
        if found is None:
            moment = datetime.fromisoformat(words.strip())
            aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
            return int(aware.timestamp() * 10**6) * 1000
        seconds = float(found[1]) * _SECONDS[found[2] or "s"]
        if by_the_day and seconds >= _DAY:
            now = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        return int((now - timedelta(seconds=seconds)).timestamp() * 10**6) * 1000
    except (ValueError, OverflowError):
        raise ValueError(
            f"{words!r} is no age; write it like 30d, 12h or 2y, or as a date: 2025-01-31, 2025-01-31T18:00"
        ) from None

"""The rows of `boxhaul check` that need nothing but numbers, and the survey of a share."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from connectors.box.types import Account
from connectors.entry import SUBSTITUTE_NAME_NOTE, Entry, EntryKind
from connectors.errors import AccessDenied, ConnectorError, NotFound
from flows.checks.machine import clock_row, disk_row
from flows.checks.rows import document, ok, problem, warning, worst
from flows.checks.seen import Seen, seen_rows
from flows.checks.space import Payer, parse_space, size_row, space_row
from flows.checks.table import check_table
from flows.errors import PlanError
from flows.plan.model import MigrationPlan
from flows.survey.needs import Needs, needs_by_survey

GB = 10**9


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("unlimited", -1),
        ("-1", -1),
        ("500GB", 500 * GB),
        ("1.5 TB", 1500 * GB),
        ("10", 10),
        ("7mb", 7_000_000),
    ],
)
def test_space_is_said_in_words(text: str, size: int) -> None:
    """Decimal units, as Box counts, or unlimited."""
    assert size == parse_space(text)


@pytest.mark.parametrize("text", ["", "much", "5 PB", "-3", "GB"])
def test_other_words_are_no_space(text: str) -> None:
    """A typing error is told, never a quota of zero."""
    with pytest.raises(PlanError, match="set-space"):
        parse_space(text)


@pytest.mark.parametrize(("skew", "state"), [(None, "warning"), (3, "ok"), (-20, "warning"), (90, "problem")])
def test_clock(skew: float | None, state: str) -> None:
    """Seconds that matter to nobody, to other programs, and to everybody."""
    assert state == clock_row(skew).state


@pytest.mark.parametrize(("free", "state"), [(30 * GB, "ok"), (20.5 * GB, "warning"), (20 * GB, "problem")])
def test_disk_grows_with_the_files(free: int, state: str) -> None:
    """20 million files make a checkpoint of about 20 GB; it must fit, with something to spare."""
    assert state == disk_row(Path("/state"), int(free), Needs(files=20_000_000)).state


def payer(amount: int, used: int = 0, limit: int = 5 * GB) -> Payer:
    """The service account with this space."""
    account = Account(
        id="1", login="a", name="a", space_amount=amount, space_used=used, max_upload_size=limit
    )
    return Payer(account, "a", is_us=True)


@pytest.mark.parametrize(
    ("amount", "needs", "state"),
    [
        (-1, Needs(size=50_000 * GB), "ok"),
        (10 * GB, Needs(size=8 * GB), "ok"),
        (10 * GB, Needs(size=9 * GB), "warning"),
        (10 * GB, Needs(size=1, exact=False), "warning"),
        (10 * GB, Needs(size=10 * GB), "problem"),
    ],
)
def test_space(amount: int, needs: Needs, state: str) -> None:
    """Half a GB is used already; what is nearly full, or not fully known, is a warning."""
    assert state == space_row(payer(amount, used=GB // 2), needs).state


def test_exactly_the_limit_may_be_stored() -> None:
    """Box refuses what is larger than the limit, not what equals it."""
    assert "ok" == size_row(payer(-1), Needs(largest=5 * GB)).state
    assert "problem" == size_row(payer(-1), Needs(largest=5 * GB + 1)).state


def test_document_sums_up(plan: MigrationPlan) -> None:
    """The worst row is the state; problems and warnings are counted."""
    rows = [ok("a", "x"), warning("b", "x", "do"), problem("c", "x", "do")]
    shown = document(plan, rows, can_go_on=True)

    assert ("problem", 1, 1) == (shown["state"], shown["problems"], shown["warnings"])
    assert {"name": "b", "state": "warning", "found": "x", "what_to_do": "do"} == shown["checks"][1]
    assert ["ok", "warning"] == [worst(rows[:1]).value, worst(rows[:2]).value]


def test_problems_come_first_and_what_is_in_order_is_one_line(plan: MigrationPlan) -> None:
    """A person reads what to do; the names of the rest stand below, and all of it on request."""
    rows = [
        ok("login", "fine"),
        warning("people", "two", "look"),
        ok("disk", "large"),
        problem("scope", "x", "do"),
    ]
    shown = document(plan, rows, can_go_on=True)
    text, every = (text_of(check_table(shown, every=each)) for each in (False, True))

    assert text.index("scope") < text.index("people") < text.index("ok: login, disk")
    assert "fine" not in text
    assert "fine" in every
    assert "all is well" in text_of(check_table(document(plan, rows[:1], can_go_on=True)))


def text_of(shown: object) -> str:
    """What a terminal shows of it."""
    console = Console(width=100, file=io.StringIO(), record=True)
    console.print(shown)
    return console.export_text()


def test_what_nobody_saw_is_not_said_to_be_nothing() -> None:
    """A share that does not answer needs no 0 B."""
    unknown = Needs(exact=False)

    for row in (space_row(payer(10 * GB), unknown), size_row(payer(-1), unknown)):
        assert "0 B" not in row.found.replace("0 B used", "")
        assert "not known" in row.found
    assert "not known" in disk_row(Path("/state"), 10**12, unknown).found


@pytest.fixture
def plan() -> MigrationPlan:
    """The smallest plan."""
    box = {"auth": {"method": "jwt", "config_file": "x.json"}}
    return MigrationPlan.model_validate({"name": "p", "source": {"url": "file:///s"}, "box": box})


# --- the survey ---


class Share:
    """A share of literals: folder → entries, or the error of listing it."""

    def __init__(self, folders: dict[str, dict[str, int | None] | ConnectorError]) -> None:
        self.folders = folders

    def list_folders(self, paths: Iterable[str]) -> Iterator[tuple[str, list[Entry] | ConnectorError]]:
        """As a source does."""
        for path in paths:
            found = self.folders.get(path, NotFound())
            yield path, found if isinstance(found, ConnectorError) else list(entries(path, found))


def entries(path: str, children: dict[str, int | None]) -> Iterator[Entry]:
    """Files have a size, folders none."""
    for name, size in children.items():
        kind = EntryKind.FOLDER if size is None else EntryKind.FILE
        yield Entry(path=f"{path}/{name}", kind=kind, size=size or 0)


def survey(share: Share, *roots: str, **options: Any) -> Needs:
    """The survey of these folders, without *.tmp."""
    return needs_by_survey(
        share,  # type: ignore[arg-type]
        roots,
        lambda entry: "rule" if entry.name.endswith(".tmp") else None,
        **{"seconds": 1.0, "clock": lambda: 0.0, **options},
    )


SHARE = Share(
    {
        "A": {"f": 5, "sub": None, "x.tmp": 99, "dark": None},
        "A/sub": {"g": 7},
        "A/dark": AccessDenied(),
        "B": {"h": 1},
    }
)


def test_survey_adds_up_what_moves() -> None:
    """Files below the trees, without what is excluded or cannot be listed; the largest one by its path."""
    needs = survey(SHARE, "A", "B", "Gone")

    assert (3, 13, 7, "A/sub/g", True) == (
        needs.files,
        needs.size,
        needs.largest,
        needs.largest_path,
        needs.exact,
    )
    assert ("Gone",) == needs.missing


def test_survey_keeps_what_it_could_not_list() -> None:
    """A folder that cannot be listed is a problem with its path and why, and not left out in silence."""
    seen = Seen(lambda entry: None)
    survey(SHARE, "A", "Gone", look=seen.look)
    [row] = seen_rows(seen)

    assert ("unreadable", "problem", None) == (row.name, row.state, row.stops)
    assert row.found.startswith("1 entry cannot be looked at: A/dark (")
    assert 1 == row.found.count("A/dark")


def test_names_that_the_server_made_up_are_told() -> None:
    """They would arrive in Box as they are; what is left out by a rule does not."""
    seen = Seen(lambda entry: "rule" if entry.name.endswith(".TXT") else None)
    names = ["OQE7CU~3", "QWVHO7~A.TXT"]
    entries = [Entry(path=name, kind=EntryKind.FILE, note=SUBSTITUTE_NAME_NOTE) for name in names]
    seen.look("", [*entries, Entry(path="plain", kind=EntryKind.FILE)])
    row, _ = seen_rows(seen)

    assert ("made-up names", "warning", None) == (row.name, row.state, row.stops)
    assert row.found.startswith("1 entry has a name that the server made up")
    assert row.found.endswith("allow their own: OQE7CU~3")
    assert "Rename them on the server" in row.what_to_do


def test_junctions_are_told_where_no_rule_excludes_them() -> None:
    """A volume that is mounted in the share stays behind: its path is named, however many there are, and what to do."""
    seen = Seen(lambda entry: "rule" if entry.name == "Application Data" else None)
    names = ["Volume D", "Application Data", *(f"Volume {n}" for n in range(5))]
    seen.look("", [Entry(path=name, kind=EntryKind.JUNCTION, skip_reason="junction") for name in names])
    seen.look("x", [Entry(path="x/link", kind=EntryKind.SYMLINK, skip_reason="symbolic link")])
    [row] = seen_rows(seen)

    assert ("junctions", "warning", None) == (row.name, row.state, row.stops)
    assert (
        "6 volume mount points or junctions are not followed: Volume D; Volume 0; Volume 1; ..." == row.found
    )
    assert "share that itself" in row.what_to_do


def test_survey_ends_when_enough_is_known_or_time_is_over() -> None:
    """A share of millions is not walked to answer a question; the answer says that it is a lower bound."""
    ticks = iter([0.0, 0.5, 2.0])
    hurried = survey(SHARE, "A", clock=lambda: next(ticks))
    satisfied = survey(SHARE, "A", enough=lambda needs: needs.size >= 5)

    assert (5, False) == (hurried.size, hurried.exact)
    assert (5, False) == (satisfied.size, satisfied.exact)

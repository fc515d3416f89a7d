"""`boxhaul simulate`: the calls that it foretells are what Box then counts, by route; it asks and writes nothing."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from connectors.box.sandbox import Sandbox
from tests.acceptance.account.test_landing import share_folder
from tests.program import Program, program_for
from tests.trees import Tree, build_tree

#: Dates of long ago: what is read is settled at once, and no clock is too coarse.
LONG_AGO = 1_500_000_000

LARGE = 25_000_000


def build(root: Path, tree: Tree, *, large: tuple[str, ...] = ()) -> Path:
    """A share with dates of long ago; `large`: files that go in parts."""
    root.mkdir()
    build_tree(root, tree)
    for number, path in enumerate(large):
        write_large(root / path, LARGE + number * 10_000_000)
    for number, path in enumerate(sorted(root.rglob("*"))):
        if path.is_file():
            date(path, number)
    return root


def date(path: Path, number: int) -> None:
    """Give a file a date of its own."""
    os.utime(path, (LONG_AGO + number, LONG_AGO + number))


def write_large(path: Path, size: int) -> None:
    """A sparse file that begins with bytes of its own."""
    with path.open("wb") as file:
        file.write(os.urandom(1000))
        file.truncate(size)


def simulated(program: Program, *options: str) -> dict[str, Any]:
    """`boxhaul simulate --json`."""
    finished = program.run("simulate", "--json", *options)
    assert 0 == finished.code, finished.output
    document: dict[str, Any] = json.loads(finished.stdout)
    return document


def assert_foretold(program: Program, box: Sandbox, *flags: str, code: int = 0) -> dict[str, Any]:
    """Simulate, then migrate: nothing is asked by the one, and the other asks what was foretold."""
    box.calls.reset()
    document = simulated(program, *flags)
    assert 0 == box.calls.total
    finished = program.run("migrate", *flags)
    # What would fail or is left out leaves its tree incomplete.
    lacks = document["items"]["failed"] + document["left_out"]["files"]
    assert (code or int(lacks > 0)) == finished.code, finished.output
    assert dict(box.calls.by_route) == document["calls"]["by_route"]
    assert sum(box.calls.by_route.values()) == document["calls"]["total"]
    return document


def items(document: dict[str, Any], *names: str) -> tuple[int, ...]:
    """Counts of what becomes of entries."""
    return tuple(document["items"][name] for name in names)


MANY: Tree = {
    "A": {
        **{f"{number}.txt": b"%d" % number for number in range(40)},
        "sub": {"a.txt": b"a", "Thumbs.db": b"t"},
        "empty": {},
        "Readme.md": b"1",
        "readme.md": b"2",
    },
    "B": {"b.txt": b"b"},
    "loose.txt": b"at the top",
}


def test_many_small_files(tmp_path: Path, box: Sandbox) -> None:
    """Three trees, a folder without files, a rule and a name that changes; a second pass with nothing to do."""
    share = build(tmp_path / "share", MANY)
    program = program_for(tmp_path / "run", box, {"url": share.as_uri()})
    document = assert_foretold(program, box)

    assert (45, 45) == (document["uploads"], program.status()["totals"]["files"]["uploaded"])
    assert (47, 0, 1, 0, 1) == items(document, "new", "changed", "excluded", "failed", "renamed")
    again = assert_foretold(program, box)
    assert (0, 0, 47) == items(again, "new", "changed", "unchanged")
    assert {"POST /oauth2/token": 1, "GET /users/me": 1} == again["calls"]["by_route"]


@pytest.mark.torture
def test_pages_of_a_folder(tmp_path: Path, box: Sandbox) -> None:
    """Box's listing of 1,001 entries is two calls; that of 1,000 is one."""
    files = {f"{number}": b"" for number in range(1_000)}
    share = build(tmp_path / "share", {"A": {"thousand": files, "more": {**files, "one": b""}}})
    program = program_for(tmp_path / "run", box, {"url": share.as_uri()})

    assert 4 == assert_foretold(program, box)["calls"]["by_route"]["GET /folders/:id/items"]


@pytest.mark.strict_reading  # a commit that Box answers with 202 is asked for again, how often nobody can foretell
def test_large_files(tmp_path: Path, box: Sandbox) -> None:
    """Sessions, parts and commits; a new version of one of them. The plan's bandwidth is a bound of the forecast."""
    share = build(tmp_path / "share", {"A": {"small.txt": b"s"}}, large=("A/1.iso", "A/2.iso"))
    program = program_for(tmp_path / "run", box, {"url": share.as_uri()}, transfer={"bandwidth": "1G"})
    program.plan["box"]["direct_upload_limit_bytes"] = 20_000_000
    program.write_plan()
    document = assert_foretold(program, box)
    write_large(share / "A/2.iso", LARGE + 1)
    date(share / "A/2.iso", 77)
    again = assert_foretold(program, box)

    assert 2 * LARGE + 10_000_001 == document["bytes"]
    assert 1024**3 == document["speeds"]["line"] and "bytes" in document["bounds"]
    assert (3, 1) == (document["uploads"], again["uploads"])
    assert (0, 1, 2) == items(again, "new", "changed", "unchanged")


SECOND: Tree = {**MANY, "A": {**MANY["A"], "old": {"1": b"1", "deep": {"2": b"2"}}}}  # type: ignore[dict-item]


def change(share: Path) -> None:
    """Everything that people do to a share between two passes."""
    (share / "A/0.txt").write_bytes(b"other bytes")
    date(share / "A/0.txt", 900)
    (share / "A/1.txt").rename(share / "A/one.txt")
    (share / "A/2.txt").rename(share / "A/empty/2.txt")
    (share / "A/sub").rename(share / "A/bus")
    (share / "A/new").mkdir()
    (share / "A/new/n.txt").write_bytes(b"n")
    date(share / "A/new/n.txt", 901)
    (share / "A/3.txt").unlink()
    (share / "A/4.txt").rename(share / "A/aside")
    (share / "A/5.txt").rename(share / "A/4.txt")
    (share / "A/aside").rename(share / "A/5.txt")
    (share / "A/6.txt").rename(share / "A/six.txt")
    (share / "A/six.txt").write_bytes(b"other bytes, other name")
    date(share / "A/six.txt", 902)
    shutil.rmtree(share / "A/old")
    (share / "B/b.txt").chmod(0o600)


@pytest.mark.parametrize("deletions", [pytest.param("keep", marks=pytest.mark.torture), "trash"])
def test_second_pass(tmp_path: Path, box: Sandbox, deletions: str) -> None:
    """Changes, moves, a swap, one renamed and edited, a new folder, deletions, rights alone: as is then carried out."""
    share = build(tmp_path / "share", SECOND)
    changes = {"deletions": deletions, "max_delete": "50%"}
    program = program_for(tmp_path / "run", box, {"url": share.as_uri()}, changes=changes)
    assert_foretold(program, box)
    change(share)
    document = assert_foretold(program, box)

    assert (2, 1, 6) == items(document, "new", "changed", "moved")
    assert (5, 5 if deletions == "trash" else 0) == items(document, "gone", "trashed")


@pytest.mark.gate(1)
@pytest.mark.parametrize(
    "flags",
    [
        ["--since", "30d"],
        ["--include", "*.txt", "--exclude", "*"],
        ["--exclude", "/A/empty/**"],
        ["--max-size", "1B"],
        ["--max-age", "30d"],
        ["--since", "30d", "--exclude", "/A/new/**"],
        ["--checksum"],
        ["--tree", "B", "--include", "*"],
        ["--min-size", "1B", "--min-age", "1s", "--ignore-case", "--exclude", "*.TXT"],
        ["--filter-from", "RULES"],
    ],
)
def test_a_part_is_foretold(tmp_path: Path, box: Sandbox, flags: list[str]) -> None:
    """What a run with filters, by time or by content sends, first and then; a whole one does the rest."""
    tree: Tree = {**SECOND, "C": {"d": {"e": {}}}}
    share = build(tmp_path / "share", tree)
    changes = {"deletions": "trash", "max_delete": "50%"}
    program = program_for(tmp_path / "run", box, {"url": share.as_uri()}, changes=changes)
    rules = tmp_path / "rules.txt"
    rules.write_text("- /A/new/**\n- *.md\n")
    flags = [str(rules) if flag == "RULES" else flag for flag in flags]
    is_quick = "--since" in flags
    first = assert_foretold(program, box, *flags, code=int(is_quick))
    assert_foretold(program, box)
    change(share)
    (share / "A/fresh.txt").write_bytes(b"written now")
    second = assert_foretold(program, box, *flags)
    finished = program.run("migrate")

    for document in (first, second):
        assert is_quick is (document["quick"] is not None)
        assert (0 < document["read_again"]["files"]) is ("--checksum" in flags and document is second)
        assert 0 == document["items"]["trashed"] or "--checksum" in flags
    assert 0 == finished.code, finished.output


@pytest.mark.torture
def test_an_emptied_folder(tmp_path: Path, box: Sandbox) -> None:
    """A pass fails it, as a disk that may be away, and asks Box nothing of it; then the share as a whole."""
    share = build(tmp_path / "share", {"A": {**MANY["A"], "b": {"b.txt": b"b"}}})  # type: ignore[dict-item]
    program = program_for(tmp_path / "run", box, {"url": share.as_uri()}, changes={"deletions": "trash"})
    assert_foretold(program, box)
    shutil.move(share / "A", tmp_path / "away")
    (share / "A/disk").mkdir(parents=True)
    document = assert_foretold(program, box)
    shown = program.run("simulate").stdout
    (share / "A/disk").rmdir()
    stopped = program.run("simulate")

    assert (1, 1, 0, 0) == items(document, "failed", "emptied", "gone", "trashed")
    assert "1 folder lists nothing of what it had before" in shown
    assert 3 == stopped.code == program.run("migrate").code, stopped.output


def test_what_a_run_of_some_trees_holds_back(tmp_path: Path, box: Sandbox) -> None:
    """What may be in a tree that the run does not walk stays, the folder around it too, and goes once it is there."""
    tree: Tree = {
        "A": {"kept": b"0", "gone": b"1", "moved": b"22", "old": {"in": b"333", "gone too": b"4444"}},
        "B": {"b": b"b"},
    }
    share = build(tmp_path / "share", tree)
    changes = {"deletions": "trash", "max_delete": "90%"}
    program = program_for(tmp_path / "run", box, {"url": share.as_uri()}, changes=changes)
    assert_foretold(program, box)
    (share / "A/moved").rename(share / "B/renamed")
    (share / "A/old/in").rename(share / "B/in")
    (share / "A/gone").unlink()
    shutil.rmtree(share / "A/old")
    held = assert_foretold(program, box, "--tree", "A")
    shown = program.run("simulate", "--tree", "A").stdout
    os.mkfifo(share / "B/pipe")
    nothing = assert_foretold(program, box, "--tree", "A")

    assert (5, 2, 2) == items(held, "gone", "trashed", "held")
    assert "2 files gone from the share would stay in Box for now" in shown
    assert 0 == nothing["items"]["trashed"]
    assert "B/pipe cannot be looked at" in nothing["nothing_trashed"]


def test_more_is_gone_than_the_plan_allows(tmp_path: Path, box: Sandbox) -> None:
    """It is told that the run would stop, which it does."""
    share = build(tmp_path / "share", MANY)
    program = program_for(tmp_path / "run", box, {"url": share.as_uri()}, changes={"deletions": "trash"})
    assert_foretold(program, box)
    for number in range(10):
        (share / f"A/{number}.txt").unlink()
    document = assert_foretold(program, box, code=3)

    assert "10 entries" in document["stops"]
    assert (10, 0) == items(document, "gone", "trashed")


def test_people_links_and_a_landing_folder(tmp_path: Path, box: Sandbox) -> None:
    """A person, a group by name, a link, folders above a tree, all in somebody else's folder; and once they are in."""
    share = build(tmp_path / "share", {"A": {"a.txt": b"a"}, "B": {"b.txt": b"b"}})
    box.add_group("Finance")
    person, group = {"login": "ann@example.com", "role": "editor"}, {"group": "Finance", "role": "viewer"}
    trees = [
        {"source": "A", "collaborators": [person, group]},
        {"source": "B", "folder": "X/Y/B", "collaborators": [person], "shared_link": {"access": "company"}},
    ]
    program = program_for(tmp_path / "run", box, {"url": share.as_uri()}, trees=trees)
    owner = box.add_user("boss@example.com", space_amount=1_000_000)
    program.plan["box"]["landing_folder_id"] = share_folder(box, owner, "co-owner")
    program.write_plan()
    document = assert_foretold(program, box)
    again = assert_foretold(program, box)

    assert (2, 0) == (document["shared"], again["shared"])
    assert 3 == document["calls"]["by_route"]["POST /collaborations"]


def test_what_fails_is_foretold(tmp_path: Path, box: Sandbox) -> None:
    """A tree with something that cannot move is sent, and neither proven nor shared."""
    share = build(tmp_path / "share", {"A": {"a.txt": b"a", "sub": {"b.txt": b"b"}}})
    os.mkfifo(share / "A/pipe")
    trees = [{"source": "A", "collaborators": [{"login": "ann@example.com", "role": "editor"}]}]
    program = program_for(tmp_path / "run", box, {"url": share.as_uri()}, trees=trees)
    document = assert_foretold(program, box, code=1)

    assert (1, 0) == (document["items"]["failed"], document["shared"])


def with_identities(program: Program, count: int) -> None:
    """Make app users that upload, and write them into the plan."""
    assert 0 == program.run("identities", "create", str(count)).code
    known = json.loads(program.run("identities", "list", "--json").stdout)["identities"]
    program.plan["box"]["identities"] = [each["id"] for each in known]
    program.write_plan()


def test_four_identities(tmp_path: Path, box: Sandbox) -> None:
    """Each signs in, is let into the tree, and is taken out of it."""
    share = build(tmp_path / "share", {"A": {f"{n}.txt": b"%d" % n for n in range(120)}})
    program = program_for(tmp_path / "run", box, {"url": share.as_uri()})
    with_identities(program, 4)

    assert 4 == assert_foretold(program, box)["identities"]


def test_only_the_forecast_is_kept(tmp_path: Path, box: Sandbox) -> None:
    """Before any run there is no plan in the checkpoint afterwards; `status` and the report set it beside the fact."""
    share = build(tmp_path / "share", {"A": {"a.txt": b"a"}})
    program = program_for(tmp_path / "run", box, {"url": share.as_uri()})
    document = simulated(program)
    unknown = program.run("status")
    assert 0 == program.run("migrate").code
    known = program.status()["forecast"]
    shown = program.run("status").stdout
    assert 0 == program.run("report", "--plain").code

    assert 2 == unknown.code, unknown.output
    assert "nothing is known of the plan" in unknown.stderr
    assert document["calls"] == known["calls"]
    assert known["calls"]["total"] == known["calls_since"]
    assert "forecast of" in shown
    page = (program.folder / "test-report/report.html").read_text(encoding="utf-8")
    assert f"forecast of {document['at'][:16].replace('T', ' ')} UTC" in page


def test_a_person_reads_it(tmp_path: Path, box: Sandbox) -> None:
    """`migrate --dry-run` prints what `simulate` prints; bad input is one line."""
    share = build(tmp_path / "share", {"A": {"a.txt": b"a"}})
    program = program_for(tmp_path / "run", box, {"url": share.as_uri()})
    shown = [program.run("simulate"), program.run("migrate", "--dry-run")]
    refused = [
        program.run("simulate", "--line-speed", "fast"),
        program.run("simulate", "--window", "never"),
        program.run("simulate", "--tree", "C"),
    ]

    assert [0, 0] == [each.code for each in shown], shown[0].output
    assert without_times(shown[0].stdout) == without_times(shown[1].stdout)
    assert "1 file (1 B) to send; 5 Box calls" in shown[0].stdout
    assert "what binds: Box's limit of" in shown[0].stdout
    assert {} == box.files()
    assert [(2, 1)] * 3 == [(each.code, len(each.stderr.splitlines())) for each in refused]
    assert 0 == program.run("migrate").code
    os.utime(share / "A/a.txt", (1_600_000_000, 1_600_000_000))
    assert "at most: 1 changed file has the size that Box has" in program.run("simulate").stdout


def test_probe_leaves_nothing(tmp_path: Path, box: Sandbox) -> None:
    """Four files are sent and trashed; the line they measured is a bound. Said twice is one line."""
    share = build(tmp_path / "share", {"A": {"a.txt": b"a"}})
    program = program_for(tmp_path / "run", box, {"url": share.as_uri()})
    box.calls.reset()
    document = simulated(program, "--probe")
    refused = program.run("simulate", "--probe", "--line-speed", "1MB/s")

    assert document["speeds"]["line"] > 0 and "bytes" in document["bounds"]
    assert (4, 4) == tuple(
        box.calls.by_route[route] for route in ("POST /files/content", "DELETE /files/:id")
    )
    assert {} == box.files()
    assert (2, 1) == (refused.code, len(refused.stderr.splitlines()))


def without_times(text: str) -> list[str]:
    """The lines that tell no time."""
    return [line for line in text.splitlines() if "UTC" not in line]

"""Where Box takes two names for one that our rule keeps apart, or two trees meet: nothing becomes one in Box (P7)."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from connectors.box.sandbox import Sandbox
from connectors.box.sandbox.rules import items
from tests.acceptance.fleet import run_together
from tests.acceptance.proof import local_files, report_items, sums_add_up
from tests.acceptance.shares import digest
from tests.program import Program, program_for
from tests.trees import build_tree


@pytest.fixture
def share(tmp_path: Path) -> Path:
    """A local share."""
    root = tmp_path / "share"
    root.mkdir()
    return root


@pytest.fixture
def dots_are_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Box that leaves middle dots out of the comparison of names; no rule of ours knows of that."""
    plain: Callable[[str], str] = items.name_key
    monkeypatch.setattr(items, "name_key", lambda name: plain(name).replace("\u00b7", ""))


@pytest.mark.usefixtures("dots_are_nothing")
@pytest.mark.parametrize("contents", [(b"1", b"2"), (b"1", b"1")])
def test_files_that_box_takes_for_one_are_two(
    tmp_path: Path, box: Sandbox, share: Path, contents: tuple[bytes, bytes]
) -> None:
    """The second of two files gets another name and is reported; each has its own content and one version."""
    build_tree(share, {"A": {"ab.txt": contents[0], "a\u00b7b.txt": contents[1]}})
    program = program_for(tmp_path / "run", box, {"url": share.as_uri()}, trees=[{"source": "A"}])

    finished = program.run("migrate")

    assert 0 == finished.code, finished.output
    lines = report_items(program)
    files = {name.rpartition("/")[2]: file for name, file in box.files().items()}
    for name in ("ab.txt", "a\u00b7b.txt"):
        in_box = files[lines[f"A/{name}"]["box_name"]]
        assert digest(share / "A" / name) == in_box.sha1
        assert 1 == in_box.versions
    assert 2 == len({line["box_id"] for line in lines.values()})
    assert 1 == sum(line["renamed"] for line in lines.values())
    assert 0 == program.run("migrate").code
    assert 2 == len(box.files())


@pytest.mark.usefixtures("dots_are_nothing")
def test_folders_that_box_takes_for_one_are_two(tmp_path: Path, box: Sandbox, share: Path) -> None:
    """Two sibling folders never become one: the second gets another name, and its files are in it."""
    build_tree(share, {"A": {"ab": {"x.txt": b"1"}, "a\u00b7b": {"x.txt": b"2"}}})
    program = program_for(tmp_path / "run", box, {"url": share.as_uri()}, trees=[{"source": "A"}])

    finished = program.run("migrate")

    assert 0 == finished.code, finished.output
    lines = report_items(program)
    assert lines["A/ab"]["box_id"] != lines["A/a\u00b7b"]["box_id"]
    sent = {file.sha1 for file in box.files().values()}
    assert {digest(share / "A" / name / "x.txt") for name in ("ab", "a\u00b7b")} == sent


def dotted(rng: random.Random, word: str) -> list[str]:
    """The word and two to four others that differ from it in dots alone."""
    spots = [each for size in (1, 2) for each in itertools.combinations(range(len(word) + 1), size)]
    names = {word}
    for chosen in rng.sample(spots, rng.randint(2, 4)):
        names.add(
            "".join("\u00b7" * (place in chosen) + letter for place, letter in enumerate(word + " ")).strip()
        )
    return sorted(names)


def generated_siblings(seed: int) -> dict[str, Any]:
    """Two trees full of files and folders that Box takes for one, some of equal content."""
    rng = random.Random(seed)

    def files() -> dict[str, Any]:
        return {
            f"{name}.txt": rng.choice([b"same", name.encode()])
            for word in ("ab", "cde", "fg")
            for name in dotted(rng, word)
        }

    def folders() -> dict[str, Any]:
        return {name: {"x.txt": name.encode()} for word in ("hi", "jkl") for name in dotted(rng, word)}

    return {tree: {"sub": files() | folders(), **files(), **folders()} for tree in ("A", "B")}


@pytest.mark.timeout(300)  # four processes on two cores
@pytest.mark.usefixtures("dots_are_nothing")
def test_processes_that_send_siblings_of_one_name(
    tmp_path: Path, box: Sandbox, share: Path, postgres_url: str
) -> None:
    """Four processes on PostgreSQL: every entry has one of its own in Box, with its own content, sent once."""
    build_tree(share, generated_siblings(45))
    uploaders = [box.add_user(f"AppUser_{number}@boxdevedition.com", kind="app") for number in range(3)]
    program = program_for(
        tmp_path / "run",
        box,
        {"url": share.as_uri()},
        trees=[{"source": "A"}, {"source": "B"}],
        state_url=postgres_url,
        transfer={"batch_items": 2},
    )
    program.write_plan(box=program.plan["box"] | {"identities": [user.id for user in uploaders]})
    box.limits.update({"latency_seconds": 0.05})

    code, output = run_together(program, senders=3)

    assert 0 == code, output
    assert_each_has_its_own(program, box, share)
    assert 1 < len({file.created_by for file in box.files().values()}), output


def assert_each_has_its_own(program: Program, box: Sandbox, share: Path) -> None:
    """Every file of the share is one of Box with its content, in one version; no two entries hold one id of Box."""
    lines = report_items(program)
    in_box = {file.id: file for file in box.files().values()}
    for path, local in local_files(share).items():
        file = in_box.pop(lines[path]["box_id"])
        assert ("uploaded", digest(local), 1) == (lines[path]["status"], file.sha1, file.versions), path
    assert {} == in_box
    held = Counter(line["box_id"] for line in lines.values())
    assert {} == {box_id: count for box_id, count in held.items() if count > 1}
    assert len(box.folders()) == len(set(box.folders()))


@pytest.mark.parametrize("first", ["A", "B"])
@pytest.mark.gate(1)
def test_folder_of_a_tree_inside_another_trees(tmp_path: Path, box: Sandbox, share: Path, first: str) -> None:
    """A tree whose folder is where another tree's subfolder belongs: one of them fails, and says why."""
    build_tree(share, {"A": {"Sub": {"a.txt": b"a"}}, "B": {"b.txt": b"b"}})
    trees = [{"source": "A", "folder": "X"}, {"source": "B", "folder": "X/Sub"}]
    program = program_for(tmp_path / "run", box, {"url": share.as_uri()}, trees=trees)
    program.run("migrate", "--tree", first)

    finished = program.run("migrate")

    assert 1 == finished.code, finished.output
    sums_add_up(program)
    holders = [line["box_id"] for line in report_items(program).values() if line["kind"] == "folder"]
    assert len(holders) == len(set(holders))
    reasons = {reason for tree in program.status()["trees"] for reason in tree["failures_by_reason"]}
    assert {"name_in_use"} == reasons


def test_file_of_a_tree_that_does_not_move_now_is_left_alone(
    tmp_path: Path, box: Sandbox, share: Path
) -> None:
    """A file of tree B that somebody moved into A's folder gets no version of A's, though this run moves A alone."""
    build_tree(share, {"A": {"a.txt": b"a"}, "B": {"x.txt": b"of B"}})
    program = program_for(
        tmp_path / "run", box, {"url": share.as_uri()}, trees=[{"source": "A"}, {"source": "B"}]
    )
    assert 0 == program.run("migrate").code
    entries = box.tree()
    moved = requests.put(
        f"{box.url}/2.0/files/{entries['B/x.txt']['id']}",
        json={"parent": {"id": entries["A"]["id"]}},
        headers={"Authorization": f"Bearer {box.token()}"},
        timeout=10,
    )
    assert 200 == moved.status_code
    (share / "A/x.txt").write_bytes(b"of A")

    finished = program.run("migrate", "--tree", "A")

    assert 0 == finished.code, finished.output
    line = report_items(program)["A/x.txt"]
    assert ("uploaded", True) == (line["status"], line["renamed"])
    assert (1, digest(share / "B/x.txt")) == (box.files()["A/x.txt"].versions, box.files()["A/x.txt"].sha1)
    assert digest(share / "A/x.txt") == box.files()[f"A/{line['box_name']}"].sha1

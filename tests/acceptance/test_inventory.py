"""`boxhaul inventory`: all that is planted in a share is listed once, sums are the folder's own, Box is not asked."""

from __future__ import annotations

import csv
import getpass
import json
import os
import re
import signal
import subprocess
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from connectors.box.sandbox import Sandbox
from tests.program import Program, program_for
from tests.servers.fixtures import empty
from tests.servers.samba import Samba
from tests.trees import Tree, build_tree

LONG = {"a" * 100: {"b" * 100: {"c" * 60: {"far down.txt": b"so deep!"}}}}

#: One of each kind that Samba can serve, in three trees, one of which is not there.
PLANTED: Tree = {
    "A": {
        "trailing dot.": b"1",
        "Readme.md": b"12",
        "readme.md": b"123",
        "a:b.txt": b"1234",
        "e\u0301 decomposed.txt": b"12345",
        "Thumbs.db": b"left out",
        "copy 1.bin": b"the same bytes",
        "copy 2.bin": b"the same bytes",
        "no copy.bin": b"SAME SIZE ONLY",
        "deep": LONG,
    },
    "B": {"plain.txt": b"1234567", "many": {}},
    "beside": {"nobody's.txt": b"not covered"},
}


def planted(root: Path, *, more: int = 0) -> None:
    """Build the share; `more`: so many plain files beside, in folders of 500 but for two that are too full."""
    build_tree(root, PLANTED)
    with (root / "A/giant.iso").open("wb") as file:
        file.truncate(51 * 10**9)
    folders = [(f"{start // 50_000}/{start}", 500) for start in range(0, more, 500)]
    for name, count in [*folders, *([("full", 10_001), ("overfull", 15_001)] if more else [])]:
        (root / "B/many" / name).mkdir(parents=True)
        for number in range(count):
            (root / "B/many" / name / f"{number}").touch()


def smb_plan(folder: Path, box: Sandbox, samba: Samba, share: str, **plan: Any) -> Program:
    """A plan for one of the server's shares, with a key file that is not there."""
    source = {"url": samba.url_of(share), "username": samba.username, "password": "${SMB_PASSWORD}"}
    program = program_for(folder, box, source, environment={"SMB_PASSWORD": samba.password}, **plan)
    (folder / "box_config.json").unlink()
    return program


def inventory(program: Program, *options: str) -> dict[str, Any]:
    """`boxhaul inventory --json`."""
    finished = program.run("inventory", "--json", *options)
    assert 0 == finished.code, finished.output
    document: dict[str, Any] = json.loads(finished.stdout)
    return document


def by_kind(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Kind → finding; each stands once."""
    kinds = [finding["kind"] for finding in document["findings"]]
    assert sorted(set(kinds)) == sorted(kinds)
    return {finding["kind"]: finding for finding in document["findings"]}


def found_by_find(folder: Path, *words: str) -> int:
    """How many entries `find` finds."""
    done = subprocess.run(
        ["find", str(folder), *words, "-printf", "x"], capture_output=True, text=True, check=True
    )
    return len(done.stdout)


def summed_by_du(folder: Path) -> int:
    """Bytes of the files below, as `du` sums them: by apparent size, folders left out."""
    names = subprocess.run(
        ["find", str(folder), "-type", "f", "-not", "-name", "Thumbs.db", "-print0"],
        capture_output=True,
        check=True,
    )
    command = ["du", "--files0-from=-", "--bytes", "--total"]
    done = subprocess.run(command, input=names.stdout, capture_output=True, check=True)
    return int(done.stdout.splitlines()[-1].split()[0])


TREES = [{"source": "A"}, {"source": "B"}, {"source": "C"}]

ONCE = {
    "missing_tree": ["C"],
    "file_too_large": ["A/giant.iso"],
    "name_refused": ["A/trailing dot."],
    "name_collision": ["A/readme.md"],
    "name_unusual": ["A/a:b.txt"],
    "name_normalized": ["A/e\u0301 decomposed.txt"],
    "path_over_255": [f"A/deep/{'a' * 100}/{'b' * 100}/{'c' * 60}"],
    "excluded": ["A/Thumbs.db"],
    "not_covered": ["beside"],
}

FULL = {"folder_over_10000": ["B/many/full"], "folder_over_15000": ["B/many/overfull"]}


@pytest.mark.parametrize(
    "more", [0, pytest.param(175_000, marks=[pytest.mark.torture, pytest.mark.timeout(3_600)])]
)
def test_everything_planted_is_listed_once(samba: Samba, tmp_path: Path, box: Sandbox, more: int) -> None:
    """On a real Samba share, with the sums of `find` and `du`; the CSV has every finding; no call to Box."""
    root = empty(samba.root)
    planted(root, more=more)
    box.calls.reset()
    program = smb_plan(tmp_path / "run", box, samba, "data", trees=TREES)
    document = inventory(program, "--csv", str(tmp_path / "all.csv"))
    shown = by_kind(document)

    once = ONCE | (FULL if more else {})
    for kind, paths in once.items():
        examples = shown[kind]["examples"]
        assert paths == (examples if kind != "path_over_255" else examples[:1]), kind
    assert {*once, "same_size"} == set(shown)
    assert ["becomes trailing dot\u2024: characters that Box or its clients do not take"] == (
        shown["name_refused"]["details"]
    )
    assert (2, 28) == (shown["same_size"]["count"], shown["same_size"]["bytes"])
    for tree in ("A", "B"):
        [sums] = [each for each in document["trees"] if each["name"] == tree]
        files = found_by_find(root / tree, "-type", "f", "-not", "-name", "Thumbs.db")
        assert (files, found_by_find(root / tree, "-type", "d")) == (sums["files"], sums["folders"])
        assert summed_by_du(root / tree) == sums["bytes"]
    assert 0 == box.calls.total
    assert written(tmp_path / "all.csv") == {kind: each["count"] for kind, each in shown.items()} | {
        "same_size": 1  # a row for each group
    }


def written(file: Path) -> dict[str, int]:
    """Rows of each kind in the CSV."""
    rows: dict[str, int] = defaultdict(int)
    with file.open(newline="", encoding="utf-8") as table:
        for row in csv.DictReader(table):
            rows[row["kind"]] += 1
    return dict(rows)


@pytest.mark.parametrize(
    ("share", "kind", "folders"),
    [("tape", "offline", 2), ("hiding", "names_hidden", 1), ("guarded", "unreadable_folder", 2)],
)
def test_what_a_server_says_of_its_files(
    samba: Samba, tmp_path: Path, box: Sandbox, share: str, kind: str, folders: int
) -> None:
    """Files on slower storage, a share that hides names, a folder that may not be listed and is one all the same."""
    samba.require_module("offline")
    root = empty(samba.root)
    build_tree(root, {"A": {"a.txt": b"a", "denied": {}}})
    (root / "A/denied").chmod(0)
    document = inventory(smb_plan(tmp_path / "run", box, samba, share))

    assert 1 == by_kind(document)[kind]["count"]
    assert (1, folders, 1) == (document["files"], document["folders"], document["bytes"])
    assert document["last_access"] is not None or share == "tape"


@pytest.fixture
def share(tmp_path: Path) -> Path:
    """A local share with what Samba does not show as such."""
    root = tmp_path / "share"
    root.mkdir()
    copies = {"1.bin": b"the same bytes", "2.bin": b"the same bytes", "3.bin": b"SAME SIZE ONLY"}
    build_tree(root, {"A": {**copies, "\udcff" * 60 + "x.txt": b"no text"}, "loose.txt": b"at the top"})
    os.mkfifo(root / "A/pipe")
    (root / "A/link").symlink_to("1.bin")
    return root


def test_what_only_some_shares_show(share: Path, tmp_path: Path, box: Sandbox) -> None:
    """A pipe, a link, bytes that are no text and too long for Box; copies by their bytes; what has grown since."""
    program = program_for(tmp_path / "run", box, {"url": share.as_uri()})
    before = inventory(program)
    (share / "A/more.txt").write_bytes(b"one more")
    document = inventory(program, "--hashes")
    shown = by_kind(document)

    assert {"unclassified", "name_too_long", "link", "same_size"} == set(by_kind(before))
    assert {"unclassified", "name_too_long", "link", "same_content"} == set(shown)
    assert (1, 14, ["A/2.bin"]) == tuple(
        shown["same_content"][name] for name in ("count", "bytes", "examples")
    )
    assert [getpass.getuser()] == [each["owner"] for each in document["owners"]]
    assert document["files"] == sum(each["files"] for each in document["last_access"])
    assert before["growth"] is None
    assert (1, 0, 8) == tuple(document["growth"][name] for name in ("files", "folders", "bytes"))
    assert [{"name": "A", "files": 1, "bytes": 8}] == document["growth"]["trees"]


def test_a_person_reads_what_to_do(share: Path, tmp_path: Path, box: Sandbox) -> None:
    """Problems first; no name of the share is a control code; what cannot be written is one line."""
    program = program_for(tmp_path / "run", box, {"url": share.as_uri()})
    shown = program.run("inventory")
    refused = program.run("inventory", "--csv", str(tmp_path / "no/where.csv"))

    assert 0 == shown.code, shown.output
    assert "1 kind of problem, 1 kind of warning" in shown.stdout
    kinds = re.findall(r"^│ ([a-z_]+) +│ +\d", shown.stdout, flags=re.MULTILINE)
    assert ["unclassified", "name_too_long", "link", "same_size"] == kinds
    assert "→ Exclude them" in shown.stdout
    assert (2, 1) == (refused.code, len(refused.stderr.splitlines())), refused.stderr
    assert "--csv" in refused.stderr


def test_interrupt_ends_it(tmp_path: Path, box: Sandbox) -> None:
    """Ctrl-C while it walks: 130, one line that says that nothing was sent."""
    share = tmp_path / "share"
    for number in range(40):
        (share / f"A/{number}/below").mkdir(parents=True)
    program = program_for(tmp_path / "run", box, {"url": share.as_uri()})
    process = program.start("inventory", "--csv", str(tmp_path / "all.csv"))
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob(".all.csv.*")) and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.001)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)

    assert (130, False) == (process.returncode, (tmp_path / "all.csv").exists()), said
    assert "nothing was sent, the same command looks anew" in said

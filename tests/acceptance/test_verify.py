"""`boxhaul verify`: whatever happened in Box or in the share since is found and named, and nothing is changed there."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from connectors.box.sandbox import Sandbox
from tests.program import Program, program_for
from tests.sampling import sampled
from tests.trees import build_tree

NAMES = (
    "altered bot.txt", "bit.txt", "dated.txt", "gone.txt", "kept.txt", "linked.txt", "moved.txt", "named.txt",
    "replaced.txt", "short.txt", "stale.txt", "thrown.txt",
)  # fmt: skip
ANN, EVE = "ann@example.com", "eve@elsewhere.example"


@pytest.fixture
def share(tmp_path: Path) -> Path:
    """Two trees: one with a file for each difference, one with some folders."""
    root = tmp_path / "share"
    root.mkdir()
    files = {name: f"content of {name}".encode() for name in NAMES}
    build_tree(root, {"Team": {**files, "sub": {"deep": {"x.txt": b"x"}}, "empty": {}}, "Other": {"o": b"o"}})
    return root


@pytest.fixture
def program(tmp_path: Path, box: Sandbox, share: Path) -> Program:
    """The program, after a first complete run that let an editor in."""
    box.add_user(EVE)
    trees = [{"source": "Team", "collaborators": [{"login": ANN, "role": "editor"}]}, {"source": "Other"}]
    program = program_for(tmp_path / "run", box, {"url": share.as_uri()}, trees=trees)
    os.utime(share / "Team/stale.txt", (1_500_000_000, 1_500_000_000))
    assert 0 == program.run("migrate").code
    return program


def verified(program: Program, *arguments: str, code: int | None = None) -> dict[str, Any]:
    """The document of a verification, which ends with 1 where something differs."""
    finished = program.run("verify", "--json", *arguments)
    assert finished.stdout, finished.output
    document: dict[str, Any] = json.loads(finished.stdout)
    assert (0 if document["agrees"] else 1) == finished.code, finished.output
    assert code in (None, finished.code), finished.output
    return document


def kinds(document: dict[str, Any]) -> set[tuple[str, str]]:
    """Kind and path of each difference."""
    return {(each["kind"], each["path"]) for each in document["differences"]}


def box_id(box: Sandbox, path: str) -> str:
    return str(box.tree()[path]["id"])


def put(box: Sandbox, path: str, body: dict[str, Any], *, kind: str = "files") -> None:
    """Let the service account change something by Box's API."""
    answer = requests.put(
        f"{box.url}/2.0/{kind}/{box_id(box, path)}",
        json=body,
        headers={"Authorization": f"Bearer {box.token(box.service_account)}"},
        timeout=10,
    )
    assert answer.ok, answer.text


def altered(box: Sandbox, path: str, *, size: int = 0) -> None:
    """What no API call does: Box stores other bytes under the same version."""
    file = box.core.store.files[box_id(box, path)]
    file.sha1 = "0" * 40
    file.size -= size


def trashed(box: Sandbox, path: str, *, for_good: bool = False) -> None:
    person, found = box.person(box.service_account), box_id(box, path)
    person.trash(found)
    if for_good:
        kind = "folder" if found in box.core.store.folders else "file"
        box.core.trash.purge(box.service_account, kind, found)


def replaced(box: Sandbox) -> None:
    trashed(box, "Team/replaced.txt")
    box.person(box.service_account).make_folder("replaced.txt", box_id(box, "Team"))


def duplicate(box: Sandbox) -> None:
    parent = box_id(box, "Team")
    box.core.items.create_folder(box.service_account, parent, "sub", checked=True)


def stale(box: Sandbox) -> None:
    """Somebody takes the newest version away: the one before it is the current one."""
    file = box.core.store.files[box_id(box, "Team/stale.txt")]
    answer = requests.post(
        f"{box.url}/2.0/files/{file.id}/versions/current",
        json={"type": "file_version", "id": file.versions[0].id},
        headers={"Authorization": f"Bearer {box.token(box.service_account)}"},
        timeout=10,
    )
    assert answer.ok, answer.text


def ann(box: Sandbox) -> Any:
    return box.person(next(user for user in box.core.store.users.values() if user.login == ANN))


#: Kind → path that it is told of, and what a person or a fault does in Box.
PLANTED: dict[str, tuple[str, Callable[[Sandbox], object]]] = {
    "missing_in_box": ("Team/gone.txt", lambda box: trashed(box, "Team/gone.txt", for_good=True)),
    "extra_in_box": ("Team/new.txt", lambda box: ann(box).upload("new.txt", b"new", box_id(box, "Team"))),
    "truncated": ("Team/short.txt", lambda box: altered(box, "Team/short.txt", size=3)),
    "altered": ("Team/bit.txt", lambda box: altered(box, "Team/bit.txt")),
    "renamed": ("Team/named.txt", lambda box: ann(box).rename(box_id(box, "Team/named.txt"), "better.txt")),
    "moved": (
        "Team/moved.txt",
        lambda box: ann(box).move(box_id(box, "Team/moved.txt"), box_id(box, "Team/sub")),
    ),
    "stale_version": ("Team/stale.txt", stale),
    "wrong_date": (
        "Team/dated.txt",
        lambda box: put(box, "Team/dated.txt", {"content_modified_at": "2001-01-01T00:00:00Z"}),
    ),
    "duplicate_folder": ("Team/sub", duplicate),
    "trashed": ("Team/thrown.txt", lambda box: trashed(box, "Team/thrown.txt")),
    "replaced_by_folder": ("Team/replaced.txt", replaced),
    "collaborator_added": ("Team", lambda box: ann(box).invite(box_id(box, "Team"), EVE, "viewer")),
    "link_opened": (
        "Team",
        lambda box: put(box, "Team", {"shared_link": {"access": "open"}}, kind="folders"),
    ),
}


def test_a_clean_plan_agrees_at_the_fewest_calls(program: Program, box: Sandbox, share: Path) -> None:
    """One listing a folder and 1,000 entries, a few calls more; all of them read."""
    before = dict(box.calls.by_route)

    document = verified(program, code=0)

    made = {route: count - before.get(route, 0) for route, count in box.calls.by_route.items()}
    made = {route: count for route, count in made.items() if count}
    assert {"agrees": True, "mode": "box", "differences": []}.items() <= document.items()
    assert {"files": 14, "folders": 5} == {key: document["checked"][key] for key in ("files", "folders")}
    assert (
        sum(path.stat().st_size for path in share.rglob("*") if path.is_file())
        == document["checked"]["bytes"]
    )
    assert sum(made.values()) <= 5 + 10, made
    assert {"POST /oauth2/token"} >= {route for route in made if not route.startswith("GET ")}


def test_every_planted_difference_is_found_and_named(
    program: Program, box: Sandbox, share: Path, tmp_path: Path
) -> None:
    """All of them at once, each by its kind and path, with who did it where Box tells; the CSV and the report, too."""
    (share / "Team/stale.txt").write_bytes(b"second")
    assert 0 == program.run("migrate").code
    for _, plant in PLANTED.values():
        plant(box)
    (share / "Team/kept.txt").write_bytes(b"changed in the share")
    calls = {route: count for route, count in box.calls.by_route.items() if not route.startswith("GET ")}

    document = verified(program, "--source", "--csv", str(tmp_path / "all.csv"), code=1)

    expected = {(kind, path) for kind, (path, _) in PLANTED.items()} | {
        ("changed_at_source", "Team/kept.txt")
    }
    assert expected == kinds(document), document["differences"]
    assert 14 == len(expected) == document["difference_count"] == sum(document["by_kind"].values())
    by_kind = {each["kind"]: each for each in document["differences"]}
    assert {ANN} == {by_kind[kind]["by"] for kind in ("extra_in_box", "renamed", "moved")}
    assert EVE in by_kind["collaborator_added"]["detail"]
    with open(tmp_path / "all.csv", newline="") as file:
        assert kinds(document) == {(row["kind"], row["path"]) for row in csv.DictReader(file)}
    after = {route: count for route, count in box.calls.by_route.items() if not route.startswith("GET ")}
    assert {"POST /oauth2/token"} >= {route for route in after if after[route] != calls.get(route, 0)}
    pages = program.run("report", "--plain").stdout.splitlines()
    page = next(Path(line) for line in pages if line.endswith(".html")).read_text()
    assert "compared with Box and the share: differences" in page
    assert "1 stale_version" in page


@pytest.mark.parametrize(
    ("kind",), sampled([("replaced_by_folder",), ("truncated",), ("duplicate_folder",), ("moved",)], every=4)
)
def test_one_difference_is_the_only_one(program: Program, box: Sandbox, kind: str) -> None:
    """A difference draws no others along."""
    path, plant = PLANTED[kind]
    plant(box)

    assert {(kind, path)} == kinds(verified(program, code=1))


def test_folders_that_went_are_one_difference_each(program: Program, box: Sandbox) -> None:
    """What lies below is not told again; a tree's own folder is one difference, and the other tree is compared."""
    trashed(box, "Team/sub")
    assert {("trashed", "Team/sub")} == kinds(verified(program, code=1))

    trashed(box, "Team", for_good=True)

    document = verified(program, code=1)
    assert {("missing_in_box", "Team")} == kinds(document)
    assert 1 == document["checked"]["files"]
    assert {"agrees": True, "trees": ["Other"]}.items() <= verified(program, "--tree", "Other").items()


def test_moved_folder_keeps_what_is_in_it(program: Program, box: Sandbox) -> None:
    """It is compared where it is; a person's file in a folder of the plan is extra there."""
    ann(box).move(box_id(box, "Team/sub/deep"), box_id(box, "Team/empty"))

    document = verified(program, code=1)

    assert {("moved", "Team/sub/deep")} == kinds(document)
    assert "Team/empty" in document["differences"][0]["detail"]
    assert 14 == document["checked"]["files"]


def test_link_inside_a_tree_is_found(program: Program, box: Sandbox) -> None:
    """One that opens a single file."""
    put(box, "Team/linked.txt", {"shared_link": {"access": "open"}})

    assert {("link_opened", "Team/linked.txt")} == kinds(verified(program, code=1))


def test_share_against_what_was_sent(program: Program, share: Path) -> None:
    """Missing, new, changed; a folder that went is one difference."""
    (share / "Team/gone.txt").unlink()
    (share / "Team/sub/deep/x.txt").unlink()
    (share / "Team/sub/deep").rmdir()
    (share / "Team/sub").rmdir()
    (share / "Other/new.txt").write_bytes(b"new")
    os.utime(share / "Team/kept.txt", (1_400_000_000, 1_400_000_000))

    document = verified(program, "--source", code=1)

    assert {
        ("missing_at_source", "Team/gone.txt"),
        ("missing_at_source", "Team/sub"),
        ("new_at_source", "Other/new.txt"),
        ("changed_at_source", "Team/kept.txt"),
    } == kinds(document)


def test_bytes_of_the_share_are_read_again(program: Program, box: Sandbox, share: Path) -> None:
    """A bit that flipped under the same size and times is found; what was only touched is none. Dates in Box that
    somebody changed count unless nobody wants to know of them."""
    PLANTED["wrong_date"][1](box)
    path = share / "Team/bit.txt"
    was = path.stat()
    os.utime(share / "Team/kept.txt", (1_400_000_000, 1_400_000_000))
    assert {"agrees": True}.items() <= verified(program, "--deep", "--no-dates").items()
    path.write_bytes(path.read_bytes().replace(b"content", b"cOntent"))
    os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns))

    document = verified(program, "--deep", code=1)

    # Its change time, which nobody can set back, tells a local disk of it.
    assert {("changed_at_source", "Team/bit.txt"), ("wrong_date", "Team/dated.txt")} == kinds(document)
    assert "every file was read again; 1 file of 14 differ" == document["read_again"]["confidence"]


def test_sample_says_how_sure_it_makes(program: Program) -> None:
    """Two of fourteen files; the words name the bound. What is wrong on the command line ends with 2 and one line."""
    document = verified(program, "--deep", "--sample", "10%", code=0)

    assert {"files": 2, "of": 14, "differing": 0}.items() <= document["read_again"].items()
    assert "99 % sure that fewer than 90% of the files differ" in document["read_again"]["confidence"]
    for arguments in (["--sample", "1%"], ["--deep", "--sample", "x"], ["--tree", "No"]):
        refused = program.run("verify", *arguments)
        assert 2 == refused.code, refused.output
        assert "boxhaul: --" in refused.stderr
    table = program.run("verify", "--deep", "--sample", "10%")
    assert "everything agrees" in table.stdout
    assert "99 % sure" in table.stdout


def test_what_has_not_arrived_does_not_agree(program: Program, box: Sandbox, share: Path) -> None:
    """By the checkpoint itself: one difference for the tree. A plan that never ran has nothing to verify."""
    (share / "Team/late.txt").write_bytes(b"late")
    box.faults.next("POST /files/content").about("late.txt").status(403, error="forbidden_by_policy").times(
        None
    )
    assert 1 == program.run("migrate").code
    box.faults.clear()

    document = verified(program, code=1)

    assert {("not_settled", "Team")} == kinds(document)
    assert "1 failed" in document["differences"][0]["detail"]


def test_tree_that_nobody_moved_does_not_agree(tmp_path: Path, box: Sandbox, share: Path) -> None:
    """Left out by `--tree`, or new in the plan: there is nothing of it to compare, and that is no agreement."""
    program = program_for(tmp_path / "some", box, {"url": share.as_uri()}, trees=[{"source": "Other"}])
    program.write_plan(trees=[{"source": "Other"}, {"source": "Team"}])
    assert 0 == program.run("migrate", "--tree", "Other").code

    left = verified(program)
    assert {("not_settled", "Team")} == kinds(left)
    assert "not begun" in left["differences"][0]["detail"]
    assert verified(program, "--tree", "Other")["agrees"]
    program.write_plan(trees=[{"source": "Other"}, {"source": "Team/sub"}])  # one came, another one went
    assert {("not_settled", "Team/sub")} == kinds(verified(program))
    assert verified(program, "--tree", "Other")["agrees"]

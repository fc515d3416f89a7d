"""Names end to end (P7): no two entries become one in Box, and the report has every name that changed."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml

from connectors.box.names import collision_key, source_name
from connectors.box.sandbox import Sandbox
from connectors.entry import EntryKind
from flows.migrate import migrate_share
from flows.plan.file import load_plan
from flows.reporting.report import write_report
from state.checkpoint import Checkpoint
from state.records import EventLine
from state.reports.events import events
from tests.readings import violations

#: Pairs and triples that Box takes for one name; each group in one folder.
COLLIDING = [
    ["Report.txt", "report.TXT", "REPORT.txt"],
    ["café.txt", "cafe\u0301.txt"],
    ["straße.txt", "STRASSE.txt"],
    ["Ω.txt", "\u2126.txt"],
    ["x\u2215y", "x\\y"],
    ["end ", "end\u2420", "end."],
]

#: Each alone is something that Box refuses or changes.
REFUSED = [
    "trailing dot.", "trailing space ", "tab\there.txt", "new\nline.txt", "back\\slash", "escape\x1b[2J.txt",
    "delete\x7f", "..hidden", "...", " ", "~", "‛quoted", "a‛u0d80", "=cmd|' C calc'!A0", "<script>alert(1)<script>",
    "'; drop table item; --", "${HOME}", "{{ 7*7 }}", "%s%n", "CON", "nul.txt", "a:b*?\"<>|", "\u202egnp.exe",
    "y" * 255, "z" * 251 + ".txt", "😀" * 63 + ".ab", "Thumbs", "-rf", "@x", "+1",
]  # fmt: skip


@pytest.fixture
def plan(tmp_path: Path, running_box: Sandbox) -> Path:
    """A plan that moves `share` as one tree."""
    running_box.reset()
    running_box.violations.clear()
    running_box.write_config(tmp_path / "box_config.json")
    (tmp_path / "share").mkdir()
    document = {
        "name": "names",
        "source": {"url": (tmp_path / "share").as_uri()},
        "box": {
            "auth": {"method": "jwt", "config_file": "box_config.json"},
            "base_url": running_box.url,
            "upload_url": running_box.upload_url,
            "limits": {"uploads_per_minute": 100_000, "calls_per_minute": 400_000, "backoff_seconds": 0.001},
        },
        "state_url": "sqlite:///state.db",
        "trees": [{"source": "", "folder": "All"}],
    }
    path = tmp_path / "plan.yaml"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    return path


def migrate(plan: Path) -> bool:
    """One run; whether everything is complete."""
    return bool(migrate_share.fn(load_plan(plan))["complete"])


def told_of(plan: Path) -> list[EventLine]:
    """The plan's events."""
    with closing(Checkpoint.open(load_plan(plan).resolved_state_url())) as checkpoint:
        plan_id = checkpoint.find_plan("names (rehearsal)")
        assert plan_id is not None
        return list(events(checkpoint, plan_id))


def lines_of(plan: Path) -> dict[str, dict[str, Any]]:
    """The JSON report by source path, without what is gone: a file that became a folder has a line for each."""
    report = json.loads(write_report(load_plan(plan))[2].read_text(encoding="ascii"))
    lines = [line for line in report if line["status"] != "gone"]
    assert len(lines) == len({line["path"] for line in lines})
    return {line["path"]: line for line in lines}


def write(root: Path, path: str) -> None:
    """A file whose content is its own path."""
    target = root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(os.fsencode(path))


def entries(root: Path) -> Iterator[tuple[str, bool]]:
    """Every entry below the root: path, and whether it is a file."""
    for folder, names, files in os.walk(root):
        for name in [*names, *files]:
            yield Path(folder, name).relative_to(root).as_posix(), name in files


def assert_names(plan: Path, box: Sandbox) -> dict[str, dict[str, Any]]:
    """Every entry arrived once under the name that the report gives for it, and no two are one for Box."""
    root = plan.parent / "share"
    lines = lines_of(plan)
    held = {file.id: (path, file) for path, file in box.files().items()}
    in_box: dict[str, str] = {"": "All"}
    there = sorted(entries(root))
    assert {path for path, _ in there} == set(lines)
    for path, is_file in there:
        line = lines[path]
        assert "uploaded" == line["status"], path
        parent, _, name = path.rpartition("/")
        in_box[path] = f"{in_box[parent]}/{line['box_name']}"
        assert line["renamed"] is (line["box_name"] != name), path
        if is_file:
            where, file = held.pop(line["box_id"])
            assert (in_box[path], 1) == (where, file.versions)
            assert hashlib.sha1(os.fsencode(path)).hexdigest() == file.sha1, path
        else:
            assert in_box[path] in box.folders(), path
    assert {} == held
    everything = [*box.files(), *box.folders()]
    twice = [key for key, count in Counter(map(collision_key, everything)).items() if count > 1]
    assert [] == twice
    assert [] == violations(box)
    return lines


def test_colliding_and_refused_names_arrive_apart(plan: Path, running_box: Sandbox) -> None:
    """Case, Unicode forms, forbidden characters, lengths, names of commands: all arrive, and all are told."""
    root = plan.parent / "share"
    for number, group in enumerate(COLLIDING):
        for name in group:
            write(root, f"group {number}/{name}")
    for name in REFUSED:
        write(root, f"refused/{name}")
    # Files and folders share one namespace in Box; so do two folders.
    for path in ("mixed/Data", "mixed/data/inside.txt", "mixed/DATA/inside.txt", "mixed/end ./in./x."):
        write(root, path)

    assert migrate(plan)
    lines = assert_names(plan, running_box)

    for number, group in enumerate(COLLIDING):
        kept = [name for name in group if not lines[f"group {number}/{name}"]["renamed"]]
        assert len(kept) <= 1, group
    for name in REFUSED:
        in_box = lines[f"refused/{name}"]["box_name"]
        assert name == source_name(in_box), "reversible"
    page, table, *_ = write_report(load_plan(plan))
    html, csv_text = page.read_text(encoding="utf-8"), table.read_text(encoding="utf-8")
    assert "<script>alert" not in html
    assert "\x1b" not in html + csv_text
    assert "\u202e" not in html + csv_text
    assert all(not line.startswith(("=", "@")) for line in csv_text.replace(",", "\n").splitlines())


def test_names_stay_as_they_are_once_given(plan: Path, running_box: Sandbox) -> None:
    """A name that comes later and collides gets another one; what is in Box is neither renamed nor written over."""
    root = plan.parent / "share"
    write(root, "Zebra.txt")
    write(root, "folder/x.txt")
    assert migrate(plan)
    first = lines_of(plan)
    for path in ("ZEBRA.txt", "zebra.txt", "Folder/x.txt", "Zebra.txt."):
        write(root, path)

    assert migrate(plan)
    second = assert_names(plan, running_box)

    for path, line in first.items():
        assert (line["box_name"], line["box_id"]) == (second[path]["box_name"], second[path]["box_id"])
    assert migrate(plan)
    assert second == lines_of(plan)
    assert 6 == running_box.calls.by_route["POST /files/content"]


def test_entry_that_gives_its_name_free(plan: Path, running_box: Sandbox) -> None:
    """When one of two colliding files is deleted in the share, the other keeps its name, version and id in Box."""
    root = plan.parent / "share"
    write(root, "A.txt")
    write(root, "a.txt")
    assert migrate(plan)
    before = lines_of(plan)
    (root / "A.txt").unlink()

    assert migrate(plan)

    after = lines_of(plan)["a.txt"]
    assert before["a.txt"]["box_name"] == after["box_name"]
    assert before["a.txt"]["box_id"] == after["box_id"]
    assert {1} == {file.versions for file in running_box.files().values()}
    assert 2 == len(running_box.files()), "nothing is deleted in Box"


@pytest.mark.parametrize("first", ["file", "folder"])
@pytest.mark.gate(1)
def test_file_and_folder_that_take_each_others_name(plan: Path, running_box: Sandbox, first: str) -> None:
    """Where a file became a folder, or the reverse, Box still has what was there: the new one gets another name, and
    whatever comes back later finds its own place."""
    root = plan.parent / "share"
    paths = {"file": "d/x", "folder": "d/x/in.txt"}
    second = "folder" if first == "file" else "file"
    write(root, paths[first])
    assert migrate(plan)
    [old] = [file.id for file in running_box.files().values()]
    shutil.rmtree(root / "d")
    write(root, paths[second])

    assert migrate(plan)

    name = lines_of(plan)["d/x"]["box_name"]
    assert name.startswith("x~")
    told = [event.detail for event in told_of(plan) if event.kind == "renamed"]
    assert [("d/x", name)] == [(detail["path"], detail["box_name"]) for detail in told]
    assert 2 == len(running_box.files())
    shutil.rmtree(root / "d")
    write(root, paths[first])
    assert migrate(plan)
    line = lines_of(plan)[paths[first]]
    assert old == line["box_id"]
    assert "x" == lines_of(plan)["d/x"]["box_name"]
    assert {1} == {file.versions for file in running_box.files().values()}


@pytest.mark.parametrize("was_in_box", [True, False])
def test_name_of_what_is_excluded_later(plan: Path, running_box: Sandbox, was_in_box: bool) -> None:
    """What became a link, which does not move, keeps its name in Box against a new file; one that never was there
    holds none."""
    root = plan.parent / "share"
    write(root, "d/Notes.txt")
    if was_in_box:
        assert migrate(plan)
    (root / "d/Notes.txt").unlink()
    (root / "d/Notes.txt").symlink_to("elsewhere")
    write(root, "d/NOTES.txt")

    assert migrate(plan)

    assert was_in_box is lines_of(plan)["d/NOTES.txt"]["box_name"].startswith("NOTES~")
    (root / "d/Notes.txt").unlink()
    write(root, "d/Notes.txt")
    assert migrate(plan)
    assert_names(plan, running_box)


def test_both_spellings_after_one_took_over(plan: Path, running_box: Sandbox) -> None:
    """A file and a folder whose names changed in case only keep their places in Box; when the old spellings come
    back beside them, those get other names."""
    root = plan.parent / "share"
    for path in ("d/File.txt", "d/Data/in.txt"):
        write(root, path)
    assert migrate(plan)
    ids = {file.id for file in running_box.files().values()}
    (root / "d/File.txt").rename(root / "d/FILE.txt")
    (root / "d/Data").rename(root / "d/DATA")
    assert migrate(plan)
    assert ids == {file.id for file in running_box.files().values()}
    for path in ("d/File.txt", "d/Data/in.txt"):
        write(root, path)

    assert migrate(plan)

    lines = lines_of(plan)
    assert lines["d/File.txt"]["box_name"].startswith("File~")
    assert lines["d/Data"]["box_name"].startswith("Data~")
    assert ids < {file.id for file in running_box.files().values()}
    assert ids == {lines[path]["box_id"] for path in ("d/FILE.txt", "d/DATA/in.txt")}


def test_many_generated_names(plan: Path, running_box: Sandbox) -> None:
    """Six hundred names out of few letters in one folder: each is a file of its own in Box."""
    root, rng = plan.parent / "share", random.Random(7)
    alphabet = "aAbßsSkKİiéＡ.~ \\\x1f\x7f‛␀␠∕⧵․ﬁ\u0301\u0345\u0338\udcff😀u0d8"
    (root / "many").mkdir()
    for _ in range(600):
        name = "".join(rng.choices(alphabet, k=rng.randint(1, 9)))
        if name not in (".", "..") and not (root / "many" / name).exists():
            write(root, f"many/{name}")

    assert migrate(plan)
    lines = assert_names(plan, running_box)

    assert 300 < sum(line["kind"] == EntryKind.FILE for line in lines.values())


#: Groups of names that are one in Unicode's form NFKC and none of which is another's NFC.
COMPATIBLE = [
    ["1", "①", "１", "¹"], ["テスト", "ﾃｽﾄ"], ["ﬁx", "FIX", "Ｆix"], ["№", "no", "NO"], ["Ⅷ", "viii"],
    ["½", "1⁄2"], ["㎏", "kg"], ["™", "tm"],
]  # fmt: skip

#: Ways in which Box may compare: (folders, uploads, names that are there too).
READINGS = [(True, True, True), (True, False, True), (True, False, False), (True, True, False)]


@pytest.mark.parametrize(("folders", "uploads", "existing"), READINGS)
@pytest.mark.gate(1)
def test_compatible_names_never_share_a_folder(
    plan: Path, running_box: Sandbox, folders: bool, uploads: bool, existing: bool
) -> None:
    """Sibling folders and files that are one in NFKC arrive apart, with many senders at once, however Box compares."""
    running_box.settings.update({"nfkc_folders": folders, "nfkc_uploads": uploads, "nfkc_existing": existing})
    running_box.limits.update({"latency_seconds": 0.01})
    root = plan.parent / "share"
    for group in COMPATIBLE:
        for name in group:
            for path in (f"{name}/same.txt", f"deep/{name}/{name}/same.txt", f"files/{name}.txt"):
                write(root, path)
        write(root, f"mixed/{group[0]}")
        write(root, f"mixed/{group[1]}/same.txt")

    assert migrate(plan)
    lines = assert_names(plan, running_box)

    assert_apart(lines)
    renamed = {(path.rpartition("/")[0], path) for path, line in lines.items() if line["renamed"]}
    assert {"", "files", "mixed", "deep"} <= {parent for parent, _ in renamed}
    assert {path for _, path in renamed} == {
        event.detail["path"] for event in told_of(plan) if event.kind == "renamed"
    }


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.gate(2)
def test_compatible_names_and_lost_answers(plan: Path, running_box: Sandbox, seed: int) -> None:
    """Where answers to creations are lost, what is adopted afterwards is the folder's own, never its neighbour's."""
    running_box.settings.update({"nfkc_folders": True, "nfkc_uploads": True})
    dice = random.Random(seed)
    root = plan.parent / "share"
    for group in COMPATIBLE:
        for name in dice.sample(group, 2):
            write(root, f"{name}/same.txt")
            write(root, f"deep/{name}/same.txt")
    running_box.faults.random(seed, 0.4, "POST /f*", ["reset_after", "after_effect"], times=20)

    complete = migrate(plan)
    running_box.faults.clear()

    assert complete or migrate(plan)
    assert_apart(assert_names(plan, running_box))


def test_a_compatible_name_that_comes_later(plan: Path, running_box: Sandbox) -> None:
    """What has its name in Box keeps it; a sibling that comes later and is one with it in NFKC gets another."""
    root = plan.parent / "share"
    for group in COMPATIBLE:
        write(root, f"{group[-1]}/same.txt")
    assert migrate(plan)
    first = lines_of(plan)
    for group in COMPATIBLE:
        for name in group:
            write(root, f"{name}/same.txt")

    assert migrate(plan)
    second = assert_names(plan, running_box)

    assert_apart(second)
    for path, line in first.items():
        assert (line["box_name"], line["box_id"]) == (second[path]["box_name"], second[path]["box_id"])


@pytest.mark.parametrize(
    "refused", [{"refuse_leading_spaces"}, {"refuse_leading_spaces", "refuse_windows_characters"}]
)
@pytest.mark.gate(1)
def test_names_that_box_refuses_arrive_in_a_stricter_form(
    plan: Path, running_box: Sandbox, refused: set[str]
) -> None:
    """Where Box refuses leading spaces or Windows' characters, all arrives, apart, and the report tells it."""
    running_box.settings.update(dict.fromkeys(refused, True))
    root = plan.parent / "share"
    for name in (" leading", "a:b", ' what?"', "plain", "pipe | and *"):
        write(root, f"{name}/{name}.txt")

    assert migrate(plan)
    running_box.violations.clear()
    assert migrate(plan)
    lines = assert_names(plan, running_box)

    assert_apart(lines)
    assert not any(name.startswith(" ") for path in running_box.files() for name in path.split("/"))
    assert all(
        name == source_name(line["box_name"])
        for path, line in lines.items()
        for name in [path.rpartition("/")[2]]
    )


def assert_apart(lines: dict[str, dict[str, Any]]) -> None:
    """No two entries hold one id of Box."""
    shared = [
        box_id for box_id, count in Counter(line["box_id"] for line in lines.values()).items() if count > 1
    ]

    assert [] == shared

"""`boxhaul report --manifest`: what an auditor gets, checked by itself, with neither plan nor network."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from connectors.box.sandbox import Sandbox
from tests.program import Finished, Program, fresh, program_for
from tests.trees import build_tree

NO_UNICODE = "caf\udce9.txt"


@pytest.fixture
def program(tmp_path: Path, box: Sandbox) -> Program:
    """The program, after a run that left one file behind and let an editor in elsewhere."""
    share = tmp_path / "share"
    share.mkdir()
    files: dict[str, Any] = {NO_UNICODE: b"odd", "a?.txt": b"a", "sub": {"b.txt": b"bb", "Thumbs.db": b"t"}}
    build_tree(share, {"Team": files, "Other": {"o.txt": b"o", "refused.txt": b"r", "empty": {}}})
    people = [{"login": "ann@example.com", "role": "editor"}]
    trees = [{"source": "Team", "folder": "Up/Team X", "collaborators": people}, {"source": "Other"}]
    program = program_for(tmp_path / "run", box, {"url": share.as_uri()}, trees=trees)
    box.faults.next("POST /files/content").about("refused.txt").status(
        403, error="forbidden_by_policy"
    ).times(None)
    assert 1 == program.run("migrate").code
    box.faults.clear()
    return program


def alone(*arguments: str) -> Finished:
    """`boxhaul verify --manifest`, which has no plan."""
    process = fresh(["verify", *arguments], {**os.environ})
    stdout, stderr = process.communicate(timeout=120)
    return Finished(process.returncode, stdout, stderr)


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line)["line"] for line in path.read_bytes().splitlines()]


def test_every_entry_with_its_proof(program: Program, box: Sandbox, tmp_path: Path) -> None:
    """Paths in Box, ids, versions, sha1, dates, statuses and grants are those of Box; the rest of the sums, too."""
    program.run("verify")
    target = tmp_path / "manifest.jsonl"

    finished = program.run("report", "--plain", "--manifest", str(target))

    assert 0 == finished.code, finished.output
    assert [target, Path(f"{target}.sig"), Path(f"{target}.pub")] == [
        Path(p) for p in finished.stdout.split()[-3:]
    ]
    header, *middle, closing = lines_of(target)
    assert {"plan": "test", "format_version": 1, "landing_folder_id": "0"}.items() <= header.items()
    assert {"mode": "box", "agrees": False}.items() <= header["last_verification"].items()
    entries = {line["path"]: line for line in middle if line["type"] == "entry"}
    uploaded = [line for line in entries.values() if line["status"] == "uploaded" and line["kind"] == "file"]
    tree, stored = box.tree(), box.files()
    assert len(stored) == len(uploaded) == 4
    for line in uploaded:
        file = stored[line["box_path"]]
        assert (file.id, file.sha1, file.size) == (line["box_id"], line["sha1"], line["size"])
        assert tree[line["box_path"]]["id"] == line["box_id"]
        assert box.core.store.files[file.id].version_id == line["box_version_id"]
    assert hashlib.sha1(b"odd").hexdigest() == entries[f"Team/{NO_UNICODE}"]["sha1"]
    assert "Up/Team X/sub" == entries["Team/sub"]["box_path"]
    assert {"listing"} == {
        line["proof"] for path, line in entries.items() if path in ("Team/sub/b.txt", "Team/sub")
    }
    assert ("failed", None) == (entries["Other/refused.txt"]["status"], entries["Other/refused.txt"]["proof"])
    assert "excluded" == entries["Team/sub/Thumbs.db"]["status"]
    [grant] = [line for line in middle if line["type"] == "grant"]
    assert ("ann@example.com", "editor", "accepted") == (grant["login"], grant["role"], grant["status"])
    assert {"uploaded": 6, "failed": 1, "excluded": 1} == closing["by_status"]
    assert 2 + len(middle) == closing["lines"]


def test_checked_by_itself(program: Program, tmp_path: Path) -> None:
    """By the key that was made for the plan, which is its owner's alone and stays; a changed line is found."""
    target = tmp_path / "m.jsonl"
    first = program.run("report", "--plain", "--manifest", str(target))
    shutil.copy(f"{target}.pub", tmp_path / "kept.pub")
    assert 0o600 == (program.folder / "test-manifest.key").stat().st_mode & 0o777
    assert "public half" in first.stderr
    again = program.run("report", "--plain", "--manifest", str(target))
    assert first.stderr == again.stderr

    good = alone("--manifest", str(target), "--key", str(tmp_path / "kept.pub"), "--json")

    assert 0 == good.code, good.output
    document = json.loads(good.stdout)
    assert {
        "agrees": True,
        "mode": "manifest",
        "signature": "good",
        "plan": "test",
    }.items() <= document.items()
    target.write_bytes(target.read_bytes().replace(b'"status":"failed"', b'"status":"waived"'))
    bad = alone("--manifest", str(target), "--key", str(tmp_path / "kept.pub"))
    assert 1 == bad.code, bad.output
    assert "manifest_broken" in bad.stdout


def test_key_of_ones_own(program: Program, tmp_path: Path) -> None:
    """One that OpenSSL made; what is no key is told."""
    key, target = tmp_path / "own.pem", tmp_path / "m.jsonl"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", str(key)], check=True)
    subprocess.run(["openssl", "pkey", "-in", str(key), "-pubout", "-out", f"{key}.pub"], check=True)

    assert 0 == program.run("report", "--plain", "--manifest", str(target), "--sign", str(key)).code

    assert 0 == alone("--manifest", str(target), "--key", f"{key}.pub").code
    assert not (program.folder / "test-manifest.key").exists()
    assert (
        2
        == program.run("report", "--plain", "--manifest", str(target), "--sign", str(tmp_path / "none")).code
    )
    assert 2 == program.run("report", "--sign", str(key)).code
    assert 2 == alone("--manifest", str(tmp_path / "none")).code


def test_against_box(program: Program, box: Sandbox, tmp_path: Path) -> None:
    """What the manifest has is looked for in Box; what a later run put there is no difference."""
    target = tmp_path / "m.jsonl"
    program.run("report", "--plain", "--manifest", str(target))
    (tmp_path / "share/Team/later.txt").write_bytes(b"later")
    program.run("migrate")

    clean = program.run("verify", "--manifest", str(target), "--key", f"{target}.pub", "--json")

    assert 0 == clean.code, clean.output
    assert {"signature": "good", "mode": "manifest against box"}.items() <= json.loads(clean.stdout).items()
    checked = json.loads(clean.stdout)["checked"]
    assert (6, 4) == (checked["files"] + 2, checked["folders"])
    person, tree = box.person(box.service_account), box.tree()
    person.trash(tree["Up/Team X/sub"]["id"])
    person.rename(tree["Other/o.txt"]["id"], "other.txt")
    person.make_folder("extra", tree["Other"]["id"])
    person.move(tree["Other/empty"]["id"], tree["Up/Team X"]["id"])
    found = program.run("verify", "--manifest", str(target), "--json")
    assert 1 == found.code, found.output
    differences = json.loads(found.stdout)["differences"]
    assert {
        ("trashed", "Team/sub"),
        ("renamed", "Other/o.txt"),
        ("extra_in_box", "Other/extra"),
        ("moved", "Other/empty"),
    } == {(each["kind"], each["path"]) for each in differences}
    assert "renamed" in program.run("verify", "--manifest", str(target)).stdout

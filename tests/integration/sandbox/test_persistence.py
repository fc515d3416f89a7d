"""The data folder, the process of its own, and contents that are only hashed."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import requests

from connectors.box.sandbox import Sandbox, SandboxConfig
from connectors.box.sandbox.__main__ import run
from tests.integration.sandbox.conftest import Raw

SMALL = {"min_session_size": 10, "part_size": 10}
CONTENT = b"0123456789abcdefghijABCDE"


def digest(content: bytes) -> str:
    """The Digest header."""
    return "sha=" + base64.b64encode(hashlib.sha1(content).digest()).decode()


def put_part(raw: Raw, session_id: str, number: int) -> dict[str, object]:
    """Send one part of CONTENT."""
    piece = CONTENT[number * 10 : number * 10 + 10]
    headers = {
        "Digest": digest(piece),
        "Content-Range": f"bytes {number * 10}-{number * 10 + len(piece) - 1}/{len(CONTENT)}",
        "Content-Type": "application/octet-stream",
    }
    answer = raw("PUT", f"/api/2.0/files/upload_sessions/{session_id}", data=piece, headers=headers)
    assert 200 == answer.status_code, answer.text
    part: dict[str, object] = answer.json()["part"]
    return part


def commit(raw: Raw, session_id: str, parts: list[dict[str, object]]) -> requests.Response:
    """Commit CONTENT."""
    path = f"/api/2.0/files/upload_sessions/{session_id}/commit"
    return raw("POST", path, json={"parts": parts}, headers={"Digest": digest(CONTENT)})


def open_session(raw: Raw) -> str:
    """A session for CONTENT in the root."""
    body = {"folder_id": "0", "file_size": len(CONTENT), "file_name": "big"}
    return str(raw("POST", "/api/2.0/files/upload_sessions", json=body).json()["id"])


def fill(box: Sandbox) -> None:
    """Folders, files, versions, a copy, the trash, grants, groups, metadata, allow-lists."""
    raw = Raw(box)
    top = raw.folder("top").json()["id"]
    inner = raw.folder("inner", top).json()["id"]
    file = raw.upload("f", b"one", inner).json()["entries"][0]["id"]
    raw("POST", f"/api/2.0/files/{file}/content", files={"attributes": (None, "{}"), "file": ("f", b"two2")})
    raw("POST", f"/2.0/files/{file}/copy", json={"parent": {"id": top}})
    gone = raw.upload("gone", b"gone", inner).json()["entries"][0]["id"]
    raw("DELETE", f"/2.0/files/{gone}")
    lost = raw.folder("lost", top).json()["id"]
    raw.upload("below", b"12345", lost)
    raw("DELETE", f"/2.0/folders/{lost}?recursive=true")
    ann = box.add_user("ann@example.com")
    group = box.add_group("G", [ann])
    for who in (
        {"type": "user", "id": ann.id},
        {"type": "group", "id": group.id},
        {"type": "user", "login": "x@y.org"},
    ):
        raw("POST", "/2.0/collaborations", json={
            "item": {"type": "folder", "id": top}, "accessible_by": who, "role": "viewer"})  # fmt: skip
    raw("POST", f"/2.0/files/{file}/metadata/global/properties", json={"a": "1"})
    raw("PUT", f"/2.0/files/{file}", json={"lock": {"access": "lock"}, "tags": ["t"]})
    raw("POST", "/2.0/collaboration_whitelist_entries", json={"domain": "good.org", "direction": "both"})
    raw("POST", "/2.0/collaboration_whitelist_exempt_targets", json={"user": {"id": ann.id}})
    raw.session.close()


def summary(box: Sandbox) -> dict[str, object]:
    """Everything that a restart must keep."""
    raw = Raw(box)
    trash = raw("GET", "/2.0/folders/trash/items").json()["entries"]
    raw.session.close()
    return {
        "tree": box.tree(),
        "used": box.service_account.space_used,
        "trash": trash,
        "grants": box.collaborations(),
        "contents": {path: box.content(file.id) for path, file in box.files().items()},
        "config": box.jwt_config["jwt"],
        "groups": [list(group.members) for group in box.core.store.groups.values()],
        "lists": [list(box.core.store.allowlist), list(box.core.store.exempt)],
    }


def test_everything_survives_a_restart(tmp_path: Path) -> None:
    """A sandbox on the same data folder has the same tree, contents, trash, grants, space and credentials."""
    with Sandbox(data=str(tmp_path)) as box:
        fill(box)
        before, token = summary(box), box.token()
        box.core.store.flush()
    with Sandbox(data=str(tmp_path)) as box:
        assert before == summary(box)
        answer = requests.get(
            f"{box.url}/2.0/users/me", headers={"Authorization": f"Bearer {token}"}, timeout=30
        )

        assert 200 == answer.status_code


def test_upload_session_survives_a_restart(tmp_path: Path) -> None:
    """Parts sent before the restart need not be sent again."""
    with Sandbox(data=str(tmp_path), settings=SMALL) as box:
        raw = Raw(box)
        session_id = open_session(raw)
        parts = [put_part(raw, session_id, 1), put_part(raw, session_id, 0)]
        raw.session.close()
    with Sandbox(data=str(tmp_path), settings=SMALL) as box:
        raw = Raw(box)
        parts.append(put_part(raw, session_id, 2))
        assert 201 == commit(raw, session_id, parts).status_code
        raw.session.close()

        assert CONTENT == box.content(box.files()["big"].id)


def test_reset_empties_the_data_folder(tmp_path: Path) -> None:
    """After a reset and a restart there is nothing, under the same credentials."""
    with Sandbox(data=str(tmp_path)) as box:
        fill(box)
        box.reset()
        config = box.jwt_config["jwt"]
    with Sandbox(data=str(tmp_path)) as box:
        assert ({}, [], config) == (box.files(), box.folders(), box.jwt_config["jwt"])


def token_of(url: str, config_file: Path) -> str:
    """A token of the service account."""
    config = json.loads(config_file.read_text())
    form = {
        "grant_type": "client_credentials", **config["ccg"], "box_subject_type": "enterprise",
        "box_subject_id": config["enterprise_id"],
    }  # fmt: skip
    answer = requests.post(f"{url}/oauth2/token", data=form, timeout=30)
    return str(answer.json()["access_token"])


def test_killed_process_forgets_nothing(tmp_path: Path) -> None:
    """What a killed sandbox has acknowledged is there when it starts again."""
    command = [sys.executable, "-m", "connectors.box.sandbox", "--data", str(tmp_path / "data")]
    command += ["--config", str(tmp_path / "config.json")]
    names = []
    for _ in range(2):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            token = token_of(url, tmp_path / "config.json")
            with requests.Session() as session:
                session.headers["Authorization"] = f"Bearer {token}"
                names = [
                    e["name"] for e in session.get(f"{url}/2.0/folders/0/items", timeout=30).json()["entries"]
                ]
                body = {"name": str(len(names)), "parent": {"id": "0"}}
                assert 201 == session.post(f"{url}/2.0/folders", json=body, timeout=30).status_code
            process.send_signal(signal.SIGKILL)

    assert ["0"] == names


@pytest.mark.parametrize(
    ("flags", "served", "in_files"),
    [
        pytest.param(["--hash-only"], [503, 503], None, id="hash-only"),
        pytest.param(["--keep-content", "--memory-bytes", "100"], [b"x" * 100, b"y"], [b"y"], id="keep-content"),
        pytest.param(["--memory-bytes", "0"], [b"x" * 100, b"y"], [b"x" * 100, b"y"], id="no memory"),
    ],
)  # fmt: skip
def test_process_ends_on_sigterm(
    tmp_path: Path, flags: list[str], served: list[Any], in_files: list[bytes] | None
) -> None:
    """`python -m` prints its address when it is ready, keeps contents where it was told, and takes them along when
    SIGTERM ends it."""
    command = [sys.executable, "-m", "connectors.box.sandbox", "--config", str(tmp_path / "c.json"), *flags]
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        [*command, "--uploads-per-minute", "240"], stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        limits = requests.get(f"{url}/_sandbox/limits", timeout=30).json()
        with requests.Session() as session:
            session.headers["Authorization"] = f"Bearer {token_of(url, tmp_path / 'c.json')}"
            got = [kept(session, url, name, content) for name, content in (("1", b"x" * 100), ("2", b"y"))]
        held = [
            [path.read_bytes() for path in sorted(folder.iterdir())]
            for folder in tmp_path.glob("boxhaul-sandbox-*")
        ]
        process.terminate()

        assert 0 == process.wait(20)
    assert 240 == limits["uploads_per_minute"]
    assert served == got
    assert ([] if in_files is None else [in_files]) == held
    assert [] == list(tmp_path.glob("boxhaul-sandbox-*"))


def kept(session: requests.Session, url: str, name: str, content: bytes) -> bytes | int:
    """Upload a file; what is served of it afterwards, or the status of the refusal."""
    attributes = json.dumps({"name": name, "parent": {"id": "0"}})
    form = {"attributes": (None, attributes), "file": (name, content)}
    sent = session.post(f"{url}/api/2.0/files/content", files=form, timeout=30)
    file_id = sent.json()["entries"][0]["id"]
    answer = session.get(f"{url}/2.0/files/{file_id}/content", timeout=30)
    return answer.content if answer.ok else answer.status_code


def test_run_stops_by_its_event(tmp_path: Path) -> None:
    """`run` serves until its event is set, and writes the configuration first."""
    stop = threading.Event()
    stop.set()
    run(SandboxConfig(), tmp_path / "config.json", stop=stop, quiet=True)

    assert {"boxAppSettings", "enterpriseID", "base_url"} <= set(
        json.loads((tmp_path / "config.json").read_text())
    )


def test_only_digests_are_kept() -> None:
    """With content="hash" digests and sizes are right, whatever the order of parts, and contents are not served."""
    with Sandbox(content="hash", settings=SMALL) as box:
        raw = Raw(box)
        file_id = raw.upload("f", b"abc").json()["entries"][0]["id"]
        session_id = open_session(raw)
        parts = [put_part(raw, session_id, number) for number in (2, 1, 0)]
        assert 201 == commit(raw, session_id, parts).status_code
        served = raw("GET", f"/2.0/files/{file_id}/content").status_code
        raw.session.close()

        assert (None, 503) == (box.content(file_id), served)
        assert hashlib.sha1(CONTENT).hexdigest() == box.files()["big"].sha1


def test_large_contents_go_to_files(tmp_path: Path) -> None:
    """Contents beyond the memory bound are kept in files, and are removed at the end."""
    with Sandbox(memory_bytes=100) as box:
        raw = Raw(box)
        ids = [raw.upload(str(n), bytes([n]) * 60).json()["entries"][0]["id"] for n in range(4)]
        ranged = raw("GET", f"/2.0/files/{ids[3]}/content", headers={"Range": "bytes=50-99"}).content
        raw.session.close()
        folder = box.core.store.contents._temporary
        assert [bytes([n]) * 60 for n in range(4)] == [box.content(i) for i in ids]
        assert bytes([3]) * 10 == ranged
        assert folder is not None
        assert folder.exists()

    assert not folder.exists()


def test_unknown_names_are_refused() -> None:
    """Misspelt settings and limits are errors that list the known ones."""
    for fields in ({"settings": {"part_sise": 1}}, {"limits": {"uploads": 1}}, {"content": "some"}):
        with pytest.raises(ValueError, match=r"known|keep"):
            Sandbox(**fields)


def test_data_folder_belongs_to_one_sandbox(tmp_path: Path) -> None:
    """A second sandbox on a folder in use is refused; after the first has ended it may start."""
    with Sandbox(data=str(tmp_path)), pytest.raises(RuntimeError, match="in use by another sandbox"):
        Sandbox(data=str(tmp_path))
    with Sandbox(data=str(tmp_path)) as box:
        assert [] == box.folders()

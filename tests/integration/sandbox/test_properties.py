"""Random operations, one after another and at once: no 500, and a Box whose sums are right."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from connectors.box.sandbox import Sandbox
from connectors.box.sandbox.rules.names import name_key
from tests.integration.sandbox import invariants
from tests.integration.sandbox.conftest import Raw

#: Few names, so that they collide; ugly ones, so that they break.
NAMES = st.one_of(
    st.sampled_from(
        ["a", "A", "b", "é", "e\u0301", "É", "ß", "ss", "x.txt", "X.TXT", " a", "a ", "a.", "💩"]
    ),
    st.text(max_size=8),
    st.text(alphabet="aAbB/\\\t. ", max_size=4),
)
CONTENTS = st.binary(max_size=60)
PART = 10


@pytest.fixture(scope="module")
def small() -> Iterator[Sandbox]:
    """A sandbox with little space, so that quotas matter, and small upload sessions."""
    config = {"min_session_size": 1, "part_size": PART, "space_amount": 2000, "max_upload_size": 55}
    with Sandbox(settings=config, validate=True) as box:
        yield box


def digest(content: bytes) -> str:
    """The Digest header."""
    return "sha=" + base64.b64encode(hashlib.sha1(content).digest()).decode()


class Operations:
    """Random calls on random items, through HTTP; every answer must be below 500."""

    def __init__(self, box: Sandbox, raw: Raw) -> None:
        self.box = box
        self.raw = raw

    def call(self, method: str, path: str, **options: Any) -> Any:
        """One call; its JSON, or None."""
        answer = self.raw(method, path, **options)
        assert answer.status_code < 500, (method, path, options, answer.text)
        return answer.json() if answer.content and "json" in answer.headers.get("content-type", "") else None

    def pick(self, kind: str, number: int) -> str:
        """The id of some item, trashed ones included; "0" or an unknown one where there is none."""
        store = self.box.core.store
        with store.lock:
            ids = list(store.folders if kind == "folders" else store.files)
        if kind == "folders":
            ids.append("0")
        return ids[number % len(ids)] if ids else "999"

    def run(self, operation: str, one: int, two: int, name: str, content: bytes) -> None:
        """One operation by name."""
        getattr(self, operation)(one, two, name, content)

    def make_folder(self, one: int, two: int, name: str, content: bytes) -> None:
        self.call("POST", "/2.0/folders", json={"name": name, "parent": {"id": self.pick("folders", one)}})

    def upload(self, one: int, two: int, name: str, content: bytes) -> None:
        answer = self.raw.upload(name, content, self.pick("folders", one))
        assert answer.status_code < 500

    def version(self, one: int, two: int, name: str, content: bytes) -> None:
        files = {"attributes": (None, "{}"), "file": ("f", content)}
        self.call("POST", f"/api/2.0/files/{self.pick('files', one)}/content", files=files)

    def rename_file(self, one: int, two: int, name: str, content: bytes) -> None:
        self.call("PUT", f"/2.0/files/{self.pick('files', one)}", json={"name": name})

    def move_file(self, one: int, two: int, name: str, content: bytes) -> None:
        body = {"parent": {"id": self.pick("folders", two)}, "name": name}
        self.call("PUT", f"/2.0/files/{self.pick('files', one)}", json=body)

    def move_folder(self, one: int, two: int, name: str, content: bytes) -> None:
        body = {"parent": {"id": self.pick("folders", two)}}
        self.call("PUT", f"/2.0/folders/{self.pick('folders', one)}", json=body)

    def copy(self, one: int, two: int, name: str, content: bytes) -> None:
        kind = "files" if two % 2 else "folders"
        folder = self.pick(kind, one)
        if folder == "0":
            # Box answers 500 for a copy of the root.
            return
        self.call(
            "POST",
            f"/2.0/{kind}/{folder}/copy",
            json={"parent": {"id": self.pick("folders", two)}, "name": name},
        )

    def delete(self, one: int, two: int, name: str, content: bytes) -> None:
        kind = "files" if two % 2 else "folders"
        self.call("DELETE", f"/2.0/{kind}/{self.pick(kind, one)}?recursive={bool(two % 3)}")

    def restore(self, one: int, two: int, name: str, content: bytes) -> None:
        kind = "files" if two % 2 else "folders"
        self.call("POST", f"/2.0/{kind}/{self.pick(kind, one)}", json={"name": name, "parent": {"id": "0"}})

    def purge(self, one: int, two: int, name: str, content: bytes) -> None:
        kind = "files" if two % 2 else "folders"
        self.call("DELETE", f"/2.0/{kind}/{self.pick(kind, one)}/trash")

    def session(self, one: int, two: int, name: str, content: bytes) -> None:
        """A whole upload session, parts from the back, sometimes abandoned or with a wrong digest."""
        body = {"folder_id": self.pick("folders", one), "file_size": len(content), "file_name": name}
        session = self.call("POST", "/api/2.0/files/upload_sessions", json=body)
        if session is None or "id" not in session:
            return
        path = f"/api/2.0/files/upload_sessions/{session['id']}"
        parts = []
        for offset in reversed(range(0, len(content), PART)):
            piece = content[offset : offset + PART]
            headers = {
                "Digest": digest(piece),
                "Content-Range": f"bytes {offset}-{offset + len(piece) - 1}/{len(content)}",
                "Content-Type": "application/octet-stream",
            }
            parts.append(self.call("PUT", path, data=piece, headers=headers)["part"])
        if two % 4 == 0:
            self.call("DELETE", path)
        elif two % 4 != 1:
            self.call("POST", f"{path}/commit", json={"parts": parts}, headers={"Digest": digest(content)})

    def promote(self, one: int, two: int, name: str, content: bytes) -> None:
        file = self.pick("files", one)
        listed = self.call("GET", f"/2.0/files/{file}/versions") or {}
        for entry in listed.get("entries", [])[:1]:
            body = {"id": entry["id"], "type": "file_version"}
            self.call("POST", f"/2.0/files/{file}/versions/current", json=body)

    def invite(self, one: int, two: int, name: str, content: bytes) -> None:
        roles = ["editor", "viewer", "co-owner", "uploader"]
        body = {
            "item": {"type": "folder", "id": self.pick("folders", one)},
            "accessible_by": {"type": "user", "login": f"u{two % 3}@example.com"},
            "role": roles[two % 4],
        }
        self.call("POST", "/2.0/collaborations", json=body)


OPERATIONS = st.tuples(
    st.sampled_from([
        "make_folder", "upload", "upload", "version", "rename_file", "move_file", "move_folder", "copy", "delete",
        "restore", "purge", "session", "promote", "invite",
    ]),
    st.integers(0, 30), st.integers(0, 30), NAMES, CONTENTS,
)  # fmt: skip


def test_sequences_of_operations(small: Sandbox) -> None:
    """After every operation of a random sequence names are unique and all sums are right."""

    class Machine(RuleBasedStateMachine):
        @initialize()
        def begin(self) -> None:
            small.reset()
            for number in range(3):
                small.add_user(f"u{number}@example.com")
            self.operations = Operations(small, Raw(small))

        @rule(operation=OPERATIONS)
        def operate(self, operation: tuple[str, int, int, str, bytes]) -> None:
            self.operations.run(*operation)

        @invariant()
        def sums_are_right(self) -> None:
            invariants.check(small)

        def teardown(self) -> None:
            self.operations.raw.session.close()
            for file in list(small.core.store.files.values()):
                assert invariants.content_is_right(small, file)
            assert [] == [v for v in small.violations if v.kind in {"answer", "defect"}]

    run_state_machine_as_test(
        Machine, settings=settings(max_examples=25, stateful_step_count=30, deadline=None, derandomize=True)
    )


@settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(OPERATIONS, min_size=8, max_size=40))
def test_operations_at_once(small: Sandbox, operations: list[tuple[str, int, int, str, bytes]]) -> None:
    """Operations from four clients at once never answer 500, and leave a sound Box."""
    small.reset()
    for number in range(3):
        small.add_user(f"u{number}@example.com")
    clients = [Raw(small) for _ in range(4)]

    def work(number: int) -> None:
        mine = Operations(small, clients[number])
        for operation in operations[number::4]:
            mine.run(*operation)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    for client in clients:
        client.session.close()

    invariants.check(small)
    assert [] == [v for v in small.violations if v.kind in {"answer", "defect"}]


@settings(
    max_examples=30,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(NAMES, max_size=25), st.integers(1, 7))
def test_paging_is_complete(small: Sandbox, names: list[str], limit: int) -> None:
    """Both ways of paging give every item once, whatever the names and the size of the pages."""
    small.reset()
    raw = Raw(small)
    for number, name in enumerate(names):
        if number % 2:
            raw.folder(name)
        else:
            raw.upload(name, b"")
    by_offset: list[str] = []
    while True:
        page = raw("GET", f"/2.0/folders/0/items?limit={limit}&offset={len(by_offset)}").json()
        by_offset += [entry["id"] for entry in page["entries"]]
        if len(by_offset) >= page["total_count"]:
            break
    by_marker: list[str] = []
    marker: str | None = ""
    while marker is not None:
        query = {"limit": limit, "usemarker": "true", **({"marker": marker} if marker else {})}
        page = raw("GET", "/2.0/folders/0/items", params=query).json()
        by_marker += [entry["id"] for entry in page["entries"]]
        marker = page["next_marker"]
    raw.session.close()
    held = [item["id"] for item in small.tree().values()]

    assert sorted(held) == sorted(by_offset) == sorted(by_marker)


@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(NAMES)
def test_any_name(small: Sandbox, name: str) -> None:
    """Any name is accepted or refused with 400; what was stored is found again, under any case."""
    small.reset()
    raw = Raw(small)
    answer = raw.upload(name, b"x")
    assert answer.status_code in {201, 400}
    if answer.status_code == 201:
        stored = answer.json()["entries"][0]["name"]
        again = raw.upload(stored.swapcase(), b"y")
        expected = 409 if name_key(stored.swapcase()) == name_key(stored) else 201
        assert expected == again.status_code
    folder = raw.folder(name)
    raw.session.close()

    assert folder.status_code in {201, 400, 409}


@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(CONTENTS, st.text(alphabet="bytes=0123456789-, ", max_size=14))
def test_any_range(small: Sandbox, content: bytes, header: str) -> None:
    """Any Range header gives the whole, a piece that says where it is from, or 416."""
    small.reset()
    raw = Raw(small)
    file_id = raw.upload("f", content).json()["entries"][0]["id"] if len(content) <= 55 else None
    assume(file_id is not None)
    answer = raw("GET", f"/2.0/files/{file_id}/content", headers={"Range": header.strip()})
    raw.session.close()

    assert answer.status_code in {200, 206, 416}
    if answer.status_code == 206:
        first, _, last = (
            answer.headers["content-range"].removeprefix("bytes ").partition("/")[0].partition("-")
        )
        assert content[int(first) : int(last) + 1] == answer.content
    elif answer.status_code == 200:
        assert content == answer.content

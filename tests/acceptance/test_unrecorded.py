"""Two files that are one to Box, while nothing is written down of the first: it holds what it holds (P7)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from connectors.box.sandbox import Sandbox
from connectors.box.sandbox.rules import items
from flows.orchestration.runs import move_share
from flows.plan.file import load_plan
from state.checkpoint import Checkpoint
from tests.acceptance.proof import report_items, sums_add_up
from tests.acceptance.shares import digest
from tests.program import Program, program_for
from tests.trees import build_tree


def without_dots(name: str) -> str:
    """The name as such a Box takes it."""
    return name.replace("\u00b7", "")


@pytest.fixture(params=["compared alike", "stored alike"])
def strange_box(request: pytest.FixtureRequest, box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """A Box that leaves middle dots out of the comparison of names, or out of the names of files themselves."""
    if request.param == "compared alike":
        plain: Callable[[str], str] = items.name_key
        monkeypatch.setattr(items, "name_key", lambda name: without_dots(plain(name)))
    else:
        check: Callable[..., str] = items.check_file_name
        monkeypatch.setattr(items, "check_file_name", lambda name, rules: without_dots(check(name, rules)))
    return box


@pytest.mark.parametrize("verify", ["receipts", "listing"])
@pytest.mark.parametrize("second", ["ab.txt", "a\u00b7b.txt"], ids=["plain second", "dotted second"])
@pytest.mark.parametrize(
    "contents",
    [
        pytest.param((b"first", b"second"), id="differ"),
        pytest.param((b"same", b"same"), id="equal", marks=pytest.mark.torture),
    ],
)
@pytest.mark.gate(2)
def test_first_files_result_waits_to_be_written_down(
    tmp_path: Path,
    strange_box: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
    contents: tuple[bytes, bytes],
    second: str,
    verify: str,
) -> None:
    """The second one's 409 comes while the first one's result is in the queue: no version goes over it; the second gets
    a name of its own, and every name that Box gave is reported."""
    box, share = strange_box, tmp_path / "share"
    share.mkdir()
    build_tree(share, {"A": {"ab.txt": contents[0], "a\u00b7b.txt": contents[1]}})
    program = program_for(
        tmp_path / "run", box, {"url": share.as_uri()}, trees=[{"source": "A"}], transfer={"verify": verify}
    )
    box.faults.next("POST /files/content").about(second).delay(0.5)
    refused, plain = threading.Event(), Checkpoint.record_results

    def late(checkpoint: Checkpoint, worker: Any, results: Any, **options: Any) -> Any:
        # Nothing is written down until both have asked Box, and the second one was refused.
        for _ in range(500):
            if box.calls.by_status[409] or refused.wait(0.01):
                break
        refused.wait(0.3)
        return plain(checkpoint, worker, results, **options)

    with monkeypatch.context() as slow:
        slow.setattr(Checkpoint, "record_results", late)
        finished = move_share(load_plan(program.plan_path), check=False)

    assert finished["complete"], finished
    assert 1 <= box.calls.by_status[409]
    assert_two(program, box, share)
    sums_add_up(program)
    assert move_share(load_plan(program.plan_path), check=False)["complete"]
    assert_two(program, box, share)


def assert_two(program: Program, box: Sandbox, share: Path) -> None:
    """Each file is one of Box with its content, in one version, and is told under the name that it has there."""
    lines, in_box = report_items(program), {file.id: (name, file) for name, file in box.files().items()}
    for name in ("ab.txt", "a\u00b7b.txt"):
        line = lines[f"A/{name}"]
        path, file = in_box.pop(line["box_id"])
        assert (digest(share / "A" / name), 1) == (file.sha1, file.versions)
        assert path.rpartition("/")[2] == line["box_name"]
        assert (line["box_name"] != name) is line["renamed"]
    assert {} == in_box
    assert any(line["renamed"] for line in lines.values())

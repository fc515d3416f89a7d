"""An error that nobody foresaw, wherever one entry is worked on: it fails that entry, and never the run (P11)."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from connectors.box.sandbox import Sandbox
from flows.orchestration.runs import move_share
from flows.plan.file import load_plan
from tests.acceptance.proof import assert_arrived, report_items, sums_add_up
from tests.program import program_for
from tests.sampling import sampled
from tests.trees import build_tree

SHARE = {"A": {"bad.txt": b"bad", "bad": {"x.txt": b"x"}, "ok.txt": b"ok", "ok": {"y.txt": b"y"}}}
FILE, FOLDER = "A/bad.txt", "A/bad"

#: Functions that work on one entry, by where they are, and what tells the bad one among their arguments.
OF_A_FILE: dict[str, Callable[..., bool]] = {
    "connectors.sources.resilient:ResilientSource.read_whole": lambda source, path, limit: path == FILE,
    "connectors.sources.resilient:ResilientSource.stat": lambda source, path: path == FILE,
    "connectors.sources.resilient:ResilientSource.open": lambda source, path: path == FILE,
    "connectors.sources.resilient:ResilientSource.require_inside": lambda source, path: path == FILE,
    "connectors.box.upload.reader:HashingReader.read": lambda reader, *_: reader.len == len(b"bad"),
    "connectors.box.destination:BoxDestination.put": lambda box, upload, *_, **__: upload.name == "bad.txt",
    "connectors.box.upload.direct:accept": lambda connection, item, *_: item.name == "bad.txt",
    "flows.transfer.sending:without_others_file": lambda migration, item: item.path == FILE,
    "flows.transfer.sending:renamed_by_box": lambda item, *_: item.path == FILE,
    "flows.transfer.sending:_uploaded": lambda item, *_: item.path == FILE,
    "flows.transfer.streams:UnkeptStreams.add": lambda unkept, path, streams: path == FILE,
    "state.statements.arrivals:_is_as_claimed": lambda result, claimed: result.entry.path == FILE,
}
#: Only what is not read at once is looked at and opened by itself, and its folders are looked at afterwards.
OF_A_LARGE_FILE = ("ResilientSource.stat", "ResilientSource.open", "ResilientSource.require_inside")
OF_A_FOLDER: dict[str, Callable[..., bool]] = {
    "connectors.sources.resilient:ResilientSource._list_checked": lambda source, path: path == FOLDER,
    "connectors.sources.resilient:ResilientSource.list_folder": lambda source, path: path == FOLDER,
    "flows.transfer.walking:with_unlisted": lambda source, path, *_: path == FOLDER,
    "flows.transfer.walking:remarks": lambda path, *_: path == FOLDER,
    "connectors.box.destination:BoxDestination.create_folder": lambda box, above, name, **_: name == "bad",
    "state.checkpoint:Checkpoint.record_folder_created": lambda *_, box_name, **__: box_name == "bad",
    "flows.transfer.verifying:verify_folder": lambda migration, folder: folder.path == FOLDER,
}
ERRORS = (RuntimeError, ValueError, KeyError)


def strike(
    monkeypatch: pytest.MonkeyPatch, place: str, is_bad: Callable[..., bool], error: Exception
) -> None:
    """From now on the function raises the error when it works on the bad entry."""
    module, _, name = place.partition(":")
    holder = importlib.import_module(module)
    *above, name = name.split(".")
    for each in above:
        holder = getattr(holder, each)
    plain = getattr(holder, name)

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        if is_bad(*args, **kwargs):
            raise error
        return plain(*args, **kwargs)

    monkeypatch.setattr(holder, name, wrapped)


@pytest.mark.parametrize(("number", "place"), sampled(enumerate([*OF_A_FILE, *OF_A_FOLDER]), every=2))
def test_error_that_nobody_foresaw_is_one_entrys(
    tmp_path: Path,
    box: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    number: int,
    place: str,
) -> None:
    """It is raised in the middle of reading, sending, recording, walking, making a folder: all others arrive, the
    report names the entry, the log the error; once it is mended, the next run completes."""
    share = tmp_path / "share"
    share.mkdir()
    build_tree(share, SHARE)
    program = program_for(
        tmp_path / "run", box, {"url": share.as_uri()}, trees=[{"source": "A"}], transfer={"max_attempts": 2}
    )

    with monkeypatch.context() as broken, caplog.at_level(logging.ERROR):
        if place.endswith(OF_A_LARGE_FILE):
            broken.setattr("flows.transfer.sending.WHOLE_BYTES", -1)
        strike(broken, place, (OF_A_FILE | OF_A_FOLDER)[place], ERRORS[number % 3]("a secret"))
        finished = move_share(load_plan(program.plan_path), check=False)

    assert not finished["complete"]
    # A source's library, or the one that sends, may raise anything: its errors are ours before anybody logs them.
    mapped = place.endswith("_list_checked") or place.startswith("connectors.box.upload.reader")
    assert mapped or "a secret" in caplog.text
    lines = report_items(program)
    bad = FILE if place in OF_A_FILE else FOLDER
    if place.endswith("verify_folder"):
        assert "unforeseen" in program.status()["trees"][0]["detail"]
    else:
        assert "failed" == lines[bad]["status"]
        assert "a secret" not in str(lines)
    assert {"uploaded"} == {line["status"] for path, line in lines.items() if not path.startswith(bad)}
    sums_add_up(program)
    assert move_share(load_plan(program.plan_path), check=False)["complete"]
    assert_arrived(program, box, share)

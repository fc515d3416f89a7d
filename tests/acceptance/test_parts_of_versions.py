"""A large file of which a little changed: the parts that Box has already do not travel again."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from connectors.box.sandbox import Sandbox
from tests.acceptance.shares import digest
from tests.acceptance.test_renames import migrate
from tests.program import program_for

PART = "PUT /files/upload_sessions/:id"
MB = 1_000_000


@pytest.mark.parametrize(
    ("size", "changed", "part_size"),
    [
        (60 * MB, 75_000, 500_000),
        pytest.param(
            4_000 * MB, 5 * MB, 8 * 1024 * 1024, marks=[pytest.mark.torture, pytest.mark.timeout(3_000)]
        ),
    ],
)
def test_a_change_in_the_middle(tmp_path: Path, size: int, changed: int, part_size: int) -> None:
    """As 5 MB of 4 GB: less than 5 % of the parts are sent, and Box has the new content in the same file."""
    share = tmp_path / "share"
    (share / "A").mkdir(parents=True)
    file = share / "A/disk image.bin"
    with file.open("wb") as written:
        written.write(os.urandom(MB))
        written.truncate(size)
    with Sandbox(settings={"part_size": part_size}) as box:
        program = program_for(tmp_path / "run", box, {"url": share.as_uri()})
        assert migrate(program)["complete"]
        parts = box.calls.by_route[PART]
        before = box.files()["A/disk image.bin"]
        with file.open("r+b") as written:
            written.seek(size // 2)
            written.write(os.urandom(changed))
        box.calls.reset()

        assert migrate(program)["complete"]

        assert size // part_size <= parts
        assert 0 < box.calls.by_route[PART] < 0.05 * parts
        after = box.files()["A/disk image.bin"]
        assert (before.id, 2, digest(file)) == (after.id, after.versions, after.sha1)
        assert [] == box.open_sessions()

"""Identities are the throughput: eight of them send eight times as much as one, at Box's limits and without a 429."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.box.sandbox import Sandbox
from flows.sharing.uploaders import create_uploaders
from tests.acceptance.account.conftest import Account
from tests.program import program_for
from tests.trees import build_tree

#: A tenth of Box's 240 uploads and 1,000 calls a minute, in windows of a tenth of a minute.
UPLOADS, CALLS, WINDOW_SECONDS = 24, 100, 6.0

#: Whole windows that are counted, from the first upload on; a rest of a window is no rate.
WINDOWS = 2

IDENTITIES = 8
LIMITS = {"uploads_per_minute": UPLOADS, "calls_per_minute": CALLS, "window_seconds": WINDOW_SECONDS}


def uploads_in_time(tmp_path: Path, box: Sandbox, identities: int) -> int:
    """Files that arrive in the counted windows, by so many identities; 0: the service account alone."""
    box.reset()
    share = tmp_path / f"share {identities}"
    share.mkdir()
    # Half a window more: the last files are in the hands of threads that wait, and say nothing of the pace.
    files = UPLOADS * max(1, identities) * (2 * WINDOWS + 1) // 2
    build_tree(share, {"All": {f"{number:05d}.txt": b"%d" % number for number in range(files)}})
    program = program_for(
        tmp_path / f"run {identities}", box, {"url": f"file://{share}"}, trees=[{"source": "All"}]
    )
    account = Account(program)
    ids = [one["id"] for one in create_uploaders(account.plan, identities)["created"]] if identities else []
    account.change_box(limits={**LIMITS, "backoff_seconds": 0.05}, identities=ids)
    box.limits.update(LIMITS)
    box.calls.reset()

    finished = program.run("migrate")

    assert 0 == finished.code, finished.output
    assert 0 == box.calls.by_status[429]
    assert files == len(box.files())
    assert {box.service_account.login} == {file.owner for file in box.files().values()}
    assert [] == box.collaborations()
    moments = [entry.at for entry in box.calls.log if entry.route == "POST /files/content"]
    assert files == len(moments)
    return sum(moment - moments[0] < WINDOWS * WINDOW_SECONDS for moment in moments)


@pytest.mark.torture  # whole windows have to pass, most of them in waiting
def test_eight_identities_send_eight_times_as_much(tmp_path: Path, box: Sandbox) -> None:
    """At least 7.6 times the files of one in the same time, no 429, everything owned by the service account."""
    alone = uploads_in_time(tmp_path, box, 0)
    together = uploads_in_time(tmp_path, box, IDENTITIES)

    assert alone >= UPLOADS * (WINDOWS - 1)
    assert together >= 7.6 * alone

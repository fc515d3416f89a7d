"""Something in Box undoes what arrives, each time: the run ends, and says of which tree."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.box.sandbox import Sandbox
from flows.orchestration.runs import move_share
from flows.plan.file import load_plan
from flows.transfer import completing
from tests.program import program_for
from tests.trees import build_tree

#: Uploads of the one file, at the most: the first, and what each look asks for.
UPLOADS = 1 + completing.VERIFY_ROUNDS


@pytest.mark.parametrize("what", ["the file", "its folder", "its content"])
@pytest.mark.gate(1)
def test_run_ends_where_box_undoes_what_arrives(
    tmp_path: Path, box: Sandbox, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """A rule of the enterprise trashes a file, or its folder, or writes another version, under our own account."""
    share = tmp_path / "share"
    share.mkdir()
    build_tree(share, {"A": {"sub": {"bad.txt": b"bad"}}, "B": {"ok.txt": b"ok"}})
    program = program_for(
        tmp_path / "run", box, {"url": share.as_uri()}, trees=[{"source": "A"}, {"source": "B"}]
    )
    look = completing.verify_tree

    def undo() -> None:
        entries = box.tree()
        account = box.person()
        if what == "the file" and "A/sub/bad.txt" in entries:
            account.trash(entries["A/sub/bad.txt"]["id"])
        elif what == "its folder" and "A/sub" in entries:
            account.trash(entries["A/sub"]["id"])
        elif what == "its content" and "A/sub/bad.txt" in entries:
            account.edit(entries["A/sub/bad.txt"]["id"], b"cleaned")

    def look_at_what_is_undone(*arguments: object) -> bool:
        undo()
        return look(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(completing, "verify_tree", look_at_what_is_undone)

    summary = move_share(load_plan(program.plan_path), check=False)

    trees = {tree["name"]: (tree["state"], tree["incomplete_reason"]) for tree in summary["trees"]}
    assert {"A": ("incomplete", "verification failed"), "B": ("complete", None)} == trees
    assert (
        box.calls.by_route["POST /files/content"] + box.calls.by_route["POST /files/:id/content"]
        <= 2 * UPLOADS
    )

"""What `check` and `migrate` say of a Windows server: what nobody may read, and a root or a tree on another volume."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.box.sandbox import Sandbox
from tests.acceptance.proof import report_items, sums_add_up
from tests.acceptance.test_outcomes import assert_one_line
from tests.program import Program, program_for
from tests.servers import missing
from tests.servers.as_windows import AsWindows
from tests.servers.fixtures import empty
from tests.servers.proxy import Proxy
from tests.servers.samba import Samba
from tests.trees import build_tree

ADVICE = "volume mount point or junction, not followed; to move what it leads to, share that itself"
TRIED = "asked with backup intent"


@pytest.fixture
def program(tmp_path: Path, box: Sandbox, samba: Samba) -> Iterator[Program]:
    """A plan for three folders of a share; the server says that `mounted` is another volume's."""
    if os.getuid() != 0:
        missing("root", "only root may take rights away from the user that Samba serves as")
    empty(samba.root).chmod(0o755)
    build_tree(samba.root, {"closed": {"a.txt": b"a"}, "mounted": {"b.txt": b"b"}, "open": {"c.txt": b"c"}})
    (samba.root / "closed").chmod(0o700)
    with Proxy(samba.port) as proxy:
        AsWindows(mounted=frozenset({"mounted"})).through(proxy)
        source = {
            "url": samba.url_of("guarded", proxy.port),
            "username": samba.username,
            "password": "${SHARE_PW}",
            "options": {"signing": False},
        }
        trees = [{"source": name} for name in ("closed", "mounted", "open")]
        environment = {"SHARE_PW": samba.password}
        yield program_for(tmp_path / "run", box, source, environment=environment, trees=trees)
    empty(samba.root)


def test_trees_that_cannot_be_read_say_why(program: Program) -> None:
    """`check` says it before anything is sent, the report afterwards, each with what was tried and what to do."""
    checked = program.run("check", "--json")
    moved = program.run("migrate")
    lines = report_items(program)
    details = {tree["name"]: tree for tree in sums_add_up(program)["trees"]}

    assert (1, 1) == (checked.code, moved.code), checked.output + moved.output
    [row] = [row for row in json.loads(checked.stdout)["checks"] if row["name"] == "unreadable"]
    assert "2 entries cannot be looked at" in row["found"]
    for told in (ADVICE, TRIED, "Backup Operators"):
        assert told in row["found"]
    assert ["incomplete", "incomplete", "complete"] == [
        details[name]["state"] for name in ("closed", "mounted", "open")
    ]
    assert {"access_denied"} == {lines[name]["reason"] for name in ("closed", "mounted")}
    assert TRIED in lines["closed"]["detail"]
    assert ADVICE in lines["mounted"]["detail"]


def test_a_root_on_another_volume_is_one_line(program: Program) -> None:
    """`check` has it as a problem of the source, `migrate` stops with it, and nothing is begun."""
    program.write_plan(
        source=program.plan["source"] | {"url": f"{program.plan['source']['url']}/mounted"}, trees=[]
    )
    checked = program.run("check", "--json")
    moved = program.run("migrate")

    assert 1 == checked.code, checked.output
    [row] = [row for row in json.loads(checked.stdout)["checks"] if row["name"] == "source"]
    assert ("problem", True) == (row["state"], ADVICE in row["found"])
    assert_one_line(moved, 3, "/mounted: the root folder", ADVICE)

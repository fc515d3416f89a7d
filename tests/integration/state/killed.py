"""A process killed after the Nth writing statement of a listing: `killed.py URL N`. Started by test_faults.py."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[3]))

from sqlalchemy import event

from state.checkpoint import Checkpoint
from tests.integration.state.scene import Scene

url, step = sys.argv[1], int(sys.argv[2])
checkpoint = Checkpoint.open(url)
scene = Scene(checkpoint)
scene.walk({"f": 1, "gone": {"x": 1}})
scene.next_pass()
seen = 0


def kill(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
    """SIGKILL to ourselves after the Nth statement that writes."""
    global seen
    if statement.startswith(("UPDATE", "INSERT", "DELETE")):
        seen += 1
        if seen == step:
            os.kill(os.getpid(), signal.SIGKILL)


changes = scene.compare(scene.root_id, "A", {"f": (9, 9), "new": 1, "sub": {}})
event.listen(checkpoint.database.engine, "after_cursor_execute", kill)
checkpoint.record_listing(scene.root_id, scene.pass_id, changes)

"""Several processes on one plan, without Prefect's server: `fleet:conduct PLAN` and `fleet:send PLAN`, as forks.

What a flow run with workers does, by the same functions; only who starts the senders is another.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

from flows.orchestration.dispatch import move_trees
from flows.orchestration.fleet import let_everybody_in, make_folders
from flows.orchestration.runs import VERIFY_ROUNDS, send_for_others
from flows.plan.connections import open_checkpoint
from flows.plan.file import load_plan
from flows.plan.origin import find_plan
from flows.run.leases import Part
from flows.transfer.beginning import begin
from flows.transfer.ending import finish_pass
from flows.transfer.migration import open_migration
from tests.forking import Forked
from tests.program import Program

SECONDS = 200.0


def conduct() -> None:
    """Walk, make folders, verify and complete, and send what is left; exit code 0 when all is complete."""
    done = threading.Event()
    with open_migration(load_plan(Path(sys.argv[1])), part=Part.CONDUCTING) as migration:
        with migration.stop.telling_the_cause():
            begin(migration, kind="migrate")
            let_everybody_in(migration)
            folders = threading.Thread(target=make_folders, args=(migration, done))
            folders.start()
            try:
                waiting = migration.trees
                for _ in range(VERIFY_ROUNDS):
                    waiting = move_trees(migration, waiting)
            finally:
                done.set()
                folders.join()
        summary = finish_pass(migration)
    sys.exit(0 if summary["complete"] else 1)


def send() -> None:
    """Send for whoever conducts, until the pass is over. It begins when there is one, as who conducts starts it."""
    plan = load_plan(Path(sys.argv[1]))
    deadline = time.monotonic() + SECONDS / 2
    with closing(open_checkpoint(plan, create=True)) as checkpoint:
        while (plan_id := find_plan(checkpoint, plan)) is None or checkpoint.current_pass(plan_id) is None:
            if time.monotonic() > deadline:
                sys.exit("nobody began a pass")
            time.sleep(0.05)
    send_for_others(plan)


def run_together(program: Program, *, senders: int) -> tuple[int, str]:
    """One process that conducts and so many that send, to their end; the exit code and everything that was said."""
    environment = {**os.environ, **program.environment}
    words = [str(program.plan_path)]
    entries = ["conduct", *["send"] * senders]
    processes = [Forked(words, environment, entry=f"tests.acceptance.fleet:{entry}") for entry in entries]
    try:
        said = [process.communicate(timeout=SECONDS) for process in processes]
    except subprocess.TimeoutExpired:
        for process in processes:
            process.kill()
        raise
    code = next((process.returncode for process in processes if process.returncode), 0)
    return code, "".join(out + errors for out, errors in said)

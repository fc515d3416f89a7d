"""No query without an index: every statement of a whole migration is explained."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, text

from connectors.entry import EntryKind
from state.checkpoint import Checkpoint
from state.people_records import CollaboratorSpec
from state.records import BudgetBlock, Failed
from state.reports.contents import folder_count, folders_in_box, kept_children, places_of
from state.reports.events import events
from state.reports.lines import failures, item_lines, renames
from state.statuses import GONE_FROM_BOX
from tests.integration.state.scene import ManualClock, Scene

#: Tables that grow with the share.
BIG_TABLES = r"(items|folders|upload_parts|events)"


class Recorder:
    """Keeps each distinct statement with parameters that it once had."""

    def __init__(self) -> None:
        self.statements: dict[str, Any] = {}

    def __call__(self, _c: Any, _cursor: Any, statement: str, parameters: Any, _x: Any, many: bool) -> None:
        if statement.split()[0] in ("SELECT", "UPDATE", "DELETE", "WITH"):
            self.statements[statement] = parameters[0] if many else parameters


def exercise(scene: Scene) -> None:
    """Say every sentence of the checkpoint that runs more than once per plan."""
    checkpoint = scene.checkpoint
    share = {"f": 1, "g": 2, "sub": {"h": 3, "deep": {}}, "link": EntryKind.SYMLINK, "gone": {"x": 1}}
    scene.walk(share)
    scene.fail("g", retry=True)
    scene.send_everything()
    for _ in range(2):
        scene.next_pass()
        scene.walk_remembering(share)
    scene.next_pass()
    scene.excluded = lambda entry: "rule: deep/" if entry.name == "deep" else None
    scene.walk({"f": 9, "g": EntryKind.SYMLINK, "sub": {"h": 3, "deep": {}}, "link": EntryKind.SYMLINK})
    scene.next_pass()
    scene.excluded = lambda entry: None
    scene.walk(share)
    sub = scene.folder_id("sub")
    checkpoint.record_folder_failure(sub, scene.pass_id, reason="locked", detail="x")
    checkpoint.record_folder_vanished(scene.folder_id("gone"), scene.pass_id)
    checkpoint.folder_chain(sub)
    checkpoint.release_folders(scene.worker, [sub])
    [item] = scene.claim(max_items=1)
    checkpoint.calls_of_month(scene.plan_id)
    checkpoint.was_told(scene.plan_id, 80)
    checkpoint.record_told_of_calls(scene.plan_id, 95)
    checkpoint.other_holders_of_box_file(scene.plan_id, "1", besides=item.id)
    checkpoint.other_holders_of_box_folder(scene.plan_id, "1", besides=sub)
    checkpoint.record_folder_created(sub, box_folder_id="1", box_name="sub", adopted=True)
    checkpoint.remember_box_file(item.id, box_file_id="1", box_etag=None)
    checkpoint.record_results(scene.worker, [Failed(item_id=item.id, reason="locked", detail="x")])
    checkpoint.has_pending_files([scene.tree.id])
    checkpoint.set_aside(scene.worker, [item.id])
    checkpoint.has_files_to_send(scene.worker, [scene.tree.id])
    checkpoint.failed_files(scene.tree.id)
    checkpoint.revive_folders([scene.tree.id], worker=scene.worker)
    checkpoint.walk_is_done(scene.pass_id, scene.tree.id)
    checkpoint.arrived_trees(scene.pass_id, [scene.tree.id])
    checkpoint.incomplete_trees([scene.tree.id], limit=3)
    checkpoint.trees_fit_to_send(scene.pass_id, [scene.tree.id])
    checkpoint.tree_is_settled(scene.pass_id, scene.tree.id)
    checkpoint.tree_report(scene.tree.id)
    list(checkpoint.folders_to_verify(scene.tree.id))
    checkpoint.expected_children(scene.root_id)
    list(folders_in_box(checkpoint, scene.tree.id))
    folder_count(checkpoint, scene.tree.id)
    kept_children(checkpoint, scene.root_id)
    places_of(checkpoint, scene.plan_id, ["1", "2"])
    checkpoint.record_verification_mismatch(
        scene.tree.id, item_ids_by_reason={GONE_FROM_BOX: [item.id]}, folders_gone={sub: "1"}, detail="x"
    )
    checkpoint.retry_failures(scene.plan_id, reason="locked")
    checkpoint.retry_failures(scene.plan_id)
    checkpoint.waive(scene.plan_id, "A/sub/h", who="ann", why="x", pending_too=True)
    checkpoint.waive(scene.plan_id, "A/sub", who="ann", why="x", pending_too=True)
    checkpoint.ensure_collaborations(scene.tree.id, [CollaboratorSpec(login="a", role="editor")])
    checkpoint.lease_identity(scene.worker, "u")
    block = BudgetBlock(reserved_at=scene.clock.now, uploads=1, calls=1)
    checkpoint.reserve_budget(scene.worker, "u", block)
    checkpoint.open_upload_sessions(scene.plan_id)
    for lines in (item_lines, failures, renames, events):
        list(lines(checkpoint, scene.plan_id))
    scene.clock.forward(100)
    checkpoint.register_worker(scene.plan_id, name="second")
    list(checkpoint.entries_with_other_names([scene.tree.id]))
    list(checkpoint.seen_anew(scene.pass_id, [scene.tree.id], [1, 2]))
    list(checkpoint.waived_files(scene.plan_id))
    list(checkpoint.gone_files(scene.tree.id))
    list(checkpoint.gone_at_the_top(scene.tree.id))


@pytest.fixture
def recorded(sqlite_url: str) -> tuple[Checkpoint, Recorder]:
    """A checkpoint after a migration, and the statements that it took."""
    clock, recorder = ManualClock(), Recorder()
    checkpoint = Checkpoint.open(sqlite_url, clock=clock)
    scene = Scene(checkpoint, clock)
    event.listen(checkpoint.database.engine, "before_cursor_execute", recorder)
    exercise(scene)
    event.remove(checkpoint.database.engine, "before_cursor_execute", recorder)
    checkpoint.close()
    return checkpoint, recorder


def explain(checkpoint: Checkpoint, statement: str, parameters: Any) -> list[str]:
    """SQLite's plan, a line per step."""
    with checkpoint.database.reading() as connection:
        rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        return [row[3] for row in rows]


def test_no_statement_scans_a_table_of_the_share(recorded: tuple[Checkpoint, Recorder]) -> None:
    """On SQLite every step on items, folders, parts and events is a search by an index or a row id."""
    checkpoint, recorder = recorded
    plans = {text: explain(checkpoint, text, values) for text, values in recorder.statements.items()}
    scans = [
        f"{step}\n{statement}"
        for statement, steps in plans.items()
        for step in steps
        if re.match(rf"SCAN {BIG_TABLES}\b", step)
    ]
    checkpoint.close()

    assert len(plans) > 40
    assert scans == []


@pytest.mark.parametrize(
    ("pattern", "index"),
    [
        (r"SELECT items\.id, items\.tree_id.*ORDER BY items\.attempts", "ix_items_free"),
        (r"SELECT folders\.depth, folders\.id.*ORDER BY", "ix_folders_frontier"),
        (r"SELECT max\(folders\.walked_pass\)", "ix_folders_frontier"),
        (
            r"SELECT folders.*folders\.status = 'pending' AND folders\.box_folder_id IS NULL",
            "ix_folders_to_create",
        ),
        (r"SELECT items\.tree_id, items\.kind, items\.status, count", "COVERING INDEX ix_items_counts"),
        (r"SELECT folders\.tree_id, folders\.status, count", "COVERING INDEX ix_folders_counts"),
        (r"SELECT items.*items\.claimed_by = \?.*items\.claim = \?", "ix_items_claimed"),
        (r"UPDATE items.*WHERE items\.claimed_by IN", "ix_items_claimed"),
        (r"SELECT items\.id, items\.tree_id.*items\.box_file_id IN", "uq_items_box_file"),
        (r"SELECT folders\.id, folders\.tree_id.*folders\.box_folder_id = \?", "uq_folders_box_folder"),
        (r"SELECT items\.box_file_id.*items\.box_file_id IN", "COVERING INDEX uq_items_box_file"),
        (r"UPDATE folders SET listing_digest.*SELECT items\.folder_id", "INTEGER PRIMARY KEY"),
        (r"SELECT items.*WHERE items\.folder_id = \?", "(folder_id=?"),
        (r"SELECT items.*WHERE items\.folder_id IN", "(folder_id=?"),
        (r"SELECT folders.*WHERE folders\.parent_id IN", "(parent_id=?"),
        (r"SELECT folders.*WHERE folders\.parent_id = \?", "(parent_id=?"),
        (r"UPDATE items SET status.*items\.status = 'failed'", "INDEX ix_items_"),
        (r"SELECT items.*items\.box_name LIKE", "ix_items_renamed"),
        (r"SELECT items.*ORDER BY items\.size, items\.id", "kind=? AND size>?"),
        (r"SELECT items.*ORDER BY items\.kind, items\.size, items\.id", "status=? AND (kind,size)>"),
        (r"SELECT items.*items\.size IN \(\?, \?\) AND items\.uploaded_at", "kind=? AND size=?"),
    ],
)
def test_hot_queries_use_their_index(recorded: tuple[Checkpoint, Recorder], pattern: str, index: str) -> None:
    """Claims, frontier, counts, lookups: each goes by the index that was made for it, and sorts nothing."""
    checkpoint, recorder = recorded
    statements = {
        text: values for text, values in recorder.statements.items() if re.match(pattern, text, re.DOTALL)
    }
    plans = [explain(checkpoint, text, values) for text, values in statements.items()]
    checkpoint.close()

    assert plans
    for plan in plans:
        assert index in "\n".join(plan)
        if "ORDER BY items" in pattern.replace("\\", "") or "frontier" in index:
            assert not [step for step in plan if "TEMP B-TREE" in step]


def test_postgresql_takes_the_partial_indexes(postgres_url: str) -> None:
    """PostgreSQL can prove the conditions of the claim's and the frontier's indexes."""
    clock, recorder = ManualClock(), Recorder()
    with Checkpoint.open(postgres_url, clock=clock) as checkpoint:
        scene = Scene(checkpoint, clock)
        event.listen(checkpoint.database.engine, "before_cursor_execute", recorder)
        exercise(scene)
        event.remove(checkpoint.database.engine, "before_cursor_execute", recorder)
        wanted = {
            "ORDER BY items.attempts": "ix_items_free",
            "ORDER BY folders.depth, folders.id": "ix_folders_",
        }
        for part, index in wanted.items():
            found = {text: values for text, values in recorder.statements.items() if part in text}
            assert found
            for statement, values in found.items():
                with checkpoint.database.reading() as connection:
                    connection.execute(text("SET LOCAL enable_seqscan = off"))
                    rows = connection.exec_driver_sql(f"EXPLAIN {statement}", values).scalars().all()
                assert index in "\n".join(rows)


def test_postgresql_goes_by_the_id_where_it_thinks_that_little_is_claimed(postgres_url: str) -> None:
    """Its figures of who holds what are always old: the rows of a claim are found by their ids all the same. Else each
    of a thousand results goes through all that the worker holds, and all that it held since the last VACUUM."""
    clock = ManualClock()
    plans: dict[str, str] = {}

    def explained(
        connection: Any, _cursor: Any, statement: str, parameters: Any, _x: Any, many: bool
    ) -> None:
        if re.match(r"(UPDATE|SELECT) ?.*items", statement, re.DOTALL) and "claimed_by" in statement:
            with connection.connection.driver_connection.cursor() as own:
                own.execute(f"EXPLAIN {statement}", parameters[0] if many else parameters)
                plans[statement] = "\n".join(row[0] for row in own.fetchall())

    with Checkpoint.open(postgres_url, clock=clock) as checkpoint:
        scene = Scene(checkpoint, clock)
        scene.walk({f"{number:04d}": number for number in range(1_500)})
        scene.create_folders()
        with checkpoint.database.engine.execution_options(
            isolation_level="AUTOCOMMIT"
        ).connect() as connection:
            connection.execute(text("ANALYZE"))
        held = scene.claim(max_items=1_400)
        event.listen(checkpoint.database.engine, "before_cursor_execute", explained)
        checkpoint.set_aside(scene.worker, [held[0].id])
        checkpoint.release_claims(scene.worker, [held[0].id])
        checkpoint.record_results(scene.worker, [scene.uploaded(item) for item in held[1:]])
        checkpoint.record_results(scene.worker, [scene.uploaded(held[1])])
        event.remove(checkpoint.database.engine, "before_cursor_execute", explained)
        assert 1_399 == scene.checkpoint.tree_report(scene.tree.id).files.uploaded

    assert any("boxhaul_items" in statement for statement in plans)
    assert len(plans) >= 3
    bad = r"ix_items_claimed|Nested Loop(.*\n)+.*Seq Scan on items"
    assert {} == {statement: plan for statement, plan in plans.items() if re.search(bad, plan)}


def test_file_is_not_left_open(recorded: tuple[Checkpoint, Recorder], tmp_path: Path) -> None:
    """A closed checkpoint leaves one file: the write-ahead log is merged and removed."""
    recorded[0].close()

    assert [path.name for path in tmp_path.iterdir()] == ["state.db"]

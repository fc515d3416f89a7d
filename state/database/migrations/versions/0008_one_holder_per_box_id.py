"""One holder per Box id; the walks of a pass.

Why: no two files, and no two folders, of a plan lie in one file or folder of Box, whichever process and whichever tree
writes it down (P7). Where two did, the one that was sent last keeps it, and the others are sent again. A pass that is
continued walks again what was walked before, and says with which row it began.

Revision: 0008, after 0007.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

ITEM_IN_BOX = sa.text("box_file_id IS NOT NULL")
FOLDER_IN_BOX = sa.text("box_folder_id IS NOT NULL")
ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
DETAIL = "another entry had the same place in Box; it gets its own"


def upgrade() -> None:
    """Apply."""
    op.add_column("passes", sa.Column("first_id", ROW_ID, nullable=True))
    op.add_column("items", sa.Column("box_plan_id", ROW_ID, nullable=True))
    op.add_column("folders", sa.Column("box_plan_id", ROW_ID, nullable=True))
    for table, box_id in (("items", "box_file_id"), ("folders", "box_folder_id")):
        op.execute(
            f"UPDATE {table} SET box_plan_id = (SELECT plan_id FROM trees WHERE trees.id = {table}.tree_id) "  # noqa: S608  names of ours
            f"WHERE {box_id} IS NOT NULL"
        )
    _mend_folders(op.get_bind())
    _mend_items(op.get_bind())
    op.create_index(
        "uq_folders_box_folder",
        "folders",
        ["box_folder_id", "box_plan_id"],
        unique=True,
        sqlite_where=FOLDER_IN_BOX,
        postgresql_where=FOLDER_IN_BOX,
    )
    op.create_index(
        "uq_items_box_file",
        "items",
        ["box_file_id", "box_plan_id"],
        unique=True,
        sqlite_where=ITEM_IN_BOX,
        postgresql_where=ITEM_IN_BOX,
    )
    op.drop_index("ix_folders_box_id", table_name="folders")
    op.drop_index("ix_items_in_box", table_name="items")


def downgrade() -> None:
    """Undo; what was mended stays so."""
    op.create_index(
        "ix_items_in_box",
        "items",
        ["box_file_id"],
        unique=False,
        sqlite_where=ITEM_IN_BOX,
        postgresql_where=ITEM_IN_BOX,
    )
    op.create_index(
        "ix_folders_box_id",
        "folders",
        ["box_folder_id"],
        unique=False,
        sqlite_where=FOLDER_IN_BOX,
        postgresql_where=FOLDER_IN_BOX,
    )
    op.drop_index("uq_items_box_file", table_name="items")
    op.drop_index("uq_folders_box_folder", table_name="folders")
    op.drop_column("passes", "first_id")
    op.drop_column("folders", "box_plan_id")
    op.drop_column("items", "box_plan_id")


def _rows(connection: sa.Connection, statement: str, **values: Any) -> list[Any]:
    return list(connection.execute(sa.text(statement), values))


def _mend_folders(connection: sa.Connection) -> None:
    """A tree's own folder keeps its place, then one that the plan made; the others are made anew with all in them."""
    doubles = _rows(
        connection,
        "SELECT box_folder_id, box_plan_id FROM folders WHERE box_folder_id IS NOT NULL "
        "GROUP BY box_folder_id, box_plan_id HAVING count(*) > 1",
    )
    for box_id, plan_id in doubles:
        holders = _rows(
            connection,
            "SELECT id, tree_id FROM folders WHERE box_folder_id = :box_id AND box_plan_id = :plan_id ORDER BY "
            "CASE WHEN status = 'missing' THEN 1 ELSE 0 END, CASE WHEN parent_id IS NULL THEN 0 ELSE 1 END, "
            "CASE WHEN created_by_plan THEN 0 ELSE 1 END, id",
            box_id=box_id,
            plan_id=plan_id,
        )
        for folder_id, tree_id in holders[1:]:
            _send_branch_again(connection, folder_id)
            _unverify(connection, tree_id)
        _unverify(connection, holders[0][1])
        _rows_changed(connection, "UPDATE folders SET unproven = true WHERE id = :id", id=holders[0][0])


def _send_branch_again(connection: sa.Connection, folder_id: int) -> None:
    branch = (
        "WITH RECURSIVE branch(id) AS (SELECT CAST(:id AS BIGINT) UNION ALL "
        "SELECT folders.id FROM folders JOIN branch ON folders.parent_id = branch.id) SELECT id FROM branch"
    )
    for each in [row[0] for row in _rows(connection, branch, id=folder_id)]:
        _rows_changed(
            connection,
            "UPDATE folders SET box_folder_id = NULL, created_by_plan = false, unproven = true, "
            "status = CASE WHEN status = 'uploaded' THEN 'pending' ELSE status END WHERE id = :id",
            id=each,
        )
        _rows_changed(
            connection,
            "UPDATE items SET box_file_id = NULL, box_version_id = NULL, box_etag = NULL, sha1 = NULL, "
            "in_box = false, detail = CASE WHEN status = 'uploaded' THEN :detail ELSE detail END, "
            "status = CASE WHEN status = 'uploaded' THEN 'pending' ELSE status END WHERE folder_id = :id",
            id=each,
            detail=DETAIL,
        )


def _mend_items(connection: sa.Connection) -> None:
    """Box has the content that came last: whoever sent that keeps the file."""
    doubles = _rows(
        connection,
        "SELECT box_file_id, box_plan_id FROM items WHERE box_file_id IS NOT NULL "
        "GROUP BY box_file_id, box_plan_id HAVING count(*) > 1",
    )
    for box_id, plan_id in doubles:
        holders = _rows(
            connection,
            "SELECT id, tree_id, folder_id FROM items WHERE box_file_id = :box_id AND box_plan_id = :plan_id ORDER BY "
            "CASE WHEN status = 'missing' THEN 1 ELSE 0 END, CASE WHEN status = 'uploaded' THEN 0 ELSE 1 END, "
            "CASE WHEN uploaded_at IS NULL THEN 1 ELSE 0 END, uploaded_at DESC, id",
            box_id=box_id,
            plan_id=plan_id,
        )
        for item_id, _, _ in holders[1:]:
            _rows_changed(
                connection,
                "UPDATE items SET box_file_id = NULL, box_version_id = NULL, box_etag = NULL, sha1 = NULL, "
                "in_box = false, attempts = 0, detail = CASE WHEN status = 'uploaded' THEN :detail ELSE detail END, "
                "status = CASE WHEN status = 'uploaded' THEN 'pending' ELSE status END WHERE id = :id",
                id=item_id,
                detail=DETAIL,
            )
        for _, tree_id, folder_id in holders:
            _rows_changed(connection, "UPDATE folders SET unproven = true WHERE id = :id", id=folder_id)
            _unverify(connection, tree_id)


def _unverify(connection: sa.Connection, tree_id: int) -> None:
    _rows_changed(
        connection,
        "UPDATE trees SET verified = false, "
        "state = CASE WHEN state IN ('verified', 'complete') THEN 'moving' ELSE state END WHERE id = :id",
        id=tree_id,
    )


def _rows_changed(connection: sa.Connection, statement: str, **values: Any) -> None:
    connection.execute(sa.text(statement), values)

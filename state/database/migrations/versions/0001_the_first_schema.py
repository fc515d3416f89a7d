"""The first schema: plans, trees, folders, items, passes, workers, identities, sessions, collaborations, events.

Why: the checkpoint begins here.

Revision: 0001, after nothing.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from state.database import columns

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "plans",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("source_url", sa.Text(), nullable=False),
        sa.Column("landing_folder_id", sa.Text(), nullable=False),
        sa.Column("created_at", columns.UTCTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plans")),
        sa.UniqueConstraint("name", name=op.f("uq_plans_name")),
    )
    op.create_table(
        "call_counts",
        sa.Column(
            "plan_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["plan_id"], ["plans.id"], name=op.f("fk_call_counts_plan_id")),
        sa.PrimaryKeyConstraint("plan_id", "route", name=op.f("pk_call_counts")),
    )
    op.create_table(
        "passes",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("plan_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("started_at", columns.UTCTime(timezone=True), nullable=False),
        sa.Column("ended_at", columns.UTCTime(timezone=True), nullable=True),
        sa.Column("summary", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["plan_id"], ["plans.id"], name=op.f("fk_passes_plan_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_passes")),
    )
    with op.batch_alter_table("passes", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_passes_plan_id"), ["plan_id"], unique=False)
        batch_op.create_index(
            "uq_passes_running",
            ["plan_id"],
            unique=True,
            sqlite_where=sa.text("state = 'running'"),
            postgresql_where=sa.text("state = 'running'"),
        )

    op.create_table(
        "trees",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("plan_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", columns.SourceText(), nullable=False),
        sa.Column("source", columns.SourceText(), nullable=False),
        sa.Column("folder", columns.SourceText(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("incomplete_reason", sa.String(length=40), nullable=True),
        sa.Column("detail", columns.SourceText(), nullable=True),
        sa.Column("verified", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["plan_id"], ["plans.id"], name=op.f("fk_trees_plan_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_trees")),
        sa.UniqueConstraint("plan_id", "name", name=op.f("uq_trees_plan_id_name")),
    )
    op.create_table(
        "workers",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("plan_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("pid", sa.BigInteger(), nullable=False),
        sa.Column("process_identity", sa.Text(), nullable=False),
        sa.Column("lease_milliseconds", sa.BigInteger(), nullable=False),
        sa.Column("lease_until", columns.UTCTime(timezone=True), nullable=False),
        sa.Column("started_at", columns.UTCTime(timezone=True), nullable=False),
        sa.Column("ended_at", columns.UTCTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["plan_id"], ["plans.id"], name=op.f("fk_workers_plan_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workers")),
    )
    with op.batch_alter_table("workers", schema=None) as batch_op:
        batch_op.create_index(
            "ix_workers_alive",
            ["lease_until"],
            unique=False,
            sqlite_where=sa.text("ended_at IS NULL"),
            postgresql_where=sa.text("ended_at IS NULL"),
        )
        batch_op.create_index(batch_op.f("ix_workers_plan_id"), ["plan_id"], unique=False)

    op.create_table(
        "collaborations",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("tree_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("wanted", sa.Boolean(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("login", sa.Text(), nullable=True),
        sa.Column("user_id", sa.Text(), nullable=True),
        sa.Column("group", sa.Text(), nullable=True),
        sa.Column("group_id", sa.Text(), nullable=True),
        sa.Column("can_view_path", sa.Boolean(), nullable=False),
        sa.Column("is_access_only", sa.Boolean(), nullable=False),
        sa.Column("expires_at", columns.UTCTime(timezone=True), nullable=True),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("box_collaboration_id", sa.String(length=64), nullable=True),
        sa.Column("detail", columns.SourceText(), nullable=True),
        sa.ForeignKeyConstraint(["tree_id"], ["trees.id"], name=op.f("fk_collaborations_tree_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_collaborations")),
        sa.UniqueConstraint("tree_id", "key", name=op.f("uq_collaborations_tree_id_key")),
    )
    op.create_table(
        "plan_events",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("plan_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("tree_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("at", columns.UTCTime(timezone=True), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["plan_id"], ["plans.id"], name=op.f("fk_plan_events_plan_id")),
        sa.ForeignKeyConstraint(["tree_id"], ["trees.id"], name=op.f("fk_plan_events_tree_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plan_events")),
    )
    with op.batch_alter_table("plan_events", schema=None) as batch_op:
        batch_op.create_index("ix_events_plan", ["plan_id", "at", "id"], unique=False)

    op.create_table(
        "folders",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("tree_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("parent_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("depth", sa.Integer(), nullable=False),
        sa.Column("name", columns.SourceText(), nullable=False),
        sa.Column("path", columns.SourceText(), nullable=False),
        sa.Column("box_name", columns.SourceText(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("reason", columns.SourceText(), nullable=True),
        sa.Column("detail", columns.SourceText(), nullable=True),
        sa.Column(
            "walked_pass",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            server_default=sa.text("0"),
            nullable=False,
        ),
        sa.Column("unlisted", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("walk_claimed_by", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("walk_claim", sa.BigInteger(), nullable=True),
        sa.Column("create_claimed_by", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("box_folder_id", sa.String(length=64), nullable=True),
        sa.Column("created_by_plan", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("waived_by", columns.SourceText(), nullable=True),
        sa.Column("waived_why", columns.SourceText(), nullable=True),
        sa.Column("waived_at", columns.UTCTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["parent_id"], ["folders.id"], name=op.f("fk_folders_parent_id")),
        sa.ForeignKeyConstraint(["tree_id"], ["trees.id"], name=op.f("fk_folders_tree_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_folders")),
        sa.UniqueConstraint("parent_id", "name", name=op.f("uq_folders_parent_id_name")),
    )
    with op.batch_alter_table("folders", schema=None) as batch_op:
        batch_op.create_index("ix_folders_counts", ["tree_id", "status", "parent_id"], unique=False)
        batch_op.create_index(
            "ix_folders_create_claimed",
            ["create_claimed_by"],
            unique=False,
            sqlite_where=sa.text("create_claimed_by IS NOT NULL"),
            postgresql_where=sa.text("create_claimed_by IS NOT NULL"),
        )
        batch_op.create_index(
            "ix_folders_failed",
            ["tree_id", "reason"],
            unique=False,
            sqlite_where=sa.text("status = 'failed'"),
            postgresql_where=sa.text("status = 'failed'"),
        )
        batch_op.create_index(
            "ix_folders_frontier",
            ["tree_id", "walked_pass", "depth", "id"],
            unique=False,
            sqlite_where=sa.text("status NOT IN ('excluded', 'missing')"),
            postgresql_where=sa.text("status NOT IN ('excluded', 'missing')"),
        )
        batch_op.create_index(
            "ix_folders_in_box",
            ["tree_id", "id"],
            unique=False,
            sqlite_where=sa.text("box_folder_id IS NOT NULL"),
            postgresql_where=sa.text("box_folder_id IS NOT NULL"),
        )
        batch_op.create_index(
            "ix_folders_renamed",
            ["tree_id", "id"],
            unique=False,
            sqlite_where=sa.text("box_name <> name"),
            postgresql_where=sa.text("box_name <> name"),
        )
        batch_op.create_index(
            "ix_folders_to_create",
            ["tree_id", "depth", "id"],
            unique=False,
            sqlite_where=sa.text("status = 'pending' AND box_folder_id IS NULL"),
            postgresql_where=sa.text("status = 'pending' AND box_folder_id IS NULL"),
        )
        batch_op.create_index(
            "ix_folders_walk_claimed",
            ["walk_claimed_by", "walk_claim"],
            unique=False,
            sqlite_where=sa.text("walk_claimed_by IS NOT NULL"),
            postgresql_where=sa.text("walk_claimed_by IS NOT NULL"),
        )
        batch_op.create_index(
            "uq_folders_root",
            ["tree_id"],
            unique=True,
            sqlite_where=sa.text("parent_id IS NULL"),
            postgresql_where=sa.text("parent_id IS NULL"),
        )

    op.create_table(
        "identities",
        sa.Column("box_user_id", sa.String(length=64), nullable=False),
        sa.Column("worker_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("leased_at", columns.UTCTime(timezone=True), nullable=True),
        sa.Column("ledger", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["worker_id"], ["workers.id"], name=op.f("fk_identities_worker_id")),
        sa.PrimaryKeyConstraint("box_user_id", name=op.f("pk_identities")),
    )
    with op.batch_alter_table("identities", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_identities_worker_id"), ["worker_id"], unique=False)

    op.create_table(
        "items",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("tree_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("folder_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", columns.SourceText(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("box_name", columns.SourceText(), nullable=True),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("reason", columns.SourceText(), nullable=True),
        sa.Column("detail", columns.SourceText(), nullable=True),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("modified_ns", sa.BigInteger(), nullable=True),
        sa.Column("created_ns", sa.BigInteger(), nullable=True),
        sa.Column("changed_ns", sa.BigInteger(), nullable=True),
        sa.Column("source_file_id", sa.Text(), nullable=True),
        sa.Column("in_box", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("overtaken", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("sha1", sa.String(length=40), nullable=True),
        sa.Column("box_file_id", sa.String(length=64), nullable=True),
        sa.Column("box_version_id", sa.String(length=64), nullable=True),
        sa.Column("box_etag", sa.String(length=64), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("claimed_by", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("claim", sa.BigInteger(), nullable=True),
        sa.Column("uploaded_at", columns.UTCTime(timezone=True), nullable=True),
        sa.Column("uploaded_by", sa.String(length=64), nullable=True),
        sa.Column("adopted", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("waived_by", columns.SourceText(), nullable=True),
        sa.Column("waived_why", columns.SourceText(), nullable=True),
        sa.Column("waived_at", columns.UTCTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["folder_id"], ["folders.id"], name=op.f("fk_items_folder_id")),
        sa.ForeignKeyConstraint(["tree_id"], ["trees.id"], name=op.f("fk_items_tree_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_items")),
        sa.UniqueConstraint("folder_id", "name", name=op.f("uq_items_folder_id_name")),
    )
    with op.batch_alter_table("items", schema=None) as batch_op:
        batch_op.create_index(
            "ix_items_claimed",
            ["claimed_by", "claim"],
            unique=False,
            sqlite_where=sa.text("claimed_by IS NOT NULL"),
            postgresql_where=sa.text("claimed_by IS NOT NULL"),
        )
        batch_op.create_index("ix_items_counts", ["tree_id", "status", "kind", "size"], unique=False)
        batch_op.create_index(
            "ix_items_failed",
            ["tree_id", "reason"],
            unique=False,
            sqlite_where=sa.text("status = 'failed'"),
            postgresql_where=sa.text("status = 'failed'"),
        )
        batch_op.create_index(
            "ix_items_free",
            ["tree_id", "attempts", "folder_id", "id"],
            unique=False,
            sqlite_where=sa.text("status = 'pending' AND claimed_by IS NULL"),
            postgresql_where=sa.text("status = 'pending' AND claimed_by IS NULL"),
        )
        batch_op.create_index(
            "ix_items_in_box",
            ["box_file_id"],
            unique=False,
            sqlite_where=sa.text("box_file_id IS NOT NULL"),
            postgresql_where=sa.text("box_file_id IS NOT NULL"),
        )
        batch_op.create_index(
            "ix_items_renamed",
            ["tree_id", "folder_id"],
            unique=False,
            sqlite_where=sa.text("box_name IS NOT NULL"),
            postgresql_where=sa.text("box_name IS NOT NULL"),
        )

    op.create_table(
        "upload_sessions",
        sa.Column(
            "item_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("session_id", sa.Text(), nullable=False),
        sa.Column("endpoints", sa.JSON(), nullable=False),
        sa.Column("part_size", sa.BigInteger(), nullable=False),
        sa.Column("total_parts", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", columns.UTCTime(timezone=True), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("modified_ns", sa.BigInteger(), nullable=True),
        sa.Column("changed_ns", sa.BigInteger(), nullable=True),
        sa.Column("source_file_id", sa.Text(), nullable=True),
        sa.Column("identity", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(["item_id"], ["items.id"], name=op.f("fk_upload_sessions_item_id")),
        sa.PrimaryKeyConstraint("item_id", name=op.f("pk_upload_sessions")),
    )
    op.create_table(
        "upload_parts",
        sa.Column(
            "item_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("offset", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("part_id", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha1", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(
            ["item_id"], ["upload_sessions.item_id"], name=op.f("fk_upload_parts_item_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("item_id", "offset", name=op.f("pk_upload_parts")),
    )


def downgrade() -> None:
    """Undo; the indexes go with their tables."""
    for table in (
        "upload_parts",
        "upload_sessions",
        "items",
        "identities",
        "folders",
        "plan_events",
        "collaborations",
        "workers",
        "trees",
        "passes",
        "call_counts",
        "plans",
    ):
        op.drop_table(table)

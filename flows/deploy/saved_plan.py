"""A plan and its credentials as Prefect blocks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from prefect.settings import (
    get_current_settings,
)
from pydantic import HttpUrl

from connectors.box.config import BlockAuthConfig
from flows.errors import PlanError
from flows.plan.blocks import BLOCK_TYPES, MigrationPlanBlock, ShareCredentials, account_block
from flows.plan.model import MigrationPlan
from flows.plan.references import reveal, reveal_all
from flows.words import block_name


@dataclass(frozen=True, kw_only=True)
class SavedPlan:
    """A plan whose credentials are blocks, and the block that holds it, as "type/name" and by its id."""

    plan: MigrationPlan
    slug: str
    document_id: str
    blocks: tuple[str, ...]


def save_plan(plan: MigrationPlan, ui: str) -> SavedPlan:
    """Save the plan as a block and its credentials as blocks of the same name; the plan then names those."""
    for key in plan.written_secrets():
        if key != "source.password" and not key.startswith("box.auth."):  # those become blocks
            raise PlanError(f"{key}: no secret in a plan that Prefect keeps; write it as ${{NAME}}")
    for kind in BLOCK_TYPES:
        # An icon that this very server has: no page of it asks another one.
        kind._logo_url = HttpUrl(f"{ui}/v2/ico/android-chrome-192x192.png")
        kind.register_type_and_schema()
    name = block_name(plan.name)
    made = []
    box, source = plan.box, plan.source
    if not isinstance(box.auth, BlockAuthConfig):
        account_block(reveal_all(box, key="box").auth, plan.base_dir).save(name, overwrite=True)
        box = box.model_copy(update={"auth": BlockAuthConfig(method="block", name=name)})
        made.append(f"{account_slug()}/{name}")
    if source.password is not None:
        password = reveal(source.password, key="source.password") or ""
        ShareCredentials(username=source.username, password=password).save(name, overwrite=True)
        source = source.model_copy(update={"username": "", "password": None, "credentials_block": name})
        made.append(f"{ShareCredentials.get_block_type_slug()}/{name}")
    saved = plan.model_copy(update={"box": box, "source": source})
    document_id = str(MigrationPlanBlock(plan=saved).save(name, overwrite=True))
    slug = f"{MigrationPlanBlock.get_block_type_slug()}/{name}"
    return SavedPlan(plan=saved, slug=slug, document_id=document_id, blocks=(*made, slug))


def account_slug() -> str:
    """Slug of the block type with Box credentials."""
    return BLOCK_TYPES[0].get_block_type_slug()


def blocks_words(saved: SavedPlan) -> Iterator[str]:
    for block in saved.blocks:
        yield f"block: {block} saved"
    if get_current_settings().api.auth_string is None:
        yield (
            "warning: whoever reaches this server's API can read the secrets in its blocks; keep it on 127.0.0.1,"
            " or set an auth string (deployments/server.env)"
        )


def plan_tag(plan: MigrationPlan) -> str:
    """The tag of everything that belongs to this plan."""
    return plan_tag_of(plan.name)


def plan_tag_of(name: str) -> str:
    """The same of a plan of this name."""
    return f"plan:{block_name(name)}"

"""The blocks pass Prefect's own suite; a plan leaves the process without its secrets."""

from __future__ import annotations

import json
import secrets
from typing import Any

import pytest
from prefect.blocks.core import Block
from prefect.testing.standard_test_suites import BlockStandardTestSuite
from prefect.utilities.callables import parameter_schema
from pydantic import ValidationError

from connectors.box.config import CCGAuthConfig, JWTAuthConfig
from flows.migrate import migrate_share
from flows.plan.blocks import BLOCK_TYPES, BoxServiceAccount, MigrationPlanBlock, ShareCredentials
from flows.plan.model import MigrationPlan
from flows.plan.secrets import MASK
from flows.words import block_name


@pytest.mark.parametrize("block", BLOCK_TYPES, indirect=True)
class TestBlocks(BlockStandardTestSuite):
    """Prefect's suite over our three."""

    @pytest.fixture
    def block(self, request: pytest.FixtureRequest) -> type[Block]:
        """Given by the parameters."""
        kind: type[Block] = request.param
        return kind

    def test_has_a_valid_image(self, block: type[Block]) -> None:
        """The icon is the server's own and set when it is registered: no page of the UI asks another server."""
        assert block._logo_url is None or "127.0.0.1" in str(block._logo_url)


def test_an_account_is_the_same_as_a_plan_s_login() -> None:
    """JWT by the text of its key file, CCG by id and secret; what is missing is named."""
    key_file, secret = json.dumps({"key": secrets.token_hex()}), secrets.token_hex()

    jwt = BoxServiceAccount(method="jwt", jwt_config=key_file).auth_config()
    ccg = BoxServiceAccount(
        method="ccg", client_id="c", client_secret=secret, enterprise_id="1"
    ).auth_config()

    assert isinstance(jwt, JWTAuthConfig)
    assert jwt.config is not None
    assert key_file == jwt.config.get_secret_value()
    assert isinstance(ccg, CCGAuthConfig)
    assert secret == ccg.client_secret.get_secret_value()
    with pytest.raises(ValidationError, match="JWT key file"):
        BoxServiceAccount(method="jwt")
    with pytest.raises(ValidationError, match="enterprise ID"):
        BoxServiceAccount(method="ccg", client_id="c", client_secret=secret)


def test_a_block_shows_no_secret() -> None:
    """Neither as text nor as JSON."""
    secret = secrets.token_hex()

    for block in (
        BoxServiceAccount(method="ccg", client_id="c", client_secret=secret, enterprise_id="1"),
        ShareCredentials(username="u", password=secret),
    ):
        assert secret not in repr(block) + str(block) + block.model_dump_json()


def test_the_account_signs_in_to_box_with_its_sdk() -> None:
    """get_client gives Box's own client, which sends nothing yet."""
    account = BoxServiceAccount(method="ccg", client_id="c", client_secret="x", enterprise_id="1")

    assert "BoxClient" == type(account.get_client()).__name__


def plan_with(**secret: str) -> MigrationPlan:
    """A plan with a share's password and a client secret."""
    auth = {"method": "ccg", "client_id": "c", "client_secret": secret["client_secret"], "enterprise_id": "1"}
    source = {"url": "file:///srv", "username": "u", "password": secret["password"]}
    return MigrationPlan.model_validate({"name": "a", "source": source, "box": {"auth": auth}})


def test_a_plan_leaves_the_process_with_references_or_masks() -> None:
    """In JSON, and so as a flow parameter and in a block, a reference stays and a secret is masked."""
    secret = secrets.token_hex()

    referring = plan_with(password="${PW}", client_secret="${SECRET}").model_dump(mode="json")
    literal = plan_with(password=secret, client_secret=secret)

    assert ("${PW}", "${SECRET}") == (
        referring["source"]["password"],
        referring["box"]["auth"]["client_secret"],
    )
    assert secret not in literal.model_dump_json() + MigrationPlanBlock(plan=literal).model_dump_json()
    assert MASK in literal.model_dump_json()


def test_the_form_takes_only_references_where_a_secret_belongs() -> None:
    """The server refuses a literal secret before it stores a run's parameters."""
    definitions = parameter_schema(migrate_share).definitions
    assert definitions is not None

    passwords = list(find_passwords(definitions))

    assert len(passwords) >= 3
    assert all(field["pattern"].startswith(r"^\$\{") for field in passwords)


def find_passwords(schema: Any) -> Any:
    """Every field of the form that hides what is typed."""
    if isinstance(schema, dict):
        if schema.get("format") == "password":
            yield schema
        for value in schema.values():
            yield from find_passwords(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from find_passwords(value)


def test_the_form_keeps_the_order_of_a_plan_file() -> None:
    """Name, source, box first; every field has its place."""
    definitions = parameter_schema(migrate_share).definitions
    assert definitions is not None
    fields = definitions["MigrationPlan"]["properties"]

    assert ["name", "source", "box", "trees"] == sorted(fields, key=lambda name: fields[name]["position"])[:4]


@pytest.mark.parametrize(("name", "block"), [("finance-2026", "finance-2026"), ("Køln, No. 7", "k-ln-no-7")])
def test_a_block_is_named_like_its_plan(name: str, block: str) -> None:
    """In the letters that Prefect takes."""
    assert block == block_name(name)

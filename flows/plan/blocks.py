"""Blocks: what the orchestrator keeps for a migration: Box credentials, share credentials, whole plans. Runs nothing.

Secrets live in the first two alone; a plan names them and never holds one.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, TypeVar

from prefect.blocks.abstract import CredentialsBlock
from prefect.blocks.core import Block
from pydantic import Field, HttpUrl, SecretStr, TypeAdapter, model_validator

from connectors.box.client.connection import connect
from connectors.box.client.transport import Transport
from connectors.box.config import AuthConfig, BlockAuthConfig, BoxConfig, CCGAuthConfig, JWTAuthConfig
from connectors.source import Source
from connectors.sources.registry import open_source
from flows.errors import PlanError
from flows.plan.model import MigrationPlan

if TYPE_CHECKING:
    from box_sdk_gen import BoxClient

AnyBlock = TypeVar("AnyBlock", bound=Block)


class BoxServiceAccount(CredentialsBlock):
    """How Boxhaul signs in to Box: the key file of Box's developer console (JWT), or client id and secret (CCG).

    Example:
        Load it and talk to Box with its SDK:
        ```python
        from flows.plan.blocks import BoxServiceAccount

        account = BoxServiceAccount.load("BLOCK_NAME")
        client = account.get_client()
        ```
    """

    _block_type_name: ClassVar[str] = "Box Service Account"
    _block_type_slug: ClassVar[str] = "box-service-account"
    _documentation_url: ClassVar[HttpUrl] = TypeAdapter(HttpUrl).validate_python(
        "https://developer.box.com/guides/authentication/"
    )

    method: Literal["jwt", "ccg"] = Field(
        title="Method",
        description="jwt: the key file from Box's developer console. ccg: client id and secret.",
    )
    jwt_config: SecretStr = Field(
        default=SecretStr(""),
        title="JWT key file",
        description="For jwt: the whole text of the JSON file that the developer console made.",
    )
    client_id: str = Field(
        default="", title="Client ID", description="For ccg: client id of the platform app."
    )
    client_secret: SecretStr = Field(
        default=SecretStr(""),
        title="Client secret",
        description="For ccg: client secret of the platform app.",
    )
    enterprise_id: str = Field(
        default="", title="Enterprise ID", description="For ccg: the enterprise whose service account acts."
    )

    @model_validator(mode="after")
    def _complete(self) -> BoxServiceAccount:
        if self.method == "jwt" and not self.jwt_config.get_secret_value():
            raise ValueError("method jwt needs the JWT key file")
        if self.method == "ccg" and not (
            self.client_id and self.client_secret.get_secret_value() and self.enterprise_id
        ):
            raise ValueError("method ccg needs client ID, client secret and enterprise ID")
        return self

    def auth_config(self) -> JWTAuthConfig | CCGAuthConfig:
        """The same as a plan's `box.auth`, secrets included. Never dumped, never logged."""
        if self.method == "jwt":
            return JWTAuthConfig(config=self.jwt_config)
        return CCGAuthConfig(
            client_id=self.client_id, client_secret=self.client_secret, enterprise_id=self.enterprise_id
        )

    def get_client(self) -> BoxClient:
        """Box's own SDK, signed in as the service account. Sends nothing yet."""
        config = BoxConfig(auth=self.auth_config())
        return connect(config, Transport(config)).client.all_of_the_sdk()


class ShareCredentials(CredentialsBlock):
    """User and password of a file share (SMB, SFTP or what else the plan's URL says).

    Example:
        Load it and open the share:
        ```python
        from flows.plan.blocks import ShareCredentials

        credentials = ShareCredentials.load("BLOCK_NAME")
        source = credentials.get_client("smb://fs01.example.com/finance")
        source.connect()
        ```
    """

    _block_type_name: ClassVar[str] = "Share Credentials"
    _block_type_slug: ClassVar[str] = "share-credentials"
    _documentation_url: ClassVar[HttpUrl] = TypeAdapter(HttpUrl).validate_python(
        "https://filesystem-spec.readthedocs.io/"
    )

    username: str = Field(title="User", description="User that may read the share.")
    password: SecretStr = Field(
        default=SecretStr(""),
        title="Password",
        description="Password; empty where a key or a ticket is used.",
    )

    def get_client(self, url: str) -> Source:
        """The share at this URL, not connected yet. ValueError when the URL is not understood."""
        return open_source(url, username=self.username, password=self.password.get_secret_value() or None)


class MigrationPlanBlock(Block):
    """A saved plan: what moves from where to where, and who is let in at the end. Holds no secret.

    Example:
        Load it and move the share:
        ```python
        from flows.plan.blocks import MigrationPlanBlock
        from flows.migrate import migrate_share

        saved = MigrationPlanBlock.load("BLOCK_NAME")
        migrate_share(saved.plan)
        ```
    """

    _block_type_name: ClassVar[str] = "Migration Plan"
    _block_type_slug: ClassVar[str] = "migration-plan"
    _documentation_url: ClassVar[HttpUrl] = TypeAdapter(HttpUrl).validate_python(
        "https://developer.box.com/guides/authentication/"
    )

    plan: MigrationPlan = Field(title="Plan", description="The plan, with the same keys as a plan file.")


#: What `boxhaul deploy` registers, so that the forms of the UI know them.
BLOCK_TYPES: tuple[type[Block], ...] = (BoxServiceAccount, ShareCredentials, MigrationPlanBlock)


def box_credentials(auth: BlockAuthConfig) -> AuthConfig:
    """What the block named in `box.auth` holds. PlanError when it is not there."""
    return _load(BoxServiceAccount, auth.name, key="box.auth.name").auth_config()


def share_credentials(name: str) -> ShareCredentials:
    """The block named in `source.credentials_block`. PlanError when it is not there."""
    return _load(ShareCredentials, name, key="source.credentials_block")


def account_block(auth: AuthConfig, base_dir: str) -> BoxServiceAccount:
    """The block for these credentials of a plan file, references already filled in."""
    if isinstance(auth, JWTAuthConfig):
        text = auth.config or SecretStr((Path(base_dir) / (auth.config_file or "")).read_text("utf-8"))
        return BoxServiceAccount(method="jwt", jwt_config=text)
    if isinstance(auth, CCGAuthConfig):
        if auth.enterprise_id is None:
            raise PlanError("box.auth: a block needs enterprise_id")
        return BoxServiceAccount(
            method="ccg",
            client_id=auth.client_id,
            client_secret=auth.client_secret,
            enterprise_id=auth.enterprise_id,
        )
    return _load(BoxServiceAccount, auth.name, key="box.auth.name")


def _load(kind: type[AnyBlock], name: str, *, key: str) -> AnyBlock:
    try:
        block = kind.load(name)
    except ValueError:
        raise PlanError(f"{key}: no block {kind.get_block_type_slug()}/{name} is saved") from None
    except Exception as exc:
        raise PlanError(f"{key}: blocks are kept by a Prefect server, which does not answer: {exc}") from exc
    if not isinstance(block, kind):  # an async caller would get an awaitable
        raise TypeError(f"{kind.__name__}.load was called from async code")
    return block

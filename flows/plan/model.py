"""MigrationPlan: what a person writes in a plan file, fills into the form, or hands to a flow.

The same model is the flow's parameter. Secrets stay the reference that was written (`${NAME}`) until the moment a
connection is opened, so that no secret ever becomes a flow parameter (P8).
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    GetJsonSchemaHandler,
    SecretStr,
    SerializationInfo,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from connectors.box.config import BoxConfig, is_loopback
from connectors.box.names import box_name, path_key
from connectors.entry import EntryKind
from flows.errors import PlanError
from flows.plan.archive import WITH_ACCESS_TIMES, ArchivePlan, TouchedBy
from flows.plan.base import PlanModel
from flows.plan.changes import ChangesPlan
from flows.plan.exclude import DEFAULT_EXCLUDE, ExcludeRules
from flows.plan.filters import FilterPlan
from flows.plan.form import prepare_form
from flows.plan.notify import NotifyPlan, spelled_out
from flows.plan.people import CollaboratorPlan, SharedLinkPlan
from flows.plan.references import expand, file_fields, masked, reference_or_mask, reveal, secret_fields
from flows.plan.report import ReportPlan
from flows.plan.sample import share_of
from flows.plan.secrets import (
    MASK,
    database_url_secrets,
    has_account_secret,
    is_reference,
    masked_database_url,
    option_secrets,
)
from flows.plan.transfer import TransferOptions
from flows.words import normal_form

#: Added to the name of a plan that is rehearsed; no plan's own name has brackets.
REHEARSAL = " (rehearsal)"


class SourcePlan(PlanModel):
    """Where the files are."""

    url: Annotated[
        str,
        Field(
            title="URL",
            description="smb://server/share/path, sftp://server/path, file:///path; others: deployments/sources.md.",
            examples=["smb://fs01.example.com/finance/Departments"],
        ),
    ]
    username: Annotated[str, Field(title="User", description="User that may read the share.")] = ""
    password: Annotated[
        SecretStr | None,
        Field(title="Password", description="Password as a reference to an environment variable: ${NAME}."),
    ] = None
    credentials_block: Annotated[
        str,
        Field(
            title="Credentials block",
            description="Name of a saved ShareCredentials block, instead of user and password.",
        ),
    ] = ""
    port: Annotated[
        int | None, Field(title="Port", description="Port, when it is not the usual one.", gt=0)
    ] = None
    options: Annotated[
        dict[str, Any],
        Field(
            title="Options",
            description="More settings of this kind of source, such as encryption or key_file.",
        ),
    ] = {}
    may_be_empty: Annotated[
        bool,
        Field(
            title="May be empty",
            description="Believe a tree that lists nothing where entries were before; off: the run stops, since a disk "
            "that is not mounted looks like that.",
        ),
    ] = False

    @field_validator("url")
    @classmethod
    def _without_password(cls, value: str) -> str:
        if has_account_secret(value):
            raise ValueError("no password in the URL; write password: ${NAME}, and an @ of the path as %40")
        return value

    @field_validator("options")
    @classmethod
    def _secrets_are_references(cls, options: dict[str, Any]) -> dict[str, Any]:
        for key, text in option_secrets(options, "options"):
            if not is_reference(text):
                raise ValueError(f"{key} is a secret and does not stand in a plan; write it as ${{NAME}}")
        return options

    @model_validator(mode="after")
    def _one_kind_of_login(self) -> SourcePlan:
        if self.credentials_block and (self.username or self.password is not None):
            raise ValueError("give either credentials_block, or username and password")
        return self


class TreePlan(PlanModel):
    """One folder of the share that completes and is shared as a whole."""

    source: Annotated[str, Field(description="Folder under the source's URL; empty for all of it.")]
    folder: Annotated[
        str, Field(description="Folder under the landing folder; by default named as the source.")
    ] = ""
    collaborators: Annotated[
        list[CollaboratorPlan], Field(description="Who is let in once it is complete.")
    ] = []
    shared_link: Annotated[
        SharedLinkPlan | None, Field(description="Publish the folder under a link once it is complete.")
    ] = None

    @field_validator("source", "folder")
    @classmethod
    def _inside(cls, value: str) -> str:
        parts = [part for part in value.replace("\\", "/").split("/") if part]
        if any(part in (".", "..") for part in parts):
            raise ValueError(f"{value!r} must not contain '.' or '..'")
        return "/".join(parts)

    @property
    def box_path(self) -> str:
        """Where it arrives, under the landing folder."""
        return normal_form(self.folder or self.source.rpartition("/")[2])


def _exclude_rule(pattern: str) -> str:
    """The pattern as it is; ValueError when it can match nothing."""
    ExcludeRules([pattern])
    return pattern


class MigrationPlan(PlanModel):
    """What moves from where to where, and who is let in at the end."""

    name: Annotated[
        str,
        Field(
            title="Name",
            description="Name of the plan; its state is found by it.",
            min_length=1,
            max_length=100,
            pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]*$",
        ),
    ]
    source: Annotated[SourcePlan, Field(title="Source", description="The share to move.")]
    box: Annotated[
        BoxConfig, Field(title="Box", description="The service account and where its folders are.")
    ]
    state_url: Annotated[
        str,
        Field(
            title="State database",
            description="SQLAlchemy URL of the checkpoint: sqlite:////folder/name.db or postgresql+psycopg://...; "
            "sqlite:///name.db is in the base folder.",
            min_length=1,
            repr=False,
        ),
    ] = "sqlite:///boxhaul.db"
    trees: Annotated[
        list[TreePlan],
        Field(
            title="Trees", description="Folders to move; none: each top-level folder of the source is a tree."
        ),
    ] = []
    exclude: Annotated[
        list[Annotated[str, AfterValidator(_exclude_rule)]],
        Field(
            title="Exclude",
            description="Names or paths, with * and ?, that do not move; one that ends in / is for folders. A list "
            "here takes the place of the default, which has what servers keep for themselves.",
        ),
    ] = DEFAULT_EXCLUDE
    filters: Annotated[
        FilterPlan | None,
        Field(
            title="Filters", description="Move only what these let through; none: all that is not excluded."
        ),
    ] = None
    archive: Annotated[
        ArchivePlan | None,
        Field(title="Archive", description="Move only what nobody touched for long enough; none: all of it."),
    ] = None
    sample: Annotated[
        str,
        Field(
            title="Sample",
            description="Move only so much of the files, such as 2%, the same ones each time; on a local Box alone, as "
            "boxhaul rehearse does.",
        ),
    ] = ""
    transfer: Annotated[TransferOptions, Field(title="Transfer", description="How files are sent.")] = (
        TransferOptions()
    )
    changes: Annotated[
        ChangesPlan, Field(title="Changes", description="How Box follows what changes at the source later.")
    ] = ChangesPlan()
    notify: Annotated[
        NotifyPlan | None,
        Field(
            title="Notify",
            description="Who is told how runs go; none: the log alone. notify: ${NAME} is short for its url.",
        ),
        BeforeValidator(spelled_out),
    ] = None
    report: Annotated[
        ReportPlan | None,
        Field(
            title="Report",
            description="Where in Box each run puts its report at its end, and boxhaul report --upload too; "
            "none: no run does.",
        ),
    ] = None
    base_dir: Annotated[
        str,
        Field(
            title="Base folder",
            description="Folder that relative paths of the plan start from, absolute and on the machine that runs it.",
        ),
    ] = ""

    @model_validator(mode="after")
    def _samples_on_a_local_box(self) -> MigrationPlan:
        if self.sample:
            share_of(self.sample)
            if not self.is_rehearsal:
                raise ValueError("sample: a part of the files moves to a local Box alone; leave it out")
        return self

    @model_validator(mode="after")
    def _trees_are_apart(self) -> MigrationPlan:
        # By components: as text, "A old" would come between "A" and "A/2020".
        sources = sorted(normal_form(tree.source).split("/") if tree.source else [] for tree in self.trees)
        for outer, inner in pairwise(sources):
            if inner[: len(outer)] == outer:
                whole = "/".join(outer) or "(all of the source)"
                raise ValueError(f"trees overlap: {whole!r} contains {'/'.join(inner)!r}")
        folders = set[tuple[str, ...]]()
        for tree in self.trees:
            if not tree.box_path:
                raise ValueError("a tree with an empty source needs a folder")
            if path_key(tree.box_path) in folders:
                raise ValueError(f"two trees go to the same folder {tree.box_path!r}")
            folders.add(path_key(tree.box_path))
            for part in tree.box_path.split("/"):
                if box_name(part, EntryKind.FOLDER) != part:
                    raise ValueError(f"Box does not accept the folder name {part!r}")
        return self

    @model_validator(mode="after")
    def _access_times_are_told(self) -> MigrationPlan:
        scheme = urlsplit(self.source.url).scheme.lower() or "file"
        by_access = self.archive is not None and self.archive.by is TouchedBy.ACCESSED
        if by_access and scheme not in WITH_ACCESS_TIMES:
            raise ValueError(
                f"archive: by: accessed: a source of {scheme}:// does not tell when a file was read last; say modified"
            )
        return self

    @model_serializer(mode="wrap")
    def _references_only(self, handler: SerializerFunctionWrapHandler, info: SerializationInfo) -> Any:
        """In JSON a secret is the reference that was written, or a mask: the plan is a flow parameter (P8)."""
        document = handler(self)
        if info.mode == "json":
            for key, secret in secret_fields(self).items():
                *parents, name = key.split(".")
                place = document
                for parent in parents:
                    place = place[int(parent)] if isinstance(place, list) else place.get(parent, {})
                if name in place:
                    place[name] = reference_or_mask(secret)
            if "state_url" in document:
                document["state_url"] = masked_database_url(self.state_url)
        return document

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """The form takes only references where a secret belongs, and shows fields in the order of a plan file."""
        schema = handler(core_schema)
        prepare_form(handler.resolve_ref_schema(schema), handler)
        return schema

    @property
    def is_rehearsal(self) -> bool:
        """True when Box is a local one on this very machine."""
        return is_loopback(urlsplit(self.box.base_url).hostname or "")

    @property
    def checkpoint_name(self) -> str:
        """What the checkpoint knows the plan by: a rehearsal's has a place of its own."""
        return f"{self.name}{REHEARSAL}" if self.is_rehearsal else self.name

    def path(self, value: str | Path) -> Path:
        """A path of the plan: relative ones start from the folder of the plan file."""
        return Path(self.base_dir) / value

    def written_secrets(self) -> list[str]:
        """Keys whose secret stands in the plan itself and not as a reference: masked in whatever leaves the process."""
        keys = [key for key, secret in secret_fields(self).items() if reference_or_mask(secret) == MASK]
        return keys if masked_database_url(self.state_url) == self.state_url else ["state_url", *keys]

    def require_secrets(self) -> None:
        """PlanError when a secret is masked or its variable is missing: said now, not after weeks of sending.

        Not of `notify`: who cannot be told stops nothing.
        """
        for key, secret in secret_fields(self).items():
            if not key.startswith("notify."):
                reveal(secret, key=key)

    def resolved_state_url(self) -> str:
        """state_url with its references filled in, and a relative SQLite path made to start from the plan's folder.

        PlanError for a relative path without such a folder: the one that a flow run works in is deleted after it.
        """
        if MASK in database_url_secrets(self.state_url):
            raise masked("state_url")
        url = expand(self.state_url, key="state_url")
        driver, separator, path = url.partition(":///")
        if not separator or not driver.startswith("sqlite") or Path(path).is_absolute():
            return url
        self.require_base_dir("state_url")
        return f"{driver}:///{self.path(path)}"

    def require_base_dir(self, key: str) -> None:
        """For a key that holds a relative path: PlanError when nothing says where that starts from."""
        if not Path(self.base_dir).is_absolute():
            raise PlanError(
                f"{key}: a relative path, and base_dir does not say where it starts from; write it from the root"
                " (sqlite:////folder/name.db for a database), or set base_dir. A run's own folder is deleted after it."
            )

    def require_lasting_files(self) -> None:
        """PlanError when a file of the plan would be looked for, or left, in the folder that a run works in."""
        for key, file in file_fields(self.box, "box.").items():
            if not file.is_absolute():
                self.require_base_dir(key)

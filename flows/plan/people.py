"""Who is let into a tree, and by which link. Part of MigrationPlan."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import AwareDatetime, Field, SecretStr, model_validator

from flows.plan.base import PlanModel


class Role(StrEnum):
    """What a collaborator may do: Box's seven roles for a folder, in Box's spelling."""

    EDITOR = "editor"
    VIEWER = "viewer"
    PREVIEWER = "previewer"
    UPLOADER = "uploader"
    PREVIEWER_UPLOADER = "previewer uploader"
    VIEWER_UPLOADER = "viewer uploader"
    CO_OWNER = "co-owner"


#: How a plan names a collaborator.
COLLABORATOR_KEYS = ("login", "user_id", "group", "group_id", "app_user")


class LinkAccess(StrEnum):
    """Who may use a shared link, in Box's words."""

    OPEN = "open"
    COMPANY = "company"
    COLLABORATORS = "collaborators"


class SharedLinkPlan(PlanModel):
    """A link to the tree's folder, made once the tree is complete."""

    access: Annotated[
        LinkAccess, Field(title="Access", description="Anybody with the link, the company, or collaborators.")
    ] = LinkAccess.COMPANY
    expires_at: Annotated[
        AwareDatetime | None, Field(description="When the link ends, with a time zone.")
    ] = None
    password: Annotated[
        SecretStr | None,
        Field(
            description="Password of an open link as a reference to an environment variable: ${NAME}; Box wants eight "
            "characters, one of them a digit, a capital or a sign.",
        ),
    ] = None

    @model_validator(mode="after")
    def _password_is_for_open_links(self) -> SharedLinkPlan:
        if self.password is not None and self.access is not LinkAccess.OPEN:
            raise ValueError("Box takes a password for access: open only")
        return self


class CollaboratorPlan(PlanModel):
    """Somebody who is let in once the tree is complete. Exactly one of login, user_id, group, group_id, app_user."""

    login: Annotated[str | None, Field(description="E-mail address of a Box user.")] = None
    user_id: Annotated[str | None, Field(description="Box id of a user.")] = None
    group: Annotated[str | None, Field(description="Name of a Box group.")] = None
    group_id: Annotated[str | None, Field(description="Box id of a group.")] = None
    app_user: Annotated[
        str | None,
        Field(
            description="Name of an app user (is_platform_access_only), which is made when there is none.",
            max_length=100,
        ),
    ] = None
    create: Annotated[bool, Field(description="Make the group of this name when Box has none.")] = False
    role: Annotated[Role, Field(title="Role", description="What the collaborator may do.")] = Role.VIEWER
    can_view_path: Annotated[bool, Field(description="Show the folders above to the collaborator, too.")] = (
        False
    )
    is_access_only: Annotated[
        bool, Field(description="Do not list the folder in the collaborator's All Files.")
    ] = False
    expires_at: Annotated[AwareDatetime | None, Field(description="When access ends, with a time zone.")] = (
        None
    )

    @model_validator(mode="after")
    def _exactly_one(self) -> CollaboratorPlan:
        given = [name for name in COLLABORATOR_KEYS if getattr(self, name)]
        if len(given) != 1:
            raise ValueError(f"name exactly one of {', '.join(COLLABORATOR_KEYS)}")
        if self.create and not self.group:
            raise ValueError("create goes with group: the name of the group to make")
        if self.login is not None and "@" not in self.login:
            raise ValueError(f"login {self.login!r} is not an e-mail address")
        return self

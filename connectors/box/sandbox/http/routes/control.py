"""The control pages under `/_sandbox`, for rehearsals that run the sandbox as a process of its own.

A Starlette application: these are called rarely. They are never counted as Box calls, and need no token.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.box.sandbox import dumps
from connectors.box.sandbox.core import Core
from connectors.box.sandbox.errors import BoxError
from connectors.box.sandbox.person import Person

#: What `POST /_sandbox/act` lets a person do: methods of `Person`.
DEEDS = frozenset(
    {
        "make_folder", "upload", "edit", "rename", "move", "lock", "unlock", "trash", "restore", "download",
        "link", "unlink", "invite", "set_role", "uninvite", "accept",
    }
)  # fmt: skip

_PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)


def control_app(core: Core) -> Starlette:
    """The application that serves `/_sandbox/...` for this core."""
    get: dict[str, Callable[[dict[str, str]], Any]] = {
        "calls": lambda query: core.calls.as_dict(),
        "tree": lambda query: dumps.tree(core, query.get("folder_id", "0"), query.get("user_id")),
        "violations": lambda query: [violation._asdict() for violation in core.violations],
        "sessions": lambda query: dumps.open_sessions(core),
        "collaborations": lambda query: dumps.collaborations(core),
        "settings": lambda query: vars(core.settings),
        "limits": lambda query: core.limits.as_dict(),
        "users": lambda query: dumps.users(core),
    }
    post: dict[str, Callable[[dict[str, Any]], Any]] = {
        "limits": lambda body: core.limits.update(body),
        "settings": lambda body: core.settings.update(body),
        "faults": lambda body: core.faults.load(body) and None,
        "reset": lambda body: core.reset(),
        "reset_calls": lambda body: core.calls.reset(),
        "users": lambda body: _add_user(core, body),
        "act": lambda body: _act(core, body),
        "groups": lambda body: _add_group(core, body),
        "space": lambda body: _set_space(core, body),
        "logins": lambda body: _change_logins(core, body),
    }
    routes = [Route(f"/_sandbox/{name}", _reader(core, read), methods=["GET"]) for name, read in get.items()]
    routes += [
        Route(f"/_sandbox/{name}", _writer(core, write), methods=["POST"]) for name, write in post.items()
    ]
    routes.append(Route("/_sandbox/placeholder.png", _placeholder))
    return Starlette(routes=routes)


async def _placeholder(request: Request) -> Response:
    """What stands for every thumbnail: one transparent pixel."""
    return Response(_PIXEL, media_type="image/png")


def _reader(core: Core, read: Callable[[dict[str, str]], Any]) -> Callable[[Request], Any]:
    async def endpoint(request: Request) -> JSONResponse:
        with core.store.lock:
            return JSONResponse(read(dict(request.query_params)))

    return endpoint


def _writer(core: Core, write: Callable[[dict[str, Any]], Any]) -> Callable[[Request], Any]:
    async def endpoint(request: Request) -> JSONResponse:
        raw = await request.body()
        try:
            body = await request.json() if raw else {}
            with core.store.lock:
                answer = write(body)
                core.store.flush()
        except (BoxError, ValueError, TypeError, KeyError) as error:
            return JSONResponse({"error": f"{type(error).__name__}: {error}"}, 400)
        return JSONResponse({"ok": True} if answer is None else answer)

    return endpoint


def _add_user(core: Core, body: dict[str, Any]) -> dict[str, Any]:
    user = core.people.add_user(
        body["login"], body.get("name"), body.get("kind", "managed"), body.get("space_amount")
    )
    for address in body.get("aliases", ()):
        core.people.add_alias(user, address)
    return dumps.user(user)


def _act(core: Core, body: dict[str, Any]) -> dict[str, Any] | None:
    """Let a person do something: {"login": …, "do": "rename", "with": {"item_id": …, "name": …}}.

    Without a login it is the service account's hands. "link_download" is what somebody does who is not logged in.
    """
    what, values = body["do"], dict(body.get("with") or {})
    if what == "link_download":
        core.changes.download_by_link(values["file_id"])
        return None
    if what not in DEEDS:
        raise ValueError(f"unknown deed {what!r}; known: link_download, {', '.join(sorted(DEEDS))}")
    if "content" in values:
        values["content"] = values["content"].encode()
    login = body.get("login")
    user = core.service_account if login is None else core.store.logins[login]
    done = getattr(Person(core, user), what)(**values)
    return None if done is None else {"ok": True, "id": done}


def _add_group(core: Core, body: dict[str, Any]) -> dict[str, Any]:
    group = core.people.add_group(body["name"])
    for user_id in body.get("members", ()):
        core.people.add_member(core.store.users[user_id], group)
    return {"id": group.id, "name": group.name, "members": list(group.members)}


def _change_logins(core: Core, body: dict[str, Any]) -> dict[str, Any]:
    user = core.store.users[body["user_id"]]
    if "alias" in body:
        core.people.add_alias(user, body["alias"])
    if "login" in body:
        core.people.change_login(user, body["login"])
    return dumps.user(user)


def _set_space(core: Core, body: dict[str, Any]) -> None:
    user = core.store.users[body["user_id"]]
    user.space_amount = int(body["space_amount"])
    core.store.save(user)

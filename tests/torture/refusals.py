"""What Box may refuse of one item or person: each route with what it is about, and the work that needs it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import yaml

from connectors.box.sandbox.control.faults import Fault
from flows.reporting.report import write_report
from tests.torture.faults import PART, Scene, content

ANN, BOB = "ann@example.com", "bob@example.com"

#: Status, code and context of a refusal; none of them says that the whole account is meant.
CODES: dict[str, tuple[int, str, dict[str, Any] | None]] = {
    "400": (400, "bad_request", None),
    "403": (403, "access_denied_insufficient_permissions", None),
    "403 with context": (403, "forbidden_by_policy", {"reason": "restricted by a rule"}),
    "404": (404, "not_found", None),
    "409": (409, "conflict", None),
    "412": (412, "precondition_failed", None),
    "413": (413, "request_entity_too_large", None),
    "500": (500, "internal_server_error", None),
}


@dataclass(frozen=True)
class Refused:
    """One route, the work of the second run that uses it, and what is refused there."""

    route: str
    #: Changes share, plan or Box after the first run; returns whom or what the refusal is about, None for every call.
    work: Callable[[Scene], str | None]
    #: What the report has to name.
    named: str
    #: The file of the share that is not in Box while it is refused.
    missing: str | None = None


def file_id(scene: Scene, path: str) -> str:
    """The id of a file under the landing folder."""
    return str(scene.box.tree()[f"Landing/{path}"]["id"])


def change_plan(scene: Scene, tree: str, **changes: Any) -> None:
    """Change keys of one tree of the plan."""
    path = scene.folder / "plan.yaml"
    document = yaml.safe_load(path.read_text())
    for each in document["trees"]:
        if each["source"] == tree:
            each.update(changes)
    path.write_text(yaml.safe_dump(document), encoding="utf-8")


def add_person(scene: Scene, **person: str) -> None:
    """One more collaborator of Legal."""
    people = [{"group": "Finance", "role": "viewer"}, {"role": "viewer", **person}]
    change_plan(scene, "Legal", collaborators=people)


def new_file(scene: Scene) -> str:
    """A file beside others."""
    scene.write("Legal/fresh.txt", b"fresh")
    return "fresh.txt"


def new_version(scene: Scene) -> str:
    """A small file with other content."""
    scene.write("Accounting/2024/small 1.txt", b"another one")
    return file_id(scene, "Accounting/2024/small 1.txt")


def new_large_file(scene: Scene) -> str:
    """A file that needs an upload session."""
    scene.write("Legal/huge.bin", content(6_100, 7))
    return "huge.bin"


def new_large_version(scene: Scene) -> str:
    """A large file with other content."""
    scene.write("Accounting/large.bin", content(6_500, 1)[:3_000] + content(4_000, 4))
    return file_id(scene, "Accounting/large.bin")


def every_call(work: Callable[[Scene], str]) -> Callable[[Scene], str | None]:
    """The same work, where one item alone uses the route."""

    def prepare(scene: Scene) -> str | None:
        work(scene)
        return None

    return prepare


def new_folder(scene: Scene) -> str:
    """A folder with a file in it."""
    scene.write("Accounting/2025/new.txt", b"new")
    return "2025"


def listed_folder(scene: Scene) -> str:
    """A folder that Box's listing has to prove again."""
    scene.write("Accounting/2024/more.txt", b"more")
    return file_id(scene, "Accounting/2024")


def renamed_file(scene: Scene) -> str:
    """Somebody renamed a file in Box: it is asked for by its id."""
    scene.write("Accounting/2024/more.txt", b"more")
    found = file_id(scene, "Accounting/2024/small 2.txt")
    scene.box.person().rename(found, "renamed.txt")
    return found


def renamed_folder(scene: Scene) -> str:
    """Somebody renamed a folder in Box: it is asked for by its id."""
    scene.write("Accounting/more.txt", b"more")
    found = file_id(scene, "Accounting/2024")
    scene.box.person().rename(found, "2024 renamed")
    return found


def new_person(scene: Scene) -> str:
    """Somebody more in the plan."""
    scene.box.add_user(BOB)
    add_person(scene, login=BOB)
    return BOB


def other_role(scene: Scene) -> str:
    """Ann is to have another role."""
    change_plan(scene, "Accounting", collaborators=[{"login": ANN, "role": "viewer"}])
    return next(grant["id"] for grant in scene.box.collaborations() if grant["login"] == ANN)


def people_of_the_folder(scene: Scene) -> str:
    """To change a role, Box is asked who is in."""
    other_role(scene)
    return file_id(scene, "Accounting")


def new_group(scene: Scene) -> None:
    """A group that is looked up by its name."""
    scene.box.add_group("Sales")
    add_person(scene, group="Sales")


def new_app_user(scene: Scene) -> None:
    """An app user that is looked up, and made."""
    add_person(scene, app_user="Kiosk")


def new_link(scene: Scene) -> str:
    """Legal gets a shared link."""
    change_plan(scene, "Legal", shared_link={"access": "company"})
    return file_id(scene, "Legal")


SESSIONS = "POST /files/upload_sessions"

FILE = Refused("POST /files/content", new_file, "Legal/fresh.txt", "Legal/fresh.txt")
VERSION = Refused("POST /files/:id/content", new_version, *["Accounting/2024/small 1.txt"] * 2)
LARGE = Refused(SESSIONS, new_large_file, *["Legal/huge.bin"] * 2)
LARGE_VERSION = Refused("POST /files/:id/upload_sessions", new_large_version, *["Accounting/large.bin"] * 2)
SENT_PART = Refused(PART, every_call(new_large_file), *["Legal/huge.bin"] * 2)
COMMIT = Refused(f"{SESSIONS}/:id/commit", every_call(new_large_file), *["Legal/huge.bin"] * 2)
FOLDER = Refused("POST /folders", new_folder, "Accounting/2025", "Accounting/2025/new.txt")
LISTING = Refused("GET /folders/:id/items", listed_folder, "Accounting")
RENAMED_FILE = Refused("GET /files/:id", renamed_file, "Accounting")
RENAMED_FOLDER = Refused("GET /folders/:id", renamed_folder, "Accounting")
PERSON = Refused("POST /collaborations", new_person, BOB)
ROLE = Refused("PUT /collaborations/:id", other_role, ANN)
WHO_IS_IN = Refused("GET /folders/:id/collaborations", people_of_the_folder, ANN)
GROUP = Refused("GET /groups", new_group, "Sales")
APP_USER = Refused("GET /users", new_app_user, "Kiosk")
NEW_APP_USER = Refused("POST /users", new_app_user, "Kiosk")
LINK = Refused("PUT /folders/:id", new_link, "Legal")

#: What is refused in one and the same run, each with a code of its own; the works of a row do not touch one another.
TOGETHER = (
    (FILE, VERSION, LARGE, LARGE_VERSION, FOLDER),
    (FILE, VERSION, SENT_PART, FOLDER),
    (COMMIT, FOLDER),
    (PERSON, ROLE),
    (GROUP, WHO_IS_IN),
    (APP_USER, LISTING),
    (NEW_APP_USER, RENAMED_FILE),
    (LINK, RENAMED_FOLDER),
)


def words_of(case: Refused, code: str) -> str:
    """What Box says of this refusal, and of no other."""
    return f"the words of Box to {case.route} about {code}"


def refuse(scene: Scene, case: Refused, code: str, *, subject: str | None) -> Fault:
    """Let Box refuse this for ever; the rule."""
    status, error, context = CODES[code]
    rule = scene.box.faults.next(case.route).times(None)
    rule.status(status, error=error, message=words_of(case, code), context=context)
    return rule if subject is None else rule.about(subject)


def told(scene: Scene) -> str:
    """Everything that the report says, page and lines."""
    return "\n".join(path.read_text(encoding="utf-8") for path in write_report(scene.plan(), plain=True))

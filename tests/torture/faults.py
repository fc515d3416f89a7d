"""The scene of the fault matrix: a small share that touches every route, and what Box must hold in the end."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from connectors.box.config import BoxConfig, JWTAuthConfig, UploadLimits
from connectors.box.destination import BoxDestination
from connectors.box.sandbox import Sandbox
from connectors.box.sandbox.control.faults import Effect, Fault
from connectors.box.types import Invitee
from connectors.errors import ConnectorError
from flows.errors import Interrupted, PlanError
from flows.migrate import migrate_share
from flows.plan.file import load_plan
from flows.plan.model import MigrationPlan
from state.errors import StateError

#: Upload sessions begin here, which no plan file may say: parts of 1,000 bytes make a large file in a millisecond.
DIRECT_LIMIT, PART_SIZE = 5_000, 1_000
#: Parts that are stored when the quota ends for the first time: fewer than a large file has left by then.
STORED = 3

PART = "PUT /files/upload_sessions/:id"
PARTS = "GET /files/upload_sessions/:id/parts"


@dataclass
class QuotaEnds(Fault):
    """Refuses every part for want of space, once it ends and until it is lifted, as a full account does."""

    #: Whether it ends now; asked at each part.
    ends: Callable[[], bool] = bool
    lifted: bool = False

    def strike(self) -> Effect | None:
        """None while there is space."""
        if self.lifted or not (self.struck or self.ends()):
            return None
        self.struck += 1
        return Effect(status=403, code="storage_limit_exceeded")


#: Every route that a migration uses.
ROUTES = (
    "POST /oauth2/token",
    "GET /users/me",
    "GET /folders/:id",
    "POST /folders",
    "GET /folders/:id/collaborations",
    "POST /files/content",
    "POST /files/:id/content",
    "POST /files/upload_sessions",
    "POST /files/:id/upload_sessions",
    PART,
    PARTS,
    "POST /files/upload_sessions/:id/plan",
    "POST /files/upload_sessions/:id/commit",
    "DELETE /files/upload_sessions/:id",
    "GET /files/:id",
    "GET /folders/:id/items",
    "GET /groups",
    "POST /collaborations",
    "PUT /collaborations/:id",
    "PUT /folders/:id",
    "PUT /files/:id",
    "DELETE /folders/:id",
    "DELETE /files/:id",
)

#: Every fault the sandbox can give.
FAULTS: dict[str, Callable[[Fault], Fault]] = {
    "429 with Retry-After": lambda rule: rule.status(429, retry_after=0.01),
    "429 without Retry-After": lambda rule: rule.status(429),
    "429 html": lambda rule: rule.status(429, html=True),
    "500": lambda rule: rule.status(500),
    "500 with Retry-After": lambda rule: rule.status(500, retry_after=0.01),
    "500 html": lambda rule: rule.status(500, html=True),
    "500 after the effect": lambda rule: rule.status(500, after_effect=True),
    "502": lambda rule: rule.status(502),
    "502 html": lambda rule: rule.status(502, html=True),
    "503 with Retry-After": lambda rule: rule.status(503, retry_after=0.01),
    "503 with a date": lambda rule: rule.status(503, retry_after="Thu, 01 Jan 2026 00:00:00 GMT"),
    "503 html": lambda rule: rule.status(503, html=True),
    "504 after the effect": lambda rule: rule.status(504, after_effect=True),
    "200 html": lambda rule: rule.status(200, html=True),
    "delay": lambda rule: rule.delay(0.1),
    "reset before the effect": lambda rule: rule.reset("before_effect"),
    "reset after the effect": lambda rule: rule.reset("after_effect"),
    "truncated answer": lambda rule: rule.truncate(),
    "wrong bytes stored": lambda rule: rule.wrong_digest(),
    "wrong sha1 in the answer": lambda rule: rule.wrong_answer(),
    "token expired": lambda rule: rule.expire_token(),
}

#: Where bytes are stored, and where a sha1 is answered.
STORES = frozenset({"POST /files/content", "POST /files/:id/content", PART})
DIGESTS = STORES | {
    PARTS,
    "POST /files/upload_sessions/:id/commit",
    "GET /files/:id",
    "GET /folders/:id/items",
}

#: Done twice by the answer that was lost; Box tells nobody of such a session and ends it by itself.
LOSES_THE_ANSWER = frozenset(
    {"500 after the effect", "504 after the effect", "reset after the effect", "truncated answer"}
)


def content(size: int, seed: int) -> bytes:
    """So many bytes, the same at every run."""
    return random.Random(seed).randbytes(size)


@dataclass(frozen=True)
class Ended:
    """How one run ended, with the exit code that the console command gives it."""

    code: int
    summary: dict[str, Any] = field(default_factory=dict)
    message: str = ""

    @property
    def kept(self) -> int:
        """What is gone from the share and stayed in Box, which stops no run: the next one tries it again."""
        return int(self.summary.get("deletions", {}).get("kept", 0))


class Scene:
    """One share, one plan, one sandbox. `whole_story` moves it in five runs with changes between them."""

    def __init__(self, folder: Path, box: Sandbox) -> None:
        self.folder, self.box = folder, box
        self.share = folder / "share"
        self.files: dict[str, bytes] = {}
        #: How many contents each path has had in the share: as many versions Box must hold.
        self.contents: dict[str, int] = {}
        self._prepare_box()
        self._write_plan()

    def _prepare_box(self) -> None:
        box = self.box
        box.reset()
        box.faults.clear()
        box.settings.min_session_size, box.settings.part_size = 1, PART_SIZE
        box.add_user("ann@example.com")
        box.add_group("Finance")
        config = BoxConfig(
            auth=JWTAuthConfig(config=json.dumps(box.jwt_config)),
            base_url=box.url,
            upload_url=box.upload_url,
            limits=UploadLimits(uploads_per_minute=10_000, calls_per_minute=50_000),
        )
        with BoxDestination(config) as to:
            self.landing = to.create_folder("0", "Landing").id
            # Somebody made this folder by hand and let the plan's own person in, with another role.
            accounting = to.create_folder(self.landing, "Accounting").id
            to.collaborate(accounting, Invitee(login="ann@example.com"), "viewer")
        box.calls.reset()
        box.violations.clear()

    def _write_plan(self) -> None:
        self.box.write_config(self.folder / "box_config.json")
        document = {
            "name": "faults",
            "source": {"url": self.share.as_uri()},
            "box": {
                "auth": {"method": "jwt", "config_file": "box_config.json"},
                "base_url": self.box.url,
                "upload_url": self.box.upload_url,
                "landing_folder_id": self.landing,
                "limits": {
                    "uploads_per_minute": 10_000,
                    "calls_per_minute": 50_000,
                    "backoff_seconds": 0.001,
                },
            },
            "state_url": "sqlite:///state.db",
            "changes": {"deletions": "trash", "max_delete": "90%"},
            "trees": [
                {
                    "source": "Accounting",
                    "collaborators": [{"login": "ann@example.com", "role": "editor"}],
                },
                {"source": "Legal", "collaborators": [{"group": "Finance", "role": "viewer"}]},
            ],
        }
        (self.folder / "plan.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")

    # --- the share ---

    def write(self, path: str, data: bytes) -> None:
        """Put these bytes there; another content than before is one version more."""
        target = self.share / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        if self.files.get(path) != data:
            self.contents[path] = self.contents.get(path, 0) + 1
        self.files[path] = data

    def build(self) -> None:
        """Small files, an empty one, an empty folder, two large ones."""
        for number in range(4):
            self.write(f"Accounting/2024/small {number}.txt", b"one" * number)
        self.write("Legal/brief.txt", b"brief")
        self.write("Accounting/large.bin", content(12_500, 1))
        self.write("Legal/other.bin", content(13_500, 2))
        (self.share / "Legal" / "empty folder").mkdir()

    def rename(self, old: str, new: str) -> None:
        """A file or a folder with all that it holds has another path; its content is as many contents as before."""
        (self.share / old).rename(self.share / new)
        for path in [each for each in self.files if each == old or each.startswith(f"{old}/")]:
            renamed = new + path.removeprefix(old)
            self.files[renamed], self.contents[renamed] = self.files.pop(path), self.contents.pop(path)

    def delete(self, path: str) -> None:
        """A file, or a folder with its one file."""
        target = self.share / path
        (shutil.rmtree if target.is_dir() else Path.unlink)(target)
        self.files = {
            each: data for each, data in self.files.items() if not f"{each}/".startswith(f"{path}/")
        }

    # --- running ---

    def plan(self) -> MigrationPlan:
        """The plan with upload sessions from DIRECT_LIMIT bytes on."""
        plan = load_plan(self.folder / "plan.yaml")
        box = plan.box.model_copy(update={"direct_upload_limit_bytes": DIRECT_LIMIT})
        return plan.model_copy(update={"box": box})

    def run(self, *, check: bool = True) -> Ended:
        """One run of the flow itself; any exception that the console command would not foresee is raised."""
        try:
            summary = migrate_share.fn(self.plan(), check=check)
        except PlanError as exc:
            return Ended(2, message=str(exc))
        except (ConnectorError, StateError) as exc:
            return Ended(3, message=str(exc))
        except Interrupted as exc:
            return Ended(130, message=str(exc))
        return Ended(0 if summary["complete"] else 1, summary)

    def run_until_complete(self, runs: int) -> list[Ended]:
        """The same command again until it is complete and Box took every deletion, at most so often."""
        ended = [self.run()]
        while (ended[-1].code != 0 or ended[-1].kept) and len(ended) < runs:
            ended.append(self.run())
        return ended

    def whole_story(self, *, runs: int) -> list[Ended]:
        """Be stopped twice in the middle of large files; change one of them; go on; change files; run again; then move.

        Which large file is sent first is chance, so what happens to one happens to whichever is open.
        """
        self.build()
        self.write("Legal/old/a.txt", b"a")
        self.write("Legal/b.txt", b"b")
        ended = self._run_into_quota(
            lambda: any(len(each["parts"]) >= STORED for each in self.box.open_sessions())
        )
        # A session that was gone on with is open again, and its file is not.
        ended += self._run_into_quota(lambda: self.box.calls.by_route[PARTS] > 0)
        names = {each["name"] for each in self.box.open_sessions()}
        given_up = "Accounting/large.bin" if names == {"large.bin"} else "Legal/other.bin"
        self.write(given_up, content(11_300, 3))
        ended += self.run_until_complete(runs)
        self.write("Accounting/2024/small 1.txt", b"another one")
        self.write("Accounting/large.bin", self.files["Accounting/large.bin"][:3_000] + content(8_000, 4))
        ended += self.run_until_complete(runs)
        self._another_day()
        return ended + self.run_until_complete(runs)

    def _another_day(self) -> None:
        """A folder is renamed, a file moves, another has a new date alone, and a folder and a file are deleted."""
        self.rename("Accounting/2024", "Accounting/2024 closed")
        self.rename("Legal/brief.txt", "Legal/empty folder/brief.txt")
        os.utime(self.share / "Accounting/2024 closed/small 2.txt", (1_600_000_000, 1_600_000_000))
        self.delete("Legal/old")
        self.delete("Legal/b.txt")

    def _run_into_quota(self, ends: Callable[[], bool]) -> list[Ended]:
        quota = QuotaEnds(PART, remaining=None, ends=ends)
        self.box.faults.rules.append(quota)
        ended = self.run_until_complete(1)
        quota.lifted = True
        return ended

    # --- what Box must hold ---

    def expected(self) -> dict[str, Any]:
        """The share as Box must have it."""
        return {
            "files": {
                f"Landing/{path}": (
                    hashlib.sha1(data).hexdigest(),
                    len(data),
                    int((self.share / path).stat().st_mtime),
                )
                for path, data in self.files.items()
            },
            "folders": sorted(
                ["Landing"]
                + [
                    f"Landing/{path.relative_to(self.share).as_posix()}"
                    for path in self.share.rglob("*")
                    if path.is_dir()
                ]
            ),
            "grants": [
                ("Landing/Accounting", "ann@example.com", "editor"),
                ("Landing/Legal", "Finance", "viewer"),
            ],
        }

    def held(self) -> dict[str, Any]:
        """What Box has, in the same shape."""
        return {
            "files": {
                path: (file.sha1, file.size, file.content_modified) for path, file in self.box.files().items()
            },
            "folders": self.box.folders(),
            "grants": sorted(
                (grant["path"], grant["group"] or grant["login"], grant["role"])
                for grant in self.box.collaborations()
            ),
        }

    def superfluous_versions(self) -> dict[str, int]:
        """Path → versions beyond one for each content that the share has had there while it was sent."""
        held = {path.removeprefix("Landing/"): file.versions for path, file in self.box.files().items()}
        return {
            path: extra
            for path, versions in held.items()
            if (extra := versions - self.contents.get(path, 0)) > 0
        }

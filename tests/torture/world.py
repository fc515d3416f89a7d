"""World: one share, one sandbox, one checkpoint and the program between them; and what must be true of them.

`after_kill` holds at every kill, `at_end` when the program says that it is done.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from connectors.box.sandbox import Sandbox
from connectors.box.sandbox.control.faults import Effect, Fault
from connectors.entry import EntryKind
from flows.transfer.renames import own_name
from state.checkpoint import Checkpoint
from state.reports.lines import item_lines
from state.statuses import ItemStatus
from tests.program import Program
from tests.torture import small_share
from tests.torture.small_share import Content
from tests.torture.victims import Victims

PART = "PUT /files/upload_sessions/:id"
INVITATION = "POST /collaborations"


@dataclass
class Doorkeeper(Fault):
    """Looks at the trees at the very moment at which somebody is to be let in; lets every call pass."""

    box: Sandbox | None = None
    root: Path = field(default_factory=Path)
    #: Who may come before.
    uploaders: frozenset[str] = frozenset()
    #: For each such call: the grants before it, and the trees that were not whole then.
    looks: list[tuple[set[str], set[str]]] = field(default_factory=list)

    def strike(self) -> Effect | None:
        """Note what is there before the call has its effect."""
        assert self.box is not None
        in_box = files_in_box(self.box)
        wanted = small_share.contents(self.root)
        lacking = {path.split("/")[0] for path in wanted if in_box.get(path) != wanted[path]}
        self.looks.append((set(self.people()), lacking))
        return None

    def people(self) -> dict[str, str]:
        """Grant → path, without the uploaders."""
        assert self.box is not None
        grants = self.box.collaborations()
        return {grant["id"]: grant["path"] for grant in grants if grant["login"] not in self.uploaders}

    def invited(self) -> set[str]:
        """Every grant that a person ever had: one that is made anew is another one."""
        return set().union(*(before for before, _ in self.looks), self.people())

    def early(self) -> list[str]:
        """Paths of trees that people were let into before they were whole (P4)."""
        grants = self.people()
        looks = [*self.looks, (set(grants), set[str]())]
        return [
            grants[new]
            for (before, lacking), (after, _) in pairwise(looks)
            for new in after - before
            if grants[new] in lacking
        ]

    @property
    def spent(self) -> bool:
        """It stays."""
        return False


@dataclass
class World:
    """What one seed plays in."""

    box: Sandbox
    root: Path
    program: Program
    victims: Victims
    state_url: str
    #: Logins of the uploader app users, who come and go.
    uploaders: frozenset[str] = frozenset()
    doorkeeper: Doorkeeper = field(default_factory=lambda: Doorkeeper(INVITATION, remaining=None))
    #: Sessions that Box opened and whose id died with the process: id → name of the file.
    orphans: dict[str, str] = field(default_factory=dict)
    kills: int = 0
    #: Where the files of the share lay in Box before they were moved: path → id; empty when nothing was.
    placed: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.doorkeeper.box, self.doorkeeper.root = self.box, self.root
        self.doorkeeper.uploaders = self.uploaders
        self.box.faults.rules.append(self.doorkeeper)

    def follow(self) -> None:
        """Move, date anew and delete in the share, once all of it is in Box."""
        self.placed = {path: file.id for path, file in self.box.files().items()}
        small_share.follow_share(self.root)

    # --- at every kill ---

    def after_kill(self) -> None:
        """What is written down is true, nobody came early, and nothing is lost but what was in flight."""
        self.kills += 1
        assert self.doorkeeper.early() == []
        self._status_is_true()
        self._new_orphans()

    def _status_is_true(self) -> None:
        """Every entry that counts as uploaded is in Box with this content; the sums add up; status says the same."""
        document = self.victims.status(self.program)
        files, folders = self._files_by_id(), set(self.box.folders())
        counted = Counter[tuple[str, str]]()
        for line in self._lines():
            counted[line.tree, line.status.value] += 1
            if line.status is not ItemStatus.UPLOADED or self._is_trashed(line.path, files, folders):
                continue
            if line.kind is EntryKind.FILE:
                file = files[line.box_id or ""]
                assert (line.sha1, line.size) == (file[1].sha1, file[1].size)
                assert file[0] in self._places(line.path)
            elif line.kind is EntryKind.FOLDER:
                assert folders & self._places(line.path)
        assert {tree for tree, _ in counted} <= {tree["name"] for tree in document["trees"]}
        for tree in document["trees"]:
            counts = tree["items"]
            assert counts["total"] == sum(counts[name] for name in counts if name not in ("total", "gone"))
            for name in ("uploaded", "failed", "excluded", "waived", "pending"):
                assert counted[tree["name"], name] == counts[name], (tree["name"], name)

    def _places(self, path: str) -> set[str]:
        """Where Box may have it: what Box moved a moment ago has its old path here, or stepped aside."""
        folder, _, name = path.rpartition("/")
        own = f"{folder}/{own_name(name)}".lstrip("/")
        return {path, own, small_share.moved_path(own)} if self.placed else {path}

    def _is_trashed(self, path: str, files: dict[str, tuple[str, Content]], folders: set[str]) -> bool:
        """Deleted in the share and in Box, which is not written down yet."""
        there = folders | {place for place, _ in files.values()}
        return bool(self.placed) and small_share.is_deleted(path) and path not in there

    def _new_orphans(self) -> None:
        """Box cannot list sessions: one whose id was not written down is lost. It holds no part, so little is."""
        recorded = self.recorded_sessions()
        known = recorded | set(self.orphans)
        lost = [each for each in self.box.open_sessions() if each["id"] not in known]
        assert all(each["parts"] == [] for each in lost)
        assert max(Counter(each["name"] for each in lost).values(), default=0) <= 1
        self.orphans |= {each["id"]: each["name"] for each in lost}

    # --- at the end ---

    def at_end(self, *, versions: dict[str, int] | None = None, parts: int = small_share.PARTS) -> None:
        """Box equals the source, once; every finished part was sent once; the people are in, once."""
        self._box_equals_source(versions)
        assert Counter(self.box.folders()) == Counter(small_share.folders(self.root))
        self._ids_stayed()
        assert {each["id"] for each in self.box.open_sessions()} == set(self.orphans)
        assert parts == self._stored(PART)
        assert self._answers(PART, 409) == 0
        self._people_are_in_once()
        self._status_is_true()
        assert self.recorded_sessions() == set()
        document = self.victims.status(self.program)
        assert [tree["state"] for tree in document["trees"]] == ["complete", "complete"]
        entries = (
            len(small_share.contents(self.root))
            + len(small_share.folders(self.root))
            - len(small_share.TREES)
        )
        assert entries == sum(tree["items"]["uploaded"] for tree in document["trees"])
        assert list(self.box.violations) == []

    def _box_equals_source(self, versions: dict[str, int] | None) -> None:
        wanted = small_share.contents(self.root)
        assert wanted == files_in_box(self.box)
        assert {path: (versions or {}).get(path, 1) for path in wanted} == {
            path: file.versions for path, file in self.box.files().items()
        }

    def _ids_stayed(self) -> None:
        """What was moved is the very file that it was, and nothing was sent a second time."""
        there = {path: file.id for path, file in self.box.files().items()}
        stays = {path: box_id for path, box_id in self.placed.items() if not small_share.is_deleted(path)}
        assert not self.placed or there == {
            small_share.moved_path(path): box_id for path, box_id in stays.items()
        }

    def _people_are_in_once(self) -> None:
        assert self.doorkeeper.early() == []
        grants = self.box.collaborations()
        who = Counter((grant["path"], grant["login"] or grant["group"], grant["role"]) for grant in grants)
        assert who == Counter(
            (tree["source"], person.get("login") or person["group"], person["role"])
            for tree in small_share.TREES
            for person in tree["collaborators"]
        )
        # One mail per invitation that Box took.
        assert small_share.PEOPLE == len(self.doorkeeper.invited())
        if not self.uploaders:
            assert small_share.PEOPLE == self._answers(INVITATION, 201)

    def _stored(self, route: str) -> int:
        return self._answers(route, 200) + self._answers(route, 201)

    def _answers(self, route: str, status: int) -> int:
        return sum(call.route == route and call.status == status for call in self.box.calls.log)

    # --- looking inside ---

    def _files_by_id(self) -> dict[str, tuple[str, Content]]:
        return {
            file.id: (path, Content(file.sha1, file.size, file.content_modified or 0))
            for path, file in self.box.files().items()
        }

    def _lines(self) -> list[Any]:
        with Checkpoint.open(self.state_url) as checkpoint:
            plan_id = checkpoint.find_plan("test (rehearsal)")
            return [] if plan_id is None else list(item_lines(checkpoint, plan_id, with_gone=False))

    def recorded_sessions(self) -> set[str]:
        """Ids of the upload sessions that the checkpoint keeps."""
        with Checkpoint.open(self.state_url) as checkpoint:
            plan_id = checkpoint.find_plan("test (rehearsal)")
            sessions = [] if plan_id is None else checkpoint.open_upload_sessions(plan_id)
        return {session.session_id for _, session in sessions}


def files_in_box(box: Sandbox) -> dict[str, Content]:
    """Every file in Box by its path."""
    return {
        path: Content(file.sha1, file.size, file.content_modified or 0) for path, file in box.files().items()
    }


#: Makes a world: database ("sqlite", "postgres"), source ("local", "samba"), how many uploader app users.
MakeWorld = Callable[..., World]

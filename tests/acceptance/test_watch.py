"""`boxhaul watch`: what people do in Box with what was moved is told once, in order, by name, whatever stops it."""

from __future__ import annotations

import json
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from connectors.box.sandbox import Sandbox
from connectors.box.sandbox.person import Person
from flows.cli import app
from flows.observation.reading import EventReader
from flows.reporting.events import WATCHED
from state.checkpoint import Checkpoint
from state.reports.events import events
from tests.program import Finished, Program, program_for
from tests.trees import build_tree

PEOPLE = ("ann@example.com", "bob@example.com", "carl@example.com")

Told = tuple[str, str, str]

#: What people do with files and trees in Box.
KINDS = {"edited", "renamed", "moved", "deleted", "restored", "let in", "link", "downloaded"}


@pytest.fixture
def program(tmp_path: Path, box: Sandbox) -> Program:
    """A share of two trees that is moved, with three editors on each."""
    for login in PEOPLE[1:]:
        box.add_user(login)
    share = tmp_path / "share"
    share.mkdir()
    files = {f"{number:02}.txt": b"%d" % number for number in range(12)}
    build_tree(share, {"Accounting": {"2024": files, "2025": {}}, "Legal": {"c.txt": b"c"}})
    editors = [{"login": login, "role": "editor"} for login in PEOPLE]
    trees = [{"source": name, "collaborators": editors} for name in ("Accounting", "Legal")]
    program = program_for(tmp_path / "run", box, {"url": share.as_uri()}, trees=trees)
    finished = program.run("migrate")
    assert 0 == finished.code, finished.output
    return program


@pytest.fixture
def ids(program: Program, box: Sandbox) -> dict[str, str]:
    """Path → id of what the program moved."""
    return {path: entry["id"] for path, entry in box.tree().items()}


def hands(box: Sandbox, login: str) -> Person:
    """Somebody's hands in Box."""
    return box.person(box.core.store.logins[login])


def look(program: Program, *options: str) -> Finished:
    """One look at what there is."""
    return program.run("watch", "--once", *options)


def told(stdout: str) -> list[Told]:
    """(who, what, path) of each line of JSON, without what is the same event again."""
    lines = {line["event_id"]: line for line in map(json.loads, stdout.splitlines())}
    return [(line["by"], line["what"], line["path"]) for line in lines.values()]


def written(program: Program) -> list[Told]:
    """The same of every finding in the checkpoint, as often as it is there."""
    with Checkpoint.open(f"sqlite:///{program.folder / 'state.db'}") as checkpoint:
        plan_id = checkpoint.plan_origins()[0].id
        lines = [line for line in events(checkpoint, plan_id) if line.kind in WATCHED]
    return [(line.detail["by"], line.detail["what"], line.detail["path"]) for line in lines]


def test_every_kind_of_deed(program: Program, box: Sandbox, ids: dict[str, str]) -> None:
    """Content, names, places, the trash, people, links and downloads; not what the program does, nor who may read."""
    ann, bob = hands(box, PEOPLE[0]), hands(box, PEOPLE[1])
    eve = box.add_user("eve@elsewhere.org", kind="external")
    owner = box.service_account.login
    first, second = ids["Accounting/2024/00.txt"], ids["Accounting/2024/01.txt"]
    deeds: list[tuple[Callable[[], object], Told | None]] = [
        (lambda: ann.edit(first, b"new"), (PEOPLE[0], "edited", "Accounting/2024/00.txt")),
        (lambda: bob.rename(first, "x.txt"), (PEOPLE[1], "renamed", "Accounting/2024/00.txt")),
        (lambda: bob.move(first, ids["Accounting/2025"]), (PEOPLE[1], "moved", "Accounting/2024/00.txt")),
        (lambda: ann.rename(ids["Accounting/2025"], "25"), (PEOPLE[0], "renamed", "Accounting/2025")),
        (lambda: ann.trash(second), (PEOPLE[0], "deleted", "Accounting/2024/01.txt")),
        (lambda: box.person().restore(second), (owner, "restored", "Accounting/2024/01.txt")),
        (lambda: ann.upload("hers.txt", b"1", ids["Legal"]), (PEOPLE[0], "added", "Legal/hers.txt")),
        (lambda: bob.invite(ids["Legal"], eve.login, "viewer"), (PEOPLE[1], "let in", "Legal")),
        (lambda: hands(box, eve.login).accept(), None),
        (
            lambda: hands(box, eve.login).download(ids["Legal/c.txt"]),
            (eve.login, "downloaded", "Legal/c.txt"),
        ),
        (lambda: ann.download(ids["Legal/c.txt"]), None),
        (lambda: ann.link(ids["Legal"], "company"), (PEOPLE[0], "link", "Legal")),
        (lambda: ann.link(ids["Legal"], "open"), (PEOPLE[0], "link", "Legal")),
        (lambda: box.download_by_link(ids["Legal/c.txt"]), ("Unknown User", "downloaded", "Legal/c.txt")),
        (lambda: ann.unlink(ids["Legal"]), (PEOPLE[0], "link taken away", "Legal")),
        (lambda: ann.make_folder("hers"), None),
    ]
    for deed, _ in deeds:
        deed()
        box.settings.clock_offset_seconds += 1

    finished, again, plain = look(program, "--json"), look(program, "--json"), look(program)
    expected = [line for _, line in deeds if line is not None]
    lines = [json.loads(line) for line in finished.stdout.splitlines()]
    details = {(line["what"], line["detail"]) for line in lines}

    assert 1 == finished.code, finished.output
    assert (expected, expected) == (told(finished.stdout), written(program))
    assert {
        ("renamed", "to x.txt"), ("moved", "into Accounting/2025"), ("let in", "eve@elsewhere.org as viewer"),
        ("downloaded", "by an outsider"), ("downloaded", "by a link, not logged in"),
    } <= details  # fmt: skip
    assert [(0, ""), (0, "")] == [(each.code, each.stdout) for each in (again, plain)], again.output
    program.run("report", "--plain", "--out", str(program.folder / "report"))
    page = (program.folder / "report/report.html").read_text(encoding="utf-8")
    assert "edited, in Box by ann@example.com on " in page
    assert not list((program.folder / "report").glob("*.xlsx"))  # what --plain is for


def test_what_the_program_does_is_not_told(program: Program, box: Sandbox, ids: dict[str, str]) -> None:
    """A first run, a new version that a further run sends, people whom it lets in: none of that is a person's."""
    share = Path(program.plan["source"]["url"].removeprefix("file://"))
    (share / "Legal/c.txt").write_bytes(b"changed")
    box.add_user("dora@example.com")
    trees = program.plan["trees"]
    trees[1]["collaborators"].append({"login": "dora@example.com", "role": "viewer"})
    program.write_plan(trees=trees)
    assert 0 == program.run("migrate").code
    assert (0, "") == (look(program).code, look(program).stdout)


def test_line_for_a_person(
    program: Program, box: Sandbox, ids: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """When, who, what, where; a name from Box writes nothing else on a terminal. Then it waits as long as was said."""
    hands(box, PEOPLE[0]).rename(ids["Legal/c.txt"], "\u202ea\u2028b.txt")
    line = look(program).stdout

    assert line.endswith("  ann@example.com  renamed  Legal/c.txt  (to \\x202ea\\x2028b.txt)\n"), line

    pauses = []

    def pause(reader: EventReader, seconds: float) -> None:
        pauses.append(seconds)
        raise KeyboardInterrupt

    monkeypatch.setattr(EventReader, "pause", pause)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    CliRunner().invoke(app, ["watch", str(program.plan_path), "--every", "7"])
    assert [7.0] == pauses


def test_without_the_scope(program: Program, box: Sandbox, ids: dict[str, str]) -> None:
    """The account's own events are read, which it says; with the scope it goes on in the other stream, once."""
    scopes = box.settings.scopes
    box.settings.scopes = tuple(each for each in scopes if each != "manage_enterprise_properties")
    box.expire_tokens()
    hands(box, PEOPLE[0]).edit(ids["Legal/c.txt"], b"new")
    narrow = look(program, "--json")
    box.settings.scopes = scopes
    box.expire_tokens()
    box.settings.clock_offset_seconds += 2
    hands(box, PEOPLE[1]).edit(ids["Legal/c.txt"], b"newer")
    wide = look(program, "--json")

    assert [(PEOPLE[0], "edited", "Legal/c.txt")] == told(narrow.stdout), narrow.output
    assert "Manage enterprise properties" in narrow.stderr
    assert [(PEOPLE[1], "edited", "Legal/c.txt")] == told(wide.stdout), wide.output


def test_before_the_first_run_and_stopped_by_hand(program: Program, box: Sandbox, tmp_path: Path) -> None:
    """Nothing to watch before a run: 2. Ctrl-C ends a watch with 130 and one line. Where
    nothing is new, that is said."""
    other = program_for(tmp_path / "other", box, program.plan["source"], trees=program.plan["trees"])
    refused, quiet = look(other), look(program)
    before = box.calls.by_route["GET /events"]
    with program.start("watch", "--every", "1") as process:
        wait_until(lambda: box.calls.by_route["GET /events"] >= before + 3)
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=30)

    assert "boxhaul: nothing new\n" == quiet.stderr, quiet.output
    assert 2 == refused.code, refused.output
    assert (130, "") == (process.returncode, stdout), stderr
    assert [
        "boxhaul: watching; a look every 1 s, Ctrl-C ends it",
        "boxhaul: interrupted; the state is saved, the same command goes on from here",
    ] == stderr.splitlines()


def next_look(box: Sandbox) -> None:
    """Wait until a watch asks Box once more."""
    before = box.calls.by_route["GET /events"]
    wait_until(lambda: box.calls.by_route["GET /events"] > before)


def wait_until(condition: Callable[[], bool], seconds: float = 60) -> None:
    """Wait for a condition; AssertionError when it never holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never held"
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("seed", "deeds"), [(1, 100), *(pytest.param(seed, 300, marks=pytest.mark.torture) for seed in (2, 3, 4))]
)
def test_deeds_of_three_people_over_two_kills(
    program: Program, box: Sandbox, ids: dict[str, str], seed: int, deeds: int
) -> None:
    """Each is told once, in order, by whom; the watch is killed twice while they go on, and two of three deeds are
    done between looks."""
    drawn = Drawn(box, ids, random.Random(seed))
    stdout = ""
    for part in range(3):
        with program.start("watch", "--json", "--every", "1") as process:
            for number in range(deeds // 3 if part < 2 else deeds - len(drawn.done)):
                drawn.next()
                if number % 11 == 5:
                    next_look(box)
            process.kill()
            stdout += process.communicate(timeout=30)[0]
    stdout += look(program, "--json").stdout
    whole = [line for line in stdout.splitlines(keepends=True) if line.endswith("\n")]

    assert deeds == len(drawn.done)
    assert drawn.done == written(program)
    assert drawn.done == told("".join(whole))
    assert KINDS <= {what for _, what, _ in drawn.done}


class Drawn:
    """Deeds of three people and of an outsider, drawn, each a second of Box's clock after the one before."""

    def __init__(self, box: Sandbox, ids: dict[str, str], rng: random.Random) -> None:
        self.box, self.ids, self.rng = box, ids, rng
        self.done: list[Told] = []
        self._trashed, self._linked = set[str](), set[str]()
        self._outsider = self._let_in(hands(box, PEOPLE[0]))
        self._outsider.accept()

    def next(self) -> None:
        """Let somebody do something with a file of the share."""
        path = f"Accounting/2024/{self.rng.randrange(12):02}.txt"
        person = hands(self.box, self.rng.choice(PEOPLE))
        if path in self._trashed:
            self._trashed.remove(path)
            person = self.box.person()  # the trash is the owner's
            self._do(person, "restored", path, lambda: person.restore(self.ids[path]))
        elif self.rng.random() < 0.1:
            self._let_in(person)
        else:
            self._change(person, path, self.ids[path])

    def _do(self, person: Person, what: str, path: str, deed: Callable[[], object]) -> None:
        self.box.settings.clock_offset_seconds += 1
        deed()
        self.done.append((person.user.login, what, path))

    def _let_in(self, person: Person) -> Person:
        guest = self.box.add_user(f"guest{len(self.done)}@elsewhere.org", kind="external")
        tree = "Accounting"
        self._do(person, "let in", tree, lambda: person.invite(self.ids[tree], guest.login, "viewer"))
        return hands(self.box, guest.login)

    def _change(self, person: Person, path: str, file_id: str) -> None:
        deeds: dict[str, Callable[[], Any]] = {
            "edited": lambda: person.edit(file_id, self.rng.randbytes(9)),
            "renamed": lambda: person.rename(file_id, f"deed {len(self.done)}.txt"),
            "moved": lambda: person.move(file_id, self._other_folder(file_id)),
            "deleted": lambda: person.trash(file_id),
            "downloaded": lambda: person.download(file_id),
            "link taken away" if path in self._linked else "link": (
                lambda: person.unlink(file_id) if path in self._linked else person.link(file_id)
            ),
        }
        what = self.rng.choice(sorted(deeds))
        if what == "downloaded":
            person = self._outsider
        self._do(person, what, path, deeds[what])
        if what == "deleted":
            self._trashed.add(path)
        elif what.startswith("link"):
            self._linked ^= {path}

    def _other_folder(self, file_id: str) -> str:
        here = self.box.core.store.files[file_id].parent.id
        return next(
            self.ids[name] for name in ("Accounting/2024", "Accounting/2025") if self.ids[name] != here
        )

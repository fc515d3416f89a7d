"""Fixtures of the crash matrix: the server of victims, a sandbox with small parts, the share to copy, the counts.

A test module takes them with `pytest_plugins = ["tests.torture.stage"]`.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.box.sandbox import Sandbox
from tests.program import program_for
from tests.servers.postgres import PostgresServer
from tests.torture.points import Day
from tests.torture.small_share import PART_SIZE, TREES, build_small_share, change_share, follow_share
from tests.torture.victims import Victims
from tests.torture.world import MakeWorld, World

#: What a deletion in the share does in Box.
CHANGES = {"deletions": "trash", "max_delete": "50%"}


@pytest.fixture(scope="session")
def victims() -> Iterator[Victims]:
    """Who dies."""
    with Victims() as started:
        yield started


@pytest.fixture
def other_victims() -> Iterator[Victims]:
    """A second one, for two commands at the same time."""
    with Victims() as started:
        yield started


@pytest.fixture(scope="session")
def crash_box_of_session() -> Iterator[Sandbox]:
    """A sandbox that keeps content, so that new versions may keep their parts."""
    with Sandbox(settings={"part_size": PART_SIZE, "duplicate_folders_under_race": True}) as box:
        yield box


@pytest.fixture
def crash_box(crash_box_of_session: Sandbox) -> Sandbox:
    """A clean one with a colleague and a group."""
    box = crash_box_of_session
    box.reset()
    box.calls.reset()
    box.faults.clear()
    box.violations.clear()
    box.add_user("ann@example.com", name="Ann Example")
    box.add_group("Lawyers")
    return box


@pytest.fixture(scope="session")
def built_share(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small share, to be copied."""
    root = tmp_path_factory.mktemp("crash") / "share"
    root.mkdir()
    build_small_share(root)
    return root


@pytest.fixture
def make_world(
    request: pytest.FixtureRequest, tmp_path: Path, crash_box: Sandbox, built_share: Path, victims: Victims
) -> Iterator[MakeWorld]:
    """Makes worlds; their copies of the share go away with the test."""
    copies: list[Path] = []

    def make(state: str = "sqlite", source: str = "local", *, uploaders: int = 0) -> World:
        folder = tmp_path / f"world {len(copies)}"
        environment: dict[str, str] = {}
        if source == "samba":
            samba = request.getfixturevalue("samba")
            root = samba.root / f"crash {tmp_path.name}"
            where = {"url": f"{samba.url}/{root.name}", "username": samba.username, "port": samba.port}
            where["password"] = "${SHARE_PW}"
            environment["SHARE_PW"] = samba.password
        else:
            root = folder / "share"
            where = {"url": f"file://{root}"}
        copies.append(root)
        shutil.copytree(built_share, root)
        url = (
            request.getfixturevalue("postgres_url")
            if state == "postgres"
            else f"sqlite:///{folder / 'state.db'}"
        )
        environment["STATE_URL"] = url
        program = program_for(
            folder,
            crash_box,
            where,
            environment=environment,
            trees=TREES,
            state_url="${STATE_URL}",
            transfer={"threads": 4, "walk_threads": 2, "batch_items": 7, "notify": True},
            changes=CHANGES,
        )
        users = [crash_box.add_user(f"uploader{n}@boxdevedition.com", kind="app") for n in range(uploaders)]
        program.plan["box"] |= {
            "direct_upload_limit_bytes": 20_000_000,
            "identities": [user.id for user in users],
        }
        program.write_plan()
        return World(crash_box, root, program, victims, url, frozenset(user.login for user in users))

    yield make
    for root in copies:
        shutil.rmtree(root, ignore_errors=True)


@pytest.fixture(scope="session")
def place_counts(
    tmp_path_factory: pytest.TempPathFactory,
    crash_box_of_session: Sandbox,
    built_share: Path,
    victims: Victims,
) -> dict[Day, dict[str, int]]:
    """How often each named place is reached in each pass, by runs that nobody kills."""
    folder = tmp_path_factory.mktemp("counts")
    box = crash_box_of_session
    box.reset()
    box.add_user("ann@example.com", name="Ann Example")
    box.add_group("Lawyers")
    root = folder / "share"
    shutil.copytree(built_share, root)
    program = program_for(
        folder,
        box,
        {"url": f"file://{root}"},
        trees=TREES,
        transfer={"threads": 4, "batch_items": 7},
        changes=CHANGES,
    )
    users = [box.add_user(f"uploader{n}@boxdevedition.com", kind="app") for n in range(2)]
    program.plan["box"] |= {
        "direct_upload_limit_bytes": 20_000_000,
        "identities": [user.id for user in users],
    }
    program.write_plan()
    counts = {}
    for day in Day:
        if day is Day.CHANGED:
            change_share(root)
        elif day is Day.FOLLOWED:
            follow_share(root)
        finished = victims.run(program, "migrate", counts=folder / "counts.json")
        assert finished.code == 0, finished.output
        counts[day] = json.loads((folder / "counts.json").read_text())
    shutil.rmtree(root)
    return counts


@pytest.fixture(params=["sqlite", "postgres"])
def server(request: pytest.FixtureRequest) -> PostgresServer | None:
    """The PostgreSQL server, or None for a test that keeps its state in SQLite."""
    return request.getfixturevalue("postgres_server") if request.param == "postgres" else None

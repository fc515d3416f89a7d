"""Secrets in what a person wrote wrongly (P8): damaged keys, passphrases, URLs; none is left anywhere."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import pytest

from connectors.box.sandbox import Sandbox
from tests.integration.box.secrets import secrets_of
from tests.program import Finished, Program, program_for
from tests.servers import free_port
from tests.servers.fixtures import empty
from tests.servers.samba import Samba
from tests.trees import build_tree


@dataclass
class Stage:
    """A program on a real share with a real login, and everything that it printed."""

    program: Program
    box: Sandbox
    samba: Samba
    printed: list[str] = field(default_factory=list)
    #: Beside those of Box and of the share.
    more: list[str] = field(default_factory=list)

    def run(self, *arguments: str) -> Finished:
        """One command, whose output is kept."""
        finished = self.program.run(*arguments)
        self.printed.append(finished.output)
        return finished

    def secrets(self) -> list[str]:
        """All of them, and as they would look inside of a URL or a header."""
        plain = [*secrets_of(self.box), self.samba.password, *self.more]
        assert all(len(each) >= 12 for each in plain)
        return [
            form
            for each in plain
            for form in {each, quote(each, safe=""), base64.b64encode(each.encode()).decode().rstrip("=")}
        ]

    def leaks(self) -> list[str]:
        """Where a secret was found: output, or a file of the run's folder (database, its log, report, plan's state)."""
        secrets = [secret.encode() for secret in self.secrets()]
        texts = {"output": "\n".join(self.printed).encode()}
        texts |= {
            str(path.relative_to(self.program.folder)): path.read_bytes()
            for path in self.program.folder.rglob("*")
            if path.is_file() and path.name not in self.allowed()
        }
        # How a signed assertion begins, whichever one it is.
        return [
            name for name, text in texts.items() if any(secret in text for secret in [*secrets, b"eyJhbGci"])
        ]

    def allowed(self) -> set[str]:
        """The file that a person put there with the secrets in it."""
        return {"box_config.json"}


@pytest.fixture
def stage(tmp_path: Path, box: Sandbox, samba: Samba) -> Stage:
    """A share on Samba with two trees, and a JWT application with a key of its own."""
    empty(samba.root)
    build_tree(samba.root, {"Accounting": {"a.txt": b"a", "b.txt": b"b"}, "Legal": {"c.txt": b"c"}})
    source = {"url": samba.url, "username": samba.username, "port": samba.port, "password": "${SHARE_PW}"}
    people = [{"login": "ann@example.com", "role": "editor"}]
    trees = [{"source": "Accounting", "collaborators": people}, {"source": "Legal", "collaborators": people}]
    environment = {"SHARE_PW": samba.password, "PYTHONFAULTHANDLER": "1"}
    program = program_for(tmp_path / "run", box, source, environment=environment, trees=trees)
    return Stage(program, box, samba)


def unauthorised_app(stage: Stage) -> None:
    """The login at Box is refused, in Box's own words."""
    stage.box.settings.app_authorized = False


def broken_key(stage: Stage) -> None:
    """The key file has a key that is damaged; what is left of it is still nobody's business."""
    path = stage.program.folder / "box_config.json"
    document = json.loads(path.read_text())
    key = document["boxAppSettings"]["appAuth"]
    key["privateKey"] = key["privateKey"].replace("\n", "\nx", 3)
    path.write_text(json.dumps(document))


def wrong_passphrase(stage: Stage) -> None:
    """The passphrase does not open the key."""
    path = stage.program.folder / "box_config.json"
    document = json.loads(path.read_text())
    stage.more.append("passphrase-" + stage.samba.password)
    document["boxAppSettings"]["appAuth"]["passphrase"] = stage.more[-1]
    path.write_text(json.dumps(document))


def torn_key_file(stage: Stage) -> None:
    """The key file ends in the middle of the key."""
    path = stage.program.folder / "box_config.json"
    text = path.read_text()
    path.write_text(text[: text.index("PRIVATE KEY") + 400])


def database_with_password(stage: Stage) -> None:
    """A database server that is not there, with a password in its URL."""
    stage.more.append("database-" + stage.samba.password)
    stage.program.environment["DB_PW"] = stage.more[-1]
    url = f"postgresql+psycopg://user:${{DB_PW}}@127.0.0.1:{free_port()}/nowhere"
    stage.program.write_plan(state_url=url)


def faulty_plan(stage: Stage) -> None:
    """A password where a number belongs, in the plan itself."""
    stage.more.append("literal-" + stage.samba.password)
    stage.program.write_plan(source=stage.program.plan["source"] | {"port": stage.more[-1]})
    stage.allowed = lambda: {"box_config.json", "plan.yaml"}  # type: ignore[method-assign]


@pytest.mark.parametrize(
    ("spoil", "codes"),
    [
        (unauthorised_app, {3}),
        (broken_key, {3}),
        (wrong_passphrase, {3}),
        (torn_key_file, {3}),
        (database_with_password, {3}),
        (faulty_plan, {2}),
    ],
)
@pytest.mark.gate(3)
def test_failing_runs_leave_no_secret(stage: Stage, spoil: Callable[[Stage], None], codes: set[int]) -> None:
    """Whatever goes wrong is told without a traceback and without any secret, and none stays in a file."""
    spoil(stage)

    finished = stage.run("migrate")

    assert finished.code in codes, finished.output
    assert "Traceback" not in finished.output
    assert 1 >= sum(line.startswith("boxhaul: ") for line in finished.stderr.splitlines())
    assert [] == stage.leaks()

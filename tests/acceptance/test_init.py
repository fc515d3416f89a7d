"""The beginning: five questions make a plan that passes check; what `.env` says; the schema; the order of work."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import sys
import termios
import time
from pathlib import Path

import jsonschema
import pytest
import yaml

from connectors.box.sandbox import Sandbox
from flows.errors import PlanError
from flows.plan.file import load_plan
from flows.plan.references import reveal
from tests.forking import ROOT
from tests.servers import free_port
from tests.servers.fixtures import empty
from tests.servers.samba import Samba
from tests.trees import build_tree


def boxhaul(*words: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """The program without a terminal, in this folder."""
    return subprocess.run(
        [sys.executable, "-m", "flows.cli", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


class Terminal:
    """The program on a terminal of its own, which somebody answers."""

    def __init__(self, *words: str, folder: Path) -> None:
        self.seen = ""
        #: Printed, and nobody waited for it yet.
        self._new = ""
        self._pid, self._terminal = pty.fork()
        if not self._pid:
            os.chdir(folder)
            environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200"}
            os.execve(sys.executable, [sys.executable, "-m", "flows.cli", *words], environment)

    def expect(self, words: str, answer: str | None = None) -> None:
        """Wait for these words after what was seen so far, and answer."""
        deadline = time.monotonic() + 60
        while words not in self._new:
            assert time.monotonic() < deadline, self.seen + self._new
            if select.select([self._terminal], [], [], 0.2)[0]:
                try:
                    self._new += os.read(self._terminal, 4096).decode(errors="replace")
                except OSError:  # it ended
                    assert words in self._new, self.seen + self._new
        before, found, self._new = self._new.partition(words)
        self.seen += before + found
        while words.startswith("Password") and termios.tcgetattr(self._terminal)[3] & termios.ECHO:
            assert time.monotonic() < deadline, "the password would be seen"
            time.sleep(0.01)
        if answer is not None:
            os.write(self._terminal, answer.encode() + b"\n")

    def end(self) -> int:
        """Its exit code."""
        self.seen += self._new
        while True:
            try:
                if not (text := os.read(self._terminal, 4096)):
                    break
            except OSError:
                break
            self.seen += text.decode(errors="replace")
        os.close(self._terminal)
        return os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])


def test_without_a_box_the_plan_is_one_to_rehearse(tmp_path: Path) -> None:
    """Box's file may come later; the last line says what can be done until then."""
    (tmp_path / "share" / "A").mkdir(parents=True)
    share = str(tmp_path / "share")
    terminal = Terminal("init", "--source", share, "--box-config", "none", folder=tmp_path)
    # Where they arrive cannot be asked; no number is missing for it.
    terminal.expect("4. What is this plan called?", "first")
    code = terminal.end()
    assert 0 == code, terminal.seen
    assert "next: boxhaul rehearse plan.yaml; with a Box, its file as box_config.json" in terminal.seen
    assert "box_config.json" in (tmp_path / "plan.yaml").read_text()


def test_five_questions_make_a_plan_that_passes_check(tmp_path: Path, box: Sandbox, samba: Samba) -> None:
    """Wrong answers are told at once and asked for again; the password is in .env alone, and the plan moves files."""
    empty(samba.root)
    build_tree(samba.root, {"A": {"a.txt": b"a"}})
    box.write_config(tmp_path / "box_config.json")
    terminal = Terminal("init", folder=tmp_path)
    terminal.expect("1. Where are the files?", "smb://127.0.0.1")
    terminal.expect("name the share as well: smb://server/share")
    terminal.expect("1. Where are the files?", f"smb://127.0.0.1:{free_port()}/data")
    terminal.expect("2. Who reads them?", samba.username)
    terminal.expect("Password of", samba.password)
    # As Windows writes it.
    terminal.expect("1. Where are the files?", samba.url.removeprefix("smb:").replace("/", "\\"))
    terminal.expect("2. Who reads them?", samba.username)
    terminal.expect("Password of", "a wrong one")
    terminal.expect("2. Who reads them?", samba.username)
    terminal.expect("Password of", samba.password)
    terminal.expect("it is there: 1 folder and 0 files")
    terminal.expect("3. Box's configuration file", "nowhere.json")
    terminal.expect("nowhere.json: cannot be read")
    terminal.expect("3. Box's configuration file", "")
    terminal.expect("signed in as")
    terminal.expect("4. Box folder", "4711")
    terminal.expect("4. Box folder", "0")
    terminal.expect("the service account's own root")
    terminal.expect("5. What is this plan called?", "bad/name")
    terminal.expect("5. What is this plan called?", "finance")
    code = terminal.end()
    plan, secrets = tmp_path / "plan.yaml", tmp_path / ".env"
    text = plan.read_text(encoding="utf-8")

    assert 0 == code, terminal.seen
    assert samba.password not in text + terminal.seen
    assert "password: ${SHARE_PASSWORD}" in text
    assert 0o600 == secrets.stat().st_mode & 0o777
    assert samba.password in secrets.read_text()
    checked = boxhaul("check", "plan.yaml", folder=tmp_path)
    moved = boxhaul("migrate", "plan.yaml", folder=tmp_path)
    assert (0, 0) == (checked.returncode, moved.returncode), checked.stdout + checked.stderr + moved.stderr
    assert {"A/a.txt"} == set(box.files())
    flags = ("--source", samba.url, "--username", samba.username, "--name", "second")
    by_flags = boxhaul("init", "second.yaml", *flags, folder=tmp_path, SHARE_PASSWORD=samba.password)
    assert 0 == by_flags.returncode, by_flags.stderr
    assert f'username: "{samba.username}"' in (tmp_path / "second.yaml").read_text()
    again = boxhaul("init", folder=tmp_path)
    assert (2, text) == (again.returncode, plan.read_text(encoding="utf-8"))
    assert "plan.yaml: is there already" in again.stderr


def test_flags_instead_of_questions(tmp_path: Path, box: Sandbox) -> None:
    """A local share, without a terminal; what is wrong ends with one line, and writes nothing."""
    build_tree(tmp_path, {"my share": {"A": {"a.txt": b"a"}}})
    box.write_config(tmp_path / "box_config.json")
    share = str(tmp_path / "my share")
    lacking = boxhaul("init", folder=tmp_path)
    wrong = boxhaul("init", "--source", share, "--landing", "12345", folder=tmp_path)
    away = boxhaul("init", "--source", str(tmp_path / "nowhere"), folder=tmp_path)
    before = {path.name for path in tmp_path.iterdir()}
    good = boxhaul("init", "mine.yaml", "--source", share, "--name", "ours", folder=tmp_path)
    checked = boxhaul("check", "mine.yaml", folder=tmp_path)

    assert (2, 3, 3) == (lacking.returncode, wrong.returncode, away.returncode), wrong.stderr + away.stderr
    assert "--source: missing" in lacking.stderr
    assert {"my share", "box_config.json"} == before
    assert (0, 0) == (good.returncode, checked.returncode), good.stderr + checked.stdout + checked.stderr
    assert "ours" == load_plan(tmp_path / "mine.yaml").name
    assert not (tmp_path / ".env").exists()


def test_schema_is_that_of_the_plans_that_pass(tmp_path: Path, box: Sandbox) -> None:
    """The written plan and the example fit it, a mistyped key does not; the comment line names the file."""
    build_tree(tmp_path, {"share": {"A": {"a.txt": b"a"}}})
    box.write_config(tmp_path / "box_config.json")
    printed = boxhaul("init", "--schema", folder=tmp_path)
    assert 0 == boxhaul("init", "--source", str(tmp_path / "share"), folder=tmp_path).returncode
    schema = json.loads(printed.stdout)
    text = (tmp_path / "plan.yaml").read_text(encoding="utf-8")
    validator = jsonschema.Draft202012Validator(schema)
    jsonschema.Draft202012Validator.check_schema(schema)

    assert text.splitlines()[0] == "# yaml-language-server: $schema=boxhaul.schema.json"
    assert text.splitlines()[0] in printed.stderr
    validator.validate(yaml.safe_load(text))
    example = yaml.safe_load((ROOT / "deployments/plans/example.yaml").read_text(encoding="utf-8"))
    validator.validate(example)
    assert not validator.is_valid(example | {"exclud": []})
    assert not validator.is_valid(example | {"transfer": {"threads": "many"}})


PLAN = """
name: p
source: {url: "smb://h/s", username: u, password: "${SHARE_PASSWORD}"}
box: {auth: {method: jwt, config_file: x.json}}
"""


def written(folder: Path, env: str, mode: int = 0o600) -> Path:
    """A plan and the file beside it."""
    folder.mkdir(exist_ok=True)
    (folder / "plan.yaml").write_text(PLAN)
    (folder / ".env").write_text(env)
    (folder / ".env").chmod(mode)
    return folder / "plan.yaml"


def test_what_stands_beside_the_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment wins; only names that the plan refers to are taken; each plan has its own."""
    first = written(tmp_path / "1", "# mine\nSHARE_PASSWORD='a \\'$b#c'\nPREFECT_API_URL=http://elsewhere\n")
    second = written(tmp_path / "2", 'export SHARE_PASSWORD="two"\n')
    monkeypatch.delenv("SHARE_PASSWORD", raising=False)
    plan = load_plan(first)
    assert "a '$b#c" == reveal(plan.source.password, key="x")
    assert "PREFECT_API_URL" not in os.environ
    assert "SHARE_PASSWORD" not in os.environ
    assert "two" == reveal(load_plan(second).source.password, key="x")
    monkeypatch.setenv("SHARE_PASSWORD", "from the environment")
    assert "from the environment" == reveal(load_plan(first).source.password, key="x")
    (first.parent / ".env").unlink()
    monkeypatch.delenv("SHARE_PASSWORD")
    with pytest.raises(PlanError, match="the environment variable SHARE_PASSWORD is not set"):
        load_plan(first)


def test_secrets_that_others_may_read_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line that says what to do."""
    monkeypatch.delenv("SHARE_PASSWORD", raising=False)
    with pytest.raises(PlanError, match="others may read it, and it holds secrets; chmod 600"):
        load_plan(written(tmp_path / "1", "SHARE_PASSWORD=x\n", mode=0o644))


def test_order_of_work_and_completion(tmp_path: Path) -> None:
    """Without arguments the program says what comes first; the shell completes its commands."""
    alone = boxhaul(folder=tmp_path)
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "_BOXHAUL_COMPLETE": "complete_bash",
        "COMP_WORDS": "boxhaul mi",
        "COMP_CWORD": "1",
    }
    # Under the name that it has once it is installed.
    code = "import sys; sys.argv[0] = 'boxhaul'; from flows.cli import main; main()"
    completed = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    offered = boxhaul("--help", folder=tmp_path)
    said = alone.stdout
    assert 0 == alone.returncode
    assert said.index("boxhaul init") < said.index("boxhaul check") < said.index("boxhaul migrate")
    assert max(map(len, said.splitlines())) <= 80
    assert ["migrate"] == completed.stdout.split()
    assert "--install-completion" in offered.stdout

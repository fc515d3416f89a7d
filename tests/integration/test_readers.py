"""What other programs read of ours, in those programs: completion in shells, the page by man, the schema by editors."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.servers import require
from tests.wheel import ROOT

LIBRARY = "apt-get install -y --no-install-recommends"
EXAMPLE = ROOT / "deployments" / "plans" / "example.yaml"


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, str]:
    """An environment in which `boxhaul` is a program, as once it is installed."""
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "boxhaul"
    program.write_text(
        f"#!{sys.executable}\nimport sys\nsys.argv[0] = 'boxhaul'\nfrom flows.cli import main\nmain()\n"
    )
    program.chmod(0o755)
    path = f"{program.parent}:{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "HOME": str(tmp_path), "TERM": "dumb"}


def script_for(shell: str, settings: dict[str, str]) -> str:
    """What `boxhaul --show-completion` prints in this shell."""
    asked = {**settings, "_BOXHAUL_COMPLETE": f"source_{shell}"}
    return subprocess.run(["boxhaul"], env=asked, capture_output=True, text=True, check=True).stdout


def test_bash_completes(settings: dict[str, str]) -> None:
    """Bash loads the function and has it complete a command and an option."""
    lines = [
        'eval "$(boxhaul --show-completion)"',
        "COMP_WORDS=(boxhaul mig) COMP_CWORD=1; _boxhaul_completion boxhaul; echo ${COMPREPLY[@]}",
        "COMP_WORDS=(boxhaul migrate --bw) COMP_CWORD=2; _boxhaul_completion boxhaul; echo ${COMPREPLY[@]}",
    ]
    bash = require("bash", f"{LIBRARY} bash")
    shown = subprocess.run(
        [bash, "-c", "\n".join(lines)], env=settings, capture_output=True, text=True, check=True
    )
    assert ["migrate", "--bwlimit"] == shown.stdout.split(), shown.stderr
    subprocess.run(
        [bash, "-c", "boxhaul --install-completion; true"], env=settings, capture_output=True, check=True
    )
    kept = Path(settings["HOME"]) / ".bash_completions" / "boxhaul.sh"
    assert "_boxhaul_completion" in kept.read_text()
    assert str(kept) in (kept.parents[1] / ".bashrc").read_text()


@pytest.mark.torture
def test_fish_completes(settings: dict[str, str], tmp_path: Path) -> None:
    """Fish offers commands with their help, and options, where it looks for completions by itself."""
    fish = require("fish", f"{LIBRARY} fish")
    folder = tmp_path / ".config" / "fish" / "completions"
    folder.mkdir(parents=True)
    (folder / "boxhaul.fish").write_text(script_for("fish", settings))
    asked = ["complete -C 'boxhaul mig'", "complete -C 'boxhaul migrate --bw'"]
    command = [fish, "-c", "; ".join(asked)]
    shown = subprocess.run(command, env=settings, capture_output=True, text=True, check=True)
    assert ["migrate", "--bwlimit"] == [line.split("\t")[0] for line in shown.stdout.splitlines()]
    assert "Walk, send, verify" in shown.stdout


@pytest.mark.torture
def test_zsh_completes(settings: dict[str, str], tmp_path: Path) -> None:
    """A person at zsh types three letters and the tab key."""
    zsh = require("zsh", f"{LIBRARY} zsh")
    (tmp_path / "_boxhaul").write_text(script_for("zsh", settings))
    pid, terminal = pty.fork()
    if not pid:
        os.execve(zsh, [zsh, "-f", "-i"], {**settings, "PS1": "ready>"})
    seen = b""

    def type_until(keys: str, words: bytes) -> None:
        nonlocal seen
        os.write(terminal, keys.encode())
        deadline, begun = time.monotonic() + 90, len(seen)
        while words not in seen[begun:]:
            assert time.monotonic() < deadline, seen.decode(errors="replace")
            if select.select([terminal], [], [], 0.2)[0]:
                seen += os.read(terminal, 4096)

    try:
        setup = (
            f"autoload -U compinit; compinit -u -d {tmp_path}/dump; . {tmp_path}/_boxhaul; echo loa''ded\n"
        )
        type_until(setup, b"loaded")
        type_until("boxhaul mig\t", b"boxhaul migrate ")
        type_until("--bw\t", b"--bwlimit ")
    finally:
        os.close(terminal)
        os.waitpid(pid, 0)


@pytest.mark.torture
def test_man_shows_the_page() -> None:
    """Debian's man, in a terminal of 80 columns: nothing that it complains of, no line that is longer."""
    man = require("man", f"{LIBRARY} man-db groff-base")
    page = ROOT / "deployments" / "boxhaul.1"
    shown = subprocess.run(
        [man, "--warnings=all", "--local-file", str(page)],
        env={**os.environ, "MANWIDTH": "80", "MANPAGER": "cat", "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "" == shown.stderr
    assert "boxhaul migrate PLAN" in shown.stdout
    assert max(map(len, shown.stdout.splitlines())) <= 80


class LanguageServer:
    """yaml-language-server, which is what VS Code asks; spoken to as an editor does."""

    def __init__(self, program: str, folder: Path) -> None:
        self._process = subprocess.Popen(
            [program, "--stdio"],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._number = 0
        self.ask("initialize", {"processId": os.getpid(), "rootUri": folder.as_uri(), "capabilities": {}})
        self.tell("initialized", {})

    def tell(self, method: str, params: dict[str, Any], **more: Any) -> None:
        """Say something that has no answer."""
        body = json.dumps({"jsonrpc": "2.0", "method": method, "params": params, **more}).encode()
        assert self._process.stdin is not None
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self._process.stdin.flush()

    def ask(self, method: str, params: dict[str, Any]) -> Any:
        """Ask, and wait for the answer."""
        self._number += 1
        self.tell(method, params, id=self._number)
        number = self._number
        return next(each for each in self.said() if each.get("id") == number and "method" not in each)[
            "result"
        ]

    def said(self) -> Iterator[dict[str, Any]]:
        """What it says, one after the other; the test's own time limit ends a wait for nothing."""
        assert self._process.stdout is not None
        while line := self._process.stdout.readline():
            if line.lower().startswith(b"content-length:"):
                self._process.stdout.readline()
                message = json.loads(self._process.stdout.read(int(line.split(b":")[1])))
                if message.get("method") == "workspace/configuration":
                    answer = [{} for _ in message["params"]["items"]]
                    body = json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": answer}).encode()
                    assert self._process.stdin is not None
                    self._process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
                    self._process.stdin.flush()
                yield message

    def problems(self, uri: str, text: str) -> list[str]:
        """Open a document; what it marks there."""
        document = {"uri": uri, "languageId": "yaml", "version": 1, "text": text}
        self.tell("textDocument/didOpen", {"textDocument": document})
        found = next(
            each["params"]
            for each in self.said()
            if each.get("method") == "textDocument/publishDiagnostics" and each["params"]["uri"] == uri
        )
        return [each["message"] for each in found["diagnostics"]]

    def end(self) -> None:
        """It ends with its input."""
        self._process.kill()
        self._process.communicate()


@pytest.mark.torture
@pytest.mark.timeout(180)
def test_an_editor_completes_and_marks_a_plan(settings: dict[str, str], tmp_path: Path) -> None:
    """By the line that `init` writes: a plan is clean, a mistyped key is marked, and keys are offered."""
    program = require("yaml-language-server", "npm install --global yaml-language-server")
    schema = subprocess.run(
        ["boxhaul", "init", "--schema"], env=settings, capture_output=True, text=True, check=True
    )
    (tmp_path / "boxhaul.schema.json").write_text(schema.stdout)
    line = f"# yaml-language-server: $schema={(tmp_path / 'boxhaul.schema.json').as_uri()}\n"
    text = line + EXAMPLE.read_text()
    server = LanguageServer(program, tmp_path)
    try:
        assert [] == server.problems((tmp_path / "good.yaml").as_uri(), text)
        [problem] = server.problems((tmp_path / "bad.yaml").as_uri(), f"{text}\nexclud: []\n")
        assert "exclud" in problem
        asked = line + "transfer:\n  \n"
        server.problems((tmp_path / "new.yaml").as_uri(), asked)
        place = {"line": 2, "character": 2}
        offered = server.ask(
            "textDocument/completion",
            {"textDocument": {"uri": (tmp_path / "new.yaml").as_uri()}, "position": place},
        )
        assert {"bandwidth", "verify"} <= {each["label"] for each in offered["items"]}
    finally:
        server.end()


@pytest.mark.torture
def test_check_jsonschema_takes_the_schema(settings: dict[str, str], tmp_path: Path) -> None:
    """As a pre-commit hook of somebody's plans: the schema is one, the example passes, a mistyped key does not."""
    program = require("check-jsonschema", "pipx install check-jsonschema")
    schema = tmp_path / "boxhaul.schema.json"
    printed = subprocess.run(
        ["boxhaul", "init", "--schema"], env=settings, capture_output=True, text=True, check=True
    )
    schema.write_text(printed.stdout)
    (tmp_path / "bad.yaml").write_text(EXAMPLE.read_text() + "\nexclud: []\n")

    def taken(*words: str) -> bool:
        return 0 == subprocess.run([program, *words], capture_output=True, text=True, check=False).returncode

    assert taken("--check-metaschema", str(schema))
    assert taken("--schemafile", str(schema), str(EXAMPLE))
    assert not taken("--schemafile", str(schema), str(tmp_path / "bad.yaml"))

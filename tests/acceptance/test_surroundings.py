"""The machine as it is: another locale, a user without name or home; names, checkpoint and answers stay the same."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.box.sandbox import Sandbox
from tests.program import Finished, Program, fresh, program_for
from tests.servers import missing

#: Python's own ways out of a locale that is not UTF-8, switched off.
ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
NAMES = ["Übersicht.txt", "日本.txt", "byte \udcff.bin", "plain.txt"]


@pytest.fixture(params=["C", "POSIX", "de_DE.ISO-8859-1"])
def locale(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    """The environment of a locale that is not UTF-8."""
    if request.param != "de_DE.ISO-8859-1":
        return ASCII | {"LC_ALL": request.param}
    made = tmp_path / request.param
    command = ["localedef", "-i", "de_DE", "-f", "ISO-8859-1", str(made)]
    if shutil.which("localedef") is None or subprocess.run(command, capture_output=True).returncode > 1:
        missing("localedef", "apt-get install -y --no-install-recommends locales")
    return ASCII | {"LC_ALL": request.param, "LOCPATH": str(tmp_path)}


def make_share(folder: Path) -> None:
    """Files whose names are bytes."""
    (folder / "a").mkdir(parents=True)
    for name in NAMES:
        (folder / "a" / name).write_bytes(name.encode("utf-8", "surrogateescape"))


def run_in(program: Program, environment: dict[str, str], *words: str) -> Finished:
    """Run a command in an interpreter that begins with this environment."""
    command, *rest = words
    process = fresh(
        [command, str(program.plan_path), *rest], {**os.environ, **program.environment, **environment}
    )
    stdout, stderr = process.communicate(timeout=240)
    return Finished(process.returncode, stdout, stderr)


@pytest.mark.gate(1)
def test_local_names_are_bytes(tmp_path: Path, locale: dict[str, str]) -> None:
    """The source itself reads a name as UTF-8, and opens it again, whatever the locale says."""
    make_share(tmp_path / "Größe")
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from connectors.sources.local import LocalSource\n"
        "assert sys.getfilesystemencoding() != 'utf-8'\n"
        "root = Path(sys.stdin.read().strip().encode().decode('unicode_escape'))\n"
        "with LocalSource(root) as source:\n"
        "    for entry in sorted(source.list_folder('a'), key=lambda entry: entry.path):\n"
        "        with source.open(entry.path) as file:\n"
        "            print(ascii([entry.path, file.read(100)]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, **locale},
        cwd=Path(__file__).parents[2],
        input=str(tmp_path / "Größe").encode("unicode_escape").decode(),
        capture_output=True,
        text=True,
        check=False,
    )
    expected = [ascii([f"a/{name}", name.encode("utf-8", "surrogateescape")]) for name in sorted(NAMES)]

    assert expected == done.stdout.splitlines(), done.stderr


@pytest.mark.parametrize("locale", ["de_DE.ISO-8859-1"], indirect=True)
def test_second_run_under_another_locale_sends_nothing_twice(tmp_path: Path, locale: dict[str, str]) -> None:
    """Share, checkpoint and plan have names of their own letters: both runs mean the same, and say it."""
    share = tmp_path / "Größe"
    make_share(share)
    with Sandbox(content="hash") as box:
        program = program_for(tmp_path / "Übung", box, {"url": f"file://{share}"})
        program.write_plan(state_url="sqlite:///Zustand-ü.db")
        first = run_in(program, locale, "migrate")
        sent = box.calls.by_route["POST /files/content"]
        second = program.run("migrate")
        status = run_in(program, locale, "status")

        assert [0, 0, 0] == [first.code, second.code, status.code], (
            first.output + second.output + status.output
        )
        assert len(NAMES) == sent == box.calls.by_route["POST /files/content"]
        assert {"a/Übersicht.txt", "a/日本.txt", "a/plain.txt"} < set(box.files())
    assert ["Zustand-ü.db"] == [path.name for path in program.folder.glob("Z*.db")]


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that is not below one of root's alone."""
    folder = Path(tempfile.mkdtemp(prefix="boxhaul-test-"))
    yield folder
    shutil.rmtree(folder)


def test_user_without_name_and_home(open_folder: Path) -> None:
    """A container's number that no passwd file knows, with no HOME: it migrates, and leaves nothing behind."""
    setpriv = shutil.which("setpriv")
    if setpriv is None or os.geteuid() != 0:
        missing("a user without a name", "run as root, with setpriv of util-linux")
    share, left = open_folder / "share", open_folder / "left"
    make_share(share)
    left.mkdir()
    # The checkout may be root's own: this user may read it, and has no other right of root's.
    as_nobody = [
        setpriv, "--reuid", "54321", "--regid", "54321", "--clear-groups",
        "--inh-caps", "+dac_override", "--ambient-caps", "+dac_override",
    ]  # fmt: skip
    with Sandbox(content="hash") as box:
        program = program_for(open_folder / "run", box, {"url": f"file://{share}"})
        for path in (open_folder, *open_folder.rglob("*")):
            os.chown(path, 54321, 54321)
        environment = {**os.environ, **program.environment, "TMPDIR": str(left)}
        del environment["HOME"]
        codes = []
        for words in (["migrate"], ["waive", "a", "--why", "nobody needs it"]):
            done = subprocess.run(
                [*as_nobody, sys.executable, "-m", "flows.cli", words[0], str(program.plan_path), *words[1:]],
                env=environment,
                cwd=Path(__file__).parents[2],
                capture_output=True,
                text=True,
                check=False,
            )
            codes.append(done.returncode)
            assert "Traceback" not in done.stderr, done.stderr

        assert [0, 2] == codes, done.stderr
        assert len(NAMES) == len(box.files())
    assert [] == list(left.iterdir())

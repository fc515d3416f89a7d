"""A share that lives while it is moved: connections cut, passwords changed, files growing, moving, going, being odd."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.box.sandbox import Sandbox
from tests.acceptance.proof import assert_arrived, report_items, sums_add_up
from tests.acceptance.shares import digest
from tests.program import Finished, Program, program_for
from tests.servers import missing
from tests.servers.fixtures import empty
from tests.servers.proxy import Proxy
from tests.servers.samba import Samba
from tests.trees import build_tree

SMALL, PART = "POST /files/content", "PUT /files/upload_sessions/:id"

#: It goes in parts, and for seconds where the line is slow.
LARGE = 60_000_000
#: Bytes of files that are read as they are sent, and senders few enough that something can happen meanwhile.
SENT_ALONE, FEW = 300_000, {"threads": 4}


@pytest.fixture
def share(samba: Samba) -> Iterator[Path]:
    """The emptied Samba share."""
    yield empty(samba.root)
    empty(samba.root)


def plan_source(
    samba: Samba, *, share: str = "data", port: int | None = None, **options: Any
) -> dict[str, Any]:
    """The plan's source: a share of the server, through a proxy if its port is given."""
    return {
        "url": f"smb://127.0.0.1/{share}",
        "username": samba.username,
        "port": port or samba.port,
        "password": "${SHARE_PW}",
        "options": options,
    }


@pytest.fixture
def program(tmp_path: Path, box: Sandbox, samba: Samba, share: Path) -> Program:
    """The program with a plan for the share as one tree with one person."""
    tree = {"source": "", "folder": "All", "collaborators": [{"login": "ann@example.com", "role": "viewer"}]}
    environment = {"SHARE_PW": samba.password}
    return program_for(tmp_path / "run", box, plan_source(samba), environment=environment, trees=[tree])


def run_and(program: Program, box: Sandbox, when: Callable[[], bool], act: Callable[[], object]) -> Finished:
    """Run `migrate`, do something once a condition holds, and wait for the end."""
    process = program.start("migrate")
    try:
        deadline = time.monotonic() + 60
        while not when():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline, "the moment never came"
            time.sleep(0.01)
        act()
        stdout, stderr = process.communicate(timeout=180)
    finally:
        process.kill()
        process.wait()
        box.limits.latency_seconds = box.limits.bytes_per_second = None
    return Finished(process.returncode, stdout, stderr)


def one_line(finished: Finished) -> str:
    """The only line that the program says of an abnormal end."""
    lines = [line for line in finished.stderr.splitlines() if line.startswith("boxhaul: ")]
    assert 1 == len(lines), finished.output
    assert "Traceback" not in finished.output
    return lines[0]


def small_files(share: Path, count: int = 200, size: int = 3) -> None:
    """Some small files in a few folders. Those of more than 256 KiB are not read ahead of their senders."""
    names = [f"{m:03}.txt" for m in range(count // 10)]
    build_tree(share, {f"f{n}": {name: name[:3].encode() * (size // 3) for name in names} for n in range(10)})


# --- the connection ---


def test_connection_that_breaks_again_and_again(
    program: Program, box: Sandbox, samba: Samba, share: Path
) -> None:
    """Five cuts of every connection in one run, in large and in small files, cost time alone."""
    small_files(share)
    (share / "large.bin").write_bytes(os.urandom(1 << 20) * 60)
    box.limits.latency_seconds, box.limits.bytes_per_second = 0.03, 40_000_000
    with Proxy(samba.port) as proxy:
        program.write_plan(source=plan_source(samba, port=proxy.port))

        def cut() -> None:
            for _ in range(5):
                proxy.drop()
                time.sleep(0.3)

        finished = run_and(program, box, lambda: box.calls.by_route[SMALL] > 20, cut)

        assert 0 == finished.code, finished.output
        assert 5 <= proxy.cuts
    assert_arrived(program, box, share)


@pytest.mark.parametrize("most", [1, 3])
def test_server_that_takes_few_connections(program: Program, samba: Samba, share: Path, most: int) -> None:
    """Walkers and senders take turns on them, and the run is complete."""
    build_tree(
        share, {"Tree": {f"{n:02}": {"small.txt": b"1" * n, "big.bin": bytes(300_000)} for n in range(8)}}
    )
    with Proxy(samba.port) as proxy:
        proxy.most = most
        program.write_plan(source=plan_source(samba, port=proxy.port))
        finished = program.run("migrate")

    assert 0 == finished.code, finished.output


def test_password_changed_in_the_middle(program: Program, box: Sandbox, samba: Samba, share: Path) -> None:
    """The account's password is changed and the connections end: one line and exit code 3; then it goes on."""
    small_files(share, size=SENT_ALONE)
    program.write_plan(transfer=FEW)
    box.limits.latency_seconds = 0.05
    old = samba.password

    def change() -> None:
        samba.set_password(f"new-{old}")
        samba.drop_connections()

    try:
        finished = run_and(program, box, lambda: box.calls.by_route[SMALL] > 20, change)

        assert 3 == finished.code, finished.output
        assert "check user name and password" in one_line(finished)
        assert old not in finished.output
        (tree,) = sums_add_up(program)["trees"]
        assert ("incomplete", "stopped", 0) == (
            tree["state"],
            tree["incomplete_reason"],
            tree["items"]["failed"],
        )
        program.environment["SHARE_PW"] = samba.password
        again = program.run("migrate")
    finally:
        samba.set_password(old)

    assert 0 == again.code, again.output
    assert_arrived(program, box, share)


def test_share_that_goes_away_in_the_middle(
    program: Program, box: Sandbox, samba: Samba, share: Path
) -> None:
    """The share's folder is taken away: the run stops with one line, no file is taken for deleted, and it goes on."""
    small_files(share, size=SENT_ALONE)
    program.write_plan(source=plan_source(samba, patience_seconds=1), transfer=FEW)
    box.limits.latency_seconds = 0.05
    away = share.with_name("away")
    try:
        finished = run_and(program, box, lambda: box.calls.by_route[SMALL] > 20, lambda: share.rename(away))
    finally:
        away.rename(share)

    assert 3 == finished.code, finished.output
    assert "smb://127.0.0.1" in one_line(finished)
    (tree,) = sums_add_up(program)["trees"]
    assert ("incomplete", "stopped") == (tree["state"], tree["incomplete_reason"])
    assert {} == tree["failures_by_reason"]
    again = program.run("migrate")
    assert 0 == again.code, again.output
    assert_arrived(program, box, share)


# --- files in motion ---


def test_files_that_change_while_they_are_read(program: Program, box: Sandbox, share: Path) -> None:
    """Growing, shrinking, replaced by one of the same size and time: Box holds no torn file, and the last content."""
    originals = {name: os.urandom(1 << 20) * (LARGE >> 20) for name in ("grows", "shrinks", "replaced")}
    build_tree(share, {"Busy": originals, "Quiet": {"q.txt": b"q"}})
    box.limits.bytes_per_second = 25_000_000

    def change() -> None:
        with (share / "Busy" / "grows").open("ab") as file:
            file.write(b"one more line")
        os.truncate(share / "Busy" / "shrinks", LARGE // 2)
        target, other = share / "Busy" / "replaced", share / "other"
        times = target.stat()
        other.write_bytes(os.urandom(1 << 20) * (LARGE >> 20))
        os.utime(other, ns=(times.st_atime_ns, times.st_mtime_ns))
        other.replace(target)

    finished = run_and(program, box, lambda: box.calls.by_route[PART] >= 3, change)

    # Tried again in the same run, so that it may end well already; never with torn content. What was all sent before
    # it changed is there as it was: the next pass finds it.
    assert finished.code in (0, 1), finished.output
    whole = {f"All/Busy/{name}": hashlib.sha1(content).hexdigest() for name, content in originals.items()}
    for name, file in box.files().items():
        assert file.sha1 in (digest(share / name.removeprefix("All/")), whole.get(name)), name
    if finished.code == 1:
        assert {"changed_while_reading": 3} >= sums_add_up(program)["trees"][0]["failures_by_reason"]
    before = {name for name, file in box.files().items() if file.sha1 == whole.get(name)}
    again = program.run("migrate")
    assert 0 == again.code, again.output
    assert_arrived(program, box, share, versions={name.removeprefix("All/"): 2 for name in before})


def test_file_that_never_stops_growing_is_parked(program: Program, box: Sandbox, share: Path) -> None:
    """A log that grows all the time fails as changed while reading, after its tries; the other files arrive."""
    build_tree(share, {"logs": {"busy.log": b"line\n" * 2_000_000}, "docs": {"a.txt": b"a"}})
    box.limits.bytes_per_second = 10_000_000
    process = program.start("migrate")
    try:
        while process.poll() is None:
            with (share / "logs" / "busy.log").open("ab") as log:
                log.write(b"another line\n")
            time.sleep(0.01)
    finally:
        process.kill()
        _, stderr = process.communicate()
        box.limits.bytes_per_second = None

    assert 1 == process.returncode, stderr
    lines = report_items(program)
    assert ("failed", "changed_while_reading", 3) == (
        lines["logs/busy.log"]["status"],
        lines["logs/busy.log"]["reason"],
        lines["logs/busy.log"]["attempts"],
    )
    assert "uploaded" == lines["docs/a.txt"]["status"]
    assert [] == box.collaborations()
    assert 0 == program.run("migrate").code
    assert_arrived(program, box, share)


def test_renamed_and_deleted_between_walk_and_read(program: Program, box: Sandbox, share: Path) -> None:
    """What went away after it was listed is told as such; what came instead arrives with the next run."""
    build_tree(share, {f"f{n}": {f"{m:03}.txt": b"%d" % (100 * n + m) for m in range(40)} for n in range(5)})
    box.limits.latency_seconds = 0.1

    def move() -> None:
        (share / "f4" / "039.txt").unlink()
        (share / "f4" / "038.txt").rename(share / "f4" / "renamed.txt")
        (share / "f3").rename(share / "g3")

    finished = run_and(program, box, lambda: box.calls.by_route[SMALL] > 10, move)

    assert finished.code in (0, 1), finished.output
    assert {"not_found"} >= set(sums_add_up(program)["trees"][0]["failures_by_reason"])
    again = program.run("migrate")
    assert 0 == again.code, again.output
    held = {path.removeprefix("All/"): file for path, file in box.files().items()}
    there = {path.relative_to(share).as_posix() for path in share.rglob("*") if path.is_file()}
    assert there <= set(held)
    assert {path: digest(share / path) for path in there} == {path: held[path].sha1 for path in there}
    assert {1} == {held[path].versions for path in there}


def test_file_that_comes_back_after_it_was_missed(program: Program, box: Sandbox, share: Path) -> None:
    """It failed since it was not there to be read; listed again as it was, it is sent."""
    build_tree(share, {"a": {"a": b"a"}, "f0": {f"{m:03}.txt": b"%d" % m for m in range(120)}})
    box.limits.latency_seconds = 0.1

    finished = run_and(
        program,
        box,
        lambda: any(path.startswith("All/f0/") for path in box.files()),
        lambda: (share / "f0").rename(share.parent / "away"),
    )
    assert 1 == finished.code, finished.output
    (share.parent / "away").rename(share / "f0")
    again = program.run("migrate")

    assert 0 == again.code, again.output
    assert_arrived(program, box, share)


# --- folders ---


def test_unreadable_folder_in_the_middle(program: Program, box: Sandbox, samba: Samba, share: Path) -> None:
    """A folder without the right to list it is a failed entry with its reason; the others arrive, then it does."""
    if os.getuid() != 0:
        missing("root", "only root may take rights away from the user that Samba serves as")
    build_tree(share, {"a": {"1.txt": b"1"}, "b": {"2.txt": b"2"}, "c": {"3.txt": b"3"}})
    program.write_plan(source=plan_source(samba, share="guarded"))
    share.chmod(0o755)
    (share / "b").chmod(stat.S_IRWXU)

    finished = program.run("migrate")

    assert 1 == finished.code, finished.output
    lines = report_items(program)
    assert ("failed", "access_denied") == (lines["b"]["status"], lines["b"]["reason"])
    assert {"uploaded"} == {lines["a/1.txt"]["status"], lines["c/3.txt"]["status"]}
    assert [] == box.collaborations()
    (share / "b").chmod(0o755)
    assert 0 == program.run("migrate").code
    assert_arrived(program, box, share)


def test_folder_that_the_share_hides(program: Program, box: Sandbox, samba: Samba, share: Path) -> None:
    """What arrived and is hidden afterwards is asked for by name: denied is failed, and the report says what is up."""
    if os.getuid() != 0:
        missing("root", "only root may take rights away from the user that Samba serves as")
    build_tree(share, {"a": {"1.txt": b"1"}, "b": {"2.txt": b"2"}})
    program.write_plan(source=plan_source(samba, share="hiding"))
    share.chmod(0o755)
    assert 0 == program.run("migrate").code
    (share / "b").chmod(stat.S_IRWXU)

    finished = program.run("migrate")

    (share / "b").chmod(0o755)
    assert 1 == finished.code, finished.output
    lines = report_items(program)
    assert ("failed", "access_denied") == (lines["b"]["status"], lines["b"]["reason"])
    assert "hides what the account may not read" in (program.folder / "test-report/report.html").read_text()
    assert "hidden names" in program.run("check").output
    assert 0 == program.run("migrate").code


#: Names, and what a Windows server says of them in a listing: attributes and reparse tag.
AS_WINDOWS = (
    ("offline.dat", 0x1020, None),
    ("junction", 0x410, 0xA000_0003),
    ("tiered.dat", 0x420, 0x8000_001E),
    ("vendor folder", 0x410, 0x8000_0099),
    ("stands for.dat", 0x420, 0xA000_0099),
)


def as_windows(data: bytes) -> bytes:
    """Samba's listing as a Windows server would send it ([MS-FSCC] 2.4)."""
    for name, attributes, tag in AS_WINDOWS:
        at = data.find(name.encode("utf-16-le"))
        if (
            at >= 80
            and data[:4] != b""
            and int.from_bytes(data[at - 20 : at - 16], "little") == 2 * len(name)
        ):
            data = data[: at - 24] + attributes.to_bytes(4, "little") + data[at - 20 :]
            if tag is not None:
                data = data[: at - 16] + tag.to_bytes(4, "little") + data[at - 12 :]
    return data


def test_odd_entries(program: Program, box: Sandbox, samba: Samba, share: Path) -> None:
    """Loops and junctions are not followed; deep, sparse, old, late and tagged files arrive, and so does what a reparse
    tag leaves its own data; offline files fail, and what stands for something unknown."""
    deep = "/".join(letter * 100 for letter in "abcde")
    (share / deep).mkdir(parents=True)
    (share / deep / "bottom.txt").write_bytes(b"over 400 characters")
    build_tree(share, {"odd": {"old.txt": b"old", "late.txt": b"late", "tagged.txt": b"tagged"}})
    build_tree(share, {"junction": {"beyond.txt": b"not ours"}, "offline.dat": b"on a tape"})
    build_tree(share, {"tiered.dat": b"in a cloud", "vendor folder": {"a.txt": b"1"}, "stands for.dat": b"?"})
    with (share / "odd" / "sparse.bin").open("wb") as file:
        file.truncate(LARGE)
    os.utime(share / "odd" / "old.txt", ns=(0, -86_400 * 365 * 10**9))
    os.utime(share / "odd" / "late.txt", ns=(0, 4_102_444_800 * 10**9))
    os.setxattr(share / "odd" / "tagged.txt", "user.comment", b"important")
    (share / "odd" / "loop").symlink_to("..")
    with Proxy(samba.port) as proxy:
        proxy.alter = as_windows
        program.write_plan(source=plan_source(samba, port=proxy.port, signing=False))

        finished = program.run("migrate")

    assert 1 == finished.code, finished.output
    lines = report_items(program)
    skipped = {path: line["reason"] for path, line in lines.items() if line["status"] == "excluded"}
    failed = {path: line["reason"] for path, line in lines.items() if line["status"] == "failed"}
    assert {"odd/loop", "junction"} == set(skipped)
    assert {"offline.dat": "offline", "stands for.dat": "unclassified"} == failed
    assert "leads back" in skipped["odd/loop"]
    assert "junction" in skipped["junction"]
    assert "recall_offline" in lines["offline.dat"]["detail"]
    held = box.files()
    assert {"All/tiered.dat", "All/vendor folder/a.txt"} <= set(held)
    assert f"All/{deep}/bottom.txt" in held
    assert digest(share / "odd" / "sparse.bin") == held["All/odd/sparse.bin"].sha1
    assert (0, 4_102_444_800) == (
        held["All/odd/old.txt"].content_modified,
        held["All/odd/late.txt"].content_modified,
    )
    assert not any("beyond" in path or "offline" in path for path in held)
    page = (program.folder / "test-report" / "report.html").read_text()
    for told in ("before 1970", "in the future", "extended attributes"):
        assert told in page


def test_names_that_are_no_unicode(tmp_path: Path, box: Sandbox) -> None:
    """Names of bytes that are no UTF-8 arrive under names of their own, and the report maps them."""
    root = tmp_path / "share"
    root.mkdir()
    names = [b"caf\xe9.txt", b"caf\xc3\xa9.txt", b"\xff\xfe", b"\x80\x81 folder"]
    for number, name in enumerate(names[:3]):
        with open(os.fsencode(root) + b"/" + name, "wb") as file:
            file.write(b"%d" % number)
    os.mkdir(os.fsencode(root) + b"/" + names[3])
    with open(os.fsencode(root) + b"/" + names[3] + b"/inside.txt", "wb") as file:
        file.write(b"inside")
    tree = {"source": "", "folder": "All"}
    program = program_for(tmp_path / "run", box, {"url": root.as_uri()}, trees=[tree])

    finished = program.run("migrate")

    assert 0 == finished.code, finished.output
    lines = report_items(program)
    assert 4 == len(box.files())
    assert len(box.files()) == len({path.casefold() for path in box.files()})
    for name in names:
        line = lines[os.fsdecode(name)]
        assert line["renamed"] is (name != names[1])
    assert_arrived(program, box, root)
    shutil.rmtree(os.fsencode(root))

"""5,000 small files in 100 folders to the same Box over TLS: our whole program against rclone, in turn.

Once with a Box that answers at once and once with one that takes 60 ms for each call; ours runs without a setting.
Calls are exact. rclone compares no digest for a source that has none and lets nobody in; we list every folder as proof.
"""

from __future__ import annotations

import os
import random
import shutil
import sys
import tempfile
from pathlib import Path

import trustme

from connectors.box.sandbox import Sandbox
from tests.benchmarks.measuring import Measured, measure, median
from tests.program import program_for
from tests.servers.connect_proxy import ConnectProxy

FILES, FOLDERS, ROUNDS = 5_000, 100, 3
#: How long Box takes for a call, in milliseconds.
LATENCIES = (0, 60)


def main() -> None:
    """Print calls a file, time and CPU of both, and the ratios."""
    with tempfile.TemporaryDirectory(prefix="boxhaul-bench-") as name:
        folder = Path(name)
        build(folder / "share")
        authority = trustme.CA()
        certificate = authority.issue_cert("api.box.com", "upload.box.com", "127.0.0.1")
        chain, key, ca = folder / "chain.pem", folder / "key.pem", folder / "ca.pem"
        chain.write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
        key.write_bytes(certificate.private_key_pem.bytes())
        authority.cert_pem.write_to_path(str(ca))
        with Sandbox(tls=(str(chain), str(key)), content="hash") as box, ConnectProxy(box.port) as proxy:
            for latency in LATENCIES:
                print(f"{latency} ms a call")
                _compare(folder, box, proxy, ca, latency)


def _compare(folder: Path, box: Sandbox, proxy: ConnectProxy, ca: Path, latency: int) -> None:
    ours, theirs, our_calls, their_calls = [], [], 0, 0
    for number in range(ROUNDS):
        _empty(box, latency)
        ours.append(_ours(folder / f"run{latency}-{number}", box, folder, ca))
        our_calls = box.calls.total
        assert len(box.files()) == FILES
        _empty(box, latency)
        theirs.append(_rclone(folder, box, proxy, ca))
        their_calls = box.calls.total
        assert len(box.files()) == FILES
    _tell("ours", ours, our_calls)
    _tell("rclone", theirs, their_calls)
    wall = median([run.wall_seconds for run in theirs]) / median([run.wall_seconds for run in ours])
    cpu = median([run.cpu_seconds for run in theirs]) / median([run.cpu_seconds for run in ours])
    print(
        f"ratio:  {their_calls / our_calls:.2f} in calls, {wall:.2f} in time, {cpu:.2f} in CPU; above 1 ours is better"
    )


def _empty(box: Sandbox, latency: int) -> None:
    box.reset()
    box.faults.clear()
    box.calls.reset()
    if latency:
        box.faults.next("*").delay(latency / 1000).times(None)


def build(root: Path) -> None:
    """The share."""
    rng = random.Random(5)
    for number in range(FILES):
        folder = root / "Tree" / f"{number % FOLDERS:03d}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number:05d}.bin").write_bytes(rng.randbytes(4_000))


def _ours(run: Path, box: Sandbox, folder: Path, ca: Path) -> Measured:
    program = program_for(run, box, {"url": (folder / "share").as_uri()})
    program.write_plan(box=program.plan["box"] | {"ca_file": str(ca)})
    return measure([sys.executable, "-m", "flows.cli", "migrate", str(program.plan_path)])


def _rclone(folder: Path, box: Sandbox, proxy: ConnectProxy, ca: Path) -> Measured:
    program = shutil.which("rclone") or str(Path(sys.executable).parent / "rclone")
    config = folder / "rclone_box.json"
    box.write_config(config)
    environment = {
        "HTTPS_PROXY": proxy.url,
        "RCLONE_CONFIG": str(folder / "rclone.conf"),
        "RCLONE_CA_CERT": str(ca),
        "PATH": os.environ["PATH"],
    }
    create = [
        program,
        "config",
        "create",
        "box",
        "box",
        f"box_config_file={config}",
        "box_sub_type=enterprise",
    ]
    measure(create, environment=environment)
    box.calls.reset()
    return measure(
        [program, "copy", str(folder / "share"), "box:", "--transfers", "16"], environment=environment
    )


def _tell(name: str, runs: list[Measured], calls: int) -> None:
    wall, cpu = median([run.wall_seconds for run in runs]), median([run.cpu_seconds for run in runs])
    memory = median([run.peak_megabytes for run in runs])
    print(
        f"{name + ':':7} {calls / FILES:.3f} calls a file, {wall:6.1f} s, {FILES / wall:5.0f} files/s, "
        f"{cpu / FILES * 1000:5.2f} ms CPU a file, {memory:.0f} MB"
    )


if __name__ == "__main__":
    main()

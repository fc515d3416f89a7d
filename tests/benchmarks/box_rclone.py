"""rclone and our program before one local Box over TLS: rclone knows Box by its public address alone."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import trustme

from connectors.box.sandbox import Sandbox
from tests.benchmarks.measuring import Measured, measure
from tests.program import Program, program_for
from tests.servers.connect_proxy import ConnectProxy

#: The name that rclone's configuration gives to Box.
REMOTE = "box:"


@dataclass(frozen=True)
class Certificates:
    """Files of an authority of our own and of a server's certificate, for Box's names and the loopback address."""

    chain: Path
    key: Path
    authority: Path


def make_certificates(folder: Path) -> Certificates:
    """Write them into this folder."""
    authority = trustme.CA()
    certificate = authority.issue_cert("api.box.com", "upload.box.com", "127.0.0.1")
    files = Certificates(folder / "chain.pem", folder / "key.pem", folder / "ca.pem")
    files.chain.write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
    files.key.write_bytes(certificate.private_key_pem.bytes())
    authority.cert_pem.write_to_path(str(files.authority))
    return files


@dataclass(frozen=True)
class Before:
    """One Box over TLS, and both programs before it."""

    box: Sandbox
    proxy: ConnectProxy
    folder: Path
    authority: Path

    def ours(self, run: Path, share: Path | Mapping[str, object], **plan: object) -> Program:
        """Our program with a plan that moves this share; every other setting is the default."""
        source = {"url": share.as_uri()} if isinstance(share, Path) else share
        program = program_for(run, self.box, source, **plan)
        program.write_plan(box=program.plan["box"] | {"ca_file": str(self.authority)})
        return program

    def rclone(self, *words: str, more: Mapping[str, str] | None = None) -> Measured:
        """Run rclone with these words; the calls that its configuration makes are not counted.

        `more`: of its environment, for other remotes.
        """
        binary = shutil.which("rclone") or str(Path(sys.executable).parent / "rclone")
        config = self.folder / "rclone_box.json"
        self.box.write_config(config)
        environment = {
            "HTTPS_PROXY": self.proxy.url,
            "RCLONE_CONFIG": str(self.folder / "rclone.conf"),
            "RCLONE_CA_CERT": str(self.authority),
            "PATH": os.environ["PATH"],
        }
        create = ["config", "create", "box", "box", f"box_config_file={config}", "box_sub_type=enterprise"]
        measure([binary, *create], environment=environment)
        self.box.calls.reset()
        return measure([binary, *words], environment=environment | dict(more or {}))

    def bare(self, share: Path, threads: int) -> Measured:
        """libcurl in so many threads sends the share, and nothing else is done (bare_client.py)."""
        environment = {
            "BARE_API": self.box.url,
            "BARE_UPLOAD": self.box.upload_url,
            "BARE_TOKEN": self.box.token(),
        }
        words = ["-m", "tests.benchmarks.bare_client", str(share), str(self.authority), str(threads)]
        return measure([sys.executable, *words], environment=environment)


def migrate(program: Program) -> Measured:
    """One whole `boxhaul migrate`."""
    return measure([sys.executable, "-m", "flows.cli", "migrate", str(program.plan_path)])


@contextmanager
def box_over_tls(folder: Path) -> Iterator[Before]:
    """A Box that keeps digests instead of content."""
    files = make_certificates(folder)
    with (
        Sandbox(tls=(str(files.chain), str(files.key)), content="hash") as box,
        ConnectProxy(box.port) as proxy,
    ):
        yield Before(box, proxy, folder, files.authority)

"""`python -m connectors.box.sandbox`: a sandbox as a process of its own, until SIGTERM or SIGINT."""

from __future__ import annotations

import argparse
import errno
import signal
import ssl
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from connectors.box.sandbox.server import Sandbox
from connectors.box.sandbox.settings import SandboxConfig

HIGHEST_PORT = 65_535


def run(
    config: SandboxConfig,
    config_file: Path | None = None,
    stop: threading.Event | None = None,
    quiet: bool = False,
    prepare: Callable[[Sandbox], str] = lambda box: "",
) -> None:
    """Serve until SIGTERM, SIGINT or `stop`; prints the URL on stdout once it accepts connections.

    config_file: where the JWT configuration and the addresses are written before the URL is printed.
    prepare: makes what is to be there before, and returns what is printed after the URL.
    Signal handlers are set only without `stop`, which lets it run in other threads than the first.
    """
    done = stop or threading.Event()
    if stop is None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: done.set())
    with Sandbox(config) as box:
        more = prepare(box)
        if config_file is not None:
            box.write_config(config_file)
        if not quiet:
            sys.stdout.write(f"{box.url}\n{more}")
            sys.stdout.flush()
        # A wait without a timeout would keep the signal from being handled on some platforms.
        while not done.wait(0.5):
            pass


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = command_line()
    serve(parser, parser.parse_args(arguments))


def serve(
    parser: argparse.ArgumentParser,
    options: argparse.Namespace,
    prepare: Callable[[Sandbox], str] = lambda box: "",
) -> None:
    """Serve as these options of the parser say; ends the process with a line where it cannot begin."""
    try:
        if options.tls is not None:
            ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(*options.tls)
        run(_config(options), options.config, prepare=prepare)
    except (OSError, RuntimeError) as exc:
        if (refusal := _refusal(exc, options)) is None:
            raise
        parser.exit(2, f"boxhaul: {refusal}\n")


def _refusal(error: OSError | RuntimeError, options: argparse.Namespace) -> str | None:
    """Say why it does not begin; None for what nobody foresaw."""
    if isinstance(error, RuntimeError):
        return str(error)
    if error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    if error.errno in (errno.EADDRINUSE, errno.EACCES):
        return f"port {options.port}: {error.strerror}; choose another one, or --port 0 for a free one"
    if options.tls is not None and isinstance(error, ssl.SSLError | FileNotFoundError):
        return f"--tls: {' and '.join(options.tls)} cannot be used: {error.strerror or error}"
    return None


def _port(text: str) -> int:
    """Return the number of a TCP port; argparse names what is none."""
    if not 0 <= (port := int(text)) <= HIGHEST_PORT:
        raise ValueError
    return port


_port.__name__ = "port"  # as argparse calls it in its message


def _config(options: argparse.Namespace) -> SandboxConfig:
    limits: dict[str, Any] = {
        name: getattr(options, name)
        for name in (
            "uploads_per_minute",
            "calls_per_minute",
            "window_seconds",
            "latency_seconds",
            "bytes_per_second",
        )
        if getattr(options, name) is not None
    }
    settings: dict[str, Any] = {
        name: getattr(options, name)
        for name in ("space_amount", "max_upload_size", "part_size", "commit_202_rounds")
        if getattr(options, name) is not None
    }
    tls = None if options.tls is None else (options.tls[0], options.tls[1])
    return SandboxConfig(
        port=options.port,
        data=options.data,
        content="hash" if options.hash_only else "keep",
        memory_bytes=SandboxConfig.memory_bytes if options.memory_bytes is None else options.memory_bytes,
        tls=tls,
        validate=options.validate,
        settings=settings,
        limits=limits,
    )


def command_line() -> argparse.ArgumentParser:
    """What may stand on the command line; the reference is written from it."""
    parser = argparse.ArgumentParser(prog="boxhaul sandbox", description="Serve a local Box on 127.0.0.1.")
    parser.add_argument("--port", type=_port, default=0, help="TCP port; 0 takes a free one")
    parser.add_argument("--config", type=Path, help="write a ready JWT configuration with the addresses here")
    parser.add_argument("--data", help="folder that keeps the state over restarts")
    content = parser.add_mutually_exclusive_group()
    content.add_argument("--keep-content", action="store_true", help="keep file contents (the default)")
    content.add_argument("--hash-only", action="store_true", help="keep only the digests of contents")
    parser.add_argument("--memory-bytes", type=int, help="contents held in memory; the rest goes to files")
    parser.add_argument(
        "--tls", nargs=2, metavar=("CERTIFICATE", "KEY"), help="speak TLS with these PEM files"
    )
    parser.add_argument("--validate", action="store_true", help="check all calls against Box's OpenAPI")
    parser.add_argument("--uploads-per-minute", type=int, help="uploads per user and minute; Box: 240")
    parser.add_argument("--calls-per-minute", type=int, help="calls per user and minute; Box: 1000")
    parser.add_argument("--window-seconds", type=float, help="length of that minute")
    parser.add_argument("--latency-seconds", type=float, help="added to every answer")
    parser.add_argument("--bytes-per-second", type=float, help="bandwidth of one connection")
    parser.add_argument("--space-amount", type=int, help="quota of new users in bytes; -1 is unlimited")
    parser.add_argument("--max-upload-size", type=int, help="largest file in bytes")
    parser.add_argument("--part-size", type=int, help="part size of upload sessions in bytes")
    parser.add_argument("--commit-202-rounds", type=int, help="commits answered 202 before each file appears")
    return parser


if __name__ == "__main__":
    main()

"""The local Box of a rehearsal, as a process of its own, and the plan that speaks to it in place of the real one."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from importlib.util import resolve_name
from pathlib import Path
from typing import Any

from connectors.box.config import BoxConfig, UploadLimits
from connectors.box.tiers import LIMITS
from flows.demo.warden import WARDEN
from flows.errors import PlanError

#: Seconds that one of Box's minutes lasts where it is scaled: an hour of Box is a minute.
SCALED_MINUTE = 1.0

#: What Box allows one user in a minute.
PUBLISHED = UploadLimits()

#: So many of anything a minute as no machine does.
NO_LIMIT = 10_000_000

#: A local Box that does not answer is gone, and does not come back.
OUTAGE_MINUTES = 1.0

#: Seconds that it has to end by itself.
STOP_SECONDS = 20.0


class Scale(StrEnum):
    """Which limits the local Box keeps."""

    #: None: as fast as this machine is.
    OFF = "off"
    #: Box's, its minutes shorter.
    SCALED = "scaled"
    #: Box's.
    REAL = "real"


@dataclass(frozen=True)
class LocalBox:
    """A local Box that runs."""

    url: str
    upload_url: str

    def calls(self) -> dict[str, Any]:
        """What was asked of it, by route and by status."""
        with urllib.request.urlopen(f"{self.url}/_sandbox/calls", timeout=30) as answer:  # noqa: S310  our own
            found: dict[str, Any] = json.load(answer)
        return found


@contextmanager
def local_box(plan_file: Path, box: BoxConfig, config: Path, scale: Scale) -> Iterator[LocalBox]:
    """Run a local Box that knows the plan's people while the body lasts; it ends with this process, however that ends.

    `config`: where it leaves its credentials. PlanError when it does not start.
    """
    command = [sys.executable, "-m", resolve_name("..cli", __package__), "sandbox", "--plan", str(plan_file)]
    options = {"--port": 0, "--config": config, "--space-amount": -1} | _limit_options(box, scale)
    words = [str(word) for pair in options.items() for word in pair]
    process = subprocess.Popen(  # noqa: S603  our own command
        [*command, "--hash-only", *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        # Ctrl-C is for the migration, which saves its state first and asks Box meanwhile.
        start_new_session=True,
    )
    WARDEN.watch(process.pid)
    assert process.stdout is not None  # noqa: S101
    try:
        if not process.stdout.readline():
            raise PlanError(f"the local Box did not start (it ended with {process.wait(STOP_SECONDS)})")
        document = json.loads(config.read_text(encoding="utf-8"))
        yield LocalBox(document["base_url"], document["upload_url"])
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()
        WARDEN.release(process.pid)


def _limit_options(box: BoxConfig, scale: Scale) -> dict[str, Any]:
    options: dict[str, Any] = {"--max-upload-size": LIMITS[box.tier].largest_file}
    if scale is Scale.OFF:
        return options
    limits = box.limits
    return options | {
        # An enterprise to which Box granted more says so in its plan.
        "--uploads-per-minute": max(PUBLISHED.uploads_per_minute, limits.uploads_per_minute),
        "--calls-per-minute": max(PUBLISHED.calls_per_minute, limits.calls_per_minute),
        "--window-seconds": minute_seconds(scale),
    }


def minute_seconds(scale: Scale) -> float:
    """Return how long one of Box's minutes lasts in such a rehearsal."""
    return SCALED_MINUTE if scale is Scale.SCALED else PUBLISHED.window_seconds


def box_keys(real: Mapping[str, Any], box: LocalBox, config: Path, scale: Scale) -> dict[str, Any]:
    """Return the key `box` of a plan that is rehearsed: ids, sizes and limits are the plan's, the address is not."""
    kept = {key: value for key, value in real.items() if key not in ("auth", "ca_file", "limits")}
    limits = dict(real["limits"]) if isinstance(real.get("limits"), Mapping) else {}
    limits |= {"window_seconds": minute_seconds(scale), "outage_minutes": OUTAGE_MINUTES}
    if scale is Scale.OFF:
        limits |= {"uploads_per_minute": NO_LIMIT, "calls_per_minute": NO_LIMIT}
    return {
        **kept,
        "auth": {"method": "jwt", "config_file": str(config)},
        "base_url": box.url,
        "upload_url": box.upload_url,
        "limits": limits,
    }

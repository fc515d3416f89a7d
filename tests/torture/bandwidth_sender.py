"""One process of a plan that sends small files under the plan's bandwidth until it is told to end.

Arguments: the URL of the checkpoint, the id of the plan, a timetable, the configuration and the URLs of the sandbox.
"""

from __future__ import annotations

import io
import json
import os
import sys
import threading
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from connectors.box.client.bandwidth import Bandwidth
from connectors.box.config import BoxConfig
from connectors.box.destination import BoxDestination
from connectors.box.types import Upload
from connectors.entry import NO_STREAMS
from flows.plan.bandwidth import Timetable
from state.checkpoint import Checkpoint

FILE_BYTES, THREADS = 200_000, 2


class File(io.BytesIO):
    """Bytes as a file of a share."""

    streams = NO_STREAMS

    def __exit__(self, *exc_info: object) -> None:
        self.close()


def send(box: BoxDestination, number: int, stop: threading.Event) -> None:
    """File after file, each another name."""
    content = os.urandom(FILE_BYTES)
    for count in range(100_000):
        if stop.is_set():
            return
        upload = Upload(
            folder_id="0",
            name=f"{os.getpid()}-{number}-{count}",
            size=FILE_BYTES,
            modified_ns=None,
            created_ns=None,
            file_id=None,
            etag=None,
            fingerprint=None,  # type: ignore[arg-type]
        )
        box.put(upload, lambda: File(content))  # type: ignore[arg-type, return-value]


def main() -> None:
    """Send until stdin ends."""
    url, plan_id, timetable, config = sys.argv[1:]
    table = Timetable.parse(timetable)
    assert table is not None
    never = threading.Event()
    with Checkpoint.open(url) as checkpoint:
        bandwidth = Bandwidth(
            lambda: table.rate(datetime.now(UTC).astimezone()),
            partial(checkpoint.take_bandwidth, int(plan_id)),
            never,
        )
        document = json.loads(Path(config).read_text(encoding="utf-8"))
        with BoxDestination(
            BoxConfig.model_validate(document), base_dir=Path(config).parent, bandwidth=bandwidth
        ) as box:
            stop = threading.Event()
            threads = [threading.Thread(target=send, args=(box, number, stop)) for number in range(THREADS)]
            for thread in threads:
                thread.start()
            sys.stdin.read()
            stop.set()
            for thread in threads:
                thread.join()


if __name__ == "__main__":
    main()

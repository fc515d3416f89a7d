"""Probing: how fast the line to Box is, by a few uploads that are removed again. Nothing else here needs Box."""

from __future__ import annotations

import os
import secrets
import time
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress

from connectors.box.destination import BoxDestination
from connectors.box.types import Known, Receipt, Upload
from connectors.entry import EntryKind, Fingerprint
from connectors.errors import ItemError
from flows.plan.connections import open_box
from flows.plan.model import MigrationPlan
from flows.transfer.sending import HeldFile

#: Files that are sent at the same time, and bytes of each: what one connection gives is less than the line has.
FILES, SIZE = 4, 2_000_000


def line_speed(plan: MigrationPlan) -> float:
    """Send some files into the landing folder, put them into Box's trash, and return bytes a second.

    Raises what Box refuses: ItemError, FatalError.
    """
    alone = plan.model_copy(update={"box": plan.box.model_copy(update={"identities": []})})
    with open_box(alone) as box, ThreadPoolExecutor(FILES, thread_name_prefix="probe") as pool:
        box.whoami()  # signing in is no part of the line
        begun = time.monotonic()
        sent = [pool.submit(_send, box, plan) for _ in range(FILES)]
        wait(sent)
        seconds = time.monotonic() - begun
        for each in sent:
            if each.exception() is None:
                with suppress(ItemError):  # gone already
                    box.items.trash(_known(each.result()))
        for each in sent:
            each.result()  # or why there is none
        return FILES * SIZE / seconds


def _send(box: BoxDestination, plan: MigrationPlan) -> Receipt:
    content = os.urandom(SIZE)
    upload = Upload(
        folder_id=plan.box.landing_folder_id,
        name=f"boxhaul probe {secrets.token_hex(8)}",
        size=SIZE,
        modified_ns=time.time_ns(),
        created_ns=None,
        fingerprint=Fingerprint(size=SIZE, modified_ns=None),
    )
    return box.put(upload, lambda: HeldFile(content))


def _known(receipt: Receipt) -> Known:
    return Known(kind=EntryKind.FILE, box_id=receipt.file_id, name=receipt.name, etag=receipt.etag)

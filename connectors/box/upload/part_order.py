"""Which part of a large file is read and sent next. Pure."""

from __future__ import annotations

from collections.abc import Iterator


def parts_in_order(size: int, part_size: int) -> Iterator[tuple[int, int]]:
    """Yield offset and length of every part in bytes, lowest first.

    The order is the file's own, since the hash of the whole file grows while its parts are read once. Parts that Box
    has already are read as well, to prove them, and are not sent. Box wants every part but the last to be `part_size`.
    """
    for offset in range(0, size, part_size):
        yield offset, min(part_size, size - offset)

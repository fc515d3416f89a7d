"""Which part of a large file is read and sent next. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeVar

T = TypeVar("T")


def parts_in_order(
    size: int, part_size: int, finished: Mapping[int, T]
) -> Iterator[tuple[int, int, T | None]]:
    """Yield offset and length in bytes of every part, lowest first, with what Box has of it: that one is not sent.

    The order is the file's own, since the hash of the whole file grows while its parts are read once, from start to
    end; those that Box has, by their offset in `finished`, are read as well, to prove them. Box wants every part but
    the last to be `part_size`.
    """
    for offset in range(0, size, part_size):
        yield offset, min(part_size, size - offset), finished.get(offset)

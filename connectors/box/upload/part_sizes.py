"""Sizes of parts, as Box was seen to choose them: for a forecast alone, since Box says it of each session. Pure."""

from __future__ import annotations

MIB = 1 << 20

#: Up to so many bytes of a file → bytes of its parts.
SEEN = ((1_400_000_000, 8 * MIB), (4 * 1024 * MIB, 32 * MIB))
LARGEST = 64 * MIB


def parts_of(size: int) -> int:
    """Return how many parts a file of so many bytes most likely has."""
    part = next((part for limit, part in SEEN if size <= limit), LARGEST)
    return max(1, -(-size // part))

"""Chain: lines of canonical JSON, each with the hash over the one before and itself. Pure; knows no manifest.

A line is {"hash":"<64 hex digits>","line":<JSON>} and ends with one line feed. The JSON has its keys sorted, no spaces
and no character beyond ASCII, so that names which are no Unicode (lone surrogates) are kept as they are. The hash is
SHA-256 over the former hash, as it is written, followed by the JSON; before the first line stand 64 zeros.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from typing import Any

#: Before the first line.
BEGINNING = "0" * 64

_BEFORE, _BETWEEN, _AFTER = b'{"hash":"', b'","line":', b"}\n"
_HASH_END = len(_BEFORE) + len(BEGINNING)
_JSON_BEGIN = _HASH_END + len(_BETWEEN)

#: A line of this many bytes is none of ours: nobody makes the checker hold it.
LONGEST_LINE = 4 << 20


class BrokenChain(Exception):
    """A line is not what was written there, or not in its place."""

    def __init__(self, number: int, why: str) -> None:
        super().__init__(f"line {number:,}: {why}")
        self.number = number


def canonical(value: Any) -> bytes:
    """The one spelling of a JSON value."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    ).encode()


class Chain:
    """Writes lines; `hash` is the one of the last."""

    def __init__(self) -> None:
        self.hash = BEGINNING
        self.lines = 0

    def link(self, value: Any) -> bytes:
        """The next line."""
        body = canonical(value)
        self.hash = _next_hash(self.hash, body)
        self.lines += 1
        return b"".join((_BEFORE, self.hash.encode(), _BETWEEN, body, _AFTER))

    def follow(self, line: bytes) -> Any:
        """The value of the next line of a file. BrokenChain unless it is exactly what `link` once returned here."""
        self.lines += 1
        framed = (
            line.startswith(_BEFORE) and line[_HASH_END:_JSON_BEGIN] == _BETWEEN and line.endswith(_AFTER)
        )
        if not framed:
            raise BrokenChain(self.lines, "it is no whole line of a manifest")
        body = line[_JSON_BEGIN : -len(_AFTER)]
        expected = _next_hash(self.hash, body)
        if line[len(_BEFORE) : _HASH_END] != expected.encode():
            raise BrokenChain(self.lines, "its hash is not the one of the lines up to here")
        self.hash = expected
        try:
            return json.loads(body)
        except (ValueError, RecursionError) as exc:
            raise BrokenChain(self.lines, "it is no JSON") from exc


def read_lines(file: Any) -> Iterator[bytes]:
    """The lines of a binary file, none longer than is allowed: what is longer comes in pieces, which are no lines."""
    return iter(lambda: file.readline(LONGEST_LINE), b"")


def followed(lines: Iterable[bytes], chain: Chain) -> Iterator[Any]:
    """The value of each line. BrokenChain at the first that is not what was written there."""
    return (chain.follow(line) for line in lines)


def _next_hash(former: str, body: bytes) -> str:
    return hashlib.sha256(former.encode() + body).hexdigest()

"""Where file contents live: memory up to a bound, then files; or nowhere, when only hashes are kept."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PIECE = 1024 * 1024


@dataclass(slots=True, eq=False)
class Blob:
    """Immutable bytes in memory, in a file, or made of other blobs; `references` counts its holders."""

    size: int
    #: In the pieces in which they came: joining them would copy every part once more.
    data: tuple[bytes, ...] | None = None
    path: Path | None = None
    pieces: tuple[Blob, ...] = ()
    references: int = 1

    def read(self, start: int, stop: int) -> Iterator[bytes]:
        """The bytes of [start, stop) in pieces of at most `PIECE` bytes."""
        if self.data is not None:
            yield from self._read_memory(self.data, start, stop)
        elif self.path is not None:
            yield from self._read_file(self.path, start, stop)
        else:
            yield from self._read_pieces(start, stop)

    def whole(self) -> bytes:
        """All bytes."""
        return b"".join(self.read(0, self.size))

    @staticmethod
    def _read_memory(data: tuple[bytes, ...], start: int, stop: int) -> Iterator[bytes]:
        offset = 0
        for chunk in data:
            low, high = max(start - offset, 0), min(stop - offset, len(chunk))
            for position in range(low, high, PIECE):
                yield chunk[position : min(position + PIECE, high)]
            offset += len(chunk)

    @staticmethod
    def _read_file(path: Path, start: int, stop: int) -> Iterator[bytes]:
        with path.open("rb") as file:
            file.seek(start)
            while start < stop and (piece := file.read(min(PIECE, stop - start))):
                start += len(piece)
                yield piece

    def _read_pieces(self, start: int, stop: int) -> Iterator[bytes]:
        offset = 0
        for piece in self.pieces:
            low, high = max(start - offset, 0), min(stop - offset, piece.size)
            if low < high:
                yield from piece.read(low, high)
            offset += piece.size


class Contents:
    """Keeps, counts and forgets blobs.

    mode: "keep" or "hash". folder: where files go; with `durable` every blob goes there at once, else only
    what does not fit into `memory_bytes`, into a temporary folder removed by `close`.
    """

    def __init__(self, mode: str, memory_bytes: int, folder: Path | None) -> None:
        if mode not in {"keep", "hash"}:
            raise ValueError(f"content is 'keep' or 'hash', not {mode!r}")
        self.mode = mode
        self.durable = folder is not None
        self._memory_bytes = memory_bytes
        self.memory_left = memory_bytes
        self._folder = folder
        self._temporary: Path | None = None
        self._number = 0
        self._revived: dict[str, Blob] = {}
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            self._number = max((int(p.name) for p in folder.iterdir() if p.name.isdigit()), default=0)

    def keep(self, chunks: Sequence[bytes], size: int) -> Blob | None:
        """Store the chunks as one blob; None when only hashes are kept."""
        if self.mode == "hash":
            return None
        if not self.durable and size <= self.memory_left:
            self.memory_left -= size
            return Blob(size, data=tuple(chunks))
        path = self._new_path()
        with path.open("wb") as file:
            file.writelines(chunks)
        return Blob(size, path=path)

    def combine(self, blobs: Sequence[Blob | None], size: int) -> Blob | None:
        """One blob out of the parts of an upload session, without copying."""
        known = tuple(blob for blob in blobs if blob is not None)
        if len(known) != len(blobs):
            return None
        return Blob(size, pieces=known)

    def describe(self, blob: Blob | None) -> Any:
        """A blob as JSON: the name of its file, or the descriptions of its pieces."""
        if blob is None:
            return None
        if blob.path is not None:
            return {"file": blob.path.name, "size": blob.size}
        return {"pieces": [self.describe(piece) for piece in blob.pieces], "size": blob.size}

    def revive(self, description: Any) -> Blob | None:
        """The blob of a description; files that several holders share become one blob again."""
        if description is None or self._folder is None:
            return None
        if "pieces" in description:
            pieces = [self.revive(piece) for piece in description["pieces"]]
            return self.combine(pieces, description["size"])
        name = description["file"]
        known = self._revived.get(name)
        if known is not None:
            known.references += 1
            return known
        path = self._folder / name
        if not path.exists():
            return None
        blob = self._revived[name] = Blob(description["size"], path=path)
        return blob

    def drop(self, blob: Blob | None) -> None:
        """One holder less; the last one frees the bytes."""
        if blob is None:
            return
        blob.references -= 1
        if blob.references > 0:
            return
        if blob.data is not None:
            self.memory_left += blob.size
            blob.data = ()
        if blob.path is not None:
            blob.path.unlink(missing_ok=True)
        for piece in blob.pieces:
            self.drop(piece)

    def close(self) -> None:
        """Remove temporary files; a data folder stays."""
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)
            self._temporary = None

    def clear(self) -> None:
        """Forget everything, files included."""
        self.memory_left = self._memory_bytes
        self._revived.clear()
        self.close()
        if self._folder is not None:
            for path in self._folder.iterdir():
                path.unlink(missing_ok=True)

    def _new_path(self) -> Path:
        folder = self._folder
        if folder is None:
            if self._temporary is None:
                self._temporary = Path(tempfile.mkdtemp(prefix="boxhaul-sandbox-"))
            folder = self._temporary
        self._number += 1
        return folder / str(self._number)

"""Checking: a manifest by itself, with neither plan nor network: every line in its place, the counts, the signature."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from flows.errors import PlanError
from flows.reconciliation.chain import BrokenChain, Chain, followed, read_lines
from flows.reconciliation.manifest import FORMAT, FORMAT_VERSION
from flows.reconciliation.signing import is_signed_by, public_key
from state.statuses import ItemStatus

#: What a signature may be found to be.
GOOD, BAD, MISSING, NOT_CHECKED = "good", "bad", "missing", "not checked"


class _Counts:
    """What the lines hold, and whether the last one says the same."""

    def __init__(self) -> None:
        self.by_type, self.by_status = Counter[str](), Counter[str]()
        self.files = self.folders = self.bytes = 0
        self.header: dict[str, Any] | None = None
        self.closing: dict[str, Any] | None = None

    def take(self, number: int, line: dict[str, Any]) -> None:
        if self.closing is not None:
            raise BrokenChain(number, "it comes after the closing line")
        if number == 1:
            if (line.get("type"), line.get("format")) != ("header", FORMAT):
                raise BrokenChain(number, "it is not the first line of a manifest")
            if line.get("format_version") != FORMAT_VERSION:
                raise BrokenChain(
                    number, f"its format is version {line.get('format_version')}; update boxhaul"
                )
            self.header = line
        if line["type"] == "closing":
            self.closing = line
            return
        self.by_type[line["type"]] += 1
        if line["type"] == "entry":
            self.by_status[line["status"]] += 1
            uploaded = line["status"] == ItemStatus.UPLOADED.value
            self.files += uploaded and line["kind"] == "file"
            self.folders += uploaded and line["kind"] == "folder"
            self.bytes += line["size"] if uploaded else 0

    def compare(self, lines: int) -> None:
        """BrokenChain when the end is missing, or counted otherwise."""
        if self.closing is None:
            raise BrokenChain(lines + 1, "the closing line is missing: the end was cut off")
        told = {key: self.closing.get(key) for key in ("lines", "by_type", "by_status", "bytes_uploaded")}
        counted = {
            "lines": lines,
            "by_type": dict(self.by_type),
            "by_status": dict(self.by_status),
            "bytes_uploaded": self.bytes,
        }
        if told != counted:
            raise BrokenChain(lines, "its counts are not those of the lines")


def check_manifest(path: Path, key_file: Path | None) -> dict[str, Any]:
    """Read a manifest once, in little memory, and return the document of `boxhaul verify --manifest --json`.

    Without a key the chain and the counts are checked, which whoever rewrites all of it can make again: only the
    signature of a key that you have from elsewhere proves who wrote it. PlanError for what cannot be read.
    """
    key = public_key(key_file) if key_file is not None else None
    counts, chain = _Counts(), Chain()
    differences: list[dict[str, Any]] = []
    try:
        with path.open("rb") as file:
            for line in followed(read_lines(file), chain):
                _take(counts, chain.lines, line)
        counts.compare(chain.lines)
    except OSError as exc:
        raise PlanError(f"--manifest: {path} cannot be read ({exc.strerror or exc})") from exc
    except BrokenChain as exc:
        differences.append(_difference("manifest_broken", path, str(exc)))
    signature = NOT_CHECKED
    if key is not None and not differences:
        signature = _signature(path, lambda text: is_signed_by(key, text, chain.hash))
    if signature in (BAD, MISSING):
        detail = {
            BAD: "another key signed it, or another manifest",
            MISSING: f"there is no {_signature_file(path).name}",
        }
        differences.append(_difference(f"signature_{signature}", path, detail[signature]))
    return _document(path, counts, chain, signature, differences)


def _take(counts: _Counts, number: int, line: Any) -> None:
    """A line of another shape is as broken as one that was changed."""
    try:
        counts.take(number, line)
    except (AttributeError, KeyError, TypeError) as exc:
        raise BrokenChain(number, "it is no line of a manifest") from exc


def _document(
    path: Path, counts: _Counts, chain: Chain, signature: str, differences: list[dict[str, Any]]
) -> dict[str, Any]:
    header = counts.header or {}
    return {
        "plan": header.get("plan"),
        "agrees": not differences,
        "mode": "manifest",
        "manifest": str(path),
        "written_at": header.get("written_at"),
        "signature": signature,
        "checked": {
            "files": counts.files,
            "folders": counts.folders,
            "bytes": counts.bytes,
            "lines": chain.lines,
        },
        "by_status": dict(counts.by_status),
        "difference_count": len(differences),
        "differences": differences,
    }


def _signature(path: Path, is_good: Any) -> str:
    try:
        text = _signature_file(path).read_text(encoding="ascii", errors="replace")
    except OSError:
        return MISSING
    return GOOD if is_good(text) else BAD


def _signature_file(path: Path) -> Path:
    return path.with_name(f"{path.name}.sig")


def _difference(kind: str, path: Path, detail: str) -> dict[str, Any]:
    return {"kind": kind, "path": str(path), "box_id": None, "detail": detail, "by": None, "at": None}


def manifest_words(document: dict[str, Any]) -> list[str]:
    """The result for a person."""
    checked = document["checked"]
    lines = f"{document['manifest']}: {checked['lines']:,} lines, {checked['files']:,} files in Box"
    if not document["agrees"]:
        return [f"{lines}: {each['kind']}: {each['detail']}" for each in document["differences"]]
    signed = {
        GOOD: "the signature is good",
        NOT_CHECKED: "the signature was not checked: --key PUB, which you have from elsewhere, proves who wrote it",
    }
    return [f"{lines}; every line is in its place, and {signed[document['signature']]}"]

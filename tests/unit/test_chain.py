"""A manifest's chain: whatever is done to a file of it, by one byte or by whole lines, is found."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.errors import PlanError
from flows.reconciliation.chain import BrokenChain, Chain, canonical, followed, read_lines
from flows.reconciliation.checking import check_manifest
from flows.reconciliation.signing import private_key, public_line, public_pem, signature_of

LINES: list[dict[str, Any]] = [
    {"type": "header", "format": "boxhaul-manifest", "format_version": 1, "plan": "p", "written_at": "now"},
    {"type": "tree", "tree": "A"},
    *(
        {"type": "entry", "status": "uploaded", "kind": "file", "size": size, "path": f"A/\udcff {size}"}
        for size in (3, 1, 3)
    ),
    {"type": "entry", "status": "failed", "kind": "file", "size": 9, "path": "A/ü"},
    {
        "type": "closing",
        "lines": 7,
        "by_type": {"header": 1, "tree": 1, "entry": 4},
        "by_status": {"uploaded": 3, "failed": 1},
        "bytes_uploaded": 7,
    },
]


def written(lines: list[Any]) -> list[bytes]:
    """The lines of a file, chained."""
    chain = Chain()
    return [chain.link(line) for line in lines]


WHOLE = written(LINES)
BYTES = b"".join(WHOLE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A manifest that is whole, signed, with its key and another one."""
    folder = tmp_path_factory.mktemp("manifest")
    chain = Chain()
    for line in LINES:
        chain.link(line)
    for name in ("ours", "other"):
        key = private_key(folder / f"{name}.key", make=True)
        (folder / f"{name}.pub").write_text(public_pem(key))
        (folder / f"{name}.line").write_text(public_line(key.public_key()))
    (folder / "m.sig").write_text(signature_of(private_key(folder / "ours.key", make=False), chain.hash))
    (folder / "m").write_bytes(BYTES)
    return folder


def verdict(folder: Path, content: bytes, key: str = "ours.pub") -> tuple[bool, str]:
    """Whether this content agrees under the signature that is there, and what the signature is found to be."""
    (folder / "m").write_bytes(content)
    document = check_manifest(folder / "m", folder / key)
    return document["agrees"], document["signature"]


def test_whole_manifest_agrees(folder: Path) -> None:
    """By the key as PEM or as one line, and without one; names that are no Unicode are as they were."""
    assert (True, "good") == verdict(folder, BYTES)
    assert (True, "good") == verdict(folder, BYTES, "ours.line")
    document = check_manifest(folder / "m", None)
    assert (True, "not checked") == (document["agrees"], document["signature"])
    assert {"files": 3, "folders": 0, "bytes": 7, "lines": 7} == document["checked"]
    assert LINES == list(followed(read_lines(io.BytesIO(BYTES)), Chain()))


@settings(max_examples=400, deadline=None)
@given(at=st.integers(0, len(BYTES) - 1), to=st.integers(0, 255))
def test_one_changed_byte_anywhere(folder: Path, at: int, to: int) -> None:
    """Is found, and so is one that is left out or one more."""
    if BYTES[at] == to:
        return
    assert not verdict(folder, BYTES[:at] + bytes([to]) + BYTES[at + 1 :])[0]
    assert not verdict(folder, BYTES[:at] + BYTES[at + 1 :])[0]
    assert not verdict(folder, BYTES[:at] + bytes([to]) + BYTES[at:])[0]


@settings(max_examples=100, deadline=None)
@given(first=st.integers(0, len(WHOLE) - 1), second=st.integers(0, len(WHOLE) - 1))
def test_lines_swapped_removed_repeated(folder: Path, first: int, second: int) -> None:
    """Whole lines in another order or number are no manifest."""
    swapped = list(WHOLE)
    swapped[first], swapped[second] = swapped[second], swapped[first]
    assert verdict(folder, b"".join(swapped))[0] is (first == second)
    assert not verdict(folder, b"".join(WHOLE[:first] + WHOLE[first + 1 :]))[0]
    assert not verdict(folder, b"".join([*WHOLE[:second], WHOLE[first], *WHOLE[second:]]))[0]


@settings(max_examples=100, deadline=None)
@given(length=st.integers(0, len(BYTES) - 1))
def test_end_cut_off(folder: Path, length: int) -> None:
    """At any byte, between two lines as well."""
    assert not verdict(folder, BYTES[:length])[0]


@pytest.mark.parametrize(
    "lines",
    [
        LINES[:-1],
        [*LINES, LINES[1]],
        LINES[1:],
        [LINES[0], *LINES[2:]],
        [*LINES[:2], {**LINES[2], "size": 4}, *LINES[3:]],
        [{**LINES[0], "format_version": 2}, *LINES[1:]],
        [LINES[0], 7, *LINES[2:]],
        [LINES[0], {"type": "entry"}, *LINES[2:]],
        [*LINES[:2], {**LINES[2], "path": "A/other"}, *LINES[3:]],
    ],
)
def test_rewritten_with_new_hashes(folder: Path, lines: list[Any]) -> None:
    """Whoever makes the chain anew is found by the counts or by the signature."""
    assert not verdict(folder, b"".join(written(lines)))[0]


def test_another_key_or_no_signature(folder: Path, tmp_path: Path) -> None:
    """The manifest is whole, and not from whom it should be."""
    assert (False, "bad") == verdict(folder, BYTES, "other.pub")
    (tmp_path / "m").write_bytes(BYTES)
    assert "missing" == check_manifest(tmp_path / "m", folder / "ours.pub")["signature"]
    for text in ("", "x", "é", "AAAA\n", (folder / "m.sig").read_text() * 2):
        (tmp_path / "m.sig").write_text(text)
        assert "bad" == check_manifest(tmp_path / "m", folder / "ours.pub")["signature"], text


def test_key_is_for_its_owner_alone(tmp_path: Path) -> None:
    """Made once, and read again; what is no key is told without its text."""
    made = private_key(tmp_path / "k", make=True)
    assert 0o600 == (tmp_path / "k").stat().st_mode & 0o777
    assert public_pem(made) == public_pem(private_key(tmp_path / "k", make=True))
    with pytest.raises(PlanError, match="there is no key"):
        private_key(tmp_path / "none", make=False)
    (tmp_path / "bad").write_text("-----BEGIN PRIVATE KEY-----\nSECRETSECRET\n")
    with pytest.raises(PlanError, match="no private key") as error:
        private_key(tmp_path / "bad", make=True)
    assert "SECRET" not in str(error.value)
    with pytest.raises(BrokenChain):
        Chain().follow(b"[" * 100_000)


@given(st.recursive(st.none() | st.integers() | st.text(st.characters()), st.lists, max_leaves=5))
def test_canonical_json_keeps_every_text(value: Any) -> None:
    """Lone surrogates, too, in ASCII alone."""
    assert value == json.loads(canonical(value).decode("ascii"))

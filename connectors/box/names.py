"""Names that Box accepts: a reversible look-alike encoding, Box's way to compare, and a plan without collisions.

Pure: no I/O, no Box call. What Box does with names, and where its documentation contradicts itself, is the facts
file's §3.7; the choices here are safe under every reading of it.

    in the source                      in Box
    /                                  U+2215 DIVISION SLASH
    \\                                  U+29F5 REVERSE SOLIDUS OPERATOR
    U+0000…U+001F                      U+2400…U+241F (control pictures)
    U+007F                             U+2421 SYMBOL FOR DELETE
    space at the end                   U+2420 SYMBOL FOR SPACE
    dot at the end ("." and ".." too)  U+2024 ONE DOT LEADER: Box Drive on Windows cannot reach such names
    lone surrogate U+D800…U+DFFF       U+201B, "u", four hex digits (bytes that are no UTF-8 arrive as U+DC80…U+DCFF)
    what else Box refuses (Offence)    the same, or "U" and six digits; only once Box has refused such a name
    one of these look-alikes           U+201B before it (of the dot and the space: at the end only)
    U+201B                             twice
    not in Unicode's form NFC          in NFC (the only step that source_name() cannot undo)
    more than 255 UTF-16 units         shortened before the extension, with "~" and a hash of the name
    equal for Box to a neighbour       one of both keeps the name, the others get "~" and a hash of their name
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum

from connectors.entry import EntryKind

#: Documented as characters; UTF-16 units are the smaller reading.
MAX_UNITS = 255
#: Longer than that is not an extension.
MAX_EXTENSION_UNITS = 32

QUOTE = "\u201b"
LAST_SPACE = "\u2420"
LAST_DOT = "\u2024"

_PLAIN = re.compile(r"[^\x00-\x1f\x7f/\\\u201b\u2215\u29f5\u2400-\u2421\u2024\ud800-\udfff]*(?<![ .])")
#: A character in hex, after a QUOTE.
_HEX = re.compile(r"u[0-9a-f]{4}|U[0-9a-f]{6}")
_ENCODED = {"/": "\u2215", "\\": "\u29f5", "\x7f": "\u2421", **{chr(c): chr(0x2400 + c) for c in range(0x20)}}
_DECODED = {look_alike: plain for plain, look_alike in _ENCODED.items()}
#: Characters that no server is known to mind, beside letters, marks and digits.
_PLAIN_MARKS = frozenset(" !#$%&'()+,-.;=@[]^_`{}~")
#: What box_name() puts into names; escaping it would only tell Box the same in more words.
_OURS = frozenset(_DECODED) | {QUOTE, LAST_SPACE, LAST_DOT}
_HASH_LENGTHS = (8, 16, 32, 64)


@dataclass(frozen=True, slots=True)
class PlannedName:
    """The name an entry gets in Box."""

    box_name: str
    #: Why it differs from the name in the source; None when it does not.
    reason: str | None


def box_name(name: str, kind: EntryKind = EntryKind.FILE) -> str:
    """Return the name as Box accepts it. Different names may become equal for Box: plan_names() settles that."""
    if not name:
        raise ValueError("an entry has a name")
    normal = unicodedata.normalize("NFC", name)
    encoded = normal if _PLAIN.fullmatch(normal) else unicodedata.normalize("NFC", _encode(normal))
    return encoded if _units(encoded) <= MAX_UNITS else _marked(encoded, name, kind, _HASH_LENGTHS[0])


def source_name(box_name: str) -> str:
    """Return the source's name (in NFC) behind a name that box_name() made and did not have to shorten."""
    return "".join(_decode(box_name))


def collision_key(name: str) -> str:
    """Return a key that is equal for two names that Box may take for the same.

    Case, canonical and compatible forms (NFKC: widths, ligatures, circled digits) do not count: this is Unicode's
    compatibility caseless match, the widest way in which Box is known to compare names. Files and folders share one
    namespace in Box.
    """
    if name.isascii():
        return name.lower()
    key = unicodedata.normalize("NFD", name)
    for _ in range(2):
        key = unicodedata.normalize("NFKD", key.casefold())
    return key


def fitted(name: str, mark: str) -> str:
    """Return a file's name with this mark before its extension, the rest shortened to Box's limit."""
    stem, extension = _split(name)
    room = MAX_UNITS - _units(mark) - _units(extension)
    while stem and _units(stem) > room:
        stem = stem[:-1]
    return f"{stem}{mark}{extension}"


def path_key(path: str) -> tuple[str, ...]:
    """Return a key that is equal for two paths in Box, names with "/" between, that Box may take for the same."""
    return tuple(map(collision_key, path.split("/"))) if path else ()


class Offence(IntEnum):
    """What Box may refuse in a name beside what box_name() escapes always, the likeliest first."""

    LEADING_SPACE = 1
    WINDOWS = 2
    UNUSUAL = 3


def escape_offences(name: str, offences: Collection[Offence], kind: EntryKind = EntryKind.FILE) -> str:
    """Return a name that box_name() made with the characters of these offences escaped as well.

    source_name() undoes that too, unless the name had to be shortened for it.
    """
    if not offences and len(name) <= MAX_UNITS // 2:  # no character counts for more than two
        return name
    escaped = "".join(
        _escaped(char) if any(_offends(char, at, offence) for offence in offences) else char
        for at, char in enumerate(name)
    )
    return escaped if _units(escaped) <= MAX_UNITS else _marked(escaped, name, kind, _HASH_LENGTHS[0])


def plan_names(
    names: Sequence[tuple[str, EntryKind, str | None]], *, taken: Iterable[str] = ()
) -> dict[str, PlannedName]:
    """Plan a Box name for every entry of one folder: (name, kind, Box name it already has) → PlannedName by name.

    No two of them are equal for Box. The order of the listing does not matter; an entry that has a Box name keeps
    it; of the others, one whose name need not change is preferred, then the first in code-point order.
    A name may occur once. `taken`: names in Box of what is not among the entries; no entry gets one of them.
    """
    if len({name for name, _, _ in names}) != len(names):
        raise ValueError("a name occurs twice in one folder")
    planned = {name: PlannedName(known, _why(name, known)) for name, _, known in names if known is not None}
    owners = {collision_key(plan.box_name): name for name, plan in planned.items()}
    wishes = sorted((_Wish(name, kind) for name, kind, known in names if known is None), key=_Wish.rank)
    held: dict[str, str] = {}
    for name in sorted(taken):
        held.setdefault(collision_key(name), name)
    losers = []
    for wish in wishes:
        if wish.key not in held and owners.setdefault(wish.key, wish.name) == wish.name:
            planned[wish.name] = PlannedName(wish.box_name, _why(wish.name, wish.box_name))
        else:
            losers.append(wish)
    for wish in losers:
        free = (
            each
            for each in wish.alternatives()
            if (key := collision_key(each)) not in owners and key not in held
        )
        chosen = next(free)
        reason = f"for Box the same name as {_shown(owners.get(wish.key) or held[wish.key])}"
        owners[collision_key(chosen)] = wish.name
        planned[wish.name] = PlannedName(chosen, reason)
    return planned


def keep_their_names(names: Collection[str]) -> bool:
    """Tell at little cost whether plan_names() changes none of these names of one folder, where nothing is taken.

    False as well where that takes more thought: for whatever is not ASCII.
    """
    return all(
        name.isascii() and 0 < len(name) <= MAX_UNITS and _PLAIN.fullmatch(name) is not None for name in names
    ) and len({name.lower() for name in names}) == len(names)


class _Wish:
    """An entry without a Box name, and the one that it would like."""

    __slots__ = ("box_name", "key", "kind", "name")

    def __init__(self, name: str, kind: EntryKind) -> None:
        self.name = name
        self.kind = kind
        self.box_name = box_name(name, kind)
        self.key = collision_key(self.box_name)

    def rank(self) -> tuple[bool, str]:
        return self.box_name != self.name, self.name

    def alternatives(self) -> Iterator[str]:
        """Yield names marked with ever more of the hash, without end; the second one is already improbable."""
        for length in _HASH_LENGTHS:
            yield _marked(self.box_name, self.name, self.kind, length)
        count = 2
        while True:
            yield _marked(self.box_name, f"{self.name}/{count}", self.kind, _HASH_LENGTHS[-1])
            count += 1


def _encode(name: str) -> str:
    out = []
    last = len(name) - 1
    for at, char in enumerate(name):
        if char in _ENCODED:
            out.append(_ENCODED[char])
        elif at == last and char in " .":
            out.append(LAST_SPACE if char == " " else LAST_DOT)
        elif char == QUOTE or char in _DECODED or (at == last and char in (LAST_SPACE, LAST_DOT)):
            out.append(QUOTE + char)
        elif "\ud800" <= char <= "\udfff":
            out.append(f"{QUOTE}u{ord(char):04x}")
        else:
            out.append(char)
    return "".join(out)


def _offends(char: str, at: int, offence: Offence) -> bool:
    if offence is Offence.LEADING_SPACE:
        return at == 0 and char == " "
    if offence is Offence.WINDOWS:
        return char in '<>:|?*"'
    plain = char in _PLAIN_MARKS or unicodedata.category(char)[0] in "LMN"
    return not plain and char not in _OURS


def _escaped(char: str) -> str:
    return f"{QUOTE}u{ord(char):04x}" if char <= "\uffff" else f"{QUOTE}U{ord(char):06x}"


def _decode(name: str) -> Iterator[str]:
    at, last = 0, len(name) - 1
    while at <= last:
        char = name[at]
        if char == QUOTE and at < last:
            at += 1
            if escape := _HEX.match(name, at):
                yield chr(int(escape[0][1:], 16))
                at = escape.end() - 1
            else:
                yield name[at]
        elif at == last and char in (LAST_SPACE, LAST_DOT):
            yield " " if char == LAST_SPACE else "."
        else:
            yield _DECODED.get(char, char)
        at += 1


def _marked(encoded: str, name: str, kind: EntryKind, length: int) -> str:
    """Return the name with "~" and a hash before its extension, within the limit."""
    mark = "~" + hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:length]
    stem, extension = _split(encoded) if kind is EntryKind.FILE else (encoded, "")
    room = MAX_UNITS - _units(mark) - _units(extension)
    while _units(stem) > room:
        # At least one unit per character goes; a pair is never torn, as Python counts it as one.
        stem = stem[: len(stem) - max(1, (_units(stem) - room) // 2)]
    return unicodedata.normalize("NFC", stem + mark + extension)


def _split(name: str) -> tuple[str, str]:
    """Return stem and extension with its dot; a leading dot begins no extension."""
    at = name.rfind(".")
    if at <= 0 or _units(name[at:]) > MAX_EXTENSION_UNITS:
        return name, ""
    return name[:at], name[at:]


def _units(text: str) -> int:
    """Count UTF-16 code units."""
    if text.isascii():
        return len(text)
    return len(text) + sum(char > "\uffff" for char in text)


def _why(name: str, in_box: str) -> str | None:
    """Say why a name was changed."""
    if in_box == name:
        return None
    normal = unicodedata.normalize("NFC", name)
    if in_box == normal:
        return "Unicode form NFC"
    if not _PLAIN.fullmatch(normal) and in_box == unicodedata.normalize("NFC", _encode(normal)):
        return "characters that Box or its clients do not take"
    if _units(normal) > MAX_UNITS or _units(_encode(normal)) > MAX_UNITS:
        return f"longer than {MAX_UNITS} characters"
    return "renamed in an earlier pass"


def _shown(name: str) -> str:
    """Return a name for a report: one line, no control characters."""
    return repr(name.encode("utf-8", "backslashreplace").decode())

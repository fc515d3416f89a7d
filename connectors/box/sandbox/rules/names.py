"""What Box accepts as a name, and when two names are one. Not our client's renaming rules.

Sources: box.md §3.7. Readings chosen where Box's own pages contradict each other or say nothing:

* Names are equal when `casefold(NFC(name))` is equal: UNKNOWN at Box, the reading in which most names collide.
* With `nfkc_folders` and `nfkc_uploads` a new name is equal to another one in Unicode's form NFKC as well. One
  report of Box says so of folder creations and preflights, and of the new name alone (`nfkc_existing` off).
* 255 counts UTF-16 units: UNKNOWN at Box, the shorter of the two readings.
* Leading spaces and `< > : | ? * "` are accepted, as an independent client has found in years of use; both can
  be refused by settings, because the documentation says so.
* Names of files with `/`, `\\`, control characters or a trailing space are refused, as the live service has been
  seen to do. With `repair_file_names` they lose them, as Box's guide says, and the answer has the name that is
  left; what is then empty, `.` or `..` is refused. Upload sessions always refuse (their documented error).
"""

from __future__ import annotations

import re
import unicodedata

from connectors.box.sandbox.errors import BoxError, bad_request, invalid_name, missing
from connectors.box.sandbox.settings import Settings

MAX_UNITS = 255
_FORBIDDEN = re.compile(r"[/\\\x00-\x1f\x7f]")
_WINDOWS = re.compile(r'[<>:|?*"]')


def name_key(name: str) -> str:
    """What two names of one folder may not share; files and folders are one namespace."""
    if name.isascii():
        return name.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def wide_key(name: str) -> str:
    """`name_key` of the name in NFKC, which takes widths, ligatures and circled digits for the plain characters."""
    if name.isascii():
        return name.lower()
    form = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    # Folding may bring back what composes, and composing what folds.
    return unicodedata.normalize("NFKC", form.casefold())


def check_folder_name(name: object, settings: Settings) -> str:
    """`name` if a folder may have it; 400 item_name_invalid or item_name_too_long otherwise."""
    return _checked(_text(name, "name"), settings)


def check_file_name(name: object, settings: Settings) -> str:
    """The name that the file gets: the one sent, or with `repair_file_names` what is left of it; 400 otherwise."""
    text = _text(name, "name")
    if settings.repair_file_names and not (text.isascii() and text.isalnum()):
        text = _FORBIDDEN.sub("", text).rstrip(" ")
    return _checked(text, settings)


def check_session_name(name: object, settings: Settings) -> str:
    """`file_name` of an upload session: refused, never repaired (400 item_name_invalid is documented there)."""
    return _checked(_text(name, "file_name"), settings)


def _checked(text: str, settings: Settings) -> str:
    if text in {"", ".", ".."} or text.endswith(" ") or _FORBIDDEN.search(text):
        raise invalid_name(text)
    if len(text) > MAX_UNITS or (not text.isascii() and len(text.encode("utf-16-le")) // 2 > MAX_UNITS):
        raise BoxError(400, "item_name_too_long", "Item name too long")
    if settings.refuse_leading_spaces and text.startswith(" "):
        raise invalid_name(text, "The name starts with a space")
    if settings.refuse_windows_characters and _WINDOWS.search(text):
        raise invalid_name(text)
    return text


def _text(name: object, parameter: str) -> str:
    if name is None:
        raise missing(parameter)
    if not isinstance(name, str):
        raise bad_request(f"'{parameter}' should be a string", parameter)
    return name

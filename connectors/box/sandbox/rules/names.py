"""What Box accepts as a name, and when two names are one. Not our client's renaming rules.

Sources: box.md §3.7. Readings chosen where Box's own pages contradict each other or say nothing:

* Names are equal when `casefold(NFC(name))` is equal: UNKNOWN at Box, the reading in which most names collide.
* 255 counts UTF-16 units: UNKNOWN at Box, the shorter of the two readings.
* Leading spaces and `< > : | ? * "` are accepted, as an independent client has found in years of use; both can
  be refused by settings, because the documentation says so.
* Files lose what they may not have (`/`, `\\`, control characters, trailing spaces); what is then empty,
  `.` or `..` is refused. Upload sessions refuse instead of repairing (their documented error).
"""

from __future__ import annotations

import re
import unicodedata

from connectors.box.sandbox.errors import BoxError, bad_request, missing
from connectors.box.sandbox.settings import Settings

MAX_UNITS = 255
_FORBIDDEN = re.compile(r"[/\\\x00-\x1f\x7f]")
_WINDOWS = re.compile(r'[<>:|?*"]')


def name_key(name: str) -> str:
    """What two names of one folder may not share; files and folders are one namespace."""
    if name.isascii():
        return name.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def check_folder_name(name: object, settings: Settings) -> str:
    """`name` if a folder may have it; 400 item_name_invalid or item_name_too_long otherwise."""
    text = _text(name, "name")
    if not text:
        raise _invalid()
    _check_length(text)
    if _FORBIDDEN.search(text) or text in {".", ".."} or text.endswith(" "):
        raise _invalid()
    _check_settings(text, settings)
    return text


def sanitise_file_name(name: object, settings: Settings) -> str:
    """The name that the file gets, which may differ from the one sent; 400 when nothing usable is left."""
    text = _text(name, "name")
    if not (text.isascii() and text.isalnum()):
        text = _FORBIDDEN.sub("", text).rstrip(" ")
    if text in {"", ".", ".."}:
        raise _invalid()
    _check_length(text)
    _check_settings(text, settings)
    return text


def check_session_name(name: object, settings: Settings) -> str:
    """`file_name` of an upload session: refused, not repaired (400 item_name_invalid is documented there)."""
    text = _text(name, "file_name")
    if _FORBIDDEN.search(text) or text in {"", ".", ".."} or text.endswith(" "):
        raise _invalid()
    _check_length(text)
    _check_settings(text, settings)
    return text


def _text(name: object, parameter: str) -> str:
    if name is None:
        raise missing(parameter)
    if not isinstance(name, str):
        raise bad_request(f"'{parameter}' should be a string", parameter)
    return name


def _check_length(text: str) -> None:
    if len(text) > MAX_UNITS or (not text.isascii() and len(text.encode("utf-16-le")) // 2 > MAX_UNITS):
        raise BoxError(400, "item_name_too_long", "Item name too long")


def _check_settings(text: str, settings: Settings) -> None:
    if settings.refuse_leading_spaces and text.startswith(" "):
        raise _invalid()
    if settings.refuse_windows_characters and _WINDOWS.search(text):
        raise _invalid()


def _invalid() -> BoxError:
    return BoxError(400, "item_name_invalid", "Item name invalid")

"""Globs as rclone reads them, as regular expressions of paths without a leading "/". Pure."""

from __future__ import annotations

import re
import warnings

from flows.words import normal_form

#: One piece of a glob, by kind; the longest end of a regular expression between {{ and }} is meant.
_PIECE = re.compile(
    r"(?P<escaped>\\.)|(?P<stars>\*+)|(?P<one>\?)|\{\{(?P<raw>.*?)\}\}(?!\})|(?P<brace>[{},])|(?P<open>\[)|(?P<char>.)",
    re.DOTALL,
)

#: Character classes that Python has no name for.
_NAMED_SETS = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "digit": "0-9",
    "lower": "a-z",
    "space": r"\s",
    "upper": "A-Z",
    "word": "0-9A-Za-z_",
    "xdigit": "0-9A-Fa-f",
}

#: An escape in a regular expression outside of a set, and what some of them stand for.
_CLASS = re.compile(r"\\(.)|\[\^?\]?(?:\\.|[^\]\\])*\]|.", re.DOTALL)
_IN_SET = re.compile(r"\\(.)", re.DOTALL)
_ASCII = {
    "d": "0-9",
    "D": "^0-9",
    "w": "0-9A-Za-z_",
    "W": "^0-9A-Za-z_",
    "s": r"\t\n\f\r ",
    "S": r"^\t\n\f\r ",
}

#: Globs of which nobody says in which folders they can match.
_OPAQUE = re.compile(r"\{[^{}]*(\*\*|/)[^{}]*\}|\{\{|\}\}|\{[^{}]*\{")


def expression(glob: str, *, ignore_case: bool = False) -> re.Pattern[str]:
    """Return what finds the paths that the glob matches; a folder's path ends with "/".

    "/" at the beginning ties the glob to the top of the share; without it, it matches the end of a path at any depth.
    ValueError, a line that names the glob.
    """
    start = "^" if glob.startswith("/") else "(?:^|/)"
    try:
        body = _translated(normal_form(glob).removeprefix("/"))
        with warnings.catch_warnings():
            # A [ in a set of characters is one of them, for rclone as for Python so far.
            warnings.simplefilter("ignore", FutureWarning)
            return re.compile(f"{start}{body}\\Z", re.IGNORECASE if ignore_case else 0)
    except (ValueError, re.error, OverflowError) as exc:
        raise ValueError(f"the filter {glob!r} cannot be read: {exc}") from None


def folder_globs(glob: str) -> list[str]:
    """Return globs of the folders that may hold what this one matches: those above it, the nearest first."""
    if _OPAQUE.search(glob):
        return ["/**"]
    rest, found = re.sub("/{2,}", "/", glob), list[str]()
    while (cut := max(rest.rfind("/"), rest.rfind("**"))) >= 0:
        deep = "**" if rest.startswith("**", cut) else ""
        rest = rest[:cut]
        if (above := f"{rest}{deep}/") not in found[-1:]:
            found.append(above)
    return found or ["/**"]


def _translated(glob: str) -> str:
    parts: list[str] = []
    depth = position = 0
    while position < len(glob):
        piece = _PIECE.match(glob, position)
        assert piece is not None  # noqa: S101  (the last kind is any character)
        kind, text, position = piece.lastgroup, piece[0], piece.end()
        if kind == "open":
            body, position = _set_from(glob, position)
            parts.append(body)
        elif kind == "brace":
            depth += {"{": 1, "}": -1}.get(text, 0)
            if depth < 0:
                raise ValueError("a } without its {")
            parts.append({"{": "(?:", "}": ")"}.get(text) or ("|" if depth else ","))
        else:
            parts.append(_simple(kind or "", text))
    if depth:
        raise ValueError("a { without its }")
    return "".join(parts)


def _simple(kind: str, text: str) -> str:
    if kind == "stars":
        if len(text) > 2:
            raise ValueError("more than two * in a row")
        return "[^/]*" if text == "*" else ".*"
    if kind == "one":
        return "[^/]"
    if kind == "raw":
        return f"(?:{_CLASS.sub(_ascii, text[2:-2])})"
    if text == "]":
        raise ValueError("a ] without its [")
    if text == "\\":
        raise ValueError("it ends with \\")
    if kind == "escaped" and (text[1].isalnum() or text[1] > "\x7f"):
        raise ValueError(
            f"{text} is not supported; write the character alone, or a regular expression: {{{{…}}}}"
        )
    return re.escape(text[1:] if kind == "escaped" else text)


def _ascii(found: re.Match[str]) -> str:
    """A class of characters as rclone reads it, which knows ASCII alone; Python's are of all scripts.

    The opposite of a class inside of a set stays as Python reads it: no set says it in other words.
    """
    if found[1] in _ASCII:
        return f"[{_ASCII[found[1]]}]"
    return _IN_SET.sub(lambda each: _ASCII[each[1]] if each[1] in "dws" else each[0], found[0])


def _set_from(glob: str, start: int) -> tuple[str, int]:
    """The set of characters whose [ was read, and where the glob goes on."""
    end, depth = start, 1
    while depth:
        if end == len(glob):
            raise ValueError("a [ without its ]")
        depth += {"[": 1, "]": -1}.get(glob[end], 0)
        end += 1
    named = re.sub(r"\[:(\w+):\]", lambda name: _NAMED_SETS.get(name[1], name[0]), glob[start : end - 1])
    # Signs that Python may take for operations on sets one day.
    plain = re.sub(r"(?<!\\)([\[&~|])", r"\\\1", named)
    return f"[{plain}]", end

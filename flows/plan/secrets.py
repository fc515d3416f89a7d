"""Secrets: the one place that decides what in a plan is a secret, by its key or by where it stands in a URL. Pure.

Rather too much than too little: what looks like a secret must be a reference, `${NAME}`, and is never shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

#: `${NAME}`: the value of an environment variable.
REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")

#: Written instead of the secret when a plan leaves the process.
MASK = "**********"

#: In a key, letters alone: what it names is a secret, unless it names the file that holds one.
_SECRET_KEY = re.compile(
    r"passw|passphrase|^pwd|pwd$|secret|token|credential|apikey|accesskey$|accountkey|privatekey|^pkey$|cookie"
    r"|authorization|^auth$|signature|^sig$|sastoken|connectionstring|connstr|bearer|otp$"
)
_NO_SECRET_KEY = re.compile(r"(file|path|url|uri|endpoint|name|timeout|expiry|lifetime|type)s?$")

#: A reference, or some, behind the word that a header has before it.
_REFERENCES = re.compile(rf"(?:[A-Za-z]{{1,10}} )?(?:{REFERENCE.pattern})+")

#: The password in a database URL: rather too much than too little of one that nobody has quoted.
_URL_PASSWORD = re.compile(r"://[^:/]*:(.*)@", re.DOTALL)
_QUERY_VALUE = re.compile(r"[?&;]([^=&;?]+)=([^&;]*)")


def is_secret_key(name: str) -> bool:
    """Tell whether an option of this name holds a secret, as far as names tell."""
    letters = re.sub(r"[^a-z0-9]", "", name.lower())
    return bool(_SECRET_KEY.search(letters)) and not _NO_SECRET_KEY.search(letters)


def is_reference(text: str) -> bool:
    """Tell whether nothing of the text is the secret itself: references alone, or the mask of one."""
    return text == MASK or bool(_REFERENCES.fullmatch(text))


def option_secrets(options: Any, key: str, *, inside: bool = False) -> Iterator[tuple[str, str]]:
    """Yield each secret text among options, however deep, with its dotted key."""
    if isinstance(options, dict):
        for name, value in options.items():
            yield from option_secrets(value, f"{key}.{name}", inside=inside or is_secret_key(str(name)))
    elif isinstance(options, list | tuple):
        for number, value in enumerate(options):
            yield from option_secrets(value, f"{key}.{number}", inside=inside)
    elif (inside and isinstance(options, str) and options) or (
        isinstance(options, str) and "://" in options and has_account_secret(options)
    ):
        yield key, options


def has_account_secret(url: str) -> bool:
    """Tell whether a URL has a password before its host, quoted or not, or a secret in its query."""
    _, found, rest = url.partition("://")
    if not found:
        return False
    if any(is_secret_key(unquote(name)) for name, value in _QUERY_VALUE.findall(rest) if value):
        return True
    host = rest.partition("/")[0]
    before, at, _ = rest.rpartition("@") if "@" not in host else host.rpartition("@")
    return bool(at) and ":" in before.partition("/")[0]


def database_url_secrets(url: str) -> list[str]:
    """Return the texts of a database URL that are secret: the password, and secrets in its query."""
    found = [value for name, value in _QUERY_VALUE.findall(url) if value and is_secret_key(unquote(name))]
    password = _URL_PASSWORD.search(url)
    return found if password is None or not password[1] else [*found, password[1]]


def masked_database_url(url: str) -> str:
    """Return the URL with a mask for each secret that stands in it and is no reference."""
    for value in sorted(database_url_secrets(url), key=len):
        if not is_reference(value):
            url = url.replace(value, MASK)
    return url

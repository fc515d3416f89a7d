"""Looks for secrets in everything that an exception carries: texts, attributes, causes, contexts, frames."""

from __future__ import annotations

import traceback
from collections.abc import Iterable

from connectors.box.sandbox import Sandbox


def secrets_of(box: Sandbox) -> list[str]:
    """What must never be seen: the client secret, the key, its passphrase, every token that was issued."""
    app = box.jwt_config["boxAppSettings"]
    key = app["appAuth"]
    lines = [line for line in str(key["privateKey"]).splitlines() if "-" not in line]
    return [app["clientSecret"], lines[1], *filter(None, [key.get("passphrase")]), *box.core.auth.tokens]


def found_in(error: BaseException, secrets: Iterable[str]) -> list[str]:
    """The secrets that can be reached from an exception; assertions ("eyJ…") always count."""
    seen: set[int] = set()
    texts: list[str] = []
    pending: list[object] = [error]
    while pending:
        thing = pending.pop()
        if id(thing) in seen or len(seen) > 5000:
            continue
        seen.add(id(thing))
        if isinstance(thing, BaseException):
            texts += traceback.format_exception(thing)
            pending += [thing.__cause__, thing.__context__, *thing.args, vars(thing)]
        elif isinstance(thing, dict):
            pending += [*thing.keys(), *thing.values()]
        elif isinstance(thing, list | tuple | set):
            pending += list(thing)
        elif isinstance(thing, str | bytes):
            texts.append(str(thing))
        elif hasattr(thing, "__dict__"):
            pending.append(vars(thing))
    everything = "\n".join(texts)
    return [each for each in [*secrets, "eyJ"] if each in everything]

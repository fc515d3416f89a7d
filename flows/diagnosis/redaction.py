"""Redaction: what must not leave the machine, taken out of texts and documents.

Twice over: documents are made without secrets; then every secret that is known is looked for in all that is written.
"""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from dotenv import dotenv_values

from connectors.box.config import JWTAuthConfig
from flows.errors import PlanError
from flows.plan.beside import NAME
from flows.plan.file import SECRET
from flows.plan.model import MigrationPlan
from flows.plan.references import expand, secret_fields
from flows.plan.secrets import (
    MASK,
    REFERENCE,
    database_url_secrets,
    has_account_secret,
    is_reference,
    is_secret_key,
    masked_database_url,
    option_secrets,
)

#: A secret is at least so long: what is shorter stands in every second word.
SHORTEST = 4

#: Variables with the name of a secret that hold a folder.
_NO_SECRETS = ("PWD", "OLDPWD")

#: What is a secret whoever made it: a private key, a signed token, a header with one.
_ANY_SECRET = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
    r"|\beyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)*"
    r"|(?<=Bearer )[A-Za-z0-9._~+/=-]{8,}",
    re.DOTALL,
)

#: The account in an address, with its password.
_ACCOUNT = re.compile(r"(?<=://)[^\s/:@]+:[^\s/@]+(?=@)")


class Redactor:
    """Takes these secrets out of a text, as they are and as they look in a URL, in JSON and in a header."""

    def __init__(self, secrets: Iterable[str]) -> None:
        forms = {
            form
            for secret in secrets
            for line in (secret, *secret.splitlines())
            if len(line) >= SHORTEST and not is_reference(line)
            for form in _forms(line)
        }
        longest_first = sorted(forms, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")

    def text(self, text: str) -> str:
        """The text with a mask for each secret."""
        return _ACCOUNT.sub(MASK, _ANY_SECRET.sub(MASK, self._known.sub(MASK, text)))

    def document(self, document: Any) -> Any:
        """The document with a mask for each secret in its texts and keys."""
        if isinstance(document, dict):
            return {self.text(str(name)): self.document(value) for name, value in document.items()}
        if isinstance(document, list | tuple):
            return [self.document(value) for value in document]
        return self.text(document) if isinstance(document, str) else document


def _forms(secret: str) -> Iterator[str]:
    yield secret
    yield quote(secret, safe="")
    yield quote(secret)
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret, ensure_ascii=False)[1:-1]
    yield repr(secret)[1:-1]
    yield base64.b64encode(secret.encode("utf-8", "surrogateescape")).decode().rstrip("=")


def known_secrets(file: Path, plan: MigrationPlan | None) -> list[str]:
    """Every secret that this process can know of: of the plan, its files, the environment and the `.env` beside it."""
    found = [value for name, value in os.environ.items() if is_secret_key(name) and name not in _NO_SECRETS]
    found += [value for name, value in _beside(file).items() if is_secret_key(name)]
    if plan is None:
        return found
    secrets = {key: value.get_secret_value() for key, value in secret_fields(plan).items()}
    secrets |= dict(option_secrets(plan.source.options, "source.options"))
    for number, text in enumerate(database_url_secrets(plan.state_url)):
        secrets[f"state_url.{number}"] = text
    for key, text in secrets.items():
        with suppress(PlanError):
            found += [text, expand(text, key=key)]
    auth = plan.box.auth
    if isinstance(auth, JWTAuthConfig):
        texts = [text for text in found if text.lstrip().startswith("{")]
        if auth.config_file is not None:
            with suppress(OSError, UnicodeDecodeError):
                texts.append(plan.path(auth.config_file).read_text(encoding="utf-8"))
        found += [secret for text in texts for secret in secrets_of_json(text)]
    return found


def _beside(file: Path) -> Mapping[str, str]:
    try:
        values = dotenv_values(file.resolve().parent / NAME, interpolate=False)
    except (OSError, UnicodeDecodeError):
        return {}
    return {name: value for name, value in values.items() if value}


def secrets_of_json(text: str) -> Iterator[str]:
    """Yield each text of a JSON document that stands under the key of a secret; all of it where it is no JSON."""
    try:
        document: Any = json.loads(text)
    except ValueError:
        yield text
        return
    waiting = [("", document)]
    while waiting:
        key, value = waiting.pop()
        if isinstance(value, dict):
            waiting += value.items()
        elif isinstance(value, list):
            waiting += [(key, each) for each in value]
        elif isinstance(value, str) and is_secret_key(key):
            yield value


def shown_plan(written: Any, *, valid: bool, key: str = "") -> Any:
    """A plan as it is written, without secrets.

    `valid`: its keys are known ones. Else anything may stand under any of them: only references, numbers and switches
    are shown. Of a source's options that is so in any case.
    """
    if isinstance(written, dict):
        below = {str(name): (f"{key}.{name}" if key else str(name), value) for name, value in written.items()}
        return {name: shown_plan(value, valid=valid, key=path) for name, (path, value) in below.items()}
    if isinstance(written, list):
        return [shown_plan(value, valid=valid, key=f"{key}.{number}") for number, value in enumerate(written)]
    if not isinstance(written, str):
        return written
    if key == "state_url" and valid:
        return masked_database_url(written)
    hidden = SECRET.fullmatch(key) or is_secret_key(key.rpartition(".")[2]) or has_account_secret(written)
    if hidden or key.startswith("source.options.") or not valid:
        return written if REFERENCE.fullmatch(written) else MASK
    return written

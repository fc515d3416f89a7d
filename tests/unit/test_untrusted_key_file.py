"""Key files of any shape end as credentials or as one line that does not quote them, never as a traceback."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from connectors.box.client.auth import load_credentials
from connectors.box.config import JWTAuthConfig
from connectors.errors import AuthenticationFailed

CANARY = "canary-4711-secret"

DOCUMENTS = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=12), st.just("\ud800")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=6),
    max_leaves=20,
)
quickly = settings(max_examples=60, deadline=None)


def assert_one_line(told: str | None) -> None:
    """The message is one line, of a length to read, without the secret."""
    assert CANARY not in (told or "")
    assert "\n" not in (told or "")
    assert len(told or "") < 2_000


JWT = {
    "boxAppSettings": {
        "clientID": "c",
        "clientSecret": CANARY,
        "appAuth": {"publicKeyID": "k", "privateKey": CANARY, "passphrase": CANARY},
    },
    "enterpriseID": "1",
}


def jwt_outcome(text: str) -> str | None:
    """What load_credentials() says of this key file; None when it takes it."""
    try:
        credentials = load_credentials(JWTAuthConfig(config=SecretStr(text)))
        assert credentials.key is not None
        credentials.key.load()
    except AuthenticationFailed as exc:
        assert exc.__cause__ is None or CANARY not in str(exc.__cause__)
        assert exc.__context__ is None or exc.__suppress_context__ or CANARY not in repr(exc.__context__)
        return str(exc)
    return None


@quickly
@given(
    st.one_of(st.text(min_size=1, max_size=200), DOCUMENTS.map(lambda value: json.dumps(value, default=str)))
)
@example("[" * 2_000)
@example("NaN")
@example('{"boxAppSettings": []}')
@example('{"boxAppSettings": {"appAuth": 3}}')
@example("9" * 5_000)
@example('{"a": 1' + CANARY)
def test_any_text_as_key_file_is_one_line(text: str) -> None:
    """A key file that is none is refused with one line that does not quote it."""
    told = jwt_outcome(text)

    assert told is not None
    assert_one_line(told)


@quickly
@given(
    st.sampled_from(["boxAppSettings", "enterpriseID", "clientID", "clientSecret", "appAuth", "publicKeyID",
                     "privateKey", "passphrase"]),
    DOCUMENTS,
)  # fmt: skip
def test_key_file_with_one_part_replaced(key: str, value: Any) -> None:
    """A key file of which one part is anything else is taken or refused with one line, without its secrets."""

    def replaced(part: Any) -> Any:
        if not isinstance(part, dict):
            return part
        return {name: value if name == key else replaced(inner) for name, inner in part.items()}

    told = jwt_outcome(json.dumps(replaced(JWT), default=str))

    assert_one_line(told)

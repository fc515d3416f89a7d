"""Tokens: what the token endpoint accepts and refuses, and what a token is good for."""

from __future__ import annotations

import json
import time
import uuid
from typing import Any

import jwt
import pytest
import requests
from box_sdk_gen import BoxAPIError, BoxClient, BoxJWTAuth, JWTConfig
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from connectors.box.sandbox import Sandbox
from tests.integration.sandbox.conftest import Raw, client_of, make_folder, network

JWT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


def post(box: Sandbox, form: dict[str, str], path: str = "/oauth2/token") -> requests.Response:
    """One call of the token endpoint with the right client credentials."""
    ccg = box.jwt_config["ccg"]
    return requests.post(box.url + path, data={**ccg, **form}, timeout=30)


def assertion(box: Sandbox, key: Any = None, kid: str | None = None, **claims: Any) -> str:
    """A signed assertion for the service account, with some claims replaced."""
    app = box.core.application
    if key is None:
        key = serialization.load_pem_private_key(app.private_key.encode(), app.passphrase.encode())
    body = {
        "iss": app.client_id, "sub": app.enterprise_id, "box_sub_type": "enterprise", "jti": uuid.uuid4().hex,
        "aud": "https://api.box.com/oauth2/token", "exp": int(time.time()) + 30,
    } | claims  # fmt: skip
    body = {name: value for name, value in body.items() if value is not None}
    return jwt.encode(body, key, algorithm="RS256", headers={"kid": kid or app.public_key_id})


def grant(box: Sandbox, **claims: Any) -> tuple[int, dict[str, Any]]:
    """Status and body for an assertion."""
    answer = post(box, {"grant_type": JWT, "assertion": assertion(box, **claims)})
    return answer.status_code, answer.json()


def test_jwt_token(box: Sandbox) -> None:
    """A good assertion gives a bearer token of about an hour."""
    status, body = grant(box)

    assert (200, "bearer", 3600, []) == (
        status,
        body["token_type"],
        body["expires_in"],
        body["restricted_to"],
    )


@pytest.mark.parametrize(
    ("claims", "words"),
    [
        ({"exp": 1_000_000}, "before the expiration"),
        ({"exp": 4_000_000_000}, "exceeds the maximum value of 60 seconds"),
        ({"jti": "short"}, "'jti' claim"),
        ({"jti": None}, "'jti' claim"),
        ({"aud": "http://127.0.0.1/oauth2/token"}, "'aud' claim"),
        ({"iss": "other"}, "'iss' claim"),
        ({"sub": "1"}, "'sub' claim"),
        ({"box_sub_type": "other"}, "'sub' claim"),
        ({"kid": "other"}, "'kid' header"),
        ({"exp": None}, "'exp' claim"),
    ],
)
def test_wrong_claims(box: Sandbox, claims: dict[str, Any], words: str) -> None:
    """Each wrong claim answers 400 invalid_grant in the OAuth shape, and names the claim."""
    status, body = grant(box, **claims)

    assert (400, {"error", "error_description"}, "invalid_grant") == (status, set(body), body["error"])
    assert words in body["error_description"]


def test_assertion_works_once(box: Sandbox) -> None:
    """The same assertion sent twice is refused for its jti."""
    form = {"grant_type": JWT, "assertion": assertion(box)}

    assert 200 == post(box, form).status_code
    assert "A unique 'jti' value is required" in post(box, form).json()["error_description"]


def test_foreign_key_is_refused(box: Sandbox) -> None:
    """A signature by another key is worth nothing."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    assert 400 == grant(box, key=key)[0]


def test_unauthorised_app(box: Sandbox) -> None:
    """Before an admin authorises the app, JWT answers unauthorized_client and CCG invalid_grant."""
    box.settings.app_authorized = False
    ccg = {"grant_type": "client_credentials", "box_subject_type": "enterprise"}
    answer = post(box, {**ccg, "box_subject_id": box.core.application.enterprise_id})

    assert "unauthorized_client" == grant(box)[1]["error"]
    assert "invalid_grant" == answer.json()["error"]


def test_wrong_secret(box: Sandbox) -> None:
    """A wrong client secret answers invalid_client."""
    assert "invalid_client" == post(box, {"grant_type": JWT, "client_secret": "x"}).json()["error"]


def test_clock_skew_is_shown_by_the_date_header(box: Sandbox) -> None:
    """A client whose clock is wrong is refused, and finds the server's time in the Date header."""
    box.settings.clock_offset_seconds = 300
    answer = post(box, {"grant_type": JWT, "assertion": assertion(box)})
    assert "before the expiration" in answer.json()["error_description"]
    assert "Date" in answer.headers

    assert 200 == grant(box, exp=int(time.time()) + 330)[0]


def test_ccg_for_users(box: Sandbox) -> None:
    """Client credentials give tokens of app users, of managed users with enterprise access, never of the others."""
    app, ann = box.add_user("w@example.com", kind="app"), box.add_user("ann@example.com")
    eve = box.add_user("eve@elsewhere.org", kind="external")
    form = {"grant_type": "client_credentials", "box_subject_type": "user"}

    def ask(user_id: str) -> int:
        return post(box, {**form, "box_subject_id": user_id}).status_code

    assert (200, 200, 400, 400) == (ask(app.id), ask(ann.id), ask(eve.id), ask(box.service_account.id))
    box.settings.app_access = "app"
    assert (200, 400) == (ask(app.id), ask(ann.id))


def test_refresh_tokens_work_once(box: Sandbox) -> None:
    """A refresh token gives a token pair, and is spent."""
    ann = box.add_user("ann@example.com")
    form = {"grant_type": "refresh_token", "refresh_token": box.core.auth.issue_refresh(ann)}
    first = post(box, form).json()

    assert {"access_token", "refresh_token"} <= set(first)
    assert "invalid_grant" == post(box, form).json()["error"]


def test_revoked_and_expired_tokens(box: Sandbox) -> None:
    """Revoked and expired tokens answer 401 invalid_token; others live on."""
    first, second, third = box.token(), box.token(), box.token()
    assert 200 == post(box, {"token": first}, "/oauth2/revoke").status_code
    box.core.auth.expire(second)

    def me(token: str) -> requests.Response:
        return requests.get(
            f"{box.url}/2.0/users/me", headers={"Authorization": f"Bearer {token}"}, timeout=30
        )

    assert "invalid_token" in me(first).headers["www-authenticate"]
    assert "invalid_token" in me(second).headers["www-authenticate"]
    assert (401, 401, 200) == (me(first).status_code, me(second).status_code, me(third).status_code)


def test_sdk_refreshes_by_itself(box: Sandbox) -> None:
    """The SDK, its own retries on, survives the expiry of its token."""
    session = network(box)
    session.retry_strategy.max_attempts = 3
    auth = BoxJWTAuth(JWTConfig.from_config_json_string(json.dumps(box.jwt_config)))
    client = BoxClient(auth=auth, network_session=session)
    client.users.get_user_me()
    box.expire_tokens()

    assert box.service_account.id == client.users.get_user_me().id
    assert 2 == box.calls.by_route["POST /oauth2/token"]


def test_missing_scope(box: Sandbox, client: BoxClient) -> None:
    """A call outside the app's scopes answers 403, insufficient_scope in the header."""
    box.settings.scopes = ("root_readonly",)
    client.folders.get_folder_items("0")
    for call in (lambda: make_folder(client, "x"), lambda: client.groups.get_groups()):
        with pytest.raises(BoxAPIError) as error:
            call()
        answer = error.value.response_info
        assert (403, True) == (answer.status_code, "insufficient_scope" in answer.headers["www-authenticate"])


def test_global_content_manager_disables_writes(box: Sandbox, client: BoxClient) -> None:
    """With the scope enterprise_content plain writes fail, and only those as another user work."""
    ann = box.add_user("ann@example.com")
    box.settings.scopes = (*box.settings.scopes, "enterprise_content")
    with pytest.raises(BoxAPIError) as error:
        make_folder(client, "x")
    make_folder(client.with_as_user_header(ann.id), "x")

    assert 403 == error.value.response_info.status_code


def test_inactive_user(box: Sandbox, client: BoxClient) -> None:
    """A user set inactive has no valid token any more."""
    worker = box.add_user("w@example.com", kind="app")
    theirs = client_of(box, worker.id)
    theirs.users.get_user_me()
    client.users.update_user_by_id(worker.id, status="inactive")
    with pytest.raises(BoxAPIError) as error:
        theirs.users.get_user_me()

    assert error.value.response_info.status_code in {400, 401}


def test_secrets_stay_out_of_sight(box: Sandbox, tmp_path: Any) -> None:
    """The configuration file is readable by its owner alone, and no repr shows a secret."""
    box.write_config(tmp_path / "config.json")
    app = box.core.application

    assert 0o600 == (tmp_path / "config.json").stat().st_mode & 0o777
    assert app.client_secret not in repr(app)
    assert app.passphrase not in repr(app)


def test_no_token(raw: Raw) -> None:
    """Without a token every call answers 401."""
    del raw.session.headers["Authorization"]

    assert (401, 401) == (raw("GET", "/2.0/users/me").status_code, raw.folder("x").status_code)

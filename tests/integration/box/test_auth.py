"""Signing in: one token for many threads, ahead of expiry, by Box's clock, and nothing secret in any error."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import SecretStr

from connectors.box.config import AuthConfig, BoxConfig, CCGAuthConfig, JWTAuthConfig
from connectors.box.destination import BoxDestination
from connectors.box.sandbox import Sandbox
from connectors.errors import AuthenticationFailed, BoxUnreachable, ConnectionLost, ConnectorError, ServerBusy
from tests.integration.box.files import opener, upload
from tests.integration.box.secrets import found_in, secrets_of

TOKEN = "POST /oauth2/token"


def jwt(config: dict[str, Any], **more: Any) -> JWTAuthConfig:
    return JWTAuthConfig(config=SecretStr(json.dumps(config)), **more)


def ccg(box: Sandbox, **changes: Any) -> CCGAuthConfig:
    app = box.jwt_config["ccg"]
    given = {
        "client_id": app["client_id"],
        "client_secret": app["client_secret"],
        "enterprise_id": box.jwt_config["enterprise_id"],
    }
    return CCGAuthConfig(**(given | changes))


def with_key(box: Sandbox, pem: str, **changes: Any) -> dict[str, Any]:
    """The JWT configuration with another private key."""
    config = json.loads(json.dumps(box.jwt_config))
    config["boxAppSettings"]["appAuth"] |= {"privateKey": pem} | changes
    return config


def pem_of(key: rsa.RSAPrivateKey, passphrase: str | None = None) -> str:
    how = (
        serialization.BestAvailableEncryption(passphrase.encode())
        if passphrase
        else serialization.NoEncryption()
    )
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, how).decode()


def own_key(box: Sandbox) -> rsa.RSAPrivateKey:
    """The application's real private key, decrypted."""
    key = box.jwt_config["boxAppSettings"]["appAuth"]
    loaded = serialization.load_pem_private_key(
        key["privateKey"].encode(), key["passphrase"].encode() if key.get("passphrase") else None
    )
    assert isinstance(loaded, rsa.RSAPrivateKey)
    return loaded


def signed_in(config: BoxConfig, auth: AuthConfig, base_dir: Path | None = None) -> str:
    """Who we are with these credentials."""
    with BoxDestination(config.model_copy(update={"auth": auth}), base_dir=base_dir) as destination:
        return destination.whoami().id


def refused(config: BoxConfig, auth: AuthConfig, base_dir: Path | None = None) -> AuthenticationFailed:
    """The error of a refused login."""
    with pytest.raises(AuthenticationFailed) as caught:
        signed_in(config, auth, base_dir)
    return caught.value


def test_the_service_account_is_recognised(box: Sandbox, destination: BoxDestination) -> None:
    """id, login, enterprise, space and the login's pattern; asked once."""
    account = destination.whoami()
    destination.whoami()

    assert box.service_account.id == account.id
    assert account.is_service_account
    assert box.jwt_config["enterprise_id"] == account.enterprise_id
    assert 10 * 1024**3 == account.space_amount
    assert {TOKEN: 1, "GET /users/me": 1} == destination.call_counts()


def test_configuration_file_beside_the_plan(config: BoxConfig, config_file: Path, box: Sandbox) -> None:
    """A relative path is relative to the plan's folder."""
    auth = JWTAuthConfig(config_file=Path(config_file.name))

    assert box.service_account.id == signed_in(config, auth, config_file.parent)


def test_client_credentials(box: Sandbox, config: BoxConfig) -> None:
    """Enterprise id: the service account; user id: that user."""
    user = box.add_user("worker@example.com", kind="app")

    assert box.service_account.id == signed_in(config, ccg(box))
    assert user.id == signed_in(config, ccg(box, user_id=user.id))


def test_keys_with_and_without_passphrase(box: Sandbox, config: BoxConfig) -> None:
    """Encrypted, plain, plain with a needless passphrase, and with \\n spelled out: each signs in."""
    key = own_key(box)
    given = [
        with_key(box, pem_of(key, "other pass"), passphrase="other pass"),
        with_key(box, pem_of(key), passphrase=None),
        with_key(box, pem_of(key), passphrase=""),
        with_key(box, pem_of(key), passphrase="needless"),
        with_key(box, pem_of(key).replace("\n", "\\n"), passphrase=None),
    ]

    assert [box.service_account.id] * 5 == [signed_in(config, jwt(each)) for each in given]


def test_an_unauthorised_app_is_explained(box: Sandbox, config: BoxConfig) -> None:
    """The exact place in the Admin Console and the client id to authorise."""
    box.settings.app_authorized = False
    error = refused(config, config.auth)

    assert "Admin Console > Integrations > Platform Apps Manager" in str(error)
    assert box.jwt_config["boxAppSettings"]["clientID"] in str(error)
    assert "unauthorized_client" in str(error)
    assert [] == found_in(error, secrets_of(box))


def test_each_wrong_credential_is_named(box: Sandbox, config: BoxConfig, tmp_path: Path) -> None:
    """Secret, key, key id, passphrase, subject, file: each has its own advice, and none shows a secret."""
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    wrong_secret = json.loads(json.dumps(box.jwt_config))
    wrong_secret["boxAppSettings"]["clientSecret"] = "hunter2-hunter2"
    no_secret = json.loads(json.dumps(box.jwt_config))
    del no_secret["boxAppSettings"]["clientSecret"]
    (tmp_path / "broken.json").write_text("{not json")
    cases: list[tuple[AuthConfig, str]] = [
        (jwt(wrong_secret), "client secret do not fit"),
        (ccg(box, client_secret="hunter2-hunter2"), "client secret do not fit"),
        (jwt(with_key(box, pem_of(stranger), passphrase=None)), "not a key of this app any more"),
        (jwt(with_key(box, pem_of(own_key(box)), publicKeyID="rotated1", passphrase=None)), "rotated1"),
        (
            jwt(with_key(box, pem_of(own_key(box), "right"), passphrase="hunter2-hunter2")),
            "passphrase is wrong",
        ),
        (jwt(with_key(box, pem_of(own_key(box), "right"), passphrase=None)), "passphrase is missing"),
        (jwt(with_key(box, "no key at all")), "damaged"),
        (jwt(box.jwt_config | {"enterpriseID": "4711"}), "act as enterprise 4711"),
        (ccg(box, enterprise_id="4711"), "enterprise id 4711"),
        (jwt(no_secret), "lacks 'clientSecret'"),
        (JWTAuthConfig(config=SecretStr("hunter2-hunter2")), "not the JSON file"),
        (JWTAuthConfig(config_file=tmp_path / "absent.json"), "No such file"),
        (JWTAuthConfig(config_file=tmp_path / "broken.json"), "not the JSON file"),
    ]
    for auth, advice in cases:
        error = refused(config, auth, tmp_path)

        assert advice in str(error)
        assert [] == found_in(error, [*secrets_of(box), "hunter2-hunter2"])


@pytest.mark.parametrize("offset", [-3600, -45, 45, 3600])
def test_a_wrong_clock_is_corrected(box: Sandbox, config: BoxConfig, offset: int) -> None:
    """Box's Date header tells its time: the second assertion fits, and the skew is shown."""
    box.settings.clock_offset_seconds = offset
    with BoxDestination(config) as destination:
        destination.whoami()
        skew = destination.clock_skew_seconds()

        assert destination.call_counts()[TOKEN] <= 2
    assert skew is not None
    assert abs(skew - offset) < 5


def test_a_repeated_assertion_gets_another_jti(box: Sandbox, config: BoxConfig) -> None:
    """Every attempt signs anew: answers lost after the effect do not burn the login."""
    box.faults.next(TOKEN).status(500, after_effect=True).times(2)

    assert box.service_account.id == signed_in(config, config.auth)
    assert 3 == box.calls.by_route[TOKEN]


def test_a_jti_taken_for_a_repeat_is_replaced(box: Sandbox, config: BoxConfig) -> None:
    """Box says that the jti was seen: one more assertion, not an error."""
    body = {
        "error": "invalid_grant",
        "error_description": "Please check the 'jti' claim. A unique 'jti' value is required.",
    }
    box.faults.next(TOKEN).status(400, body=body)

    assert box.service_account.id == signed_in(config, config.auth)


def test_a_login_that_is_refused_for_ever_ends(box: Sandbox, config: BoxConfig) -> None:
    """Assertions per token are bounded."""
    body = {
        "error": "invalid_grant",
        "error_description": "Please check the 'jti' claim. A unique 'jti' value is required.",
    }
    box.faults.next(TOKEN).status(400, body=body).times(None)

    assert "clock" in str(refused(config, config.auth))
    assert 4 == box.calls.by_route[TOKEN]


def test_one_token_for_many_threads(box: Sandbox, destination: BoxDestination) -> None:
    """Cold start, and a token that expired under 16 threads: one token request each time."""

    def ask_all() -> None:
        threads = [threading.Thread(target=destination.folder_info, args=("0",)) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    ask_all()
    cold = box.calls.by_route[TOKEN]
    box.expire_tokens()
    ask_all()

    assert (1, 2) == (cold, box.calls.by_route[TOKEN])


def test_a_token_is_replaced_before_it_ends(box: Sandbox, destination: BoxDestination) -> None:
    """When less than its last fifth or 300 s are left, the next call takes a new token; no 401 ever."""
    box.settings.token_ttl = 3600
    for minutes in (0, 49, 51, 90, 102):
        box.settings.clock_offset_seconds = 60 * minutes
        destination._service.auth._wall_clock = lambda: time.time() + box.settings.clock_offset_seconds
        destination.folder_info("0")

    assert (3, 0) == (destination.call_counts()[TOKEN], destination.call_counts_by_status().get(401, 0))


def test_a_refused_token_is_replaced_once(box: Sandbox, destination: BoxDestination) -> None:
    """401 after 401: one new token, then the operator is told; the account may be blocked."""
    box.faults.next("GET /folders/:id").status(401, error="unauthorized").times(None)
    with pytest.raises(AuthenticationFailed) as caught:
        destination.folder_info("0")

    assert (2, 2) == (box.calls.by_route["GET /folders/:id"], box.calls.by_route[TOKEN])
    assert [] == found_in(caught.value, secrets_of(box))


def test_tokens_kept_in_a_file(box: Sandbox, config: BoxConfig, tmp_path: Path) -> None:
    """When asked: mode 0600, used by the next process, not by another app, and not when others can read it."""
    kept = jwt(box.jwt_config, token_file=tmp_path / "token.json")
    signed_in(config, kept)
    mode = (tmp_path / "token.json").stat().st_mode & 0o777
    signed_in(config, kept)
    with_file = box.calls.by_route[TOKEN]
    (tmp_path / "token.json").chmod(0o644)
    signed_in(config, kept)
    readable = box.calls.by_route[TOKEN]
    signed_in(
        config,
        ccg(
            box,
            client_id=box.jwt_config["ccg"]["client_id"],
            user_id=box.add_user("a@b.c", kind="app").id,
            token_file=tmp_path / "token.json",
        ),
    )

    assert 0o600 == mode
    assert (1, 2, 3) == (with_file, readable, box.calls.by_route[TOKEN])
    assert ["token.json"] == [path.name for path in tmp_path.iterdir()]


def test_a_token_of_an_earlier_run_that_ended(box: Sandbox, config: BoxConfig, tmp_path: Path) -> None:
    """A kept token that Box does not know any more is replaced."""
    kept = jwt(box.jwt_config, token_file=tmp_path / "token.json")
    signed_in(config, kept)
    box.expire_tokens()

    assert box.service_account.id == signed_in(config, kept)


def test_no_error_carries_a_secret(box: Sandbox, config: BoxConfig) -> None:
    """Every status on a token request and on a call: nothing that can be reached from the error is secret."""
    for route in (TOKEN, "POST /files/content", "GET /folders/:id/items"):
        for status in (400, 401, 503):
            box.faults.clear()
            box.faults.next(route).status(status).times(None)
            with BoxDestination(config) as destination, pytest.raises(ConnectorError) as caught:
                destination.put(upload("0", "a", b"x"), opener(b"x"))
                list(destination.list_folder("0"))

            assert [] == found_in(caught.value, secrets_of(box))
        box.faults.clear()
        box.faults.next(route).reset().times(None)
        with BoxDestination(config) as destination, pytest.raises(ConnectorError) as caught:
            destination.put(upload("0", "a", b"x"), opener(b"x"))
            list(destination.list_folder("0"))

        assert [] == found_in(caught.value, secrets_of(box))


def test_a_token_endpoint_that_is_down_is_transient(box: Sandbox, config: BoxConfig) -> None:
    """503 for ever from the token endpoint is not a refused login."""
    box.faults.next(TOKEN).status(503).times(None)
    with BoxDestination(config) as destination, pytest.raises(ServerBusy):
        destination.folder_info("0")


@pytest.mark.parametrize("status", [404, 405, 410])
def test_an_address_that_is_not_box_is_told_as_such(box: Sandbox, config: BoxConfig, status: int) -> None:
    """A token address that is not there speaks of base_url, not of a file or folder that is gone."""
    box.faults.next("POST /oauth2/token").status(status).times(None)
    with BoxDestination(config) as destination, pytest.raises(BoxUnreachable, match="base_url"):
        destination.whoami()


def test_many_threads_share_one_failure(destination: BoxDestination) -> None:
    """A token address that takes connections and says nothing: eight threads wait as long as one does."""
    auth, asked, silent = destination._service.auth, [], threading.Event()

    def ask() -> ConnectionLost:
        asked.append(1)
        silent.wait(30)
        return ConnectionLost()

    auth._ask = ask  # type: ignore[method-assign]
    with ThreadPoolExecutor(8) as threads:
        pending = [threads.submit(auth.current) for _ in range(8)]
        while not all(each.running() for each in pending):
            time.sleep(0.01)
        time.sleep(0.2)
        silent.set()
        errors = [each.exception(30) for each in pending]

    assert {ConnectionLost} == {type(error) for error in errors}
    assert 1 == len(asked)


def test_secrets_do_not_show_in_reprs(box: Sandbox, config: BoxConfig) -> None:
    """Configurations and credentials may be printed."""
    with BoxDestination(config) as destination:
        destination.whoami()
        connection = destination._service
        shown = f"{config!r} {ccg(box)!r} {connection.auth.credentials!r} {connection.auth._token!r} {vars(connection)}"

    assert [] == [secret for secret in secrets_of(box) if secret in shown]


def test_a_late_401_does_not_cost_the_new_token(box: Sandbox, destination: BoxDestination) -> None:
    """A thread whose old token was refused does not throw away what another one fetched meanwhile."""
    destination.folder_info("0")
    box.expire_tokens()
    other = threading.Thread(target=destination.folder_info, args=("0",))
    other.start()
    other.join()
    destination._service.auth.reject()
    destination.folder_info("0")

    assert 2 == box.calls.by_route[TOKEN]

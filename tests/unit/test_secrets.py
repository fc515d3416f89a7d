"""What a plan takes for a secret, and that none of them leaves it."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from flows.plan.model import MigrationPlan
from flows.plan.secrets import MASK, has_account_secret, is_secret_key, masked_database_url

CANARY = "canary-7f"
AUTH = {"method": "ccg", "client_id": "app", "client_secret": "${BOX_SECRET}", "enterprise_id": "1"}


def plan_with(source: dict[str, object] | None = None, **changes: object) -> MigrationPlan:
    """A plan with this source and these keys."""
    url = {"url": "sftp://fs01.example.com/data"}
    document = {"name": "p", "source": url | (source or {}), "box": {"auth": AUTH}, **changes}
    return MigrationPlan.model_validate(document)


@pytest.mark.parametrize(
    "name",
    [
        "password", "PASSWORD", "passwd", "pwd", "sslpassword", "key_passphrase", "secret", "client-secret",
        "aws_secret_access_key", "account_key", "sas_token", "token", "access_token", "api_key", "apikey",
        "connection_string", "credential", "credentials", "Authorization", "cookie", "private_key", "pkey", "auth",
    ],
)  # fmt: skip
def test_option_that_is_a_secret_by_its_name(name: str) -> None:
    """Such an option must be a reference; the secret itself is refused, and not repeated in the refusal."""
    assert is_secret_key(name)
    with pytest.raises(ValidationError) as caught:
        plan_with({"options": {name: CANARY}})
    assert CANARY not in str(caught.value.errors(include_input=False))
    plan_with({"options": {name: "${FROM_OUTSIDE}"}})


@pytest.mark.parametrize(
    "name",
    [
        "key_file",
        "password_file",
        "token_path",
        "encrypt",
        "known_hosts",
        "username",
        "host",
        "keepalive",
        "key",
    ],
)
def test_option_that_is_no_secret(name: str) -> None:
    """A file that holds a secret is none, and what is only near one by its name is none."""
    assert not is_secret_key(name)
    assert {name: "value"} == plan_with({"options": {name: "value"}}).source.options


@pytest.mark.parametrize(
    "options",
    [
        {"client_kwargs": {"headers": {"Authorization": f"Bearer {CANARY}"}}},
        {"credentials": {"client_email": CANARY}},
        {"hosts": [{"password": CANARY}]},
        {"proxy": f"http://user:{CANARY}@proxy.example.com:8080"},
        {"endpoint": f"https://host/path?sig={CANARY}"},
    ],
)
def test_secret_deep_among_the_options(options: dict[str, object]) -> None:
    """However deep it lies, a secret is found."""
    with pytest.raises(ValidationError):
        plan_with({"options": options})


def test_header_with_a_reference_is_taken() -> None:
    """The word before a token is no secret."""
    plan_with({"options": {"headers": {"Authorization": "Bearer ${TOKEN}"}}})


@pytest.mark.parametrize("sign", ["", "#", "/", "?", "@", ":", "%2F", " "])
@pytest.mark.parametrize("scheme", ["smb", "sftp", "ftp", "https"])
def test_password_in_the_source_url(scheme: str, sign: str) -> None:
    """A password in the URL is refused whatever signs it holds."""
    url = f"{scheme}://user:can{sign}ary@fs01.example.com/data"
    assert has_account_secret(url)
    with pytest.raises(ValidationError):
        plan_with({"url": url})


@pytest.mark.parametrize(
    "url",
    [
        "smb://fs01.example.com/data/ann@example.com",
        "sftp://svc@fs01.example.com:2222/data",
        "file:///srv/a:b@c",
        "s3://bucket/a:b@c",
        "sftp://[fe80::1]:22/data",
    ],
)
def test_source_url_without_a_password(url: str) -> None:
    """A user, a port, and signs within the path are no password."""
    assert url == plan_with({"url": url}).source.url


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://u:{CANARY}@host/db",
        f"postgresql://u:a#{CANARY}/b?c@host/db",
        f"postgresql://u@host/db?password={CANARY}",
        f"postgresql://host:5432/db?sslmode=require&sslpassword={CANARY}@x",
        f"postgresql://u:${{A}}{CANARY}@host/db",
    ],
)
def test_secret_in_the_state_url_is_masked(url: str) -> None:
    """Wherever it stands in the URL, it is in no dump of the plan, and the plan says which key holds one."""
    plan = plan_with(state_url=url)

    assert CANARY not in json.dumps(plan.model_dump(mode="json"))
    assert CANARY not in repr(plan)
    assert MASK in plan.model_dump(mode="json")["state_url"]
    assert "state_url" in plan.written_secrets()


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:///a.db",
        "postgresql://u:${PW}@host/db",
        "postgresql://host/db?password=${PW}&sslmode=require",
        "${URL}",
    ],
)
def test_state_url_without_a_written_secret_stays(url: str) -> None:
    """References are what a worker needs."""
    assert url == masked_database_url(url) == plan_with(state_url=url).model_dump(mode="json")["state_url"]


@pytest.mark.parametrize("key", ["base_url", "upload_url"])
@pytest.mark.parametrize("sign", ["", "#", "/", "?"])
def test_password_in_a_box_url(key: str, sign: str) -> None:
    """An address of Box with an account in it is refused whatever signs it holds."""
    with pytest.raises(ValidationError):
        plan_with(box={"auth": AUTH, key: f"https://user:can{sign}ary@api.box.com"})

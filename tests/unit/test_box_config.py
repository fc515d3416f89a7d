"""The Box side of a plan: defaults, masks, and what is refused before anything is sent."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, SecretStr, ValidationError

from connectors.box import config as module
from connectors.box.config import (
    BlockAuthConfig,
    BoxConfig,
    CCGAuthConfig,
    JWTAuthConfig,
    UploadLimits,
    checked_url,
)

AUTH = {"method": "block", "name": "box"}


def test_defaults_are_boxs_published_numbers() -> None:
    """240 uploads and 1,000 calls a minute, sessions from 50 MB, Box's addresses, the account's own root, an hour."""
    config = BoxConfig.model_validate({"auth": AUTH})

    assert (240, 1000, 60.0) == (
        config.limits.uploads_per_minute,
        config.limits.calls_per_minute,
        config.limits.window_seconds,
    )
    assert (50_000_000, 4, "0", []) == (
        config.direct_upload_limit_bytes,
        config.part_threads,
        config.landing_folder_id,
        config.identities,
    )
    assert 60.0 == config.limits.outage_minutes
    assert ("https://api.box.com", "https://upload.box.com/api") == (config.base_url, config.upload_url)


def test_every_method_is_told_by_its_name() -> None:
    """jwt, ccg and block each give their own model."""
    given = [
        {"method": "jwt", "config_file": "box.json"},
        {"method": "ccg", "client_id": "c", "client_secret": "s", "enterprise_id": "1"},
        AUTH,
    ]
    made = [BoxConfig.model_validate({"auth": auth}).auth for auth in given]

    assert [JWTAuthConfig, CCGAuthConfig, BlockAuthConfig] == [type(each) for each in made]


@pytest.mark.parametrize(
    "wrong",
    [
        {"auth": {"method": "jwt"}},
        {"auth": {"method": "jwt", "config_file": "a", "config": "{}"}},
        {"auth": {"method": "ccg", "client_id": "c", "client_secret": "s"}},
        {"auth": {"method": "oauth"}},
        {"auth": AUTH, "base_url": "http://api.box.com"},
        {"auth": AUTH, "upload_url": "ftp://upload.box.com"},
        {"auth": AUTH, "base_url": "api.box.com"},
        {"auth": AUTH, "base_url": "https://user:pass@api.box.com"},
        {"auth": AUTH, "landing_folder_id": "Top"},
        {"auth": AUTH, "identities": ["1", "1"]},
        {"auth": AUTH, "identities": ["ann@example.com"]},
        {"auth": AUTH, "direct_upload_limit_bytes": 19_999_999},
        {"auth": AUTH, "direct_upload_limit_bytes": 50_000_001},
        {"auth": AUTH, "limits": {"uploads_per_minute": 0}},
        {"auth": AUTH, "limits": {"outage_minutes": -1}},
        {"auth": AUTH, "limits": {"outage_minutes": ".inf"}},
        {"auth": AUTH, "limits": {"outage_minutes": float("nan")}},
        {"auth": AUTH, "verify": False},
    ],
)
def test_what_cannot_work_is_refused(wrong: dict[str, Any]) -> None:
    """Unknown keys, half credentials, plain http, impossible numbers."""
    with pytest.raises(ValidationError):
        BoxConfig.model_validate(wrong)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8080", "http://localhost:1", "http://[::1]:9", "https://box.proxy/x"]
)
def test_plain_http_is_for_this_machine(url: str) -> None:
    """A sandbox is reached in the clear, Box never."""
    assert url == checked_url(url)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1.evil.example", "http://localhost.evil.example", "http://10.0.0.1"]
)
def test_names_that_only_look_like_this_machine(url: str) -> None:
    """The host is compared as a whole."""
    with pytest.raises(ValueError, match="https only"):
        checked_url(url)


def test_a_trailing_slash_does_not_matter() -> None:
    """Paths are appended with their own slash."""
    assert (
        "https://proxy/box"
        == BoxConfig.model_validate({"auth": AUTH, "base_url": "https://proxy/box/"}).base_url
    )


def test_secrets_are_masked() -> None:
    """Neither repr nor dump nor a validation error shows a secret."""
    config = BoxConfig(
        auth=CCGAuthConfig(client_id="c", client_secret=SecretStr("hunter2"), enterprise_id="1")
    )
    text = BoxConfig(auth=JWTAuthConfig(config=SecretStr("hunter2")))

    assert "hunter2" not in f"{config!r} {config.model_dump_json()} {text!r} {text.model_dump_json()}"


def test_every_option_is_described_in_a_sentence() -> None:
    """The documentation of a plan is made of these."""
    models = [
        each for each in vars(module).values() if isinstance(each, type) and issubclass(each, BaseModel)
    ]
    descriptions = {
        f"{model.__name__}.{name}": field.description or ""
        for model in models
        for name, field in model.model_fields.items()
    }

    assert len(descriptions) > 15
    assert [] == [name for name, text in descriptions.items() if not text.endswith(".") or len(text) < 10]


def test_limits_are_a_value() -> None:
    """Two equal limits are equal, and they read well."""
    assert UploadLimits() == UploadLimits(uploads_per_minute=240)
    assert "uploads_per_minute=240" in repr(UploadLimits())

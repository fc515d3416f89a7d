"""What leaves the machine in an archive: no secret in any form, on request no name (P8). And what undeploy takes."""

from __future__ import annotations

import base64
import json
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest

from flows.deploy.deployments import INSTALLED_BELOW
from flows.deploy.removal import Deployed, is_ours, names_of_deployments
from flows.diagnosis.gathering import without_message
from flows.diagnosis.names import Names
from flows.diagnosis.redaction import Redactor, secrets_of_json, shown_plan
from flows.plan.secrets import MASK

SECRET = 'p/ss"wörd+1'


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        quote(SECRET),
        quote(SECRET, safe=""),
        json.dumps(SECRET)[1:-1],
        base64.b64encode(SECRET.encode()).decode(),
    ],
)
def test_secret_in_any_form(form: str) -> None:
    """As it is, in a URL, in JSON, in a header; in the midst of a text."""
    assert f"before {MASK}" == Redactor([SECRET]).text(f"before {form}").rstrip("=")


@pytest.mark.parametrize(
    "text",
    [
        "-----BEGIN PRIVATE KEY-----\nMII\nmore\n-----END PRIVATE KEY-----",
        "-----BEGIN RSA PRIVATE KEY-----\nMII cut off",
        "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJ4In0.c2ln",
    ],
)
def test_secret_that_nobody_told_of(text: str) -> None:
    """Keys and signed tokens are known by their looks."""
    assert f"a {MASK} b" == Redactor([]).text(f"a {text} b") or f"a {MASK}" == Redactor([]).text(
        f"a {text} b"
    )
    assert f"smb://{MASK}@fs01/x" == Redactor([]).text("smb://ann:hunter2@fs01/x")
    assert "Bearer " + MASK == Redactor([]).text("Bearer abcdefgh12345")


def test_short_secret_and_reference_spoil_nothing() -> None:
    """What stands in every second word is left, and numbers of a document stay numbers."""
    document = {"true": True, "number": 1234, "text": "1234 of abc", "${NAME}": "${NAME}"}

    assert document | {"text": f"{MASK} of abc"} == Redactor(["abc", "1234", "${NAME}", ""]).document(
        document
    )


def test_secrets_of_a_key_file() -> None:
    """What stands under the key of a secret, however deep; all of a file that is no JSON."""
    text = json.dumps(
        {"boxAppSettings": {"clientID": "id", "clientSecret": "s3cret", "appAuth": {"passphrase": "p4ss"}}}
    )

    assert {"s3cret", "p4ss"} == set(secrets_of_json(text))
    assert ["{no json"] == list(secrets_of_json("{no json"))


def test_plan_without_secrets() -> None:
    """References stay; a literal secret, and every text among a source's options, does not."""
    written = {
        "source": {
            "url": "file:///x",
            "password": "pw",
            "options": {"key_id": "odd", "retries": 3, "a": "${A}"},
        },
        "box": {"auth": {"method": "jwt", "config": "{}", "config_file": "b.json"}},
        "state_url": "postgresql://u:pw@h/x",
        "notify": "${CHAT}",
    }
    shown = shown_plan(written, valid=True)

    assert {
        "url": "file:///x",
        "password": MASK,
        "options": {"key_id": MASK, "retries": 3, "a": "${A}"},
    } == shown["source"]
    assert {"method": "jwt", "config": MASK, "config_file": "b.json"} == shown["box"]["auth"]
    assert (f"postgresql://u:{MASK}@h/x", "${CHAT}") == (shown["state_url"], shown["notify"])
    assert {"sorce": {"url": MASK}, "n": 1} == shown_plan({"sorce": {"url": "x"}, "n": 1}, valid=False)


def test_names_are_other_ones() -> None:
    """The same name is the same one throughout; words of the program's own, numbers and keys stay."""
    document: dict[str, Any] = {
        "checks": [{"name": "login", "state": "ok", "found": "ann@example.com"}],
        "trees": [{"name": "Accounting", "state": "complete", "items": {"total": 3}}],
        "examples": [{"tree": "Accounting", "path": "Accounting/salaries.xlsx", "reason": "locked"}],
    }
    hidden = Names().hidden(document)

    assert {"name": "login", "state": "ok", "found": "name-1"} == hidden["checks"][0]
    assert {"name": "name-2", "state": "complete", "items": {"total": 3}} == hidden["trees"][0]
    assert {"tree": "name-2", "path": "name-3", "reason": "locked"} == hidden["examples"][0]


@pytest.mark.parametrize(
    ("line", "left"),
    [
        (
            "2026-11-29T11:07:22.957+00:00 INFO    plan 1 Tree | failed: a.txt",
            "2026-11-29T11:07:22.957+00:00 INFO",
        ),
        (
            json.dumps({"time": "t", "level": "error", "logger": "flows.log", "message": "a.txt"}),
            "t ERROR flows.log",
        ),
        ("    Traceback of ann", "..."),
    ],
)
def test_log_without_messages(line: str, left: str) -> None:
    """When it was and how bad."""
    assert left == without_message(line)


def test_undeploy_takes_what_deploy_names() -> None:
    """With a suffix or without, by an older name, from a wheel; nothing that somebody else made."""
    ours = names_of_deployments()

    def taken(entrypoint: str, name: str) -> bool:
        known: Any = SimpleNamespace(entrypoint=entrypoint, name=name)
        return is_ours(known, ours)

    assert taken(f"{INSTALLED_BELOW}flows.check.check_plan", "check")
    assert taken("boxhaul.flows.check.check_plan", "check-x")
    assert taken("flows.check.check_plan", "on-demand-x")
    assert not taken("flows.check.check_plan", "mine")
    assert not taken("theirs.flow", "check")
    assert ["migration-plan"] == [
        kind for kind, _ in Deployed(name="a b", box_block=False, share_block=False).blocks
    ]
    assert 3 == len(list(Deployed(name="a b", box_block=True, share_block=True).blocks))
    assert "plan:a-b" == Deployed(name="a b", box_block=True, share_block=True).tag

"""Secrets that stand in the plan itself: whoever reads it has them, and `check` and `migrate` both say so (P8)."""

from __future__ import annotations

import logging

import pytest

from tests.acceptance.account.conftest import Account
from tests.acceptance.account.rows import assert_row

SECRET = "canary-password-4711"


def test_a_written_password_is_told_before_anything_is_sent(account: Account) -> None:
    """The key and what to write instead, not the secret, on the terminal of a run; it goes on."""
    account.change(source=account.program.plan["source"] | {"password": SECRET})
    row = account.rows()["secrets"]
    moved = account.program.run("migrate")

    assert_row(row, "warning", "source.password", "${NAME}")
    assert 0 == moved.code, moved.output
    assert "secrets: source.password: the plan file has the secret itself" in " ".join(moved.output.split())
    assert SECRET not in str(row) + moved.output


def test_a_reference_is_no_written_password(
    account: Account, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told of the secret once, as one line of the run's log; of its reference never, and `check` has no row of it."""
    monkeypatch.setenv("SHARE_PW", SECRET)
    with caplog.at_level(logging.WARNING, "flows.checks"):
        account.change(source=account.program.plan["source"] | {"password": "${SHARE_PW}"})
        account.migrate()
        told = caplog.text
        account.change(source=account.program.plan["source"] | {"password": SECRET})
        account.migrate()

    assert [0, 1] == [text.count("secrets: source.password") for text in (told, caplog.text)]
    assert SECRET not in caplog.text
    account.change(source=account.program.plan["source"] | {"password": "${SHARE_PW}"})
    assert "secrets" not in account.rows()

"""Servers that refuse, each for a reason of its own: one line that sends the reader the right way."""

from __future__ import annotations

import pytest

from connectors.errors import AuthenticationFailed, ConnectorError, Offline, ShareUnreachable
from connectors.sources.registry import open_source
from tests.servers.s3 import S3Server
from tests.servers.samba import Samba
from tests.servers.sftp import SFTPServer

#: Whom the server does not know becomes its guest.
GUESTS = "map to guest = Bad User\nguest account = root\nguest ok = yes"


@pytest.mark.parametrize(
    ("settings", "kind", "says"),
    [
        ("server min protocol = NT1\nserver max protocol = NT1", ShareUnreachable, "speaks only SMB1"),
        ("ntlm auth = disabled", AuthenticationFailed, "STATUS_NTLM_BLOCKED.*Kerberos"),
    ],
    ids=["SMB1 alone", "no NTLM"],
)
def test_samba_that_refuses(settings: str, kind: type[ConnectorError], says: str) -> None:
    """What it is, and what to do."""
    server = Samba(settings)
    try:
        server.start()
        source = open_source(server.url, username=server.username, password=server.password)
        with pytest.raises(kind, match=says) as caught:
            source.connect()
        source.close()
    finally:
        server.stop()
    assert "\n" not in str(caught.value)
    assert ("password" in str(caught.value)) == (server.password in str(caught.value))


def test_guest_share() -> None:
    """Read when the plan says so, without any account; else it is told what the server does."""
    server = Samba(GUESTS)
    (server.root / "a.txt").write_bytes(b"for all")
    try:
        server.start()
        for options in ({}, {"signing": False}):
            source = open_source(server.url, username="nobody knows", password="x", options=options)
            with pytest.raises(AuthenticationFailed, match=r"as a guest.*guest: true, signing: false"):
                source.connect()
            source.close()
        source = open_source(server.url, options={"guest": True, "signing": False})
        source.connect()
        assert ["a.txt"] == [entry.path for entry in source.list_folder("")]
        assert not source.hides_names()
        with source.open("a.txt") as file:
            assert b"for all" == file.read()
        source.close()
    finally:
        server.stop()


@pytest.mark.parametrize("options", [{"guest": True}, {"guest": True, "signing": False, "encryption": True}])
def test_a_guest_cannot_sign(options: dict[str, object]) -> None:
    """A plan that asks for both is refused before anything is sent."""
    with pytest.raises(ValueError, match="neither signed nor encrypted"):
        open_source("smb://fs01/data", options=options)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ("Ciphers 3des-cbc", "not safe any more .*3des-cbc.*update it"),
        ("ForceCommand echo hello", "login script .* prints text"),
    ],
    ids=["old ciphers", "noise"],
)
def test_sshd_that_refuses(settings: str, says: str) -> None:
    """What it is, and what to do."""
    server = SFTPServer(settings)
    try:
        server.start()
        source = open_source(server.url, username=server.username, options=server.options)
        with pytest.raises(ShareUnreachable, match=says) as caught:
            source.connect()
        source.close()
    finally:
        server.stop()
    assert "\n" not in str(caught.value)


def test_archived_object(s3_server: S3Server) -> None:
    """It is listed, and told as what it is when it is read: nobody's rights are missing."""
    s3_server.clear()
    s3_server.put("cold.bin", b"x" * 100, storage="GLACIER")
    source = open_source(
        s3_server.url, username=s3_server.username, password=s3_server.password, options=s3_server.options
    )
    with pytest.raises(Offline, match="archived"), source.open("cold.bin") as file:
        file.read()
    source.close()

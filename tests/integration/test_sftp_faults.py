"""OpenSSH fails, restarts, changes or is attacked: nothing is lost, one line."""

from __future__ import annotations

import pytest

from tests.integration.server_faults import Opener, ServerFaults
from tests.servers.sftp import SFTPServer

pytest_plugins = ["tests.integration.openers"]


class TestSFTPFaults(ServerFaults):
    """OpenSSH."""

    @pytest.fixture
    def server(self, sftp_server: SFTPServer) -> SFTPServer:
        """The SFTP server."""
        return sftp_server

    @pytest.fixture
    def open_it(self, open_sftp: Opener) -> Opener:
        """Its sources."""
        return open_sftp

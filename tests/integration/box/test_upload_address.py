"""An upload_url that is not Box's: one line for all files, before the first or with it, and no file is to blame."""

from __future__ import annotations

import pytest

from connectors.box.config import BoxConfig
from connectors.box.destination import BoxDestination
from connectors.box.sandbox import Sandbox
from connectors.errors import BoxUnreachable
from tests.integration.box.files import opener, upload
from tests.servers.web_page import PAGE, web_page


@pytest.mark.parametrize(
    ("status", "body"),
    [(404, PAGE), (404, b""), (405, PAGE), (403, PAGE), (200, PAGE), (302, b""), (404, b"{}")],
)
def test_an_answer_that_is_not_boxs_is_fatal(config: BoxConfig, status: int, body: bytes) -> None:
    """Whatever a wrong address answers: `check` and the first file say in one line that it is not Box."""
    with web_page(status, body) as address:
        host = address.split("/")[2]
        with BoxDestination(config.model_copy(update={"upload_url": address})) as to:
            to.whoami()
            with pytest.raises(BoxUnreachable, match=f"upload_url: {host} answers, but not as Box does"):
                to.probes.require_upload_host()
            with pytest.raises(BoxUnreachable, match=f"upload_url: {host} answers, but not as Box does"):
                to.put(upload("0", "a.txt", b"a"), opener(b"a"))


def test_boxs_own_refusals_are_no_wrong_address(destination: BoxDestination, box: Sandbox) -> None:
    """A 413 of the edge is one file's, since the host itself is Box's."""
    destination.probes.require_upload_host()
    box.faults.next("POST /files/content").status(413, html=True)
    with pytest.raises(Exception, match="413"):
        destination.put(upload("0", "a.txt", b"a"), opener(b"a"))

"""`migrate` with an upload_url that is not Box's: one line stops the run, and no file is to blame for it."""

from __future__ import annotations

import pytest

from connectors.box.sandbox import Sandbox
from flows.reporting.status import status_document
from tests.acceptance.account.conftest import Account
from tests.acceptance.test_outcomes import assert_one_line
from tests.servers.web_page import PAGE, web_page


@pytest.mark.parametrize(
    ("status", "body"), [(404, b""), (405, b""), (200, PAGE)], ids=["404", "405", "page"]
)
@pytest.mark.gate(1)
def test_wrong_upload_address_stops_the_run(account: Account, box: Sandbox, status: int, body: bytes) -> None:
    """Exit code 3 and one line that names key and host; every file waits, and arrives once the address is right."""
    right = account.program.plan["box"]["upload_url"]
    with web_page(status, body) as address:
        account.change_box(upload_url=address)
        stopped = account.program.run("migrate")
    files = [tree["files"] for tree in status_document(account.plan)["trees"]]
    left = dict(box.files())
    account.change_box(upload_url=right)

    assert_one_line(stopped, 3, "upload_url", address.split("/")[2], "not as Box does")
    assert (0, 3) == (sum(each["failed"] for each in files), sum(each["pending"] for each in files))
    assert {} == left
    assert account.migrate()["complete"]

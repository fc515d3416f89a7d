"""The report in a real browser: nothing from outside, nothing that a screen reader cannot tell, nothing too wide.

With BOXHAUL_SCREENSHOTS=FOLDER it leaves pictures of it there: phone, laptop, light and dark, and paper.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

from connectors.box.sandbox import Sandbox
from flows.plan.file import load_plan
from flows.reporting.report import write_report
from flows.reporting.status import status_document
from tests.acceptance.prefect.browser import CHROMIUM_FLAGS
from tests.acceptance.report_scene import build_share, migrate_with_troubles, plan_for
from tests.servers import require

PHONE, LAPTOP = 390, 1366

#: Widths and schemes; the two in the middle have each of them once.
ALL = ((PHONE, "light"), (LAPTOP, "light"), (PHONE, "dark"), (LAPTOP, "dark"))

#: Says how each kind of finding of axe-core weighs.
HEAVY = ("serious", "critical")


@pytest.fixture
def browser() -> Iterator[Browser]:
    """A real Chromium."""
    chromium = require("chromium", "apt-get install -y --no-install-recommends chromium")
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_FLAGS)
        yield found
        found.close()


class Look:
    """A page that was opened, and what it asked for and complained of."""

    def __init__(self, browser: Browser, report: Path, width: int, scheme: Any) -> None:
        self.page: Page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        self.page.set_default_timeout(120_000)
        self.said: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.said.append(request.url))
        self.page.goto(report.as_uri())
        own = {report.as_uri(), "data:,"}
        self.said = [each for each in self.said if each not in own]

    def findings(self) -> list[str]:
        """What axe-core calls serious or critical."""
        found = Axe().run(self.page).response["violations"]
        return [
            f"{each['id']}: {each['nodes'][0]['html'][:200]}" for each in found if each["impact"] in HEAVY
        ]


def take_pictures(look: Look, name: str) -> None:
    """Leave pictures of the page, and what a printer would get of it, for who asked for some."""
    folder = os.environ.get("BOXHAUL_SCREENSHOTS")
    if folder:
        look.page.screenshot(path=Path(folder) / f"report-{name}.png", full_page=True)
        look.page.pdf(path=Path(folder) / f"report-{name}.pdf", prefer_css_page_size=True)


@pytest.mark.timeout(1_200)
def test_report_of_a_troubled_migration(tmp_path: Path, box: Sandbox, browser: Browser) -> None:
    """Killed, refused, waived, excluded: the page tells it in words and pictures, to everybody, on any screen."""
    share = tmp_path / "share"
    share.mkdir()
    build_share(share)
    program = plan_for(tmp_path / "run", box, share)
    migrate_with_troubles(program, box)
    plan = load_plan(program.plan_path)
    [report, *_], document = write_report(plan), status_document(plan)
    text = report.read_text()

    for width, scheme in ALL if os.environ.get("BOXHAUL_SCREENSHOTS") else ALL[1:3]:
        look = Look(browser, report, width, scheme)
        assert [] == look.said, "no complaint, and no request but for the page itself"
        assert [] == look.findings()
        assert width >= look.page.evaluate("document.documentElement.scrollWidth")
        seen = look.page.locator("figure svg[role=img]:visible")
        assert seen.count() == look.page.locator("figure").count() >= 7
        take_pictures(look, f"{width}-{scheme}")
        look.page.close()
    agrees_with_status(text, document)
    assert "<img src=x" not in text
    assert "<b>2024</b>" not in text
    assert "Dotted and upright: 1 process was killed." in text
    assert re.search(r"[3-9] answers 429", text)


def agrees_with_status(page: str, document: dict[str, Any]) -> None:
    """Sentences and tables of the pictures have the numbers of status."""
    totals = document["totals"]
    files = totals["files"]
    to_move = files["total"] - files["excluded"] - files["waived"]
    assert f"{files['uploaded']} of {to_move} files in Box" in page
    assert f"{totals['items']['failed']} entries failed" in page
    assert f"% of {files['total']} files are smaller" in page
    assert f"{document['calls']['total']:,} calls to Box" in page
    last = re.findall(r"<tr><td>\d{4}-[^<]*</td><td>(\d+)</td>", page)[-1]
    assert files["uploaded"] == int(last), "the curve ends where status is"
    people = [person for tree in document["trees"] for person in tree["collaborators"]]
    assert f"{len(people)} invitations" in page


def test_report_before_anything_was_sent(tmp_path: Path, box: Sandbox, browser: Browser) -> None:
    """Box refuses the first call that matters: the report is there, says so, and is fit to be read."""
    share = tmp_path / "share"
    (share / "Accounting").mkdir(parents=True)
    program = plan_for(tmp_path / "run", box, share)
    program.write_plan(trees=[{"source": "Accounting"}, {"source": "Never begun"}])
    box.faults.next("POST /folders").status(401, error="unauthorized").times(None)
    program.run("migrate", "--no-check")
    box.faults.clear()
    [report, *_] = write_report(load_plan(program.plan_path))
    look = Look(browser, report, PHONE, "light")

    assert [] == look.said + look.findings()
    assert "Not complete: 2 of 2 trees" in look.page.inner_text(".verdict")
    look.page.close()

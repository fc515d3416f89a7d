"""Both of Prefect's UIs in a real Chromium, and pictures of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tests.servers import require

CHROMIUM_FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

#: Milliseconds that the page may take to show something on a busy machine.
PATIENCE = 60_000


#: Where each UI's pages begin.
UIS = {"v1": "", "v2": "/v2"}


@contextmanager
def browsing() -> Iterator[Page]:
    """A page of a real Chromium."""
    chromium = require("chromium", "apt-get install -y --no-install-recommends chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_FLAGS)
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        page.set_default_timeout(PATIENCE)
        yield page
        browser.close()


def take(page: Page, folder: Path, name: str, *, whole: bool = False) -> None:
    """A picture of the page as it is now."""
    page.wait_for_timeout(800)
    page.screenshot(path=folder / f"prefect-{name}.png", full_page=whole)

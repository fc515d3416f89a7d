"""Both of Prefect's UIs in a real Chromium, and pictures of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

from tests.servers import require
from tests.servers.prefect import PrefectServer, wait_until

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


def take_if_wanted(page: Page, folder: Path, name: str) -> None:
    """A picture for who asked for some; it costs as much as the page itself."""
    if os.environ.get("BOXHAUL_SCREENSHOTS"):
        take(page, folder, name, whole=True)


def look_at_run(
    page: Page, server: PrefectServer, run: str, pictures: Path, *, state: str, first: str
) -> None:
    """Open the run in both UIs: its state is told by this word, and this artifact is the first one; take pictures."""

    def listed() -> list[str]:
        keys = {each["key"] for each in server.artifacts(run)}
        return [line.strip() for line in page.inner_text("body").splitlines() if line.strip() in keys]

    for ui, base in UIS.items():
        page.goto(f"{server.url}{base}/runs/flow-run/{run}")
        expect(page.get_by_text(state, exact=True).first).to_be_visible(timeout=PATIENCE)
        tabs = page.get_by_text("Artifacts", exact=True)
        expect(tabs.last).to_be_visible(timeout=PATIENCE)
        tabs.last.click()
        expect(page.get_by_text(first, exact=True)).to_be_visible(timeout=PATIENCE)
        # The page draws its list anew while a run is on its way, and is empty for a moment then.
        wait_until(lambda: listed()[:1] == [first], f"{first} stands first in {ui}")
        take_if_wanted(page, pictures, f"{state.lower().replace(' ', '-')}-{ui}")


def look_at_chart(
    page: Page, server: PrefectServer, run: str, key: str, pictures: Path, *, words: str
) -> None:
    """Open an overview in both UIs: its chart is a picture that the browser has drawn, with these words for others."""
    (artifact,) = [each["id"] for each in server.artifacts(run) if each["key"] == key]
    for ui, base in UIS.items():
        page.goto(f"{server.url}{base}/artifacts/artifact/{artifact}")
        image = page.get_by_role("img", name=words)
        expect(image).to_be_visible(timeout=PATIENCE)
        assert image.evaluate("image => image.complete && image.naturalWidth") > 100, ui
        take_if_wanted(page, pictures, f"overview-{ui}")

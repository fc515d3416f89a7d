"""The handbook as a site: strict, read from a disk, without another host."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from tests.forking import ROOT
from tests.servers import missing, require

pytestmark = pytest.mark.torture


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site."""
    if find_spec("mkdocs") is None:
        missing("mkdocs", "pip install --constraint constraints.txt '.[docs]'")
    target = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "deployments.handbook", str(target)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert 0 == built.returncode, built.stderr
    return target


def test_every_chapter_is_a_page(site: Path) -> None:
    """Those of deployments/, which is what a reader looks for."""
    chapters = {path.stem for path in (ROOT / "deployments").glob("*.md")} - {"README"}
    assert chapters <= {path.stem for path in (site / "deployments").glob("*.html")}


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (1366, "dark")])
def test_it_is_read_from_a_disk(site: Path, width: int, scheme: str) -> None:
    """On a phone and a laptop: nothing is wider than the window, no other host is asked, and search finds a message."""
    chromium = require("chromium", "apt-get install -y chromium")
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)  # type: ignore[arg-type]
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        for path in sorted(site.rglob("*.html")):
            page.goto(path.as_uri())
            assert 0 == page.evaluate("document.documentElement.scrollWidth - innerWidth"), path
        page.goto((site / "index.html").as_uri())
        if width < 1_000:
            page.locator("label.md-header__button[for=__search]").click()
        page.locator("input.md-search__input").click()
        page.keyboard.type("quota_exceeded")
        page.locator(".md-search-result__item a[href*=troubleshooting]").first.wait_for(timeout=60_000)
        assert [] == [url for url in asked if not url.startswith(("file:", "data:", "blob:"))]
        browser.close()

"""Builds the handbook as a site from README.md and the chapters: `make docs`, `python -m deployments.handbook FOLDER`.

The pages stay where they are, and read well there; mkdocs wants them below one folder, so they are copied to one, with
the files that they link to. A link that leads nowhere is an error. Nothing in the site asks another host for anything.
"""

from __future__ import annotations

import argparse
import logging
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from mkdocs.commands.build import build
from mkdocs.config import load_config
from mkdocs.exceptions import Abort

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CONFIG = HERE / "mkdocs.yml"
#: What the theme fetches elsewhere so that search works from a disk; ours does the same.
ELSEWHERE = re.compile(r'<script src="https://[^"]*/iframe-worker/shim"></script>')


def build_site(target: Path) -> None:
    """Build it into `target`, strictly; Abort where a page or a link is wrong."""
    with tempfile.TemporaryDirectory(prefix="boxhaul-handbook-") as folder:
        gather(Path(folder))
        for name in ("handbook.css", "handbook.js"):
            shutil.copyfile(HERE / name, Path(folder) / name)
        config = load_config(str(CONFIG), docs_dir=folder, site_dir=str(target), strict=True)
        config.plugins.on_startup(command="build", dirty=False)
        build(config)
    for page in target.rglob("*.html"):
        up = "../" * (len(page.relative_to(target).parts) - 1)
        text = page.read_text(encoding="utf-8")
        ours = f'<script src="{up}handbook.js"></script>'
        page.write_text(ELSEWHERE.sub(ours, text), encoding="utf-8")


def gather(folder: Path) -> None:
    """Copy the pages of the navigation, and what they link to."""
    pages = re.findall(r": (\S+\.md)$", CONFIG.read_text(encoding="utf-8"), flags=re.MULTILINE)
    for name in pages:
        copy(name, folder)
        for linked in links(ROOT / name):
            if linked.is_file() and linked.suffix != ".md":
                copy(str(linked.relative_to(ROOT)), folder)


def copy(name: str, folder: Path) -> None:
    """Copy one file of the checkout to its place below `folder`."""
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(ROOT / name, folder / name)


def links(page: Path) -> Iterator[Path]:
    """Where the relative links of a page lead."""
    for link in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8")):
        if "://" not in link:
            yield (page.parent / link).resolve()


def main() -> int:
    """Build it where the command line says."""
    parser = argparse.ArgumentParser(description="Build the handbook as a site.")
    parser.add_argument("folder", type=Path, nargs="?", default=ROOT / "site")
    target = parser.parse_args().folder
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    try:
        build_site(target)
    except Abort as exc:
        sys.stderr.write(f"{exc}\n")
        return 1
    sys.stdout.write(f"{target / 'index.html'}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""deployments/sources.md says of each source what the program's own table says."""

from __future__ import annotations

import tomllib

from connectors.sources.kinds import BY_SCHEME, KINDS, Kind, install_hint
from connectors.sources.registry import SOURCES
from tests.forking import ROOT


def row(kind: Kind) -> str:
    """The row of a kind in the table."""
    cells = (
        kind.title,
        " ".join(f"`{scheme}://`" for scheme in kind.schemes),
        f"`boxhaul[{kind.extra}]`" if kind.extra else "–",
        "yes" if kind.empty_folders else "no",
        kind.file_id,
        kind.times,
        kind.change,
        kind.threads,
    )
    return f"| {' | '.join(cells)} |"


def test_the_chapter_has_the_table() -> None:
    """Row by row."""
    chapter = (ROOT / "deployments" / "sources.md").read_text(encoding="utf-8")
    assert [row(kind) for kind in KINDS] == [
        line for line in chapter.splitlines() if "://` |" in line and line.startswith("| ")
    ]


def test_every_extra_is_one() -> None:
    """What a hint says can be installed."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert [] == [kind.extra for kind in KINDS if kind.extra and kind.extra not in extras]
    assert "pip install 'boxhaul[s3]'" == install_hint("s3")


def test_every_source_is_in_the_table() -> None:
    """A scheme that has a class of its own is one of a kind."""
    assert [] == [scheme for scheme in SOURCES if scheme not in BY_SCHEME]
    assert {"s3", "s3a"} == set(BY_SCHEME) - set(SOURCES)

"""The report's pictures on a page that is not the report: complete in themselves, and no name forms Markdown."""

from __future__ import annotations

import base64
import re
from collections import Counter
from xml.etree import ElementTree

import pytest

from flows.orchestration.pictures import LOOKS, ROWS_SHOWN, in_markdown
from flows.reporting.pictures.drawing import NARROW, WIDE, Figure, draw
from flows.reporting.pictures.treemap import treemap
from flows.reporting.shape import STATES

NAME = "Q1 | <b>`x`</b> [y](z)"


@pytest.fixture(scope="module")
def figure() -> Figure:
    """A share with every state, whose tree has an evil name and many folders."""
    sizes = Counter(dict.fromkeys(STATES, 100))
    shape = {NAME: sizes}, {NAME: {f"f{number}": Counter(sizes) for number in range(ROWS_SHOWN + 5)}}
    wide, narrow = (
        draw(treemap(*shape, width=width, height=300), width="wide", says="all") for width in (WIDE, NARROW)
    )
    return Figure(
        key="share",
        title="The share",
        says=f"The share: {NAME}.",
        wide=wide,
        narrow=narrow,
        columns=("Tree", "Bytes"),
        rows=[(f"{NAME} {number}", "1") for number in range(ROWS_SHOWN + 5)],
        legend=STATES,
    )


def test_picture_has_its_own_colours_and_patterns(figure: Figure) -> None:
    """An image sees nothing of the page around it: each colour and each pattern that it names is in it."""
    [encoded] = re.findall(r"data:image/svg\+xml;base64,([^)]*)\)", in_markdown([figure]))
    svg = base64.b64decode(encoded).decode()

    ElementTree.fromstring(svg)
    used, defined = set(re.findall(r"var\((--[a-z0-9-]+)\)", svg)), set(re.findall(r"(--[a-z0-9-]+):", svg))
    assert {"--in-box", "--paper"} <= used <= defined
    assert set(re.findall(r"url\(#([a-z-]+)\)", svg)) == set(re.findall(r'id="(failed|left-out)"', svg))
    assert "http" not in svg.replace('xmlns="http://www.w3.org/2000/svg"', "").replace(
        "http://www.w3.org/1999/xlink", ""
    )


def test_names_form_no_markdown(figure: Figure) -> None:
    """Neither a cell, nor a tag, nor a link; the table ends where the report goes on."""
    lines = in_markdown([figure]).splitlines()
    rows = [line for line in lines if line.startswith("| ")]

    assert ROWS_SHOWN + 2 == len(rows)
    assert all(3 == len(re.findall(r"(?<!\\)\|", row)) for row in rows)
    assert not re.search(r"(?<!\\)(<b>|`)", "\n".join(lines))
    assert 1 == len(re.findall(r"(?<!\\)\]\(", "\n".join(lines)))
    assert f"The first {ROWS_SHOWN} of {ROWS_SHOWN + 5}; the report has all." == lines[-1]


def test_every_state_has_its_looks_in_words() -> None:
    """The legend needs no colour."""
    assert set(STATES) == LOOKS.keys()
    assert len(STATES) == len(set(LOOKS.values()))

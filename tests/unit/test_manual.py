"""deployments/boxhaul.1 says what the program says, in troff that is right."""

from __future__ import annotations

import re
import subprocess
from html import unescape
from typing import Any

import typer

from deployments.manual import PAGE, escaped, page
from flows.cli import app
from tests.servers import require


def test_manual_is_what_the_program_says() -> None:
    """Written anew it is the same page."""
    assert page() == PAGE.read_text(encoding="utf-8"), "python -m deployments.manual writes it anew"


def test_manual_is_right_troff() -> None:
    """No error, no warning; and a reader finds every command and option in what is shown."""
    mandoc = require("mandoc", "apt-get install -y mandoc")
    command = [mandoc, "-Tlint", "-W", "warning", PAGE]
    said = subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()
    assert [] == [line for line in said if "missing date" not in line]  # one would differ with each day
    shown = subprocess.run([mandoc, "-Thtml", PAGE], capture_output=True, text=True, check=True)
    words = " ".join(unescape(re.sub(r"<[^>]+>", "", shown.stdout)).split())
    group: Any = typer.main.get_command(app)
    for name, command in group.commands.items():
        assert f"boxhaul {name}" in words
        assert [] == [
            name
            for option in command.params
            for name in option.opts
            if name.startswith("--") and name not in ("--help",) and name not in words
        ]


def test_what_troff_would_take_for_a_command() -> None:
    """A line that begins with a dot or a quote, a backslash, and a hyphen that is one."""
    assert ["\\&.env", "a\\eb", "\\-\\-tree", "say \\fBx\\fR"] == [
        escaped(text) for text in (".env", "a\\b", "--tree", "say `x`")
    ]

"""How modules of the checkout become modules of the wheel."""

from __future__ import annotations

from pathlib import Path

import pytest

from deployments.build_wheel import PACKAGES, rewritten, write_below

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("checkout", "wheel"),
    [
        ("from flows.plan import model\n", "from boxhaul.flows.plan import model\n"),
        ("from state import errors\n", "from boxhaul.state import errors\n"),
        ("import connectors.errors as e\n", "import boxhaul.connectors.errors as e\n"),
        ("import os, state as s\n", "import os, boxhaul.state as s\n"),
        ("def f():\n    from flows import cli\n", "def f():\n    from boxhaul.flows import cli\n"),
        ("é = 1; from flows import cli\n", "é = 1; from boxhaul.flows import cli\n"),
        ("from flows.a import (\n    b,\n)\n", "from boxhaul.flows.a import (\n    b,\n)\n"),
        ("from flowsheet import state\n", "from flowsheet import state\n"),
        ("from .flows import a\n", "from .flows import a\n"),
        ('"""Uses flows.cli."""\nx = "state"\n', '"""Uses flows.cli."""\nx = "state"\n'),
    ],
)
def test_imports_of_ours_are_rewritten_and_nothing_else(checkout: str, wheel: str) -> None:
    """Absolute imports of the three packages, wherever they stand."""
    assert wheel == rewritten(checkout.encode(), "example.py").decode()


@pytest.mark.parametrize(
    "source",
    ["import flows\n", "import state.errors\n", 'x = "flows.cli"\n', 'x = f("connectors.box.names:Rule")\n'],
)
def test_what_would_not_find_itself_in_a_wheel_is_refused(source: str) -> None:
    """A module path in a string, or an import that binds the top-level name, ends the build with its line."""
    with pytest.raises(ValueError, match=r"^example\.py:1: "):
        rewritten(source.encode(), "example.py")


def test_this_checkout_can_be_built(tmp_path: Path) -> None:
    """Every module of it can be rewritten; the wheel holds as many as the checkout, and the deployments."""
    write_below(ROOT, tmp_path / "boxhaul")

    for name in PACKAGES:
        assert len(list((ROOT / name).rglob("*.py"))) == len(
            list((tmp_path / "boxhaul" / name).rglob("*.py"))
        )
    assert (tmp_path / "boxhaul" / "deployments" / "prefect.yaml").is_file()
    assert not (tmp_path / "boxhaul" / "deployments" / "build_wheel.py").exists()

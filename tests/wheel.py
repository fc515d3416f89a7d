"""Boxhaul as `pip install` brings it: a wheel built offline, in an environment that does not know the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]

PIP = ("-m", "pip", "--disable-pip-version-check", "--quiet")


@dataclass(frozen=True)
class Installation:
    """An environment with the wheel in it; dependencies are read from the one that runs the tests."""

    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin" / "python"

    @property
    def boxhaul(self) -> Path:
        """The console command."""
        return self.folder / "bin" / "boxhaul"

    @property
    def site_packages(self) -> Path:
        """Where pip put it."""
        return self.folder / Path(sysconfig.get_path("purelib")).relative_to(sys.prefix)

    def settings(self, **more: str) -> dict[str, str]:
        """The environment of its processes: nothing there leads to the checkout."""
        inherited = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        return {**inherited, **self.environment, **more}

    def run(self, *words: str | Path, timeout: float = 120, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a program of it, in its folder."""
        return subprocess.run(
            [str(word) for word in words],
            env=self.settings(**more),
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )


def build_wheel(folder: Path) -> Path:
    """Build the wheel of this checkout, with no network."""
    command = [sys.executable, *PIP, "wheel", "--no-build-isolation", "--no-deps", "--no-index"]
    subprocess.run([*command, "--wheel-dir", str(folder), str(ROOT)], check=True, timeout=240)
    (wheel,) = folder.glob("*.whl")
    return wheel


def install(wheel: Path, folder: Path) -> Installation:
    """Make an environment with this wheel alone, beside which our dependencies are found."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True, timeout=120)
    made = Installation(folder)
    # Of a folder that is named here, Python reads no .pth file: an editable installation stays out.
    (made.site_packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    command = [sys.executable, *PIP, "--python", str(made.python), "install", "--no-deps", "--no-index"]
    subprocess.run([*command, str(wheel)], check=True, timeout=240)
    return made

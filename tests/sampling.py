"""Which cases of a long table `make test` runs; `make torture` runs them all."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest


def sampled(cases: Iterable[tuple[Any, ...]], every: int) -> list[Any]:
    """Return the cases as parameters; all but each n-th are marked for the torture."""
    return [
        pytest.param(*case, marks=() if number % every == 0 else pytest.mark.torture)
        for number, case in enumerate(cases)
    ]

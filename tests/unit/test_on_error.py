"""OnError: what is done with the errors of a body, and without one."""

from __future__ import annotations

import pytest

from connectors.on_error import OnError


def test_what_the_handler_says() -> None:
    """It keeps an error from going further, lets it pass, or puts another in its place, which names the first."""
    seen = []

    def handle(error: BaseException, wanted: type[BaseException], other: BaseException | None) -> bool:
        seen.append(error)
        if other is not None:
            raise other
        return isinstance(error, wanted)

    first, second, third = KeyError(1), KeyError(2), KeyError(3)
    with OnError(handle, KeyError, None):
        raise first
    with pytest.raises(KeyError) as passed, OnError(handle, ValueError, None):
        raise second
    with pytest.raises(OSError, match="another") as replaced, OnError(handle, KeyError, OSError("another")):
        raise third

    assert (second, third, [first, second, third]) == (passed.value, replaced.value.__context__, seen)


def test_what_is_done_otherwise() -> None:
    """Only where the body raised nothing."""
    told: list[str] = []
    with OnError(lambda error, words: True, "done", otherwise=told.append):
        pass
    with OnError(lambda error, words: True, "never", otherwise=told.append):
        raise KeyError

    assert ["done"] == told

"""Names that Box refuses: sent once more in a stricter form, which is remembered for the run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connectors.box.destination import BoxDestination
from connectors.box.names import source_name
from connectors.box.sandbox import Sandbox
from connectors.errors import NameRejected
from tests.integration.box.files import content, opener, upload


@pytest.fixture(autouse=True)
def _refusals_are_expected(box: Sandbox) -> Iterator[None]:
    """Refused names are what these tests are about."""
    yield
    box.violations.clear()


def put(to: BoxDestination, name: str, size: int = 100) -> str:
    """Send a file of this name; return the name that it has in Box."""
    data = content(size)
    return to.put(upload("0", name, data), opener(data)).name


@pytest.mark.parametrize("size", [100, 6000])
@pytest.mark.parametrize("name", [" leading.txt", 'a:b*?"<>|.txt', " both: of them", "plain"])
def test_a_refused_file_arrives_under_a_stricter_name(
    box: Sandbox, destination: BoxDestination, name: str, size: int
) -> None:
    """Leading spaces and Windows' characters are escaped where Box refuses them, and the source's name comes back."""
    box.settings.update({"refuse_leading_spaces": True, "refuse_windows_characters": True})
    in_box = put(destination, name, size)

    assert [in_box] == list(box.files())
    assert (name, name == "plain") == (source_name(in_box), in_box == name)


def test_a_refused_folder_is_made_under_a_stricter_name(box: Sandbox, destination: BoxDestination) -> None:
    """The same for folders; made again it is adopted, not made twice."""
    box.settings.refuse_leading_spaces = True
    made, again = destination.create_folder("0", " a"), destination.create_folder("0", " a")

    assert ("‛u0020a", [made.name], made.id) == (made.name, box.folders(), again.id)
    assert again.adopted


def test_what_was_refused_is_remembered(box: Sandbox, destination: BoxDestination) -> None:
    """One refusal teaches for the run: later names of its kind cost one call, other names stay as they are."""
    box.settings.refuse_windows_characters = True
    names = [put(destination, name) for name in ("a:1", "b:2", " c")]

    assert ["a‛u003a1", "b‛u003a2", " c"] == names
    assert 4 == box.calls.by_route["POST /files/content"]


def test_everything_unusual_comes_last(box: Sandbox, destination: BoxDestination) -> None:
    """Where Box minds a character that nobody knows of, what is no letter, digit or common mark is escaped."""
    box.faults.next("POST /files/content").about("★ x.txt").status(400, error="item_name_invalid").times(None)
    name = put(destination, "★ x.txt")

    assert ("‛u2605 x.txt", "★ x.txt") == (name, source_name(name))


@pytest.mark.parametrize("error", ["item_name_invalid", "item_name_too_long"])
def test_a_name_that_nothing_mends(box: Sandbox, destination: BoxDestination, error: str) -> None:
    """Harmless and refused all the same, or too long: one call, and the refusal is the item's."""
    box.faults.next("POST /files/content").status(400, error=error).times(None)
    with pytest.raises(NameRejected):
        put(destination, "harmless.txt")

    assert 1 == box.calls.by_route["POST /files/content"]

"""Where folders of Box lie, by answers that may tell all, a part or nothing of it."""

from __future__ import annotations

from typing import Any, cast

import pytest

from connectors.box.types import BoxFolder, Known, Receipt, Upload
from connectors.errors import DestinationGone, FolderMovedInBox
from flows.transfer.places import Places
from state.records import ClaimedItem

#: Folder → the one that it lies in: two trees, of which one has a folder that lies in the other.
PARENTS = {"landing": "0", "A": "landing", "B": "landing", "sub": "A", "away": "B"}


class SmallBox:
    """As much of Box as is asked: where folders lie, and a trash."""

    def __init__(self) -> None:
        self.items, self.trashed, self.asked = self, list[str](), list[str]()

    def folder_info(self, folder_id: str) -> BoxFolder:
        """DestinationGone for one that is not there."""
        self.asked.append(folder_id)
        if folder_id not in PARENTS:
            raise DestinationGone
        return BoxFolder(id=folder_id, name=folder_id, parent_id=PARENTS[folder_id])

    def trash(self, known: Known) -> None:
        """Remember which."""
        self.trashed.append(known.box_id)


def arrived(places: Places, folder: str, above: tuple[str, ...], *, is_new: bool = True) -> None:
    """A file of tree A arrived in this folder, and Box says what is above it."""
    item = cast(ClaimedItem, type("Item", (), {"box_file_id": None if is_new else "7"})())
    receipt = Receipt(file_id="7", version_id="1", etag="0", name="f", sha1="0" * 40, size=1, above=above)
    upload = Upload(folder_id=folder, name="f", size=1)
    if places.is_away(upload, receipt, "A"):
        places.refuse(item, upload, receipt)


@pytest.fixture
def box() -> SmallBox:
    """One for each test."""
    return SmallBox()


@pytest.fixture
def places(box: SmallBox) -> Places:
    """A run that knows nothing yet."""
    return Places(cast(Any, box), lambda: ["A", "B"])


@pytest.mark.parametrize(
    ("above", "asked"),
    [(("0", "landing", "A", "sub"), []), (("A", "sub"), []), (("0",), ["sub", "A", "landing"])],
    ids=["all", "from the tree's folder", "the top alone"],
)
def test_in_its_place(places: Places, box: SmallBox, above: tuple[str, ...], asked: list[str]) -> None:
    """Whoever is let into the tree's folder alone may be told less; then the service account looks."""
    assert places.asks("sub")
    arrived(places, "sub", above)

    assert not places.asks("sub")
    assert (asked, []) == (box.asked, box.trashed)


@pytest.mark.parametrize("is_new", [True, False], ids=["new", "version"])
def test_moved_away(places: Places, box: SmallBox, is_new: bool) -> None:
    """A new file goes to the trash, a version cannot; nothing more is sent there."""
    with pytest.raises(FolderMovedInBox):
        arrived(places, "away", ("0", "landing", "B", "away"), is_new=is_new)

    with pytest.raises(FolderMovedInBox):
        places.asks("away")
    assert (["7"] if is_new else []) == box.trashed


def test_below_a_tree_that_lies_inside() -> None:
    """The tree's folder is above it, and so is the folder of another tree."""
    nested = SmallBox()
    with pytest.raises(FolderMovedInBox):
        arrived(Places(cast(Any, nested), lambda: ["A", "sub"]), "away", ("landing", "A", "sub", "away"))


def test_nothing_is_known(places: Places, box: SmallBox) -> None:
    """An answer without a place proves nothing, and one that cannot be checked refuses nothing."""
    arrived(places, "sub", ())
    assert places.asks("sub")
    arrived(places, "nowhere", ("0",))
    assert ["nowhere"] == box.asked


def test_in_its_place_is_believed_for_a_minute(box: SmallBox) -> None:
    """A run may last for weeks, and somebody may move the folder in its middle."""
    now = [100.0]
    places = Places(cast(Any, box), lambda: ["A", "B"], lambda: now[0])
    arrived(places, "sub", ("0", "landing", "A", "sub"))

    assert not places.asks("sub")
    now[0] += 61
    assert places.asks("sub")

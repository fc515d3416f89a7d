"""Folders are made ahead of their files: one after another they would keep all senders waiting."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from connectors.entry import Fingerprint
from flows.transfer.sending import with_folders_ahead
from state.records import ClaimedItem


def file_in(folder_id: int, number: int) -> ClaimedItem:
    """A claimed file."""
    name = f"{number}.txt"
    return ClaimedItem(
        id=number,
        tree_id=1,
        folder_id=folder_id,
        path=name,
        box_name=name,
        size=1,
        fingerprint=Fingerprint(size=1, modified_ns=1),
        modified_ns=None,
        created_ns=None,
        box_file_id=None,
        box_etag=None,
        attempts=0,
    )


@given(st.lists(st.integers(1, 9), max_size=60), st.integers(0, 12))
def test_each_folder_comes_once_and_so_many_files_ahead(folder_ids: list[int], ahead: int) -> None:
    """Every file in its order; its folder before it, as far ahead as was asked, or at the very begin."""
    files = [file_in(folder_id, number) for number, folder_id in enumerate(folder_ids)]

    order = list(with_folders_ahead(files, ahead))

    assert files == [each for each in order if isinstance(each, ClaimedItem)]
    made = [each for each in order if isinstance(each, int)]
    assert list(dict.fromkeys(folder_ids)) == made
    for folder_id in made:
        first = folder_ids.index(folder_id)
        files_before = [each for each in order[: order.index(folder_id)] if isinstance(each, ClaimedItem)]
        assert max(0, first - ahead) == len(files_before)

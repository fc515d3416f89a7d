"""Listing a folder of an SMB share: one compound of CREATE and QUERY_DIRECTORY, then pages, some at a time."""

from __future__ import annotations

from collections.abc import Sequence

from connectors.sources.smb import wire
from connectors.sources.smb.connection import SMBLink

#: Pages of a large folder that are asked for together.
PAGES_AT_ONCE = 4


def list_folder(
    link: SMBLink, path: str, *, follow_data_tag: bool = False
) -> tuple[wire.Record, list[wire.Record]]:
    """Return what the folder itself is and all its records: one round trip for some 1,200 entries.

    A link is opened itself, unless its tag is known to hold the folder's own entries. Raises the errors of status.py.
    """
    options = wire.OPTION_FOLDER | (0 if follow_data_tag else wire.OPTION_REPARSE_POINT_ITSELF)
    query = wire.query_directory_request(wire.PREVIOUS_FILE, link.answer_buffer)
    created, *pages = link.compound(
        path, [wire.create_request(path, access=wire.READ_DATA, options=options), query, query]
    )
    handle, folder = wire.created_file(created)
    try:
        records = _records_of(pages)
        while all(pages):
            more = wire.query_directory_request(handle, link.answer_buffer)
            pages = link.ask_together(path, [more] * PAGES_AT_ONCE)
            records += _records_of(pages)
    finally:
        link.release(handle)
    return folder, records


def _records_of(pages: Sequence[bytes]) -> list[wire.Record]:
    return [record for page in pages if page for record in wire.directory_records(wire.output_buffer(page))]

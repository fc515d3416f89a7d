"""From what an SMB server says of files and folders to entries, without anything between. Pure."""

from __future__ import annotations

from codecs import utf_16_le_decode

from connectors.entry import Entry, EntryKind, listed_entry
from connectors.sources.paths import unnameable
from connectors.sources.smb import wire
from connectors.sources.smb.tags import classify, file_id_of, note_of

#: A record without these, and without extended attributes, is a plain file or folder.
_ODD = wire.ATTRIBUTE_REPARSE_POINT | wire.ATTRIBUTES_OFFLINE
_FOLDER = wire.ATTRIBUTE_DIRECTORY
_EPOCH = wire.UNIX_EPOCH_TICKS
_DOTS = frozenset({".", ".."})
_NO_ID = 0xFFFF_FFFF_FFFF_FFFF


def entry_of(path: str, record: wire.Record, *, recall_offline: bool = False) -> Entry:
    """What the server says of one file or folder, as it is found under this path; the record's own name is left out."""
    created, modified, changed, number = record.created, record.modified, record.changed, record.file_id
    if not (record.attributes & _ODD or record.ea_size_or_tag or "~" in path):
        is_folder = record.attributes & _FOLDER
        return listed_entry(
            path,
            EntryKind.FOLDER if is_folder else EntryKind.FILE,
            0 if is_folder else record.size,
            wire.nanoseconds(modified or created),
            wire.nanoseconds(created),
            wire.nanoseconds(changed),
            file_id_of(number),
        )
    kind, skip_reason, fault = classify(record, recall_offline=recall_offline)
    return Entry(
        path=path,
        kind=kind,
        size=record.size if kind is EntryKind.FILE else 0,
        modified_ns=wire.nanoseconds(modified or created),
        created_ns=wire.nanoseconds(created),
        changed_ns=wire.nanoseconds(changed),
        file_id=file_id_of(number),
        skip_reason=skip_reason,
        fault=fault,
        note=note_of(record._replace(name=path.rpartition("/")[2])),
    )


def entries_of(folder: str, page: bytes, *, recall_offline: bool = False) -> list[Entry]:
    """The entries of one answer to a directory query, in the server's order; "." and ".." left out.

    The same as `entry_of` for each of wire.directory_records, several times as fast where a record is plain. What no
    path leads to is listed as paths.unnameable has it.
    """
    entries: list[Entry] = []
    prefix = f"{folder}/" if folder else ""
    odd_names = b"~\0" in page or b"/\0" in page
    unpack, file, plain_folder = wire.DIRECTORY_RECORD.unpack_from, EntryKind.FILE, EntryKind.FOLDER
    offset, head = 0, wire.DIRECTORY_RECORD.size
    while offset < len(page):
        step, _, created, accessed, modified, changed, size, _, attributes, length, ea, _, number = unpack(
            page, offset
        )
        start = offset + head
        name = utf_16_le_decode(page[start : start + (length & ~1)], "surrogatepass", True)[0]
        if name in _DOTS:
            pass
        elif attributes & _ODD or ea or odd_names or "\0" in name or not name:
            record = wire.Record(name, created, modified, changed, size, attributes, ea, number)
            entries.append(_odd_entry(folder, prefix + name, record, recall_offline=recall_offline))
        else:
            is_folder = attributes & _FOLDER
            entry = listed_entry(
                prefix + name,
                plain_folder if is_folder else file,
                0 if is_folder else size,
                ((modified or created) - _EPOCH) * 100 if modified or created else None,
                (created - _EPOCH) * 100 if created else None,
                (changed - _EPOCH) * 100 if changed else None,
                f"{number:x}" if number and number != _NO_ID else None,
                (accessed - _EPOCH) * 100 if accessed else None,
            )
            entries.append(entry)
        if not step:
            break
        offset += step
    return entries


def _odd_entry(folder: str, path: str, record: wire.Record, *, recall_offline: bool) -> Entry:
    entry = entry_of(path, record, recall_offline=recall_offline)
    if record.name and not {"/", "\0"} & set(record.name):
        return entry
    return unnameable(folder, record.name, entry, "this name cannot be part of a path")

"""Input and output with the outside: sources through fsspec, Box through its SDK."""

from connectors.entry import Entry, EntryKind, Fingerprint
from connectors.errors import ConnectorError, FatalError, ItemError, TransientError
from connectors.source import Source, SourceFile
from connectors.sources.registry import open_source

__all__ = [
    "ConnectorError",
    "Entry",
    "EntryKind",
    "FatalError",
    "Fingerprint",
    "ItemError",
    "Source",
    "SourceFile",
    "TransientError",
    "open_source",
]

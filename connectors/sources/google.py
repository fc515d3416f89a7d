"""GoogleSource: a folder of a bucket of Google Cloud Storage, through gcsfs."""

from __future__ import annotations

from typing import Self

from gcsfs.core import GCSFileSystem

from connectors.sources.filesystem import FilesystemConfig, FilesystemSource
from connectors.sources.location import Location


class GoogleSource(FilesystemSource):
    """By the JSON interface alone: what gcsfs opens by itself also asks by gRPC, at an address of its own."""

    @classmethod
    def from_config(cls, config: FilesystemConfig) -> Self:
        """Open the bucket that the URL names; nothing is asked of it before the first call."""
        location = Location.parse(config.url)
        filesystem = GCSFileSystem(**config.filesystem_options(location.scheme))
        return cls(filesystem, location.path, display_url=location.display_url)

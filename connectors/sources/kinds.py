"""The kinds of sources, and what each can tell: what registry.py opens by, and deployments/sources.md shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """One kind of source. The texts are cells of a table."""

    title: str
    #: The first is the one that is shown.
    schemes: tuple[str, ...]
    #: As in `boxhaul[extra]`; None where nothing is to be installed.
    extra: str | None
    #: Whether listings have empty folders.
    empty_folders: bool
    #: What stays with a file when it is moved: what is moved at the source is moved in Box where there is one.
    file_id: str
    #: How fine its times are, and whose they are.
    times: str
    #: By what a change is seen that keeps size and time.
    change: str
    #: How many threads use one connection.
    threads: str


KINDS = (
    Kind(
        title="SMB, Windows shares",
        schemes=("smb",),
        extra=None,
        empty_folders=True,
        file_id="file id of the volume",
        times="100 ns",
        change="change time",
        threads="all use one",
    ),
    Kind(
        title="a local folder, NFS by mount",
        schemes=("file", "local"),
        extra=None,
        empty_folders=True,
        file_id="inode; none on FUSE and FAT",
        times="1 ns, or the file system's",
        change="change time",
        threads="no connection",
    ),
    Kind(
        title="SFTP",
        schemes=("sftp", "ssh"),
        extra=None,
        empty_folders=True,
        file_id="none",
        times="1 s",
        change="no other sign",
        threads="all use one",
    ),
    Kind(
        title="WebDAV",
        schemes=("webdavs", "webdav", "davs", "dav"),
        extra="webdav",
        empty_folders=True,
        file_id="none",
        times="1 s",
        change="no other sign",
        threads="all share several",
    ),
    Kind(
        title="FTP",
        schemes=("ftps", "ftp"),
        extra=None,
        empty_folders=True,
        file_id="none",
        times="1 s, or the server's",
        change="no other sign",
        threads="one each",
    ),
    Kind(
        title="S3",
        schemes=("s3", "s3a"),
        extra="s3",
        empty_folders=False,
        file_id="none; the ETag tells contents apart",
        times="1 s, of the upload",
        change="ETag",
        threads="all share several",
    ),
    Kind(
        title="Azure Blob Storage",
        schemes=("az", "abfs", "abfss"),
        extra="azure",
        empty_folders=False,
        file_id="none; the ETag tells contents apart",
        times="1 s, of the upload",
        change="ETag",
        threads="all share several",
    ),
    Kind(
        title="Google Cloud Storage",
        schemes=("gs", "gcs"),
        extra="gcs",
        empty_folders=False,
        file_id="none; the ETag tells contents apart",
        times="1 ms, of the upload",
        change="ETag",
        threads="all share several",
    ),
)

BY_SCHEME: Mapping[str, Kind] = {scheme: kind for kind in KINDS for scheme in kind.schemes}


def install_hint(scheme: str) -> str:
    """Return the line that tells what to install for a scheme whose package is missing."""
    kind = BY_SCHEME.get(scheme)
    if kind is None:
        return "install the fsspec implementation that the message above names"
    return f"pip install 'boxhaul[{kind.extra}]'" if kind.extra else "pip install --force-reinstall boxhaul"

"""Which certificates prove Box's address: those of the plan, of the environment, or of this machine."""

from __future__ import annotations

import os
import ssl
import sys
from dataclasses import dataclass
from pathlib import Path

from requests.utils import DEFAULT_CA_BUNDLE_PATH

from connectors.errors import BoxUnreachable

#: Variables that name certificates, in the order in which they count; OpenSSL itself knows SSL_CERT_DIR.
VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")


@dataclass(frozen=True, kw_only=True, slots=True)
class Trust:
    """Where the certificates are that are believed, and no others."""

    #: PEM, one or many.
    file: str | None = None
    #: As OpenSSL's store is: each under the hash of its subject.
    folder: str | None = None
    #: The operating system's own store as well, where that is no file.
    native: bool = False


def trusting(ca_file: Path | None) -> Trust:
    """Return what verifies Box's certificate. BoxUnreachable says which file is missing or damaged.

    ca_file: of the plan; without it the first variable that is set, else the system's store.
    """
    if ca_file is not None:
        return _of(ca_file, "ca_file")
    for name in VARIABLES:
        if named := os.environ.get(name):
            return _of(Path(named), name)
    places = ssl.get_default_verify_paths()
    known = ssl.create_default_context().cert_store_stats()["x509_ca"]
    return Trust(
        # A machine without a store: what requests brings along.
        file=places.cafile if known else DEFAULT_CA_BUNDLE_PATH,
        folder=places.capath,
        native=sys.platform == "win32",
    )


def _of(path: Path, named_by: str) -> Trust:
    try:
        if path.is_dir():
            return Trust(folder=str(path))
        ssl.create_default_context(cafile=str(path))
        return Trust(file=str(path))
    except ssl.SSLError:
        why = "holds no certificate that can be read; it takes PEM (-----BEGIN CERTIFICATE-----)"
    except OSError as exc:
        why = f"cannot be read: {exc.strerror}"
    raise BoxUnreachable(f"{named_by} names {path}, which {why}. Nothing was sent.") from None

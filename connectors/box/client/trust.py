"""Which certificates prove Box's address: those of the plan, of the environment, or of this machine."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

from requests.utils import DEFAULT_CA_BUNDLE_PATH

from connectors.errors import BoxUnreachable

#: Variables that name certificates, in the order in which they count; OpenSSL itself knows SSL_CERT_DIR.
VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")


def trusting(ca_file: Path | None) -> ssl.SSLContext:
    """Return what verifies Box's certificate. BoxUnreachable says which file is missing or damaged.

    ca_file: of the plan; without it the first variable that is set, else the system's store.
    """
    if ca_file is not None:
        return _of(ca_file, "ca_file")
    for name in VARIABLES:
        if named := os.environ.get(name):
            return _of(Path(named), name)
    context = ssl.create_default_context()
    if not context.cert_store_stats()["x509_ca"]:
        # A machine without a store: what requests brings along.
        context.load_verify_locations(DEFAULT_CA_BUNDLE_PATH)
    return context


def _of(path: Path, named_by: str) -> ssl.SSLContext:
    try:
        if path.is_dir():
            return ssl.create_default_context(capath=str(path))
        return ssl.create_default_context(cafile=str(path))
    except ssl.SSLError:
        why = "holds no certificate that can be read; it takes PEM (-----BEGIN CERTIFICATE-----)"
    except OSError as exc:
        why = f"cannot be read: {exc.strerror}"
    raise BoxUnreachable(f"{named_by} names {path}, which {why}. Nothing was sent.") from None

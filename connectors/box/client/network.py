"""Why a request got no answer of Box: certificate, proxy, name server, connection, or another's answer. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

import requests
from urllib3.exceptions import NameResolutionError, ProxyError

from connectors.box.client.refusal import refusal_of
from connectors.errors import BoxUnreachable, ConnectionLost, ConnectorError, ServerBusy

#: What a proxy answered to CONNECT.
_TUNNEL = re.compile(r"Tunnel connection failed: (\d{3})")

PROXY_LOGIN = (
    "the proxy on the way to Box asks for a login, or refuses the one it got (407). It is not asked again, as that "
    "could lock the account: write user and password into HTTPS_PROXY (http://user:password@proxy:port), then go on."
)


def network_error(error: Exception, route: str) -> ConnectorError:
    """Return our error for an exception of the network. Its text quotes nothing: a URL may hold a token."""
    causes = list(_causes(error))
    said = " ".join(str(cause) for cause in causes)
    if "CERTIFICATE_VERIFY_FAILED" in said:
        return BoxUnreachable(
            f"{route}: Box's certificate is not trusted here. A proxy that opens TLS needs its certificate in ca_file, "
            "or in this machine's store."
        )
    tunnel = _TUNNEL.search(said)
    if tunnel and tunnel[1] == "407":
        return BoxUnreachable(f"{route}: {PROXY_LOGIN}")
    if tunnel and tunnel[1].startswith("4"):
        return BoxUnreachable(
            f"{route}: the proxy on the way refuses the connection to Box ({tunnel[1]}); have it let Box's hosts pass."
        )
    if tunnel:
        return ConnectionLost(f"{route}: the proxy on the way does not reach Box ({tunnel[1]}).")
    unknown = next((str(cause) for cause in causes if isinstance(cause, NameResolutionError)), "")
    if any(isinstance(cause, ProxyError | requests.exceptions.ProxyError) for cause in causes):
        why = "its name cannot be resolved" if unknown else "it does not answer"
        return ConnectionLost(f"{route}: the proxy that HTTPS_PROXY names cannot be used: {why}.")
    if unknown:
        host = re.search(r"resolve '([A-Za-z0-9.:-]+)'", unknown)
        return ConnectionLost(
            f"{route}: no name server knows {host[1] if host else 'the host'}; check its name in the plan and this "
            "machine's DNS, or set HTTPS_PROXY where only a proxy leads out."
        )
    if any(isinstance(cause, requests.exceptions.Timeout) for cause in causes):
        return ConnectionLost(f"{route}: no answer from Box in time.")
    return ConnectionLost(f"{route}: the connection to Box broke ({type(error).__name__}).")


def is_foreign(error: ConnectorError) -> bool:
    """Tell whether whoever answered was not Box: a page in place of JSON, or a refusal without any of Box's marks."""
    refusal = refusal_of(error)
    if refusal is None:
        return isinstance(error, ServerBusy)
    return refusal.status < 500 and not refusal.code and not refusal.request_id


def not_box(host: str, said: str) -> str:
    """Return the one line about an upload host that is none."""
    return (
        f"upload_url: {host} answers, but not as Box does ({said.removesuffix('.')}). Correct upload_url "
        "(https://upload.box.com/api), or have the proxy or portal in the way let it through; no file is to blame."
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and what it was made of: requests and urllib3 wrap each other's."""
    pending, seen = [error], set[int]()
    while pending:
        current = pending.pop(0)
        if id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        inner = (getattr(current, "reason", None), getattr(current, "original_error", None))
        related = (*current.args, *inner, current.__cause__, current.__context__)
        pending += [each for each in related if isinstance(each, BaseException)]

"""Why a request got no answer of Box: certificate, proxy, name server, connection, or another's answer. Pure."""

from __future__ import annotations

from connectors.box.client.faults import LOGIN_REFUSED, Fault, NetworkFault
from connectors.box.client.refusal import printable, refusal_of
from connectors.errors import BoxUnreachable, ConnectionLost, ConnectorError, ServerBusy

PROXY_LOGIN = (
    "the proxy on the way to Box asks for a login, or refuses the one it got (407). It is not asked again, as that "
    "could lock the account: write user and password into HTTPS_PROXY (http://user:password@proxy:port), then go on."
)


#: What is wrong with a proxy that opens no way at all.
PROXY_TROUBLE = {
    Fault.PROXY_NAME: "its name cannot be resolved",
    Fault.PROXY_SILENT: "it does not answer",
}


def network_error(error: Exception, route: str) -> ConnectorError:
    """Return our error for a request without an answer. Its text quotes nothing: a URL may hold a token."""
    if not isinstance(error, NetworkFault):
        return ConnectionLost(f"{route}: the connection to Box broke ({type(error).__name__}).")
    if error.kind is Fault.UNTRUSTED:
        return BoxUnreachable(
            f"{route}: Box's certificate is not trusted here. A proxy that opens TLS needs its certificate in ca_file, "
            "or in this machine's store."
        )
    if error.kind is Fault.TUNNEL:
        return _tunnel_error(error.tunnel_status, route)
    if why := PROXY_TROUBLE.get(error.kind):
        return ConnectionLost(f"{route}: the proxy that HTTPS_PROXY names cannot be used: {why}.")
    if error.kind is Fault.NAME:
        return ConnectionLost(
            f"{route}: no name server knows {printable(error.host, limit=80)}; check its name in the plan and this "
            "machine's DNS, or set HTTPS_PROXY where only a proxy leads out."
        )
    if error.kind is Fault.TIMEOUT:
        return ConnectionLost(f"{route}: no answer from Box in time.")
    return ConnectionLost(f"{route}: the connection to Box broke ({error}).")


def _tunnel_error(status: int, route: str) -> ConnectorError:
    if status == LOGIN_REFUSED:
        return BoxUnreachable(f"{route}: {PROXY_LOGIN}")
    if status // 100 == 4:
        return BoxUnreachable(
            f"{route}: the proxy on the way refuses the connection to Box ({status}); have it let Box's hosts pass."
        )
    return ConnectionLost(f"{route}: the proxy on the way does not reach Box ({status}).")


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

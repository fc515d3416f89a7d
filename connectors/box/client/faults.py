"""What libcurl's error numbers mean for a request that got no answer. Pure: no I/O, no libcurl."""

from __future__ import annotations

from enum import Enum

#: Numbers of libcurl-errors(3).
COULDNT_RESOLVE_PROXY, COULDNT_RESOLVE_HOST, COULDNT_CONNECT, TIMED_OUT = 5, 6, 7, 28
PEER_FAILED_VERIFICATION, PROXY_HANDSHAKE = 60, 97
#: Of CURLINFO_PROXY_ERROR: a SOCKS proxy that takes no login, or not this one.
PROXY_LOGINS = frozenset({12, 33})
LOGIN_REFUSED = 407


class Fault(Enum):
    """Why there is no answer."""

    #: The certificate is unknown, expired, or another host's.
    UNTRUSTED = "untrusted"
    #: The proxy answered CONNECT, or a SOCKS greeting, with a refusal.
    TUNNEL = "tunnel"
    PROXY_NAME = "proxy name"
    PROXY_SILENT = "proxy silent"
    NAME = "name"
    TIMEOUT = "timeout"
    BROKEN = "broken"


class NetworkFault(Exception):
    """A request that got no answer. Its text is libcurl's name of the error alone: a URL may hold a token."""

    def __init__(
        self, kind: Fault, *, name: str = "", host: str = "", tunnel_status: int = 0, cut: bool = False
    ) -> None:
        super().__init__(name or kind.value)
        self.kind = kind
        #: Whom the request was for.
        self.host = host
        #: What the proxy answered to CONNECT; 0 where it said nothing.
        self.tunnel_status = tunnel_status
        #: TLS was cut off without its farewell.
        self.cut = cut


def fault_of(
    code: int, *, connected: bool, proxied: bool, tunnel_status: int = 0, proxy_error: int = 0
) -> tuple[Fault, int]:
    """Return why libcurl gave up with this number, and the HTTP status of a refused tunnel, 0 for none.

    connected: the first host on the way took the connection, a proxy or Box. tunnel_status: the proxy's answer to
    CONNECT. proxy_error: what libcurl says of a SOCKS proxy.
    """
    if proxied and tunnel_status >= 300:
        return Fault.TUNNEL, tunnel_status
    if code == PROXY_HANDSHAKE and proxy_error in PROXY_LOGINS:
        return Fault.TUNNEL, LOGIN_REFUSED
    if code == PEER_FAILED_VERIFICATION:
        return Fault.UNTRUSTED, 0
    if code == COULDNT_RESOLVE_PROXY:
        return Fault.PROXY_NAME, 0
    if code == COULDNT_RESOLVE_HOST:
        return Fault.NAME, 0
    if code == PROXY_HANDSHAKE or (proxied and not connected and code in (COULDNT_CONNECT, TIMED_OUT)):
        return Fault.PROXY_SILENT, 0
    return (Fault.TIMEOUT if code == TIMED_OUT else Fault.BROKEN), 0

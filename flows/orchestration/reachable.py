"""Whether the Prefect server that runs are shown in answers, asked once before anything else and within seconds."""

from __future__ import annotations

import json

import httpx
from prefect.client.orchestration import get_client
from prefect.exceptions import PrefectHTTPStatusError
from prefect.settings import (
    PREFECT_API_REQUEST_TIMEOUT,
    PREFECT_CLIENT_MAX_RETRIES,
    get_current_settings,
    temporary_settings,
)

from flows.errors import PrefectUnreachable

#: A server that is there answers at once.
QUICKLY = {PREFECT_CLIENT_MAX_RETRIES: 0, PREFECT_API_REQUEST_TIMEOUT: 10.0}
WITHOUT = "or unset PREFECT_API_URL (in a profile: prefect config unset PREFECT_API_URL) to run without it"


def require_server(url: str) -> None:
    """Raise PrefectUnreachable, one line, when the server at PREFECT_API_URL is away or does not admit us."""
    try:
        with temporary_settings(QUICKLY), get_client(sync_client=True) as client:
            client.api_version()
    except PrefectHTTPStatusError as exc:
        _judge(url, exc.response.status_code)
    except (httpx.HTTPError, httpx.InvalidURL, OSError):
        raise PrefectUnreachable(
            f"no Prefect server answers at {_shown(url)} (PREFECT_API_URL); start it, {WITHOUT}"
        ) from None
    except json.JSONDecodeError:
        raise PrefectUnreachable(
            f"what answers at {_shown(url)} is no Prefect server; PREFECT_API_URL ends with /api, {WITHOUT}"
        ) from None


def _judge(url: str, status: int) -> None:
    """Whatever else it answers, it is there: an older server, or Prefect's cloud, may not know the question."""
    if status in (401, 403):
        given = "does not admit us" if _has_login() else "asks for a login"
        raise PrefectUnreachable(
            f"the Prefect server at {_shown(url)} {given} ({status}); set PREFECT_API_AUTH_STRING to the value of its "
            f"PREFECT_SERVER_API_AUTH_STRING, {WITHOUT}"
        ) from None
    if status >= 500:
        raise PrefectUnreachable(
            f"the Prefect server at {_shown(url)} is not ready ({status}); wait for it, {WITHOUT}"
        ) from None


def _has_login() -> bool:
    api = get_current_settings().api
    return bool(api.auth_string or api.key)


def _shown(url: str) -> str:
    """Without a user and password that somebody may have written into it."""
    scheme, _, rest = url.rpartition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme or 'http'}://{host.rpartition('@')[2]}{slash}{path}"

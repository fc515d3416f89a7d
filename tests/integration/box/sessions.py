"""A large file, the routes of its upload session, and what is asked on the way."""

from __future__ import annotations

import pytest

from connectors.box.destination import BoxDestination
from tests.integration.box.files import Killed, Sessions, content, opener, upload

CREATE = "POST /files/upload_sessions"


CREATE_VERSION = "POST /files/:id/upload_sessions"


PART = "PUT /files/upload_sessions/:id"


PARTS = "GET /files/upload_sessions/:id/parts"


COMMIT = "POST /files/upload_sessions/:id/commit"


ABORT = "DELETE /files/upload_sessions/:id"


PLAN = "POST /files/upload_sessions/:id/plan"


INFO = "GET /files/:id"


TOKEN = "POST /oauth2/token"


DATA = content(20_500)  # 21 parts of 1,000 bytes, the last one short


ITEM = upload("0", "big ü.bin", DATA)


def calls(destination: BoxDestination) -> dict[str, int]:
    """What was asked, tokens and accounts aside."""
    return {
        route: n for route, n in destination.call_counts().items() if route not in (TOKEN, "GET /users/me")
    }


def kill_after(destination: BoxDestination, parts: int, item=ITEM, data: bytes = DATA) -> Sessions:
    """Upload until so many parts are recorded, then die; what the next process finds."""
    store = Sessions(die_after=parts)
    with pytest.raises(Killed):
        destination.put(item, opener(data), store)
    store.die_after = None
    return store

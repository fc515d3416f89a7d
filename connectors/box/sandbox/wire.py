"""One request and one answer as the routes see them: parsed query, JSON body, headers. No sockets, no rules."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl

import orjson

from connectors.box.sandbox.errors import BoxError, bad_request, missing
from connectors.box.sandbox.store.records import User

#: Where upload sessions live: a path in place of Box's regional upload hosts.
REGION = "/upload-las/api/2.0"
#: Bytes of a body that `Request.mentions` looks at.
MENTION_BYTES = 16 * 1024
JSON_TYPE = (b"content-type", b"application/json")
_NO_QUERY: dict[str, str] = {}


class Request:
    """A request whose body has been read; `user` is the one it acts as, `token_user` whose token it carries."""

    __slots__ = (
        "base_url",
        "chunks",
        "corrupt",
        "headers",
        "method",
        "params",
        "path",
        "query_string",
        "route",
        "size",
        "token",
        "token_user",
        "user",
    )

    def __init__(self, method: str, path: str, query_string: bytes, headers: dict[bytes, bytes]) -> None:
        self.method = method
        self.path = path
        self.query_string = query_string
        self.headers = headers
        #: The path's ids in order.
        self.params: list[str] = []
        #: The route's template, for example "GET /folders/:id/items".
        self.route = ""
        #: The body as it came.
        self.chunks: list[bytes] = []
        self.size = 0
        #: A fault asks the routes to store something else than was sent.
        self.corrupt = False
        #: Scheme and host as the client sees them.
        self.base_url = ""
        self.user: User = None  # type: ignore[assignment]  # set by the dispatcher before any route that needs it
        self.token_user: User = None  # type: ignore[assignment]
        self.token = ""

    @property
    def query(self) -> dict[str, str]:
        """The query as a dictionary; the last of repeated names wins."""
        if not self.query_string:
            return _NO_QUERY
        return dict(parse_qsl(self.query_string.decode("latin-1"), keep_blank_values=True))

    def header(self, name: bytes) -> str | None:
        """A header's text, or None."""
        value = self.headers.get(name)
        return None if value is None else value.decode("latin-1")

    def body(self) -> bytes:
        """The whole body."""
        return self.chunks[0] if len(self.chunks) == 1 else b"".join(self.chunks)

    def json(self) -> dict[str, Any]:
        """The body as a JSON object; 400 for anything else, an absent body being an empty object."""
        if not self.size:
            return {}
        return parse_object(self.body())

    def json_any(self) -> Any:
        """The body as any JSON value; 400 when it is none."""
        try:
            return orjson.loads(self.body())
        except orjson.JSONDecodeError as exc:
            raise bad_request("Could not parse the request body as JSON") from exc

    def mentions(self, word: str) -> bool:
        """The word is one of the path's ids, or a JSON text in the first 16 KiB of the body."""
        if word in self.params:
            return True
        head = self.body()[:MENTION_BYTES]
        return (
            json.dumps(word).encode() in head
            or json.dumps(word, ensure_ascii=False).encode("utf-8", "surrogatepass") in head
        )

    def fields(self, query: dict[str, str] | None = None) -> tuple[str, ...] | None:
        """The names of the `fields` parameter, or None when it is absent or empty."""
        text = (self.query if query is None else query).get("fields")
        return tuple(name.strip() for name in text.split(",") if name.strip()) if text else None


def parse_object(raw: bytes) -> dict[str, Any]:
    """A JSON object out of bytes; 400 for anything else (lone surrogates included)."""
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as exc:
        raise bad_request("Could not parse the request body as JSON") from exc
    if not isinstance(value, dict):
        raise bad_request("The request body should be a JSON object")
    return value


def parse_bool(query: dict[str, str], name: str, default: bool = False) -> bool:
    """A boolean query parameter in any case (SDKs send `True`); 400 for other words."""
    text = query.get(name)
    if text is None:
        return default
    word = text.lower()
    if word not in {"true", "false"}:
        raise bad_request(f"Invalid value '{text}'. '{name}' should be a boolean", name)
    return word == "true"


def parse_int(query: dict[str, str], name: str, default: int, low: int, high: int) -> int:
    """An integer query parameter within [low, high]; 400 otherwise."""
    text = query.get(name)
    if text is None or text == "":
        return default
    number = parse_number(text)
    if number is None or not low <= number <= high:
        raise bad_request(f"Invalid value '{text}'. '{name}' should be between {low} and {high}", name)
    return number


def parse_number(text: str) -> int | None:
    """A decimal number of at most 18 digits (Python refuses to convert thousands of them), or None."""
    digits = text.removeprefix("-")
    return int(text) if digits.isascii() and digits.isdigit() and len(digits) <= 18 else None


def parse_limit(query: dict[str, str], default: int, most: int = 1000, least: int = 1) -> int:
    """The `limit` parameter; what is above `most` is taken for `most`, 400 for anything else that does not fit."""
    return min(parse_int(query, "limit", default, least, 10**18), most)


def child_id(body: dict[str, Any], name: str, required: bool = True) -> str | None:
    """`body[name].id`, which must be a string of digits; None when absent and not required."""
    value = body.get(name)
    if value is None and not required:
        return None
    if not isinstance(value, dict) or value.get("id") is None:
        if value is not None and not required and isinstance(value, dict):
            return None
        raise missing(f"{name}.id")
    identifier = value["id"]
    if not isinstance(identifier, str) or not identifier:
        raise bad_request(f"'{name}.id' should be a string", f"{name}.id")
    return identifier


def require_child_id(body: dict[str, Any], name: str) -> str:
    """`child_id` that must be there."""
    identifier = child_id(body, name)
    if identifier is None:
        raise missing(f"{name}.id")
    return identifier


def text_of(body: dict[str, Any], name: str, default: str | None = None) -> str | None:
    """A string of the body; 400 when it is of another type."""
    value = body.get(name)
    if value is None:
        return default
    if not isinstance(value, str):
        raise bad_request(f"'{name}' should be a string", name)
    return value


class Response:
    """Status, headers and body. `stream` replaces the body for downloads; its length is `size`."""

    __slots__ = ("body", "headers", "size", "status", "stream")

    def __init__(
        self,
        status: int = 200,
        body: bytes = b"",
        headers: tuple[tuple[bytes, bytes], ...] = (),
        stream: Iterator[bytes] | None = None,
        size: int | None = None,
    ) -> None:
        self.status = status
        self.body = body
        self.headers = headers
        self.stream = stream
        self.size = len(body) if size is None else size


def json_response(value: Any, status: int = 200, headers: tuple[tuple[bytes, bytes], ...] = ()) -> Response:
    """An answer with a JSON body."""
    return Response(status, dump(value), (JSON_TYPE, *headers))


def dump(value: Any) -> bytes:
    """Compact JSON; texts that are no valid Unicode are escaped."""
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:
        return json.dumps(value).encode()


def error_response(error: BoxError, request_id: str) -> Response:
    """The answer for a refusal."""
    return json_response(error.body(request_id), error.status, error.headers)

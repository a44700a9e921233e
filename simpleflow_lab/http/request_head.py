"""The head of an HTTP request: its first line and its headers, read from a connection.

`http.server` reads headers as those of a mail message, which takes longer than all the rest of a small request. What is
read here is what clients send: HTTP/1.1 and 1.0, one line for each header.

Rule: a head that two programs could read in two ways is refused: a header that is folded or without a colon, a space
before a colon, two lengths, a line or a head that is too long.
"""

from __future__ import annotations

import functools
import re
from io import BufferedIOBase
from typing import Final, NamedTuple

MAX_LINE: Final = 8192
"""Longest line, in bytes. A signature and a long session token are shorter."""
MAX_HEADERS: Final = 100
MAX_HEAD: Final = 1 << 16
"""Most bytes of all headers together."""

_FIRST_LINE: Final = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([\x21-\x7e]+) HTTP/1\.([01])\r?\n")
_NAME: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_ONCE: Final = frozenset({"content-length", "host", "transfer-encoding", "x-amz-target", "authorization"})


class RequestHeadError(Exception):
    """A request that can't be read: an HTTP status, and why."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class RequestHead(NamedTuple):
    """The first line and the headers of one request."""

    method: str
    """As in "POST"."""
    target: str
    """The path."""
    headers: dict[str, str]
    """By name in lower case. Several of one name are one, with commas between."""
    keeps_connection: bool
    """Whether the client wants to send another request on this connection."""


def read_request_head(connection: BufferedIOBase) -> RequestHead | None:
    """The head of the next request; `None` if the client has closed the connection. Raises `RequestHeadError`."""
    line = connection.readline(MAX_LINE)
    if not line:
        return None
    found = _FIRST_LINE.fullmatch(line)
    if found is None:
        raise RequestHeadError(414 if len(line) == MAX_LINE else 400, "the first line is none of HTTP/1.1")
    headers = _headers(connection)
    wanted = headers.get("connection", "").lower()
    keeps = wanted != "close" if found[3] == b"1" else wanted == "keep-alive"
    return RequestHead(found[1].decode(), found[2].decode(), headers, keeps)


@functools.lru_cache(maxsize=256)  # there are few, in request after request
def _name(raw: bytes) -> str | None:
    """The name of a header in lower case; `None` if it can't be one."""
    return None if _NAME.fullmatch(raw) is None else raw.decode().lower()


def _headers(connection: BufferedIOBase) -> dict[str, str]:
    headers: dict[str, str] = {}
    size = 0
    for _ in range(MAX_HEADERS + 1):
        line = connection.readline(MAX_LINE)
        if line in (b"\r\n", b"\n"):
            return headers
        size += len(line)
        if size > MAX_HEAD:
            raise RequestHeadError(431, f"the headers have more than {MAX_HEAD} bytes")
        if not line.endswith(b"\n"):
            raise RequestHeadError(431 if len(line) == MAX_LINE else 400, "a header is too long, or cut off")
        raw, colon, value = line.partition(b":")
        name = _name(raw) if colon else None
        if name is None:
            raise RequestHeadError(400, "a line of the head is no header")
        text = value.strip().decode("latin-1")
        if name in headers:
            if name in _ONCE:
                raise RequestHeadError(400, f"two headers {name}")
            text = f"{headers[name]}, {text}"
        headers[name] = text
    raise RequestHeadError(431, f"more than {MAX_HEADERS} headers")

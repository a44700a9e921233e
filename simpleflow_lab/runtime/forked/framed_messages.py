"""Framed messages between an activity worker and a forked activity: JSON objects, each with its length before it.

Rule: JSON and nothing else, so that reading a message runs no code.
"""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Iterator, Mapping
from typing import Any, Final

_LENGTH: Final = struct.Struct(">Q")
_CHUNK: Final = 1 << 20


class FramedMessages:
    """One end of a connected socket, which sends and receives whole messages."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._sending = threading.Lock()
        self._received = bytearray()

    def fileno(self) -> int:
        """The descriptor of the socket, for `select`."""
        return self._connection.fileno()

    def send(self, message: Mapping[str, Any]) -> None:
        """Send a message. Raises `OSError` if the other process has ended."""
        body = json.dumps(message).encode()
        with self._sending:
            self._connection.sendall(_LENGTH.pack(len(body)) + body)

    def receive(self) -> Iterator[dict[str, Any]]:
        """Read once, which may wait, and give the messages that are complete then. Raises `EOFError` at the end."""
        try:
            chunk = self._connection.recv(_CHUNK)
        except ConnectionError:
            chunk = b""
        if not chunk:
            raise EOFError
        self._received += chunk
        return self._complete()

    def _complete(self) -> Iterator[dict[str, Any]]:
        while len(self._received) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._received)
            if len(self._received) < _LENGTH.size + length:
                return
            body = bytes(self._received[_LENGTH.size : _LENGTH.size + length])
            del self._received[: _LENGTH.size + length]
            yield json.loads(body)

    def close(self) -> None:
        """Close the socket."""
        self._connection.close()

"""Kept-alive HTTP connections to one port of this machine, one for each thread that sends requests.

Rule: a connection is used by one thread of one process. A forked process opens its own, and the one that a thread held
is closed when the thread ends. After anything but a complete response a connection is closed, for what arrives on it
next could be the response to another request.
"""

from __future__ import annotations

import http.client
import os
import socket
import threading
import time
import weakref
from collections.abc import Mapping
from typing import Final

HOST: Final = "127.0.0.1"
MAX_RESPONSE: Final = 1 << 29
"""Largest response that is read, in bytes. A page of 1,000 events with the longest values is smaller."""
MAX_IDLE_SECONDS: Final = 60.0
"""A connection that was not used for longer is not used again: the server closes it after twice that time."""


class ResponseError(Exception):
    """What was sent back is not a response that can be read; the message says why."""


class _Connection(http.client.HTTPConnection):
    """A connection, with the process that opened it and the time of its latest use."""

    def __init__(self, port: int, *, connect_timeout: float, read_timeout: float):
        super().__init__(HOST, port, timeout=connect_timeout)
        self.pid = os.getpid()
        self.used_at = time.monotonic()
        self.connect()
        self.sock.settimeout(read_timeout)

    def __del__(self) -> None:
        # The thread that used it has ended, or the client is gone.
        self.close()

    def is_usable(self) -> bool:
        """Whether this process opened it, and the server has not closed it for idleness."""
        return self.pid == os.getpid() and time.monotonic() - self.used_at < MAX_IDLE_SECONDS

    def interrupt(self) -> None:
        """End what another thread waits for on this connection."""
        sock = self.sock
        if sock is not None and self.pid == os.getpid():
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:  # it is closed already
                return


class Connections:
    """The connections of this process to one port."""

    def __init__(self, port: int, *, connect_timeout: float, read_timeout: float):
        """Connections are opened when they are needed. Times are in seconds; a read is one packet, not a response."""
        self._port = port
        self._connect_timeout = connect_timeout
        self._read_timeout = read_timeout
        self._of_thread = threading.local()
        self._opened: weakref.WeakSet[_Connection] = weakref.WeakSet()
        self._closed = False

    def post(self, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        """Send `POST /` and give the status and the body of the response.

        Raises `OSError` (`TimeoutError` if nothing came in time), `http.client.HTTPException` and `ResponseError`.
        """
        connection = self._connection()
        try:
            connection.putrequest("POST", "/", skip_host=True, skip_accept_encoding=True)
            for name, value in headers.items():
                connection.putheader(name, value)
            connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            with connection.getresponse() as response:
                content = _content(response)
        except BaseException:  # an interrupt, too, leaves a response unread
            connection.close()
            self._of_thread.connection = None
            raise
        connection.used_at = time.monotonic()
        return response.status, content

    def close(self) -> None:
        """Close all connections of this process. Requests that wait for a response, and all later ones, fail."""
        self._closed = True
        for connection in list(self._opened):
            connection.interrupt()

    def _connection(self) -> _Connection:
        """The calling thread's connection, opened if there is none that can be used."""
        connection: _Connection | None = getattr(self._of_thread, "connection", None)
        if connection is None or connection.sock is None or not connection.is_usable():
            if connection is not None:
                connection.close()  # in a forked process it closes the copy only
            connection = _Connection(self._port, connect_timeout=self._connect_timeout, read_timeout=self._read_timeout)
            self._of_thread.connection = connection
            self._opened.add(connection)
        if self._closed:
            raise ConnectionAbortedError("the connections to the owner are closed")
        return connection


def _content(response: http.client.HTTPResponse) -> bytes:
    """The whole body. Raises `ResponseError` if its length is unknown or too large."""
    if response.length is None:
        raise ResponseError("a response without a length")
    if response.length > MAX_RESPONSE:
        raise ResponseError(f"a response of {response.length} bytes")
    return response.read()

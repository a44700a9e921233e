"""Kept-alive HTTP connections to one port of this machine, one for each thread that sends requests.

A request is one packet, and of a response only the status, the length and the body are read: that is a third of the
processor time that `http.client` takes, which prepares for servers of all kinds.

Rule: a connection is used by one thread of one process. A forked process opens its own, and the one that a thread held
is closed when the thread ends. After anything but a complete response a connection is closed, for what arrives on it
next could be the response to another request.
"""

from __future__ import annotations

import math
import os
import re
import socket
import struct
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from typing import Final

from simpleflow_lab.http import forks

HOST: Final = "127.0.0.1"
MAX_RESPONSE: Final = 1 << 29
"""Largest response that is read, in bytes. A page of 1,000 events with the longest values is smaller."""
MAX_LINE: Final = 8192
"""Longest status line or header, in bytes."""
MAX_HEADERS: Final = 100
MAX_IDLE_SECONDS: Final = 60.0
"""A connection that was not used for longer is not used again: the server closes it after twice that time."""

CHECK_SECONDS: Final = 2.5
"""Seconds after which a request that waits for its response asks whether to wait on."""

WaitOn = Callable[[float], None]
"""Called with the seconds since a request was sent, while no response comes; it raises to end the wait."""

_STATUS_LINE: Final = re.compile(rb"HTTP/1\.1 (\d{3})(?: [^\r\n]*)?")
_PART: Final = 1 << 14
"""Bytes that are read at once of the beginning of a response: most are not longer."""
MAX_PART: Final = 1 << 20
"""Most bytes that are read at once."""
_TIMEVAL: Final = struct.Struct("ll")


class ResponseError(Exception):
    """The bytes that were sent back are not a response that can be read; the message says why."""


class _Connection:
    """A connection, with the process that opened it and the time of its latest use."""

    def __init__(self, port: int, *, connect_timeout: float, read_timeout: float | None) -> None:
        self._pid = os.getpid()
        self._used_at = time.monotonic()
        self._read_timeout = math.inf if read_timeout is None else read_timeout
        self._socket = socket.create_connection((HOST, port), connect_timeout)
        forks.register(self._socket)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        limit_waits(self._socket, receive=min(self._read_timeout, CHECK_SECONDS), send=read_timeout)

    def __del__(self) -> None:
        # The thread that used it has ended, or the client is gone.
        if hasattr(self, "_socket"):
            self.close()

    def is_usable(self) -> bool:
        """Whether this process opened it, and the server has not closed it for idleness."""
        return self._pid == os.getpid() and time.monotonic() - self._used_at < MAX_IDLE_SECONDS

    def exchange(self, request: bytes, wait_on: WaitOn | None) -> tuple[int, bytes, bool]:
        """Send a request; gives the status and the body of the response, and whether the server then closes.

        Raises `OSError` (`TimeoutError` if nothing came in time), `ResponseError`, and what `wait_on` raises.
        """
        try:
            self._socket.sendall(request)
        except BlockingIOError:
            raise TimeoutError("the request was not taken in time") from None
        read = self._receive(_PART, wait_on)
        while (end := read.find(b"\r\n\r\n")) < 0:
            _check_begun(read)
            more = self._receive(_PART)
            if not more:
                raise ConnectionResetError("it closed the connection without a response")
            read += more
        status_line, *headers = read[:end].split(b"\r\n")
        status = _status(status_line)
        length, closes = _meaning(headers)
        parts, left = [read[end + 4 :]], length - (len(read) - end - 4)
        while left > 0:
            more = self._receive(min(left, MAX_PART))
            if not more:
                raise ConnectionResetError("the response ends too early")
            parts.append(more)
            left -= len(more)
        if left < 0:
            raise ResponseError("a response that goes on after its length")
        self._used_at = time.monotonic()
        return status, b"".join(parts), closes

    def _receive(self, most: int, wait_on: WaitOn | None = None) -> bytes:
        """The next bytes that come, at most so many; none if the server has closed the connection."""
        began = time.monotonic()
        while True:
            try:
                return self._socket.recv(most)
            except BlockingIOError:  # nothing has come for a while
                waited = time.monotonic() - began
                if wait_on is not None:
                    wait_on(waited)
                elif waited >= self._read_timeout:
                    raise TimeoutError("nothing came in time") from None

    def interrupt(self) -> None:
        """End what another thread of this process waits for on this connection."""
        if self._pid == os.getpid():
            try:
                self._socket.shutdown(socket.SHUT_RDWR)
            except OSError:  # it is closed already
                return

    def close(self) -> None:
        """Close this process's copy of the connection."""
        self._socket.close()


def limit_waits(connection: socket.socket, *, receive: float | None, send: float | None) -> None:
    """Let a connection's calls that receive, and those that send, raise `BlockingIOError` after so many seconds.

    The kernel keeps the time: with a timeout of Python's each call would be two system calls.
    """
    connection.settimeout(None)
    for option, seconds in ((socket.SO_RCVTIMEO, receive), (socket.SO_SNDTIMEO, send)):
        microseconds = 0 if seconds is None else max(round(seconds * 1e6), 1)
        connection.setsockopt(socket.SOL_SOCKET, option, _TIMEVAL.pack(*divmod(microseconds, 1_000_000)))


def _status(line: bytes) -> int:
    found = _STATUS_LINE.fullmatch(line)
    if found is None:
        raise ResponseError("a response that is not HTTP/1.1")
    return int(found[1])


def _check_begun(read: bytes) -> None:
    """Raise an error for the beginning of a response whose headers will not be read to their end."""
    if not read:
        raise ConnectionResetError("it closed the connection without a response")
    first, newline, rest = read.partition(b"\r\n")
    if newline:
        _status(first)
    if len(read) - (read.rfind(b"\n") + 1) >= MAX_LINE:
        raise ResponseError(f"a header of more than {MAX_LINE} bytes")
    if rest.count(b"\n") >= MAX_HEADERS:
        raise ResponseError(f"a response with more than {MAX_HEADERS} headers")


def _meaning(headers: list[bytes]) -> tuple[int, bool]:
    """The length of the body that these headers tell, and whether the server closes the connection after it."""
    length, closes = None, False
    if len(headers) > MAX_HEADERS:
        raise ResponseError(f"a response with more than {MAX_HEADERS} headers")
    for header in headers:
        if len(header) >= MAX_LINE:
            raise ResponseError(f"a header of more than {MAX_LINE} bytes")
        name, _, value = header.partition(b":")
        match name.lower():
            case b"content-length":
                length = value.strip()
            case b"connection":
                closes = value.strip().lower() == b"close"
            case b"transfer-encoding":
                raise ResponseError("a response in pieces")
    if length is None or not length.isdigit():
        raise ResponseError("a response without a length")
    if len(length) > len(str(MAX_RESPONSE)) or int(length) > MAX_RESPONSE:
        raise ResponseError(f"a response of more than {MAX_RESPONSE} bytes")
    return int(length), closes


class Connections:
    """The connections of this process to one port."""

    def __init__(self, port: int, *, connect_timeout: float, read_timeout: float | None) -> None:
        """Connections are opened when they are needed. Times are in seconds; a read is one packet, not a response."""
        self._port = port
        self._connect_timeout = connect_timeout
        self._read_timeout = read_timeout
        self._of_thread = threading.local()
        self._opened: weakref.WeakValueDictionary[int, _Connection] = weakref.WeakValueDictionary()
        self._closed = False

    def post(self, headers: Mapping[str, str], body: bytes, wait_on: WaitOn | None = None) -> tuple[int, bytes]:
        """Send `POST /` and give the status and the body of the response.

        While no response comes, `wait_on` is called every `CHECK_SECONDS` with the seconds since the request was sent;
        it ends the wait by raising. Without it, the wait ends as a read does.

        Raises `OSError` (`TimeoutError` if nothing came in time), `ResponseError`, and what `wait_on` raises.
        """
        lines = ["POST / HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        lines += [f"Content-Length: {len(body)}", "", ""]
        connection = self._connection()
        try:
            status, content, closes = connection.exchange("\r\n".join(lines).encode("ascii") + body, wait_on)
        except BaseException:  # an interrupt, too, leaves a response unread
            self._drop(connection)
            raise
        if closes:
            self._drop(connection)
        return status, content

    def close(self) -> None:
        """Close all connections of this process. Requests that wait for a response, and all later ones, fail."""
        self._closed = True
        for reference in self._opened.valuerefs():  # a copy: other threads may open connections meanwhile
            connection = reference()
            if connection is not None:
                connection.interrupt()

    def _connection(self) -> _Connection:
        """The calling thread's connection, opened if there is none that can be used."""
        connection: _Connection | None = getattr(self._of_thread, "connection", None)
        if connection is None or not connection.is_usable():
            if connection is not None:
                self._drop(connection)
            connection = _Connection(self._port, connect_timeout=self._connect_timeout, read_timeout=self._read_timeout)
            self._of_thread.connection = connection
            self._opened[id(connection)] = connection
        if self._closed:
            raise ConnectionAbortedError("the connections to the owner are closed")
        return connection

    def _drop(self, connection: _Connection) -> None:
        self._of_thread.connection = None
        connection.close()

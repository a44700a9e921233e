"""Connections without a signed request: they end soon, are few, and hold up nobody who has the key."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from simpleflow_lab.engine.embedded import EmbeddedSWF
from simpleflow_lab.http.server import Endpoint
from simpleflow_lab.http.targets import USER_AGENT
from simpleflow_lab.http.unsigned_connections import MAX_UNSIGNED
from tests.http.test_server import BODY, send, signed

PARTS = {
    "nothing": b"",
    "half a line": b"POST / HT",
    "half a head": b"POST / HTTP/1.1\r\nHost: x\r\nAuthorization: ",
    "half a body": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{",
}


@pytest.fixture
def engine() -> Iterator[EmbeddedSWF]:
    with EmbeddedSWF(":memory:") as opened:
        yield opened


def connect(endpoint: Endpoint) -> socket.socket:
    return socket.create_connection(("127.0.0.1", endpoint.port), timeout=60)


def is_ended(connection: socket.socket) -> bool:
    """Wait for the other side to end it; `False` if it sent something that is no refusal."""
    with contextlib.suppress(ConnectionError):
        said = b"".join(iter(lambda: connection.recv(4096), b""))
        return not said or said.startswith(b"HTTP/1.1 4")
    return True


@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
@pytest.mark.parametrize("goes_on", [False, True], ids=["and waits", "and goes on byte by byte"])
def test_who_sends_too_slowly_is_ended(engine: EmbeddedSWF, part: bytes, goes_on: bool) -> None:
    endpoint = Endpoint(engine, unsigned_seconds=0.3)
    with connect(endpoint) as connection:
        connection.sendall(part)
        ended = threading.Event()

        def trickle() -> None:
            with contextlib.suppress(OSError):
                while not ended.wait(0.01):
                    connection.sendall(b"x")

        thread = threading.Thread(target=trickle)
        if goes_on:
            thread.start()
        assert is_ended(connection)
        ended.set()
        if goes_on:
            thread.join()
    endpoint.close()


def test_five_hundred_of_them_cost_few_threads_and_hold_up_nobody_with_the_key(engine: EmbeddedSWF) -> None:
    endpoint = Endpoint(engine, unsigned_seconds=600)
    before = threading.active_count()
    with contextlib.ExitStack() as stack:
        unsigned = [stack.enter_context(connect(endpoint)) for _ in range(500)]
        with selectors.DefaultSelector() as watched:
            for each in unsigned:
                watched.register(each, selectors.EVENT_READ)
            deadline = time.monotonic() + 200
            ended: set[socket.socket] = set()
            while len(ended) < 500 - MAX_UNSIGNED and time.monotonic() < deadline:
                for key, _ in watched.select(1):
                    ended.add(key.fileobj)  # type: ignore[arg-type]
                    watched.unregister(key.fileobj)
        assert ended == set(unsigned[: 500 - MAX_UNSIGNED])
        assert send(endpoint, signed(endpoint))[0] == 200
        while threading.active_count() - before > MAX_UNSIGNED + 8 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert threading.active_count() - before <= MAX_UNSIGNED + 8
        endpoint.close()
        assert all(is_ended(each) for each in unsigned[-MAX_UNSIGNED:])


def test_a_connection_of_a_program_with_the_key_stays(engine: EmbeddedSWF) -> None:
    endpoint = Endpoint(engine, unsigned_seconds=4)
    headers = {**signed(endpoint), "User-Agent": USER_AGENT, "Content-Length": str(len(BODY))}
    headers["Host"] = f"127.0.0.1:{endpoint.port}"
    head = "POST / HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers.items()) + "\r\n"
    with connect(endpoint) as connection:
        connection.sendall(head.encode() + BODY)
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")
        with connect(endpoint) as late:
            assert is_ended(late)
        connection.sendall(head.encode() + BODY)
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")
        assert len(endpoint.unsigned) == 0
    endpoint.close()

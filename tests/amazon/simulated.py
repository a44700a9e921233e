"""A simulated Amazon SWF: the engine's endpoint, behind a proxy that does to requests what networks and Amazon do.

with SimulatedAmazon() as amazon:
    amazon.faults = Faults({"PollForActivityTask": ["throttle"]})     # the first poll is refused
    Lab("aws://eu-west-1/etl")                                        # with amazon.environment in the environment
    amazon.calls["PollForActivityTask"]                               # how many requests came

================  =====================================================================================================
fault             what happens to the request
================  =====================================================================================================
`throttle`        refused: too many requests
`error`           refused: HTTP 500 with SWF's words
`unavailable`     refused: HTTP 503 with a page of HTML, as load balancers do
`refuse`          the connection is closed before the request is carried out
`reset`           likewise, by a reset
`lose`            carried out, and the connection closed without a response
`repeat`          carried out twice, with the response to the second request
`stall`           carried out, and no response comes until the client gives up; not by chance, it takes long
================  =====================================================================================================
"""

from __future__ import annotations

import datetime
import http.client
import json
import random
import socket
import struct
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

from simpleflow_lab.engine.embedded import EmbeddedSWF
from simpleflow_lab.http.server import HOST, Endpoint

FAULTS = ("throttle", "error", "unavailable", "refuse", "reset", "lose", "repeat")
LISTS = ("ListOpenWorkflowExecutions", "ListClosedWorkflowExecutions")


class Faults:
    """The faults of the next requests: for each operation in this order, or of any operation by chance."""

    def __init__(
        self,
        planned: Mapping[str, Iterable[str]] | None = None,
        *,
        each: Iterable[str] = (),
        rate: float = 0.0,
        kinds: Iterable[str] = FAULTS,
        without: Iterable[str] = (),
        seed: int = 0,
    ):
        """`planned` by operation, where "" is none; `each` is planned for every operation that has none of its own.
        Later requests get a fault of one of the `kinds` with the probability `rate`, unless they are `without`."""
        self._planned = {operation: deque(faults) for operation, faults in (planned or {}).items()}
        self._each = tuple(each)
        self._rate, self._kinds, self._without = rate, tuple(kinds), frozenset(without)
        self._random = random.Random(seed)
        self._lock = threading.Lock()

    def next(self, operation: str) -> str | None:
        """The fault of this request, or none."""
        with self._lock:
            if operation in self._without:
                return None
            if planned := self._planned.setdefault(operation, deque(self._each)):
                return planned.popleft()
            return self._random.choice(self._kinds) if self._random.random() < self._rate else None


class SimulatedAmazon:
    """An engine that is reached as Amazon SWF is, from construction to the end of a `with` block."""

    def __init__(self, *, poll_seconds: float = 0.3):
        self.engine = EmbeddedSWF(poll_seconds=poll_seconds)
        self.endpoint = Endpoint(self.engine)
        self.faults = Faults()
        self.latency = 0.0
        """Seconds before each request is carried out."""
        self.visible_after = 0.0
        """Seconds until lists and counts show that an execution was started, or closed."""
        self.is_down = False
        """Every connection is closed at once."""
        self.accepts: Callable[[Mapping[str, str]], tuple[str, str] | None] = lambda headers: None
        """Gives the code and the message with which a request of these headers is refused, or `None`."""
        self.calls: Counter[str] = Counter()
        self.made: Counter[str] = Counter()
        """The faults that were made, by kind."""
        self.requests: list[tuple[str, Any]] = []
        """Operation and body of each request, if `records`."""
        self.records = False
        self._proxy = _Proxy((HOST, 0), _Handler)
        self._proxy.amazon = self
        self.port: int = self._proxy.server_address[1]
        self.endpoint.hosts |= {f"{HOST}:{self.port}"}
        self._thread = threading.Thread(target=self._proxy.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which every AWS SDK finds it."""
        found = {name: str(value) for name, value in self.endpoint.environment.items()}
        return found | {"AWS_ENDPOINT_URL_SWF": f"http://{HOST}:{self.port}"}

    def __enter__(self) -> SimulatedAmazon:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.engine.release_polls()
        self._proxy.shutdown()
        self._proxy.server_close()
        self._thread.join()
        self.endpoint.close()
        self.engine.close()


class _Proxy(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64
    amazon: SimulatedAmazon

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no matter."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # a body is sent after its head: it would wait for the client's acknowledgement
    server: _Proxy

    def do_POST(self) -> None:
        amazon = self.server.amazon
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        operation = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
        amazon.calls[operation] += 1
        if amazon.records:
            amazon.requests.append((operation, json.loads(body)))
        fault = "refuse" if amazon.is_down else amazon.faults.next(operation)
        if fault:
            amazon.made[fault] += 1
        refused = amazon.accepts({**self.headers, "operation": operation})
        if refused is not None:
            return self._refuse(400, *refused)
        if amazon.latency:
            time.sleep(amazon.latency)
        match fault:
            case "throttle":
                self._refuse(400, "com.amazon.coral.availability#ThrottlingException", "Rate exceeded")
            case "error":
                self._refuse(500, "com.amazon.coral.service#InternalFailure", "")
            case "unavailable":
                self._respond(503, "text/html", b"<html><body><h1>503 Service Unavailable</h1></body></html>")
            case "refuse":
                self.close_connection = True
            case "reset":
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.close_connection = True
            case "stall":
                self._forward(body)
                self.connection.recv(1)  # nothing, at the end
                self.close_connection = True
            case "lose":
                self._forward(body)
                self.close_connection = True
            case _:
                if fault == "repeat":
                    self._forward(body)
                status, content_type, answer = self._forward(body)
                if status == 200 and operation in LISTS and amazon.visible_after:
                    answer = _older(answer, time.time() - amazon.visible_after)
                self._respond(status, content_type, answer)

    def _forward(self, body: bytes) -> tuple[int, str, bytes]:
        connection = http.client.HTTPConnection(HOST, self.server.amazon.endpoint.port, timeout=120)
        try:
            connection.request(self.command, self.path, body, dict(self.headers))
            response = connection.getresponse()
            return response.status, response.getheader("Content-Type") or "", response.read()
        finally:
            connection.close()

    def _refuse(self, status: int, code: str, message: str) -> None:
        body = json.dumps({"__type": code, "message": message}).encode()
        self._respond(status, "application/x-amz-json-1.0", body)

    def _respond(self, status: int, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("x-amzn-RequestId", "simulated")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Not to stderr."""


def _older(answer: bytes, since: float) -> bytes:
    """A list of executions without those that were started or closed after `since`."""
    found = json.loads(answer)
    found["executionInfos"] = [
        info
        for info in found["executionInfos"]
        if max(float(info["startTimestamp"]), float(info.get("closeTimestamp", 0))) <= since
    ]
    return json.dumps(found).encode()


def now() -> datetime.datetime:
    """The time, as lists take it."""
    return datetime.datetime.now(datetime.UTC)

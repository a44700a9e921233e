"""The loopback endpoint: an engine served to other processes in SWF's JSON protocol over HTTP.

An SWF client in any language can use it: `POST /`, the operation in `X-Amz-Target`, JSON in and out, faults as SWF
writes them. Requests must be signed with the key of the connection file, which only the user can read. Requests that a
browser could send are refused: those with an `Origin`, a foreign `Host`, another content type, or a method other than
POST. There are no CORS headers and no redirects.

A connection of a program that is not ours is closed after each response. Programs that fork after they have made their
SDK's client (upstream's `decider.start -N 2` and `worker.start -N 2` do) share its kept-alive connections between their
processes, which then read each other's responses, tasks included. A connection that is closed can't be shared; a new
one takes about 0.3 ms.

Connections on which nothing signed comes are few and end soon, see `unsigned_connections`.

Rule: this module speaks HTTP and decides nothing about workflows.
"""

from __future__ import annotations

import contextlib
import datetime
import functools
import http
import json
import logging
import os
import re
import select
import socket
import socketserver
import threading
import uuid
from collections.abc import Callable, Mapping
from typing import Any, Final

from simpleflow_lab.data.json_encoder import encoder
from simpleflow_lab.engine.embedded import EmbeddedSWF
from simpleflow_lab.exceptions import (
    SerializationException,
    SimpleflowLabError,
    StoreError,
    StorePausedError,
    SWFFault,
    ThrottlingException,
    UnknownOperationException,
    ValidationException,
)
from simpleflow_lab.http import connection_file as names
from simpleflow_lab.http import forks
from simpleflow_lab.http.connection_file import write_connection_file
from simpleflow_lab.http.connections import limit_waits
from simpleflow_lab.http.request_head import RequestHead, RequestHeadError, read_request_head
from simpleflow_lab.http.signature import SignatureError, check_signature
from simpleflow_lab.http.store_keys import Keys, new_keys
from simpleflow_lab.http.targets import (
    ANSWER_AND_POLL,
    CONTENT_TYPE,
    HAND_OVER,
    INSTANCE_HEADER,
    KEEP_SESSION,
    MAX_BODY,
    MAX_HOLD_SECONDS,
    METHODS,
    ONCE,
    OPEN_SESSION,
    OWN_TARGETS,
    POLL_HEADER,
    REQUEST_HEADER,
    STORE_PAUSED,
    TOO_LARGE,
    USER_AGENT,
    WAIT_FOR_HISTORY,
    OwnOperation,
)
from simpleflow_lab.http.unsigned_connections import UNSIGNED_SECONDS, UnsignedConnections
from simpleflow_lab.swf.history import epoch_seconds

_BAD_SIGNATURE: Final = "InvalidSignatureException"
logger = logging.getLogger(__name__)

HOST: Final = "127.0.0.1"
REGION: Final = "us-east-1"
"""The region in the connection file; requests may be signed for any region."""
IDLE_SECONDS: Final = 120.0
"""Seconds for which a connection may stay open without a request."""
DRAIN_SECONDS: Final = 2.0
"""The most seconds for which a process that ends waits until the last responses are sent."""

_TARGET: Final = re.compile(
    r"(?:SimpleWorkflowService|com\.amazonaws\.swf\.service\.model\.SimpleWorkflowService)\.(\w+)"
)
_CONTENT_TYPES: Final = frozenset({CONTENT_TYPE, "application/json"})
_POLLS: Final = frozenset({"PollForDecisionTask", "PollForActivityTask"})

_TYPES: Final[Mapping[type[SWFFault], str]] = {
    ValidationException: "com.amazon.coral.validate#ValidationException",
    SerializationException: "com.amazon.coral.service#SerializationException",
    UnknownOperationException: "com.amazon.coral.service#UnknownOperationException",
    ThrottlingException: "com.amazon.coral.availability#ThrottlingException",
}
"""The `__type` of faults that are not in SWF's own model."""


class Endpoint:
    """Serves one engine on loopback, from construction to `close`."""

    def __init__(
        self,
        engine: EmbeddedSWF,
        *,
        keys: Keys | None = None,
        port: int = 0,
        connection_file: str | None = None,
        hand_over: Callable[[], None] | None = None,
        poll_seconds: float | None = None,
        unsigned_seconds: float = UNSIGNED_SECONDS,
        check_seconds: float = 0.2,
        now: Callable[[], datetime.datetime] = lambda: datetime.datetime.now(datetime.UTC),
    ) -> None:
        """Serve `engine` on a port, by default a free one, and write the connection file if one is named.

        Requests must be signed with `keys`, by default new ones, see `store_keys.of_store` for those of a store.
        `hand_over` gives the store away when another process asks for it; without it, that is refused.
        An empty poll returns after `poll_seconds`, by default as the engine's own polls. A connection on which no
        signed request has come whole after `unsigned_seconds` is closed; that is checked every `check_seconds`, and
        when another connection comes. `now` gives the time against which the time of signatures is checked.

        Raises `StoreError` if the port is taken or the file can't be written.
        """
        self.engine = engine
        self.keys = keys or new_keys()
        self.now = now
        self.closing = False
        self.hand_over = hand_over
        self.on_close: Callable[[], None] = _nothing
        """Called after it was closed."""
        self._answering = 0
        self._answered = threading.Condition()
        self.poll_seconds = poll_seconds
        self.unsigned = UnsignedConnections(seconds=unsigned_seconds)
        """The connections of which nothing signed has come yet."""
        try:
            self._server = _Server((HOST, port), self)
        except OSError as error:
            raise StoreError(f"no endpoint on {HOST}:{port}: {error.strerror or error}; name another port") from None
        self.port: int = self._server.server_address[1]
        self.url = f"http://{HOST}:{self.port}"
        self.hosts = frozenset({f"{name}:{self.port}" for name in (HOST, "localhost")})
        self._connection_file = connection_file
        try:
            self.use_keys(self.keys)
        except StoreError:
            self._server.server_close()
            raise
        self._thread = threading.Thread(
            target=self._server.serve_forever,
            kwargs={"poll_interval": check_seconds},
            name="simpleflow-lab endpoint",
            daemon=True,
        )
        self._thread.start()

    @property
    def environment(self) -> dict[str, Any]:
        """The environment variables with which every AWS SDK uses this endpoint."""
        return {
            names.URL: self.url,
            names.ACCESS_KEY: self.keys.access_key,
            names.SECRET_KEY: self.keys.secret_key,
            names.REGION: REGION,
        }

    def use_keys(self, keys: Keys) -> None:
        """Accept requests that are signed with these keys only, from now on. Raises `StoreError`."""
        self.keys = keys
        if self._connection_file is not None:
            write_connection_file(self._connection_file, self.environment | {"pid": os.getpid()})

    def begin_response(self) -> None:
        """Count a request that has come and will be answered."""
        with self._answered:
            self._answering += 1

    def end_response(self) -> None:
        """Count a request whose response is on its way."""
        with self._answered:
            self._answering -= 1
            if not self._answering:
                self._answered.notify_all()

    def drain(self) -> None:
        """Wait until the requests that came have been answered, after this endpoint and its engine were closed.

        A process that ended before would leave its clients in doubt about what it has done.
        """
        with self._answered:
            self._answered.wait_for(lambda: not self._answering, DRAIN_SECONDS)

    def close(self) -> None:
        """Stop serving, and delete the connection file. Polls that wait end when the engine releases them.

        What has come is answered; no connection brings anything more, and each ends with its last response. A second
        call does nothing: the file may be the next owner's by then.
        """
        if self.closing:
            return
        self.closing = True
        if self._connection_file is not None:
            with contextlib.suppress(OSError):
                os.unlink(self._connection_file)
        self._server.stop()
        self._server.server_close()
        self._server.end_reading()
        self._thread.join()
        self.on_close()


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._open: set[socket.socket] = set()
        super().__init__(address, _Handler)
        forks.register(self.socket)

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept a connection. Raises `OSError` when the endpoint closes; the caller takes that for none."""
        if self.endpoint.closing:
            raise OSError("the endpoint closes")
        return super().get_request()

    def stop(self) -> None:
        """Accept nothing more. `serve_forever` looks whether it is to end when a connection comes, so one does."""
        with contextlib.suppress(OSError), socket.socket() as own:  # without it, it looks after its `poll_interval`
            own.setblocking(False)
            own.connect_ex(self.server_address)
        self.shutdown()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection in a thread of its own."""
        self.endpoint.unsigned.came(request)
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Close a connection."""
        self.endpoint.unsigned.left(request)
        self._open.discard(request)
        super().shutdown_request(request)

    def end_reading(self) -> None:
        """Let the threads that wait for a further request on their connections end."""
        for each in self._open.copy():  # none comes any more
            with contextlib.suppress(OSError):  # it has just ended
                each.shutdown(socket.SHUT_RD)

    def service_actions(self) -> None:
        """Called between two connections, and otherwise every `poll_interval` seconds."""
        self.endpoint.unsigned.end_late()

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A client that disconnects in the middle of a request is not worth a message; anything else is a bug.
        logger.debug("a connection of %s ended badly", client_address, exc_info=True)


class _Rejected(Exception):
    """A request that is refused before it reaches the engine: an HTTP status, a code and a message."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class _Handler(socketserver.StreamRequestHandler):
    """One connection."""

    wbufsize = 0  # a response is one write
    disable_nagle_algorithm = True
    server: _Server
    _head: RequestHead
    """Of the current request."""
    _keeps_connection = True
    _session: str | None = None
    """The instance whose session ends with this connection."""

    def handle(self) -> None:
        """Answer one request after the other."""
        while self._keeps_connection:
            try:
                head = read_request_head(self.rfile)
            except RequestHeadError as error:
                self._refuse(_Rejected(error.status, "BadRequest", str(error)))
                return
            if head is None:
                return
            self._head = head
            self._keeps_connection = head.keeps_connection and head.headers.get("user-agent") == USER_AGENT
            self.server.endpoint.begin_response()
            try:
                self._respond()
            finally:
                self.server.endpoint.end_response()

    def _respond(self) -> None:
        try:
            if self._head.method != "POST":
                raise _Rejected(405, "BadRequest", "there is only POST")
            body = self._body()
            self._check_sender(body)
            operation, request = self._operation(body)
            response = self._call(operation, request)
        except _Rejected as error:
            self._refuse(error)
        except SWFFault as fault:
            kind = _TYPES.get(type(fault), f"com.amazonaws.swf.base.model#{fault.code}")
            self._send(400, {"__type": kind, "message": fault.message} if fault.message else {"__type": kind})
        except StorePausedError as error:
            self._send(503, {"__type": STORE_PAUSED, "message": str(error)})
        except SimpleflowLabError as error:
            if self.server.endpoint.closing:
                # A client that gets no response looks for the next owner.
                self._keeps_connection = False
                return
            self._send(500, {"__type": "com.amazon.coral.service#InternalFailure", "message": str(error)})
        else:
            self._send(200, response or None)

    def _refuse(self, error: _Rejected) -> None:
        # The keys of a client whose session depends on this connection were rotated: it lives, and gets the new ones.
        is_of_session = self._session is not None and error.code == _BAD_SIGNATURE
        self._keeps_connection = self._keeps_connection and is_of_session
        self._send(error.status, {"__type": error.code, "message": str(error)})

    # -- the request

    def _body(self) -> bytes:
        headers = self._head.headers
        length = headers.get("content-length", "")
        if "transfer-encoding" in headers or not (length.isascii() and length.isdigit()):
            raise _Rejected(411, "MissingContentLength", "send a Content-Length")
        if int(length) > MAX_BODY:
            raise _Rejected(413, TOO_LARGE, f"a request has at most {MAX_BODY} bytes")
        if headers.get("expect", "").lower() == "100-continue":
            self.connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = self.rfile.read(int(length)) or b""
        if len(body) < int(length):
            raise ConnectionResetError("the connection ended within a request")
        return body

    def _check_sender(self, body: bytes) -> None:
        """Raise `_Rejected` unless a program sent the request that has the key, and not a page in a browser."""
        endpoint, headers = self.server.endpoint, self._head.headers
        if headers.get("host", "") not in endpoint.hosts:
            raise _Rejected(403, "AccessDeniedException", "this endpoint is for programs on this machine")
        if "origin" in headers or headers.get("sec-fetch-site", "none") != "none":
            raise _Rejected(403, "AccessDeniedException", "this endpoint is not for web pages")
        if self._head.target != "/":
            raise _Rejected(404, "UnknownOperationException", "there is only /")
        if headers.get("content-type", "").partition(";")[0].strip().lower() not in _CONTENT_TYPES:
            raise _Rejected(403, "AccessDeniedException", f"send {CONTENT_TYPE}")
        keys = endpoint.keys
        try:
            check_signature(
                method="POST",
                path="/",
                headers=headers,
                body=body,
                access_key=keys.access_key,
                secret_key=keys.secret_key,
                now=endpoint.now(),
            )
        except SignatureError as error:
            raise _Rejected(403, _BAD_SIGNATURE, str(error)) from None
        if not endpoint.unsigned.signed_request_came(self.connection):
            raise ConnectionResetError("the connection was ended while its request came")

    def _operation(self, body: bytes) -> tuple[str | OwnOperation, dict[str, Any]]:
        """The operation of SWF or of our own, and its request. Raises `SWFFault`."""
        target = self._head.headers.get("x-amz-target", "")
        operation: str | OwnOperation
        if target in OWN_TARGETS:
            operation = OWN_TARGETS[target]
        else:
            found = _TARGET.fullmatch(target)
            if found is None or found[1] not in METHODS:
                raise UnknownOperationException
            operation = found[1]
        try:
            request = json.loads(body.decode() or "{}")
        except (ValueError, RecursionError):
            raise SerializationException("the request is not JSON") from None
        if not isinstance(request, dict):
            raise SerializationException("the request is no JSON object")
        # SWF treats null as a member that is absent.
        return operation, {name: value for name, value in request.items() if value is not None}

    # -- the response

    def _call(self, operation: str | OwnOperation, request: dict[str, Any]) -> Mapping[str, Any]:
        engine = self.server.endpoint.engine
        if isinstance(operation, OwnOperation):
            return self._own_call(operation, operation.arguments(request))
        if operation in _POLLS:
            # A task is assigned only to a client that is still connected, and sent when its start is on disk.
            return engine.remote_poll(
                operation, request, self._is_connected, self.server.endpoint.poll_seconds, self._poll_number()
            )
        request_id = self._head.headers.get(REQUEST_HEADER.lower())
        if request_id is not None and METHODS[operation] in ONCE:
            return engine.once(request_id, lambda: self._carry_out(operation, request))
        return self._carry_out(operation, request)

    def _carry_out(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """The response to an operation that is no poll."""
        engine = self.server.endpoint.engine
        if operation == "StartWorkflowExecution":
            return engine.remote_start(request, self._head.headers.get(INSTANCE_HEADER.lower()))
        method: Callable[..., dict[str, Any]] = getattr(engine, METHODS[operation])
        return method(**request)

    def _poll_number(self) -> int | None:
        number = self._head.headers.get(POLL_HEADER.lower(), "")
        return int(number) if number.isascii() and number.isdigit() else None

    def _own_call(self, operation: OwnOperation, arguments: dict[str, Any]) -> Mapping[str, Any]:
        engine = self.server.endpoint.engine
        if operation.method == HAND_OVER:
            if self.server.endpoint.hand_over is None:
                raise UnknownOperationException
            self.server.endpoint.hand_over()
            return {}
        if operation.method == WAIT_FOR_HISTORY:
            arguments["timeout"] = min(max(arguments["timeout"], 0.0), MAX_HOLD_SECONDS)
        elif operation.method == KEEP_SESSION and arguments.pop("holds", False):
            arguments["connection"] = self
        elif operation.method == OPEN_SESSION:
            arguments["is_local"] = False
        elif operation.method == ANSWER_AND_POLL:
            arguments |= {"is_connected": self._is_connected, "client_number": self._poll_number()}
        response = getattr(engine, operation.method)(**arguments)
        if "connection" in arguments and self._session != arguments["instance"]:
            # However long the client is suspended, the connection stays.
            self._session = arguments["instance"]
            limit_waits(self.connection, receive=None, send=None)
        return response if operation.result is None else {operation.result: response}

    def setup(self) -> None:
        """Begin to serve a connection."""
        forks.register(self.request)
        super().setup()
        limit_waits(self.connection, receive=IDLE_SECONDS, send=IDLE_SECONDS)

    def finish(self) -> None:
        """Close the connection, and end the session that depended on it."""
        try:
            if self._session is not None and not self.server.endpoint.closing:
                with contextlib.suppress(StoreError):  # the engine is closed: it has no sessions
                    self.server.endpoint.engine.connection_lost(self._session, self)
        finally:
            super().finish()

    def _is_connected(self) -> bool:
        """Whether the client has not closed its end. A client that waits for a response sends nothing."""
        try:
            readable, _, broken = select.select([self.connection], [], [self.connection], 0)
            return not broken and (not readable or bool(self.connection.recv(1, socket.MSG_PEEK)))
        except (OSError, ValueError):
            return False

    def _send(self, status: int, response: Mapping[str, Any] | None) -> None:
        body = b"" if response is None else _dumps(response).encode()
        head = (
            f"{_response_head(status, self._keeps_connection)}x-amzn-RequestId: {uuid.uuid4()}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        try:
            self.wfile.write(head.encode("ascii") + body)
        except OSError:
            self._keeps_connection = False
        logger.debug("%s: %d", self._head.headers.get("x-amz-target") if hasattr(self, "_head") else None, status)


@functools.cache
def _response_head(status: int, keeps_connection: bool) -> str:
    """The first lines of a response."""
    lines = [f"HTTP/1.1 {status} {http.HTTPStatus(status).phrase}", f"Content-Type: {CONTENT_TYPE}"]
    if not keeps_connection:
        lines.append("Connection: close")
    return "\r\n".join([*lines, ""])


def _nothing() -> None:
    """Do nothing."""


def _json(value: Any) -> Any:
    if isinstance(value, datetime.datetime):
        return epoch_seconds(value)
    raise TypeError(f"{type(value).__name__} has no JSON")


_dumps: Final = encoder(default=_json)

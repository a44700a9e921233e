"""The client side of the loopback endpoint: the engine of a store that another process owns.

It needs no AWS SDK: a kept-alive connection for each thread, requests in SWF's JSON signed by `http.signature`, and
responses with the datetimes that boto3 would give.

Rule: the address and key in a connection file are used for this engine alone: never through the environment, and never
for another machine. Nothing is repeated here: a call that meets no owner raises `ServiceUnreachableError`, and the
caller looks for the next owner. A call that was sent to an owner that lives is waited for, however long it takes.
"""

from __future__ import annotations

import datetime
import functools
import json
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final, NoReturn, Unpack

from simpleflow_lab.data.json_encoder import encoder
from simpleflow_lab.engine import validation
from simpleflow_lab.engine.ownership import owner_pid
from simpleflow_lab.exceptions import (
    FAULTS,
    SerializationException,
    ServiceUnreachableError,
    StorePausedError,
    SWFFault,
    UnknownOperationException,
)
from simpleflow_lab.http import connection_file
from simpleflow_lab.http.connection_file import connection_file_path, read_connection_file
from simpleflow_lab.http.connections import HOST, Connections, ResponseError
from simpleflow_lab.http.signature import signed_headers
from simpleflow_lab.http.silent_owner import SilentOwner, Tell
from simpleflow_lab.http.targets import (
    ANSWER_AND_POLL,
    CONTENT_TYPE,
    HAND_OVER,
    INSTANCE_HEADER,
    MAX_BODY,
    MAX_HOLD_SECONDS,
    OWN_OPERATIONS,
    POLL_HEADER,
    REQUEST_HEADER,
    STORE_PAUSED,
    SWF_NAMES,
    TARGETS,
    TOO_LARGE,
    USER_AGENT,
    WAIT_FOR_HISTORY,
)
from simpleflow_lab.service.delegation import DelegatingService
from simpleflow_lab.service.history_polling import HistoryPolling
from simpleflow_lab.service.protocol import Answer, Structure
from simpleflow_lab.service.watchable import ActivityAnswer, ClientRecord, DecisionAnswer
from simpleflow_lab.swf import shapes
from simpleflow_lab.swf.history import epoch_seconds

CONNECT_TIMEOUT: Final = 10.0
READ_TIMEOUT: Final = 75.0
"""Seconds. Longer than the engine holds a poll. An engine whose process is not known is waited for no longer."""
POLLING_PAUSE: Final = 0.25
"""Longest pause, in seconds, between two readings of a history where the owner can't wait for it."""
_START: Final = TARGETS["start_workflow_execution"]
_NOT_THE_OWNER: Final = frozenset({401, 403})
"""Statuses of an endpoint that does not know the key: another engine has the port by now."""


def connect_to_owner(store: str, tell: Tell | None = None) -> EngineClient:
    """The engine of the process that owns the store at this path. `tell` tells a person that it does not answer.

    Raises `ServiceUnreachableError` if there is no usable connection file. Whether the owner responds shows at the
    first call.
    """
    record = read_connection_file(connection_file_path(store))
    pid = owner_pid(store)
    return EngineClient(
        port=int(record[connection_file.URL].rpartition(":")[2]),
        access_key=record[connection_file.ACCESS_KEY],
        secret_key=record[connection_file.SECRET_KEY],
        region=record[connection_file.REGION],
        owner=None if pid is None else SilentOwner(store, pid, tell or _tell_nobody),
    )


def _tell_nobody(text: str) -> None:
    """Do nothing."""


class EngineClient(DelegatingService):
    """The engine behind a port of this machine, as a `WatchableService`. Any thread, and a forked process, may use it.

    Operations raise `SWFFault`s as the engine does, and `ServiceUnreachableError` if the port does not answer, or not
    as an engine with this key does.
    """

    def __init__(
        self,
        *,
        port: int,
        access_key: str,
        secret_key: str,
        region: str,
        read_timeout: float | None = READ_TIMEOUT,
        owner: SilentOwner | None = None,
    ) -> None:
        """See `connect_to_owner`. `read_timeout`, in seconds, must be longer than the engine holds a poll; `None` is
        for ever. `owner` says whether to wait on for a response; without it, none is waited for longer than that.
        """
        self._owner = owner
        self._instance: str | None = None
        self._port = port
        self._host = f"{HOST}:{port}"
        self._access_key, self._secret_key, self._region = access_key, secret_key, region
        self._read_timeout = read_timeout
        self._connections = Connections(port, connect_timeout=CONNECT_TIMEOUT, read_timeout=read_timeout)

    def call(self, operation: str, request: Mapping[str, Any]) -> Answer:
        """Carry out an operation of SWF on the engine. A poll that gets no response in time gives no task."""
        return self._call(operation, request)

    def call_once(self, operation: str, request: Mapping[str, Any], request_id: str) -> Answer:
        """As `call`; if a request with this id has taken effect, at this owner or one before, its answer of then."""
        return self._call(operation, request, {REQUEST_HEADER: request_id})

    def poll(self, operation: str, request: Mapping[str, Any], number: int) -> Answer:
        """As `call`, of a poll with this number: see `hold_session`."""
        return self._call(operation, request, {POLL_HEADER: str(number)})

    def _call(self, operation: str, request: Mapping[str, Any], headers: Mapping[str, str] = {}) -> Answer:
        if any(value is None for value in request.values()):  # on the wire it would mean that there is no such member
            validation.check(SWF_NAMES[operation], request)
        try:
            held = self._read_timeout or 0.0 if operation.startswith("poll_for") else 0.0
            response = self._post(TARGETS[operation], request, held, headers)
        except TimeoutError:
            if operation.startswith("poll_for"):
                return {}
            self._unreachable(f"{operation} got no answer within {self._read_timeout} s")
        self._with_datetimes(operation, response)
        return response

    def _with_datetimes(self, operation: str, response: dict[str, Any]) -> None:
        try:
            with_datetimes(response)
        except (TypeError, ValueError, OverflowError, OSError, AttributeError):
            self._unreachable(f"the response to {operation} has no times where SWF has them")

    def now(self) -> int:
        """See `WatchableService`."""
        try:
            return int(self._own("now")["now"])
        except UnknownOperationException:  # an owner of version 0.1.0, or before, does not tell
            return time.time_ns() // 1_000_000

    def wait_for_history(
        self, *, domain: str, execution: Structure, after_event_id: int, timeout: float, until_closed: bool = False
    ) -> int:
        """See `WatchableService`. A long wait is several requests, each held by the engine."""
        deadline = time.monotonic() + timeout
        while True:
            sent_at = time.monotonic()
            held = min(max(deadline - sent_at, 0.0), MAX_HOLD_SECONDS)
            try:
                response = self._own(
                    WAIT_FOR_HISTORY,
                    held,
                    domain=domain,
                    execution=execution,
                    after_event_id=after_event_id,
                    timeout=held,
                    until_closed=until_closed,
                )
            except UnknownOperationException:  # the owner runs version 0.1.0, and can't wait
                polling = HistoryPolling(self, longest_pause=POLLING_PAUSE)
                return polling.wait_for_history(
                    domain=domain,
                    execution=execution,
                    after_event_id=after_event_id,
                    timeout=deadline - time.monotonic(),
                    until_closed=until_closed,
                )
            last = response.get("lastEventId")
            if type(last) is not int:
                self._unreachable("the response to wait_for_history has no lastEventId")
            now = time.monotonic()
            if now >= deadline or now - sent_at < held:
                return last

    def answer_decision_task(self, *, then_poll: Structure | None = None, **request: Unpack[DecisionAnswer]) -> Answer:
        """See `WatchableService`. Only `answer_and_poll` polls."""
        return self._own("answer_decision_task", **request)

    def answer_activity_task(self, *, then_poll: Structure | None = None, **request: Unpack[ActivityAnswer]) -> Answer:
        """See `WatchableService`. This process may outlive the engine: the result is on disk when it returns. Only
        `answer_and_poll` polls."""
        return self.respond_activity_task_completed(**request)

    def answer_and_poll(self, operation: str, request: Mapping[str, Any], then_poll: Structure, number: int) -> Answer:
        """Answer a task and poll for the next one, with this number (see `hold_session`), in one request.

        `operation` is `respond_decision_task_completed` or `respond_activity_task_completed`. The response is that of
        a poll, which waits for some milliseconds at most.

        Raises `UnknownOperationException` if the owner's version is too old for it.
        """
        response = self._own(
            ANSWER_AND_POLL,
            0.0,
            {POLL_HEADER: str(number)},
            operation=SWF_NAMES[operation],
            request=request,
            then_poll=then_poll,
        )
        self._with_datetimes(operation, response)
        return response

    def release_polls(self) -> None:
        """End the polls of this process that wait at the owner, if it has a session there."""
        if self._instance is not None:
            self._own("release_polls_of", instance=self._instance)

    def open_session(self, *, instance: str, record: ClientRecord, taskTokens: Sequence[str] = ()) -> Answer:
        """See `WatchableService`. From now on the executions that are started here are of this instance."""
        self._instance = instance
        return self._own("open_session", instance=instance, record=record, taskTokens=list(taskTokens))

    def keep_session(self, *, instance: str, record: ClientRecord) -> Answer:
        """See `WatchableService`."""
        return self._own("keep_session", instance=instance, record=record)

    def hold_session(self, *, instance: str, held: Structure) -> Answer:
        """Say that this process lives, on the connection with whose end the session ends: that of this thread.

        `held` tells which polls wait and which tasks came, as `EmbeddedSWF.keep_session` has it.
        """
        return self._own("keep_session", instance=instance, record={}, holds=True, held=held)

    def close_session(self, *, instance: str) -> Answer:
        """See `WatchableService`."""
        return self._own("close_session", instance=instance)

    def release_task(self, *, taskToken: str) -> Answer:
        """See `WatchableService`."""
        return self._own("release_task", taskToken=taskToken)

    def attach_execution(self, *, domain: str, execution: Structure, instance: str, takes_over: bool = True) -> Answer:
        """See `WatchableService`."""
        return self._own(
            "attach_execution", domain=domain, execution=execution, instance=instance, takes_over=takes_over
        )

    def pollers(self, *, domain: str) -> Answer:
        """See `WatchableService`."""
        return self._own("pollers", domain=domain)

    def describe_waiting(self, *, domain: str, execution: Structure) -> Answer:
        """See `WatchableService`."""
        try:
            return self._own("describe_waiting", domain=domain, execution=execution)
        except UnknownOperationException:  # an owner of version 0.1.0 does not tell
            return {"tasks": []}

    def damaged_executions(self, *, domain: str) -> Answer:
        """See `WatchableService`."""
        try:
            response = self._own("damaged_executions", domain=domain)
        except UnknownOperationException:  # an owner of an earlier version
            return {"executionInfos": []}
        with_datetimes(response)
        return response

    def beside(self) -> EngineClient:
        """Another client of the same engine, with connections of its own on which a response may take for ever."""
        return EngineClient(
            port=self._port,
            access_key=self._access_key,
            secret_key=self._secret_key,
            region=self._region,
            read_timeout=None,
            owner=self._owner,
        )

    def _own(self, method: str, held: float = 0.0, more: Mapping[str, str] = {}, /, **arguments: Any) -> dict[str, Any]:
        """The response to an operation of our own, which the engine may hold for `held` seconds.

        `more` are further headers.
        """
        operation = OWN_OPERATIONS[method]
        try:
            return self._post(operation.target, operation.request(arguments), held, more)
        except TimeoutError:
            self._unreachable(f"{method} got no answer within {self._read_timeout} s")

    def hand_over(self) -> None:
        """Ask the owner to give the store away: when this returns, it owns it no more, and is a client of the next one.

        Raises `ValidationException` if it refuses, and `UnknownOperationException` if its version is too old for it.
        """
        self._own(HAND_OVER)

    def close(self) -> None:
        """Close all connections. Calls that wait for a response, and later ones, raise `ServiceUnreachableError`."""
        self._connections.close()

    def append_log(
        self, *, domain: str, execution: Structure, records: Sequence[Structure], dropped: int = 0
    ) -> Answer:
        """See `WatchableService`."""
        own = {} if self._instance is None else {"instance": self._instance}
        return self._own("append_log", domain=domain, execution=execution, records=records, dropped=dropped, **own)

    def read_log(self, *, domain: str, execution: Structure, after: int = 0) -> Answer:
        """See `WatchableService`."""
        return self._own("read_log", domain=domain, execution=execution, after=after)

    def report_decision_error(self, *, domain: str, execution: Structure, error: Structure) -> Answer:
        """See `WatchableService`."""
        return self._own("report_decision_error", domain=domain, execution=execution, error=error)

    def report_warning(self, *, domain: str, execution: Structure, message: str) -> Answer:
        """See `WatchableService`."""
        return self._own("report_warning", domain=domain, execution=execution, message=message)

    def describe_reports(self, *, domain: str, execution: Structure) -> Answer:
        """See `WatchableService`."""
        try:
            return self._own("describe_reports", domain=domain, execution=execution)
        except UnknownOperationException:  # an owner of version 0.1.0 keeps no reports
            return {"decisionErrors": [], "warnings": []}

    def retry_decision(self, *, domain: str, execution: Structure) -> Answer:
        """See `WatchableService`."""
        try:
            return self._own("retry_decision", domain=domain, execution=execution)
        except UnknownOperationException:  # an owner of an earlier version
            return {"isRetried": False}

    def _post(
        self, target: str, request: Mapping[str, Any], held: float = 0.0, more: Mapping[str, str] = {}
    ) -> dict[str, Any]:
        """The response to a request, which the engine may hold for `held` seconds before it answers, as it comes.

        `more` are further headers.

        Raises `TimeoutError`, `SWFFault`, `ServiceUnreachableError`.
        """
        body = _encoded(request)
        if len(body) > MAX_BODY:
            raise _fault(TOO_LARGE, f"a request has at most {MAX_BODY} bytes")
        unsigned = {
            "Host": self._host,
            "Content-Type": CONTENT_TYPE,
            "User-Agent": USER_AGENT,
            "X-Amz-Target": target,
            **more,
        }
        if target == _START and self._instance is not None:
            unsigned[INSTANCE_HEADER] = self._instance
        headers = signed_headers(
            unsigned,
            body=body,
            access_key=self._access_key,
            secret_key=self._secret_key,
            region=self._region,
            now=datetime.datetime.now(datetime.UTC),
        )
        try:
            owner = self._owner
            if owner is None:
                status, content = self._connections.post(headers, body)
            else:
                status, content = self._connections.post(headers, body, functools.partial(owner.wait_on, held))
                owner.answered()
        except TimeoutError:
            raise
        except (OSError, ResponseError) as error:
            self._unreachable(str(error) or type(error).__name__)
        try:
            response = json.loads(content.decode()) if content else {}
        except (ValueError, RecursionError):
            self._unreachable(f"a response with status {status} that is not JSON")
        if not isinstance(response, dict):
            self._unreachable(f"a response with status {status} that is no JSON object")
        if status == 200:
            return response
        if response.get("__type") == STORE_PAUSED:
            raise StorePausedError(str(response.get("message", "")))
        if status in _NOT_THE_OWNER or not isinstance(response.get("__type"), str):
            self._unreachable(f"status {status}: {str(response.get('message', 'no message'))[:200]}")
        raise _fault(response["__type"], str(response.get("message", "")))

    def _unreachable(self, reason: str) -> NoReturn:
        raise ServiceUnreachableError(f"the owner at {self._host} does not answer as it should: {reason}") from None


def with_datetimes(response: dict[str, Any]) -> None:
    """Put datetimes in UTC, to the millisecond, where a response of SWF has epoch seconds."""
    for member, times in shapes.RESPONSE_TIMES.items():
        value = response.get(member)
        if value is None:
            continue
        if not times:
            response[member] = _datetime(value)
            continue
        for structure in value if type(value) is list else (value,):
            for name in times:
                if name in structure:
                    structure[name] = _datetime(structure[name])


def _datetime(seconds: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(round(seconds * 1000) / 1000, datetime.UTC)


def _encoded(request: Mapping[str, Any]) -> bytes:
    """A request as JSON. Raises `SerializationException`."""
    try:
        return _dumps(request).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise SerializationException(f"the request has no JSON: {error}") from None


def _json(value: Any) -> Any:
    if isinstance(value, datetime.datetime):
        # The engine refuses, in SWF's words, a time without a zone.
        return value.isoformat() if value.tzinfo is None else epoch_seconds(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no JSON")


_dumps: Final = encoder(default=_json, allow_nan=False)


def _fault(kind: str, message: str) -> SWFFault:
    """The engine's refusal as an exception of the class with SWF's name for it."""
    code = kind.rpartition("#")[2]
    known = FAULTS.get(code)
    if known is not None:
        return known(message)
    other = SWFFault(message)
    other.code = code
    return other

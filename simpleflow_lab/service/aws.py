"""Amazon SWF through boto3, as an `SWFService`.

boto3's clients have the methods of the protocol. What real use needs beside them is here: three clients, so that polls,
heartbeats and all other calls don't wait for each other; retries with jitter; credentials that are looked for again
when AWS no longer accepts them; and errors of our own classes (`service.aws_errors`).

==============  ===============================  =====================================================================
client          its calls                        why
==============  ===============================  =====================================================================
`polls`         `poll_for_…` that wait           each holds a connection for up to 60 s; the pollers repeat them
`heartbeats`    `record_activity_task_heartbeat` a late one is worth less than the next: short timeouts, no retries
`calls`         everything else                  repeated up to `SWF_CONNECTION_RETRIES` times
==============  ===============================  =====================================================================

Rule: this module, `service.aws_errors` and `service.s3` are the only ones that import boto3, and they are imported
only where it is needed.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import boto3
import botocore.config
import botocore.exceptions
import botocore.parsers

from simpleflow_lab.exceptions import CredentialsError, UsageError
from simpleflow_lab.service.aws_errors import call_error, not_swf, session_error
from simpleflow_lab.service.delegation import DelegatingService
from simpleflow_lab.service.protocol import Answer

logger = logging.getLogger(__name__)

CONNECT_TIMEOUT: Final = 10
"""Seconds."""
RETRIES: Final = 5
"""The most times that a call that failed is made again, with botocore's exponential pauses and jitter in between."""
MAX_ATTEMPTS: Final = RETRIES + 1
MAX_POLLS: Final = 100
"""Polls of one process that wait at a time, each with a connection; further ones wait for their turn."""
WAIT_FOR_POLL_SECONDS: Final = 10.0
"""Seconds that a poll waits for its turn before it comes back without a task."""


class _Kind(NamedTuple):
    """The settings of one of the clients."""

    read_timeout: int
    """Seconds."""
    connect_timeout: int
    """Seconds."""
    connections: int
    """Connections that are kept."""
    is_repeated: bool
    """Whether botocore makes a call again that failed."""


POLLS: Final = _Kind(read_timeout=75, connect_timeout=CONNECT_TIMEOUT, connections=MAX_POLLS, is_repeated=False)
"""SWF holds an empty poll for 60 s; AWS asks clients to wait for at least 70."""
HEARTBEATS: Final = _Kind(read_timeout=5, connect_timeout=5, connections=8, is_repeated=False)
CALLS: Final = _Kind(read_timeout=30, connect_timeout=CONNECT_TIMEOUT, connections=50, is_repeated=True)


def _without_traceback(record: logging.LogRecord) -> bool:
    """Leaves a record of botocore its line alone: what a failed log-in means is said by the error of the call."""
    record.exc_info = record.exc_text = None
    return True


for _name in ("botocore.credentials", "botocore.tokens"):
    logging.getLogger(_name).addFilter(_without_traceback)


class Clients(NamedTuple):
    """The boto3 clients of one service."""

    calls: Any
    polls: Any
    heartbeats: Any
    credentials: tuple[str, str | None] | None
    """The access key and the session token with which they were made; `None` without any."""

    def close(self) -> None:
        """Close all connections."""
        for client in (self.calls, self.polls, self.heartbeats):
            client.close()


def clients(
    *,
    region: str | None = None,
    endpoint: str | None = None,
    access_key: str | None = None,
    secret_key: str | None = None,
    retries: int = RETRIES,
) -> Clients:
    """The boto3 SWF clients. An argument that is `None` comes from boto3's own configuration.

    Raises `UsageError` if there is no region, `CredentialsError` if AWS's configuration can't be read.
    """
    # With explicit keys it does not matter whose session it is, and boto3's default one is ten times faster.
    session = _session() if access_key is None else boto3

    def client(kind: _Kind) -> Any:
        config = botocore.config.Config(
            read_timeout=kind.read_timeout,
            connect_timeout=kind.connect_timeout,
            max_pool_connections=kind.connections,
            retries={"mode": "standard", "total_max_attempts": retries + 1 if kind.is_repeated else 1},
            tcp_keepalive=True,
            parameter_validation=False,  # SWF itself validates, in its own words
            # The environment must not override a local endpoint, and no proxy stands before it.
            **({"ignore_configured_endpoint_urls": True, "proxies": {}} if endpoint else {}),
        )
        return session.client(
            "swf",
            region_name=region,
            endpoint_url=endpoint,
            aws_access_key_id=access_key,
            aws_secret_access_key=secret_key,
            config=config,
        )

    try:
        calls, polls, heartbeats = client(CALLS), client(POLLS), client(HEARTBEATS)
        keys = (access_key, None) if access_key is not None else _keys(session)
    except (botocore.exceptions.NoRegionError, botocore.exceptions.InvalidRegionError) as error:
        raise UsageError(
            f"no usable AWS region ({error}): name one, as in 'aws://eu-west-1/domain', or set AWS_DEFAULT_REGION"
        ) from None
    except (botocore.exceptions.BotoCoreError, ValueError) as error:
        raise session_error(error) from None
    return Clients(calls, polls, heartbeats, keys)


def _session() -> Any:
    """A new session. boto3's default one keeps the first credentials that this process had: after they were changed in
    a notebook it would go on writing to the other account."""
    try:
        return boto3.session.Session()
    except botocore.exceptions.BotoCoreError as error:
        raise session_error(error) from None


def _keys(session: Any) -> tuple[str, str | None] | None:
    """The credentials that AWS's configuration gives now."""
    found = session.get_credentials()
    if found is None:
        return None
    frozen = found.get_frozen_credentials()
    return frozen.access_key, frozen.token


def account(swf_client: Any) -> str:
    """Id of the account that the client's credentials belong to, or "unknown" if they don't allow the question."""
    try:
        region, credentials = swf_client.meta.region_name, swf_client._request_signer._credentials
        if credentials is None:
            return "unknown"
        sts = boto3.client(
            "sts",
            region_name=region,
            aws_access_key_id=credentials.access_key,
            aws_secret_access_key=credentials.secret_key,
            aws_session_token=credentials.token,
            config=botocore.config.Config(connect_timeout=5, read_timeout=5, retries={"max_attempts": 1}),
        )
        return str(sts.get_caller_identity()["Account"])
    except (
        botocore.exceptions.BotoCoreError,
        botocore.exceptions.ClientError,
        botocore.parsers.ResponseParserError,  # a proxy's page
    ):
        return "unknown"


def connect(*, region: str | None, retries: int = RETRIES) -> Boto3Service:
    """Amazon SWF in a region, by default that of AWS's configuration, with the credentials of this process.

    Raises as `clients`.
    """
    made = clients(region=region, retries=retries)
    return Boto3Service(made, renew=lambda: clients(region=region, retries=retries), account=account(made.calls))


class Renewal:
    """Looks for other credentials than those that AWS no longer accepts."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._looked_at = -math.inf
        self.pause = 1.0
        """Seconds, at least, between two looks."""

    def finds_others(self, than: tuple[str, str | None] | None) -> bool:
        """Whether AWS's configuration now gives others than these. It is read once in `pause` at most."""
        with self._lock:
            now = time.monotonic()
            if now - self._looked_at < self.pause:
                return False
            self._looked_at = now
        return keys_now() not in (None, than)


class Boto3Service(DelegatingService):
    """boto3's SWF clients as an `SWFService`: answers have no metadata, refusals are our classes."""

    def __init__(
        self,
        made: Clients,
        *,
        renew: Callable[[], Clients] | None = None,
        account: str = "unknown",
        max_polls: int = MAX_POLLS,
        wait_for_poll_seconds: float = WAIT_FOR_POLL_SECONDS,
    ) -> None:
        """`renew` makes clients with the credentials of the moment; they are used if they belong to the `account`.
        `max_polls` wait at a time; a further one waits `wait_for_poll_seconds` for its turn."""
        self._clients = made
        self._old: list[Clients] = []
        self._renew = renew
        self._renewing = threading.Lock()
        self._renewal = Renewal()
        self._max_polls, self._wait_for_poll_seconds = max_polls, wait_for_poll_seconds
        self._polls = threading.BoundedSemaphore(max_polls)
        self._has_waited = False
        self.account = account
        """Id of the account, or "unknown"."""

    @property
    def region(self) -> str:
        """The region."""
        return str(self._clients.calls.meta.region_name)

    @property
    def events(self) -> list[Any]:
        """The event systems of the clients, in which a caller may register handlers."""
        return [client.meta.events for client in self._clients[:3]]

    def close(self) -> None:
        """Close all connections."""
        for each in (*self._old, self._clients):
            each.close()

    def call(self, operation: str, request: Mapping[str, Any]) -> Answer:
        """Call the method of the client for this operation.

        Raises `SWFFault`, `CredentialsError` or `ServiceUnreachableError`.
        """
        used = self._clients
        try:
            return self._call(used, operation, request)
        except CredentialsError:
            renewed = self._renewed(used)
            if renewed is None:
                raise
        return self._call(renewed, operation, request)

    def _call(self, used: Clients, operation: str, request: Mapping[str, Any]) -> Answer:
        if operation == "record_activity_task_heartbeat":
            return _answer(used.heartbeats, operation, request)
        # A further page of a decision task does not wait for a task.
        if not operation.startswith("poll_for_") or "nextPageToken" in request:
            return _answer(used.calls, operation, request)
        if not self._polls.acquire(blocking=False):
            if not self._has_waited:
                self._has_waited = True
                logger.warning(
                    "more than %d polls wait at Amazon SWF: further task lists take turns. "
                    "Divide the task lists among several processes",
                    self._max_polls,
                )
            if not self._polls.acquire(timeout=self._wait_for_poll_seconds):
                return {}
        try:
            return _answer(used.polls, operation, request)
        finally:
            self._polls.release()

    def _renewed(self, used: Clients) -> Clients | None:
        """Clients with other credentials than these, if AWS's configuration has others by now.

        Raises `CredentialsError` if they belong to another account.
        """
        with self._renewing:
            if self._clients is not used:
                return self._clients
            if self._renew is None or not self._renewal.finds_others(used.credentials):
                return None
            renewed = self._renew()
            found = account(renewed.calls)
            if self.account != found and "unknown" not in (self.account, found):
                renewed.close()
                raise CredentialsError(
                    f"the AWS credentials now belong to account {found}, and those before to {self.account}: restore "
                    "them, or open another Lab"
                )
            logger.info("AWS has other credentials now: they are used")
            self._old.append(used)
            self._clients = renewed
            return renewed


def keys_now() -> tuple[str, str | None] | None:
    """The credentials that AWS's configuration gives now; `None` if it gives none."""
    try:
        return _keys(_session())
    except (botocore.exceptions.BotoCoreError, CredentialsError):
        return None


def _answer(client: Any, operation: str, request: Mapping[str, Any]) -> Answer:
    """The client's answer, without metadata."""
    try:
        answer: Answer = getattr(client, operation)(**request)
    except (
        botocore.exceptions.BotoCoreError,
        botocore.exceptions.ClientError,
        botocore.parsers.ResponseParserError,
    ) as error:
        is_poll = operation.startswith("poll_for_") and "nextPageToken" not in request
        if is_poll and isinstance(error, botocore.exceptions.ReadTimeoutError):
            return {}  # no answer came in time: the same as no task
        ours = call_error(error, operation)
        if ours is None:
            raise
        raise ours from error
    answer.pop("ResponseMetadata", None)
    if not _is_whole(client, operation, answer):
        raise not_swf(operation)
    return answer


def _is_whole(client: Any, operation: str, answer: Answer) -> bool:
    """Whether the answer has what SWF's answers to this operation always have."""
    if operation.startswith("poll_for_"):
        return "startedEventId" in answer or "taskToken" in answer
    if operation == "start_workflow_execution":  # which botocore's model leaves open
        return "runId" in answer
    model = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[operation])
    return model.output_shape is None or all(name in answer for name in model.output_shape.required_members)

"""From an address to a service.

==========================  ==================================================================
address                     who answers
==========================  ==================================================================
`:memory:`                  an embedded engine without a file
a path                      the embedded engine of that store: here, or in the process that owns it
`aws://REGION/DOMAIN`       Amazon SWF
==========================  ==================================================================
"""

from __future__ import annotations

import logging
import os
import re
import threading
import time
from collections.abc import Callable
from typing import Any, ClassVar, Final, NamedTuple, cast

from simpleflow_lab import settings
from simpleflow_lab.data.fields import Fields
from simpleflow_lab.data.objects import FolderObjects, MemoryObjects, NoObjects, Objects, Storage
from simpleflow_lab.data.references import bucket_location
from simpleflow_lab.engine.clock import Clock, ManualClock
from simpleflow_lab.engine.embedded import EmbeddedSWF
from simpleflow_lab.exceptions import ServiceUnreachableError, StoreError, StoreInUseError, UsageError
from simpleflow_lab.http.client import connect_to_owner
from simpleflow_lab.http.connection_file import connection_file_path
from simpleflow_lab.http.server import Endpoint
from simpleflow_lab.service.history_polling import Watching
from simpleflow_lab.service.protocol import WatchableService

__all__ = ["MEMORY", "Connection", "Endpoint", "SharedStore", "connect", "serve", "virtual_clock"]

logger = logging.getLogger(__name__)

MEMORY: Final = ":memory:"
FIND_SECONDS: Final = 5.0
"""How long to look for the owner of a store: between two owners there may be none for a moment."""
LOCAL_PAUSE, AMAZON_PAUSE = 0.25, 2.0
"""Longest pauses, in seconds, between looks at a history on this machine and on Amazon SWF."""
LOCAL_HEARTBEAT, AMAZON_HEARTBEAT = 2.0, 60.0
"""Longest pauses between the heartbeats of an activity: so late it may learn that it should stop."""

_AWS: Final = re.compile(r"aws://(?P<region>[a-z0-9-]+)/(?P<domain>[^/:|\x00-\x1f\x7f-\x9f]{1,256})")


class Connection(NamedTuple):
    """A service, and what its address said of it."""

    service: WatchableService
    domain: str | None
    """The domain in the address, or `None`."""
    notice: str | None
    """What to show a person before the first write: where it goes."""
    storage: Storage
    """Where objects are kept beside the histories."""
    fields: Fields
    """Values to fields and back, with the large ones kept there."""
    longest_heartbeat: float = LOCAL_HEARTBEAT
    """Seconds between the heartbeats of an activity without a heartbeat timeout."""


def connect(address: str | os.PathLike[str], *, clock: Clock | None = None) -> Connection:
    """The service at this address; whoever connects closes it.

    `clock` is for an embedded engine of this process; by default it is the computer's.

    Raises `StoreError` if a store can't be opened, `UsageError` for an address that means nothing,
    `ServiceUnreachableError` if nobody answers there.
    """
    text = os.fspath(address)
    if text == MEMORY:
        objects, fields = _large_fields(MemoryObjects())
        return Connection(EmbeddedSWF(MEMORY, clock=clock), None, None, objects, fields)
    if text.startswith("aws:"):
        if clock is not None:
            raise UsageError("Amazon SWF has a clock of its own: give a clock with a store, or ':memory:'")
        return _amazon(text)
    if not text or "://" in text:
        raise UsageError(f"{text!r} is no address: give the path of a file, ':memory:', or 'aws://REGION/DOMAIN'")
    path = os.path.realpath(os.path.expanduser(text))
    objects, fields = _large_fields(FolderObjects(f"{path}.objects"))
    store = SharedStore.open(path, clock=clock)
    return Connection(cast(WatchableService, store), None, None, objects, fields)


def virtual_clock() -> Clock:
    """A clock that starts now and jumps to the next timer or timeout whenever nothing else can happen."""
    return ManualClock(time.time_ns() // 1_000_000, jumps=True)


def _amazon(address: str) -> Connection:
    found = _AWS.fullmatch(address)
    if found is None:
        raise UsageError(
            f"{address!r} is no address of Amazon SWF: write aws://REGION/DOMAIN, as in aws://eu-west-1/etl"
        )
    from simpleflow_lab.service import aws  # noqa: PLC0415  boto3: only who goes to Amazon pays for it

    objects, fields = _large_fields(None, region=found["region"])
    client = aws.client(region=found["region"], max_attempts=settings.read("swf_connection_retries") + 1)
    watching = Watching(aws.service(client), longest_pause=AMAZON_PAUSE, close=client.close)
    notice = f"Amazon SWF: account {aws.account(client)}, region {found['region']}, domain {found['domain']}"
    return Connection(cast(WatchableService, watching), found["domain"], notice, objects, fields, AMAZON_HEARTBEAT)


def _large_fields(own: Objects | None, *, region: str | None = None) -> tuple[Storage, Fields]:
    """Where objects are, and which fields are among them: `own` is the place beside a store, if there is one.

    Raises `UsageError` for a configured bucket that is none.
    """
    said = settings.current()
    bucket = bucket_location(said.jumbo_fields_bucket, source=_BUCKET) if said.jumbo_fields_bucket else None
    trusted = [
        bucket_location(each.strip(), source=_TRUSTED) for each in (said.lab_trusted_buckets or "").split(",") if each
    ]

    def open_s3(location: str) -> Objects:
        from simpleflow_lab.service import s3  # noqa: PLC0415  boto3: only who goes to Amazon pays for it

        return s3.open_objects(location, region=region or said.aws_default_region, host=said.s3_host, sse=said.s3_sse)

    found = Storage(NoObjects(_NO_BUCKET), open_s3)
    if own is not None:
        found.default = own
    elif bucket is not None:
        found.default = found.at(bucket)
    cache = None
    if (bucket is not None or trusted) and said.enable_disk_cache:
        from simpleflow_lab.data.disk_cache import DiskCache  # noqa: PLC0415  diskcache: only who reads from S3

        cache = DiskCache()
    return found, Fields(found, bucket=bucket, trusted=trusted, in_store=own is not None, cache=cache)


_BUCKET: Final = "SIMPLEFLOW_JUMBO_FIELDS_BUCKET"
_TRUSTED: Final = "SIMPLEFLOW_LAB_TRUSTED_BUCKETS"
_NO_BUCKET: Final = (
    f"name a bucket in {_BUCKET}, as bucket or bucket/prefix; for steps STEP_BUCKET or get_step_bucket() will do, for "
    "metrology METROLOGY_BUCKET"
)


def serve(service: WatchableService, *, port: int = 0, poll_seconds: float | None = None) -> Endpoint:
    """Serve an embedded engine of this process to other programs; whoever asks closes the endpoint.

    Raises `UsageError` if the engine is another process's, or Amazon's; `StoreError` if the port can't be had.
    """
    engine = service.engine if isinstance(service, SharedStore) else service
    if not isinstance(engine, EmbeddedSWF):
        raise UsageError("only the process that owns a store can serve it: this one talks to another's")
    return Endpoint(engine, port=port, poll_seconds=poll_seconds)


class SharedStore:
    """The engine of a store, wherever it runs.

    The first process to open a store owns it and serves it to the others; when the owner dies, the next one to notice
    takes over. A call that meets a dead owner is made again to the next.
    """

    _open: ClassVar[dict[str, SharedStore]] = {}
    _opening: ClassVar[threading.Lock] = threading.Lock()

    @classmethod
    def open(cls, path: str, *, clock: Clock | None = None) -> SharedStore:
        """The store at this path, shared by all who open it in this process; each closes it. Raises `StoreError`."""
        with cls._opening:
            store = cls._open.get(path)
            if store is None:
                store = cls._open[path] = cls(path, clock=clock)
            elif clock is not None and clock is not store._clock:
                raise StoreError(f"the store {path} is open in this process, with another clock: close that one first")
            store._users += 1
            return store

    def __init__(self, path: str, *, clock: Clock | None = None):
        """Raises `StoreError`."""
        self.path = path
        self._clock = clock
        self._users = 0
        self._lock = threading.Lock()
        self._closed = False
        self._backend: WatchableService | None = None
        self._endpoint: Endpoint | None = None
        self._find()

    @property
    def owns(self) -> bool:
        """The engine runs in this process."""
        return self._endpoint is not None

    @property
    def engine(self) -> EmbeddedSWF | None:
        """The engine, if this process owns the store."""
        return self._backend if isinstance(self._backend, EmbeddedSWF) else None

    def close(self) -> None:
        """Let go. When all of this process have, another process may own the store."""
        with self._opening:
            self._users -= 1
            if self._users > 0:
                return
            if self._open.get(self.path) is self:
                del self._open[self.path]
        with self._lock:
            self._closed = True
            if self._endpoint is not None:
                self._endpoint.close()
        if self._backend is not None:
            self._backend.close()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*args: Any, **request: Any) -> Any:
            while True:
                backend = self._backend
                try:
                    return getattr(backend, name)(*args, **request)
                except ServiceUnreachableError:
                    self._find_other(backend)

        if not name.startswith("_"):
            self.__dict__[name] = call
            return call
        raise AttributeError(name)

    def _find_other(self, dead: WatchableService | None) -> None:
        """Look for the owner again, unless another thread has found it meanwhile."""
        with self._lock:
            if self._closed:
                raise ServiceUnreachableError(f"the store {self.path} is closed: open it again")
            if self._backend is dead:
                logger.info("the owner of %s is gone", self.path)
                self._find()

    def _find(self) -> None:
        deadline = time.monotonic() + FIND_SECONDS
        while True:
            try:
                self._own()
                return
            except StoreInUseError as in_use:
                try:
                    self._ask_owner()
                    return
                except ServiceUnreachableError as error:
                    if "this process" in in_use.owner:
                        raise in_use from None
                    if time.monotonic() >= deadline:
                        raise StoreInUseError(self.path, f"{in_use.owner}, which does not answer ({error})") from None
                    time.sleep(0.05)

    def _own(self) -> None:
        # Threads of this process may be at work for the owner that was; their answers are welcome.
        engine = EmbeddedSWF(self.path, clock=self._clock, takes_over=self._backend is not None)
        try:
            self._endpoint = Endpoint(engine, connection_file=connection_file_path(self.path))
        except BaseException:
            engine.close()
            raise
        self._backend = engine

    def _ask_owner(self) -> None:
        if self._clock is not None:
            raise StoreError(f"the store {self.path} has an owner already, who has its clock: open it without one")
        service = connect_to_owner(self.path)
        service.list_domains(registrationStatus="REGISTERED", maximumPageSize=1)
        self._backend = cast(WatchableService, Watching(service, longest_pause=LOCAL_PAUSE))

"""From an address to a service, its storage and its large fields.

==========================  ==========================================================================
address                     service
==========================  ==========================================================================
`:memory:`                  an embedded engine without a file
a path                      the embedded engine of that store: here, or in the process that owns it
`aws://REGION/DOMAIN`       Amazon SWF; without `/DOMAIN`, in the domain of `SWF_DOMAIN`
==========================  ==========================================================================

Rule: this is the only module that makes a service, and so the only one that knows which kinds there are.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from simpleflow_lab import settings
from simpleflow_lab.data.fields import Fields
from simpleflow_lab.data.objects import (
    FolderObjects,
    MemoryObjects,
    NoObjects,
    Objects,
    Storage,
    make_private_folder,
)
from simpleflow_lab.data.references import bucket_location
from simpleflow_lab.engine import store_files
from simpleflow_lab.engine.clock import Clock, ManualClock
from simpleflow_lab.engine.embedded import EmbeddedSWF
from simpleflow_lab.engine.ownership import owner_text
from simpleflow_lab.exceptions import UsageError
from simpleflow_lab.http.server import Endpoint
from simpleflow_lab.runtime import process_session
from simpleflow_lab.runtime.poller import POLL_SECONDS
from simpleflow_lab.runtime.shared_store import OWNER_SECONDS, SharedStore
from simpleflow_lab.service.execution_logs import MemoryLogs
from simpleflow_lab.service.history_polling import HistoryPolling
from simpleflow_lab.service.watchable import WatchableService
from simpleflow_lab.swf.names import check_name

__all__ = [
    "MEMORY",
    "Connection",
    "Endpoint",
    "chosen_domain",
    "connect",
    "missing_store",
    "serve_store",
    "virtual_clock",
]

MEMORY: Final = ":memory:"
AMAZON_PAUSE: Final = 2.0
"""Longest pause, in seconds, between two requests for a history on Amazon SWF until it has grown."""
SERVED_POLL_SECONDS: Final = 5.0
"""Seconds that a poll of a program of another kind waits; SWF lets it wait 60 s."""
LOCAL_HEARTBEAT, AMAZON_HEARTBEAT = 2.0, 60.0
"""Longest pauses, in seconds, between the heartbeats of an activity: an activity may learn so late that it should stop.
"""

_AWS: Final = re.compile(r"aws://(?P<region>[a-z0-9-]*)(?:/(?P<domain>[^/:|\x00-\x1f\x7f-\x9f]{0,256}))?")
_ARN: Final = re.compile(r"arn:[a-z-]*:swf:(?P<region>[a-z0-9-]+):[0-9]*:/domain/(?P<domain>[^/:|\s]{1,256})")

_BUCKET: Final = "SIMPLEFLOW_JUMBO_FIELDS_BUCKET"
_TRUSTED: Final = "SIMPLEFLOW_LAB_TRUSTED_BUCKETS"
_NO_BUCKET: Final = (
    f"name a bucket in {_BUCKET}, as bucket or bucket/prefix; for steps STEP_BUCKET or get_step_bucket() will do, for "
    "metrology METROLOGY_BUCKET"
)


class Connection(NamedTuple):
    """A service, and the rest of what its address gives."""

    service: WatchableService
    """The service, to be closed by the caller of `connect`."""
    domain: str
    """The domain to work in: that which was asked for, or of the address, or of the settings."""
    notice: str | None
    """Where writes go, in words, to be shown to a person before the first write; `None` if it goes without saying."""
    storage: Storage
    """Where objects are kept beside the histories."""
    fields: Fields
    """Encodes values as fields and decodes them, with the large ones kept in `storage`."""
    place: str | None
    """The key that is equal for two connections of this process to one service; `None` if there can be only one."""
    longest_heartbeat: float = LOCAL_HEARTBEAT
    """Seconds between the heartbeats of an activity without a heartbeat timeout."""


def connect(
    address: str | os.PathLike[str],
    *,
    domain: str | None = None,
    clock: Clock | None = None,
    owner_seconds: float = OWNER_SECONDS,
    tell: Callable[[str], None] | None = None,
) -> Connection:
    """The service at this address; the caller closes it.

    `domain` is the one to work in; by default that of the address, or else of the settings.
    `clock` is for an embedded engine of this process; by default it is the computer's. `owner_seconds` is how long to
    wait for another process that owns the store and serves nobody; one that is stopped is waited for until it goes on,
    and `tell` tells a person a line that says so.

    Raises `StoreError` if a store can't be opened, `UsageError` for an address that means nothing,
    `ServiceUnreachableError` if nothing answers there.
    """
    text = os.fspath(address)
    if text == MEMORY:
        objects, fields = _large_fields(MemoryObjects())
        return Connection(_EngineInMemory(clock), chosen_domain(text, domain), None, objects, fields, None)
    if text.startswith("aws:"):
        if clock is not None:
            raise UsageError("Amazon SWF has a clock of its own: give a clock with a store, or ':memory:'")
        return _amazon(text, domain)
    if not text or "://" in text or "\0" in text:
        raise UsageError(f"{text!r} is no address: give the path of a file, ':memory:', or 'aws://REGION/DOMAIN'")
    if settings.is_own_store(text):
        make_private_folder(Path(text).parent)
    path = store_files.locate(os.path.expanduser(text))
    store_files.check(path)
    objects, fields = _large_fields(FolderObjects(f"{path}.objects"))
    store = SharedStore.open(path, clock=clock, owner_seconds=owner_seconds, tell=tell)
    return Connection(store, chosen_domain(text, domain), None, objects, fields, path)


def missing_store(address: str) -> str | None:
    """The path of the store at this address if there is none yet, and `None` for every other address."""
    if address == MEMORY or "://" in address or "\0" in address or address.startswith("aws:"):
        return None
    if store_files.exists(address):
        return None
    return os.path.realpath(os.path.expanduser(address))


class _EngineInMemory(EmbeddedSWF):
    """An engine without a file, and the client session of this process there."""

    def __init__(self, clock: Clock | None) -> None:
        super().__init__(MEMORY, clock=clock, poll_seconds=POLL_SECONDS)
        self._session = process_session.ProcessSession(self)
        process_session.attach(self, self._session)

    def close(self) -> None:
        """End the session and close the engine."""
        self._session.close()
        super().close()


def virtual_clock() -> Clock:
    """A clock that starts now and jumps to the next timer or timeout whenever nothing else can happen."""
    return ManualClock(time.time_ns() // 1_000_000, jumps=True)


def chosen_domain(address: str, domain: str | None) -> str:
    """The domain to work in: `domain`, or else that of the address, or else that of `SWF_DOMAIN`.

    Raises `UsageError` for an address that is none of Amazon SWF, and for one without a domain if nothing names one.
    """
    named = _parts(address)[1] if address.startswith("aws:") else None
    if domain or named:
        return domain or named or ""
    configured = settings.configured("swf_domain")
    if configured is None and address.startswith("aws:"):
        raise UsageError(
            f"in which domain? {address!r} names none: write aws://REGION/DOMAIN, give --domain, or set SWF_DOMAIN"
        )
    return settings.default_domain() if configured is None else str(configured)


def _parts(address: str) -> tuple[str | None, str | None]:
    """Region and domain of an address of Amazon SWF, `None` where it names none. Raises `UsageError`."""
    found = _AWS.fullmatch(address)
    if found is None:
        arn = _ARN.search(address)
        if arn is not None:
            raise UsageError(
                f"{address!r} has the ARN of a domain in it: write aws://{arn['region']}/{arn['domain']} instead"
            )
        raise UsageError(
            f"{address!r} is no address of Amazon SWF: write aws://REGION/DOMAIN, as in aws://eu-west-1/etl, or "
            "aws:///DOMAIN for the region of AWS's own configuration"
        )
    if found["domain"]:
        check_name(found["domain"], "DomainName", f"the domain of {address!r}")
    return found["region"] or None, found["domain"] or None


def _amazon(address: str, domain: str | None) -> Connection:
    region, named = _parts(address)
    chosen = chosen_domain(address, domain)
    from simpleflow_lab.service import aws  # noqa: PLC0415  boto3, imported only where it is used

    swf = aws.connect(region=region, retries=settings.read("swf_connection_retries"))
    objects, fields = _large_fields(None, region=swf.region)
    service = HistoryPolling(swf, longest_pause=AMAZON_PAUSE, close=swf.close, logs=MemoryLogs.of(address))
    notice = f"Amazon SWF: account {swf.account}, region {swf.region}, domain {chosen}"
    configured = settings.configured("swf_domain")
    if named not in (None, chosen):
        notice += f", not {named} as in the address"
    elif domain is None and named is not None and configured not in (None, named):
        notice += f" as in the address, not {configured} as in SWF_DOMAIN"
    return Connection(service, chosen, notice, objects, fields, address, AMAZON_HEARTBEAT)


def _large_fields(own: Objects | None, *, region: str | None = None) -> tuple[Storage, Fields]:
    """The storage of objects and the large fields kept in it; `own` is the place beside a store, if there is one.

    Raises `UsageError` for a configured bucket whose name can't be one.
    """
    configured = settings.current()
    bucket = bucket_location(configured.jumbo_fields_bucket, source=_BUCKET) if configured.jumbo_fields_bucket else None
    trusted = [
        bucket_location(each.strip(), source=_TRUSTED)
        for each in (configured.lab_trusted_buckets or "").split(",")
        if each
    ]

    def open_s3(location: str) -> Objects:
        from simpleflow_lab.service import s3  # noqa: PLC0415  boto3, imported only where it is used

        return s3.open_objects(
            location,
            region=region or configured.aws_default_region,
            host=configured.s3_host,
            sse=configured.s3_sse,
        )

    storage = Storage(NoObjects(_NO_BUCKET), open_s3)
    if own is not None:
        storage.default = own
    elif bucket is not None:
        storage.default = storage.at(bucket)
    cache = None
    if (bucket is not None or trusted) and configured.enable_disk_cache:
        from simpleflow_lab.data.disk_cache import DiskCache  # noqa: PLC0415  diskcache, imported only where it is used

        cache = DiskCache()
    return storage, Fields(
        storage,
        bucket=bucket,
        trusted=trusted,
        in_store=own is not None,
        by_reference=configured.lab_inputs_by_reference,
        cache=cache,
    )


def serve_store(
    service: WatchableService, *, port: int | None = None, poll_seconds: float | None = None, rotate_keys: bool = False
) -> tuple[Endpoint, str | None]:
    """An HTTP endpoint for an embedded engine of this process, and a sentence for a person. The caller closes it.

    An engine without a file has new keys and a free port each time.

    Raises `UsageError` if the engine is another process's, or Amazon's; `StoreError` if the port is taken.
    """
    seconds = SERVED_POLL_SECONDS if poll_seconds is None else poll_seconds
    if isinstance(service, SharedStore):
        return service.serve_store(port=port, poll_seconds=seconds, rotate_keys=rotate_keys)
    if not isinstance(service, EmbeddedSWF):
        raise UsageError("Amazon SWF is served by Amazon: name a store")
    return Endpoint(service, port=port or 0, poll_seconds=seconds), None


def has_made(service: WatchableService) -> bool:
    """Whether this process made the store of a service: there was none, and no other process was quicker."""
    return isinstance(service, SharedStore) and service.made_store


def owner_of(service: WatchableService) -> str:
    """The owner of the store of a service, as `this process` or `process 12 on host`; empty for one that nobody can
    own."""
    if not isinstance(service, SharedStore):
        return ""
    if service.engine is not None:
        return "this process"
    named = owner_text(service.path)
    return "another process" if named == "this process" else named  # which has taken over just now

"""Objects in Amazon S3, as `data.objects.Objects`.

An object is written whole or not at all, and every client sees it when `put` returns. S3 redirects a client to the
bucket's region, so the permission `s3:GetBucketLocation` is not needed.

Rule: reading takes no more bytes than `max_bytes`: the length that S3 announces is checked first, then the bytes are
counted. Errors of S3 and of the network are retried, and then raised as `StoreError`.
"""

from __future__ import annotations

import contextlib
import functools
import re
from collections.abc import Callable
from typing import Any, Final, TypeVar

import boto3
import botocore.config
import botocore.exceptions
import urllib3.exceptions

from simpleflow_lab.data.objects import MAX_KEY
from simpleflow_lab.exceptions import JumboContentError, ObjectNotFoundError, StoreError, UsageError
from simpleflow_lab.service.aws import CONNECT_TIMEOUT, MAX_ATTEMPTS, Renewal, keys_now
from simpleflow_lab.service.aws_errors import is_about_credentials

READ_TIMEOUT: Final = 30
"""Most seconds between two bytes of an answer."""
MAX_CONNECTIONS: Final = 50
READ_TRIES: Final = 3
"""Attempts to read an object whose bytes break off. Botocore itself retries a request that fails."""
CHUNK: Final = 256 * 1024

_LOCATION: Final = re.compile(
    r"(?:(?P<host>[a-z0-9.-]+\.amazonaws\.com(?:\.cn)?)/)?"
    r"(?P<bucket>(?!.*\.\.)[a-z0-9][a-z0-9._-]{1,61}[a-z0-9])(?:/(?P<prefix>.{1,512}?))?/?"
)
_REGION: Final = re.compile(r"s3[.-](?:dualstack\.)?(?P<region>[a-z0-9-]+)\.amazonaws\.com(?:\.cn)?")
_NOT_THERE: Final = frozenset({"NoSuchKey", "404", "NotFound"})


T = TypeVar("T")


class S3Objects:
    """Objects in a bucket, their keys under a prefix."""

    def __init__(
        self,
        bucket: str,
        prefix: str = "",
        *,
        host: str | None = None,
        region: str | None = None,
        sse: bool = False,
    ) -> None:
        """`host` is the endpoint, if not the one of the environment or region. With `sse` S3 encrypts what is written
        with its own keys (AES256). Raises `UsageError` if there is no usable region.
        """
        self._bucket, self._prefix = bucket, f"{prefix}/" if prefix else ""
        self._extra = {"ServerSideEncryption": "AES256"} if sse else {}
        self._new_client = functools.partial(client, region=region, host=host)
        self._credentials = keys_now()
        self.renewal = Renewal()
        """When it looks for other credentials."""
        self.client = self._new_client()
        """The boto3 client."""

    def __repr__(self) -> str:
        return f"<S3Objects {self._bucket}/{self._prefix}>"

    def put(self, key: str, content: bytes) -> None:
        name = self._name(key)
        try:
            self._renewing(lambda: self.client.put_object(Bucket=self._bucket, Key=name, Body=content, **self._extra))
        except _ERRORS as error:
            raise self._error("written to", key, error) from error

    def get(self, key: str, *, max_bytes: int | None = None) -> bytes:
        name = self._name(key)
        for tries_left in reversed(range(READ_TRIES)):
            try:
                answer = self._renewing(lambda: self.client.get_object(Bucket=self._bucket, Key=name))
                with contextlib.closing(answer["Body"]) as body:
                    return _content(body, answer["ContentLength"], max_bytes, key)
            except _BROKEN_OFF as error:
                if not tries_left:
                    raise self._error("read from", key, error) from error
            except _ERRORS as error:
                raise self._error("read from", key, error) from error
        raise AssertionError

    def keys(self, prefix: str) -> list[str]:
        try:
            return sorted(self._renewing(lambda: self._keys(prefix)))
        except _ERRORS as error:
            raise self._error("listed in", f"{prefix}*", error) from error

    def _keys(self, prefix: str) -> list[str]:
        pages = self.client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=f"{self._prefix}{prefix}"
        )
        return [found["Key"].removeprefix(self._prefix) for page in pages for found in page.get("Contents", ())]

    def _renewing(self, call: Callable[[], T]) -> T:
        """The result of `call`, made again with other credentials if S3 does not accept those of the client."""
        try:
            return call()
        except _ERRORS as error:
            if not is_about_credentials(error) or not self.renewal.finds_others(self._credentials):
                raise
        self._credentials = keys_now()
        self.client = self._new_client()
        return call()

    def _name(self, key: str) -> str:
        """The key in the bucket. Raises `StoreError` if it is not a valid key."""
        name = f"{self._prefix}{key}"
        if not key or not key.isprintable() or len(name.encode("utf-8", "surrogatepass")) > MAX_KEY:
            raise StoreError(f"{key[:80]!r} is no key of an object: at most {MAX_KEY} bytes in one line")
        return name

    def _error(self, what: str, key: str, error: Exception) -> StoreError:
        place = f"s3://{self._bucket}/{self._prefix}"
        if isinstance(error, botocore.exceptions.ClientError):
            found = error.response.get("Error", {})
            if found.get("Code") in _NOT_THERE:
                return ObjectNotFoundError(key, place)
            why = f"{found.get('Code')}: {found.get('Message')}"
        else:
            why = f"{type(error).__name__}: {error}"
        return StoreError(f"the object {key} can't be {what} {place}: {' '.join(why.split())[:300]}")


def open_objects(location: str, *, region: str | None = None, host: str | None = None, sse: bool = False) -> S3Objects:
    """The objects at "bucket", "bucket/prefix", or "host/bucket" with a host of amazonaws.com.

    `host` is the endpoint for a location that names none. Raises `UsageError`.
    """
    found = _LOCATION.fullmatch(location)
    if found is None:
        raise UsageError(f"{location!r} is no place in S3: write bucket, bucket/prefix, or HOST.amazonaws.com/bucket")
    return S3Objects(found["bucket"], found["prefix"] or "", host=found["host"] or host, region=region, sse=sse)


def client(*, region: str | None = None, host: str | None = None) -> Any:
    """A boto3 S3 client. Without arguments boto3's own configuration holds. Raises `UsageError` without a region."""
    named = _REGION.fullmatch(host) if host is not None else None
    config = botocore.config.Config(
        read_timeout=READ_TIMEOUT,
        connect_timeout=CONNECT_TIMEOUT,
        max_pool_connections=MAX_CONNECTIONS,
        retries={"mode": "standard", "total_max_attempts": MAX_ATTEMPTS},
        tcp_keepalive=True,
    )
    try:
        return boto3.session.Session().client(
            "s3",
            region_name=named["region"] if named is not None else region,
            endpoint_url=f"https://{host}" if host is not None else None,
            config=config,
        )
    except (botocore.exceptions.NoRegionError, ValueError) as error:
        raise UsageError(f"no usable AWS region for S3 ({error}): set AWS_DEFAULT_REGION") from None


_BROKEN_OFF: Final = (
    botocore.exceptions.IncompleteReadError,
    botocore.exceptions.ResponseStreamingError,
    botocore.exceptions.ReadTimeoutError,
    urllib3.exceptions.HTTPError,
    OSError,
)
_ERRORS: Final = (*_BROKEN_OFF, botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError)


def _content(body: Any, length: int, max_bytes: int | None, key: str) -> bytes:
    """The bytes that S3 sends. Raises `JumboContentError` if there are, or are announced, more than `max_bytes`."""
    if max_bytes is not None and length > max_bytes:
        raise JumboContentError(key, f"has {length} bytes, more than {max_bytes}")
    parts: list[bytes] = []
    size = 0
    for part in body.iter_chunks(CHUNK):
        size += len(part)
        if max_bytes is not None and size > max_bytes:
            raise JumboContentError(key, f"is larger than {max_bytes} bytes")
        parts.append(part)
    return b"".join(parts)

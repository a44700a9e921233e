"""Objects in S3, over the wire to moto's server; what S3 does wrong, it is made to do by botocore's own hooks."""

from __future__ import annotations

import io
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse

from simpleflow_lab import Lab
from simpleflow_lab.data.disk_cache import DiskCache
from simpleflow_lab.data.fields import Fields
from simpleflow_lab.data.objects import MemoryObjects, Storage
from simpleflow_lab.data.references import MAX_JUMBO, Reference, name_of
from simpleflow_lab.exceptions import (
    JumboContentError,
    JumboReferenceError,
    ObjectNotFoundError,
    StoreError,
    UsageError,
)
from simpleflow_lab.runtime.connection import connect
from simpleflow_lab.service import aws, s3
from simpleflow_lab.service.s3 import S3Objects, open_objects
from tests.s3 import Bucket

TEXT = '"' + "jumbo " * 10_000 + '"'
V4 = "fb436813-1234-4234-8234-123456789abc"


@pytest.fixture
def objects(bucket: Bucket) -> Iterator[S3Objects]:
    opened = S3Objects(bucket.name, "some/prefix")
    yield opened
    opened.client.close()


# -- objects -----------------------------------------------------------------------------------------------------------


def test_what_is_put_is_got_and_listed_under_its_prefix(objects, bucket):
    contents = {"steps/a": b"", "steps/b é 😀": b"\x00\xff", "jumbo/x": b"x" * 1_000_000}
    for key, content in contents.items():
        objects.put(key, content)
    assert {key: objects.get(key) for key in contents} == contents
    assert objects.keys("steps/") == ["steps/a", "steps/b é 😀"]
    assert bucket.get("some/prefix/jumbo/x") == b"x" * 1_000_000


def test_many_objects_are_listed_page_by_page(objects):
    objects.client.meta.events.register(
        "before-parameter-build.s3.ListObjectsV2", lambda params, **_: params.update(MaxKeys=3)
    )
    for number in range(10):
        objects.put(f"steps/{number}", b"")
    assert len(objects.keys("steps/")) == 10


def test_a_key_with_dots_is_a_key_and_no_path(objects, bucket):
    objects.put("steps/../../x", b"x")
    assert objects.get("steps/../../x") == b"x"
    assert bucket.keys == ["some/prefix/steps/../../x"]


@pytest.mark.parametrize("key", ["", "a\nb", "a\x00b", "x" * 1_100, "\ud800"])
def test_what_is_no_key_is_refused(objects, key):
    with pytest.raises(StoreError):
        objects.put(key, b"")
    with pytest.raises(StoreError):
        objects.get(key)


def test_no_more_is_read_than_the_limit(objects):
    objects.put("jumbo/x", b"x" * 1_000)
    assert len(objects.get("jumbo/x", max_bytes=1_000)) == 1_000
    with pytest.raises(StoreError, match="1000 bytes, more than 999"):
        objects.get("jumbo/x", max_bytes=999)


def test_an_object_that_is_not_there_is_not_found(objects):
    with pytest.raises(ObjectNotFoundError):
        objects.get("jumbo/x")


def test_with_sse_s3_encrypts(bucket):
    objects = open_objects(bucket.name, sse=True)
    objects.put("x", b"x")
    assert bucket.client.head_object(Bucket=bucket.name, Key="x")["ServerSideEncryption"] == "AES256"
    objects.client.close()


def test_credentials_that_have_expired_are_replaced_by_those_of_the_moment(objects, monkeypatch):
    objects.put("k", b"content")
    body = b"<Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>"
    expired = objects.client
    expired.meta.events.register("before-send.s3", lambda request, **_: AWSResponse(request.url, 400, {}, Answer(body)))
    with pytest.raises(StoreError, match="ExpiredToken"):
        objects.get("k")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "new")
    objects.renewal.pause = 0.0
    assert objects.get("k") == b"content"
    assert objects.keys("") == ["k"]
    expired.close()


def test_the_client_tries_again_as_the_one_for_swf_does(objects):
    assert objects.client.meta.config.retries == {"mode": "standard", "total_max_attempts": aws.MAX_ATTEMPTS}


# -- locations ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("location", "bucket_name", "prefix", "endpoint"),
    [
        ("my_bucket", "my_bucket", "", None),
        ("my-bucket/with/prefix/", "my-bucket", "with/prefix/", None),
        ("s3-eu-west-1.amazonaws.com/my_bucket", "my_bucket", "", "https://s3-eu-west-1.amazonaws.com"),
        ("s3.eu-west-3.amazonaws.com/my_bucket/x", "my_bucket", "x/", "https://s3.eu-west-3.amazonaws.com"),
        ("s3.cn-north-1.amazonaws.com.cn/my_bucket", "my_bucket", "", "https://s3.cn-north-1.amazonaws.com.cn"),
        # Not Amazon's, and so no host: reliability J11.
        ("evilamazonaws.com/bucket", "evilamazonaws.com", "bucket/", None),
        ("s3.amazonaws.com.evil.org/bucket", "s3.amazonaws.com.evil.org", "bucket/", None),
    ],
)
def test_a_location_names_a_bucket_and_perhaps_a_host(bucket, location, bucket_name, prefix, endpoint):
    """JF-11."""
    opened = open_objects(location)
    assert repr(opened) == f"<S3Objects {bucket_name}/{prefix}>"
    assert opened.client.meta.endpoint_url == (endpoint or bucket.url)
    opened.client.close()


def test_the_region_is_in_the_hosts_name():
    client = s3.client(host="s3-eu-west-1.amazonaws.com", region="us-east-1")
    assert client.meta.region_name == "eu-west-1"
    client.close()


@pytest.mark.parametrize("location", ["", "/", "x", "Bucket", "http://s3.amazonaws.com/b", "a..b"])
def test_what_is_no_location_is_refused_in_one_line(location):
    with pytest.raises(UsageError, match="no place in S3") as refused:
        open_objects(location)
    assert "\n" not in str(refused.value)


# -- references × what is in S3 ----------------------------------------------------------------------------------------


class Answer(io.BytesIO):
    """A body, for botocore."""

    def stream(self, *_: Any, **__: Any) -> Iterator[bytes]:
        yield self.read()


class Zeros(Answer):
    """A body of this many bytes, which nobody keeps."""

    def __init__(self, size: int):
        super().__init__()
        self.left = size

    def read(self, amount: int | None = -1) -> bytes:
        size = self.left if amount is None or amount < 0 else min(amount, self.left)
        self.left -= size
        return b"0" * size


def error(status: int, code: str) -> tuple[int, dict[str, str], io.BytesIO]:
    body = f"<Error><Code>{code}</Code><Message>{code}, as it were</Message></Error>".encode()
    return status, {"Content-Type": "application/xml", "Content-Length": str(len(body))}, Answer(body)


def says(length: int | None, body: io.BytesIO) -> tuple[int, dict[str, str], io.BytesIO]:
    return 200, {} if length is None else {"Content-Length": str(length)}, body


Sent = Callable[[], tuple[int, dict[str, str], io.BytesIO]]
BODY = TEXT.encode()

STATES: dict[str, tuple[bytes | Sent | None, type[StoreError] | None, type[StoreError] | None]] = {
    # what is there: (content or answer, error for a name that is the content, error for one of upstream's)
    "what was written": (BODY, None, None),
    "nothing": (None, ObjectNotFoundError, ObjectNotFoundError),
    "emptied": (b"", JumboContentError, JumboContentError),
    "one byte less": (BODY[:-1], JumboContentError, JumboContentError),
    "one byte more": (BODY + b" ", JumboContentError, JumboContentError),
    "changed": (BODY.replace(b"jumbo", b"dumbo", 1), JumboContentError, None),
    "not UTF-8": (b"\xff" + BODY[1:], JumboContentError, JumboContentError),
    "60 MB": (lambda: says(60_000_000, Zeros(60_000_000)), JumboContentError, JumboContentError),
    "60 MB, announced as little": (lambda: says(len(BODY), Zeros(60_000_000)), JumboContentError, JumboContentError),
    "broken off": (lambda: says(len(BODY), Answer(BODY[:100])), StoreError, StoreError),
    "forbidden": (lambda: error(403, "AccessDenied"), StoreError, StoreError),
    "too many requests": (lambda: error(503, "SlowDown"), StoreError, StoreError),
    "bucket gone": (lambda: error(404, "NoSuchBucket"), StoreError, StoreError),
}

REFERENCES = {
    "ours": ("some/prefix", name_of(TEXT), True),
    "ours, deeper": ("some/prefix/deeper", name_of(TEXT), True),
    "upstream's": ("some/prefix", V4, True),
    "of another prefix": ("some", name_of(TEXT), False),
    "of another bucket": (None, V4, False),
}


@pytest.mark.parametrize("which", REFERENCES)
def test_only_what_was_written_where_it_may_be_read_is_read(bucket, which, monkeypatch):
    """Reliability T6, F29, J1, J2, J3: the exact error for each state, and no more memory than was announced."""
    monkeypatch.setattr("time.sleep", lambda _: None)  # botocore's pauses
    prefix, name, is_trusted = REFERENCES[which]
    location = f"{bucket.name}/{prefix}" if prefix else "someone-elses-bucket"
    reference = Reference("s3", location, name, len(TEXT))
    objects = open_objects(f"{bucket.name}/some/prefix")
    fields = Fields(Storage(MemoryObjects(), lambda _: objects), bucket=f"{bucket.name}/some/prefix")
    requested: list[str] = []
    there: bytes | Sent | None = None

    def before_send(request: Any, **_: Any) -> AWSResponse | None:
        requested.append(request.url)
        return AWSResponse(request.url, *there()) if callable(there) else None

    objects.client.meta.events.register("before-send.s3", before_send)
    objects.keys("")  # a client's first call loads the rules of its service
    with pytest.raises(StoreError):
        fields.text(str(Reference("s3", f"{bucket.name}/some/prefix", V4, 1)))
    requested.clear()
    for state, (there, for_ours, for_upstreams) in STATES.items():
        bucket.client.delete_object(Bucket=bucket.name, Key=f"{prefix}/{name}")
        if isinstance(there, bytes):
            bucket.put(f"{prefix}/{name}", there)
        expected = JumboReferenceError if not is_trusted else for_upstreams if name == V4 else for_ours
        tracemalloc.start()
        try:
            if expected is None:
                assert isinstance(there, bytes)
                assert fields.text(str(reference)) == there.decode(), state
            else:
                with pytest.raises(expected) as refused:
                    fields.text(str(reference))
                assert type(refused.value) is expected, state
                assert "\n" not in str(refused.value), state
            # moto's server, in this process too, takes 10 MB for what may be left of a request.
            assert tracemalloc.get_traced_memory()[1] < 3 * reference.max_bytes + 12_000_000, state
        finally:
            tracemalloc.stop()
    assert bool(requested) == is_trusted
    objects.client.close()


def test_an_endless_object_costs_at_most_three_times_what_may_be_announced(bucket):
    """Reliability T6, J2."""
    objects = open_objects(bucket.name)
    objects.client.meta.events.register(
        "before-send.s3", lambda request, **_: AWSResponse(request.url, *says(4 * MAX_JUMBO, Zeros(10**12)))
    )
    reference = Reference("s3", bucket.name, name_of(TEXT), MAX_JUMBO)
    fields = Fields(Storage(MemoryObjects(), lambda _: objects), bucket=bucket.name)
    tracemalloc.start()
    try:
        with pytest.raises(StoreError):
            fields.text(str(reference))
        assert tracemalloc.get_traced_memory()[1] < 3 * reference.max_bytes
    finally:
        tracemalloc.stop()
        objects.client.close()


def test_what_breaks_off_once_is_read_again(objects, bucket):
    bucket.put("some/prefix/x", BODY)
    broken = [says(len(BODY), Answer(BODY[:100])), error(503, "SlowDown")]
    objects.client.meta.events.register(
        "before-send.s3", lambda request, **_: AWSResponse(request.url, *broken.pop()) if broken else None
    )
    assert objects.get("x") == BODY
    assert broken == []


# -- with a cache ------------------------------------------------------------------------------------------------------


def test_what_was_read_is_read_from_the_cache_and_checked_there_too(bucket, tmp_path):
    """SD-08, JF-08, reliability F16: whatever is in the cache, the value is right."""
    cache = DiskCache(tmp_path / "cache")
    fields = Fields(Storage(MemoryObjects(), open_objects), bucket=bucket.name, cache=cache)
    field = fields.store(TEXT, "result")
    assert fields.text(field) == TEXT
    (key,) = bucket.keys
    bucket.put(key, b"changed")
    assert fields.text(field) == TEXT
    bucket.put(key, BODY)
    cache.put(f"{bucket.name}/{key}", BODY.replace(b"jumbo", b"dumbo"))
    assert fields.text(field) == TEXT
    assert cache.get(f"{bucket.name}/{key}") is None or fields.text(field) == TEXT
    cache.close()


def test_the_same_name_in_another_place_is_another_object(bucket, tmp_path):
    """Reliability J8, J13: upstream's caches knew a name without its bucket and prefix."""
    cache = DiskCache(tmp_path / "cache")
    fields = Fields(Storage(MemoryObjects(), open_objects), bucket=bucket.name, cache=cache)
    for prefix, text in (("one", "1"), ("other", "2")):
        bucket.put(f"{prefix}/{V4}", text.encode())
        assert fields.text(f"simpleflow+s3://{bucket.name}/{prefix}/{V4} 1") == text
    cache.close()


# -- what is configured ------------------------------------------------------------------------------------------------


def test_large_fields_are_in_the_bucket_that_the_environment_names(bucket, monkeypatch):
    monkeypatch.setenv("SIMPLEFLOW_JUMBO_FIELDS_BUCKET", f"{bucket.name}/fields/")
    monkeypatch.setenv("SIMPLEFLOW_LAB_TRUSTED_BUCKETS", "other-bucket, third-bucket/x")
    connection = connect(":memory:")
    connection.service.close()
    field = connection.fields.store(TEXT, "result")
    assert field == f"simpleflow+s3://{bucket.name}/fields/{name_of(TEXT)} {len(TEXT)}"
    assert connection.fields.text(field) == TEXT
    for untrusted in ("other-buckets", "third-bucket"):
        with pytest.raises(JumboReferenceError):
            connection.fields.text(f"simpleflow+s3://{untrusted}/{V4} 1")
    bucket.client.create_bucket(Bucket="third-bucket")
    bucket.client.put_object(Bucket="third-bucket", Key=f"x/{V4}", Body=b"5")
    assert connection.fields.decode(f"simpleflow+s3://third-bucket/x/{V4} 1") == 5


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SIMPLEFLOW_JUMBO_FIELDS_BUCKET", "Upper"),
        ("SIMPLEFLOW_JUMBO_FIELDS_BUCKET", "bucket//"),
        ("SIMPLEFLOW_JUMBO_FIELDS_BUCKET", "bucket/" + "x" * 128 + "/" + "x" * 128),
        ("SIMPLEFLOW_LAB_TRUSTED_BUCKETS", "fine,.."),
    ],
)
def test_a_bucket_that_is_none_is_refused_when_a_lab_is_opened(monkeypatch, variable, value):
    monkeypatch.setenv(variable, value)
    with pytest.raises(UsageError, match=variable) as refused:
        connect(":memory:")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(("value", "is_on"), [("", True), ("0", False), ("False", False), ("no", False), ("1", True)])
def test_the_cache_is_on_unless_a_word_for_no_turns_it_off(bucket, monkeypatch, tmp_path, value, is_on):
    """Reliability J10: upstream took every word for yes."""
    monkeypatch.setenv("SIMPLEFLOW_JUMBO_FIELDS_BUCKET", bucket.name)
    monkeypatch.setenv("SIMPLEFLOW_ENABLE_DISK_CACHE", value)
    connection = connect(":memory:")
    connection.service.close()
    assert connection.fields.text(connection.fields.store(TEXT, "result")) == TEXT
    assert (tmp_path / "cache" / "simpleflow_lab" / "jumbo" / "cache.db").exists() == is_on


def test_another_word_is_refused(bucket, monkeypatch):
    monkeypatch.setenv("SIMPLEFLOW_JUMBO_FIELDS_BUCKET", bucket.name)
    monkeypatch.setenv("SIMPLEFLOW_ENABLE_DISK_CACHE", "maybe")
    with pytest.raises(UsageError, match="SIMPLEFLOW_ENABLE_DISK_CACHE is 'maybe'"):
        connect(":memory:")


def test_a_host_that_is_configured_is_for_locations_that_name_none(monkeypatch):
    """ENV-04, JF-11."""
    monkeypatch.setenv("SIMPLEFLOW_S3_HOST", "s3.eu-west-3.amazonaws.com")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-3")
    with Lab(":memory:") as lab:
        hosts = [lab.storage.at(location).client.meta.endpoint_url for location in ("mine", "s3.amazonaws.com/mine")]
    assert hosts == ["https://s3.eu-west-3.amazonaws.com", "https://s3.amazonaws.com"]

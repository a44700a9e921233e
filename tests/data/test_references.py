"""References to large fields: their grammar, their names, and what is never followed."""

from __future__ import annotations

import json
import re
import uuid
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from simpleflow_lab.data import references
from simpleflow_lab.data.fields import DeferredFields, Fields
from simpleflow_lab.data.objects import MemoryObjects, Storage
from simpleflow_lab.data.references import (
    MAX_JUMBO,
    NOT_FOR_UPSTREAM,
    Reference,
    bucket_location,
    describe,
    is_reference,
    name_of,
    reference_in,
)
from simpleflow_lab.exceptions import JumboContentError, JumboReferenceError, JumboTooLargeError, StoreError, UsageError
from tests.examples_count import examples

V4 = "fb436813-1234-4234-8234-123456789abc"
UPSTREAMS = f"simpleflow+s3://jumbo-bucket/with/optional/prefix/{V4} 40025"

# -- the grammar -------------------------------------------------------------------------------------------------------


def test_upstreams_reference_is_read_and_written_as_it_stands():
    """JF-01."""
    reference = reference_in(UPSTREAMS)
    assert reference == Reference("s3", "jumbo-bucket/with/optional/prefix", V4, 40_025)
    assert str(reference) == UPSTREAMS
    assert not reference.is_verified


def test_a_reference_into_the_store_is_read_and_written_as_it_stands():
    text = f"simpleflow+store://jumbo/{name_of('x')} 1"
    assert str(reference_in(text)) == text
    assert reference_in(text).is_verified


NONE = [
    "simpleflow+s3://",
    "simpleflow+s3://bucket",
    f"simpleflow+s3://bucket/{V4}",
    f"simpleflow+s3://bucket/{V4} ",
    f"simpleflow+s3://bucket/{V4} x",
    f"simpleflow+s3://bucket/{V4} -1",
    f"simpleflow+s3://bucket/{V4} +1",
    f"simpleflow+s3://bucket/{V4} 1.5",
    f"simpleflow+s3://bucket/{V4} 1 2",
    f"simpleflow+s3://bucket/{V4}  1",
    f"simpleflow+s3://bucket/{V4}\t1",
    f"simpleflow+s3://bucket/{V4} 1\n",
    f" simpleflow+s3://bucket/{V4} 1",
    f"simpleflow+s3://bucket/{V4} 01",
    f"simpleflow+s3://bucket/{V4} ١",
    f"simpleflow+s3://bucket/{V4} {MAX_JUMBO + 1}",
    f"simpleflow+s3://bucket/{V4} 99999999999999999999",
    f"simpleflow+s3://bucket/{V4.upper()} 1",
    f"simpleflow+s3://bucket/{V4[:-1]} 1",
    f"simpleflow+s3://{V4} 1",
    f"simpleflow+s3:///{V4} 1",
    f"simpleflow+s3://b/{V4} 1",
    f"simpleflow+s3://Bucket/{V4} 1",
    f"simpleflow+s3://bu..cket/{V4} 1",
    f"simpleflow+s3://-bucket/{V4} 1",
    f"simpleflow+s3://bucket//{V4} 1",
    f"simpleflow+s3://bucket/../{V4} 1",
    f"simpleflow+s3://bucket/./{V4} 1",
    f"simpleflow+s3://bucket/a/../../{V4} 1",
    f"simpleflow+s3://bucket/a?x=/{V4} 1",
    f"simpleflow+s3://bucket/a#/{V4} 1",
    f"simpleflow+s3://bucket/a%2e%2e/{V4} 1",
    f"simpleflow+s3://bucket/a\x00/{V4} 1",
    f"simpleflow+s3://bucket/a b/{V4} 1",
    f"simpleflow+s3://bucket/é/{V4} 1",
    f"simpleflow+s3://bucket/a\\b/{V4} 1",
    f"simpleflow+s3://user@bucket/{V4} 1",
    f"simpleflow+s3://bucket:80/{V4} 1",
    "simpleflow+s3://someone-elses-bucket/../../secret/key 7",
    f"simpleflow+store://{V4} 1",
    f"simpleflow+store://steps/{V4} 1",
    f"simpleflow+store://jumbo/../{V4} 1",
    f"simpleflow+store:///etc/{V4} 1",
    f"simpleflow+s3:bucket/{V4} 1",
]


@pytest.mark.parametrize("text", NONE)
def test_what_is_not_exactly_a_reference_is_refused_in_one_line(text):
    """Reliability J4."""
    with pytest.raises(JumboReferenceError) as refused:
        reference_in(text)
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.parametrize("text", ["", "simpleflow", "simpleflow+", "simpleflow+x", '"simpleflow+s3://b/x 1"', "x"])
def test_other_text_is_not_taken_for_a_reference(text):
    assert not is_reference(text)


class Watched(MemoryObjects):
    """Objects that note what they are asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def get(self, key: str, *, max_bytes: int | None = None) -> bytes:
        self.asked.append(key)
        return super().get(key, max_bytes=max_bytes)


def watched_fields() -> tuple[Fields, list[Any]]:
    """Fields that keep everything in `bucket/prefix` and the store, and what they were asked for."""
    asked: list[Any] = []

    class At(MemoryObjects):
        def __init__(self, location: str):
            super().__init__()
            self.location = location

        def get(self, key: str, *, max_bytes: int | None = None) -> bytes:
            asked.append((self.location, key))
            return b""

    storage = Storage(At("store"), At)
    return Fields(storage, bucket="bucket/prefix", trusted=["other-bucket"]), asked


any_reference = st.builds(
    lambda scheme, location, name, size: str(
        Reference(scheme, location if scheme == "s3" else "jumbo", str(uuid.UUID(int=name)), size)
    ),
    st.sampled_from(["s3", "store"]),
    st.sampled_from(["bucket/prefix", "bucket", "bucket/prefix/deeper", "bucket/prefixed", "other-bucket", "evil"]),
    st.integers(0, 2**128 - 1),
    st.integers(0, MAX_JUMBO),
)
pieces = st.sampled_from(["/", "..", " ", "\n", "\x00", "?", "%2e", "s3", "é", "0", "simpleflow+s3://", "@", "\\", ":"])


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """A reference with something put in or taken out."""
    text = draw(any_reference)
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(text)))
        text = text[:at] + draw(pieces | st.text(max_size=3)) + text[at + draw(st.integers(0, 4)) :]
    return text


# Written from the promise, not from the code.
FOLLOWED = re.compile(
    r"simpleflow\+(s3://(bucket/prefix|other-bucket)(/[^/?#%\\\s\x00-\x20]+)*|store://jumbo)"
    r"/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12} [0-9]{1,7}",
    re.ASCII,
)


@examples(1_000, 5_000)
@given(st.one_of(mutated(), st.text(max_size=40).map(lambda text: f"simpleflow+s3://{text}"), st.text()))
@example(NONE[-5])
def test_nothing_outside_the_grammar_and_the_trusted_places_ever_leads_to_a_get(text):
    """H8, reliability J1."""
    fields, asked = watched_fields()
    try:
        fields.text(text)
    except StoreError:
        pass
    else:
        assert not asked or reference_in(text).size == 0
    if asked:
        assert FOLLOWED.fullmatch(text)
        ((location, key),) = asked
        assert location in ("bucket/prefix", "other-bucket", "store")
        assert ".." not in key.split("/")


@examples(1_000, 5_000)
@given(any_reference)
def test_a_reference_comes_back_as_it_went(text):
    """H8."""
    assert str(reference_in(text)) == text


# -- names -------------------------------------------------------------------------------------------------------------


@given(st.text(max_size=200))
def test_a_name_is_the_content(text):
    text = text.encode("utf-8", "replace").decode()
    name = uuid.UUID(name_of(text))
    assert (name.version, name.variant) == (8, uuid.RFC_4122)
    reference = Reference("s3", "bucket", str(name), len(text))
    assert reference.text_of(text.encode()) == text
    with pytest.raises(JumboContentError):
        reference.text_of((text + "x").encode())


def test_the_name_of_a_text_is_the_same_everywhere():
    """What is written today must be found tomorrow."""
    assert name_of("simpleflow") == "298685cb-b61a-8383-9782-5985553b2bfa"
    assert name_of("") == "e3b0c442-98fc-81c1-926b-efd32265bee4"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "has 0 characters"),
        (b"hell", "has 4 characters"),
        (b"hello!", "has 6 characters"),
        (b"jello", "was changed"),
        (b"\xff\xfe\xfd\xfc\xfb", "is not text"),
        ("héll".encode(), "has 4 characters"),
    ],
)
def test_an_object_that_is_not_what_was_written_is_not_used(content, says):
    """Reliability J3: upstream took whatever was there."""
    reference = Reference("s3", "bucket", name_of("hello"), 5)
    with pytest.raises(JumboContentError, match=says):
        reference.text_of(content)


def test_of_upstreams_objects_only_the_length_can_be_checked():
    reference = Reference("s3", "bucket", V4, 5)
    assert reference.text_of(b"jello") == "jello"
    with pytest.raises(JumboContentError):
        reference.text_of(b"")


# -- where they may be kept --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "location"),
    [
        ("bucket", "bucket"),
        ("bucket/", "bucket"),
        ("bucket/a/b/", "bucket/a/b"),
        ("my_bucket.x/p=1", "my_bucket.x/p=1"),
        ("bucket/" + "p" * 158, "bucket/" + "p" * 158),
    ],
)
def test_a_bucket_with_or_without_a_prefix_is_a_place(given, location):
    """JF-02."""
    assert bucket_location(given, source="X") == location


@pytest.mark.parametrize(
    "given",
    [
        "",
        "/",
        "a",
        "Bucket",
        "bucket//",
        "bucket//a",
        "bucket/..",
        "bucket/a/../b",
        "bu..cket",
        "bucket/a b",
        "s3://b/c",
    ],
)
def test_what_is_no_bucket_is_refused_when_it_is_configured(given):
    with pytest.raises(UsageError, match=r"X: .* is no bucket") as refused:
        bucket_location(given, source="X")
    assert "\n" not in str(refused.value)


def test_a_prefix_that_leaves_no_room_for_a_reference_is_refused_when_it_is_configured():
    """JF-05: upstream found out when it wrote the first large reason."""
    longest = next(n for n in range(255, 0, -1) if len(f"simpleflow+s3://{'x' * n}/{V4} {MAX_JUMBO}") <= 256)
    bucket = "bucket/" + "p" * 120 + "/"
    assert bucket_location(bucket + "p" * (longest - len(bucket)), source="X")
    with pytest.raises(UsageError, match="choose a shorter prefix"):
        bucket_location(bucket + "p" * (longest - len(bucket) + 1), source="X")


# -- fields ------------------------------------------------------------------------------------------------------------


def test_without_any_place_a_large_field_is_refused_with_the_way_out():
    """JF-09."""
    with pytest.raises(JumboTooLargeError, match=r"the result has 50002 .* SIMPLEFLOW_JUMBO_FIELDS_BUCKET"):
        Fields(in_store=False).encode("x" * 50_000, "result")


def test_what_just_fits_stays_in_the_field():
    """JF-03."""
    limit = 32_768
    fields = Fields(Storage(MemoryObjects(), MemoryObjects))
    fits = fields.store("x" * limit, "field")
    assert fits == "x" * limit
    longer = fields.store("x" * (limit + 1), "field")
    assert is_reference(longer)
    assert len(longer) <= 256
    assert fields.text(longer) == "x" * (limit + 1)


def test_at_most_five_megabytes_are_stored():
    """JF-04."""
    fields = Fields(Storage(MemoryObjects(), MemoryObjects))
    assert fields.text(fields.store("x" * MAX_JUMBO, "field")) == "x" * MAX_JUMBO
    with pytest.raises(JumboTooLargeError, match="5242881"):
        fields.store("x" * (MAX_JUMBO + 1), "field")


@pytest.mark.parametrize(
    "paths",
    ['"x"', "5", "[[]]", "[5]", '[["args",0]]', '[["args",7]]', '[["nothing"]]', '[["args",1,0]]', "[[{}]]", "null"],
)
def test_a_hostile_list_of_references_is_refused_and_reads_nothing(paths):
    storage = Storage(Watched(), MemoryObjects)
    fields = Fields(storage)
    with pytest.raises(StoreError):
        fields.decode_input(f'{{"args":["no reference",[1]],"kwargs":{{}},"__jumbo":{paths}}}')
    assert isinstance(storage.default, Watched)
    assert storage.default.asked == []


def test_a_replay_writes_nothing_and_hands_out_each_object_once():
    objects = Watched()
    late = DeferredFields(Fields(Storage(objects, MemoryObjects)), lambda call: call())
    one, other = late.encode("x" * 50_000, "input"), late.encode("y" * 50_000, "input")
    late.take_unwritten([one])  # the history has it
    assert [text[1] for _, text in late.take_unwritten([one, None, other, "short"])] == ["y"]
    assert late.take_unwritten([one, other]) == []
    assert objects.keys("jumbo/") == []


def test_an_input_of_another_shape_holds_its_large_values():
    fields = Fields(Storage(MemoryObjects(), MemoryObjects))
    late = DeferredFields(fields, lambda call: call())
    text = json.dumps("x" * 40_000)
    value = late.decode_later(fields.store(text, "result"))
    read = late.encode_input([value, {"x": value}], "input")
    assert fields.fit(f'[{text},{{"x":{text}}}]', "input").field == read
    assert json.loads(late.encode_input({"args": [value], "kwargs": {}}, "input", of_activity=True)) == {
        "__jumbo": [["args", 0]],
        "args": [value.field],
        "kwargs": {},
        "meta": NOT_FOR_UPSTREAM,
    }


class OfAnyKey(MemoryObjects):
    """Objects of a store and of a bucket."""

    def put(self, key: str, content: bytes) -> None:
        super().put(f"all/{key.rpartition('/')[2]}", content)

    def get(self, key: str, *, max_bytes: int | None = None) -> bytes:
        return super().get(f"all/{key.rpartition('/')[2]}", max_bytes=max_bytes)


@pytest.mark.parametrize("bucket", [None, "bucket/prefix"])
@pytest.mark.parametrize("by_reference", [False, True])
@pytest.mark.parametrize("of_activity", [False, True])
@pytest.mark.parametrize("meta", [{}, {"meta": {"team": "etl"}}])
def test_an_input_holds_references_where_upstream_reads_none_and_is_read_as_it_was_either_way(
    bucket, by_reference, of_activity, meta
):
    objects = OfAnyKey()
    fields = Fields(Storage(objects, lambda _: objects), bucket=bucket, by_reference=by_reference)
    late = DeferredFields(fields, lambda call: call())
    value = late.decode_later(fields.encode("x" * 40_000, "result"))
    given = {"args": [1, value], "kwargs": {"k": [value]}, **meta}
    field = late.encode_input(given, "input", of_activity=of_activity)
    assert is_reference(field) != (by_reference or (of_activity and bucket is None))
    for large in late.take_unwritten([field]):
        fields.write(*large)
    assert fields.decode_input(field) == {"args": [1, "x" * 40_000], "kwargs": {"k": ["x" * 40_000]}, **meta}


# -- for people --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "text"),
    [
        (f"simpleflow+s3://bucket/{V4} {MAX_JUMBO}", "5.0 MB in S3, not fetched, unverified ("),
        (f"simpleflow+store://jumbo/{name_of('x')} 50000", "48.8 kB in the store, not fetched ("),
        ("simpleflow+s3://<script>", "simpleflow+s3://<script>"),
    ],
)
def test_a_reference_is_described_without_being_read(field, text):
    assert describe(field).startswith(text)
    assert references.describe(field).endswith(field if text == field else f"({field})")

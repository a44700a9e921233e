"""Values as SWF's fields and back, with the large ones kept as objects.

A text that fits into a field stands in it. A longer one is written as an object, into a bucket or beside the store, and
the field holds a reference to it (`references`). The object is written before its reference is recorded, so that every
reader of a history can read it.

Rule: references come from histories, and histories from anybody. Only the Lab's own place and those that the user
trusts are ever read, nothing longer than announced is taken, and every content is checked against its name, each time
and wherever it comes from. An object that can't be read raises `StoreError`, an infrastructure error.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple, Protocol

from simpleflow_lab.data import references
from simpleflow_lab.data.codec import Changes, decode, decode_or_text, encode
from simpleflow_lab.data.objects import Objects, Storage
from simpleflow_lab.data.references import MAX_FIELD, MAX_JUMBO, NOT_FOR_UPSTREAM, JumboValue, Reference
from simpleflow_lab.exceptions import JumboContentError, JumboReferenceError, JumboTooLargeError, StoreError

logger = logging.getLogger(__name__)

MAX_WARNINGS: Final = 50
"""Warnings about changed values that one execution's code is given at most."""
PATHS_KEY: Final = "__jumbo"
"""Key beside `args` and `kwargs` of an input; it holds the paths in them at which a reference stands for a value."""
META_KEY: Final = "meta"
"""Key of an input for the activity's `meta`. Beside `PATHS_KEY` it holds `NOT_FOR_UPSTREAM`: upstream's worker expects
an object, and fails such a task instead of running it with references for values."""
OWN_META_KEY: Final = "__meta"
"""Key for the `meta` of an activity whose input has `PATHS_KEY`."""


class Cache(Protocol):
    """Contents of objects that were read before. It may lose any of them at any time, and raises nothing."""

    def get(self, key: str) -> bytes | None:
        """The content under this key, unchanged, or `None`."""

    def put(self, key: str, content: bytes) -> None:
        """Cache this content."""

    def drop(self, key: str) -> None:
        """Remove this content."""


class Fitted(NamedTuple):
    """A text as it goes into a field."""

    field: str
    """The text, or a reference to it."""
    large: tuple[Reference, str] | None
    """The object, as its reference and its text, that must be written before the field is recorded; `None` if none."""


class Fields:
    """Encodes values as fields and decodes them, for one Lab."""

    def __init__(
        self,
        storage: Storage | None = None,
        *,
        bucket: str | None = None,
        trusted: Sequence[str] = (),
        in_store: bool = True,
        by_reference: bool = False,
        cache: Cache | None = None,
    ) -> None:
        """`bucket` is the "bucket/prefix" to which large fields are written; without one they go into the storage's
        default place, unless `in_store` says that it must not be. `trusted` are further places that may be read. With
        `by_reference` large results stand as references inside all inputs, which upstream can't read. Without a storage
        references are made and compared, and nothing can be read.
        """
        self._storage = storage
        self._bucket = bucket
        self._trusted = [bucket, *trusted] if bucket is not None else list(trusted)
        self._in_store = in_store
        self._by_reference = by_reference
        self._cache = cache

    def __repr__(self) -> str:
        place = f"s3://{self._bucket}" if self._bucket is not None else "in the store" if self._in_store else "refused"
        return f"<Fields {place}>"

    @property
    def has_place(self) -> bool:
        """Whether there is a place for large fields."""
        return self._bucket is not None or self._in_store

    # -- to fields --

    def may_hold_references(self, *, of_activity: bool) -> bool:
        """Whether references may stand inside an input: not where upstream might read it, and can read a bucket.

        An input of an execution never does, unless all deciders are ours: upstream's would run with the references.
        """
        return self._by_reference or (of_activity and self._bucket is None)

    def fit(self, text: str, label: str, *, inline: int = MAX_FIELD) -> Fitted:
        """A text as it goes into a field; nothing is written.

        `label` names it in the error. One of more characters than `inline` goes as a reference, if there is a place for
        its object. Raises `JumboTooLargeError`.
        """
        if len(text) <= (inline if self.has_place else MAX_FIELD):
            return Fitted(text, None)
        if len(text) > MAX_JUMBO:
            raise JumboTooLargeError(
                f"the {label} has {len(text)} characters, at most {MAX_JUMBO} can be kept: "
                "store it elsewhere and pass its name"
            )
        if not self.has_place:
            raise JumboTooLargeError(
                f"the {label} has {len(text)} characters, SWF takes {MAX_FIELD}: name a bucket for large fields in "
                "SIMPLEFLOW_JUMBO_FIELDS_BUCKET, or store it elsewhere and pass its name"
            )
        scheme, location = (
            (references.S3, self._bucket) if self._bucket is not None else (references.STORE, references.STORE_LOCATION)
        )
        reference = Reference(scheme, location, references.name_of(text), len(text))
        return Fitted(str(reference), (reference, text))

    def write(self, reference: Reference, text: str) -> None:
        """Write the object of a reference; when this returns, it is durable. Raises `StoreError`."""
        objects, key = self._place(reference)
        objects.put(key, text.encode("utf-8"))

    def store(self, text: str, label: str, *, inline: int = MAX_FIELD) -> str:
        """A text as a field; a large one, see `fit`, is written as an object. Raises `JumboTooLargeError` or
        `StoreError`."""
        field, large = self.fit(text, label, inline=inline)
        if large is not None:
            self.write(*large)
        return field

    def encode(self, value: Any, label: str) -> str:
        """A value as a field of JSON; a large one is written as an object.

        Raises `EncodingError` for what JSON can't hold, `JumboTooLargeError` or `StoreError`.
        """
        return self.store(encode(value), label)

    def store_or_truncate(self, text: str, label: str, cut: Callable[[str], str]) -> str:
        """A text about a failure as a field: whole if it can be stored, else truncated by `cut`.

        It raises nothing: a failure must be recorded whatever else fails.
        """
        try:
            return self.store(text, label)
        except (JumboTooLargeError, StoreError, UnicodeEncodeError) as error:
            logger.warning("the %s is cut: %s", label, error)
            return cut(text)

    # -- from fields --

    def text(self, field: str | None) -> str | None:
        """The text that a field holds or refers to. Raises `StoreError`."""
        return (
            self.read(references.reference_in(field)) if field is not None and references.is_reference(field) else field
        )

    def text_or_field(self, field: str | None) -> str | None:
        """The text that a field holds or refers to; a text that only begins like a reference is given as it is.

        Raises `StoreError`.
        """
        try:
            return self.text(field)
        except JumboReferenceError:
            return field

    def text_or_reference(self, field: str | None) -> str | None:
        """The text that a field holds or refers to; the reference itself if its object can't be read."""
        try:
            return self.text(field)
        except StoreError as error:
            logger.warning("a large field was not read: %s", error)
            return field

    def decode(self, field: str | None) -> Any:
        """The value of a field that any worker, in any language, may have written. Raises `StoreError`."""
        return decode_or_text(self.text(field))

    def decode_later(self, field: str | None) -> Any:
        """The value of such a field; a large one as a `JumboValue`, which is not read yet."""
        if field is None or not references.is_reference(field):
            return decode_or_text(field)
        return JumboValue(field, lambda: self.decode(field))

    def decode_input(self, field: str) -> Any:
        """The value of a task's or execution's input, with the values that its references stand for.

        Raises `ValueError` if it is not JSON, `StoreError` if it can't be read.
        """
        value = decode(self.read(references.reference_in(field)) if references.is_reference(field) else field)
        if _has_arguments(value) and PATHS_KEY in value:
            self._put_in(value, take_paths(value))
        return value

    def read(self, reference: Reference) -> str:
        """The text of a reference. Raises `JumboReferenceError`, `JumboContentError` or another `StoreError`."""
        objects, key = self._place(reference)
        cached = (
            self._cache.get(reference.key) if self._cache is not None and reference.scheme == references.S3 else None
        )
        if cached is not None:
            try:
                return reference.text_of(cached)
            except JumboContentError:
                assert self._cache is not None
                self._cache.drop(reference.key)
        content = objects.get(key, max_bytes=reference.max_bytes)
        text = reference.text_of(content)
        if self._cache is not None and reference.scheme == references.S3:
            self._cache.put(reference.key, content)
        return text

    def _put_in(self, value: Any, paths: Any) -> None:
        """Replace references by their values at these paths. Raises `StoreError`, also where there is no reference."""
        try:
            for *way, last in paths:
                place = value
                for step in way:
                    place = place[step]
                place[last] = decode_or_text(self.read(references.reference_in(place[last])))
        except (LookupError, TypeError, ValueError) as error:
            raise JumboReferenceError(str(paths), f"no reference stands there ({error})") from error

    def _place(self, reference: Reference) -> tuple[Objects, str]:
        """The objects and the key of a reference. Raises `JumboReferenceError` for a place that may not be read."""
        if self._storage is None:
            raise JumboReferenceError(str(reference), "no objects can be read here")
        if reference.scheme == references.STORE:
            if self._in_store:
                return self._storage.default, reference.key
            raise JumboReferenceError(str(reference), "it is in the store of an embedded engine, and this is none")
        for location in self._trusted:
            if f"{reference.location}/".startswith(f"{location}/"):
                return self._storage.at(location), reference.key.removeprefix(f"{location}/")
        raise JumboReferenceError(
            str(reference),
            "its place is neither SIMPLEFLOW_JUMBO_FIELDS_BUCKET nor one of SIMPLEFLOW_LAB_TRUSTED_BUCKETS",
        )


class DeferredFields:
    """The fields of one execution while its history is replayed.

    Nothing is written: the objects of commands are given out with the decisions, for the decider to write before it
    answers. Objects are read by `read_outside`, so that the workflow's code can't catch the error.
    """

    def __init__(self, fields: Fields, read_outside: Callable[[Callable[[], Any]], Any]) -> None:
        self._fields = fields
        self._read_outside = read_outside
        self._unwritten: dict[str, tuple[Reference, str]] = {}
        self._gave_large = False
        """Whether the workflow got a `JumboValue`: its arguments may hold it."""
        self._changed: dict[tuple[str, str], None] = {}
        self._warnings: list[str] = []

    def encode(self, value: Any, label: str) -> str:
        """A value as a field of JSON. Raises `EncodingError`, of which `JumboTooLargeError` is one kind."""
        return self.fit(self._encoded(references.all_loaded(value) if self._gave_large else value, label), label)

    def _encoded(self, value: Any, label: str) -> str:
        changes: Changes = {}
        text = encode(value, changes)
        for kind, change in changes.items():
            if (label, kind) not in self._changed and len(self._changed) < MAX_WARNINGS:
                self._changed[label, kind] = None
                self._warnings.append(f"{label}: {change}")
        return text

    def take_warnings(self) -> list[str]:
        """The changes of values for JSON to hold them since the last call, as texts: each kind once for each label."""
        taken, self._warnings = self._warnings, []
        return taken

    def encode_input(self, given: Any, label: str, *, of_activity: bool = False) -> str:
        """Arguments as an input; large results in `args` and `kwargs` go as references where that may be.

        Raises as `encode`, and `StoreError` outside of the workflow's code.
        """
        if (
            not self._gave_large
            or not _has_arguments(given)
            or not self._fields.may_hold_references(of_activity=of_activity)
        ):
            return self.encode(given, label)
        paths: list[list[str | int]] = []
        members: dict[str, Any] = references.with_references(given, (), paths)
        if paths and META_KEY in members:
            members[OWN_META_KEY] = members.pop(META_KEY)
        if paths:
            members |= {PATHS_KEY: paths, META_KEY: NOT_FOR_UPSTREAM}
        return self.fit(self._encoded(members, label), label)

    def warn(self, message: str) -> None:
        """Tell the author of the workflow something about its values."""
        if len(self._changed) < MAX_WARNINGS:
            self._changed[message, ""] = None
            self._warnings.append(message)

    def fit(self, text: str, label: str) -> str:
        """A text as a field. Raises `JumboTooLargeError`."""
        if len(text) <= MAX_FIELD:
            return text
        field, large = self._fields.fit(text, label)
        if large is not None:
            self._unwritten[field] = large
        return field

    def store_or_truncate(self, text: str, label: str, cut: Callable[[str], str]) -> str:
        """A text about a failure as a field: whole if there is a place for it, else truncated by `cut`."""
        try:
            return self.fit(text, label)
        except (JumboTooLargeError, UnicodeEncodeError):
            return cut(text)

    def decode_later(self, field: str | None) -> Any:
        """The value of a field; a large one is read when the workflow's code gets it."""
        if not references.is_reference(field):
            return decode_or_text(field)
        value = self._fields.decode_later(field)
        self._gave_large = True
        return JumboValue(field, lambda: self._read_outside(value.get))

    def decode(self, field: str | None) -> Any:
        """The value of a field that anybody may have sent; a text that only begins like a reference is a text.

        Raises `StoreError`.
        """
        return decode_or_text(self.text(field))

    def text(self, field: str | None) -> str | None:
        """The text of a field that anybody may have sent. Raises `StoreError`."""
        return self._fields.text_or_field(field)

    def decode_input(self, field: str) -> Any:
        """The value of an input; see `Fields.decode_input`."""
        return self._read_outside(lambda: self._fields.decode_input(field))

    @property
    def has_unwritten(self) -> bool:
        """Whether fields were given that refer to objects which are not written yet."""
        return bool(self._unwritten)

    def take_unwritten(self, members: Iterable[Any]) -> list[tuple[Reference, str]]:
        """The objects to be written before these fields are recorded; each is given once."""
        found = (self._unwritten.pop(field, None) for field in members if isinstance(field, str))
        return [large for large in found if large is not None]


def take_paths(value: dict[str, Any]) -> Any:
    """Take the paths of references, and what is there because of them, out of an input; `None` if there are none."""
    if PATHS_KEY not in value:
        return None
    paths = value.pop(PATHS_KEY)
    if value.get(META_KEY) == NOT_FOR_UPSTREAM:
        del value[META_KEY]
        if OWN_META_KEY in value:
            value[META_KEY] = value.pop(OWN_META_KEY)
    return paths


def _has_arguments(value: Any) -> bool:
    """Whether the value is an input in the form that this package writes."""
    return type(value) is dict and {"args", "kwargs"} <= value.keys()

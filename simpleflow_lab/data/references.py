"""References to large values ("jumbo fields"): what stands in a field whose text is longer than SWF takes.

The text is kept as an object beside the history, and the field holds a reference to it:

    ============================================================  ==================================================
    reference                                                     place of the object
    ============================================================  ==================================================
    `simpleflow+s3://<bucket>/<optional/prefix/><uuid> <size>`    in S3; upstream's form, readable both ways
    `simpleflow+store://jumbo/<uuid> <size>`                      beside the embedded engine's store
    ============================================================  ==================================================

The size is in characters of the text. **The name is the content**: a UUID of version 8 (RFC 9562) made of the first 122
bits of the SHA-256 of the text in UTF-8. So equal texts have equal references, in every replay and on every machine; a
text that is written twice is one object; and a reader notices an object that is not what was written. Upstream's names
are random (version 4): they are read, and their content is taken as it is, "unverified".

Rule: nothing here reads or writes an object: `fields` does.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple, TypeGuard

from simpleflow_lab.constants import MAX_INPUT_LENGTH, MAX_REASON_LENGTH
from simpleflow_lab.exceptions import JumboContentError, JumboReferenceError, UsageError

MAX_FIELD: Final = MAX_INPUT_LENGTH
"""Longest input, result, details, control and execution context that SWF takes, in characters."""
MAX_JUMBO: Final = 5 * 1024**2
"""Longest text that becomes an object, in characters; upstream's limit."""

S3: Final = "s3"
STORE: Final = "store"
NOT_FOR_UPSTREAM: Final = "large values are references in this input: only workers of simpleflow_lab can read it"
"""The text for people in an input with references; see `fields.META_KEY`."""
STORE_LOCATION: Final = "jumbo"
"""The location of these objects among those of the embedded engine."""

_PREFIX: Final = "simpleflow+"
IN_STORE: Final = f"{_PREFIX}{STORE}:"
"""The beginning of every reference to an object beside a store, which upstream does not know."""
_CLAIMS: Final = (f"{_PREFIX}{S3}:", IN_STORE)
_VERIFIED: Final = 8
_WORST_UTF8: Final = 4
"""Bytes of one character, at most."""

_UUID: Final = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_BUCKET: Final = r"(?!.*\.\.)[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]"
_SEGMENT: Final = r"(?!\.{1,2}(?:/|\Z))[A-Za-z0-9!_.*'()=+@:,&$~-]{1,256}"
"""A part of an S3 key that means the same in every URL, log and shell."""
LOCATION: Final = re.compile(rf"(?P<bucket>{_BUCKET})(?P<prefix>(?:/{_SEGMENT})*)")
"""`bucket`, or `bucket/some/prefix`."""
_REFERENCE: Final = re.compile(
    rf"simpleflow\+(?:s3://(?P<location>[a-z0-9._-]{{3,63}}(?:/{_SEGMENT})*)|store://{STORE_LOCATION})"
    rf"/(?P<name>{_UUID}) (?P<size>0|[1-9][0-9]{{0,9}})"
)
_LONGEST_END: Final = len(f"/{uuid.UUID(int=0)} {MAX_JUMBO}")


class Reference(NamedTuple):
    """The place of a field's text."""

    scheme: str
    """`S3` or `STORE`."""
    location: str
    """Bucket and prefix, without a slash at the end."""
    name: str
    """The UUID that names the object."""
    size: int
    """Length of the text in characters."""

    def __str__(self) -> str:
        return f"{_PREFIX}{self.scheme}://{self.location}/{self.name} {self.size}"

    @property
    def key(self) -> str:
        """Location and name, which identify the object."""
        return f"{self.location}/{self.name}"

    @property
    def is_verified(self) -> bool:
        """Whether the name is made of the content, so that the content can be checked."""
        return uuid.UUID(self.name).version == _VERIFIED

    @property
    def max_bytes(self) -> int:
        """Size in bytes that no object of this reference exceeds."""
        return _WORST_UTF8 * self.size

    def text_of(self, content: bytes) -> str:
        """The text in this object. Raises `JumboContentError` if it is not the object that was written."""
        try:
            text = content.decode("utf-8")
        except UnicodeDecodeError:
            raise JumboContentError(str(self), "is not text in UTF-8") from None
        if len(text) != self.size:
            raise JumboContentError(str(self), f"has {len(text)} characters")
        if self.is_verified and _name_of_bytes(content) != self.name:
            raise JumboContentError(str(self), "was changed after it was written")
        return text


class JumboValue:
    """A large value that is read when `get` is called first; as an argument it is passed on as its reference."""

    __slots__ = ("_found", "_read", "field")

    def __init__(self, field: str, read: Callable[[], Any]) -> None:
        self.field = field
        """The reference as it was recorded."""
        self._read = read
        self._found: list[Any] = []

    def __repr__(self) -> str:
        return f"<JumboValue {self.field}>"

    def get(self) -> Any:
        """The value, the same object at each call. Raises `StoreError` if it can't be read."""
        if not self._found:
            self._found.append(self._read())
        return self._found[0]


class JumboList(list[Any]):
    """Results of several tasks, of which some are a `JumboValue` or such a list."""


_ARRAYS: Final = (list, tuple, JumboList)


def list_of_results(values: Iterable[Any]) -> list[Any]:
    """The results of several tasks as one: a `JumboList` if some of them are not read yet, else a list."""
    found = list(values)
    return JumboList(found) if any(isinstance(value, JumboValue | JumboList) for value in found) else found


def loaded(value: Any) -> Any:
    """A result with its large values read, as the workflow's code gets it. Raises `StoreError`."""
    if isinstance(value, JumboValue):
        return value.get()
    return [loaded(item) for item in value] if isinstance(value, JumboList) else value


def all_loaded(value: Any) -> Any:
    """The value with every `JumboValue` in lists, tuples and dicts read, but not in subclasses of these.

    Raises `StoreError`.
    """
    if isinstance(value, JumboValue):
        return value.get()
    if type(value) is dict:
        return {key: all_loaded(item) for key, item in value.items()}
    return [all_loaded(item) for item in value] if type(value) in _ARRAYS else value


def with_references(value: Any, path: tuple[str | int, ...], paths: list[list[str | int]]) -> Any:
    """The value, at `path`, with the reference in place of every `JumboValue`; their paths are appended to `paths`."""
    if isinstance(value, JumboValue):
        paths.append(list(path))
        return value.field
    if type(value) is dict:
        return {key: with_references(item, (*path, key), paths) for key, item in value.items()}
    if type(value) in _ARRAYS:
        return [with_references(item, (*path, index), paths) for index, item in enumerate(value)]
    return value


def name_of(text: str) -> str:
    """The name of the object with this text."""
    return _name_of_bytes(text.encode("utf-8"))


def is_reference(field: object) -> TypeGuard[str]:
    """Whether the field begins like a reference; `parse` raises an error if it is none."""
    return isinstance(field, str) and field.startswith(_CLAIMS)


def reference_in(field: str) -> Reference:
    """The reference in a field. Raises `JumboReferenceError` for everything that is not exactly one."""
    found = _REFERENCE.fullmatch(field)
    if found is None:
        raise JumboReferenceError(
            field, "it is not of the form simpleflow+s3://<bucket>/<optional/prefix/><uuid> <size>"
        )
    location, size = found["location"] or STORE_LOCATION, int(found["size"])
    if found["location"] and LOCATION.fullmatch(location) is None:
        raise JumboReferenceError(field, f"{location.partition('/')[0]} is no name of a bucket")
    if size > MAX_JUMBO:
        raise JumboReferenceError(field, f"a large field has at most {MAX_JUMBO} characters")
    return Reference(S3 if found["location"] else STORE, location, found["name"], size)


def same_text(recorded: str, requested: str) -> bool:
    """Whether a recorded reference stands for the requested text, which may be a reference, too.

    Only names are compared. Upstream's random names can't be: then it counts as the same.
    """
    try:
        there = reference_in(recorded)
    except JumboReferenceError:
        return False
    if not there.is_verified:
        return True
    if not is_reference(requested):
        return there.name == name_of(requested)
    try:
        here = reference_in(requested)
    except JumboReferenceError:
        return False
    return here.name == there.name or not here.is_verified


def bucket_location(given: str, *, source: str) -> str:
    """`bucket` or `bucket/prefix` as configured, without the slash that may end it (JF-02).

    Raises `UsageError` if that is no place for objects, or so long that a reference would not fit into a field (JF-05).
    """
    location = given[:-1] if given.endswith("/") else given
    if LOCATION.fullmatch(location) is None:
        raise UsageError(
            f"{source}: {given!r} is no bucket: write bucket or bucket/prefix, "
            "in lower case, without empty parts, '.' or '..'"
        )
    longest = MAX_REASON_LENGTH - len(f"{_PREFIX}{S3}://") - _LONGEST_END
    if len(location) > longest:
        raise UsageError(
            f"{source}: bucket and prefix have {len(location)} characters, and at most {longest} leave room for a "
            "reference in every field: choose a shorter prefix"
        )
    return location


def describe(field: str) -> str:
    """A reference for people, without reading what it refers to: `5.0 MB in S3, not fetched (simpleflow+s3://…)`."""
    try:
        reference = reference_in(field)
    except JumboReferenceError:
        return field
    place = "S3" if reference.scheme == S3 else "the store"
    doubt = "" if reference.is_verified else ", unverified"
    return f"{_size(reference.size)} in {place}, not fetched{doubt} ({field})"


def _name_of_bytes(content: bytes) -> str:
    bits = int.from_bytes(hashlib.sha256(content).digest()[:16], "big") >> 6
    high, middle, low = bits >> 74, bits >> 62 & 0xFFF, bits & (1 << 62) - 1
    return str(uuid.UUID(int=high << 80 | _VERIFIED << 76 | middle << 64 | 0b10 << 62 | low))


def _size(characters: int) -> str:
    if characters >= 1024**2:
        return f"{characters / 1024**2:.1f} MB"
    return f"{characters / 1024:.1f} kB" if characters >= 1024 else f"{characters} characters"

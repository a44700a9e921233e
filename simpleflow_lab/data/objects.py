"""Objects beside the histories: values too large for a field, notes of steps done, metrology.

An object is bytes under a key such as `jumbo/5f0c…`. Its place depends on the Lab: in memory, in a folder beside the
store file, or in S3. The worker that runs an activity sets the storage (`using_storage`), and the activity's code gets
it (`current_storage`).

Rule: keys and contents may come from a history, or from a bucket that others write to. A key never becomes a path,
and a folder that is not the user's own is refused.
"""

from __future__ import annotations

import contextlib
import contextvars
import errno
import hashlib
import os
import re
import stat
import threading
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

from simpleflow_lab.exceptions import JumboContentError, ObjectNotFoundError, StoreError, UsageError

MAX_KEY: Final = 1024
"""Longest key in bytes of UTF-8; S3's limit."""
_NO_FILE: Final = frozenset({errno.EISDIR, errno.ELOOP, errno.ENOTDIR, errno.ENXIO})
"""Errors of opening a path at which something else is than a file."""
_PURPOSE: Final = re.compile(r"[a-z]+(?=/)")


class Objects(Protocol):
    """A place where objects are kept."""

    def put(self, key: str, content: bytes) -> None:
        """Write this content under this key; when it returns, the object is durable. Raises `StoreError`."""

    def get(self, key: str, *, max_bytes: int | None = None) -> bytes:
        """The content under this key.

        Raises `ObjectNotFoundError`; `JumboContentError` if it is larger than `max_bytes` or another object is in its
        place; another `StoreError` if it can't be read for now.
        """

    def keys(self, prefix: str) -> list[str]:
        """The keys that begin with `prefix`, in order. Raises `StoreError`."""


class MemoryObjects:
    """Objects that end with the process."""

    def __init__(self) -> None:
        self._objects: dict[str, bytes] = {}
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return "<MemoryObjects>"

    def put(self, key: str, content: bytes) -> None:
        _purpose_of(key)
        with self._lock:
            self._objects[key] = content

    def get(self, key: str, *, max_bytes: int | None = None) -> bytes:
        with self._lock:
            content = self._objects.get(key)
        if content is None:
            raise ObjectNotFoundError(key, "memory")
        return _checked(content, key, max_bytes)

    def keys(self, prefix: str) -> list[str]:
        with self._lock:
            return sorted(key for key in self._objects if key.startswith(prefix))


class FolderObjects:
    """Objects in a folder that only its user can read: one file each, named by the hash of its key.

    The first line of a file is its key. A file is there whole or not at all.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self._folder = Path(folder)

    def __repr__(self) -> str:
        return f"<FolderObjects {self._folder}>"

    def put(self, key: str, content: bytes) -> None:
        path = self._path(key)
        make_private_folder(self._folder)
        make_private_folder(path.parent)
        # A new name: a process that was killed left its temporary file behind.
        temporary = path.with_name(f"{path.name}.{uuid.uuid4().hex}")
        try:
            with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb") as file:
                file.write(key.encode() + b"\n" + content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
            with contextlib.closing(_Descriptor(path.parent)) as folder:
                os.fsync(folder.number)
        except OSError as error:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise StoreError(f"the object {key} can't be written to {self._folder}: {error.strerror}") from error

    def get(self, key: str, *, max_bytes: int | None = None) -> bytes:
        path = self._path(key)
        try:
            with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
                found = file.readline(MAX_KEY + 1)
                content = file.read() if max_bytes is None else file.read(max_bytes + 1)
        except FileNotFoundError:
            raise ObjectNotFoundError(key, str(self._folder)) from None
        except OSError as error:
            if error.errno in _NO_FILE:
                raise JumboContentError(key, f"is not what is at {path}: {error.strerror}") from None
            raise StoreError(f"the object {key} can't be read from {self._folder}: {error.strerror}") from error
        if found != key.encode() + b"\n":
            raise JumboContentError(key, f"is not what the file {path} has")
        return _checked(content, key, max_bytes)

    def keys(self, prefix: str) -> list[str]:
        folder = self._folder / _purpose_of(prefix)
        found = []
        try:
            for path in folder.iterdir() if folder.is_dir() else ():
                if re.fullmatch(r"[0-9a-f]{64}", path.name):
                    with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
                        found.append(file.readline(MAX_KEY + 1).rstrip(b"\n").decode("utf-8", "replace"))
        except OSError as error:
            raise StoreError(f"the folder {folder} can't be read: {error.strerror}") from error
        return sorted(key for key in found if key.startswith(prefix))

    def _path(self, key: str) -> Path:
        return self._folder / _purpose_of(key) / hashlib.sha256(key.encode()).hexdigest()


class Storage:
    """The places where a Lab keeps objects: a default one, and others by their location."""

    def __init__(self, default: Objects, at: Callable[[str], Objects]) -> None:
        """`at` opens the objects at a location such as "bucket/prefix"; it raises `UsageError` if it can't."""
        self.default = default
        self._at = at
        self._opened: dict[str, Objects] = {}
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"<Storage {self.default!r}>"

    def at(self, location: str | None) -> Objects:
        """The objects at this location, or the default ones. Raises `UsageError`."""
        if location is None:
            return self.default
        with self._lock:
            if location not in self._opened:
                self._opened[location] = self._at(location)
            return self._opened[location]


class NoObjects:
    """The default place of a Lab that has none."""

    def __init__(self, remedy: str) -> None:
        """`remedy` is the end of the errors: how to get a place."""
        self._remedy = remedy

    def __repr__(self) -> str:
        return "<NoObjects>"

    def put(self, key: str, content: bytes) -> None:
        raise UsageError(f"the object {key[:80]} has no place: {self._remedy}")

    def get(self, key: str, *, max_bytes: int | None = None) -> bytes:
        raise UsageError(f"the object {key[:80]} has no place: {self._remedy}")

    def keys(self, prefix: str) -> list[str]:
        raise UsageError(f"objects have no place here: {self._remedy}")


def refuse_location(location: str) -> Objects:
    """The `at` of a `Storage` that has only its default place: raises `UsageError`."""
    raise UsageError(f"no objects can be kept at {location!r} here")


def in_memory() -> Storage:
    """A new storage that ends with the process."""
    return Storage(MemoryObjects(), refuse_location)


_current: contextvars.ContextVar[Storage | None] = contextvars.ContextVar("storage", default=None)


def current_storage() -> Storage:
    """The storage of the Lab whose activity runs here. Raises `UsageError` outside an activity."""
    found = _current.get()
    if found is None:
        raise UsageError("objects are kept by a Lab: this code runs outside an activity task")
    return found


def has_storage() -> bool:
    """Whether there is a `current_storage()`."""
    return _current.get() is not None


class using_storage:
    """Within this context `current_storage()` is this storage."""

    __slots__ = ("_storage", "_token")

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def __enter__(self) -> None:
        self._token = _current.set(self._storage)

    def __exit__(self, *error: object) -> None:
        _current.reset(self._token)


def make_private_folder(folder: Path) -> None:
    """Make this folder, or check that it is private: the user's own, no link, mode 0700. Raises `StoreError`."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise StoreError(f"the folder {folder} can't be made: {error.strerror}") from error
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise StoreError(f"the folder {folder} must be your own, no link, with mode 0700: it was not used")


class _Descriptor:
    """A folder opened to be synced."""

    def __init__(self, folder: Path) -> None:
        self.number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)

    def close(self) -> None:
        os.close(self.number)


def _purpose_of(key: str) -> str:
    """The first part of a key, its purpose. Raises `StoreError` for a text that is no key."""
    found = _PURPOSE.match(key)
    if found is None or "\n" in key or len(key.encode("utf-8", "surrogatepass")) > MAX_KEY:
        raise StoreError(f"{key[:80]!r} is no key of an object: write use/name, at most {MAX_KEY} bytes in one line")
    return found[0]


def _checked(content: bytes, key: str, max_bytes: int | None) -> bytes:
    """The content. Raises `JumboContentError` if it is larger than `max_bytes`."""
    if max_bytes is not None and len(content) > max_bytes:
        raise JumboContentError(key, f"is larger than {max_bytes} bytes")
    return content

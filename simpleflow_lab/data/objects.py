"""Objects beside the histories: values too large for a field, notes of steps done, metrology.

An object is bytes under a key such as `jumbo/5f0c…`. Its place depends on the Lab: in memory, in a folder beside the
store file, or in S3. The worker that runs an activity sets the storage (`using_storage`), and the activity's code gets
it (`current_storage`).

Keys and contents may come from a history or a bucket that others write to: a key never becomes a path, and a folder
that is not the user's own is refused.
"""

from __future__ import annotations

import contextlib
import contextvars
import hashlib
import os
import re
import stat
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, Protocol

from simpleflow_lab.exceptions import ObjectNotFoundError, StoreError, UsageError

MAX_KEY: Final = 1024
"""Longest key in bytes of UTF-8; S3's limit."""
_USE: Final = re.compile(r"[a-z]+(?=/)")


class Objects(Protocol):
    """A place for objects."""

    def put(self, key: str, content: bytes) -> None:
        """Keep this content under this key; when it returns, the object is durable. Raises `StoreError`."""

    def get(self, key: str, *, max_bytes: int | None = None) -> bytes:
        """The content. Raises `ObjectNotFoundError`, or `StoreError`, also for an object larger than `max_bytes`."""

    def keys(self, prefix: str) -> list[str]:
        """The keys that start so, in order. Raises `StoreError`."""


class MemoryObjects:
    """Objects that end with the process."""

    def __init__(self) -> None:
        self._objects: dict[str, bytes] = {}
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return "<MemoryObjects>"

    def put(self, key: str, content: bytes) -> None:
        _use_of(key)
        with self._lock:
            self._objects[key] = content

    def get(self, key: str, *, max_bytes: int | None = None) -> bytes:
        with self._lock:
            content = self._objects.get(key)
        if content is None:
            raise ObjectNotFoundError(key, "memory")
        return _within(content, key, max_bytes)

    def keys(self, prefix: str) -> list[str]:
        with self._lock:
            return sorted(key for key in self._objects if key.startswith(prefix))


class FolderObjects:
    """Objects in a folder that only its user can read: one file each, named by the hash of its key.

    The first line of a file is its key. A file is there whole or not at all.
    """

    def __init__(self, folder: str | os.PathLike[str]):
        self._folder = Path(folder)

    def __repr__(self) -> str:
        return f"<FolderObjects {self._folder}>"

    def put(self, key: str, content: bytes) -> None:
        path = self._path(key)
        own_folder(self._folder)
        own_folder(path.parent)
        # A name that nobody had before: whoever was killed with it left its file behind.
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
            raise StoreError(f"the object {key} can't be read from {self._folder}: {error.strerror}") from error
        if found != key.encode() + b"\n":
            raise StoreError(f"the file {path} is not the object {key}")
        return _within(content, key, max_bytes)

    def keys(self, prefix: str) -> list[str]:
        folder = self._folder / _use_of(prefix)
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
        return self._folder / _use_of(key) / hashlib.sha256(key.encode()).hexdigest()


class Storage:
    """Where a Lab's code keeps objects: a default place, and others by their location."""

    def __init__(self, default: Objects, at: Callable[[str], Objects]):
        """`at` opens the objects at a location such as "bucket/prefix"; it raises `UsageError` for one it can't."""
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

    def __init__(self, way_out: str):
        """`way_out` says what to do about it."""
        self._way_out = way_out

    def __repr__(self) -> str:
        return "<NoObjects>"

    def put(self, key: str, content: bytes) -> None:
        raise UsageError(f"the object {key[:80]} has no place: {self._way_out}")

    def get(self, key: str, *, max_bytes: int | None = None) -> bytes:
        raise UsageError(f"the object {key[:80]} has no place: {self._way_out}")

    def keys(self, prefix: str) -> list[str]:
        raise UsageError(f"objects have no place here: {self._way_out}")


def nowhere(location: str) -> Objects:
    """For a `Storage` that has its default place only."""
    raise UsageError(f"no objects can be kept at {location!r} here")


def in_memory() -> Storage:
    """A storage of its own that ends with the process."""
    return Storage(MemoryObjects(), nowhere)


_current: contextvars.ContextVar[Storage | None] = contextvars.ContextVar("storage", default=None)


def current_storage() -> Storage:
    """The storage of the Lab whose activity runs here. Raises `UsageError` outside an activity."""
    found = _current.get()
    if found is None:
        raise UsageError("objects are kept by a Lab: this code runs outside an activity task")
    return found


def has_storage() -> bool:
    """There is a `current_storage()` one."""
    return _current.get() is not None


@contextlib.contextmanager
def using_storage(storage: Storage) -> Iterator[None]:
    """Within it, `current_storage()` is this storage."""
    token = _current.set(storage)
    try:
        yield
    finally:
        _current.reset(token)


def own_folder(folder: Path) -> None:
    """Make this folder, or check that it is the user's own: no link, nobody else's, mode 0700. Raises `StoreError`."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise StoreError(f"the folder {folder} can't be made: {error.strerror}") from error
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise StoreError(f"the folder {folder} must be your own, no link, with mode 0700: it was not used")


class _Descriptor:
    """A folder opened to be synced."""

    def __init__(self, folder: Path):
        self.number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)

    def close(self) -> None:
        os.close(self.number)


def _use_of(key: str) -> str:
    """The first part of a key: what it is for. Raises `StoreError` for what is no key."""
    found = _USE.match(key)
    if found is None or "\n" in key or len(key.encode("utf-8", "surrogatepass")) > MAX_KEY:
        raise StoreError(f"{key[:80]!r} is no key of an object: write use/name, at most {MAX_KEY} bytes in one line")
    return found[0]


def _within(content: bytes, key: str, max_bytes: int | None) -> bytes:
    if max_bytes is not None and len(content) > max_bytes:
        raise StoreError(f"the object {key} is larger than {max_bytes} bytes: it was not read")
    return content

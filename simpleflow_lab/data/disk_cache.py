"""A cache on this disk of the objects that were read from S3: at most 1 GB, the least recently used are evicted.

It is in the user's own cache folder, and is used only if nobody else can have written there: no link, the user's own,
mode 0700. Otherwise there is no cache, and one warning gives the reason.

Rule: its contents are not trusted either. Each content stands behind its own hash, a row that is anything but plain
bytes in a file of this cache is passed over, and nothing is ever unpickled. A damaged cache is an empty one.

This is the only module that imports diskcache.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import re
import sqlite3
import threading
from pathlib import Path
from typing import Any, Final

import diskcache
import platformdirs

from simpleflow_lab.data.objects import make_private_folder
from simpleflow_lab.exceptions import StoreError

logger = logging.getLogger(__name__)

SIZE_LIMIT: Final = 2**30
"""Largest size of the cache, in bytes."""
EVICTION_POLICY: Final = "least-recently-used"
TIMEOUT: Final = 1.0
"""Seconds to wait for another process that writes to the cache; then it is a miss."""

_HASH: Final = hashlib.sha256
_HASH_BYTES: Final = _HASH().digest_size
_FILE: Final = re.compile(r"[0-9a-f]{2}/[0-9a-f]{2}/[0-9a-f]{28}\.val")
_ERRORS: Final = (sqlite3.Error, OSError, diskcache.Timeout, ValueError, TypeError, KeyError, OverflowError)


class DiskCache:
    """Contents by key; implements `fields.Cache`. Each process opens it when it first uses it."""

    def __init__(self, folder: str | os.PathLike[str] | None = None, *, size_limit: int = SIZE_LIMIT) -> None:
        """`folder` is by default `jumbo` in the user's cache folder."""
        self.folder = Path(folder) if folder is not None else default_folder()
        self._size_limit = size_limit
        self._lock = threading.Lock()
        self._opened: dict[int, diskcache.Cache | None] = {}

    def __repr__(self) -> str:
        return f"<DiskCache {self.folder}>"

    def get(self, key: str) -> bytes | None:
        """The content under this key, unchanged, or `None`."""
        cache = self._cache()
        if cache is None:
            return None
        try:
            found = cache.get(_row(key))
        except _ERRORS as error:
            self._give_up_after(error)
            return None
        if found is None:
            return None
        if type(found) is bytes and found[:_HASH_BYTES] == _seal(key, found[_HASH_BYTES:]):
            return found[_HASH_BYTES:]
        self.drop(key)
        return None

    def put(self, key: str, content: bytes) -> None:
        """Cache this content until it is evicted."""
        cache = self._cache()
        if cache is not None:
            try:
                cache.set(_row(key), _seal(key, content) + content)
            except _ERRORS as error:
                self._give_up_after(error)

    def drop(self, key: str) -> None:
        """Remove this content."""
        cache = self._cache()
        if cache is not None:
            with contextlib.suppress(*_ERRORS):
                cache.delete(_row(key))

    def close(self) -> None:
        """Close its files. The next use opens it again."""
        with self._lock:
            cache = self._opened.pop(os.getpid(), None)
        if cache is not None:
            cache.close()

    def _cache(self) -> diskcache.Cache | None:
        """The cache of this process: an open database does not survive a fork."""
        with self._lock:
            process = os.getpid()
            if process not in self._opened:
                self._opened = {process: self._open()}
            return self._opened[process]

    def _open(self) -> diskcache.Cache | None:
        try:
            make_private_folder(self.folder)
            _check_files(self.folder)
            return diskcache.Cache(
                str(self.folder),
                timeout=TIMEOUT,
                disk=_PlainBytes,
                size_limit=self._size_limit,
                eviction_policy=EVICTION_POLICY,
            )
        except (StoreError, *_ERRORS) as error:
            logger.warning("what is read from S3 is not cached: %s", error)
            return None

    def _give_up_after(self, error: Exception) -> None:
        """Stop using the cache in this process, unless the error is a lock held for long: that is a miss."""
        if isinstance(error, diskcache.Timeout):
            return
        with self._lock:
            if self._opened.get(os.getpid()) is not None:
                logger.warning("the cache in %s is broken and not used any more: %s", self.folder, error)
            self._opened = {os.getpid(): None}


class _PlainBytes(diskcache.Disk):  # type: ignore[misc]  # diskcache has no types
    """Rows of bytes under keys of text, in files that this cache names; anything else is an error, never an object."""

    def put(self, key: Any) -> tuple[str, bool]:
        if type(key) is not str:
            raise TypeError(f"a key of the cache is text, not {type(key).__name__}")
        return key, True

    def get(self, key: Any, raw: bool) -> str:
        if not raw or type(key) is not str:
            raise ValueError("a key of the cache that is not text")
        return key

    def store(self, value: Any, read: bool, key: Any = diskcache.UNKNOWN) -> Any:
        if type(value) is not bytes or read:
            raise TypeError(f"a content of the cache is bytes, not {type(value).__name__}")
        return super().store(value, False, key)

    def fetch(self, mode: int, filename: str | None, value: Any, read: bool) -> bytes | None:
        """The bytes of a row, or `None` for a row that this cache did not write."""
        if mode == diskcache.core.MODE_RAW and filename is None and type(value) is bytes:
            return value
        if mode != diskcache.core.MODE_BINARY or value is not None or not _is_file(filename):
            return None
        with open(os.open(os.path.join(self._directory, str(filename)), os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
            return file.read()

    def remove(self, file_path: str) -> None:
        if _is_file(file_path):
            super().remove(file_path)


def default_folder() -> Path:
    """`jumbo` in the user's cache folder."""
    return Path(platformdirs.user_cache_path("simpleflow_lab")) / "jumbo"


def _check_files(folder: Path) -> None:
    """Raise `StoreError` if the database is a link, or somebody else's."""
    for path in folder.glob("cache.db*"):
        if path.is_symlink() or not path.is_file() or path.lstat().st_uid != os.getuid():
            raise StoreError(f"the file {path} must be your own, and no link")


def _is_file(name: object) -> bool:
    return isinstance(name, str) and _FILE.fullmatch(name) is not None


def _row(key: str) -> str:
    return _HASH(key.encode()).hexdigest()


def _seal(key: str, content: bytes) -> bytes:
    """The hash before a content, which proves that it is the content of this key, unchanged."""
    return _HASH(_HASH(key.encode()).digest() + content).digest()

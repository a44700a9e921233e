"""The keys of a store: the access key and secret with which requests to its engine are signed, whoever owns the store.

They outlive the processes that own the store, so that an SWF program that was configured once goes on after a restart
of the engine; and so does the port at which the store was last served to such programs. They stand in a file beside
the store and not in it, for a copy of a store that is given to somebody else must not give access to the original.

Rule: only the owner of the store writes the file. Keys that another user could have read are not used: there are new
ones.
"""

from __future__ import annotations

import logging
import os
import re
import secrets
from typing import Final, NamedTuple

from simpleflow_lab.engine.private_files import read_private, write_private
from simpleflow_lab.engine.store_files import is_no_room
from simpleflow_lab.exceptions import StoreError, StorePausedError
from simpleflow_lab.http.connection_file import ACCESS_KEY, SECRET_KEY

logger = logging.getLogger(__name__)

PORT: Final = "port"
_ACCESS_KEY: Final = re.compile(r"[A-Z0-9]{16,32}")
_SECRET_KEY: Final = re.compile(r"[A-Za-z0-9_-]{40,128}")


class Keys(NamedTuple):
    """An access key and its secret."""

    access_key: str
    secret_key: str


def new_keys() -> Keys:
    """Keys that nobody knows yet."""
    return Keys("LAB" + secrets.token_hex(8).upper(), secrets.token_urlsafe(30))


def keys_path(store: str) -> str:
    """The path of the file with the keys of the store at this path."""
    return f"{store}.keys"


def of_store(store: str) -> Keys:
    """The keys of the store at this path, made if there are none that can be used. Raises `StoreError`."""
    try:
        return _read(store)[0]
    except FileNotFoundError:
        pass
    except (OSError, ValueError) as error:
        logger.warning("%s is not used (%s): the store has new keys", keys_path(store), error)
    return rotate(store)


def rotate(store: str) -> Keys:
    """Give the store new keys. Requests that are signed with the old ones will be refused. Raises `StoreError`."""
    keys = new_keys()
    _write(store, keys, served_port(store))
    return keys


def served_port(store: str) -> int | None:
    """The port at which the store was served last to SWF programs; `None` if it never was."""
    try:
        return _read(store)[1]
    except (OSError, ValueError):
        return None


def remember_port(store: str, port: int) -> None:
    """Remember the port at which the store is served. Raises `StoreError`."""
    if served_port(store) != port:
        _write(store, of_store(store), port)


def _read(store: str) -> tuple[Keys, int | None]:
    """Raises `OSError` and `ValueError`."""
    record = read_private(keys_path(store))
    access_key, secret_key, port = record.get(ACCESS_KEY), record.get(SECRET_KEY), record.get(PORT)
    if (
        not (isinstance(access_key, str) and _ACCESS_KEY.fullmatch(access_key))
        or not (isinstance(secret_key, str) and _SECRET_KEY.fullmatch(secret_key))
        or not (port is None or (type(port) is int and 0 < port < 1 << 16))
    ):
        raise ValueError("it holds no keys")
    return Keys(access_key, secret_key), port


def _write(store: str, keys: Keys, port: int | None) -> None:
    record = {ACCESS_KEY: keys.access_key, SECRET_KEY: keys.secret_key, PORT: port}
    path = keys_path(store)
    try:
        write_private(path, record)
    except OSError as error:
        problem = f"the keys {path} can't be written: {error.strerror or os.strerror(error.errno or 0)}"
        if is_no_room(error):
            raise StorePausedError(f"{problem}; make room on its disk") from None
        raise StoreError(problem) from None

"""The connection file of a store: where its owner's endpoint is, and the key with which requests are signed.

The owner of a store writes the file beside the store; it is what lets another process of the same user use the engine.

Rule: the file is private, see `engine.private_files`. One that names an address of another machine is not used. Its
members are the variables by which AWS SDKs are configured, and `pid`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from simpleflow_lab.engine.private_files import read_private, write_private
from simpleflow_lab.engine.store_files import is_no_room
from simpleflow_lab.exceptions import ServiceUnreachableError, StoreError, StorePausedError

URL: Final = "AWS_ENDPOINT_URL_SWF"
ACCESS_KEY: Final = "AWS_ACCESS_KEY_ID"
SECRET_KEY: Final = "AWS_SECRET_ACCESS_KEY"
REGION: Final = "AWS_DEFAULT_REGION"

_MEMBERS: Final = (URL, ACCESS_KEY, SECRET_KEY, REGION)
_LOOPBACK_URL: Final = re.compile(r"http://127\.0\.0\.1:\d{1,5}")


def connection_file_path(store: str) -> str:
    """The path of the connection file of the store at this path."""
    return f"{store}.endpoint"


def write_connection_file(path: str, record: Mapping[str, Any]) -> None:
    """Write the file. Raises `StoreError`, which is a `StorePausedError` if there is no room on its disk."""
    try:
        write_private(path, record)
    except OSError as error:
        problem = f"the connection file {path} can't be written: {error.strerror or error}"
        if is_no_room(error):
            raise StorePausedError(f"{problem}; make room on its disk") from None
        raise StoreError(problem) from None


def read_connection_file(path: str) -> Mapping[str, str]:
    """The members of the file. Raises `ServiceUnreachableError` if it can't be read or must not be used."""
    try:
        record = read_private(path)
    except (OSError, ValueError) as error:
        raise ServiceUnreachableError(f"the owner's connection file {path} can't be used: {error}") from None
    if not all(isinstance(record.get(name), str) for name in _MEMBERS):
        raise ServiceUnreachableError(f"the connection file {path} is not one")
    if not _LOOPBACK_URL.fullmatch(record[URL]):
        raise ServiceUnreachableError(f"the connection file {path} does not name an address of this machine")
    return {name: record[name] for name in _MEMBERS}

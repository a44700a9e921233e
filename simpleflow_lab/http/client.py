"""An embedded engine that another process owns, reached by its connection file.

The owner of a store serves SWF's protocol on loopback and writes where, and with which key, into a file beside the
store that only the user can read. What is found there is used for this engine alone: never through the environment,
and never anywhere but on this machine.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Mapping
from typing import Any, Final

from simpleflow_lab.exceptions import ServiceUnreachableError
from simpleflow_lab.service.protocol import SWFService

_URL: Final = re.compile(r"http://127\.0\.0\.1:\d{1,5}")
_NEEDED: Final = ("AWS_ENDPOINT_URL_SWF", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION")


def connection_file(store: str) -> str:
    """The connection file of a store."""
    return f"{store}.endpoint"


def owners_service(store: str) -> SWFService:
    """The engine that owns this store. Raises `ServiceUnreachableError` if it says nowhere where it is."""
    from simpleflow_lab.service import aws  # noqa: PLC0415  boto3: only who talks to another process pays for it

    record = _read(connection_file(store))
    client = aws.client(
        region=record["AWS_DEFAULT_REGION"],
        endpoint=record["AWS_ENDPOINT_URL_SWF"],
        access_key=record["AWS_ACCESS_KEY_ID"],
        secret_key=record["AWS_SECRET_ACCESS_KEY"],
        max_attempts=1,  # an owner that does not answer is dead: look for the next one at once
    )
    return aws.service(client)


def _read(path: str) -> Mapping[str, str]:
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
        with open(descriptor, encoding="utf-8") as file:
            found = os.fstat(file.fileno())
            if hasattr(os, "getuid") and (found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077):
                raise ServiceUnreachableError(f"the connection file {path} is not this user's alone: it is not used")
            record: Any = json.loads(file.read(8192))
    except (OSError, ValueError) as error:
        raise ServiceUnreachableError(f"the owner's connection file {path} can't be read: {error}") from None
    if not isinstance(record, dict) or not all(isinstance(record.get(name), str) for name in _NEEDED):
        raise ServiceUnreachableError(f"the connection file {path} is not one")
    if not _URL.fullmatch(record["AWS_ENDPOINT_URL_SWF"]):
        raise ServiceUnreachableError(f"the connection file {path} does not name an address of this machine")
    return {name: record[name] for name in _NEEDED}

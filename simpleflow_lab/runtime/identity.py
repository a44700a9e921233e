"""The identity of a poller, which SWF records with each task that is started.

A JSON object: the package's mark, the instance of the process, its id, host name and user, and what
`SIMPLEFLOW_IDENTITY` adds or, with null, takes away. An identity that is too long for SWF loses its longest keys, one
by one, rather than its end: it stays JSON.
"""

from __future__ import annotations

import getpass
import json
import logging
import os
import secrets
import socket
from typing import Any, Final

from simpleflow_lab.constants import DEFAULT_MAX_LOST_ATTEMPTS, DEFAULT_MAX_NOT_HERE_ATTEMPTS
from simpleflow_lab.data.codec import Changes, encode, parse
from simpleflow_lab.exceptions import EncodingError
from simpleflow_lab.replay.history_reader import IDENTITY_KEY, LIMIT_KEY, MAX_LOST_KEY, MAX_NOT_HERE_KEY, RULES
from simpleflow_lab.swf.conventions import INSTANCE_KEY
from simpleflow_lab.swf.limits import MAX_IDENTITY, MAX_OPEN_ACTIVITIES

logger = logging.getLogger(__name__)

MAX_KEYS: Final = 20
"""Keys that `SIMPLEFLOW_IDENTITY` may have."""


_instance: list[str] = []


def instance_id() -> str:
    """The id of this process's instance: 16 hexadecimal digits, others in a forked process."""
    if not _instance:
        _instance.append(secrets.token_hex(8))
    return _instance[0]


os.register_at_fork(after_in_child=_instance.clear)


def poller_identity(
    given: str | None = None,
    *,
    max_open_activities: int = MAX_OPEN_ACTIVITIES,
    max_lost_attempts: int = DEFAULT_MAX_LOST_ATTEMPTS,
    max_not_here_attempts: int = DEFAULT_MAX_NOT_HERE_ATTEMPTS,
    instance: str | None = None,
) -> str:
    """The identity of this process as JSON text; `given` is the value of `SIMPLEFLOW_IDENTITY`.

    `instance` is that of this process at a service that has client sessions.

    A value that is no JSON object is not used, with one warning: a poller must poll.
    """
    # The keys that a replay reads can't be taken away.
    marks: dict[str, Any] = {IDENTITY_KEY: RULES}
    if max_open_activities < MAX_OPEN_ACTIVITIES:
        marks[LIMIT_KEY] = max_open_activities
    if max_lost_attempts != DEFAULT_MAX_LOST_ATTEMPTS:
        marks[MAX_LOST_KEY] = max_lost_attempts
    if max_not_here_attempts != DEFAULT_MAX_NOT_HERE_ATTEMPTS:
        marks[MAX_NOT_HERE_KEY] = max_not_here_attempts
    if instance is not None:
        marks[INSTANCE_KEY] = instance
    defaults: dict[str, Any] = {"pid": os.getpid(), "hostname": socket.gethostname(), "user": _user()}
    record = {key: value for key, value in (defaults | _extra_keys(given)).items() if value is not None} | marks
    text = json.dumps(record)
    while len(text) > MAX_IDENTITY:
        longest = max(record.keys() - marks.keys(), key=lambda key: len(json.dumps({key: record[key]})))
        del record[longest]
        text = json.dumps(record)
    return text


def _extra_keys(given: str | None) -> dict[str, Any]:
    """The keys that `SIMPLEFLOW_IDENTITY` adds."""
    if not given:
        return {}
    try:
        found, changes = parse(given), Changes()
        encode(found, changes)  # a number too large for JSON, a lone surrogate
    except (ValueError, EncodingError):
        found, changes = None, {}
    if changes or not isinstance(found, dict) or len(found) > MAX_KEYS:
        logger.warning("SIMPLEFLOW_IDENTITY is no JSON object of up to %d keys: it is not used", MAX_KEYS)
        return {}
    return found


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's uid may have no name
        return str(os.getuid()) if hasattr(os, "getuid") else "unknown"

"""Who polls: the identity that SWF records with each task that is started."""

from __future__ import annotations

import getpass
import json
import os
import socket

from simpleflow_lab.replay.replay import IDENTITY_KEY
from simpleflow_lab.swf.limits import MAX_IDENTITY


def identity() -> str:
    """JSON with the package's mark, pid, host name and user; keys are left out rather than text cut."""
    record = {IDENTITY_KEY: 1, "pid": os.getpid(), "hostname": socket.gethostname(), "user": _user()}
    for optional in ("user", "hostname"):
        if len(json.dumps(record)) > MAX_IDENTITY:
            del record[optional]
    return json.dumps(record)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's uid may have no name
        return str(os.getuid()) if hasattr(os, "getuid") else "unknown"

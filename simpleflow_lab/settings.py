"""What the environment says. Read when it is needed, never at import.

===========================  ==========================================================================================
variable                     meaning
===========================  ==========================================================================================
`SIMPLEFLOW_LAB_STORE`       store of `Lab()`: a file, or ":memory:"; by default a file in the user's data folder
`SWF_DOMAIN`                 domain, unless a call or option names one; "lab" by default
`ACTIVITY_SIGTERM_WAIT_SEC`  seconds that an activity in a process has to clean up when it is canceled; 3 by default
`SIMPLEFLOW_FORMAT`          output format of the `simpleflow` command
`LOG_LEVEL`                  log level of the `simpleflow` command; WARNING by default
===========================  ==========================================================================================
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import platformdirs

from simpleflow_lab.exceptions import UsageError

DEFAULT_DOMAIN: Final = "lab"


def default_store() -> str:
    """Address of the user's own durable store."""
    given = os.environ.get("SIMPLEFLOW_LAB_STORE")
    return given or str(Path(platformdirs.user_data_path("simpleflow_lab")) / "lab.sqlite")


def default_domain() -> str:
    """The domain that is meant when none is named."""
    return os.environ.get("SWF_DOMAIN") or DEFAULT_DOMAIN


def activity_sigterm_wait() -> float:
    """Seconds between SIGTERM and SIGKILL of an activity's process. Raises `UsageError`."""
    given = os.environ.get("ACTIVITY_SIGTERM_WAIT_SEC") or "3"
    try:
        seconds = float(given)
        if not 0 <= seconds <= 3600:
            raise ValueError
    except ValueError:
        raise UsageError(f"ACTIVITY_SIGTERM_WAIT_SEC is a number of seconds up to an hour, not {given!r}") from None
    return seconds

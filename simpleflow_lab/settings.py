"""What the environment says. Read when it is needed, never at import.

=========================  ==========================================================================================
variable                   meaning
=========================  ==========================================================================================
`SIMPLEFLOW_LAB_STORE`     store of `Lab()`: a file, or ":memory:"; by default a file in the user's data folder
`SWF_DOMAIN`               domain, unless a call or option names one; "lab" by default
`SIMPLEFLOW_FORMAT`        output format of the `simpleflow` command
`LOG_LEVEL`                log level of the `simpleflow` command; WARNING by default
=========================  ==========================================================================================
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import platformdirs

DEFAULT_DOMAIN: Final = "lab"


def default_store() -> str:
    """Address of the user's own durable store."""
    given = os.environ.get("SIMPLEFLOW_LAB_STORE")
    return given or str(Path(platformdirs.user_data_path("simpleflow_lab")) / "lab.sqlite")


def default_domain() -> str:
    """The domain that is meant when none is named."""
    return os.environ.get("SWF_DOMAIN") or DEFAULT_DOMAIN

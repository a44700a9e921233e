"""What both ends of the loopback endpoint agree on: the names of Amazon SWF's 39 operations, one of our own, limits.

Rule: an operation of our own has a target namespace of its own, so that no SWF client can meet it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from simpleflow_lab.swf import shapes

CONTENT_TYPE: Final = "application/x-amz-json-1.0"
MAX_BODY: Final = 1 << 20
"""SWF's limit for the size of a request, in bytes."""
TOO_LARGE: Final = "RequestEntityTooLarge"
"""The code of the refusal of a larger request."""
SWF_NAMESPACE: Final = "SimpleWorkflowService"
OWN_NAMESPACE: Final = "SimpleflowLab"
USER_AGENT: Final = "simpleflow_lab"
"""The `User-Agent` of our own client. It keeps its connections to its own thread and process, so they are kept alive;
those of other programs are closed after each response, see `http.server`."""

METHODS: Final[Mapping[str, str]] = {name: re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower() for name in shapes.OPERATIONS}
"""boto3's names of methods by SWF's names of operations."""
SWF_NAMES: Final[Mapping[str, str]] = {method: name for name, method in METHODS.items()}
TARGETS: Final[Mapping[str, str]] = {method: f"{SWF_NAMESPACE}.{name}" for method, name in SWF_NAMES.items()}
"""The header `X-Amz-Target` by boto3's names of methods."""
WAIT_FOR_HISTORY: Final = f"{OWN_NAMESPACE}.WaitForHistory"
"""The target of `WatchableService.wait_for_history`: `domain`, `execution`, `afterEventId`, `timeoutInSeconds` and
`untilClosed` in, `lastEventId` out."""
MAX_HOLD_SECONDS: Final = 20.0
"""For how long the engine holds one such request. A client that waits for longer sends another."""

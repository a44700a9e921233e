"""How both ends of the loopback endpoint name operations: Amazon SWF's 39, and one of our own.

Rule: an operation of our own has a target namespace of its own, so that no SWF client can meet it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from simpleflow_lab.swf import shapes

CONTENT_TYPE: Final = "application/x-amz-json-1.0"
SWF_NAMESPACE: Final = "SimpleWorkflowService"
OWN_NAMESPACE: Final = "SimpleflowLab"

METHODS: Final[Mapping[str, str]] = {name: re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower() for name in shapes.OPERATIONS}
"""boto3's names of methods by SWF's names of operations."""
TARGETS: Final[Mapping[str, str]] = {method: f"{SWF_NAMESPACE}.{name}" for name, method in METHODS.items()}
"""The header `X-Amz-Target` by boto3's names of methods."""
WAIT_FOR_HISTORY: Final = f"{OWN_NAMESPACE}.WaitForHistory"
"""The target of `WatchableService.wait_for_history`: `domain`, `execution`, `afterEventId`, `timeoutInSeconds` and
`untilClosed` in, `lastEventId` out."""
MAX_HOLD_SECONDS: Final = 20.0
"""For how long the engine holds one such request. A client that waits for longer sends another."""

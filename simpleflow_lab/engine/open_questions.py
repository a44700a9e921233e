"""What neither AWS's documentation nor a recorded history says about SWF, decided once.

Rule: one named constant per question; whoever learns the real answer changes it here. Numbers in brackets are those of
the list of open questions in our notes on SWF (§5.11).
"""

from __future__ import annotations

from typing import Final

FAILED_DECISION_FAILS_CLOSE: Final = True
"""[1] A decision of the list failed before the closing one: its failure is an event that the decider has not seen."""

CONTINUE_AS_NEW_INHERITS: Final = False
"""[2] What the decision leaves out comes from the closing run. The documentation says: from the type's defaults."""

CONTINUE_AS_NEW_APPLIES_CHILD_POLICY: Final = False
"""[3] Children of a run that continued as new go on, and report to nobody until their parent's successor closes."""

CANCEL_REQUESTED_AFTER_CLOSE: Final = False
"""[4] `cancelRequested` of a closed execution. Recorded: false, though its history has the request."""

REPEATED_CANCEL_REQUESTS_ARE_RECORDED: Final = True
"""[5] A second RequestCancelWorkflowExecution is one more event."""

CHILD_OF_CLOSED_PARENT_STARTS: Final = False
"""[8] A child that was initiated in the very decision that closed its parent."""

EXTERNAL_REQUESTS_OUTLIVE_SOURCE: Final = True
"""[8] A signal or cancel request to another execution is delivered although its sender closed in the same decision."""

UNDEPRECATED_DOMAIN_RESTORES_TYPES: Final = False
"""[10] Types that were deprecated with their domain stay deprecated."""

STARTED_ALREADY_MESSAGE: Final = ""
"""The message of WorkflowExecutionAlreadyStartedFault."""

DECISION_TASKS_SAY_NONE: Final = True
"""`scheduleToStartTimeout: NONE` in DecisionTaskScheduled, as SWF writes since 2023; recordings of 2017 have none."""

UNRETAINED_GRACE_SECONDS: Final = 3600
"""How long a closed execution can still be read if its domain retains none (retention 0 or NONE)."""

PAGE_TOKEN_SECONDS: Final = 86_400
"""How long a page token is good for."""

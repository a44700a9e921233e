"""Questions about SWF that neither AWS's documentation nor a recorded history answers, and this engine's answers.

Rule: one named constant per question, so that a better answer is one change; the sentence under a yes-or-no question
says what `True` means. Numbers in brackets are those of the list of open questions in our notes on SWF (§5.11).
"""

from __future__ import annotations

from typing import Final

FAILED_DECISION_FAILS_CLOSE: Final = True
"""[1] A closing decision fails if a decision before it in the list failed, which is an event that the decider has not
seen."""

CONTINUE_AS_NEW_INHERITS: Final = False
"""[2] Members that the decision omits come from the closing run. The documentation says: from the type's defaults."""

CONTINUE_AS_NEW_APPLIES_CHILD_POLICY: Final = False
"""[3] The child policy is applied when the parent continues as new. Otherwise they go on, and no run is notified of
their end."""

CANCEL_REQUESTED_AFTER_CLOSE: Final = False
"""[4] `cancelRequested` of a closed execution is true if its history has a request. A recording has false."""

REPEATED_CANCEL_REQUESTS_ARE_RECORDED: Final = True
"""[5] A repeated RequestCancelWorkflowExecution is recorded as one more event."""

CHILD_OF_CLOSED_PARENT_STARTS: Final = False
"""[8] A child is started though it was initiated by the decision task that closed its parent."""

EXTERNAL_REQUESTS_OUTLIVE_SOURCE: Final = True
"""[8] A signal or cancel request is delivered though its source closed in the same decision task."""

UNDEPRECATED_DOMAIN_RESTORES_TYPES: Final = False
"""[10] Types that were deprecated with their domain are registered again with it."""

STARTED_ALREADY_MESSAGE: Final = ""
"""The message of WorkflowExecutionAlreadyStartedFault."""

DECISION_TASKS_SAY_NONE: Final = True
"""`scheduleToStartTimeout: NONE` in DecisionTaskScheduled, as SWF writes since 2023; recordings of 2017 have none."""

UNRETAINED_GRACE_SECONDS: Final = 3600
"""Seconds for which a closed execution can be read in a domain whose retention period is 0 or NONE."""

PAGE_TOKEN_SECONDS: Final = 86_400
"""Seconds for which a page token is valid."""

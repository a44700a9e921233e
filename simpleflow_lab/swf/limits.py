"""Quotas of Amazon SWF that code depends on. Lengths are in characters, durations in seconds.

Source: "Amazon SWF quotas", https://docs.aws.amazon.com/amazonswf/latest/developerguide/swf-dg-limits.html, and the
shapes of the service model.
"""

from __future__ import annotations

from typing import Final

MAX_HISTORY_EVENTS: Final = 25_000
"""SWF terminates an execution whose history reaches it, with cause EVENT_LIMIT_EXCEEDED."""
MAX_OPEN_ACTIVITIES: Final = 1_000
MAX_OPEN_TIMERS: Final = 1_000
MAX_OPEN_CHILDREN: Final = 1_000
MAX_OPEN_EXECUTIONS: Final = 100_000
"""Open executions per domain, children included."""
MAX_DOMAINS: Final = 100
MAX_TYPES: Final = 10_000
"""Workflow types per domain, and as many activity types."""
MAX_POLLERS: Final = 1_000
"""Pollers per task list."""

MAX_DECISIONS: Final = 100
"""Decisions per RespondDecisionTaskCompleted. SWF limits the size of the request; 100 is what clients send at most."""
MAX_REQUEST_BYTES: Final = 1_000_000
"""Size of one request, headers included ("1 MB")."""

MAX_DATA: Final = 32_768
"""input, result, details, control, executionContext."""
MAX_HEARTBEAT_DETAILS: Final = 2_048
MAX_REASON: Final = 256
MAX_IDENTITY: Final = 256
MAX_ID: Final = 256
"""activityId, timerId, workflowId, names of domains, types, signals, markers, task lists."""
MAX_VERSION: Final = 64
MAX_TAGS: Final = 5
MAX_TAG: Final = 256

MAX_PAGE_SIZE: Final = 1_000
MAX_SECONDS: Final = 31_536_000
"""One year: executions, tasks and timers end by then."""
MAX_RETENTION_DAYS: Final = 90

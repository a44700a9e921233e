"""Names for durations, and defaults that authors may rely on. All durations are in seconds."""

from __future__ import annotations

from typing import Final

SECOND: Final = 1
MINUTE: Final = 60
HOUR: Final = 3_600
DAY: Final = 86_400

DEFAULT_TASK_LIST: Final = "default"
"""Task list of activities and workflows that name none."""
DEFAULT_VERSION: Final = "default"
"""Version of activity types that name none."""
DEFAULT_ACTIVITY_TIMEOUT: Final = 300
"""Each of an activity's four timeouts, unless given."""
DEFAULT_EXECUTION_TIMEOUT: Final = 7 * DAY
"""How long an execution may stay open, unless its workflow or its start says otherwise."""
DEFAULT_DECISION_TASK_TIMEOUT: Final = 300
"""How long one decision may take, unless given."""

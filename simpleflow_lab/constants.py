"""Names for durations, and defaults that authors may rely on. All durations are in seconds."""

from __future__ import annotations

import os
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
DEFAULT_ACTIVITY_THREADS: Final = min(32, (os.cpu_count() or 1) + 4)
"""Activities of a task list that a Lab runs at once, unless given. Most wait for something, so they are more than
there are processors."""
DEFAULT_EXECUTION_TIMEOUT: Final = 7 * DAY
"""The longest time that an execution may stay open, unless its workflow or its start says otherwise."""
DEFAULT_DECISION_TASK_TIMEOUT: Final = 300
"""The longest time that one decision may take, unless given."""
DEFAULT_MAX_LOST_ATTEMPTS: Final = 5
"""Number of attempts in a row whose worker's process died, after which an activity task fails. Histories count on it: a
decider with another limit says so in its identity."""
DEFAULT_MAX_NOT_HERE_ATTEMPTS: Final = 50
"""The same for attempts that came to workers which don't define the activity; about 20 minutes."""

MAX_SECONDS: Final = 99_999_999
"""The most seconds that SWF reads: eight digits."""

# What SWF takes in a field, in characters; upstream's names. https://docs.aws.amazon.com/amazonswf/latest/apireference/
MAX_REASON_LENGTH: Final = 256
MAX_DETAILS_LENGTH: Final = 32_768
MAX_EXECUTION_CONTEXT_LENGTH: Final = 32_768
MAX_HEARTBEAT_DETAILS_LENGTH: Final = 2_048
MAX_IDENTITY_LENGTH: Final = 256
MAX_INPUT_LENGTH: Final = 32_768
MAX_RESULT_LENGTH: Final = 32_768
MAX_CONTROL_LENGTH: Final = 32_768

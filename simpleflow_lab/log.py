"""The logger that programs use, and upstream's names of colours."""

from __future__ import annotations

import logging
from typing import Final

logger: Final = logging.getLogger("simpleflow_lab")

RED: Final = "\033[91m"
GREEN: Final = "\033[92m"
YELLOW: Final = "\033[93m"
BLUE: Final = "\033[94m"
ORANGE: Final = "\033[38;5;214m"
END: Final = "\033[0m"

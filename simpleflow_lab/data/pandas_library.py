"""pandas, for the modules of ours that need it: imported whole, even if that is interrupted, and as in a cell.

pandas looks whether it is imported in a Jupyter kernel, and shows up to 20 columns there. It finds the kernel only
while a cell runs, and a live view may be the first that needs pandas, between two cells.
"""

from __future__ import annotations

import sys
from typing import Final

from simpleflow_lab.data.uninterrupted_imports import import_uninterrupted

_is_first = "pandas" not in sys.modules
import_uninterrupted("pandas")

import pandas as pd  # noqa: E402  it is here by now

_ipython = sys.modules.get("IPython")
if _is_first and _ipython is not None and hasattr(_ipython.get_ipython(), "kernel"):
    pd.set_option("display.max_columns", 20)

__all__: Final = ["pd"]

"""plotly, for the charts: with pandas before it where another thread could be importing pandas while a chart is drawn.

plotly takes pandas from `sys.modules` as it finds it there, and raises `AttributeError` for one that is imported half.
A live view draws charts in a thread of its own while the cells of a notebook import what they like. Where there is one
thread alone, as in a command of a shell, a chart needs no pandas.
"""

from __future__ import annotations

import threading
from typing import Final

if threading.active_count() > 1:
    import simpleflow_lab.data.pandas_library  # noqa: F401  plotly looks for it

import plotly.graph_objects as go

__all__: Final = ["go"]

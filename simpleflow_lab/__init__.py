"""Simpleflow Lab: a workbench for distributed dataflow on Amazon SWF.

    from simpleflow_lab import Lab, Workflow, activity, futures

    with Lab(":memory:") as lab:
        execution = lab.start(BasicWorkflow, 1, t=0)
        execution.result(timeout=30)

Importing it loads no boto3, pandas, plotly or ipywidgets, and configures no logging.
"""

from __future__ import annotations

from typing import Any

from simpleflow_lab import (
    activity,
    canvas,
    constants,
    exceptions,
    futures,
    log,
    marker,
    signal,
    swf,
    task,
    upstream,
    workflow,
)
from simpleflow_lab.activity import Activity
from simpleflow_lab.canvas import Chain, FuncGroup, Group
from simpleflow_lab.execution import Execution, RecordedExecution, open_history
from simpleflow_lab.futures import Future
from simpleflow_lab.lab import Lab
from simpleflow_lab.log import logger
from simpleflow_lab.replay.task_records import HistoryWithRecords as History
from simpleflow_lab.retry import Retry
from simpleflow_lab.signal import WaitForSignal
from simpleflow_lab.workflow import Workflow

upstream.install()

__version__ = "0.1.0"

__all__ = [
    "Activity",
    "Chain",
    "Execution",
    "FuncGroup",
    "Future",
    "Group",
    "History",
    "Lab",
    "RecordedExecution",
    "Retry",
    "WaitForSignal",
    "Workflow",
    "__version__",
    "activity",
    "canvas",
    "constants",
    "exceptions",
    "futures",
    "log",
    "logger",
    "marker",
    "open_history",
    "signal",
    "swf",
    "task",
    "workflow",
]


def load_ipython_extension(ipython: Any) -> None:
    """`%load_ext simpleflow_lab`."""
    from simpleflow_lab.notebook.extension import load  # noqa: PLC0415  IPython is there only in a notebook

    load(ipython)


def unload_ipython_extension(ipython: Any) -> None:
    """`%unload_ext simpleflow_lab`: leaves nothing behind."""
    from simpleflow_lab.notebook.extension import unload  # noqa: PLC0415  IPython is there only in a notebook

    unload(ipython)

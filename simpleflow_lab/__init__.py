"""Simpleflow Lab: a workbench for distributed dataflow on Amazon SWF.

    from simpleflow_lab import Lab, Workflow, activity, futures

    with Lab(":memory:") as lab:
        execution = lab.start(BasicWorkflow, 1, t=0)
        execution.result(timeout=30)

Importing it loads nothing else: each name is imported when it is asked for. It configures no logging.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

from simpleflow_lab import upstream

if TYPE_CHECKING:
    from simpleflow_lab import (
        activity,
        canvas,
        constants,
        exceptions,
        futures,
        log,
        marker,
        swf,
        task,
        workflow,
    )
    from simpleflow_lab import signal as signal
    from simpleflow_lab.activity import Activity
    from simpleflow_lab.canvas import Chain, FuncGroup, Group
    from simpleflow_lab.execution import Execution
    from simpleflow_lab.execution_sets import Executions, open_histories
    from simpleflow_lab.futures import Future
    from simpleflow_lab.lab import Lab
    from simpleflow_lab.log import logger
    from simpleflow_lab.recorded_execution import RecordedExecution, open_history
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
    "Executions",
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
    "open_histories",
    "open_history",
    "swf",
    "task",
    "workflow",
]

_DEFINED_IN: Final[Mapping[str, str]] = {
    "Activity": "activity.Activity",
    "Chain": "canvas.Chain",
    "Execution": "execution.Execution",
    "Executions": "execution_sets.Executions",
    "FuncGroup": "canvas.FuncGroup",
    "Future": "futures.Future",
    "Group": "canvas.Group",
    "History": "replay.task_records.HistoryWithRecords",
    "Lab": "lab.Lab",
    "RecordedExecution": "recorded_execution.RecordedExecution",
    "Retry": "retry.Retry",
    "WaitForSignal": "signal.WaitForSignal",
    "Workflow": "workflow.Workflow",
    "logger": "log.logger",
    "open_histories": "execution_sets.open_histories",
    "open_history": "recorded_execution.open_history",
}
"""The module and name of what the package gives beside its modules. Type checkers read the imports above."""


def __getattr__(name: str) -> Any:
    """A name of the package, or a module of it, imported when it is asked for the first time."""
    if name in _DEFINED_IN:
        module, _, original = _DEFINED_IN[name].rpartition(".")
        found = getattr(importlib.import_module(f"{__name__}.{module}"), original)
    else:
        found = None if name.startswith("_") else _module(f"{__name__}.{name}")
        if found is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = found
    return found


def _module(path: str) -> ModuleType | None:
    """A module of this package, imported; `None` if there is none. Whatever is wrong inside it is raised."""
    try:
        return importlib.import_module(path)
    except ModuleNotFoundError as error:
        if error.name == path:
            return None
        raise


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def load_ipython_extension(ipython: Any) -> None:
    """`%load_ext simpleflow_lab`."""
    from simpleflow_lab.notebook.extension import load  # noqa: PLC0415  IPython is there only in a notebook

    load(ipython)


def unload_ipython_extension(ipython: Any) -> None:
    """`%unload_ext simpleflow_lab`: leaves nothing behind."""
    from simpleflow_lab.notebook.extension import unload  # noqa: PLC0415  IPython is there only in a notebook

    unload(ipython)

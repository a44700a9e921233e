"""An execution from a history alone, as of a file. It can be viewed and replayed, and runs nothing."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

from simpleflow_lab.data.fields import Fields
from simpleflow_lab.exceptions import HistoryError, UsageError
from simpleflow_lab.replay.task_records import HistoryWithRecords
from simpleflow_lab.swf.history import History
from simpleflow_lab.views.history_fold import FoldedHistory, fold_history
from simpleflow_lab.views.history_views import Advised, HistoryViews

if TYPE_CHECKING:
    from simpleflow_lab import workflow
    from simpleflow_lab.debugger.quiet_failures import QuietFailures
    from simpleflow_lab.debugger.steps import ReplaySteps
    from simpleflow_lab.debugger.time_travel import Debugger
    from simpleflow_lab.debugger.what_if import WhatIf


_ONLY_IN_A_STORE: Final = frozenset(
    {
        *(
            "fork",
            "restart",
            "task",
            "result",
            "wait",
            "watch",
            "status",
            "progress",
            "describe",
            "logs",
            "follow_logs",
        ),
        *("signal", "request_cancel", "terminate", "retry_decision", "next_run", "latest_run", "metrology"),
    }
)
"""The names that an `Execution` has beside what a history gives."""


class NotInAStoreError(UsageError, AttributeError):
    """This is asked of an execution that runs, or ran, in a store, and not of a history alone."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name} needs the store in which the execution is, and this is a history alone: it can be viewed, "
            "replayed, debugged and asked what_if. One in a store is named by its workflow id"
        )


class RecordedExecution(HistoryViews):
    """A recorded execution: it can be viewed, and runs nothing."""

    def __init__(self, history: History, name: str = "", *, path: str | None = None) -> None:
        self._history = history if isinstance(history, HistoryWithRecords) else HistoryWithRecords(history)
        self._name = name
        self.path = path
        """The file that it was read from, as it was named; `None` if that is not known."""

    def __repr__(self) -> str:
        return f"<RecordedExecution {self._name}: {self._history!r}>"

    def __reduce__(self) -> tuple[type[RecordedExecution], tuple[History, str]]:
        """Pickled and copied as its history; the views are made again."""
        return RecordedExecution, (self._history, self._name)

    def history(self) -> HistoryWithRecords:
        """The events."""
        return self._history

    def replay(
        self, workflow: type[workflow.Workflow] | None = None, *, workflow_id: str = "", run_id: str = ""
    ) -> ReplaySteps:
        """The history replayed with this workflow class, as steps, one for each decision; see `debugger.steps`.

        Without a class it is the one that this process defines for the type of the history. `workflow_id` and `run_id`
        say of which execution it is: the ids of its children are made of them. A file that `simpleflow
        workflow.history -o raw` or `workflow.to_test` wrote has them, and one of the AWS CLI has not. Nothing is sent
        and no activity runs. Raises `UsageError`.
        """
        from simpleflow_lab.debugger.steps import ReplaySteps

        workflow_id, run_id = self.ids(workflow_id, run_id)
        return ReplaySteps(self._history, workflow, workflow_id=workflow_id, run_id=run_id)

    def quiet_failures(self, workflow: type[workflow.Workflow] | None = None) -> QuietFailures:
        """The failures in it that nobody reported, and the tasks, signals and results that nothing read; see
        `debugger.quiet_failures`. Raises `UsageError`."""
        with self.replay(workflow) as steps:
            return steps.quiet_failures()

    def debug(
        self,
        workflow: type[workflow.Workflow] | None = None,
        *,
        at: int | None = None,
        workflow_id: str = "",
        run_id: str = "",
    ) -> Debugger:
        """The debugger's view of its replay: it moves through the steps, forward and back; see `debugger.time_travel`.

        It stands at step `at`, by default where the execution failed, or waits. The other parameters are those of
        `replay`. Raises `UsageError`.
        """
        from simpleflow_lab.debugger.time_travel import Debugger

        return Debugger(lambda: self.replay(workflow, workflow_id=workflow_id, run_id=run_id), at=at)

    def what_if(
        self,
        workflow: type[workflow.Workflow] | None = None,
        *,
        workers: int | Mapping[str, int] | None = None,
        scale: float | Mapping[str, float] | None = None,
        without_retries: bool = False,
        workflow_id: str = "",
        run_id: str = "",
    ) -> WhatIf:
        """A simulation of how long it would have taken with other workers, other durations, or without the attempts
        that failed and were tried again; see `Execution.what_if`. `workflow`, `workflow_id` and `run_id` are those of
        `replay`.

        Raises `UsageError`, and `DecisionTooLongError` for a `run` that does not wait.
        """
        from simpleflow_lab.debugger.what_if import what_if

        workflow_id, run_id = self.ids(workflow_id, run_id)
        return what_if(
            self._history,
            domain="",
            workflow_id=workflow_id or "recorded",
            run_id=run_id,
            fields=Fields(),
            workflow=workflow,
            workers=workers,
            scale=scale,
            without_retries=without_retries,
        )

    def __getattr__(self, name: str) -> NoReturn:
        if name in _ONLY_IN_A_STORE:
            raise NotInAStoreError(name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}", name=name, obj=self)

    def ids(self, workflow_id: str = "", run_id: str = "") -> tuple[str, str]:
        """The ids of its execution: these or, if none is given, those that its file names, or empty ones."""
        from simpleflow_lab.debugger.recorded_test import execution_in

        if workflow_id or run_id or self.path is None:
            return workflow_id, run_id
        return execution_in(self.path)

    def _advising(self, lines: Iterable[Advised]) -> list[Advised]:
        from simpleflow_lab.views.recorded_advice import without_a_store

        return super()._advising(replace(each, to_do=without_a_store(each.to_do, _is_view)) for each in lines)

    def _folded(self) -> FoldedHistory:
        return self._folded_once

    @functools.cached_property
    def _folded_once(self) -> FoldedHistory:
        return fold_history(self._history)


def _is_view(name: str) -> bool:
    """Whether a history alone has this method."""
    return hasattr(RecordedExecution, name)


def open_history(path: str | Path) -> RecordedExecution:
    """An execution from a file: the output of `aws swf get-workflow-execution-history`, or of `History.to_json`.

    It gives the same tables and figures as one that runs here, and runs nothing. Raises `HistoryError` for a file that
    is not the whole history of one run, and `UsageError` for what is no name of a file.
    """
    if not isinstance(path, str | os.PathLike):
        raise UsageError(
            f"open_history takes the name of a file, not a {type(path).__name__}: "
            "execution.export('run.json'), or simpleflow workflow.history ID --output-file FILE, writes one"
        )
    if os.path.isdir(path):
        raise HistoryError(f"{path} is a folder: open_histories(…), or simpleflow open, opens the histories in it")
    opened = RecordedExecution(HistoryWithRecords.from_file(path), Path(path).name, path=str(path))
    try:
        opened._folded()
    except HistoryError as error:
        raise HistoryError(f"{path}: {error}") from None
    return opened

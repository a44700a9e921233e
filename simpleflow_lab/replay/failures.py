"""Failures of tasks that the author's code neither read nor raised."""

from __future__ import annotations

from simpleflow_lab.data.failure_details import message_of
from simpleflow_lab.futures import Future


class Failures:
    """The tasks of one run that failed for good."""

    def __init__(self) -> None:
        self._failed: list[Future] = []
        self.handled_by_hook = 0
        """Number of tasks that failed and got another outcome from the workflow's hook."""

    def count(self, future: Future) -> None:
        """Count this future, which is done, if it failed."""
        if future.peek_exception() is not None:
            self._failed.append(future)

    @property
    def total(self) -> int:
        """The number of tasks that failed for good, or would have without a hook."""
        return len(self._failed) + self.handled_by_hook

    def unhandled(self) -> list[str]:
        """Ids of the tasks whose errors nothing read or raised."""
        return [future.task_id for future in self._failed if future.unhandled_failure and future.task_id]

    def unhandled_texts(self) -> list[str]:
        """The failures that nothing read or raised, as `load-1: OSError: disk full`, oldest first."""
        texts = []
        for future in self._failed:
            error = future.peek_exception()
            if future.unhandled_failure and future.task_id and error is not None:
                text = message_of(error)
                texts.append(text if text.startswith(future.task_id) else f"{future.task_id}: {text}")
        return texts

    def unraised(self) -> BaseException | None:
        """The first error that reading a result would have raised, if nothing read it; it counts as handled then."""
        future = self.first_to_raise()
        if future is None:
            return None
        future.mark_handled()
        return future.peek_exception()

    def first_to_raise(self) -> Future | None:
        """The first that failed and that nothing read, if reading its result would raise; else the next such one."""
        return next((future for future in self._failed if future.raises and future.unhandled_failure), None)

    def begin_rerun(self) -> None:
        """The code is about to run from its start, and gets the failures anew."""
        self._failed.clear()

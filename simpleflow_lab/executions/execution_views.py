"""The views of an execution in a service: those of its history, and what it waits for, logs and reports now.

Rule: looking changes nothing, and what starts an execution shows none: views are imported by who looks.
"""

from __future__ import annotations

import datetime
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from simpleflow_lab.constants import MAX_REASON_LENGTH
from simpleflow_lab.exceptions import SilentServiceError, SimpleflowLabError, StorePausedError
from simpleflow_lab.executions.execution_reader import ExecutionReader
from simpleflow_lab.executions.task_progress import Progress, progress_of
from simpleflow_lab.executions.until_closed import error_of, patiently
from simpleflow_lab.replay.task_records import HistoryWithRecords
from simpleflow_lab.runtime.pool import WorkerPool
from simpleflow_lab.settings import default_domain
from simpleflow_lab.swf.event_types import CHILD
from simpleflow_lab.swf.fork_start import forked_from, words_of_fork
from simpleflow_lab.swf.history import HistoryEvent
from simpleflow_lab.views.advice_text import in_domain
from simpleflow_lab.views.formatting import shortened
from simpleflow_lab.views.history_views import Advised, HistoryViews
from simpleflow_lab.views.text_tables import visible

if TYPE_CHECKING:
    import pandas as pd

    from simpleflow_lab.views.attempts import Attempt
    from simpleflow_lab.views.continued_runs import RunsBefore
    from simpleflow_lab.views.execution_log import ExecutionLog
    from simpleflow_lab.views.explanation import Explanation
    from simpleflow_lab.views.history_fold import FoldedHistory, HistoryFold
    from simpleflow_lab.views.opened_child import OpenedChild
    from simpleflow_lab.views.waiting import Wait, Waits


class ExecutionViews(HistoryViews):
    """The views of an execution that a service holds: each shows it as it is now."""

    def __init__(self, pool: WorkerPool, workflow_id: str, run_id: str, *, domain: str | None = None) -> None:
        """`pool` is what this process does for its service; `domain` is another one than is served there."""
        self._pool = pool
        self._service = pool.context.service
        self._fields = pool.context.fields
        self.domain = domain or pool.context.domain
        self.workflow_id = workflow_id
        self.run_id = run_id
        self._reader = ExecutionReader(pool, workflow_id, run_id, domain=self.domain)
        self._before: RunsBefore | None = None
        """The runs from which it goes on, once they were read: they change no more."""

    def __repr__(self) -> str:
        folded, known = self._reader.folded_and_waiting()
        history = folded.history
        if history.close_status is None:
            from simpleflow_lab.executions.waits_below import waits_with
            from simpleflow_lab.views.waiting import phrase

            why = phrase(waits_with(self._reader, folded, known))
            why = f", waits for {why}" if why else ""
            if not history:  # nothing of it is on the disk yet
                return visible(f"<Execution {self.workflow_id}: OPEN{why}>")
        else:
            reason = history[-1].attributes.get("reason")
            why = f", {shortened(reason, MAX_REASON_LENGTH)}" if isinstance(reason, str) else ""
            unhandled = self._unhandled_before(reason if isinstance(reason, str) else None)
            why += f"; {shortened(unhandled, MAX_REASON_LENGTH)}" if unhandled else ""
        origin = forked_from(history[0].attributes)
        forked = "" if origin is None else f", {shortened(words_of_fork(origin, history), MAX_REASON_LENGTH)}"
        status = history.close_status or "OPEN"
        return visible(f"<Execution {self.workflow_id} of {history.workflow_type}: {status}{why}{forked}>")

    def history(self) -> HistoryWithRecords:
        """The events so far."""
        return self._reader.history()

    def _folded(self) -> FoldedHistory:
        return self._reader.folded()

    def now(self) -> datetime.datetime:
        """The time by which its service dates events: with `clock="virtual"` it is that of the virtual clock."""
        return self._reader.now()

    def changed_attempts(self, since: int) -> tuple[int, list[Attempt]]:
        """The number of events so far, and the attempts that are new or changed by those after the first `since`.

        For whoever follows it: each call costs what has changed, not the whole history.
        """

        def ask(fold: HistoryFold) -> tuple[int, list[Attempt]]:
            return fold.mark, fold.changed_since(since)

        return self._reader.of_fold(ask)

    def metrology(self, *, by: str = "step") -> pd.DataFrame:
        """The bytes and records that its activities read and wrote, as they noted it with `simpleflow_lab.metrology`.

        One row per step of each attempt; `by="activity"` sums them up, one row per activity and step. See
        `views.metrology_tables`. Raises `StoreError` if the notes can't be read, `UsageError` for another `by`.
        """
        from simpleflow_lab.metrology import records_of

        return self._metrology(records_of(self._pool.context.storage, self.workflow_id, self.run_id), by)

    def logs(
        self,
        *,
        task: str | None = None,
        source: str | None = None,
        text: str | None = None,
        tail: int | None = None,
    ) -> ExecutionLog:
        """The log of its code so far: what it printed and logged, in whichever process, with task, attempt, time and
        stream.

        Only records of a `task`: an activity's id, or the name of its type, or `""` for the workflow's own code; of a
        `source`: `stdout`, `stderr` or a level, as `WARNING`; those that contain a `text`; of these the last `tail`.

        The log is kept with the store for as long as the execution is, up to 10,000 records and 4 MiB: the oldest go.
        Amazon SWF has no place for it: there it is what ran in this process. Raises `UsageError`, `StoreError`.
        """
        from simpleflow_lab.executions.log_reading import read_log

        return read_log(self._reader, task=task, source=source, text=text, tail=tail)

    def follow_logs(
        self, *, task: str | None = None, source: str | None = None, text: str | None = None, tail: int | None = None
    ) -> Iterator[ExecutionLog]:
        """The records of `logs`, at once, and then, until the execution has closed, those that are added, as they
        come."""
        from simpleflow_lab.executions.log_reading import followed_log

        return followed_log(self._reader, task=task, source=source, text=text, tail=tail)

    @property
    def status(self) -> str:
        """OPEN, or SWF's close status: COMPLETED, FAILED, CANCELED, TERMINATED, CONTINUED_AS_NEW, TIMED_OUT."""
        try:
            info: Mapping[str, Any] = self.describe()["executionInfo"]
        except StorePausedError:  # what was read before
            return self.history().close_status or "OPEN"
        return str(info.get("closeStatus", "OPEN"))

    @property
    def decision_error(self) -> Exception | None:
        """Why no decision can be made for now, or `None`; in whichever process deciders tried, and on Amazon SWF in
        this one. It goes on when the cause is fixed."""
        errors = self._reader.reports()["decisionErrors"]
        own = [report for report in errors if report["execution"] == self._reader.ids]
        return error_of(self._reader, own[0]) if own else None

    @property
    def warnings(self) -> tuple[str, ...]:
        """Warnings for the author of its workflow: lines that read a clock, draw by chance or take long, values
        that JSON holds otherwise than Python does, SWF's limits that come near. On Amazon SWF it is what this process
        knows."""
        return tuple(dict.fromkeys((*self._pool.warnings(self.run_id), *self._reader.reports()["warnings"])))

    def _advising(self, lines: Iterable[Advised]) -> list[Advised]:
        if self.domain == default_domain():
            return super()._advising(lines)
        return super()._advising(replace(each, to_do=in_domain(each.to_do, self.domain)) for each in lines)

    def waiting_for(self) -> Waits:
        """The things that it waits for, and those that each of its children waits for; empty if it has closed.

        It displays itself as a table; each row is a `views.waiting.Wait`. Of at most 30 executions below it, at
        most 10 levels deep, their own waits are listed.
        """
        from simpleflow_lab.executions.waits_below import waits_down
        from simpleflow_lab.views.waiting import Waits

        return Waits(self._advising(waits_down(self._reader)), now=self.now())

    def explain(self) -> Explanation:
        """An explanation of it, in at most ten lines: its status and who gave it, what it waits for, what failed, where
        the time went, and how long the last runs of its workflow took. See `views.explanation`."""
        from simpleflow_lab.executions.typical_run import earlier_runs
        from simpleflow_lab.executions.waits_below import polling_of, waits_down
        from simpleflow_lab.views.explanation import Explanation, explain

        folded = self._folded()
        is_open = folded.history.close_status is None
        lines = explain(
            folded,
            workflow_id=self.workflow_id,
            waits=list(waits_down(self._reader)) if is_open else [],
            below=[] if is_open else self._unhandled_in_children(folded),
            earlier=earlier_runs(self._reader, folded),
            polling=polling_of(self._reader),
            before=self._runs_before(folded),
        )
        return Explanation(self._advising(lines))

    def waits_in_short(self) -> str:
        """The things that it waits for in a few words, as `signal go, 3 activities`; empty if it has closed.

        It is made of what SWF says of an execution without its history, and so costs the same however long that is.
        """
        from simpleflow_lab.views.history_waits import description_in_words

        description = self.describe()
        if "closeStatus" in description["executionInfo"]:
            return ""
        reports = self._reader.reports()
        blocked = reports["decisionErrors"]
        return description_in_words(
            description, blocked[0] if blocked else None, waits_for_room="storePaused" in reports
        )

    def _waits_of(self, folded: FoldedHistory) -> list[Wait]:
        from simpleflow_lab.executions.waits_below import waits_with

        return (
            [] if folded.history.close_status is not None else waits_with(self._reader, folded, self._reader.waiting())
        )

    def _runs_before(self, folded: FoldedHistory) -> RunsBefore | None:
        if self._before is None:
            from simpleflow_lab.executions.runs_before import runs_before

            self._before = runs_before(self._reader, folded)
        return self._before

    def _opened_children(self, folded: FoldedHistory) -> Mapping[int, OpenedChild]:
        from simpleflow_lab.executions.children_below import opened_children

        return opened_children(self._reader, folded)

    def unhandled_attempts(self) -> tuple[Sequence[Attempt], Sequence[tuple[str, Attempt]]]:
        """The failures of `unhandled_failures` once it has closed, as records: its own, and those in its children, each
        with the child's workflow id."""
        if not self._reader.of_events(have_failure_or_child):
            return (), ()  # as of most: nothing is folded for them
        folded = self._folded()
        return folded.unhandled, self._unhandled_in_children(folded)

    def _unhandled_in_children(self, folded: FoldedHistory) -> Sequence[tuple[str, Attempt]]:
        from simpleflow_lab.executions.children_below import unhandled_below

        return unhandled_below(self._reader, folded)

    def is_same_as(self, other: ExecutionViews) -> bool:
        """Whether the other is the same run of the same service."""
        mine, its = ((each._service, each.domain, each.run_id) for each in (self, other))
        return mine == its

    @property
    def lab_is_closed(self) -> bool:
        """Whether its Lab was closed: nothing more is learned of it here."""
        return self._pool.is_stopped

    def describe(self) -> Mapping[str, Any]:
        """SWF's description of it: boto3's `describe_workflow_execution`."""
        return self._reader.describe()

    def progress(self) -> Progress:
        """The numbers of its tasks that wait, run, completed and failed, and how far the activities are that run
        here."""
        return progress_of(self._reader)

    def _why_open(self) -> str:
        """The things that it waits for, in words: its service, if that does not answer."""
        from simpleflow_lab.executions.waits_below import waits_with
        from simpleflow_lab.views.waiting import phrase

        try:
            folded, known = patiently(self._reader, self._reader.folded_and_waiting, time.monotonic())
            return phrase(waits_with(self._reader, folded, known))
        except SilentServiceError as error:
            return str(error)

    def _unhandled_before(self, reason: str | None, details: str | None = None) -> str:
        """The failures that neither it nor its children handled, and that this reason and these details do not name, in
        words; nothing of what can't be read now."""
        from simpleflow_lab.views.outcome_lines import unhandled_before

        try:
            folded = self._folded()
            below = self._unhandled_in_children(folded)
        except SimpleflowLabError:  # how it closed is known, and is to be told
            return ""
        return unhandled_before(folded.unhandled, f"{reason or ''} {details or ''}", below)


def have_failure_or_child(events: Sequence[HistoryEvent]) -> bool:
    """Whether something ended otherwise than completed in these events, or may have in a child."""
    rows = (event.row for event in events)
    return any(row.entity == CHILD or (row.closes and row.state != "completed") for row in rows)

"""An execution as a trace that Chrome's `about:tracing` and https://ui.perfetto.dev open.

One process for each task list, one thread for each worker on it, or a lane where tasks of one worker ran side by side.
Decisions are a process of their own; so are timers, children and what was queued. It is Google's Trace Event Format.

Rule: texts are bounded, and JSON escapes them; the file is plain data.
"""

from __future__ import annotations

import datetime
import heapq
import json
from collections.abc import Iterator
from typing import Any

from simpleflow_lab.swf.event_types import CHILD, TIMER
from simpleflow_lab.swf.history import History
from simpleflow_lab.views.attempts import Attempt
from simpleflow_lab.views.formatting import HOVER_LIMIT, bounded, shortened
from simpleflow_lab.views.history_fold import FoldedHistory, fold_history

_DECISIONS, _QUEUED, _TIMERS, _CHILDREN = "decisions", "queued", "timers", "children"


def chrome_trace(history: History | FoldedHistory, *, until: datetime.datetime | None = None) -> str:
    """The JSON of the trace. What is open lasts up to `until`, by default the time of the last event.

    Times are microseconds since the start. Raises `HistoryError` if an event refers to nothing known.
    """
    folded = fold_history(history, until=until)
    return json.dumps({"displayTimeUnit": "ms", "traceEvents": list(_Trace(folded).events())}, indent=None)


class _Trace:
    def __init__(self, folded: FoldedHistory) -> None:
        self._folded = folded
        self._start = folded.history[0].timestamp if folded.history else folded.until
        self._processes: dict[str, int] = {}
        self._threads: dict[tuple[str, str], int] = {}
        self._busy: dict[tuple[str, str], list[tuple[float, int]]] = {}
        self._lanes: dict[tuple[str, str], int] = {}

    def events(self) -> Iterator[dict[str, Any]]:
        """The slices, then the names of processes and threads."""
        spans = sorted(self._spans(), key=lambda span: (span[3], span[4]))
        for process, thread, name, first, last, arguments in spans:
            pid, tid = self._place(process, thread, first, last)
            yield {
                "ph": "X", "name": name, "cat": process, "pid": pid, "tid": tid,
                "ts": first, "dur": max(last - first, 0), "args": arguments,
            }  # fmt: skip
        for point in self._folded.point_events:
            yield {
                "ph": "i", "s": "p", "name": shortened(point.name), "cat": point.kind, "ts": self._us(point.at),
                "pid": self._process(_DECISIONS), "tid": 1, "args": {"state": point.state},
            }  # fmt: skip
        for process, pid in self._processes.items():
            yield {"ph": "M", "name": "process_name", "pid": pid, "tid": 0, "args": {"name": process}}
            yield {"ph": "M", "name": "process_sort_index", "pid": pid, "tid": 0, "args": {"sort_index": pid}}
        for (process, thread), tid in self._threads.items():
            pid = self._processes[process]
            yield {"ph": "M", "name": "thread_name", "pid": pid, "tid": tid, "args": {"name": thread}}

    def _spans(self) -> Iterator[tuple[str, str, str, int, int, dict[str, Any]]]:
        end = self._folded.until
        for task in self._folded.decision_tasks:
            at = task.started or task.scheduled
            arguments = {"state": task.state, "decisions": task.decisions, "new events": task.new_events}
            yield (
                *(_DECISIONS, "deciding" if task.started else "queued", "decision"),
                *(self._us(at), self._us(task.closed or end), arguments),
            )
        for attempt in self._folded.tasks:
            name, details = shortened(attempt.name), self._arguments(attempt)
            closed = self._us(attempt.closed or end)
            if attempt.kind in (TIMER, CHILD):
                process = _TIMERS if attempt.kind == TIMER else _CHILDREN
                yield process, process, shortened(attempt.id), self._us(attempt.scheduled), closed, details
                continue
            begun = closed if attempt.started is None else self._us(attempt.started)
            scheduled = self._us(attempt.scheduled)
            if begun > scheduled:
                yield _QUEUED, shortened(attempt.task_list or attempt.kind), name, scheduled, begun, details
            if attempt.started is not None:
                list_ = shortened(attempt.task_list or attempt.kind)
                yield f"task list {list_}", shortened(attempt.worker or "worker"), name, begun, closed, details

    def _arguments(self, attempt: Attempt) -> dict[str, Any]:
        values = {
            "id": shortened(attempt.id),
            "state": attempt.state,
            "attempt": attempt.attempt,
            "line": None if attempt.line is None else shortened(attempt.line),
            "input": None if attempt.input is None else bounded(attempt.input, HOVER_LIMIT),
            "result": None if attempt.result is None else bounded(attempt.result, HOVER_LIMIT),
            "reason": None if attempt.reason is None else bounded(attempt.reason, HOVER_LIMIT),
        }
        return {key: value for key, value in values.items() if value is not None}

    def _us(self, when: datetime.datetime) -> int:
        return max((when - self._start) // datetime.timedelta(microseconds=1), 0)

    def _process(self, process: str) -> int:
        return self._processes.setdefault(process, len(self._processes) + 1)

    def _place(self, process: str, thread: str, first: float, last: float) -> tuple[int, int]:
        """The process and the thread of a slice: slices of one thread must not lie across each other."""
        key = process, thread
        busy = self._busy.setdefault(key, [])
        if busy and busy[0][0] <= first:
            lane = heapq.heappop(busy)[1]
        else:
            lane = self._lanes[key] = self._lanes.get(key, 0) + 1
        heapq.heappush(busy, (max(last, first + 1), lane))
        named = thread if lane == 1 else f"{thread} ({lane})"
        return self._process(process), self._threads.setdefault((process, named), len(self._threads) + 1)

"""A replay that gives the records of decisions as far as they are asked for, in a thread of its own.

The records come from one replay, which stops where nobody asks further. Values of local variables are more than is kept
of each decision: they come from a further replay up to the decision that is asked for, and are kept for the decisions
of a window around it, so that the next step, forward or back, has them.

*Rule:* every replay of a walk lives in its one thread. Any thread may ask; what is given is plain.
"""

from __future__ import annotations

import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, ParamSpec, TypeVar

from simpleflow_lab.debugger.kept_values import kept
from simpleflow_lab.replay.lines import Line
from simpleflow_lab.replay.replay_thread import ReplayThread
from simpleflow_lab.replay.trace import DecisionRecord, FutureUse, watch
from simpleflow_lab.runtime.captured_output import ensure_streams
from simpleflow_lab.swf.history import History
from simpleflow_lab.workflow import Workflow

WINDOW: Final = 64
"""Of how many decisions beside each other the values of local variables are kept at once."""
MAX_WINDOWS: Final = 4
"""How many windows are kept: those that were asked for last."""

_P = ParamSpec("_P")
_T = TypeVar("_T")


class Walk:
    """The decisions of one history, replayed with one workflow."""

    def __init__(self, workflow: type[Workflow], history: History, options: Mapping[str, Any]):
        """`options` are those of `replay.trace.watch`."""
        self._replays = _Replays(workflow, history, options)
        self._thread: ReplayThread | None = None
        self._starting = threading.Lock()
        self._closed = False

    @property
    def records(self) -> list[DecisionRecord]:
        """The records so far, the first decision's first. They only grow."""
        return self._replays.records

    def reach(self, number: int | None) -> bool:
        """Replay up to this decision, or to the end; whether it is there. Raises `HistoryError` as `watch` does."""
        if number is not None and number <= len(self.records):
            return True
        if not self._replays.is_at_end:
            self._call(self._replays.reach, number)
        return number is None or number <= len(self.records)

    def detailed(self, number: int) -> DecisionRecord | None:
        """The record of this decision with the values of local variables; `None` if the code, which is not
        deterministic, does not come to it once more."""
        found = self._replays.known(number)
        return found if found is not None else self._call(self._replays.detailed, number)

    def has_details(self, number: int) -> bool:
        """Whether the record of this decision with the values of local variables is there."""
        return self._replays.known(number) is not None

    def lines_of(self, number: int) -> Sequence[Line]:
        """The lines that ran in this decision, for who asks of many in a row: each costs its own part of a replay."""
        return self._call(self._replays.lines_of, number)

    def uses(self) -> Sequence[FutureUse]:
        """What the code has done with each future at the end of the replay: another whole one, the first time."""
        return self._call(self._replays.uses)

    def close(self) -> None:
        """End the replays, with their fibers, and the thread. What was recorded may still be read."""
        with self._starting:
            is_first, self._closed = not self._closed, True
            thread = self._thread
        if thread is not None and is_first:
            self._finalizer.detach()
            thread.close(last=self._replays.close)

    def _call(self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        with self._starting:
            if self._thread is None:
                thread = ReplayThread("replay steps")
                if self._closed:
                    thread.close()
                else:
                    self._finalizer = weakref.finalize(self, thread.close, 0, last=self._replays.close)
                    self._finalizer.atexit = False  # its thread is a daemon
                self._thread = thread
            thread = self._thread
        return thread.call(function, *args, **kwargs)


class _Replays:
    """What lives in the thread of a walk."""

    def __init__(self, workflow: type[Workflow], history: History, options: Mapping[str, Any]):
        self._workflow = workflow
        self._history = history
        self._options = options
        self.records: list[DecisionRecord] = []
        self.is_at_end = False
        self._watching: Iterator[DecisionRecord] | None = None
        self._tracing: Iterator[DecisionRecord] | None = None
        self._uses: Sequence[FutureUse] | None = None
        self._lines: list[Sequence[Line]] = []
        self._windows: OrderedDict[int, list[DecisionRecord]] = OrderedDict()
        self._next_window: Iterator[DecisionRecord] | None = None
        """The replay of the latest window, which can go on with the one behind it."""
        self._next_first = 0
        """The number of the first decision of that one."""

    def _watch(self, **options: Any) -> Iterator[DecisionRecord]:
        ensure_streams()
        return watch(self._workflow, self._history, dry=True, on_divergence="collect", **{**self._options, **options})

    def reach(self, number: int | None) -> None:
        if self._watching is None and not self.is_at_end:
            self._watching = self._watch(stacks_from=len(self._history) + 1)
        while self._watching is not None and (number is None or len(self.records) < number):
            record = next(self._watching, None)
            if record is None:
                self.is_at_end, self._watching = True, None
            else:
                self.records.append(record)

    def known(self, number: int) -> DecisionRecord | None:
        window = self._windows.get((number - 1) // WINDOW)
        place = (number - 1) % WINDOW
        return window[place] if window is not None and place < len(window) else None

    def detailed(self, number: int) -> DecisionRecord | None:
        which = (number - 1) // WINDOW
        window = self._windows.pop(which, None)
        if window is None:
            window = self._new_window(which * WINDOW + 1)
        self._windows[which] = window
        while len(self._windows) > MAX_WINDOWS:
            self._windows.popitem(last=False)
        return self.known(number)

    def _new_window(self, first: int) -> list[DecisionRecord]:
        self.reach(first)
        watching = self._next_window
        if watching is None or self._next_first != first:
            if watching is not None:
                watching.close()  # type: ignore[attr-defined]
            started = self.records[first - 1].started_event_id
            watching = self._watch(stacks_from=started, keep=kept, lines_from=started)
        self._next_window, self._next_first = watching, first + WINDOW
        window: list[DecisionRecord] = []
        for record in watching:
            if record.number >= first:
                window.append(record)
            if len(window) == WINDOW:
                break
        return window

    def lines_of(self, number: int) -> Sequence[Line]:
        """The lines of this decision, replayed as far as they are asked for; none if it is not reached."""
        if self._tracing is None:
            self._tracing = self._watch(stacks_from=len(self._history) + 1, lines_from=1)
        while len(self._lines) < number:
            record = next(self._tracing, None)
            if record is None:
                return ()
            self._lines.append(record.lines or ())
        return self._lines[number - 1]

    def uses(self) -> Sequence[FutureUse]:
        if self._uses is None:
            found: list[Sequence[FutureUse]] = []
            for _ in self._watch(stacks_from=len(self._history) + 1, at_end=found.append):
                pass
            self._uses = found[0]
        return self._uses

    def close(self) -> None:
        for watching in (self._watching, self._tracing, self._next_window):
            if watching is not None:
                watching.close()  # type: ignore[attr-defined]
        self._watching = self._tracing = self._next_window = None

"""A replay that gives the records of decisions as far as they are asked for, in a thread of its own.

The records come from one replay, which stops where nobody asks further. Values of local variables are too many to be
stored of each decision: they come from a further replay up to the decision that is asked for, and are cached for the
decisions of a window around it, so that the next step, forward or back, has them.

Rule: every replay of a walk lives in its one thread. Any thread may ask; what is given is plain, and of one code:
once that is edited, there is only what was made before. Code that runs in a decision for longer than
`SIMPLEFLOW_LAB_STEP_SECONDS` is interrupted, and so is what nobody waits for any more: who asks next begins a replay
anew.
"""

from __future__ import annotations

import contextlib
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, ParamSpec, TypeVar

from simpleflow_lab.debugger.checking import CodeNow
from simpleflow_lab.debugger.value_snapshots import Snapshots
from simpleflow_lab.exceptions import DecisionTooLongError, UsageError
from simpleflow_lab.replay.lines import Line
from simpleflow_lab.replay.muted_output import watched_output
from simpleflow_lab.replay.replay_thread import ReplayClosedError, ReplayThread
from simpleflow_lab.replay.trace import DecisionRecord, FutureUse, open_decision, watch
from simpleflow_lab.runtime.captured_output import ensure_streams
from simpleflow_lab.runtime.decision_limit import DecisionLimit
from simpleflow_lab.swf.history import History
from simpleflow_lab.views.uncollected import seldom_collected
from simpleflow_lab.workflow import Workflow

WINDOW: Final = 64
"""Number of decisions beside each other of which the values of local variables are cached at once."""
AHEAD: Final = 16
"""Number of decisions before the end of a window from which on the next one is made meanwhile."""
MAX_TRACED: Final = 2_000
"""The most events and commands of a window whose lines are noted with its values."""
MIN_WINDOWS: Final = 6
"""Number of windows that are cached, of whatever size: those that were made last."""
MAX_CACHED: Final = 1_000_000
"""The most values and lines that more windows than these may have together."""
MAX_PREPARED: Final = 2_000
"""The most decisions of which all windows are made as soon as one is asked for: any step is then there at once."""
MAX_THREADS: Final = 8
"""The most walks that have a replay, with its thread, at a time: those that were asked last. The others begin one
anew."""

_P = ParamSpec("_P")
_T = TypeVar("_T")

_replaying: Final[OrderedDict[int, weakref.ref[Walk]]] = OrderedDict()
"""The walks that have a thread, by identity, the one that was asked last at the end."""
_replaying_lock: Final = threading.Lock()


class Walk:
    """The decisions of one history, replayed with one workflow."""

    def __init__(self, workflow: type[Workflow], history: History, options: Mapping[str, Any]) -> None:
        """`options` are those of `replay.trace.watch`."""
        self._replays = _Replays(workflow, history, options)
        self._module = workflow.__module__
        self._too_long: DecisionTooLongError | None = None
        """The code did not come to the end of the next decision in time."""
        self._thread: ReplayThread | None = None
        self._asking = -1
        """Number of callers; -1 before the first: who says stop then means that one."""
        self._is_stopped = False
        self._resting: ReplayThread | None = None
        """The thread that it had, which may not have ended yet."""
        self._starting = threading.Lock()
        self._closed = False
        self._prepared: set[tuple[int, bool]] = set()
        self._is_all_prepared = False
        self._is_onwards = False

    @contextlib.contextmanager
    def only_onwards(self) -> Iterator[None]:
        """Within it, who asks for values goes onwards: no window before the one that is asked for is made meanwhile."""
        self._is_onwards = True
        try:
            yield
        finally:
            self._is_onwards = False

    @property
    def records(self) -> list[DecisionRecord]:
        """The records so far, the first decision's first. They only grow."""
        return self._replays.records

    @property
    def code(self) -> CodeNow:
        """The code that is replayed."""
        return self._replays.code

    def reach(self, number: int | None, *, with_last: bool = False) -> bool:
        """Replay up to this decision, or to the end; whether it is there. `with_last` has the values of the last
        decisions ready then, if nothing is replayed yet. Raises `HistoryError` as `watch` does, and
        `DecisionTooLongError` where the code had to be interrupted."""
        if number is not None and number <= len(self.records):
            return True
        if self._too_long is not None:
            raise DecisionTooLongError(self._too_long.seconds, self._too_long.line)
        if not self._replays.is_at_end:
            try:
                self._call(self._replays.reach, number, with_last=with_last)
            except DecisionTooLongError as error:
                self._let_be(error)
                raise
        return number is None or number <= len(self.records)

    def detailed(self, number: int, *, lines: bool = False) -> DecisionRecord | None:
        """The record of this decision with the values of local variables, or with the `lines` that ran; `None` if the
        code, which is not deterministic, does not come to it once more."""
        found = self._replays.known(number, lines=lines)
        if found is None:
            try:
                found = self._call(self._replays.detailed, number, lines=lines)
            except DecisionTooLongError as error:
                if self._too_long is not None:
                    raise
                self._let_be(error)  # a window reaches further than what was asked for
                found = self._call(self._replays.detailed, number, lines=lines)
        place = (number - 1) % WINDOW
        if place < AHEAD and number > WINDOW and not self._is_onwards:
            self._prepare(number - place - 1, lines=lines)
        elif place >= WINDOW - AHEAD:
            self._prepare(number - place + WINDOW, lines=lines)
        if not self._is_all_prepared and self._replays.is_at_end and WINDOW < len(self.records) <= MAX_PREPARED:
            self._is_all_prepared = True
            self._prepare_all(lines=lines)
        return found

    def stop(self) -> None:
        """Let those who wait for it give up, or who are about to wait first: they get a `UsageError`."""
        self._is_stopped = self._asking != 0
        thread = self._thread
        if thread is not None:
            thread.stop()

    def _let_be(self, error: DecisionTooLongError) -> None:
        """No replay goes beyond the decisions that are there."""
        self._too_long, self._replays.most = error, len(self.records)

    def _prepare(self, number: int, *, lines: bool) -> None:
        """Have the window of this decision made meanwhile, if it is there and was not asked for before."""
        key = (number - 1) // WINDOW, lines
        thread = self._thread
        if key in self._prepared or number > len(self.records) or thread is None or self._closed:
            return
        if number + WINDOW - 1 > len(self.records) and not self._replays.is_at_end:
            return  # nobody would wait for code that never comes to the end of it
        self._prepared.add(key)
        replays = self._replays
        thread.soon(lambda: replays.detailed(number, lines=lines))

    def _prepare_all(self, *, lines: bool) -> None:
        """Have all windows made meanwhile, one behind the other; who asks waits for one of them at most."""
        thread, replays = self._thread, self._replays
        if thread is None or self._is_onwards:
            return

        def make(first: int) -> None:
            replays.detailed(first, lines=lines)
            if first + WINDOW <= len(replays.records):
                thread.soon(lambda: make(first + WINDOW))

        thread.soon(lambda: make(1))

    def has_details(self, number: int) -> bool:
        """Whether this decision's values of local variables and its lines are there."""
        return all(self._replays.known(number, lines=lines) is not None for lines in (False, True))

    def lines_of(self, number: int) -> Sequence[Line]:
        """The lines that ran in this decision, for who asks of many in a row: each costs its own part of a replay."""
        return self._call(self._replays.lines_of, number)

    def uses(self) -> tuple[Sequence[FutureUse], DecisionRecord | None]:
        """The use that the code has made of each future at the end of the replay, and the last record. The first call
        takes another whole replay."""
        return self._call(self._replays.uses)

    def close(self) -> None:
        """End the replays, with their fibers, and the thread. What was recorded may still be read."""
        with self._starting:
            is_first, self._closed = not self._closed, True
            thread = self._thread
        if thread is not None and is_first:
            self._finalizer.detach()
            thread.close()

    def _call(self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        with self._starting:
            self._asking = max(self._asking, 0) + 1
        try:
            while True:
                thread = self._open_thread()
                try:
                    return thread.call_watched(self._limit(thread), function, *args, **kwargs)
                except ReplayClosedError:
                    if self._closed:
                        raise  # else another walk needed its place in between
        finally:
            with self._starting:
                self._asking -= 1
                self._is_stopped = self._is_stopped and self._asking > 0

    def _open_thread(self) -> ReplayThread:
        """Its thread, begun anew if it rests. Raises `ReplayClosedError`."""
        with self._starting:
            thread = self._thread
            if self._closed and thread is None:
                raise ReplayClosedError("this replay is closed: make a new one")
            if thread is None:
                if self._resting is not None:
                    self._resting.close()  # what lives in it has ended before the next one begins
                    self._resting = None
                thread = self._thread = ReplayThread("replay steps", last=self._replays.close)
                self._finalizer = weakref.finalize(self, thread.close, 0)
                self._finalizer.atexit = False  # a replay thread sees to that
        with _replaying_lock:
            _replaying.pop(id(self), None)
            _replaying[id(self)] = weakref.ref(self)
            for key in [key for key, of in _replaying.items() if of() is None]:
                del _replaying[key]
            oldest = _replaying.popitem(last=False)[1]() if len(_replaying) > MAX_THREADS else None
        if oldest is not None:
            oldest._rest()
        return thread

    def _rest(self) -> None:
        """Let the replay and its thread go; what was recorded stays."""
        with self._starting:
            thread, self._thread = self._thread, None
            if thread is None or self._closed:
                self._thread = thread
                return
            self._resting = thread
            self._prepared.clear()
            self._finalizer.detach()
            thread.close(0)

    def _limit(self, thread: ReplayThread) -> Callable[[], None]:
        """Called now and then by who waits; raises `DecisionTooLongError`."""
        limit = DecisionLimit(lambda: self._replays.progress)

        def check() -> None:
            if self._is_stopped:
                raise UsageError("stopped before it came to an end")
            limit.check(lambda: thread.line(self._module))

        return check


def _drop(text: str) -> None:
    """Nobody gets it: what a decision prints, its record has."""


class _Going(NamedTuple):
    """A replay that makes windows, one behind the other."""

    first: int
    """The first decision of the window that it makes next."""
    values: bool
    lines: bool
    snapshots: Snapshots
    watching: Iterator[DecisionRecord]


class _LastWindow:
    """The records of the last window with values and lines, as the replay makes them that comes to it."""

    def __init__(self, which: int, started_event_id: int) -> None:
        self.which = which
        self.records: list[DecisionRecord] = []
        self.size = 0
        snapshots = Snapshots()

        def take(record: DecisionRecord) -> None:
            self.records.append(record)
            self.size += snapshots.begin() + len(record.lines or ())

        self.options: Mapping[str, Any] = {
            "stacks_from": started_event_id,
            "lines_from": started_event_id,
            "snapshot": snapshots.take,
            "on_detail": take,
        }

    def is_whole(self, records: Sequence[DecisionRecord]) -> bool:
        """These are of the decisions from its first to the last one, each once."""
        first = self.which * WINDOW
        return [each.number for each in self.records] == [each.number for each in records[first:]]


def _last_window(history: History) -> _LastWindow | None:
    """The last window of this history, if its details are had soon; `None` if there is none."""
    started = [event.attributes["startedEventId"] for event in history if event.type == "DecisionTaskCompleted"]
    is_open = open_decision(history)
    if is_open is not None:
        started.append(is_open)
    which = (len(started) - 1) // WINDOW
    if not started or len(history) - started[which * WINDOW] > MAX_TRACED:
        return None
    return _LastWindow(which, started[which * WINDOW])


class _Replays:
    """The replays that live in the thread of a walk."""

    def __init__(self, workflow: type[Workflow], history: History, options: Mapping[str, Any]) -> None:
        self._workflow = workflow
        self._history = history
        self._options = options
        self.code = CodeNow(workflow)
        """The code that is replayed."""
        self.records: list[DecisionRecord] = []
        self.is_at_end = False
        self.progress = 0
        """Grows with each decision of each replay."""
        self.most: int | None = None
        """Number of decisions that can be had, if the one behind them takes too long."""
        self._watching: Iterator[DecisionRecord] | None = None
        self._tracing: Iterator[DecisionRecord] | None = None
        self._uses: tuple[Sequence[FutureUse], DecisionRecord | None] | None = None
        self._lines: list[Sequence[Line]] = []
        self._windows: OrderedDict[tuple[int, bool], list[DecisionRecord]] = OrderedDict()
        """By its number, and whether it has lines alone."""
        self._sizes: dict[tuple[int, bool], int] = {}
        """The size of each window."""
        self._next_window: _Going | None = None
        """The replay of the latest window, which can go on with the one behind it."""

    def _watch(self, **options: Any) -> Iterator[DecisionRecord]:
        ensure_streams()
        self._check_code()
        records = watch(
            self._workflow, self._history, dry=True, on_divergence="collect", **{**self._options, **options}
        )
        with contextlib.closing(records):  # type: ignore[type-var]
            for record in records:
                self.progress += 1
                self._check_code(has_run=True)
                yield record

    def _check_code(self, *, has_run: bool = False) -> None:
        """Raise `UsageError` if the code, or what it uses, is no longer that of the first record; but for what it may
        have set itself, if it has run since the last time. Whoever goes on with a replay asks before."""
        edits = self.code.edits_after_it_ran() if has_run else self.code.edits()
        if edits:
            raise UsageError(
                f"{', '.join(edits)} was edited since these steps were made: replay() again, "
                "or reload() of a debugger, has steps of the code of now"
            )

    def reach(self, number: int | None, *, with_last: bool = False) -> None:
        """Make the records up to this decision, or up to the end; `with_last` the last window's with the details."""
        if self.most is not None:
            number = self.most if number is None else min(number, self.most)
        last: _LastWindow | None = None
        if self._watching is None and not self.is_at_end:
            last = _last_window(self._history) if with_last and number is None and not self.records else None
            self._watching = self._watch(**({"stacks_from": len(self._history) + 1} if last is None else last.options))
        # Muted here, what each decision mutes again costs little.
        with watched_output(_drop), seldom_collected():
            try:
                if self._watching is not None and (number is None or len(self.records) < number):
                    self._check_code()
                while self._watching is not None and (number is None or len(self.records) < number):
                    record = next(self._watching, None)
                    if record is None:
                        self.is_at_end, self._watching = True, None
                    elif record.number > len(self.records):
                        self.records.append(record)
                if last is not None and last.is_whole(self.records):
                    self._windows[last.which, False], self._sizes[last.which, False] = last.records, last.size
            except BaseException:  # an interrupt too: see below
                self._watching = None  # interrupted, it has ended: who asks again begins one anew
                raise

    def known(self, number: int, *, lines: bool) -> DecisionRecord | None:
        which, place = divmod(number - 1, WINDOW)
        for key in ((which, True), (which, False)):
            window = self._windows.get(key)
            if window is not None and place < len(window):
                found = window[place]
                if (lines and found.lines is not None) or (not lines and key == (which, False)):
                    return found
        return None

    def detailed(self, number: int, *, lines: bool) -> DecisionRecord | None:
        """The record of a decision with the values of variables, or with `lines` with its lines."""
        found = self.known(number, lines=lines)
        if found is not None:
            return found
        which = (number - 1) // WINDOW
        first = which * WINDOW + 1
        self.reach(first + WINDOW - 1)
        size = sum(len(each.events) + len(each.commands) for each in self.records[first - 1 : first - 1 + WINDOW])
        # Of decisions that are soon made both are had at once; tracing long ones takes several times as long.
        both = size <= MAX_TRACED
        window, size = self._new_window(first, values=both or not lines, lines=both or lines)
        self._windows[which, lines and not both], self._sizes[which, lines and not both] = window, size
        while len(self._windows) > MIN_WINDOWS and sum(self._sizes.values()) > MAX_CACHED:
            key, _ = self._windows.popitem(last=False)
            del self._sizes[key]
        return self.known(number, lines=lines)

    def _new_window(self, first: int, *, values: bool, lines: bool) -> tuple[list[DecisionRecord], int]:
        """The records of a window, and its size."""
        going, self._next_window = self._next_window, None
        if going is None or (going.first, going.values, going.lines) != (first, values, lines):
            if going is not None:
                going.watching.close()  # type: ignore[attr-defined]
            going = self._begin_window(first, values=values, lines=lines)
        else:
            self._check_code()
        window: list[DecisionRecord] = []
        size = 0
        with watched_output(_drop), seldom_collected():
            for record in going.watching:
                size += going.snapshots.begin() + len(record.lines or ())
                if record.number >= first:
                    window.append(record)
                if len(window) == WINDOW or record.number == self.most:
                    break
        if self.most is None:
            self._next_window = going._replace(first=first + WINDOW)
        else:
            going.watching.close()  # type: ignore[attr-defined]
        return window, size

    def _begin_window(self, first: int, *, values: bool, lines: bool) -> _Going:
        started = self.records[first - 1].started_event_id
        snapshots = Snapshots()
        watching = self._watch(
            stacks_from=started if values else len(self._history) + 1,
            snapshot=snapshots.take if values else None,
            lines_from=started if lines else None,
        )
        return _Going(first, values, lines, snapshots, watching)

    def lines_of(self, number: int) -> Sequence[Line]:
        """The lines of this decision, replayed as far as they are asked for; none if it is not reached."""
        if self._tracing is None:
            self._tracing = self._watch(stacks_from=len(self._history) + 1, lines_from=1)
        try:
            if len(self._lines) < number:
                self._check_code()
            while len(self._lines) < number:
                record = next(self._tracing, None)
                if record is None:
                    return ()
                if record.number > len(self._lines):
                    self._lines.append(record.lines or ())
        except BaseException:  # an interrupt too: as above
            self._tracing = None
            raise
        return self._lines[number - 1]

    def uses(self) -> tuple[Sequence[FutureUse], DecisionRecord | None]:
        if self._uses is None:
            found: list[Sequence[FutureUse]] = []
            last: DecisionRecord | None = None
            for last in self._watch(stacks_from=len(self._history) + 1, at_end=found.append):  # noqa: B007
                pass
            self._uses = found[0], last
        return self._uses

    def close(self) -> None:
        going = self._next_window
        for watching in (self._watching, self._tracing, None if going is None else going.watching):
            if watching is not None:
                watching.close()  # type: ignore[attr-defined]
        self._watching = self._tracing = self._next_window = None  # who asks again begins anew

"""Captures what the code of executions prints and logs: it goes to their place and to their logs.

A context variable says which task the running code belongs to. While a Lab serves, `sys.stdout` and `sys.stderr` are
replaced by streams that ask it for each text: what a task writes goes where its execution's output goes, and is added
to its log; any other text goes on as ever. So do records of `logging`: they are added to the log, and handlers show
them as they would without us. Threads and the jobs of thread pools belong to the task that started them.

What an execution prints that another process started has no cell here: in a notebook it goes to the log alone,
elsewhere to the process's own streams, too.

Rule: each text is in the log once: not again what a handler writes for a record that is there already, and nothing
that replayed code repeats. What is replaced is put back when no Lab serves any more; whatever else has been put on top
of it meanwhile stays, and finds streams that only pass on.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import contextvars
import copy
import logging
import os
import sys
import threading
from collections.abc import Callable, Iterable
from types import FrameType
from typing import Any, Final

from simpleflow_lab.log import replaying_threads
from simpleflow_lab.replay import breakpoints
from simpleflow_lab.replay.lines import line_of, line_text
from simpleflow_lab.replay.muted_output import Gate, keep
from simpleflow_lab.replay.output_commit import before_output
from simpleflow_lab.runtime.log_writer import LoggedExecution, LogWriter
from simpleflow_lab.runtime.output_contexts import OutputContexts

Forward = Callable[[str, str, str], None]
"""Called in a forked activity with `log` or `show`, the source, and the text."""

_STREAMS: Final = ("stdout", "stderr")
_LONGEST_BEGUN: Final = 8192
"""Characters of a line that is not whole, from which on it is written in parts."""
_MESSAGE: Final = logging.Formatter("%(message)s")


class TaskOutput:
    """The destination of one task's output: of an activity's attempt, or of the workflow's own code."""

    __slots__ = ("_contexts", "_execution", "_generation", "_log", "_started_event_id", "_task")

    def __init__(
        self,
        contexts: OutputContexts,
        log: LogWriter,
        execution: LoggedExecution,
        *,
        task: str | None = None,
        started_event_id: int | None = None,
    ) -> None:
        """`task` and `started_event_id` are those of an activity's attempt."""
        self._contexts, self._log, self._execution = contexts, log, execution
        self._task, self._started_event_id = task, started_event_id
        self._generation = _generation

    def context(self) -> contextvars.Context:
        """A new context for the code of this task."""
        place = self.place
        context = contextvars.Context() if place is None else place
        context.run(_current.set, self)
        return context

    def end(self) -> None:
        """The code has ended, or is suspended: a line that it began is ended too, and its lines are in the log."""
        _write_begun_lines(self)
        self._log.task_ended(self._execution, self._task, self._started_event_id)

    def add(self, source: str, text: str) -> None:
        """Add a record to the log."""
        self._log.add(self._execution, self._task, self._started_event_id, source, text)

    def capture(self, source: str, text: str) -> None:
        """Add what was written to a stream to the log."""
        self._log.write(self._execution, self._task, self._started_event_id, source, text)

    def write(self, name: str, text: str) -> None:
        """Write a text to a stream of `sys` as the task's own code does."""
        self.context().run(getattr(sys, name).write, text)

    def show(self, stream: Any, text: str) -> None:
        """Write a text where the execution's output goes now, and not into its log.

        It may have been resumed in another cell since the task began.
        """
        place = self.place
        before, _state.passing_on = _state.passing_on, True
        try:
            if place is not None:
                place.run(stream.write, text)
            elif not shows_in_cells(stream):
                stream.write(text)
        finally:
            _state.passing_on = before

    @property
    def place(self) -> contextvars.Context | None:
        """A context that says where the execution's output goes now; `None` if another process started it."""
        found = self._contexts.get(self._execution.domain, self._execution.workflow_id)
        return None if found is None else found.copy()

    @property
    def is_of_workflow(self) -> bool:
        """It is the workflow's own code."""
        return self._task is None

    @property
    def is_here(self) -> bool:
        """Whether the task began in this process, and not in one that it was forked from."""
        return self._generation == _generation


def current_task() -> TaskOutput | None:
    """The task whose code runs; `None` if it is no task's."""
    return _current.get()


_current: Final[contextvars.ContextVar[TaskOutput | None]] = contextvars.ContextVar("task_output", default=None)


class _ThreadState(threading.local):
    passing_on = False
    """A text is on its way to the stream below: streams further below only pass it on."""
    in_thread = False
    """The thread runs a function that code of a task gave to it: its context doesn't say where output goes."""
    handling = False
    """Handlers write a record that is in the log already."""

    def __init__(self) -> None:
        self.begun: dict[tuple[TaskStream, TaskOutput], str] = {}
        """The lines that the thread has begun, of activities: see `TaskStream`."""


_state: Final = _ThreadState()


def shows_in_cells(stream: Any) -> bool:
    """Whether a stream sends each text to a cell: then a text of no cell would land in whichever ran last."""
    return hasattr(stream, "parent_header")


class TaskStream:
    """Replaces a stream of `sys` while a Lab serves. All but `write` is the stream's below.

    What an activity writes goes on line by line, as threads that print at once would otherwise mix their lines; a part
    of a line, when the stream is flushed, or the activity ends.

    Who sets an attribute, as IPython sets `write` for the time of a cell, sets this one's, and puts it back.
    """

    def __init__(self, source: str, below: Any) -> None:
        self._source, self._below = source, below

    def write(self, text: str) -> int:
        """Write a text: of a task, where its output goes; any other, to the stream below."""
        task, below = _current.get(), self._below
        if task is None or _state.passing_on or not isinstance(text, str):
            return int(below.write(text) or 0)
        whole = self._whole_lines(task, text) if task.is_here and not task.is_of_workflow else text
        if whole:
            self._write(task, whole)
        return len(text)

    def _whole_lines(self, task: TaskOutput, text: str) -> str:
        """The whole lines that this thread has written by now; the rest is kept."""
        text = _state.begun.pop((self, task), "") + text
        end = len(text) if len(text) > _LONGEST_BEGUN else max(text.rfind("\n"), text.rfind("\r")) + 1
        if end < len(text):
            _state.begun[self, task] = text[end:]
        return text[:end]

    def write_begun_line(self, task: TaskOutput) -> None:
        """Write the line that this thread has begun for a task."""
        text = _state.begun.pop((self, task), "")
        if text:
            self._write(task, text)

    def _write(self, task: TaskOutput, text: str) -> None:
        below = self._below
        if task.is_here:
            if not _state.handling and threading.get_ident() not in replaying_threads:
                before_output()
                task.capture(self._source, text)
            with contextlib.suppress(OSError):  # its reader is gone, or its disk is full; the log has it
                task.show(below, text)
        elif _child is not None:
            _child.write(self._source, below, text)
        else:
            below.write(text)

    def flush(self) -> None:
        """Flush the stream below. That this fails is no failure of a task."""
        task = _current.get()
        if task is not None:
            self.write_begun_line(task)
        with contextlib.suppress(*((OSError,) if task is not None else ())):
            self._below.flush()

    def writelines(self, lines: Iterable[str]) -> None:
        """Write each."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(stream_below(self), name)


def stream_below(stream: Gate | TaskStream) -> Any:
    """The stream that another one stands for."""
    return stream.stream if isinstance(stream, Gate) else object.__getattribute__(stream, "_below")


# -- what is replaced --------------------------------------------------------------------------------------------------

_lock = threading.Lock()
_users = 0


class CapturedOutput:
    """Captures output from `begin` to `end`, for one of those who serve in this process."""

    def __init__(self) -> None:
        self._begun = False

    def begin(self) -> None:
        """Begin, unless it has begun."""
        global _users
        with _lock:
            if not self._begun:
                self._begun = True
                _users += 1
                if _users == 1:
                    _patches.put()
                _put_streams()

    def end(self) -> None:
        """End, if it has begun: after the last one, everything is as it was."""
        global _users
        with _lock:
            if self._begun:
                self._begun = False
                _users -= 1
                if _users == 0:
                    _patches.remove()
                    _remove_streams()


def ensure_streams() -> None:
    """Replace the streams, and `input`, again, where somebody has replaced them since: before a task begins."""
    breakpoints.ensure()
    if _users and not (type(sys.stdout) is TaskStream and type(sys.stderr) is TaskStream):
        with _lock:
            if _users:
                _put_streams()


def _put_streams() -> None:
    for name in _STREAMS:
        above, stream = _below_gates(name)
        if stream is not None and not isinstance(stream, TaskStream):
            _set_stream(name, above, TaskStream(name, stream))


def _remove_streams() -> None:
    for name in _STREAMS:
        above, stream = _below_gates(name)
        if isinstance(stream, TaskStream):
            _set_stream(name, above, stream_below(stream))


def _below_gates(name: str) -> tuple[Gate | None, Any]:
    """The stream of `sys` below the gates of replays, and the lowest gate."""
    gate, stream = None, getattr(sys, name)
    while isinstance(stream, Gate):
        gate, stream = stream, stream.stream
    return gate, stream


def _set_stream(name: str, gate: Gate | None, stream: Any) -> None:
    if gate is None:
        keep(getattr(sys, name))
        setattr(sys, name, stream)
    else:
        gate.stream = stream


class _Patches:
    """Stand in for a method of loggers, of threads and of thread pools."""

    def put(self) -> None:
        self._call_handlers = call_handlers = logging.Logger.callHandlers
        self._start = start = threading.Thread.start
        self._submit = submit = concurrent.futures.ThreadPoolExecutor.submit

        def call_handlers_of_task(logger: logging.Logger, record: logging.LogRecord) -> None:
            task = _current.get()
            if task is None or _state.handling:
                call_handlers(logger, record)
            else:
                _log(task, logger, record, call_handlers)

        def start_in_task(thread: threading.Thread) -> None:
            task, run = _current.get(), thread.run
            if task is not None:
                thread.run = lambda: _run_in_thread(task, run)  # type: ignore[method-assign]
            start(thread)

        def submit_in_task(pool: Any, function: Any, /, *args: Any, **kwargs: Any) -> Any:
            task = _current.get()
            if task is None:
                return submit(pool, function, *args, **kwargs)
            return submit(pool, _run_in_thread, task, function, *args, **kwargs)

        self._ours = (call_handlers_of_task, start_in_task, submit_in_task)
        logging.Logger.callHandlers = call_handlers_of_task  # type: ignore[method-assign, assignment]
        threading.Thread.start = start_in_task  # type: ignore[method-assign, assignment]
        concurrent.futures.ThreadPoolExecutor.submit = submit_in_task  # type: ignore[method-assign]
        breakpoints.add(_passed_over)

    def remove(self) -> None:
        breakpoints.remove(_passed_over)
        # What has replaced ours meanwhile may still call it: no code belongs to a task then.
        owner: Any
        for owner, name, ours, original in (
            (logging.Logger, "callHandlers", self._ours[0], self._call_handlers),
            (threading.Thread, "start", self._ours[1], self._start),
            (concurrent.futures.ThreadPoolExecutor, "submit", self._ours[2], self._submit),
        ):
            if getattr(owner, name) is ours:
                setattr(owner, name, original)


_patches: Final = _Patches()


def _passed_over(frame: FrameType, call: str) -> bool:
    """Pass over `breakpoint()` and `pdb.set_trace()` in the code of a task, and say so where its output goes, once for
    each decision. `input()` of a workflow is refused, an activity may read what it is given."""
    task = _current.get()
    if task is None or (call == breakpoints.INPUT and not task.is_of_workflow):
        return False
    if threading.get_ident() not in replaying_threads and call != breakpoints.INPUT:
        what = (
            "a decider does not stop there; execution.replay().run_to(), or simpleflow debug --pdb, replays the "
            "history, and does"
            if task.is_of_workflow
            else "a worker does not stop there; simpleflow activity.rerun runs the attempt in your terminal, and does"
        )
        sys.stderr.write(f"{call} passed over at {line_text(line_of(frame))}: {what}\n")
    return True


def _run_in_thread(task: TaskOutput, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call a function for a task in another thread, whose context has nothing else of the task's."""
    token, before = _current.set(task), _state.in_thread
    _state.in_thread = True
    try:
        return function(*args, **kwargs)
    finally:
        _write_begun_lines(task)
        _state.in_thread = before
        _current.reset(token)


def _write_begun_lines(task: TaskOutput) -> None:
    """Write what this thread has begun of lines for a task."""
    for stream, _ in [key for key in _state.begun if key[1] is task]:
        stream.write_begun_line(task)


def _log(
    task: TaskOutput,
    logger: logging.Logger,
    record: logging.LogRecord,
    call_handlers: Callable[[logging.Logger, logging.LogRecord], None],
) -> None:
    """Add a record to the log of a task, and let handlers show it."""
    _state.handling = True
    try:
        if not task.is_here:
            if _child is not None:
                _child.forward("log", record.levelname, _text_of(record))
        elif threading.get_ident() not in replaying_threads:
            before_output()
            task.add(record.levelname, _text_of(record))
        place = task.place if task.is_here else None
        if task.is_here and place is None:
            _call_handlers_without_cells(logger, record)
        elif place is not None and _state.in_thread:
            place.run(call_handlers, logger, record)  # a handler may have a stream that asks the context for its cell
        else:
            call_handlers(logger, record)
    finally:
        _state.handling = False


def _text_of(record: logging.LogRecord) -> str:
    """The message with its traceback."""
    try:
        return _MESSAGE.format(copy.copy(record))  # a formatter leaves its traceback in the record for the next one
    except Exception:  # arguments that don't fit: the handlers say so
        return str(record.msg)


def _call_handlers_without_cells(logger: logging.Logger, record: logging.LogRecord) -> None:
    """As `logging` does, but for handlers that would write into whichever cell ran last."""
    at: logging.Logger | None = logger
    found = False
    while at is not None:
        for handler in at.handlers:
            found = True
            if record.levelno >= handler.level and not shows_in_cells(getattr(handler, "stream", None)):
                handler.handle(record)
        at = at.parent if at.propagate else None
    last = logging.lastResort
    if not found and last is not None and record.levelno >= last.level and not shows_in_cells(sys.stderr):
        last.handle(record)


# -- in forked processes -----------------------------------------------------------------------------------------------


class _Child:
    """Output in the process of a forked activity: its parent reads its streams, and adds to the log what it reads."""

    def __init__(self, forward: Forward) -> None:
        self.forward = forward

    def write(self, source: str, stream: Any, text: str) -> None:
        """Write a text; what handlers write is in the log already, and is only to be shown."""
        if _state.handling:
            self.forward("show", source, text)
        else:
            stream.write(text)


_child: _Child | None = None
_generation = 0
"""Number of forks between the first process and this one."""


def forward_from_child(forward: Forward) -> None:
    """In the process of a forked activity, once its streams lead to its parent: records go to the parent, too."""
    global _child
    _child = _Child(forward)
    _put_streams()


def streams_below(name: str) -> list[Any]:
    """The stream of `sys` with this name, and those that it stands for."""
    streams = [getattr(sys, name)]
    while isinstance(streams[-1], Gate | TaskStream):
        streams.append(stream_below(streams[-1]))
    return streams


def _after_fork() -> None:
    """Tasks of the parent are not this process's, and its locks may be held for ever."""
    global _lock, _child, _generation
    _lock, _child = threading.Lock(), None
    _generation += 1


os.register_at_fork(after_in_child=_after_fork)

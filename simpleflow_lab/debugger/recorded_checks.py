"""Code of today checked against executions that are recorded: would it decide what they did?

Open executions come first, for they go on with this code, then the others; of each the latest first. The time is
limited, and so is that of code that never waits: it is interrupted. Nothing is decided, no activity runs, and what the
code prints and logs is dropped.

*Rule:* a check changes nothing and raises nothing of what it finds. What differs is told with both lines.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from simpleflow_lab import settings
from simpleflow_lab.data.fields import Fields
from simpleflow_lab.debugger.kept_sources import OF_THIS_PROCESS, lines_around, source_of
from simpleflow_lab.exceptions import (
    DecisionInterrupted,
    DecisionTaskError,
    HistoryError,
    NondeterminismError,
    SimpleflowLabError,
    StoreError,
)
from simpleflow_lab.replay.async_interrupts import interrupt, take_back
from simpleflow_lab.replay.muted_output import watched_output
from simpleflow_lab.replay.replay import Replay
from simpleflow_lab.runtime.captured_output import ensure_streams
from simpleflow_lab.runtime.decider import registered_workflow
from simpleflow_lab.service.protocol import SWFService
from simpleflow_lab.swf.history import History, HistoryEvent
from simpleflow_lab.views.formatting import count, shortened
from simpleflow_lab.views.html import piece, quiet
from simpleflow_lab.views.listed_executions import each_once
from simpleflow_lab.views.listing_views import ListingView
from simpleflow_lab.views.listings import Kind, Listing
from simpleflow_lab.views.markup import Html
from simpleflow_lab.views.text_tables import visible, visible_lines
from simpleflow_lab.workflow import Workflow

MAX_TEXT: Final = 400
"""Most characters of what was recorded, and of what is commanded now."""
MAX_TOLD: Final = 3
"""Most executions that differ and are told one by one where the checks display themselves."""
_GRACE: Final = 1.0
"""Seconds in which interrupted code should end."""


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """An execution whose history is recorded."""

    workflow_id: str
    run_id: str = ""
    is_open: bool = False
    """It goes on, with the code of today."""
    label: str | None = None
    """What it is called, if not by its workflow id: the name of its file."""
    history: Callable[[], History]
    """Gets the history."""


@dataclass(frozen=True, kw_only=True)
class RecordedCheck:
    """One recorded execution, replayed with the code of today."""

    workflow_id: str
    """Its workflow id, or the name of its file."""
    run_id: str
    is_open: bool
    """It goes on with this code."""
    events: int
    """How many events its history has."""
    decisions: int
    """How many decisions it records."""
    decision: int | None = None
    """The number of the decision in which the code differs; `None` if it does not."""
    event_id: int | None = None
    """The event that records something else."""
    recorded: str | None = None
    """What is recorded there; `None` if nothing is."""
    recorded_line: str | None = None
    """The line from which that was, with its text."""
    now: str | None = None
    """What the code commands now; `None` if nothing."""
    now_line: str | None = None
    """The line that commands it."""
    error: str | None = None
    """Why it could not be checked, or the whole of what differs, in one line."""
    decided_at: float | None = None
    """When that was decided, in seconds since 1970, if a decider of this process did; `None` if another one did."""

    @property
    def is_same(self) -> bool:
        """The code makes the recorded decisions."""
        return self.error is None

    def __str__(self) -> str:
        if self.error is None:
            return f"{shortened(self.workflow_id)}: the same {count(self.decisions, 'decision')}"
        where = f"{shortened(self.workflow_id)}{' (open)' if self.is_open else ''}"
        if self.decision is None or (self.recorded is None and self.now is None):
            return visible(f"{where}: {shortened(self.error, MAX_TEXT)}")
        then = self.recorded or "nothing"
        now = self.now or "nothing"
        then_line = f" from {self.recorded_line}" if self.recorded_line else ""
        now_line = f" from {self.now_line}" if self.now_line else ""
        return visible(
            f"differs in {where} at decision {self.decision}, event {self.event_id}: "
            f"recorded {then}{then_line}; now {now}{now_line}"
        )


class RecordedChecks(ListingView[RecordedCheck]):
    """Recorded executions of one workflow, each checked with its code of today. They display themselves."""

    def __init__(
        self,
        workflow: str,
        checks: Iterable[RecordedCheck],
        *,
        total: int,
        stopped: str | None = None,
        sources: tuple[str | None, str | None] = (None, None),
    ):
        super().__init__(checks)
        self.sources = sources
        """Lines around the recorded line and around the line now, of the first execution that differs, if known."""
        self.workflow = workflow
        """The name of the workflow class."""
        self.total = total
        """How many executions are recorded; fewer are checked if the time was over."""
        self.stopped = stopped
        """Why not all were checked; `None` if they were."""

    @property
    def _nothing(self) -> str:
        return f"{self.workflow}: nothing is recorded"

    @property
    def different(self) -> Sequence[RecordedCheck]:
        """Those in which the code decides otherwise, or which can't be replayed."""
        return tuple(check for check in self if not check.is_same)

    @property
    def is_safe(self) -> bool:
        """The code makes the recorded decisions of all that were checked."""
        return not self.different

    @property
    def summary(self) -> str:
        """All of it in one line: `safe with 14 of 14 recorded executions`."""
        different = self.different
        if not different:
            line = f"safe with {len(self):,} of {count(self.total, 'recorded execution')}"
        else:
            line = str(different[0])
            if len(different) > 1:
                line += f"; and in {len(different) - 1:,} more of {len(self):,}"
        return f"{line}; {self.stopped}" if self.stopped else line

    @property
    def advice(self) -> str | None:
        """How open executions that differ can finish: both ways in the code, told apart by `patched`."""
        first = next((check for check in self.different if check.is_open and (check.recorded or check.now)), None)
        if first is None:
            return None
        new, old = _source_in(first.now_line), _source_in(first.recorded_line)
        name = "a name for this change"
        return "\n".join(
            [
                "open executions go on if the code has both ways (docs/determinism.md):",
                f'    if self.patched("{name}"):',
                f"        {new or '…'}  # new executions",
                "    else:",
                f"        {old or '…'}  # those that ran past this line before",
            ]
        )

    def listing(self) -> Listing:
        """One row for each execution that was checked."""
        rows = [
            (
                check.workflow_id,
                "yes" if check.is_open else "no",
                check.decisions,
                check.events,
                "yes" if check.is_same else "no",
                check.decision,
                check.event_id,
                check.recorded,
                check.recorded_line,
                check.now,
                check.now_line,
                check.error,
            )
            for check in self
        ]
        return Listing(columns=_COLUMNS, rows=rows)

    def beside(self, recorded: str | None, now: str | None) -> RecordedChecks:
        """The same with these lines around both lines of the first that differs."""
        return RecordedChecks(self.workflow, self, total=self.total, stopped=self.stopped, sources=(recorded, now))

    def with_sources(self, workflow: type[Workflow]) -> RecordedChecks:
        """The same with the sources of the first that differs: that of the workflow now, and that which was recorded if
        a cell of this process defined it then."""
        first = next(iter(self.different), None)
        if first is None:
            return self
        key, source = (workflow.type_name(), workflow.type_version()), source_of(workflow)
        then = OF_THIS_PROCESS.around(key, first.recorded_line, at=first.decided_at)
        now = None if source is None else lines_around(source, first.now_line)
        return self.beside(then or (_NOT_KNOWN if now is not None and first.recorded_line else None), now)

    def __repr__(self) -> str:
        if not len(self) and self.stopped is None:
            return self._nothing
        told = [str(check) for check in self.different[1:MAX_TOLD]]
        sources = [
            f"{title}:\n{visible_lines(source)}"
            for title, source in zip(("recorded", "now"), self.sources, strict=True)
            if source is not None
        ]
        return "\n".join([f"{self.workflow}: {self.summary}", *told, *sources, *filter(None, [self.advice])])

    @property
    def _glyph(self) -> str:
        if not self.is_safe:
            return "✗"
        return "✓" if len(self) else "?"  # none was checked before it was stopped

    def _repr_html_(self) -> str:
        if not len(self) and self.stopped is None:
            return str(quiet(self._nothing))
        told = Html("").join(Html("<div>{}</div>").format(check) for check in map(str, self.different[1:MAX_TOLD]))
        pairs = zip(("recorded", "now"), self.sources, strict=True)
        beside = Html("").join(
            Html('<div style="flex: 1 1 20em; min-width: 0"><div class="sfl-quiet">{}</div><pre>{}</pre></div>').format(
                title, source
            )
            for title, source in pairs
            if source is not None
        )
        advice = Html("<pre>{}</pre>").format(self.advice) if self.advice is not None else Html("")
        return str(
            piece(
                Html("<div>{} <strong>{}</strong>: {}</div>").format(self._glyph, self.workflow, self.summary),
                told,
                Html('<div style="display: flex; flex-wrap: wrap; gap: 1em">{}</div>').format(beside),
                advice,
            )
        )


_NOT_KNOWN: Final = "(what was around this line is not known: no cell of this process defined it then)"
_COLUMNS: Final = {
    "workflow id": Kind.TEXT,
    "open": Kind.TEXT,
    "decisions": Kind.COUNT,
    "events": Kind.COUNT,
    "same": Kind.TEXT,
    "decision": Kind.COUNT,
    "event": Kind.COUNT,
    "recorded": Kind.TEXT,
    "recorded line": Kind.TEXT,
    "now": Kind.TEXT,
    "line now": Kind.TEXT,
    "error": Kind.TEXT,
}


def recorded_executions(
    service: SWFService, domain: str, workflow: type[Workflow], history: Callable[[str, str], History]
) -> list[Recorded]:
    """The executions of this workflow's type that a service has, the open ones first and of each the latest first, at
    most 1,000 of each. `history` gets one by workflow id and run id."""
    wanted: dict[str, Any] = {
        "domain": domain,
        "startTimeFilter": {"oldestDate": 0},
        "typeFilter": {"name": workflow.type_name(), "version": workflow.type_version()},
    }
    infos = each_once(
        service.list_open_workflow_executions(**wanted)["executionInfos"],
        service.list_closed_workflow_executions(**wanted)["executionInfos"],
    )
    found = []
    for info in infos:
        ids = info["execution"]
        get = functools.partial(history, ids["workflowId"], ids["runId"])
        is_open = info.get("closeStatus") is None
        found.append(Recorded(workflow_id=ids["workflowId"], run_id=ids["runId"], is_open=is_open, history=get))
    return found


def check_recorded(
    workflow: type[Workflow],
    recorded: Sequence[Recorded] | Callable[[], Sequence[Recorded]],
    *,
    domain: str = "",
    fields: Fields | None = None,
    seconds: float | None = None,
    any_class: bool = False,
) -> RecordedChecks:
    """Replay each of these executions with this workflow, in their order, for so many seconds at most, in which they
    are also looked up, if `recorded` does that.

    Executions of the same type that began with another class of this process are left out, unless `any_class`. Without
    `seconds` all are checked, however long that takes. What fails is told in the checks; only a `KeyboardInterrupt` is
    raised.
    """
    checking = _Checking(workflow, recorded, domain, fields, any_class)
    stopped = checking.run(seconds)
    return RecordedChecks(workflow.__name__, checking.checks, total=checking.total, stopped=stopped)


class _Checking:
    """Checks in a thread of its own, so that what takes too long can be left."""

    def __init__(
        self,
        workflow: type[Workflow],
        recorded: Sequence[Recorded] | Callable[[], Sequence[Recorded]],
        domain: str,
        fields: Fields | None,
        any_class: bool,
    ):
        self._workflow = workflow
        self._find = recorded if callable(recorded) else lambda: recorded
        self._recorded: Sequence[Recorded] = ()
        self._domain = domain
        self._fields = fields
        self._any_class = any_class
        self.checks: list[RecordedCheck] = []
        self.left_out = 0
        self._at: Recorded | None = None
        self._replaying: Replay | None = None
        self._error: BaseException | None = None
        self._stopping = threading.Event()
        self._interrupting = threading.Lock()
        """Held while the thread is interrupted, and when it ends."""
        self._ended = threading.Event()
        """The thread is at its end. An interrupted `Thread.join` of Python 3.11 takes a thread for ended that runs."""

    @property
    def total(self) -> int:
        """How many there are to be checked."""
        return len(self._recorded) - self.left_out

    def run(self, seconds: float | None) -> str | None:
        """Check until all is done or the time is over; gives why it stopped before."""
        thread = threading.Thread(target=self._run, name="check of recorded executions", daemon=True)
        try:
            thread.start()  # it may run before this comes back, and an interrupt come here
            is_over = self._wait(seconds)
            if self._ended.is_set():
                if self._error is not None:
                    raise self._error
                return None
            at = self._at
        finally:
            self._interrupt(thread)
        left = self.total - len(self.checks)
        where = f" ({shortened(at.workflow_id)} was being replayed)" if at is not None else ""
        limit = settings.current().lab_step_seconds
        why = f"within {seconds:g} s" if is_over else f"for run did not wait within {limit:g} s"
        return f"{count(left, 'other')} not checked {why}{where}"

    def _interrupt(self, thread: threading.Thread) -> None:
        """End the thread, if it has not ended: also code that never waits."""
        self._stopping.set()
        ends = time.monotonic() + _GRACE
        while not self._ended.is_set() and time.monotonic() < ends:
            with self._interrupting:
                if thread.ident is not None and not self._ended.is_set():
                    interrupt(thread.ident)
            self._ended.wait(_GRACE / 4)

    def _wait(self, seconds: float | None) -> bool:
        """Wait until the thread has ended; whether `seconds` are over, or else one decision takes too long."""
        ends = None if seconds is None else time.monotonic() + seconds
        limit, place, lasted = settings.current().lab_step_seconds, self._place, 0.0
        while not self._ended.is_set():
            left = _STEP if ends is None else min(_STEP, ends - time.monotonic())
            if left <= 0:
                return True
            began = time.monotonic()
            self._ended.wait(left)  # in steps, so that an interrupt is seen
            if place != self._place or self._replaying is None:
                place, lasted = self._place, 0.0
            else:
                lasted += min(time.monotonic() - began, 2 * _STEP)  # of more, as when it was suspended, no code ran
                if limit and lasted >= limit:
                    return False
        return True

    @property
    def _place(self) -> tuple[Replay | None, int]:
        """How far it has come."""
        replay = self._replaying
        return replay, 0 if replay is None else replay.decided_for

    def _run(self) -> None:
        try:
            self._check_all()
        except DecisionInterrupted:
            pass  # the time was over
        finally:
            self._end()

    def _end(self) -> None:
        """Let nobody interrupt this thread any more, and leave no interrupt behind."""
        while not self._ended.is_set():
            with contextlib.suppress(DecisionInterrupted), self._interrupting:
                self._ended.set()
        take_back()

    def _check_all(self) -> None:
        try:
            self._recorded = self._find()
            for each in self._recorded:
                if self._stopping.is_set():
                    return
                self._at = each
                check = self._check(each)
                self._at = None
                if check is None:
                    self.left_out += 1
                else:
                    self.checks.append(check)
        except DecisionInterrupted:
            return  # the time is over
        except BaseException as error:
            self._error = error

    def _check(self, each: Recorded) -> RecordedCheck | None:
        try:
            history = each.history()
        except (SimpleflowLabError, OSError) as error:
            return _result(each, History(), error)
        if not history:
            return _result(each, history, HistoryError("this history has no events"))
        if not self._any_class and not self._is_of_this_class(history):
            return None
        return _result(each, history, self._replay(each, history))

    def _is_of_this_class(self, history: History) -> bool:
        kind: Any = history[0].attributes.get("workflowType") or {}
        name, version = str(kind.get("name")), str(kind.get("version"))
        try:
            found = registered_workflow(name, version, history[0], self._fields or Fields())
        except SimpleflowLabError:
            return True  # that says the replay
        return found is self._workflow

    def _replay(self, each: Recorded, history: History) -> Exception | None:
        with watched_output(lambda text: None):
            ensure_streams()
            replay = Replay(
                self._workflow,
                domain=self._domain,
                workflow_id=each.workflow_id,
                run_id=each.run_id,
                fields=self._fields,
            )
            try:
                self._replaying = replay
                replay.feed(history)
                replay.replay_last_batch()
            except (DecisionTaskError, StoreError, HistoryError) as error:
                return error
            finally:
                self._replaying = None
                replay.close()
        return None


_STEP: Final = 0.1
"""Seconds between two looks whether the thread has ended, at most."""


def _result(each: Recorded, history: History, error: Exception | None) -> RecordedCheck:
    completed = [event.id for event in history if event.type == "DecisionTaskCompleted"]
    differs = error if isinstance(error, NondeterminismError) else None
    event_id = None if differs is None else differs.event_id
    last = (
        None if event_id is None else next((event.id for event in reversed(history) if _began(event, event_id)), None)
    )
    return RecordedCheck(
        workflow_id=each.label or each.workflow_id,
        run_id=each.run_id,
        is_open=each.is_open,
        events=len(history),
        decisions=len(completed),
        decision=None if event_id is None else sum(id <= event_id for id in completed),
        event_id=event_id,
        recorded=_bounded(None if differs is None else differs.recorded),
        recorded_line=_bounded(None if differs is None else differs.recorded_line),
        now=_bounded(None if differs is None else differs.requested),
        now_line=_bounded(None if differs is None else differs.requested_line),
        decided_at=None if last is None else _decided_here_at(history[last - 1]),
        error=None if error is None else _bounded(" ".join(str(error).split()) or type(error).__name__),
    )


def _began(event: HistoryEvent, event_id: int) -> bool:
    """It began the decision that is recorded by this event, or one before."""
    return event.type == "DecisionTaskStarted" and event.id <= event_id


def _decided_here_at(started: HistoryEvent) -> float | None:
    """When this decision began, if a decider of this process made it."""
    try:
        identity = json.loads(started.attributes.get("identity") or "")
    except (ValueError, RecursionError):
        return None
    ours = {"pid": os.getpid(), "hostname": socket.gethostname()}
    is_ours = isinstance(identity, dict) and all(identity.get(name) == value for name, value in ours.items())
    return started.timestamp.timestamp() if is_ours else None


def _bounded(text: str | None) -> str | None:
    return None if text is None else shortened(text, MAX_TEXT)


def _source_in(line: str | None) -> str | None:
    """The text of the source in `flows.py:12, y = self.submit(double, x)`."""
    return (line or "").partition(", ")[2] or None

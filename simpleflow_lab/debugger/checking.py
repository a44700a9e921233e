"""Recorded executions checked in a thread of its own, so that what takes too long can be left.

Open executions come first, for they go on with this code, then the others; of each the latest first. The time is
limited, and so is that of code that never waits: it is interrupted. Nothing is decided, no activity runs, and what the
code prints and logs is dropped.

Rule: a check changes nothing and raises nothing of what it finds.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from simpleflow_lab import settings
from simpleflow_lab.data.fields import Fields
from simpleflow_lab.debugger.recorded_checks import MAX_TEXT, RecordedCheck, RecordedChecks
from simpleflow_lab.definitions.redefinitions import is_made_again
from simpleflow_lab.exceptions import (
    EDITED_CODE,
    DecisionInterrupted,
    DecisionTaskError,
    HistoryError,
    NondeterminismError,
    SimpleflowLabError,
    StoreError,
)
from simpleflow_lab.replay.async_interrupts import interrupt, take_back
from simpleflow_lab.replay.lines import Line, author_frame, line_text
from simpleflow_lab.replay.muted_output import watched_output
from simpleflow_lab.replay.replay import Replay
from simpleflow_lab.runtime import decided_codes
from simpleflow_lab.runtime.captured_output import ensure_streams
from simpleflow_lab.runtime.decision_replay import registered_workflow
from simpleflow_lab.runtime.fingerprints import cached_fingerprint, fingerprint
from simpleflow_lab.runtime.source_versions import OF_THIS_PROCESS
from simpleflow_lab.service.protocol import SWFService
from simpleflow_lab.swf.history import History, HistoryEvent
from simpleflow_lab.views.formatting import count, shortened
from simpleflow_lab.views.listed_executions import each_once
from simpleflow_lab.workflow import Workflow

_GRACE: Final = 1.0
"""Seconds in which interrupted code should end."""


def code_of(definition: type[Workflow]) -> str:
    """A digest of the code of a workflow and all that it uses: while it is the same, a check finds the same."""
    return fingerprint(definition)


def is_started_here(definition: type[Workflow]) -> bool:
    """Whether this process has started or decided for executions of a workflow, so that its code was looked at."""
    return cached_fingerprint(definition) is not None


def keep_source(definition: type[Workflow], kind: tuple[str, str], *, since: float) -> None:
    """Store the source of a workflow of this type that was defined between then and now: it shows recorded lines."""
    OF_THIS_PROCESS.add(kind, definition, since=since, now=time.time())


class CodeNow:
    """The code of a workflow, with all that it uses, as it was when this was made."""

    def __init__(self, definition: type[Workflow]) -> None:
        self._definition = definition
        self._take()

    def _take(self) -> None:
        self._fingerprint = fingerprint(self._definition)
        self._used = cached_fingerprint(self._definition)

    def edits(self) -> tuple[str, ...]:
        """The names that have something else by now, or that of the class if these can't be told; none while the code
        and the constants that it uses are the same."""
        if fingerprint(self._definition) == self._fingerprint:
            return ()
        names = () if self._used is None else self._used.changed_names()
        return names or (self._definition.__name__,)

    def edits_after_it_ran(self) -> tuple[str, ...]:
        """The same when the code has run: what is something else since then it may have set itself, as a counter."""
        if fingerprint(self._definition) == self._fingerprint:
            return ()
        names = () if self._used is None else self._used.changed_names()
        if names and self._used is not None and self._used.may_set(names):
            self._take()
        return self.edits()

    def decided_otherwise(self, run_id: str, started_event_id: int) -> bool:
        """Whether a decider of this process made this decision with other code, or with other constants."""
        then = decided_codes.OF_THIS_PROCESS.of(run_id, started_event_id)
        return then is not None and then != self._fingerprint


def edits_since(definition: type[Workflow]) -> Callable[[], tuple[str, ...]]:
    """Gives, when it is called later, which names that the code of a workflow uses have something else than now, when
    `code_of` was asked last: those of functions and constants, in order."""
    cached = cached_fingerprint(definition)
    return tuple if cached is None else cached.changed_names


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """An execution whose history is recorded."""

    workflow_id: str
    run_id: str = ""
    is_open: bool = False
    """It goes on, with the code of today."""
    label: str | None = None
    """Its name, if that is not its workflow id: the name of its file."""
    history: Callable[[], History]
    """Gets the history."""


def recorded_executions(
    service: SWFService, domain: str, workflow: type[Workflow], history: Callable[[str, str], History]
) -> Sequence[Recorded]:
    """The executions of this workflow's type that a service has, the open ones first and of each the latest first.
    `history` gets one by workflow id and run id."""
    wanted: dict[str, Any] = {
        "domain": domain,
        "startTimeFilter": {"oldestDate": 0},
        "typeFilter": {"name": workflow.type_name(), "version": workflow.type_version()},
    }

    def listed(listing: Callable[..., Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
        page: dict[str, Any] = {}
        while True:
            answer = listing(**wanted, **page)
            yield from answer["executionInfos"]
            if not answer.get("nextPageToken"):
                return
            page = {"nextPageToken": answer["nextPageToken"]}

    still_open = list(listed(service.list_open_workflow_executions))
    found = []
    for info in each_once(still_open, listed(service.list_closed_workflow_executions)):
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
    `seconds` all are checked, however long that takes. What fails is noted in the checks; only a `KeyboardInterrupt` is
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
    ) -> None:
        self._workflow = workflow
        self._find = recorded if callable(recorded) else lambda: recorded
        self._recorded: Sequence[Recorded] | None = None
        self._domain = domain
        self._fields = fields
        self._any_class = any_class
        self.checks: list[RecordedCheck] = []
        self.left_out = 0
        self._at: Recorded | None = None
        self._replaying: Replay | None = None
        self._lasted = 0.0
        """The seconds for which one decision has been made."""
        self._error: BaseException | None = None
        self._stopping = threading.Event()
        self._interrupting = threading.Lock()
        """Held while the thread is interrupted, and when it ends."""
        self._ended = threading.Event()
        """The thread is at its end. An interrupted `Thread.join` of Python 3.11 takes a thread for ended that runs."""

    @property
    def total(self) -> int:
        """The number of executions to be checked, as far as they were looked up."""
        return len(self._recorded or ()) - self.left_out

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
            at, line = self._at, self._line(thread)
        finally:
            self._interrupt(thread)
        limit = settings.current().lab_step_seconds
        why = f"within {seconds:g} s" if is_over else f"for run did not wait within {limit:g} s"
        if self._recorded is None:
            return f"what is recorded was not looked up {why}"
        left = count(self.total - len(self.checks), "other" if self.checks else "execution")
        where = f" ({shortened(at.workflow_id)} was being replayed{line})" if at is not None else ""
        return f"{left} not checked {why}{where}"

    def _line(self, thread: threading.Thread) -> str:
        """The line of the author's that is being replayed for as long as a person notices, in words; else nothing."""
        frame = author_frame(sys._current_frames().get(thread.ident or 0))
        if frame is None or self._replaying is None or self._lasted < _NOTICED:
            return ""
        return f", at {line_text(Line(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_qualname))}"

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
        limit, place, self._lasted = settings.current().lab_step_seconds, self._place, 0.0
        while not self._ended.is_set():
            left = _STEP if ends is None else min(_STEP, ends - time.monotonic())
            if left <= 0:
                return True
            began = time.monotonic()
            self._ended.wait(left)  # in steps, so that an interrupt is seen
            if place != self._place or self._replaying is None:
                place, self._lasted = self._place, 0.0
            else:
                self._lasted += min(time.monotonic() - began, 2 * _STEP)  # of more, as when suspended, no code ran
                if limit and self._lasted >= limit:
                    return False
        return True

    @property
    def _place(self) -> tuple[Replay | None, int]:
        """The place that it has reached."""
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
            recorded = self._recorded = self._find()
            for each in recorded:
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
        except BaseException as error:  # raised again in the thread that waits
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
        """Executions that began with this class, or with it as it was before or after it was defined again."""
        kind: Any = history[0].attributes.get("workflowType") or {}
        name, version = str(kind.get("name")), str(kind.get("version"))
        try:
            found = registered_workflow(name, version, history[0], self._fields or Fields())
        except SimpleflowLabError:
            return True  # that says the replay
        return found is self._workflow or is_made_again(found, self._workflow)

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
_NOTICED: Final = 0.15
"""Of a decision that takes longer, in seconds, the line is told at which its code was."""


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
        error=None if error is None else _bounded(" ".join(_said(error).split()) or type(error).__name__),
    )


def _said(error: Exception) -> str:
    """The text of an error: of code that differs no advice, for who edited it knows that, and room is short."""
    text = str(error)
    is_edited = isinstance(error, NondeterminismError) and error.cause == EDITED_CODE
    return text.removesuffix(f". {EDITED_CODE.advice}") if is_edited else text


def _began(event: HistoryEvent, event_id: int) -> bool:
    """It began the decision that is recorded by this event, or one before."""
    return event.type == "DecisionTaskStarted" and event.id <= event_id


def _decided_here_at(started: HistoryEvent) -> float | None:
    """The time at which this decision began, if a decider of this process made it."""
    try:
        identity = json.loads(started.attributes.get("identity") or "")
    except (ValueError, RecursionError):
        return None
    ours = {"pid": os.getpid(), "hostname": socket.gethostname()}
    is_ours = isinstance(identity, dict) and all(identity.get(name) == value for name, value in ours.items())
    return started.timestamp.timestamp() if is_ours else None


def _bounded(text: str | None) -> str | None:
    return None if text is None else shortened(text, MAX_TEXT)

"""The replay of a history as steps, one for each decision: walked through forward and back.

    steps = execution.replay()
    steps[7].locals["total"] + 1
    steps.at(event=42)
    steps.diff(6, 7)

A step is made when it is asked for, and stays as it is: plain records, which any thread may read. The replay is the
decider's own, with the workflow's code of this process and the large values of the execution's store.

Rule: looking runs `run` and the hooks of every replay, as `replay.trace.watch` says, and nothing else: no activity,
no hook of a close; what the code prints is kept in the step.
"""

from __future__ import annotations

import sys
import warnings
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, overload

from simpleflow_lab.data.fields import Fields
from simpleflow_lab.debugger import step_text
from simpleflow_lab.debugger.backwards import last_step
from simpleflow_lab.debugger.differences import StepDifference, difference
from simpleflow_lab.debugger.frames import Frame
from simpleflow_lab.debugger.line_wanted import LineWanted
from simpleflow_lab.debugger.parting import view_of
from simpleflow_lab.debugger.pdb_session import PdbSession
from simpleflow_lab.debugger.quiet_failures import QuietFailures, quiet_failures
from simpleflow_lab.debugger.recorded_step import RecordedStep
from simpleflow_lab.debugger.replayed_workflow import definition_for
from simpleflow_lab.debugger.step_listings import steps_listing
from simpleflow_lab.debugger.trigger_text import TriggerTexts
from simpleflow_lab.debugger.walk import WINDOW, Walk
from simpleflow_lab.exceptions import EditedCodeWarning, NoSuchStepError, UsageError
from simpleflow_lab.replay.lines import Line, author_frame
from simpleflow_lab.replay.task_records import HistoryWithRecords
from simpleflow_lab.replay.trace import (
    DecisionRecord,
    FiberName,
    StackFrame,
    open_decision,
)
from simpleflow_lab.swf.history import History, HistoryEvent
from simpleflow_lab.views.history_views import HistoryViews
from simpleflow_lab.workflow import Workflow

if TYPE_CHECKING:
    import pandas as pd

_OF_RUN: Final = 1
"""The number of the fiber of `run`."""


class ReplayStep(RecordedStep):
    """One decision: what it saw, what the code did, and where it waits then. It displays itself."""

    __slots__ = ("_steps",)

    def __init__(self, steps: ReplaySteps, record: DecisionRecord) -> None:
        super().__init__(record)
        self._steps = steps

    def __repr__(self) -> str:
        return "\n".join(step_text.lines_of(self.record, self.trigger, self._steps.title, self.edits))

    def _repr_html_(self) -> str:
        return str(step_text.html_of(self.record, self.trigger, self._steps.title, self.edits))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ReplayStep) and self.record == other.record and self.futures == other.futures

    __hash__ = None  # type: ignore[assignment]

    @property
    def steps(self) -> ReplaySteps:
        """The steps of which it is one."""
        return self._steps

    # -- what it saw and did --

    @property
    def is_of_other_code(self) -> bool:
        """Whether a decider of this process made the decision with other code than that of these steps, or with other
        constants that it uses: its variables and lines are not those of then. `False` of what other processes decided:
        nobody knows."""
        steps = self._steps
        return self.is_replayed and steps._walk.code.decided_otherwise(steps.run_id, self.started_event_id)

    @property
    def edits(self) -> list[str]:
        """The edits since it was recorded, in a line each: the code as a whole, and lines that made commands."""
        name = self._steps.workflow.__name__
        whole = (
            f"the code of {name} here, or what it uses, is not that which made this decision: "
            "variables and lines are those of the code here"
        )
        return [*([whole] if self.is_of_other_code else []), *map(str, self.edited)]

    @property
    def trigger(self) -> str:
        """The event that woke it, in words: `activity fetch-3 completed`."""
        return self._steps.triggers.words(self.record.started_event_id)

    @property
    def trigger_event(self) -> HistoryEvent | None:
        """The event that woke it, as far as that can be told."""
        return self._steps.triggers.event(self.record.started_event_id)

    @property
    def new_lines(self) -> Sequence[Line]:
        """The lines of the author's code that ran in it, each once, in the order in which they ran first.

        Raises `UsageError` if the code does not come to this decision a second time.
        """
        return self._steps._detailed(self.number, lines=True).lines or ()

    # -- where it waits --

    def stack(self, fiber: FiberName | int | str = _OF_RUN) -> Sequence[Frame]:
        """The author's frames of a fiber at the end of this step, innermost last; empty if it does not wait then. Of
        `run`, if it ended with an error in this step, those at the raise.

        `fiber` is its name, number or label; 1 is the fiber of `run`. Raises `UsageError` for a fiber that does not
        wait then, but for that of `run`, and if the code does not come to this decision a second time. Warns once with
        an `EditedCodeWarning` if a decider of this process decided with other code: these are not its variables.
        """
        found = self.detailed
        if self.is_of_other_code:
            self._steps._warn_of_edits(self)
        known = next((each for each in found.suspended if _is_named(each.name, fiber)), None)
        frames: Sequence[StackFrame] = () if known is None else known.stack
        if known is None:
            if fiber in (_OF_RUN, "run"):
                frames = () if found.raised is None else found.raised.stack
            else:
                waiting = ", ".join(f"{each.name.number} ({each.name.label})" for each in found.suspended[:8])
                raise UsageError(
                    f"no fiber {fiber!r:.60} waits at the end of step {self.number}: {waiting or 'none does'}"
                )
        memo: dict[int, Any] = {}
        return tuple(
            Frame(frame.line, frame.values if frame.values is not None else frame.locals or {}, frame.left_out, memo)
            for frame in frames
        )

    def frame(self, fiber: FiberName | int | str = _OF_RUN, depth: int = 0) -> Frame:
        """One of these frames: `depth` 0 is the innermost, 1 the one that called it, … Raises `UsageError`."""
        stack = self.stack(fiber)
        check_whole(depth, "depth")
        if not 0 <= depth < len(stack):
            there = f"it has {len(stack)} of them" if stack else "the code has ended, or waits in none"
            raise UsageError(f"no frame {depth!r:.20} of fiber {fiber!r:.60} at the end of step {self.number}: {there}")
        return stack[-1 - depth]

    @property
    def locals(self) -> Mapping[str, Any]:
        """The local variables of the innermost frame of `run` at the end of this step, as they were then.

        Where it raised, if it ended with an error in this step; empty if it has ended otherwise. `frame` has those of
        other frames and fibers.
        """
        stack = self.stack()
        return stack[-1].locals if stack else {}

    def pdb(self, fiber: int = _OF_RUN) -> None:
        """Python's debugger on the line where a fiber waits at the end of this step; see `debugger.pdb_session`.

        `n` lets the history go on to the next line, `q` leaves. The execution does not change. Raises `UsageError` if
        nothing waits then, in a thread that is not the main one, and where nobody can type.
        """
        self._steps._debug(self.number, fiber=fiber)

    # -- its details --

    @property
    def is_detailed(self) -> bool:
        """Whether its details are there without a further replay."""
        return self._steps._walk.has_details(self.number)

    @property
    def detailed(self) -> DecisionRecord:
        """Its record with what is not kept of every step: the values of local variables.

        Raises `UsageError` if the code, which is not deterministic, does not come to this decision a second time.
        """
        return self._steps._detailed(self.number)

    @property
    def row(self) -> tuple[object, ...]:
        """Its row in `ReplaySteps.to_frame`."""
        budgets, first = self.budgets, next(iter(self.suspended), None)
        return (
            self.number,
            self.trigger,
            self.started_event_id,
            self.completed_event_id,
            self._steps.history[self.started_event_id - 1].timestamp,
            len(self.events),
            len(self.commands),
            len(self.changed_futures),
            len(self.suspended),
            first.stack[-1].text if first is not None and first.stack else None,
            self.output or None,
            budgets.decisions,
            budgets.bytes,
            budgets.events,
            self.error,
        )


class ReplaySteps:
    """The steps of one history, numbered from 1: `steps[7]` is decision 7, `steps[-1]` the last.

    They are replayed as far as they are asked for. A history that the code can't replay has the steps up to there; the
    last one says why in `error`. A context manager: at its end, or with `close`, the replay and its thread are gone,
    and what was not replayed by then can't be had any more.
    """

    def __init__(
        self,
        history: History,
        workflow: type[Workflow] | None = None,
        *,
        domain: str = "",
        workflow_id: str = "",
        run_id: str = "",
        fields: Fields | None = None,
        **options: Any,
    ) -> None:
        """`workflow` is by default the one that this process defines for the type of the history.

        Ids of children, and of activities of steps, are made of `workflow_id` and `run_id`; large values are read
        through `fields`. `options` are further ones of `replay.replay.Replay`. Raises `UsageError`.
        """
        if not workflow_id and isinstance(history, HistoryWithRecords):
            workflow_id, run_id = history.execution_ids
        self.workflow: type[Workflow] = definition_for(history, workflow, fields)
        """The class with which it is replayed."""
        self.history = history
        """The history that is replayed."""
        self.domain = domain
        self.workflow_id = workflow_id
        self.run_id = run_id
        self.fields = fields
        """Reads the large values of the history."""
        self.options: Mapping[str, Any] = {
            "domain": domain,
            "workflow_id": workflow_id,
            "run_id": run_id,
            "fields": fields,
            **options,
        }
        """The arguments of every replay of it; see `replay.trace.watch`."""
        self._walk = Walk(self.workflow, history, self.options)
        self._warned = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the replay, its fibers and its thread. Steps that were made stay as they are. May be called again."""
        self._walk.close()

    def stop(self) -> None:
        """Let those give up who wait for a step, from any thread: they get a `UsageError`, and the code is interrupted.
        Who asks again begins anew."""
        self._walk.stop()

    @property
    def title(self) -> str:
        """The name of what is replayed, for people: the workflow id, or the type."""
        return self.workflow_id or self.history.workflow_type

    def __repr__(self) -> str:
        return f"<ReplaySteps of {self.title}: {self.expected} decisions, {self.history!r}>"

    @cached_property
    def expected(self) -> int:
        """The number of decisions that the history records, and 1 more if one is open: known without any replay.

        There are fewer steps if the code can't replay all of it.
        """
        return decisions_in(self.history) + (open_decision(self.history) is not None)

    # -- as a sequence --

    def __len__(self) -> int:
        self._walk.reach(None)
        return len(self._walk.records)

    def open_at_end(self) -> int:
        """Replay all of it, for who is about to look at one of the last steps: their variables are ready then. Gives
        how many steps there are."""
        self._walk.reach(None, with_last=True)
        return len(self._walk.records)

    def __iter__(self) -> Iterator[ReplayStep]:
        number = 1
        while self._walk.reach(number):
            yield self._step(number)
            number += 1

    def __reversed__(self) -> Iterator[ReplayStep]:
        return (self._step(number) for number in range(len(self), 0, -1))

    @overload
    def __getitem__(self, number: int) -> ReplayStep: ...
    @overload
    def __getitem__(self, number: slice) -> list[ReplayStep]: ...
    def __getitem__(self, number: int | slice) -> ReplayStep | list[ReplayStep]:
        """The step of this number, from 1; -1 is the last. A slice gives a list: `steps[3:6]` is 3, 4 and 5.

        Raises `NoSuchStepError`, a `UsageError` and an `IndexError`.
        """
        if isinstance(number, slice):
            return [self._step(each) for each in self._numbers(number)]
        if isinstance(number, bool) or not hasattr(number, "__index__"):
            raise UsageError(f"a step is asked for by its number, not {number!r:.40}: steps.at(event=…) finds one")
        wanted = number.__index__()
        found = wanted if wanted >= 0 else len(self) + 1 + wanted
        if found < 1 or not self._walk.reach(found):
            raise NoSuchStepError(number, len(self))
        return self._step(found)

    # -- as tables --

    def to_frame(self) -> pd.DataFrame:
        """One row per step, as pandas: `step trigger started_event_id completed_event_id time` (when it began)
        `new_events commands changed_futures waiting_fibers waits_at output decisions bytes events error`."""
        from simpleflow_lab.views.tables import listing_table  # noqa: PLC0415  pandas

        return listing_table(steps_listing([step.row for step in self]))

    def futures_frame(self, step: int = -1) -> pd.DataFrame:
        """One row per future as it was at the end of a step, by default the last; see `ReplayStep.futures_frame`."""
        return self[step].futures_frame()

    # -- what came to nothing --

    def quiet_failures(self) -> QuietFailures:
        """Failures that nothing read, timers and signals that no code waited for, results that nothing used; each with
        its line. See `debugger.quiet_failures`. It displays itself; `to_pandas()` gives a frame."""
        uses, last = self._walk.uses()
        differs = None
        if last is not None and last.error is not None:
            differs = f"replayed with this code, it ends at decision {last.number}: {last.error}"

        def lines() -> Iterator[Line]:
            for step in self:
                yield from self._walk.lines_of(step.number)

        return quiet_failures(self.workflow, self.history, uses, differs, lines=lines)

    def _numbers(self, wanted: slice) -> range:
        if wanted.step == 0:
            raise UsageError("the step of a slice is not 0")
        if wanted.start == 0:
            raise NoSuchStepError(0, len(self))
        # As of a list whose first place, 0, is left out.
        return range(*_from_one(wanted).indices(len(self) + 1))

    def _step(self, number: int) -> ReplayStep:
        return ReplayStep(self, self._walk.records[number - 1])

    def _detailed(self, number: int, *, lines: bool = False) -> DecisionRecord:
        found = self._walk.detailed(number, lines=lines)
        if found is None:
            raise UsageError(
                f"replayed once more, the code does not come to decision {number}: it does something else each time; "
                "see docs/determinism.md"
            )
        return found

    def _warn_of_edits(self, step: ReplayStep) -> None:
        if not self._warned:
            self._warned = True
            frame = author_frame(sys._getframe()) or sys._getframe()
            text = f"step {step.number} of {self.title}: {step.edits[0]}"
            warnings.warn_explicit(text, EditedCodeWarning, frame.f_code.co_filename, frame.f_lineno)

    # -- finding --

    def at(self, *, event: int) -> ReplayStep:
        """The step that first saw this event, or whose decisions it records. Raises `UsageError` if none did."""
        check_whole(event, "event")
        if not 1 <= event <= len(self.history):
            raise UsageError(f"no event {event!r:.40}: the history has events 1 to {len(self.history)}")
        number = 0
        while self._walk.reach(number + 1):
            number += 1
            if self._walk.records[number - 1].started_event_id >= event:
                break
        records = self._walk.records
        place = bisect_left(records, event, key=lambda record: record.started_event_id)
        before = records[place - 1] if place else None
        if before is not None and before.completed_event_id is not None:
            last = before.recorded[-1].id if before.recorded else before.completed_event_id
            if before.completed_event_id <= event <= last:
                return self._step(place)
        if place == len(records):
            raise UsageError(
                f"no decision of the {len(records)} saw event {event}, {self.history[event - 1].type}: "
                f"the last one saw the events up to {records[-1].started_event_id if records else 0}"
            )
        return self._step(place + 1)

    def find(
        self, condition: Callable[[ReplayStep], object], *, after: int = 0, backwards: bool = False
    ) -> ReplayStep | None:
        """The first step after number `after` of which the condition holds, or with `backwards` the last one before
        it; `None` if there is none. `after=0` is before the first, or behind the last. Raises `UsageError` for what is
        no condition, and whatever the condition raises."""
        if not callable(condition):
            raise UsageError(
                f"a condition is a function of a step, not {condition!r:.60}: debug().to_condition takes an expression"
            )
        check_whole(after, "after")
        if backwards:
            until = min(after - 1 if after else len(self), len(self))
            with self._walk.only_onwards():
                return last_step(self._step, condition, until=until, part=WINDOW)
        return next((step for step in map(self._step, self._onwards(after)) if condition(step)), None)

    def _onwards(self, after: int) -> Iterator[int]:
        number = max(after, 0) + 1
        while self._walk.reach(number):
            yield number
            number += 1

    def at_line(self, line: int | str, *, after: int = 0, backwards: bool = False) -> ReplayStep | None:
        """The first step after number `after`, or with `backwards` the last one before it, in which this line ran,
        made a command, or is where a fiber waits; `None` if there is none.

        `line` is a number, in whichever file of the author's, or `flows.py:12`. Raises `UsageError` for another one.
        """
        wanted = LineWanted.of(line)

        def is_there(step: ReplayStep) -> bool:
            record = step.record
            return (
                any(command.line is not None and wanted.is_at(command.line) for command in record.commands)
                or any(wanted.is_at(frame.line) for fiber in record.suspended for frame in fiber.stack)
                or any(map(wanted.is_at, self._walk.lines_of(step.number)))
            )

        return self.find(is_there, after=after, backwards=backwards)

    def diff(self, first: int | ReplayStep, second: int | ReplayStep) -> StepDifference:
        """The differences between two steps: futures, local variables, where the code waits, commands.

        It displays itself; `to_pandas()` gives a frame. Raises `UsageError` for a step that is not there.
        """
        one, other = (each if isinstance(each, ReplayStep) else self[each] for each in (first, second))
        return difference(one.detailed, other.detailed)

    def parting(self, other: ReplaySteps | History | HistoryViews) -> tuple[ReplayStep, ReplayStep | None] | None:
        """The first steps in which this replay and another one saw or commanded something else; `None` if they part
        nowhere.

        Of an execution or a `History` it is its replay with the same workflow. The second is `None` if the other one
        has no more steps; if this one ends first, the first is its last step. Raises `UsageError` for what is neither.
        """
        if isinstance(other, HistoryViews):
            other = other.history()
        if not isinstance(other, ReplaySteps | History):
            raise UsageError(f"steps part from steps, an execution or a history, not from {other!r:.60}")
        if not isinstance(other, ReplaySteps):
            other = ReplaySteps(other, self.workflow, fields=self.fields)
        number = 1
        while self._walk.reach(number):
            mine = self._step(number)
            if not other._walk.reach(number):
                return mine, None
            theirs = other._step(number)
            if view_of(mine.record, self.history) != view_of(theirs.record, other.history):
                return mine, theirs
            number += 1
        return (self._step(number - 1), other._step(number)) if number > 1 and other._walk.reach(number) else None

    def run_to(self, event: int | None = None) -> None:
        """Replay in this thread up to this event, by default to the end, and stop at each `breakpoint()` of the code;
        then stand where `run` waits. See `debugger.pdb_session`; raises as `ReplayStep.pdb`."""
        self._debug(len(self) if event is None else self.at(event=event).number, stops_at_breakpoints=True)

    def _debug(self, number: int, **options: Any) -> None:
        PdbSession(
            self.workflow, self.history, self.options, stand_at=lambda record: record.number >= number, **options
        ).run()

    def first_failure(self) -> ReplayStep | None:
        """The first step in which something failed: a task, a refused decision, `run`, the decision; or `None`."""
        return self.find(lambda step: step.has_failure)

    def first_divergence(self) -> ReplayStep | None:
        """The step in which the code decides otherwise than recorded, or can't decide; `None` if it replays all."""
        return self.find(lambda step: step.record.divergence is not None or step.record.error is not None)

    @cached_property
    def triggers(self) -> TriggerTexts:
        """The events that woke the decisions."""
        return TriggerTexts(self.history)


def decisions_in(history: Iterable[HistoryEvent]) -> int:
    """The number of decisions that it records."""
    return sum(event.type == "DecisionTaskCompleted" for event in history)


def check_whole(value: object, what: str) -> None:
    """Raises `UsageError` for what is no whole number."""
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise UsageError(f"{what} is a whole number, not {value!r:.40}")


def _is_named(name: FiberName, wanted: FiberName | int | str) -> bool:
    return wanted == name or wanted == name.number or wanted == name.label  # a name equals no number


def _from_one(wanted: slice) -> slice:
    backwards = wanted.step is not None and wanted.step < 0
    start, stop = wanted.start, wanted.stop
    if backwards:
        return slice(start, 0 if stop is None else stop, wanted.step)
    return slice(1 if start is None else start, stop, wanted.step)

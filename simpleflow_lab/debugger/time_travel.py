"""Time travel: one place in the steps of a replay, and the moves to others.

    debugger = execution.debug()
    debugger.forward()
    debugger.to_condition("total > 5")
    debugger.step.locals["total"] + 1
    debugger.step = 7

It is what the debugger's view in a notebook shows and moves; without widgets it displays its step as text, and so does
each move. The replay, with its thread, begins anew when it is asked after `rest`.

Rule: any thread may move it. Who shows it is told of every move, and holds it; it holds nobody.
"""

from __future__ import annotations

import contextlib
import threading
import weakref
from collections.abc import Callable
from typing import Any, Final

from simpleflow_lab import settings
from simpleflow_lab.debugger.conditions import Condition
from simpleflow_lab.debugger.opening import Opening, opening_of
from simpleflow_lab.debugger.steps import ReplayStep, ReplaySteps, check_whole, decisions_in
from simpleflow_lab.exceptions import NoSuchStepError, UsageError
from simpleflow_lab.replay.replay_thread import ReplayThread
from simpleflow_lab.swf.history import History

_MOVES: Final = (
    "debugger.forward(), .back(), .first(), .last(), .to_event(42), .to_line(12), .to_condition('total > 5'), "
    ".to_failure(), .to_divergence(), .to_parting(other)"
)


class Debugger:
    """Stands at one step of a replay. At first it is that of `debugger.opening`: where the error was raised, where the
    code waits."""

    def __init__(
        self,
        replay: Callable[[], ReplaySteps],
        *,
        at: int | None = None,
        decided: Callable[[], int] | None = None,
        find_other: Callable[[str], Any] | None = None,
    ) -> None:
        """`replay` makes the steps, now and after each `rest` and `reload`; `at` is the number of the first step shown.
        `decided` gives how many decisions are recorded by now; without it the history does not grow. `find_other` gives
        another execution of the same store, or `None`, for its id.

        Raises what `replay` does, and `UsageError` for a history without a decision and a step that is not there.
        """
        self._replay = replay
        self._lock = threading.RLock()
        self._searching: ReplayThread | None = None
        """Runs the condition of the reader's that is looked for."""
        self._replaying: ReplaySteps | None = None
        """The steps that are being replayed again."""
        self._steps: ReplaySteps | None = replay()
        self._viewers: weakref.WeakSet[Any] = weakref.WeakSet()
        if not self._steps.open_at_end():
            raise UsageError("this history has no decision yet: there is no step to show")
        self._decided = decided
        self._find_other = find_other
        found = opening_of(self._steps) if at is None else Opening(self._steps[at].number, "")
        self._number, self._why = found
        self._opened = found.number

    def __repr__(self) -> str:
        return "\n  ".join(filter(None, (repr(self.step), self.opened, _MOVES)))

    def _repr_html_(self) -> str:
        return self.step._repr_html_()

    # -- where it is --

    @property
    def steps(self) -> ReplaySteps:
        """The steps through which it moves."""
        with self._lock:
            if self._steps is None:
                self._steps = self._replay()
            return self._steps

    @property
    def step(self) -> ReplayStep:
        """The step at which it stands. Set it, to a step or its number, to move there."""
        with self._lock:
            return self.steps[min(self._number, len(self.steps))]

    @step.setter
    def step(self, to: ReplayStep | int) -> None:
        self.go_to(to)

    @property
    def number(self) -> int:
        """The number of its step."""
        return self._number

    @property
    def opened(self) -> str:
        """Why it stands where it does, as long as it stands where it did at first: `opened where it waits now`."""
        return f"opened {self._why}" if self._why and self._number == self._opened else ""

    def new_decisions(self) -> int:
        """The number of decisions that were recorded since its history was read: `reload` reads them."""
        if self._decided is None:
            return 0
        return max(self._decided() - decisions_in(self.steps.history), 0)

    def __len__(self) -> int:
        """The number of steps."""
        return len(self.steps)

    # -- moves --

    def go_to(self, to: ReplayStep | int) -> ReplayStep:
        """Move to a step, or to that of this number; -1 is the last. Raises `UsageError` if there is none."""
        number = to.number if isinstance(to, ReplayStep) else to
        check_whole(number, "the number of a step")
        with self._lock:
            step = self.steps[number]
            self._number = step.number
        for viewer in tuple(self._viewers):
            viewer.moved()
        return step

    def forward(self, count: int = 1) -> ReplayStep:
        """Move on by so many steps, at most to the last. Raises `UsageError` for what is no whole number."""
        check_whole(count, "how many steps it moves")
        return self.go_to(max(min(self._number + count, len(self)), 1))

    def back(self, count: int = 1) -> ReplayStep:
        """Move back by so many steps, at most to the first. Raises `UsageError` for what is no whole number."""
        check_whole(count, "how many steps it moves")
        return self.forward(-count)

    def first(self) -> ReplayStep:
        """Move to the first step."""
        return self.go_to(1)

    def last(self) -> ReplayStep:
        """Move to the last step."""
        return self.go_to(-1)

    def to_event(self, event: int) -> ReplayStep:
        """Move to the step that first saw this event, or whose decisions it records. Raises `UsageError`."""
        return self.go_to(self.steps.at(event=event))

    def to_line(self, line: int | str, *, backwards: bool = False) -> ReplayStep:
        """Move on to the next step, or back to the one before, in which this line ran, made a command, or waits.

        `line` is a number or `flows.py:12`. Raises `UsageError` if there is none.
        """

        def search(after: int, backwards: bool) -> ReplayStep | None:
            return self.steps.at_line(line, after=after, backwards=backwards)

        found = search(self._number, backwards)
        elsewhere = self._elsewhere(search, backwards) if found is None else None
        return self._found(found, f"comes to line {line}", backwards, elsewhere)

    def to_condition(
        self,
        condition: str | Callable[[ReplayStep], object],
        *,
        backwards: bool = False,
        stopped: Callable[[], bool] | None = None,
    ) -> ReplayStep:
        """Move on to the next step, or back to the one before, at whose end this holds: a function of a step, or a
        Python expression over the local variables of `run` and `step`.

        `stopped` is asked before each step whether to give up; `stop` interrupts an expression, too, and so does
        `SIMPLEFLOW_LAB_STEP_SECONDS`. Raises `UsageError` if it holds nowhere.
        """
        if not isinstance(condition, str) and not callable(condition):
            raise UsageError(f"a condition is an expression or a function of a step, not {condition!r:.60}")
        holds = Condition(condition) if isinstance(condition, str) else condition

        def check(step: ReplayStep) -> object:
            if stopped is not None and stopped():
                raise UsageError(f"stopped at step {step.number}, where it did not hold yet")
            return holds(step)

        if not isinstance(holds, Condition):
            found = self.steps.find(check, after=self._number, backwards=backwards)
            return self._found(found, "fulfils the condition", backwards)

        def search(after: int, backwards: bool) -> ReplayStep | None:
            return self._found_by(holds, check, after=after, backwards=backwards, stopped=stopped)

        found = search(self._number, backwards)
        elsewhere = self._elsewhere(search, backwards) if found is None else None
        return self._found(found, f"has {holds.text[:80]}", backwards, elsewhere, holds.error)

    def _found_by(
        self,
        condition: Condition,
        check: Callable[[ReplayStep], object],
        *,
        after: int,
        backwards: bool,
        stopped: Callable[[], bool] | None,
    ) -> ReplayStep | None:
        """Look in a thread that can be left: an expression may be an endless one."""
        limit = settings.current().lab_step_seconds

        def check_time() -> None:
            at, lasted = condition.running
            if stopped is not None and stopped():
                raise UsageError(f"stopped at step {at or self._number}, where it did not hold yet")
            if limit and lasted > limit:
                raise UsageError(
                    f"the condition ran for {limit:g} s in step {at}, and was interrupted: it may be an endless one"
                )

        self._searching = thread = ReplayThread("search for a condition")
        try:
            return thread.call_watched(check_time, self.steps.find, check, after=after, backwards=backwards)
        finally:
            self._searching = None
            thread.close(1)  # code of C may run in it for longer

    def stop(self) -> None:
        """Give up, from any thread, what is being looked for or replayed: who waits for it gets a `UsageError`."""
        for running in (self._searching, self._replaying, self._steps):
            if running is not None:
                running.stop()

    def to_failure(self, *, after: int = 0) -> ReplayStep:
        """Move to the first step after number `after` in which something failed. Raises `UsageError` if none did."""
        check_whole(after, "after")
        found = self.steps.find(lambda step: step.has_failure, after=after)
        if found is None:
            raise UsageError(f"nothing failed{f' after step {after}' if after else ''} in these {len(self)} steps")
        return self.go_to(found)

    def to_divergence(self) -> ReplayStep:
        """Move to the step in which the code decides otherwise than recorded. Raises `UsageError` if none does."""
        found = self.steps.first_divergence()
        if found is None:
            raise UsageError(f"the code makes all {len(self)} decisions as they were recorded")
        return self.go_to(found)

    def to_parting(self, other: Any) -> ReplayStep:
        """Move to the first step from which another execution went another way: an execution, a history, or steps; or
        the workflow id of an execution that is where this one is.

        Raises `UsageError` if they part nowhere.
        """
        if isinstance(other, str):
            found = self.beside(other)
            if found is None:
                raise UsageError(f"no execution {other!r:.80} where this one is: debugger.to_parting(other) takes any")
            other = found
        theirs = other.history() if hasattr(other, "history") and callable(other.history) else other
        if isinstance(theirs, Debugger):
            theirs = theirs.steps
        if not isinstance(theirs, History | ReplaySteps):
            raise UsageError(f"an execution or a history is compared with, not {other!r:.80}")
        parted = self.steps.parting(theirs)
        if parted is None:
            raise UsageError("they part nowhere: both saw and asked the same in every step")
        return self.go_to(parted[0])

    def beside(self, workflow_id: str) -> Any:
        """The latest execution with this id where this one is; `None` if there is none."""
        return None if self._find_other is None else self._find_other(workflow_id)

    def _elsewhere(self, search: Callable[[int, bool], ReplayStep | None], backwards: bool) -> ReplayStep | None:
        """The nearest step in the other direction, this one included, for which somebody looked in vain."""
        after = self._number - 1 if backwards else self._number + 1
        with contextlib.suppress(UsageError):  # it is a hint, and may be interrupted
            return search(after, not backwards)
        return None

    def _found(
        self,
        step: ReplayStep | None,
        what: str,
        backwards: bool,
        elsewhere: ReplayStep | None = None,
        error: str | None = None,
    ) -> ReplayStep:
        if step is not None:
            return self.go_to(step)
        where = "before" if backwards else "after"
        if elsewhere is None:
            more = f": {error}" if error else ""
        elif elsewhere.number == self._number:
            more = f", but step {elsewhere.number}, which is shown, does"
        else:
            more = f", but step {elsewhere.number} does: look {'onwards' if backwards else 'backwards'}"
        raise UsageError(f"no step {where} {self._number} {what}{more}")

    # -- its replay --

    def reload(self) -> ReplayStep:
        """Replay the history as it is now, with the code as it is now, and stand at the same step, if it is there."""
        self._replaying = steps = self._replay()
        try:
            if not steps.open_at_end():
                raise NoSuchStepError(self._number, 0)
        finally:
            self._replaying = None
        with self._lock:
            self._steps, self._why = steps, ""
        return self.go_to(min(self._number, len(steps)))  # who shows it may not be told within the lock

    def rest(self) -> None:
        """Let the replay and its thread go; steps that somebody holds keep theirs. It begins anew when it is needed."""
        with self._lock:
            self._steps = None

    def add_viewer(self, viewer: Any) -> None:
        """Call `viewer.moved()` after each move, as long as somebody else holds it."""
        self._viewers.add(viewer)

    def remove_viewer(self, viewer: Any) -> None:
        """Call it no more; without any viewer the debugger rests."""
        self._viewers.discard(viewer)
        if not self._viewers:
            self.rest()

"""The fibers of a watched replay: their names, and where each is suspended.

Rule: work per decision is in proportion to the fibers that ran in it. A fiber that hasn't run keeps the stack that was
recorded before, where many are suspended.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Final

from simpleflow_lab.canvas import GroupFuture
from simpleflow_lab.futures import AnyOf
from simpleflow_lab.replay.fibers import Fiber, Path
from simpleflow_lab.replay.lines import line_of_error, place_text, shortened
from simpleflow_lab.replay.suspended_code import Snapshot, open_ids, stack_of, stack_of_error
from simpleflow_lab.replay.trace_records import FiberName, Raised, SuspendedFiber
from simpleflow_lab.replay.value_text import value_text

MAX_FRESH_STACKS: Final = 100
"""Most fibers that ran in a decision and whose local variables are recorded with it."""
MAX_RENEWED: Final = 10
"""Most fibers that did not run in a decision and of which is recorded again what may have changed: their local
variables, and for which tasks they wait."""


MAX_REASON: Final = 1_000
"""Most characters of what is said of an error that ended the execution."""


class TracedFibers:
    """The fibers of one run, in the first run of its code and in its reruns."""

    def __init__(self, *, stacks_from: int, snapshot: Snapshot | None = None) -> None:
        """`stacks_from`: fibers are recorded with the local variables of their stacks from the decision on whose
        `DecisionTaskStarted` event has at least this id. `snapshot` copies their values, beside their texts."""
        self._stacks_from = stacks_from
        self._snapshot = snapshot
        self._is_rerun = False
        self._names: dict[Fiber, FiberName] = {}
        """The names of fibers that have not ended."""
        self._last_number = 0
        self._numbers: dict[tuple[Path, str], int] = {}
        """The numbers of all fibers so far, by path and label: a fiber of a rerun gets that of its equal."""
        self._resumed: dict[Fiber, None] = {}
        self._suspended: dict[Fiber, SuspendedFiber] = {}
        self._with_stack: dict[Fiber, None] = {}
        """Those of the suspended fibers in which code of the author's is."""
        self._on_several: dict[Fiber, None] = {}
        """Those that wait for several tasks, of which some may close while the fiber does not run."""

    def with_locals(self, stacks_from: int, snapshot: Snapshot | None) -> TracedFibers:
        """The same fibers as they are now, under the same names, with local variables as it is said in `__init__`. It
        is told of all that this one is told of, and after it."""
        found = TracedFibers(stacks_from=stacks_from, snapshot=snapshot)
        found._is_rerun = self._is_rerun
        found._names, found._numbers = self._names, self._numbers
        found._resumed = dict(self._resumed)
        found._suspended, found._with_stack = dict(self._suspended), dict(self._with_stack)
        found._on_several = dict(self._on_several)
        return found

    @property
    def resumed(self) -> Iterable[Fiber]:
        """The fibers that ran in this decision, each once."""
        return self._resumed

    def begin_rerun(self) -> None:
        """The code is about to run from its start, in new fibers."""
        self._is_rerun = True
        for of_this_run in (self._names, self._resumed, self._suspended, self._with_stack, self._on_several):
            of_this_run.clear()

    def resume(self, fiber: Fiber) -> bool:
        """The fiber runs in this decision; gives whether it is new."""
        self._resumed[fiber] = None
        if fiber in self._names:
            return False
        self.name(fiber)
        return True

    def name(self, fiber: Fiber | None) -> FiberName | None:
        """The name of a fiber, which it keeps; of none, none."""
        if fiber is None:
            return None
        name = self._names.get(fiber)
        if name is None:
            line = "" if fiber.line is None or fiber.label.startswith("hook ") else f" at {place_text(fiber.line)}"
            label = f"{fiber.label}{line}"
            name = self._names[fiber] = FiberName(self._number(fiber, label), label)
        return name

    def _number(self, fiber: Fiber, label: str) -> int:
        """The fiber's own number; in a rerun that of its equal before, or the next one that no fiber had."""
        key = (fiber.path, label)
        if self._is_rerun:
            number = self._numbers.setdefault(key, self._last_number + 1)
        else:
            number = self._numbers[key] = fiber.number
        self._last_number = max(self._last_number, number)
        return number

    def end_decision(self, started_event_id: int) -> tuple[SuspendedFiber, ...]:
        """The fibers that are suspended at the end of this decision."""
        suspended, resumed = self._suspended, self._resumed
        with_locals = started_event_id >= self._stacks_from
        if with_locals:
            for fiber in [fiber for fiber in islice(self._with_stack, MAX_RENEWED) if fiber not in resumed]:
                suspended[fiber] = self._suspended_fiber(fiber, started_event_id, with_locals=True)
        for number, fiber in enumerate(resumed):
            if fiber.waits_for is None:
                for alive in (suspended, self._with_stack, self._names, self._on_several):
                    alive.pop(fiber, None)  # it has ended
            else:
                fresh = with_locals and number < MAX_FRESH_STACKS
                known = suspended[fiber] = self._suspended_fiber(fiber, started_event_id, with_locals=fresh)
                if known.stack:
                    self._with_stack[fiber] = None
                if isinstance(fiber.waits_for, AnyOf | GroupFuture):
                    self._on_several[fiber] = None
                else:
                    self._on_several.pop(fiber, None)
        for fiber in islice(self._on_several, MAX_RENEWED):
            if fiber not in resumed and fiber.waits_for is not None:
                known, ids = suspended[fiber], open_ids(fiber.waits_for)
                if ids != known.waits_for_ids:
                    suspended[fiber] = known._replace(waits_for_ids=ids)
        resumed.clear()
        return tuple(suspended.values())

    def raised(self, error: BaseException, reason: str, started_event_id: int) -> Raised:
        """The error that ended the execution in this decision, and where it was raised."""
        with_locals = started_event_id >= self._stacks_from
        stack = stack_of_error(error, with_locals=with_locals, snapshot=self._snapshot)
        return Raised(text=shortened(reason, MAX_REASON), line=line_of_error(error), stack=stack)

    def _suspended_fiber(self, fiber: Fiber, started_event_id: int, *, with_locals: bool) -> SuspendedFiber:
        future, name = fiber.waits_for, self.name(fiber)
        assert future is not None
        assert name is not None
        stack, is_stack_cut = stack_of(fiber, with_locals=with_locals, snapshot=self._snapshot)
        return SuspendedFiber(
            name=name,
            waits_for=value_text(future),
            waits_for_ids=open_ids(future),
            stack=stack,
            is_stack_cut=is_stack_cut,
            recorded_at=started_event_id,
        )

"""Of a fork: which of its commands are those that the inherited events record.

Along inherited events a recorded command that the code has not made is unclaimed. The code claims it once it makes the
same one: it then gets what is recorded of it, and runs nothing again. Behind these events the code claims only what a
limit, as `max_parallel`, deferred where they end, of a group that it submitted before; what it makes because of
something new, it runs anew.

Rule: one `Claims` belongs to one run of the code from its start.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from simpleflow_lab.canvas import GroupFuture
from simpleflow_lab.futures import Future
from simpleflow_lab.replay.command import Command
from simpleflow_lab.replay.commands.activity import ACTIVITY
from simpleflow_lab.replay.commands.child import CHILD
from simpleflow_lab.replay.inherited import Splice, Unclaimed
from simpleflow_lab.replay.matching import Matching
from simpleflow_lab.replay.run import ReplayedRun
from simpleflow_lab.swf import event_types
from simpleflow_lab.swf.event_types import EventType
from simpleflow_lab.swf.history import HistoryEvent


class Claims:
    """The inherited events that the code of a fork has claimed, and those that it may still claim."""

    def __init__(
        self,
        splice: Splice,
        run: ReplayedRun,
        matching: Matching,
        resolve: Callable[[HistoryEvent, EventType], None],
    ) -> None:
        """`resolve` tells the command that an event is about what it says."""
        self._splice = splice
        self._run = run
        self._matching = matching
        self._resolve = resolve
        self._unclaimed = Unclaimed()
        self._deferring: frozenset[Future] = frozenset()
        """The groups that held members back where the inherited events ended."""
        self._held: dict[Future, bool] = {}
        """The answers of `_was_deferred` so far, by future."""
        self._anew: set[str] = set()
        """The ids of the activity tasks and child executions that the fork runs itself."""
        run.identify(*splice.first_identity)
        run.reused = set()
        run.random_seed = splice.first_identity[1]
        run.ids.children = {}
        run.pending.fresh = []

    def match(self, recorded: Sequence[HistoryEvent]) -> list[tuple[HistoryEvent, Command]]:
        """Match the events that record an inherited decision with the code's commands; the others are unclaimed."""
        return self._matching.inherit(recorded, self._unclaimed)

    def holds(self, event: HistoryEvent) -> bool:
        """Whether this event is about an unclaimed command: then it is added to it."""
        return self._unclaimed.holds(event)

    def cross(self) -> None:
        """The events that were inherited from one run end here: of its unclaimed tasks those stay that completed."""
        self._unclaimed = self._unclaimed.completed()
        self._deferring = frozenset(self._run.deferring)

    def claim_recorded(self) -> bool:
        """Let the commands that the code has made have what is recorded of them; gives whether there is something."""
        is_own = not self._splice.is_inherited(self._run.started_event_id)
        found, pending = False, self._run.pending
        fresh, pending.fresh = pending.fresh or [], []
        for command in fresh:
            may_claim = command in pending if not is_own else self._was_deferred(command.future) and command in pending
            event = self._matching.claim(command, self._unclaimed) if may_claim else None
            if event is None:
                if command.kind in (ACTIVITY, CHILD):
                    self._anew.add(command.id)
                continue
            found = True
            if self._run.observer is not None:
                self._run.observer.recorded_before(event, command)
            for each in self._unclaimed.claim(event, command.kind):
                self._resolve(each, each.row)
        return found

    def note_reused(self, command: Command, event: HistoryEvent, row: EventType) -> None:
        """Note the command as reused, if this inherited event gives its result."""
        has_result = row.state == "completed" and row.entity in (event_types.ACTIVITY, event_types.CHILD)
        if has_result and self._run.reused is not None and self._splice.is_inherited(event.id):
            self._run.reused.add(command.id)

    def _was_deferred(self, future: Future) -> bool:
        """A limit deferred it where the inherited events ended, or deferred what it follows in a chain, of which
        nothing runs anew. Of code that runs again from its start, which submits its groups anew, it is enough that one
        did."""
        each: Future | None = future
        found: bool | None = None
        while found is None and each is not None:
            group, before = each.deferred_in, each.follows
            found = self._held.get(each)
            if group is not None and (self._run.is_rerun or group in self._deferring or self._was_deferred(group)):
                found = True
            each = None if before is None or self._runs_anew(before) else before
        self._held[future] = bool(found)
        return bool(found)

    def _runs_anew(self, future: Future) -> bool:
        if isinstance(future, GroupFuture):
            return any(map(self._runs_anew, future.futures))
        return future.task_id in self._anew

"""The futures of a watched replay: which line submitted each, on which others it depends, and what became of it.

Code that runs again from its start submits everything again and gets new futures. Each is recognised, by the id of its
task or else by its place in the code, so that all of them are one record.

Rule: work per decision is in proportion to the futures that changed in it; the records are a log.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from simpleflow_lab.canvas import GroupFuture
from simpleflow_lab.futures import Future
from simpleflow_lab.replay.command import Command
from simpleflow_lab.replay.fibers import Fiber, Path
from simpleflow_lab.replay.lines import Line
from simpleflow_lab.replay.trace_records import FiberName, FutureLog, FutureRecord, FutureUse
from simpleflow_lab.replay.value_text import value_text
from simpleflow_lab.swf.history import HistoryEvent

_Place = tuple[Path, str, str]
"""A place of the code, the same in each run of it: the fiber's path, a kind of task, and the name of what is submitted.
"""


class TracedFuture:
    """The state of a future as far as it is known; where each rerun submits it again, one state for all of them."""

    __slots__ = (
        "_run",
        "attempts",
        "closed",
        "command",
        "depends_on",
        "fiber",
        "future",
        "is_changed",
        "kind",
        "latest",
        "line",
        "members",
        "number",
        "scheduled",
        "started",
        "value",
    )

    def __init__(
        self,
        number: int,
        kind: str,
        run: int,
        future: Future,
        line: Line | None,
        fiber: FiberName | None,
        depends_on: Sequence[int] = (),
    ) -> None:
        self.number = number
        self.kind = kind
        self.command: Command | None = None
        """The latest command of its task, once an event records it."""
        self.latest: FutureRecord | None = None
        """As it was recorded last."""
        self.is_changed = False
        self.submit(run, future, line, fiber, depends_on)
        self.forget_events()

    def submit(
        self, run: int, future: Future, line: Line | None, fiber: FiberName | None, depends_on: Sequence[int]
    ) -> None:
        """The code submits it in this run of it, the first or a rerun, and gets this future."""
        self._run = run
        self.future = future
        self.line = line
        self.fiber = fiber
        self.depends_on = depends_on
        self.members: list[int] = []
        self.value: str | None = None
        """Its result or error as a text, as it was when it was done: the code may change a result afterwards."""

    def is_done(self) -> None:
        """Its future is done: note what it gave before any code gets it."""
        self.value = self._value_of(self.future)

    @staticmethod
    def _value_of(future: Future) -> str:
        _, result, error = future.peek()
        return value_text(result if error is None else error)

    def forget_events(self) -> None:
        """No event is known to be about it."""
        self.attempts = 0
        self.scheduled: int | None = None
        self.started: int | None = None
        self.closed: int | None = None

    def is_of(self, run: int) -> bool:
        """Whether it was submitted in this run of the code."""
        return self._run == run

    def record(self, run: int) -> FutureRecord:
        """As it is now, in this run of the code."""
        # A task that this run has not submitted again is resolved in its command alone.
        future = self.future if self._run == run or self.command is None else self.command.future
        state, _, error = future.peek()
        value = None
        if future.done:
            value = self.value if future is self.future else None
            value = self._value_of(future) if value is None else value
        return FutureRecord(
            number=self.number,
            kind=self.kind,
            id=future.task_id or None,
            line=self.line,
            fiber=self.fiber,
            depends_on=self.depends_on,
            members=tuple(self.members),
            state=state,
            value=value,
            failed=error is not None,
            attempts=self.attempts,
            scheduled_event_id=self.scheduled,
            started_event_id=self.started,
            closed_event_id=self.closed,
        )


class TracedFutures:
    """The futures of one run, in the first run of its code and in its reruns."""

    def __init__(self) -> None:
        self.log = FutureLog()
        """The records, in the order in which the futures changed."""
        self._run = 1
        """Which run of the code this is: the first, or the second if it is rerun, and so on."""
        self._by_future: dict[Future, TracedFuture] = {}
        """Those that this run of the code got."""
        self._arguments: dict[Future, Sequence[Future]] = {}
        """The futures among the arguments of a task that is being submitted."""
        self._known = 0
        self._places: dict[_Place, list[TracedFuture]] = {}
        """The futures that each place of the code has submitted in any run, in order."""
        self._submitted: Counter[_Place] = Counter()
        """Number of those that this run has submitted so far."""
        self._by_id: dict[tuple[str, str], TracedFuture] = {}
        """Recorded tasks, by kind and id, of kinds whose ids are unique."""
        self._by_command: dict[Command, TracedFuture] = {}
        self._by_event: dict[int, TracedFuture] = {}
        self._groups: dict[Fiber, TracedFuture] = {}
        """The containers whose members each fiber submits."""
        self._new_groups: list[TracedFuture] = []
        """Submitted in this decision."""
        self._changed: list[TracedFuture] = []

    # -- what the code does --

    def __contains__(self, future: Future) -> bool:
        """Whether this run of the code has submitted it."""
        return future in self._by_future

    def capture(self, future: Future, dependencies: Sequence[Future]) -> None:
        """These are the futures among the arguments of a task that is about to be submitted."""
        self._arguments[future] = dependencies

    def submit(
        self, kind: str, name: str, future: Future, line: Line | None, fiber: Fiber | None, fiber_name: FiberName | None
    ) -> TracedFuture:
        """The code submits something at this line, and gets this future for it."""
        known = self._by_future
        arguments = self._arguments.pop(future, ())
        depends_on = tuple(dict.fromkeys(known[each].number for each in arguments if each in known))
        place = (() if fiber is None else fiber.path, kind, name)
        traced = self._submitted_before(place, future)
        if traced is None:
            self._known += 1
            traced = TracedFuture(self._known, kind, self._run, future, line, fiber_name, depends_on)
            self._places.setdefault(place, []).append(traced)
        else:
            traced.submit(self._run, future, line, fiber_name, depends_on)
        known[future] = traced
        self._change(traced)

        def done(of: Future) -> None:
            if of is traced.future:  # and not of a run of the code before
                traced.is_done()
            self._change(traced)

        if future.done:
            traced.is_done()
        else:
            future.add_done_callback(done)
        return traced

    def submit_group(
        self, kind: str, future: GroupFuture, line: Line | None, fiber: Fiber | None, fiber_name: FiberName | None
    ) -> None:
        """The code submits a container; its members come later."""
        self._new_groups.append(self.submit(kind, "", future, line, fiber, fiber_name))

    def fiber_begins(self, fiber: Fiber) -> None:
        """A new fiber runs: that of a container, which submits its members in a fiber that it starts at once."""
        if self._new_groups:
            self._groups[fiber] = self._new_groups[-1]

    def begin_rerun(self, commands: Iterable[Command], resumed: Iterable[Fiber]) -> None:
        """The code is about to run from its start. `commands` are pending, the `resumed` fibers ran until now."""
        for command in commands:
            self.of_command(command)  # it is found by its future, which it is about to lose
        self._add_new_members(resumed)
        self._run += 1
        self._by_future.clear()
        self._submitted.clear()
        self._groups.clear()

    def start_over(self, resumed: Iterable[Fiber]) -> None:
        """The code runs from its start, and its history is read again from the start."""
        self.begin_rerun((), resumed)
        self._by_command.clear()
        self._by_event.clear()
        for traced in (traced for at_place in self._places.values() for traced in at_place):
            traced.forget_events()

    def _submitted_before(self, place: _Place, future: Future) -> TracedFuture | None:
        """The future of the same task in an earlier run of the code, if any: by its id, or else by its place."""
        number = self._submitted[place]
        self._submitted[place] += 1
        if self._run == 1:
            return None
        id = future.task_id
        traced = self._by_id.get((place[1], id)) if id else None
        if traced is not None and not traced.is_of(self._run):
            return traced
        at_place = self._places.get(place, ())
        traced = at_place[number] if number < len(at_place) else None
        if traced is None or traced.is_of(self._run) or (id and traced.future.task_id and id != traced.future.task_id):
            return None
        return traced

    # -- what the history says --

    def seen(self, events: Iterable[HistoryEvent]) -> None:
        """These events begin or end what the futures stand for."""
        for event in events:
            row = event.row
            traced = self._by_event.get(event.attributes.get(row.find.follows, 0)) if row.find.follows else None
            if traced is None:
                continue
            if row.closes:
                traced.closed = event.id
            elif row.state == "started":
                traced.started = event.id
            else:
                continue
            self._change(traced)

    def of_command(self, command: Command) -> TracedFuture | None:
        """The future that this command is for, or `None` if the code has none for it."""
        traced = self._by_command.get(command)
        if traced is None:
            traced = self._by_future.get(command.future)
            if traced is not None:
                self._by_command[command] = traced
                traced.command = command
        return traced

    def recorded(self, event: HistoryEvent, command: Command) -> None:
        """This event records the command."""
        traced = self.of_command(command)
        if traced is None:
            return
        if command.kind.has_unique_ids:
            self._by_id[traced.kind, command.id] = traced
        traced.attempts += 1
        traced.scheduled, traced.started, traced.closed = event.id, None, event.id if event.row.closes else None
        self._by_event[event.id] = traced
        self._change(traced)

    # -- records --

    def end_decision(self, resumed: Iterable[Fiber], *, is_recorded: bool = True) -> None:
        """Record in the log what changed in this decision, in which these fibers ran; or else with the next one."""
        self._add_new_members(resumed)
        for fiber in resumed:
            if fiber.waits_for is None:
                self._groups.pop(fiber, None)  # it has ended
        if not is_recorded:
            return
        changed, self._changed = self._changed, []
        for traced in changed:
            traced.is_changed = False
            record = traced.record(self._run)
            if record != traced.latest:  # a rerun submits all of it again
                traced.latest = record
                self.log.append(record)

    def uses(self) -> tuple[FutureUse, ...]:
        """The use that the code has made of each future so far, in the order of their numbers."""
        passed_on: set[int] = set()
        awaited: set[int] = set()
        found = []
        every = [(traced.record(self._run), traced) for traced in self._by_future.values()]
        for record, traced in sorted(every, key=lambda each: each[0].number):  # containers come before their members
            future = traced.future
            passed_on.update(record.depends_on)
            if future.is_read or record.number in passed_on:
                passed_on.update(record.members)
            if future.is_awaited or record.number in awaited:
                awaited.update(record.members)
            found.append((record, traced))
        return tuple(
            FutureUse(
                record=record,
                is_awaited=future.is_awaited or record.number in awaited,
                is_read=future.is_read or record.number in passed_on,
                is_canceled=future.cancelled or (traced.command is not None and traced.command.cancel_requested),
                is_unhandled=future.unhandled_failure,
                has_value=future.peek()[1] is not None,
                not_submitted=len(future.activities) - len(future.futures) if isinstance(future, GroupFuture) else 0,
            )
            for record, traced in found
            for future in (traced.future,)
        )

    def _change(self, traced: TracedFuture) -> None:
        if not traced.is_changed:
            traced.is_changed = True
            self._changed.append(traced)

    def _add_new_members(self, resumed: Iterable[Fiber]) -> None:
        grown = [self._groups[fiber] for fiber in resumed if fiber in self._groups]
        for group in dict.fromkeys([*self._new_groups, *grown]):
            self._add_members(group)
        self._new_groups.clear()

    def _add_members(self, group: TracedFuture) -> None:
        assert isinstance(group.future, GroupFuture)
        new = group.future.futures[len(group.members) :]
        if new:
            group.members.extend(self._by_future[member].number for member in new if member in self._by_future)
            self._change(group)

"""A history replayed: the workflow's code runs along it, decision by decision.

Each decision is replayed as it was made: the events that the decider saw then are applied, the code runs until all its
fibers are suspended, and its commands are matched with the decisions that the history records. So a branch on
`future.done` sees what it saw the first time, and changed code is found at the first difference.

A `Replay` can be cached: fed only the new events, it goes on where it was, and a chain of N tasks costs N steps in all.
Made anew and fed the whole history it comes to the same decisions.

Rule: no I/O, no clock, no chance.
"""

from __future__ import annotations

import contextvars
import itertools
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager

from simpleflow_lab.data.fields import Fields
from simpleflow_lab.exceptions import (
    EDITED_CODE,
    UNKNOWN_IDS,
    CloseNotPermittedError,
    HistoryError,
    ImpureWorkflowError,
)
from simpleflow_lab.replay.answer import Answer, Selection, answer_with, new_context, select
from simpleflow_lab.replay.budgets import Room, warnings_of_fields, warnings_of_length, warnings_of_room
from simpleflow_lab.replay.claims import Claims
from simpleflow_lab.replay.commands.activity import ACTIVITY
from simpleflow_lab.replay.commands.child import CHILD
from simpleflow_lab.replay.commands.close import continuing_refused
from simpleflow_lab.replay.commands.kinds import Kinds
from simpleflow_lab.replay.commands.timer import TIMER
from simpleflow_lab.replay.executor import ReplayExecutor
from simpleflow_lab.replay.fibers import Fiber
from simpleflow_lab.replay.history_reader import LIMIT_KEY, SECOND_RULES, DecisionBatch, HistoryReader
from simpleflow_lab.replay.impurities import Impurity, impurities_of
from simpleflow_lab.replay.inherited import Crossing, Splice, from_text
from simpleflow_lab.replay.matching import Matching
from simpleflow_lab.replay.muted_output import new_output, recorded_output
from simpleflow_lab.replay.observer import Observer
from simpleflow_lab.replay.patches import Patches
from simpleflow_lab.replay.refused_closes import (
    RetainedEvents,
    continuing_refused_for,
    hooks_called_for,
    is_refused,
    not_permitted,
)
from simpleflow_lab.replay.run import ReplayedRun
from simpleflow_lab.replay.spliced_observer import SplicedObserver
from simpleflow_lab.replay.upstream_decisions import match_raising_at_once, raise_all_at_once
from simpleflow_lab.replay.workflow_code import WorkflowCode
from simpleflow_lab.swf import event_types
from simpleflow_lab.swf.event_types import EVENT_TYPES, UNKNOWN_EVENT_TYPE, EventType
from simpleflow_lab.swf.fork_start import ForkedFrom, forked_from
from simpleflow_lab.swf.history import HistoryEvent
from simpleflow_lab.swf.limits import MAX_OPEN_ACTIVITIES, MAX_OPEN_CHILDREN
from simpleflow_lab.workflow import Workflow


class Replay:
    """One workflow execution, replayed."""

    def __init__(
        self,
        workflow: type[Workflow],
        *,
        domain: str = "",
        workflow_id: str = "",
        run_id: str = "",
        context: contextvars.Context | None = None,
        defaults: Mapping[str, str] | None = None,
        max_open_activities: int = MAX_OPEN_ACTIVITIES,
        fields: Fields | None = None,
        observer: Observer | None = None,
    ) -> None:
        """`context` is what the workflow's code sees as its `contextvars`, and so where its output goes.

        `defaults` are the task list and the timeouts of activities that set none, by their names in a decision.
        `max_open_activities` is how many activity tasks may be open at a time, if the workflow's class does not say.
        `fields` reads the large fields of the history; without it those that the code reads can't be read.
        `observer` watches: it is told of every decision, whether replayed or made.
        """
        self.workflow = workflow
        self._reader = HistoryReader()
        self._observer = observer
        self._max_open_activities = int(getattr(workflow, "max_open_activity_count", None) or max_open_activities)
        self._has_place = fields is None or fields.has_place
        self._near_limits: dict[str, None] = {}
        """Warnings of SWF's limits."""
        self._execution_context = ""
        self._not_made: set[int] = set()
        """The decisions that count as not made, by their `DecisionTaskStarted`; see `refused_closes`."""
        self._is_refused = False
        """The latest decision is one of them."""
        self._hooks_called: set[str] = set()
        """The hooks of a close that were called for a close that SWF refused."""
        self._refused: DecisionBatch | None = None
        """The latest of them, if its code did not run."""

        def new_run() -> ReplayedRun:
            return ReplayedRun(
                self._reader.events,
                domain=domain,
                workflow_id=workflow_id,
                run_id=run_id,
                context=context,
                defaults=defaults or {},
                fields=self._fields,
                observer=self._observer,
            )

        self._new_run = new_run
        self._fields = fields if fields is not None else Fields()
        self._identity = (workflow_id, run_id)
        self._splice: Splice | None = None
        """Of a fork: where what it inherits stands in its history."""
        self._runs_until: int | None = None
        """Of a fork: id of the inherited `DecisionTaskStarted` in whose decision the code would end. It runs up to the
        decision before, and ends in the fork's own."""
        self._begin()

    def _begin(self) -> None:
        """Be before the first decision."""
        run = self._run = self._new_run()
        run.hooks_called = self._hooks_called
        self._kinds = Kinds(run)
        self._patches = Patches()
        executor = ReplayExecutor(run, self._kinds, self._patches)
        self._code = WorkflowCode(self.workflow, run, self._kinds, executor, self._claim_recorded)
        self._matching = Matching(run)
        self._continuing_refused: str | None = None
        """Why SWF refused for good to continue as new, in the decision before."""
        self._retained: RetainedEvents | None = None
        splice = self._splice
        self._claims = None if splice is None else Claims(splice, run, self._matching, self._resolve)
        """Of a fork: which of its commands the inherited events record."""

    # -- what a decider does --

    def feed(self, events: Iterable[HistoryEvent]) -> None:
        """Take the events since the last ones, in order; events that are known already are skipped.

        Raises `NondeterminismError` at the first decision that the code would make otherwise, `HistoryError` if events
        are missing.
        """
        for batch in self._reader.read(self._inside(events)):
            self._replay(batch)

    def decide(self, started_event_id: int, *, dry: bool = False) -> Answer:
        """The decisions for the decision task that this event started. Call `feed` before.

        With `dry` they are only inspected: no hook of a close runs, output is muted, the code sees `is_replaying`, and
        no command counts as sent. A replay that made a dry decision makes only dry ones. One that another decider than
        ours is about to make is made as simpleflow's does.

        Raises `DecisionTaskError` for what must not close the execution.
        """
        if self._splice is not None:
            started_event_id = self._splice.id_inside(started_event_id)
        if self._run.is_dry and not dry:
            raise RuntimeError("this replay made a dry decision: make a new replay to decide")
        if self.workflow.determinism == "raise" and self.impurities:
            impure = ImpureWorkflowError("; ".join(str(impurity) for impurity in self.impurities))
            if self._observer is not None:
                seen = self._run.events[self._run.started_event_id : started_event_id]
                self._observer.decision_begins(started_event_id, seen, None)
                self._observer.decision_failed(impure, pending=len(self._run.pending))
            raise impure
        self.replay_last_batch()
        printed, logged = list[str](), list[str]()
        if self._is_refused:
            if not dry:
                printed, logged = self._written_before()
            self._go_back(started_event_id)
        self._run.is_dry = dry
        if printed or logged:
            with new_output(printed, logged):
                self._run_to(started_event_id, None)
        else:
            self._run_to(started_event_id, None)
        if dry and self._reader.decider_of(started_event_id) is None:
            raise_all_at_once(self._code, self._observer)
        room = self._room()
        selection = select(self._run, self._kinds, room=room)
        self._note_budgets(room, selection)
        if dry:
            answer = Answer(
                selection.decisions, new_context(self._run, self._kinds, selection, self._execution_context)
            )
        else:
            answer = answer_with(self._run, self._kinds, selection, self._execution_context)
        if self._observer is not None:
            self._observer.decision_made(answer.decisions, answer.execution_context, pending=len(self._run.pending))
        return answer

    def replay_last_batch(self, rest: Sequence[HistoryEvent] = ()) -> None:
        """Replay the decision at the end of the history, to which no further event belongs. Raises as `feed`.

        `rest` are the further events that record it, if only a prefix of the history is replayed. From them the code
        learns which patches it took then, and nothing else; commands that the prefix doesn't record are no difference.
        """
        batch = self._reader.take_last_batch(rest if self._splice is None else list(map(self._splice.inside, rest)))
        if batch is not None:
            self._replay(batch)

    def close(self) -> None:
        """End the workflow's code, from the thread that replayed it."""
        self._run.fibers.close()

    # -- what is known of it --

    @property
    def impurities(self) -> tuple[Impurity, ...]:
        """Lines of the workflow that may do something else when they run again."""
        return () if self.workflow.determinism == "off" else impurities_of(self.workflow)

    def take_warnings(self) -> list[str]:
        """The warnings since the last call: of values that the code passed or returned, and of SWF's limits."""
        near_limits, self._near_limits = self._near_limits, {}
        return [*self._run.fields.take_warnings(), *near_limits]

    @property
    def decided_for(self) -> int:
        """Id of the `DecisionTaskStarted` event up to which the code has run; 0 before the first."""
        started = self._run.started_event_id
        return started if self._splice is None else self._splice.id_outside(started)

    @property
    def started(self) -> HistoryEvent | None:
        """The first event, once it was fed."""
        return self._reader.events[0] if self._reader.events else None

    @property
    def last_event_id(self) -> int:
        """Id of the last event that was fed; 0 before the first."""
        last = len(self._reader.events)
        return last if self._splice is None else self._splice.id_outside(last)

    @property
    def sees_later(self) -> bool:
        """Simpleflow's decider, whose decision was inspected, wakes itself for what it has recorded."""
        return self._run.sees_later

    @property
    def not_permitted(self) -> CloseNotPermittedError | None:
        """Why the next decision should wait before it closes the execution once more, or `None`."""
        return not_permitted(self._reader.events)

    @property
    def suspended(self) -> list[Fiber]:
        """The suspended fibers of the workflow, with their frames."""
        return self._run.fibers.suspended

    @property
    def author_error(self) -> BaseException | None:
        """The error that ended `run` in a replay that is watched, with its traceback."""
        return self._run.author_exception

    def no_fiber_runs(self) -> AbstractContextManager[None]:
        """Within it, a debugger reads the code's values: a future that is not done raises, and switches to nobody."""
        return self._run.fibers.paused()

    # -- SWF's limits --

    def _room(self) -> Room:
        is_open = self._matching.open
        return Room(
            activities=self._max_open_activities - is_open[ACTIVITY],
            children=MAX_OPEN_CHILDREN - is_open[CHILD],
            is_own_limit=self._max_open_activities < MAX_OPEN_ACTIVITIES,
        )

    def _note_budgets(self, room: Room, selection: Selection) -> None:
        """Keep the warnings of this decision."""
        found = self._near_limits
        found.update(dict.fromkeys(warnings_of_room(room, self._matching.open[TIMER])))
        found.update(dict.fromkeys(warnings_of_length(self.decided_for, self.workflow.continue_as_new_after)))
        if not self._has_place:
            # The timer that brings the next answer, if there is one, comes last, and has no command.
            for command, decision in zip(selection.commands, selection.decisions, strict=False):
                found.update(dict.fromkeys(warnings_of_fields(command, decision)))

    # -- along the history --

    def _replay(self, batch: DecisionBatch) -> None:
        """Run the code up to a decision that was made, and match its commands with those that the history records."""
        started = batch.started_event_id
        if self._splice is not None and self._splice.is_inherited(started):
            self._inherit(batch)
        elif started in self._not_made:
            self._retain(batch)
        elif not self._passes_over(batch):
            if self._run.started_event_id < started:
                self._run_replayed(batch)
            self._match(batch)

    def _match(self, batch: DecisionBatch) -> None:
        """Match the commands of a decision with those that the history records. Raises `NondeterminismError`."""
        decider = self._reader.decider_of(batch.started_event_id)
        recorded_limit = (decider or {}).get(LIMIT_KEY, MAX_OPEN_ACTIVITIES)
        context = batch.completed.attributes.get("executionContext")
        if context is not None:
            self._execution_context = context
        matched = self._matching.match(
            batch,
            expects_all=decider is not None and not batch.rest,
            max_open_activities=min(self._max_open_activities, recorded_limit),
            close_waits=self._kinds.signals.is_passing_on,
        )
        divergence = matched.divergence
        if divergence is not None and self._run.author_error is not None:
            divergence = divergence._replace(author_error=self._run.author_error)
        if divergence is not None and decider is not None and divergence.cause != UNKNOWN_IDS:
            divergence = divergence._replace(cause=EDITED_CODE)  # our deciders number as they are numbered here
        if decider is None and (divergence is not None or self._matching.lacks(batch.rest)):
            matched = match_raising_at_once(
                batch,
                matched._replace(divergence=divergence),
                code=self._code,
                matching=self._matching,
                max_open_activities=self._max_open_activities,
                observer=self._observer,
            )
            divergence = matched.divergence
        if divergence is not None and self._splice is not None and divergence.event_id is not None:
            divergence = divergence._replace(event_id=self._splice.id_outside(divergence.event_id))
        if self._observer is not None:
            self._observer.decision_replayed(matched.pairs, divergence, pending=len(self._run.pending))
        if divergence is not None:
            raise divergence.error()
        self._continuing_refused = continuing_refused_for(batch)

    # -- closes that SWF refused --

    def _passes_over(self, batch: DecisionBatch) -> bool:
        """Note whether the decision counts as not made, see `refused_closes`; gives whether its code need not run."""
        started = batch.started_event_id
        is_repeated = self._is_refused and 0 < self._reader.rules_of(started) < SECOND_RULES
        if self._is_refused and not is_repeated:
            self._go_back(started)
        refused = is_refused(batch)
        if refused:
            self._hooks_called |= hooks_called_for(batch)
        if not is_repeated and not refused:
            return False
        self._is_refused = True
        self._not_made.add(started)
        is_seen = self._observer is not None
        if is_seen or self._run.started_event_id >= started or self._run.closing is not None:
            self._refused = None
            return False
        self._retain(batch)
        self._refused = batch
        return True

    def _retain(self, batch: DecisionBatch) -> None:
        """Pass over a decision that counts as not made."""
        if self._retained is None:
            self._retained = RetainedEvents()
        self._retained.add(batch)
        self._execution_context = batch.completed.attributes.get("executionContext", self._execution_context)

    def _go_back(self, started_event_id: int) -> None:
        """Bring the code to where it was before the decisions that don't count, for it makes this one."""
        self._is_refused = False
        if self._run.closing is None:
            return  # it did not run for them
        self._start_over(started_event_id)

    def _start_over(self, started_event_id: int) -> None:
        """Run the code anew, up to the decision before this one."""
        if self._observer is not None:
            self._observer.starts_over()
        self._code.abandon()
        self._begin()
        for batch in HistoryReader().read(itertools.islice(self._reader.events, started_event_id)):
            self._replay(batch)

    def _written_before(self) -> tuple[list[str], list[str]]:
        """The output and log of the code in the latest decision, whose close SWF refused: neither is to come again."""
        printed, logged = list[str](), list[str]()
        # Else its code ran in this replay, which does not record what is written.
        if self._refused is not None:
            with recorded_output(printed.append, logged.append):
                self._run_replayed(self._refused)
        return printed, logged

    def _run_replayed(self, batch: DecisionBatch) -> None:
        """Run the code up to a decision that was made."""
        retained = () if self._retained is None else self._retained.recorded
        self._patches.recorded((*retained, *batch.recorded, *batch.rest))
        self._run_to(batch.started_event_id, batch)

    # -- a fork --

    def _inside(self, events: Iterable[HistoryEvent]) -> Iterable[HistoryEvent]:
        """The events as they are replayed: those of a fork with what it inherits behind the first."""
        if not self._reader.events:
            iterator = iter(events)
            first = next(iterator, None)
            if first is None:
                return ()
            events = itertools.chain((first,), iterator)
            origin = forked_from(first.attributes)
            if origin is not None and self._splice is None:
                self._begin_fork(first, origin)
        splice = self._splice
        if splice is None:
            return events
        known = len(self._reader.events)
        return itertools.chain.from_iterable(
            (splice.inside(event),) if event.id > 1 else splice.events[known:] for event in events
        )

    def _begin_fork(self, first: HistoryEvent, origin: ForkedFrom) -> None:
        """This is a fork. Raises `StoreError` if what it inherits can't be read, `HistoryError` if it is none."""
        runs = from_text(self._fields.text(origin.inherited) or "")
        if not runs:
            raise HistoryError("this fork inherits nothing: its input is damaged")
        self._splice = Splice(first, runs)
        if self._observer is not None:
            self._observer = SplicedObserver(self._observer, self._splice)
        self._begin()

    def _inherit(self, batch: DecisionBatch) -> None:
        """Run the code up to an inherited decision, and let its commands have what is recorded of them."""
        assert self._claims is not None
        started, until = batch.started_event_id, self._runs_until
        if is_refused(batch) or (until is not None and started >= until):
            self._claims.match(batch.recorded)  # the code has not run: nothing more is pending
            return
        self._run_replayed(batch)
        if self._run.closing is not None:
            # It would end here, otherwise than recorded: that is the fork's own decision, with its hooks and output.
            self._runs_until = started
            self._start_over(started)
            self._inherit(batch)
            return
        pairs = self._claims.match(batch.recorded)
        if self._observer is not None:
            self._observer.decision_replayed(pairs, None, pending=len(self._run.pending))

    def _cross(self, crossing: Crossing) -> None:
        """End what was inherited from one run, and begin with the events of the next one."""
        run = self._run
        run.identify(*(crossing.identity or self._identity))
        assert self._claims is not None
        self._claims.cross()
        self._execution_context = ""
        self._continuing_refused = None
        self._kinds.begin_own(crossing.given, crossing.children, self._matching.forget_open())

    def _claim_recorded(self) -> bool:
        """Let the commands that the code has made stand for the retained events; gives whether some do."""
        found = self._claims is not None and self._claims.claim_recorded()
        retained = self._retained
        if retained is None:
            return found
        for event in retained.recorded:
            command = self._matching.find(event)
            if command is not None:
                found = True
                self._matching.record(event, command)
                if self._observer is not None:
                    self._observer.recorded_before(event, command)
                for each in retained.take(event):
                    self._resolve(each, each.row)
        return found

    def _run_to(self, started_event_id: int, batch: DecisionBatch | None) -> None:
        """Apply the events that the decider saw, and let the code run until all of it waits.

        `batch` is the decision, if it was made before.
        """
        run = self._run
        if not 0 < started_event_id <= len(run.events):
            raise HistoryError(f"event {started_event_id} is not in the history that was fed")
        applied, run.started_event_id = run.started_event_id, started_event_id
        run.is_replaying = batch is not None
        run.rules = self._reader.rules_of(started_event_id)
        run.limits = self._reader.limits_of(started_event_id)
        run.author_error = None
        seen = run.events[applied:started_event_id]
        if self._observer is not None:
            self._observer.decision_begins(started_event_id, seen, batch)
        try:
            if self._continuing_refused is not None and run.rules >= SECOND_RULES:
                continuing_refused(run, self._continuing_refused)
            self._code.prepare()
            run.close_recorded()
            crossings: Mapping[int, Crossing] = {} if self._splice is None else self._splice.crossings
            for event in seen:
                if event.id in crossings:
                    self._cross(crossings[event.id])
                row = EVENT_TYPES.get(event.type, UNKNOWN_EVENT_TYPE)
                if row.entity != event_types.DECISION_TASK:
                    self._apply(event, row)
            run.history.advance(started_event_id)
            if run.closing is None:
                self._code.run()
        except Exception as error:  # whoever watches is told; it is raised
            if self._observer is not None:
                self._observer.decision_failed(error, pending=len(run.pending))
            raise

    def _apply(self, event: HistoryEvent, row: EventType) -> None:
        entity = row.entity
        if entity == event_types.SIGNAL:
            self._kinds.signals.received(event)
        elif entity == event_types.EXECUTION:
            if row.state == "cancel_requested":
                self._code.request_cancel()
            elif row.state == "started":
                self._kinds.signals.execution_started(event)
        else:
            if entity == event_types.CHILD:
                self._kinds.signals.child_event(event)
            is_retained = self._retained is not None and self._retained.holds(event, row)
            if not is_retained and not (self._claims is not None and self._claims.holds(event)):
                self._resolve(event, row)

    def _resolve(self, event: HistoryEvent, row: EventType) -> None:
        """Resolve the command that this event is about, if there is one."""
        command = self._matching.command_of(event, row)
        if command is not None:
            self._kinds.resolve(command, event, row)
            if self._claims is not None:
                self._claims.note_reused(command, event, row)

"""Operations by which processes report their sessions, and the tasks that they hold or give back.

See `WatchableService` for the operations, and `client_sessions` for what becomes of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from simpleflow_lab.engine import tokens
from simpleflow_lab.engine.client_sessions import ClientSession, HeldTask, definitions_of, polls_of, serves_of
from simpleflow_lab.engine.engine_state import EngineState
from simpleflow_lab.engine.named_executions import run_of
from simpleflow_lab.engine.process_records import ProcessRecord
from simpleflow_lab.engine.session_changes import attach, end_session, is_left_to, limit_to_own, lose, open_session
from simpleflow_lab.engine.tokens import Tokens
from simpleflow_lab.engine.transactions import DurableState
from simpleflow_lab.exceptions import ValidationException
from simpleflow_lab.service.protocol import Answer, Structure
from simpleflow_lab.service.watchable import ClientRecord
from simpleflow_lab.swf.conventions import GIVEN_BACK
from simpleflow_lab.swf.event_types import ACTIVITY, DECISION_TASK

MAX_DAMAGED_REPORTED: Final = 20
"""Damaged executions and rows of which a process is told when it opens its session."""


class SessionOperations:
    """The part of the embedded engine that is about client sessions."""

    _durable: DurableState
    _tokens: Tokens
    instance: str | None
    """The instance of this process, once it has a session here; executions that it starts use its definitions."""

    def open_session(
        self, *, instance: str, record: ClientRecord, taskTokens: Sequence[str] = (), is_local: bool = True
    ) -> Answer:
        """See `WatchableService`. `is_local` says that it is the session of this process itself."""

        def change(state: EngineState) -> Answer:
            session = ClientSession(
                instance=instance,
                pid=int(record.get("pid", 0)),
                hostname=str(record.get("hostname", "")),
                since=state.now(),
                spoke_at=state.sessions.running(),
                is_local=is_local,
                definitions=definitions_of(record) or {},
                serves=serves_of(record) or set(),
                own_executions_only=bool(record.get("ownExecutionsOnly", False)),
            )
            open_session(state, session, [self._held_task(token) for token in taskTokens])
            answer: Answer = {"differing": state.sessions.differing(state.sessions.get(instance))}
            if is_local:
                self.instance = instance
            elif state.damaged or state.damaged_rows:  # the engine's own process was warned when it opened the store
                answer["damaged"] = [*state.damaged_rows, *state.damaged.values()][:MAX_DAMAGED_REPORTED]
            return answer

        return self._in_transaction(change)

    def keep_session(
        self, *, instance: str, record: ClientRecord, held: Structure | None = None, connection: object = None
    ) -> Answer:
        """See `WatchableService`. `connection` stands for the connection with whose end the session ends.

        `held` tells the client's `polls` and its `latestPoll`, and the `taskTokens` of the tasks that it got since it
        told this last: what was given to another poll never reached it, and is given out again.
        """
        polls = None if held is None else polls_of(held)
        taken = frozenset() if held is None else {self._held_task(token) for token in held.get("taskTokens", ())}

        def change(state: EngineState) -> Answer:
            session = state.sessions.get(instance)
            if session.speaks(state.sessions.running()):
                state.match_all()
            if connection is not None:
                session.connection = connection
                state.unbound.pop(instance, None)
            if polls is not None and session.unconfirmed:
                lose(state, session.never_arrived(polls, taken), GIVEN_BACK)
            definitions, serves = definitions_of(record), serves_of(record)
            if definitions is not None:
                session.definitions = definitions
                state.sessions.changed()
            if serves is not None:
                session.serves = serves
            if "ownExecutionsOnly" in record:
                limit_to_own(state, session, bool(record["ownExecutionsOnly"]))
            if definitions is not None or serves is not None:
                state.remember_process(session.record())
                state.match_all()
            answer = {"differing": state.sessions.differing(session), "logs": list(session.logs.values())}
            session.logs.clear()
            return {name: value for name, value in answer.items() if value}

        return self._in_transaction(change)

    def on_session_change(self, call: Callable[[], object]) -> None:
        """Call this when a process has come, or has told of other definitions. It must return at once."""
        self._durable.state.sessions.on_change = call

    def close_session(self, *, instance: str) -> Answer:
        """See `WatchableService`."""

        def change(state: EngineState) -> Answer:
            found = state.sessions.living.get(instance)
            if found is not None:
                end_session(state, found, GIVEN_BACK)
            return {}

        return self._in_transaction(change)

    def connection_lost(self, instance: str, connection: object) -> None:
        """End the session that depends on this connection, unless it has another one by now."""

        def change(state: EngineState) -> Answer:
            found = state.sessions.living.get(instance)
            if found is not None and found.connection is connection:
                end_session(state, found)
            return {}

        self._in_transaction(change)

    def release_task(self, *, taskToken: str) -> Answer:
        """See `WatchableService`."""
        task = self._held_task(taskToken)

        def change(state: EngineState) -> Answer:
            lose(state, [task], GIVEN_BACK)
            return {}

        return self._in_transaction(change)

    def attach_execution(self, *, domain: str, execution: Structure, instance: str, takes_over: bool = True) -> Answer:
        """See `WatchableService`."""

        def change(state: EngineState) -> Answer:
            found = state.open.get(run_of(state, domain, execution).key)
            if found is not None and (takes_over or is_left_to(state, found, instance)):
                attach(state, found, instance)
            return {}

        return self._in_transaction(change)

    def release_polls_of(self, *, instance: str) -> Answer:
        """End every waiting poll of a session without a task."""

        def change(state: EngineState) -> Answer:
            found = state.sessions.living.get(instance)
            for poll in state.waiting_polls() if found is not None else ():
                if poll.session is found:
                    poll.wake()
            return {}

        return self._in_transaction(change)

    def _held_task(self, token: str) -> HeldTask:
        """The task of a token of either kind. Raises `ValidationException`."""
        for number, kind in ((tokens.ACTIVITY_TASK_TOKEN, ACTIVITY), (tokens.DECISION_TASK_TOKEN, DECISION_TASK)):
            if self._tokens.is_of(number, token):
                key, scheduled_id, started_id = self._tokens.read(number, token)
                return HeldTask(kind, key, scheduled_id, started_id)
        raise ValidationException("Invalid token")

    def _in_transaction(self, call: Callable[[EngineState], Answer]) -> Answer:
        """The result of a call on the state, once what it has changed of executions is on disk.

        What the store keeps of processes is written with the next change, which is of an execution that uses it.
        """

        def run() -> Answer:
            transaction = self._durable.transaction(urgent=False)
            with transaction as state:
                answer = call(state)
                changes = any(type(change) is not ProcessRecord for change in state.outbox)
            if changes:
                self._durable.store.wait(transaction.ticket, flush_delay=transaction.flush_delay)
            return answer

        answer: Answer = self._durable.run_off_main_thread(run)
        return answer

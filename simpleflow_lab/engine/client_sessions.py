"""Client sessions: which processes speak with the engine, what they define and serve, and which tasks they hold.

A process that runs our deciders or activity workers opens one session at the engine, for as long as it lives. It says
which workflow and activity types it defines, each with a fingerprint of the definition, and which task lists it serves.
So the engine gives a task only to a process that has its code, and knows at once what a process that ends has left.

Rule: a session is known by the id of its process's instance, which stands in the identity of each of its polls. A
poll without one has no session: SWF's own rules hold for it. Nothing of this is in a history. On disk are the
definitions (`process_records`): the next owner of the store uses them until the processes that live (`presence`)
have come to it and told it the rest again.
"""

from __future__ import annotations

import functools
import itertools
import json
from collections import OrderedDict
from collections.abc import Callable, Container, Iterator, Mapping, Set
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final, NamedTuple

from simpleflow_lab.engine.process_records import ListKey, ProcessRecord, TypeKey
from simpleflow_lab.exceptions import UnknownSessionFault, ValidationException
from simpleflow_lab.swf import limits
from simpleflow_lab.swf.conventions import DEATHS_KEY, DEFINITION_DIFFERS_KEY, INSTANCE_KEY
from simpleflow_lab.swf.event_types import ACTIVITY, DECISION_TASK

HOME_SECONDS: Final = 1.0
"""Seconds for which a decision task waits for the process that decided last, before another may take it."""
SILENT_SECONDS: Final = 3.0
"""A session that was not heard of for longer is silent: its process is suspended, or busy beyond measure."""
CLAIM_SECONDS: Final = 3.0
"""Seconds that an engine that takes over a store waits for the workers that hold tasks of the previous one and have no
session. It is also for how long a decision task waits there for a process that has not come back."""
OPENING_SECONDS: Final = 10.0
"""A session whose client has no connection for it within this time ends."""
REMEMBERED_SESSIONS: Final = 200
"""Number of ended sessions that are remembered with their definitions; beside those by which an open execution goes."""


class HeldTask(NamedTuple):
    """A task that was given to a session."""

    kind: str
    """`DECISION_TASK` or `ACTIVITY`."""
    key: int
    """The number of its execution."""
    scheduled_id: int
    """Its scheduledEventId."""
    started_id: int
    """Its startedEventId."""
    list_key: ListKey | None = None
    """The task list that it came from; `None` if it was started by a previous engine."""
    silent: int = 0
    """Milliseconds for which the session had been silent, all in all, when it was given the task."""


class ClientPolls(NamedTuple):
    """The polls of a client, at one moment."""

    latest: int
    """The number of the poll that began last."""
    waiting: frozenset[int]
    """The numbers of those that have not ended."""


@dataclass(eq=False, kw_only=True, slots=True)
class ClientSession:
    """One process that speaks with the engine."""

    instance: str
    """The id of the process's instance."""
    pid: int
    """Its process id."""
    hostname: str
    """The name of its machine."""
    since: int
    """When the session was opened, in milliseconds since 1970."""
    spoke_at: float
    """When the client last spoke, in seconds that the engine's process has run."""
    silent: int = 0
    """Milliseconds, all in all, for which it was silent until it spoke again."""
    is_local: bool = False
    """Whether it is the engine's own process."""
    definitions: dict[TypeKey, str] = field(default_factory=dict)
    """The fingerprints of what the process defines."""
    serves: set[ListKey] = field(default_factory=set)
    """The task lists that the process polls."""
    own_executions_only: bool = False
    """Whether it takes only tasks of executions that it started or attached, and of their children."""
    unconfirmed: dict[int, HeldTask] = field(default_factory=dict)
    """The tasks that were given to polls with a number, by that number, until the client tells what became of it."""
    logs: dict[int, dict[str, Any]] = field(default_factory=dict)
    """The executions to whose logs other processes have added since it was told, by their numbers."""
    known_changes: int = -1
    """Number of changes of sessions that the client was told of; see `ClientSessions.changes`."""
    held: dict[tuple[int, int], HeldTask] = field(default_factory=dict)
    """The latest tasks that it was given, by execution and scheduledEventId; some of them are closed by now."""
    compact_at: int = 256
    """Number of held tasks at which the closed ones are dropped."""
    connection: object = None
    """The connection with whose end the session ends; `None` before there is one."""
    ended: bool = False
    """Whether the session has ended."""

    def record(self) -> ProcessRecord:
        """The session as the store keeps it."""
        return ProcessRecord(
            instance=self.instance,
            pid=self.pid,
            definitions=self.definitions,
            serves=frozenset(self.serves),
            own_executions_only=self.own_executions_only,
            has_ended=self.ended,
        )

    @property
    def identity(self) -> str:
        """The identity of its polls, by which the next engine of the store tells whether the process lives."""
        return json.dumps({INSTANCE_KEY: self.instance, "pid": self.pid, "hostname": self.hostname})

    def takes_of(self, origin: str | None) -> bool:
        """Whether it takes tasks of an execution that the process `origin` started or attached."""
        return origin == self.instance or not self.own_executions_only

    def hold(self, task: HeldTask, is_held: Callable[[HeldTask], bool]) -> None:
        """Note that the process holds this task; `is_held` says of an earlier one whether it is still open."""
        if self.silent:
            earlier = self.held.get((task.key, task.scheduled_id))
            task = task._replace(silent=self.silent if earlier is None else earlier.silent)
        self.held[task.key, task.scheduled_id] = task
        if len(self.held) > self.compact_at:
            self.held = {key: each for key, each in self.held.items() if is_held(each)}
            self.compact_at = max(256, 2 * len(self.held))

    def never_arrived(self, polls: ClientPolls, taken: Container[HeldTask]) -> list[HeldTask]:
        """The tasks that were given to polls of the client and did not reach it, by what the client tells.

        `taken` are the tasks that it has got since it told this last. No time is involved: a poll that has ended at the
        client, without a task, will not bring it any more.
        """
        ended = [number for number in self.unconfirmed if number <= polls.latest and number not in polls.waiting]
        tasks = [self.unconfirmed.pop(number) for number in ended]
        return [task for task in tasks if task._replace(list_key=None, silent=0) not in taken]

    def speaks(self, now: float) -> bool:
        """Note that the client speaks; gives whether it was silent before. `now` is as `spoke_at`."""
        was_silent = self.is_silent(now)
        if was_silent:
            self.silent += round((now - self.spoke_at) * 1000)
        self.spoke_at = now
        return was_silent

    def is_silent(self, now: float) -> bool:
        """Whether it was not heard of for some time. `now` is as `spoke_at`."""
        return not self.is_local and now - self.spoke_at > SILENT_SECONDS


class MayTake(Enum):
    """Whether a session may take a task now."""

    ALLOWED = 1
    """It may."""
    REFUSED = 2
    """It does not define the type, or takes only tasks of other executions, or another process that lives has the
    definition that the execution uses."""
    LATER = 3
    """Not yet: the process that decided the execution last comes first, for `HOME_SECONDS`."""
    RETURNING = 4
    """Not yet: the process that decided the execution last has not come back to an engine that took the store over. It
    has `CLAIM_SECONDS`."""


class ClientSessions:
    """The sessions of one engine."""

    def __init__(self, running: Callable[[], float], needed: Callable[[], Set[str | None]] = frozenset) -> None:
        self.running = running
        self._needed = needed
        """The seconds for which the engine's process has run: the clock by which a session is silent."""
        self.living: dict[str, ClientSession] = {}
        """The sessions that have not ended, by instance."""
        self.changes = 0
        """Number of times that a process has come, or has reported other definitions."""
        self.away: dict[str, ProcessRecord] = {}
        """The processes that have the store open, by instance, and have not come back since this engine took it over.
        """
        self.is_present: Callable[[ProcessRecord], bool] = _nobody
        """Whether a process that is away still has the store open."""
        self.on_change: Callable[[], object] | None = None
        """Called when it is so; under the engine's lock."""
        self._ended: OrderedDict[str, ProcessRecord] = OrderedDict()

    def __iter__(self) -> Iterator[ClientSession]:
        return iter(list(self.living.values()))

    def of_poll(self, identity: str | None) -> ClientSession | None:
        """The session of a poll with this identity; `None` for one that has none.

        Raises `UnknownSessionFault` if its process must open its session first.
        """
        instance = instance_of(identity)
        return None if instance is None else self.get(instance)

    def get(self, instance: str) -> ClientSession:
        """The session of this instance. Raises `UnknownSessionFault`."""
        found = self.living.get(instance)
        if found is None:
            raise UnknownSessionFault(f"there is no session of the instance {instance}: open it again")
        return found

    def silence(self, key: int, scheduled_id: int) -> tuple[int, int]:
        """The time for which a holder of a task was silent since it got it, and the time since which it was not heard.

        Both in milliseconds; 0 if no process of a session but the engine's own holds the task.
        """
        for session in self.living.values():
            task = session.held.get((key, scheduled_id))
            if task is not None and not session.is_local:
                return session.silent - task.silent, round((self.running() - session.spoke_at) * 1000)
        return 0, 0

    def end(self, session: ClientSession) -> list[str]:
        """Note that a session has ended, and remember its definitions; gives the instances that are forgotten."""
        session.ended = True
        if self.living.get(session.instance) is session:
            del self.living[session.instance]
        self.remember(session.record())
        return self.forget()

    def remember(self, record: ProcessRecord) -> None:
        """Remember a process that has no session."""
        self._ended[record.instance] = record
        self._ended.move_to_end(record.instance)

    def forget(self) -> list[str]:
        """Forget the processes that ended longest ago, if many have, but none by which an open execution goes; gives
        their instances."""
        surplus = len(self._ended) - REMEMBERED_SESSIONS
        if surplus <= 0:
            return []
        needed = self._needed()
        forgotten = list(itertools.islice((each for each in self._ended if each not in needed), surplus))
        for instance in forgotten:
            del self._ended[instance]
        return forgotten

    def gone(self) -> list[str]:
        """The instances of processes that were away and have ended, or closed the store, since this was asked last."""
        gone = [instance for instance, record in self.away.items() if not self.is_present(record)]
        for instance in gone:
            self.remember(self.away.pop(instance))
        return gone

    def present(self) -> Iterator[ClientSession | ProcessRecord]:
        """The processes that have a session, or will have it again."""
        yield from self
        yield from list(self.away.values())

    def lives(self, instance: str | None) -> bool:
        """Whether a process has a session, or will have it again."""
        return instance in self.living or instance in self.away

    def record_of(self, instance: str | None) -> ClientSession | ProcessRecord | None:
        """The record of a process, whether it lives or not; `None` if there is none."""
        if instance is None:
            return None
        return self.living.get(instance) or self.away.get(instance) or self._ended.get(instance)

    def wanted(self, process: str | None, type_key: TypeKey) -> str | None:
        """The fingerprint of the definition that a process has or had of a type; `None` if any will do."""
        found = self.record_of(process)
        return None if found is None else found.definitions.get(type_key)

    def with_wanted(
        self, list_key: ListKey, type_key: TypeKey, wanted: str, origin: str | None
    ) -> ClientSession | ProcessRecord | None:
        """A living process that serves the list, has the wanted definition, and takes tasks of this origin."""
        for some in (self.living, self.away):
            for each in some.values():
                if each.definitions.get(type_key) == wanted and list_key in each.serves and each.takes_of(origin):
                    return each
        return None

    def right_definition(
        self, list_key: ListKey, type_key: TypeKey, home: str | None, origin: str | None
    ) -> tuple[str, ClientSession | ProcessRecord] | None:
        """The fingerprint of the definition by which a task goes, and a living process with it; `None` if any will do.

        It is that of the process that started or attached the execution (`origin`); if nobody who lives and serves the
        list has that, it is that of the process that decided it last (`home`).
        """
        for process in (origin, home) if origin != home else (origin,):
            wanted = self.wanted(process, type_key)
            if wanted is not None:
                holder = self.with_wanted(list_key, type_key, wanted, origin)
                if holder is not None:
                    return wanted, holder
        return None

    def changed(self) -> None:
        """Note that a process has come, or has told of other definitions."""
        self.changes += 1
        if self.on_change is not None:
            self.on_change()

    def differing(self, session: ClientSession) -> list[dict[str, Any]]:
        """The definitions of other living sessions that differ from those of this one, of the same types.

        Nothing if no session has changed since they were asked for last.
        """
        if session.known_changes == self.changes:
            return []
        session.known_changes = self.changes
        return [
            {"kind": kind, "name": name, "version": version, "pid": other.pid, "fingerprint": theirs}
            for other in self.living.values()
            if other is not session
            for (kind, name, version), theirs in other.definitions.items()
            if session.definitions.get((kind, name, version), theirs) != theirs
        ]

    def differs(self, session: ClientSession, type_key: TypeKey, home: str | None) -> bool:
        """Whether the session has another definition of the type than the process `home` has or had."""
        wanted = self.wanted(home, type_key)
        return wanted is not None and wanted != session.definitions.get(type_key)

    def may_take(
        self,
        session: ClientSession,
        list_key: ListKey,
        type_key: TypeKey,
        home: str | None,
        age: float,
        origin: str | None = None,
    ) -> MayTake:
        """Whether this session may take a task of this type from this list.

        `home` is the instance that decided the execution last; `age` is for how many seconds the task waits; `origin`
        is the instance that started or attached the execution. Whose definitions come first: `right_definition`.
        """
        own = session.definitions.get(type_key)
        if own is None or not session.takes_of(origin):
            return MayTake.REFUSED
        if home is None and origin is None:
            return MayTake.ALLOWED
        is_right = home == session.instance and origin in (None, home)
        if not is_right and own != self.wanted(origin, type_key):  # that of the starter comes first
            right = self.right_definition(list_key, type_key, home, origin)
            if right is not None and right[0] != own:
                return MayTake.REFUSED
        if list_key[0] == DECISION_TASK and home not in (None, session.instance) and age < CLAIM_SECONDS:
            return self._is_waited_for(home, list_key, type_key, age)
        return MayTake.ALLOWED

    def _is_waited_for(self, home: str | None, list_key: ListKey, type_key: TypeKey, age: float) -> MayTake:
        """Whether a decision task that another process may decide waits for the one that decided last."""
        first = self.living.get(home or "")
        found = first or self.away.get(home or "")
        if found is None or type_key not in found.definitions or list_key not in found.serves:
            return MayTake.ALLOWED
        if first is None:
            return MayTake.RETURNING
        return MayTake.LATER if age < HOME_SECONDS and not first.is_silent(self.running()) else MayTake.ALLOWED


def _nobody(record: ProcessRecord) -> bool:
    return False


@functools.lru_cache(maxsize=1024)
def instance_of(identity: str | None) -> str | None:
    """The id of the process's instance in a poll's identity; `None` if there is none."""
    if not identity or INSTANCE_KEY not in identity:
        return None
    try:
        found = json.loads(identity).get(INSTANCE_KEY)
    except (ValueError, AttributeError, RecursionError):
        return None
    return found if isinstance(found, str) else None


def with_different_definition(identity: str | None) -> str | None:
    """A poll's identity, with the mark that the process has another definition than the execution uses."""
    return _with_mark(identity, DEFINITION_DIFFERS_KEY, True)


def with_deaths(identity: str | None, deaths: int) -> str | None:
    """A poll's identity, with how many processes in a row have died deciding the task."""
    return _with_mark(identity, DEATHS_KEY, deaths)


def _with_mark(identity: str | None, key: str, value: object) -> str | None:
    """The identity with a key more; as it is if it has no room for it, or is none of ours."""
    try:
        text = json.dumps(json.loads(identity or "") | {key: value})
    except (ValueError, TypeError, RecursionError):
        return identity
    return text if len(text) <= limits.MAX_IDENTITY else identity


# -- as a client tells it ----------------------------------------------------------------------------------------------

_TYPES: Final = {"workflowTypes": DECISION_TASK, "activityTypes": ACTIVITY}
_LISTS: Final = {"decisionTaskLists": DECISION_TASK, "activityTaskLists": ACTIVITY}


def definitions_of(record: Mapping[str, Any]) -> dict[TypeKey, str] | None:
    """The definitions in a client's record; `None` if it says nothing of them. Raises `ValidationException`."""
    if not any(member in record for member in _TYPES):
        return None
    try:
        return {
            (kind, str(each["name"]), str(each["version"])): str(each["fingerprint"])
            for member, kind in _TYPES.items()
            for each in record.get(member, ())
        }
    except (TypeError, KeyError):
        raise ValidationException("a definition needs name, version and fingerprint") from None


def serves_of(record: Mapping[str, Any]) -> set[ListKey] | None:
    """The served task lists in a client's record; `None` if it says nothing of them. Raises `ValidationException`."""
    if not any(member in record for member in _LISTS):
        return None
    try:
        return {
            (kind, str(each["domain"]), str(each["name"]))
            for member, kind in _LISTS.items()
            for each in record.get(member, ())
        }
    except (TypeError, KeyError):
        raise ValidationException("a served task list needs domain and name") from None


def polls_of(held: Mapping[str, Any]) -> ClientPolls:
    """The polls of a client, as it tells them. Raises `ValidationException`."""
    waiting, latest = held.get("polls"), held.get("latestPoll")
    if type(latest) is not int or not isinstance(waiting, list) or any(type(one) is not int for one in waiting):
        raise ValidationException("the polls of a session are numbers, and the latest one's")
    return ClientPolls(latest, frozenset(waiting))

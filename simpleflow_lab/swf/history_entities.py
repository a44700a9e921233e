"""A history folded into its entities: activity tasks, timers, children, signals, markers, …, each with its events.

An activity that is tried three times is three entities, for each attempt has a scheduled event of its own. The engine
keeps one `Entities` for each open execution and feeds it new events; `fold` makes one of a whole history.

Rule: what an event does to an entity is read from the event table. Each event costs the same, however long the history.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from simpleflow_lab.exceptions import HistoryError
from simpleflow_lab.swf.event_types import EVENT_TYPES, EXECUTION, UNKNOWN_EVENT_TYPE
from simpleflow_lab.swf.history import HistoryEvent


class Entity:
    """One activity task (attempt), timer, child, signal, marker, decision task, …: its events and its state."""

    __slots__ = ("closed", "events", "kind", "name", "state")

    def __init__(self, kind: str, name: str | None, state: str, event: HistoryEvent, closed: bool) -> None:
        self.kind = kind
        """One of the kinds of `swf.event_types`."""
        self.name = name
        """Its `activityId`, `timerId`, `workflowId`, `signalName`, … `None` for kinds without a name."""
        self.state = state
        """The state of its last event, as the event table names it."""
        self.events: list[HistoryEvent] = [event]
        """Its events in order; the first one opened it."""
        self.closed = closed
        """It is in a final state."""

    @property
    def id(self) -> int:
        """The id of its first event: unique within the history."""
        return self.events[0].id

    @property
    def first(self) -> HistoryEvent:
        """The event that opened it."""
        return self.events[0]

    @property
    def last(self) -> HistoryEvent:
        """The latest event."""
        return self.events[-1]

    def at(self, state: str) -> HistoryEvent | None:
        """The event that put it in this state, the latest if several did, or `None`."""
        event: HistoryEvent
        for event in reversed(self.events):
            row = EVENT_TYPES.get(event.type)
            if row is not None and row.state == state:
                return event
        return None

    def attribute(self, name: str) -> Any:
        """The latest value of an attribute in its events, or `None`."""
        for event in reversed(self.events):
            if name in event.attributes:
                return event.attributes[name]
        return None

    def __repr__(self) -> str:
        return f"<{self.kind} {self.name or self.id}: {self.state}>"


class Entities:
    """The entities of a history that grows: `apply` feeds it the next event."""

    def __init__(self, *, keep_closed: bool = True) -> None:
        """With `keep_closed=False` closed entities are dropped, so that memory grows only with what is open."""
        self.execution: Entity | None = None
        """The workflow execution itself; `None` before its first event."""
        self._keep_closed = keep_closed
        self._all: dict[int, Entity] = {}
        self._open: dict[tuple[str, str], Entity] = {}

    def apply(self, event: HistoryEvent) -> Entity:
        """Fold in the next event, and give its entity. Raises `HistoryError` if the event refers to nothing known."""
        row = EVENT_TYPES.get(event.type, UNKNOWN_EVENT_TYPE)
        find = row.find
        entity: Entity | None = None
        if row.entity == EXECUTION:
            entity = self.execution
        elif find.follows is not None:
            reference = event.attributes.get(find.follows)
            entity = self._all.get(reference) if reference else None
            if entity is not None and entity.kind != row.entity:
                entity = None
            if entity is None and (reference or not find.opens):
                raise unknown_reference(event, find.follows, row.entity)
        elif find.follows_open is not None:
            name = event.attributes.get(find.follows_open)
            entity = self._open.get((row.entity, str(name)))
            if entity is None:
                raise nothing_open(event, find.follows_open)
        if entity is None:
            return self._start(event, row.entity, row.state, find.name, row.closes)
        entity.events.append(event)
        if not entity.closed:
            # A late cancel request does not reopen what is closed.
            entity.state = row.state
        if row.closes:
            self._close(entity)
        return entity

    def _start(self, event: HistoryEvent, kind: str, state: str, name_attribute: str | None, closed: bool) -> Entity:
        name = None
        if name_attribute is not None:
            name = event.attributes.get(name_attribute)
            if name is None:
                raise HistoryError(f"event {event.id}: {event.type} has no {name_attribute}")
        entity = Entity(kind, name, state, event, closed)
        if kind == EXECUTION:
            if event.type != "WorkflowExecutionStarted":
                raise HistoryError(f"event {event.id}: {event.type} before WorkflowExecutionStarted")
            self.execution = entity
        if self._keep_closed or not closed:
            self._all[event.id] = entity
        if name is not None and not closed:
            self._open[kind, name] = entity
        return entity

    def _close(self, entity: Entity) -> None:
        entity.closed = True
        if entity.name is not None and self._open.get((entity.kind, entity.name)) is entity:
            del self._open[entity.kind, entity.name]
        if not self._keep_closed:
            self._all.pop(entity.id, None)

    def get(self, event_id: int) -> Entity | None:
        """The entity that this event opened, or `None`."""
        return self._all.get(event_id)

    def open(self, kind: str, name: str) -> Entity | None:
        """The open entity of this kind and name, or `None`."""
        return self._open.get((kind, name))

    def of(self, kind: str) -> list[Entity]:
        """All entities of a kind, in the order of their first events."""
        return [entity for entity in self._all.values() if entity.kind == kind]

    def __iter__(self) -> Iterator[Entity]:
        return iter(self._all.values())

    def __len__(self) -> int:
        return len(self._all)


def unknown_reference(event: HistoryEvent, attribute: str, kind: str) -> HistoryError:
    """The error of an event with the id of an event that opened nothing of this kind."""
    return HistoryError(
        f"event {event.id}: {event.type} has {attribute} {event.attributes.get(attribute)!r}, no {kind} of this history"
    )


def nothing_open(event: HistoryEvent, attribute: str) -> HistoryError:
    """The error of an event that names something which is not open."""
    return HistoryError(
        f"event {event.id}: {event.type} names {attribute} {event.attributes.get(attribute)!r}, which is not open"
    )


def fold(history: Iterable[HistoryEvent]) -> Entities:
    """The entities of a whole history. Raises `HistoryError`."""
    entities = Entities()
    for event in history:
        entities.apply(event)
    return entities

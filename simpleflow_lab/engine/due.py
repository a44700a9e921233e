"""Records what is due by now: deadlines that have passed, and processes that have not spoken in time."""

from __future__ import annotations

from typing import Final

from simpleflow_lab.engine.deadlines import postponed_to
from simpleflow_lab.engine.engine_state import EngineState
from simpleflow_lab.engine.session_changes import end_session, lose

UNHEARD_PAUSE: Final = 500
"""Milliseconds between two looks whether the process has spoken that holds a task whose time is over."""

AWAY_PAUSE: Final = 500
"""Milliseconds between two looks whether the processes live that have not come back to this engine."""


def record_due(state: EngineState) -> None:
    """Record the events of all deadlines that have passed, in the order of the deadlines, with their effects.

    Tasks of the previous engine are lost if nobody has claimed them and no process may come back that holds them; tasks
    that waited for a process are offered.
    """
    if state.look_at_away is not None and state.look_at_away <= state.now():
        _look_at_away(state)
    if state.claim_until is not None and state.claim_until <= state.now():
        state.claim_until = None
        for instance in [each for each in state.unclaimed if each not in state.sessions.away]:
            lose(state, state.unclaimed.pop(instance))
        state.dispatch()
    if state.unbound:
        for instance in [instance for instance, at in state.unbound.items() if at <= state.now()]:
            end_session(state, state.sessions.living[instance])
            state.dispatch()
    state.match_rechecked()
    while (found := state.deadlines.first(before=(state.now() + 1,))) is not None:
        state.deadlines.pop()
        (at, counted), deadline = found
        paused, unheard = state.paused(deadline)
        later = postponed_to(deadline, at, paused - counted, paused)
        since = state.now() - later
        if unheard > since >= 0:
            # The holder has not spoken since. Its process is suspended, or tells in a moment that it is not: until
            # then, take it for a pause. What does not prove to be one is taken back.
            later, paused = later + since + UNHEARD_PAUSE, paused + since + UNHEARD_PAUSE
        if later > at:
            state.deadlines.push((later, paused), deadline)
            continue
        state.record(deadline.execution, [deadline.event()])
        state.dispatch()


def _look_at_away(state: EngineState) -> None:
    """Wait no longer for processes that had sessions at the previous engine, and have ended or closed the store."""
    gone = state.sessions.gone()
    state.look_at_away = state.now() + AWAY_PAUSE if state.sessions.away else None
    if gone:
        for instance in gone:
            lose(state, state.unclaimed.pop(instance, ()))
        state.forget_processes(state.sessions.forget())
        state.match_all()
        state.dispatch()

"""What is due by now, recorded: deadlines that have passed, and processes that have not spoken in time."""

from __future__ import annotations

from typing import Final

from simpleflow_lab.engine.deadlines import postponed_to
from simpleflow_lab.engine.engine_state import EngineState
from simpleflow_lab.engine.session_changes import end_session, lose

UNHEARD_PAUSE: Final = 500
"""How often, in milliseconds, to look whether the process has spoken that holds a task whose time is over."""


def record_due(state: EngineState) -> None:
    """Record the events of all deadlines that have passed, in the order of the deadlines, with their effects.

    Tasks of the previous engine that nobody has claimed are lost; tasks that waited for a process are offered.
    """
    if state.claim_until is not None and state.claim_until <= state.now():
        state.claim_until = None
        for tasks in list(state.unclaimed.values()):
            lose(state, tasks)
        state.unclaimed.clear()
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

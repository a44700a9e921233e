"""Simulates how long an execution would have taken with other workers, other durations, without its retries.

    execution.what_if(workers=8, scale={"fetch": 0.5}, without_retries=True)

The workflow's code is run by the real replay in a simulation (`runtime.simulation`), where each attempt takes as long
as it took and ends as it ended, each decision too, and signals come when they came. With nothing changed it takes as
long as it took.

Rule: nothing of it is guessed where the history says it. What it does not say, because other tasks are submitted than
were recorded, is taken from tasks of the same type, and said.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from simpleflow_lab.data.fields import Fields
from simpleflow_lab.debugger.checking import Recorded, check_recorded
from simpleflow_lab.debugger.recorded_checks import RecordedCheck
from simpleflow_lab.debugger.recorded_script import recorded_script
from simpleflow_lab.debugger.replayed_workflow import definition_for
from simpleflow_lab.exceptions import UsageError
from simpleflow_lab.replay.json_texts import comparable_json, same_json
from simpleflow_lab.runtime.simulation import simulated
from simpleflow_lab.runtime.simulation_script import Script
from simpleflow_lab.settings import Settings, current
from simpleflow_lab.swf.control import read_control
from simpleflow_lab.swf.event_types import CLOSE_STATUS
from simpleflow_lab.swf.history import History
from simpleflow_lab.swf.limits import MAX_HISTORY_EVENTS
from simpleflow_lab.views.attempts import TASKS
from simpleflow_lab.views.chart import Chart
from simpleflow_lab.views.comparison import Comparison, compare
from simpleflow_lab.views.critical_path import CriticalPath, critical_path
from simpleflow_lab.views.explanation_lines import DIVERGENCE, STATUS, TIME, ExplanationLine, first_few
from simpleflow_lab.views.formatting import duration
from simpleflow_lab.views.history_fold import FoldedHistory, fold_history
from simpleflow_lab.views.line_views import LineView
from simpleflow_lab.views.time_lines import time_lines

MAX_PATH_LINES: Final = 2
"""Number of lines about each critical path."""
LAST_COMMANDS: Final = 200
"""Among how many of the last commands the line is looked for that asks without end."""


class WhatIf(LineView):
    """The result of a simulation, beside what was recorded. It displays itself."""

    def __init__(self, lines: Sequence[ExplanationLine], recorded: FoldedHistory, simulated: FoldedHistory) -> None:
        super().__init__(lines)
        self._recorded, self._simulated = recorded, simulated

    @property
    def history(self) -> History:
        """The history that the simulation wrote."""
        return self._simulated.history

    @property
    def status(self) -> str:
        """Its status in the simulation: SWF's close status, or OPEN."""
        return self.history.close_status or "OPEN"

    @property
    def seconds(self) -> float:
        """The seconds that it would have taken."""
        return _seconds(self._simulated.history)

    @property
    def recorded_seconds(self) -> float:
        """The seconds that it took."""
        return _seconds(self._recorded.history)

    @property
    def critical_path(self) -> CriticalPath:
        """The things that it would have waited for, one after the other."""
        return critical_path(self._simulated)

    @property
    def recorded_critical_path(self) -> CriticalPath:
        """The things that it waited for, one after the other."""
        return critical_path(self._recorded)

    def gantt(self, **options: Any) -> Chart:
        """The Gantt chart of the simulation above that of the execution, on one axis of time."""
        from simpleflow_lab.views.gantt_pair import gantt_pair  # noqa: PLC0415  plotly

        return gantt_pair(self._simulated, self._recorded, **options)

    def compare(self) -> Comparison:
        """The simulation compared with the execution, task by task."""
        return compare(self._simulated, self._recorded)


def what_if(
    history: History,
    *,
    domain: str,
    workflow_id: str,
    run_id: str,
    fields: Fields,
    settings: Settings | None = None,
    workflow: Any = None,
    workers: int | Mapping[str, int] | None = None,
    scale: float | Mapping[str, float] | None = None,
    without_retries: bool = False,
) -> WhatIf:
    """Simulate a recorded execution; see `Execution.what_if`. Raises `UsageError`, and what a decider raises for a
    decision that can't be made."""
    used = settings or current()
    definition = definition_for(history, workflow, fields)
    if history.close_status is None:
        raise UsageError("this execution is open: what might have been is asked of one that has closed")
    folded = fold_history(history)
    script = recorded_script(folded, workers=workers, scale=scale, without_retries=without_retries)
    events = simulated(
        definition,
        history[0],
        script,
        settings=used,
        domain=domain,
        workflow_id=workflow_id,
        run_id=run_id,
        fields=fields,
        defaults=used.activity_defaults,
        max_open_activities=used.swf_max_open_activity_count,
    )
    outcome = fold_history(History(events))
    ids = Recorded(workflow_id=workflow_id, run_id=run_id, history=lambda: history)
    checks = check_recorded(definition, [ids], domain=domain, fields=fields, any_class=True)
    different = [check for check in checks.different if _matters(check, history, ids_are_known=bool(run_id))]
    return WhatIf(_lines(folded, outcome, script, different), folded, outcome)


def _seconds(history: History) -> float:
    return (history[-1].timestamp - history[0].timestamp).total_seconds()


def _lines(
    recorded: FoldedHistory, simulated: FoldedHistory, script: Script, different: Sequence[RecordedCheck]
) -> list[ExplanationLine]:
    new, old = _seconds(simulated.history), _seconds(recorded.history)
    change = f", {duration(abs(new - old))} {'less' if new < old else 'more'}" if round(new - old, 3) else ""
    share = f" ({(new - old) / old:+.0%})" if old and change else ""
    status = simulated.history.close_status or "OPEN"
    was = recorded.history.close_status
    closes = "" if status == was else f", and it would be {status} instead of {was}"
    lines = [
        *_endless(simulated.history),
        ExplanationLine.of(
            STATUS,
            f"it would take {duration(new)} instead of {duration(old)}{change}{share}{closes}",
            to_do="gantt() shows both",
            seconds=new,
        ),
    ]
    lines += [ExplanationLine.of(DIVERGENCE, _differing(check)) for check in different]
    for words, folded in (("it would wait for", simulated), ("it waited for", recorded)):
        for line in list(time_lines(folded, critical_path(folded)))[:MAX_PATH_LINES]:
            lines.append(ExplanationLine.of(TIME, f"{words}: {line.text}", seconds=line.seconds))
    known = set(script.attempts)
    others = [attempt for attempt in simulated.attempts if attempt.kind in TASKS and attempt.id not in known]
    for words, is_assumed in (
        ("not recorded, and taken as others of their type", True),
        ("not recorded, nor another of their type that completed, so that nobody runs them", False),
    ):
        ids = [attempt.id for attempt in others if (attempt.name in script.by_name) is is_assumed]
        if ids:
            lines.append(ExplanationLine.of("assumed", f"{words}: {first_few(dict.fromkeys(ids))}"))
    changed = _with_other_input(recorded, simulated)
    if changed:
        text = f"submitted with another input than was recorded, and taken as they were: {first_few(changed)}"
        lines.append(ExplanationLine.of("assumed", text))
    return lines


def _matters(check: RecordedCheck, history: History, *, ids_are_known: bool) -> bool:
    """Whether the simulation takes another way because the code decides otherwise: not where only the texts of its
    close are others, nor where only the id of a child is, which is made of the ids of the execution."""
    if check.event_id is None or not 1 <= check.event_id <= len(history):
        return True
    event = history.event(check.event_id)
    if event.type in CLOSE_STATUS:
        return not str(check.now).startswith("close ")
    return ids_are_known or not event.type.startswith("StartChildWorkflowExecution")


def _differing(check: RecordedCheck) -> str:
    """The line that says from where on the code makes other commands, though what it waits for is as recorded."""
    if check.decision is None or (check.recorded is None and check.now is None):
        return f"the code here can't replay what was recorded: {check.error}"
    return (
        f"from decision {check.decision}, event {check.event_id} on the code here decides otherwise than was recorded, "
        f"whatever else is changed: recorded {check.recorded or 'nothing'}; now {check.now or 'nothing'}"
    )


def _with_other_input(recorded: FoldedHistory, simulated: FoldedHistory) -> list[str]:
    """The ids of tasks that were recorded, with inputs with which no task of their type was."""
    inputs: dict[str, list[str | None]] = {}
    elsewhere: set[tuple[str, str | None]] = set()
    for attempt in recorded.attempts:
        if attempt.kind in TASKS:
            inputs.setdefault(attempt.id, []).append(attempt.input)
            elsewhere.add((attempt.name, comparable_json(attempt.input)))
    # What was written of a set may stand in any order, and no history tells sets from lists.
    any_order: frozenset[str] = frozenset()
    return list(
        dict.fromkeys(
            attempt.id
            for attempt in simulated.attempts
            if attempt.kind in TASKS
            and attempt.id in inputs
            and not any(same_json(text, attempt.input, any_order) for text in inputs[attempt.id])
            and (attempt.name, comparable_json(attempt.input)) not in elsewhere
        )
    )


def _endless(history: History) -> list[ExplanationLine]:
    """If SWF's limit of events is what ended it: that its code comes to no end, and the line that asks for more."""
    if history[-1].attributes.get("cause") != "EVENT_LIMIT_EXCEEDED":
        return []
    controls = (event.attributes.get("control") for event in reversed(history))
    last = itertools.islice((control for control in controls if control), LAST_COMMANDS)
    lines = Counter(line for line in (read_control(control).line for control in last) if line)
    where = "".join(f"; it asked again and again at {line}" for line, _ in lines.most_common(1))
    text = f"its code comes to no end: SWF terminates an execution that has {MAX_HISTORY_EVENTS:,} events{where}"
    return [ExplanationLine.of(STATUS, text)]

"""The names by which advice calls an execution and its Lab: those of the notebook's variables.

Explanations say `execution.tasks()` and `lab.start_workers(4)`. Where the notebook has other names for the two, these
stand there; where it has none, the magic of the command that does the same; and nothing if there is none.

Rule: no name is given that a cell can't use as it stands.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from simpleflow_lab.commands.advice import as_commands, named_in_shell
from simpleflow_lab.execution import Execution
from simpleflow_lab.lab import Lab
from simpleflow_lab.recorded_execution import RecordedExecution
from simpleflow_lab.views.advice_text import PROGRAM, read_advice

_MODULE: Final = " --module MODULE"
"""The option that a shell needs and a notebook does not, which has the code in its cells."""
_RENAMED: Final = frozenset({"lab", "execution"})
"""The names in advice for which a variable of the notebook stands."""


def with_names(
    to_do: str, execution: Execution | RecordedExecution, variables: Mapping[str, Any], magic_labs: Iterable[Lab]
) -> str:
    """The advice as this notebook can call it. `variables` are its own; `magic_labs` the Labs of its magics."""
    advice = read_advice(to_do)
    if advice.is_read and all(call.of not in _RENAMED for call in advice.calls):
        return to_do
    lab = _name_of_lab(execution, variables)
    names = {"lab": lab, "execution": _name_of(execution, variables, lab)}
    if advice.is_read and all(names.get(call.of, call.of) for call in advice.calls):
        parts = (
            part if isinstance(part, str) else part._replace(of=names.get(part.of, part.of)) for part in advice.parts
        )
        return str(advice._replace(parts=tuple(parts)))
    if isinstance(execution, Execution) and not any(each.holds(execution) for each in magic_labs):
        return ""
    return as_commands(to_do, named_in_shell(execution), f"%{PROGRAM}").replace(_MODULE, "")


def _name_of(execution: Execution | RecordedExecution, variables: Mapping[str, Any], lab: str) -> str:
    def is_it(value: Any) -> bool:
        if isinstance(execution, RecordedExecution):
            return value is execution
        return isinstance(value, Execution) and value.is_same_as(execution)

    found = _first(variables, is_it, "execution")
    if found or not lab or isinstance(execution, RecordedExecution):
        return found
    return f"{lab}.execution({execution.workflow_id!r})" if execution.workflow_id.isprintable() else ""


def _name_of_lab(execution: Execution | RecordedExecution, variables: Mapping[str, Any]) -> str:
    if isinstance(execution, RecordedExecution):
        return ""
    return _first(variables, lambda value: isinstance(value, Lab) and value.holds(execution), "lab")


def _first(variables: Mapping[str, Any], is_it: Any, usual: str) -> str:
    """The name of the first of these that is it; the usual one, if that is."""
    if is_it(variables.get(usual)):
        return usual
    return next((name for name, value in list(variables.items()) if not name.startswith("_") and is_it(value)), "")

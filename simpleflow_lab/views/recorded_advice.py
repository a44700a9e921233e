"""Advice where there is a history and no store: its views, and what to do differently the next time.

Rule: no call and no command is advised that needs the store in which the execution is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from simpleflow_lab.views.advice_text import Call, read_advice

_FOR_THE_NEXT_TIME: Final = frozenset({"start_workers"})
"""Methods of a Lab that are advised for a run to come: any Lab has them."""


def without_a_store(to_do: str, is_view: Callable[[str], bool]) -> str:
    """The rest of the advice that needs no store; empty if nothing is left. `is_view` says whether a history alone has
    a method."""
    clauses = read_advice(to_do).clauses()  # without the command, which names the execution in its store
    return "; ".join(
        str(clause)
        for clause in clauses
        if clause.is_read and all(_is_possible(call, is_view) for call in clause.calls)
    )


def _is_possible(call: Call, is_view: Callable[[str], bool]) -> bool:
    match call.of:
        case "execution":
            return is_view(call.name)
        case "lab":
            return call.name in _FOR_THE_NEXT_TIME
    return True

"""Calls of a workflow's code that make a task which is then dropped: nobody submits it, and nothing happens.

    self.start_timer("pause", 5)                  # dropped at once
    again = self.continue_as_new(1)               # kept in a variable that nothing reads

Rule: no false alarm: what is returned, passed on or kept anywhere else may be submitted there. No code runs.
"""

from __future__ import annotations

import dis
import itertools
from collections.abc import Iterator
from types import CodeType
from typing import Any, Final, NamedTuple

from simpleflow_lab.replay.lines import Line
from simpleflow_lab.workflow import Workflow

MAKERS: Final = (
    *("start_timer", "cancel_timer", "record_marker", "signal", "wait_signal", "next_signal", "continue_as_new"),
)
"""The methods of `Workflow` that give a task to submit."""


class NotSubmitted(NamedTuple):
    """One such call."""

    method: str
    """One of `MAKERS`."""
    line: Line
    """The author's line of the call."""


def not_submitted(workflow: type[Workflow]) -> list[NotSubmitted]:
    """These calls in the methods of the class, in the order in which they stand there."""
    found: list[NotSubmitted] = []
    for each in workflow.__mro__:
        if each.__module__.partition(".")[0] == __name__.partition(".")[0]:
            continue
        for method in vars(each).copy().values():
            code = getattr(method, "__code__", None)
            if isinstance(code, CodeType) and code.co_argcount:
                found += _in_code(workflow, code)
    return found


def _in_code(workflow: type[Workflow], code: CodeType) -> Iterator[NotSubmitted]:
    instructions = [each for each in dis.get_instructions(code) if each.opname not in ("CACHE", "PRECALL", "NOP")]
    own = code.co_varnames[0]
    made: dict[tuple[Any, Any], str] = {}
    """By where the call begins: the method."""
    for before, each in itertools.pairwise(instructions):
        place = each.positions
        if each.opname in ("LOAD_ATTR", "LOAD_METHOD") and place is not None and _names(before)[-1:] == [own]:
            if each.argval in MAKERS and getattr(workflow, each.argval) is getattr(Workflow, each.argval):
                made[place.lineno, place.col_offset] = each.argval
        elif before.opname in ("CALL", "CALL_KW", "CALL_FUNCTION_EX") and before.positions is not None:
            start = before.positions.lineno, before.positions.col_offset
            method = made.get(start)
            # What is called may itself be called, as in `self.signal("go").x()`: its own call comes first.
            if method is not None:
                del made[start]
                if _is_dropped(each, instructions):
                    yield NotSubmitted(method, Line(code.co_filename, start[0] or 0, code.co_qualname))


def _is_dropped(then: dis.Instruction, instructions: list[dis.Instruction]) -> bool:
    """Nothing reads what is on the stack before this instruction."""
    if then.opname == "POP_TOP":
        return True
    if then.opname != "STORE_FAST":
        return False
    return not any(then.argval in _names(each) for each in instructions if "LOAD" in each.opname)


def _names(instruction: dis.Instruction) -> list[Any]:
    """The local variables that it is about: one, or two of an instruction that stands for two."""
    if "_FAST" not in instruction.opname and "_DEREF" not in instruction.opname:
        return []
    return list(instruction.argval) if isinstance(instruction.argval, tuple) else [instruction.argval]

"""Conditions on steps, as people type them: `total > 5 and step.number > 3`.

An expression sees the local variables that `run` had at the end of a step, `step` itself, and the names of the module
in which `run` is. One that raises, as where a variable is not there yet, does not hold.

*Rule:* what is evaluated is what this user typed in this kernel, never a text of a history.
"""

from __future__ import annotations

import ast
import builtins
from typing import Any, Final

from simpleflow_lab.debugger.steps import Step
from simpleflow_lab.exceptions import UsageError

_MAX_SHOWN: Final = 60


class Condition:
    """A Python expression about a step. Call it with one: whether it holds then."""

    def __init__(self, text: str):
        """Raises `UsageError` for what is no expression."""
        self.text = text.strip()
        try:
            tree = ast.parse(self.text, "<condition>", "eval")
            self._code = compile(tree, "<condition>", "eval")
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise UsageError(f"{self.text[:_MAX_SHOWN]!r} is no Python expression: {error}") from None
        names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        self._needs_locals = any(name != "step" and not hasattr(builtins, name) for name in names)
        self.error: str | None = None
        """The last error that it raised, with its step; `None` if it raised none."""

    def __call__(self, step: Step) -> bool:
        """Whether it holds at the end of this step."""
        names: dict[str, Any] = dict(getattr(step.steps.workflow.run, "__globals__", {}))
        if self._needs_locals:
            names.update(step.locals)
        names["step"] = step
        try:
            return bool(eval(self._code, names))
        except Exception as error:
            self.error = f"in step {step.number} it raises {type(error).__name__}: {str(error)[:200]}"
            return False

"""Conditions on steps, as people type them: `total > 5 and step.number > 3`.

An expression sees the local variables at the end of a step, of `run` and of the functions that it waits in, where the
innermost one counts; `step` itself; and the names of the module in which `run` is. One that raises, as where a variable
is not there yet, does not hold.

Rule: what is evaluated is what this user typed in this kernel, never a text of a history.
"""

from __future__ import annotations

import ast
import builtins
import time
from typing import Any, Final

from simpleflow_lab.debugger.steps import ReplayStep
from simpleflow_lab.exceptions import UsageError

_MAX_SHOWN: Final = 60


class Condition:
    """A Python expression about a step. Call it with one: whether it holds then."""

    def __init__(self, text: str) -> None:
        """Raises `UsageError` for what is no expression."""
        self.text = text.strip()
        try:
            tree = ast.parse(self.text, "<condition>", "eval")
            self._code = compile(tree, "<condition>", "eval")
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise UsageError(f"{self.text[:_MAX_SHOWN]!r} is no Python expression: {error}") from None
        names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        self._names = sorted(names - {"step"})
        self._needs_locals = any(not hasattr(builtins, name) for name in self._names)
        self._raised: str | None = None
        """The last error but those for a name that is not there in its step."""
        self._unknown: set[str] = set()
        self._known: set[str] = set()
        self._began: tuple[int, float] | None = None

    @property
    def error(self) -> str | None:
        """Why it may have held nowhere: a name that no step has, or the last error that it raised, with its step.

        `None` if it could be told of some step, and raised nothing: it just did not hold. A name that is in some steps
        and not in others, as before its first line and after the end of `run`, is no error.
        """
        if self._raised is not None:
            return self._raised
        nowhere = sorted(self._unknown - self._known)
        if not nowhere:
            return None
        what = ", ".join(f"{name[:_MAX_SHOWN]!r}" for name in nowhere)
        return f"no variable of run in any of these steps, and no name of its module, is called {what}"

    @property
    def running(self) -> tuple[int, float]:
        """The number of the step for which it runs just now and for how many seconds it does; zeros if it does not."""
        began = self._began
        return (0, 0.0) if began is None else (began[0], time.monotonic() - began[1])

    def __call__(self, step: ReplayStep) -> bool:
        """Whether it holds at the end of this step."""
        names: dict[str, Any] = dict(getattr(step.steps.workflow.run, "__globals__", {}))
        if self._needs_locals:
            for frame in step.stack():  # the innermost one has the last word
                names.update(frame.some_locals(self._names))
        names["step"] = step
        self._known.update(name for name in self._names if name in names)
        self._began = step.number, time.monotonic()
        try:
            return bool(eval(self._code, names))
        except NameError as error:
            if error.name in self._names:
                self._unknown.add(error.name)
            else:
                self._note(step, error)
        except (Exception, SystemExit) as error:  # a condition is any code: what it raises is noted
            self._note(step, error)
        finally:
            self._began = None
        return False

    def _note(self, step: ReplayStep, error: Exception | SystemExit) -> None:
        self._raised = f"in step {step.number} it raises {type(error).__name__}: {str(error)[:200]}"

"""The frames in which the fibers of a workflow wait at the end of a step, with their local variables.

Rule: a frame gives copies: who changes a local variable changes no step.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any

from simpleflow_lab.replay.lines import Line, line_text


class _Locals(dict[str, Any]):
    """Local variables by name, of which one may be asked for that there is not."""

    __slots__ = ("left_out",)
    left_out: int

    def __missing__(self, name: object) -> Any:
        """Raises `KeyError`."""
        if self.left_out:
            raise KeyError(f"{name!r:.80}: the first {len(self):,} local variables are kept, {self.left_out:,} are not")
        raise KeyError(name)


class Frame:
    """One frame of the author's code, where a fiber is suspended at the end of a step."""

    __slots__ = ("_copied", "_left_out", "_memo", "_values", "line")

    def __init__(self, line: Line, values: Mapping[str, Any], left_out: int, memo: dict[int, Any]) -> None:
        self.line = line
        """Where it is."""
        self._values = values
        self._left_out = left_out
        self._memo = memo
        """Of the frames of a stack: what they share, their copies share."""
        self._copied: _Locals | None = None

    @property
    def locals(self) -> Mapping[str, Any]:
        """Its local variables as they were then: plain data as it was, other values as bounded texts.

        They are a copy: who changes them changes no step. A frame has at most 1,000 of them; what is asked for beyond
        raises a `KeyError` that says so.
        """
        if self._copied is None:
            self._copied = self.some_locals(self._values)
        return self._copied

    def some_locals(self, names: Iterable[str]) -> _Locals:
        """Its local variables of these names, as far as there are any."""
        found = _Locals((name, copy.deepcopy(self._values[name], self._memo)) for name in names if name in self._values)
        found.left_out = self._left_out
        return found

    @property
    def text(self) -> str:
        """The line as `basic.py:25, z = self.submit(double, y)`."""
        return line_text(self.line)

    def __repr__(self) -> str:
        return f"<Frame {self.text}>"

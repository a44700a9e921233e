"""The lines of the author's code that run in a decision.

Python's own trace function is set in the thread that replays, for the decisions that are asked for, and is then what it
was before. Code of this package, of Python's library and of installed packages is none of the author's, but that of the
package in which the workflow itself is.

Rule: the tracer only notes; it never raises into the code that runs.
"""

from __future__ import annotations

import sys
import sysconfig
from types import CodeType, FrameType
from typing import Any, Final

from simpleflow_lab.replay.fibers import Fiber
from simpleflow_lab.replay.lines import Line, author_frame, line_of
from simpleflow_lab.workflow import Workflow

MAX_LINES: Final = 1_000
"""Most different lines that are noted of one decision."""

_PACKAGE: Final = __name__.partition(".")[0]
_LIBRARIES: Final = tuple(
    {f"{path}/" for name in ("stdlib", "platstdlib", "purelib", "platlib") if (path := sysconfig.get_path(name))}
)


class TracedLines:
    """Notes the lines that run in the decisions of one replay. Used in the thread that replays."""

    def __init__(self, workflow: type[Workflow], *, first: int) -> None:
        """Decisions are traced from the one on whose `DecisionTaskStarted` event has at least this id."""
        self.first = first
        self._own = workflow.__module__.partition(".")[0]
        run: Any = workflow.run
        self._file = getattr(getattr(run, "__code__", None), "co_filename", "")
        self._is_author: dict[CodeType, bool] = {}
        self._lines: dict[Line, None] = {}
        self._is_tracing = False
        self._before: Any = None

    def begin(self) -> None:
        """A decision begins."""
        self._lines.clear()
        if not self._is_tracing:
            self._is_tracing, self._before = True, sys.gettrace()
            sys.settrace(self._trace)

    def resume(self, fiber: Fiber) -> None:
        """A fiber goes on in it: its frames, which began before, are traced from here on."""
        if not self._is_tracing:
            return
        frame: FrameType | None = fiber.greenlet.gr_frame
        innermost = author_frame(frame)
        while frame is not None:
            if self._is_of_author(frame):
                if frame is innermost:
                    self._note(line_of(frame))
                frame.f_trace = self._trace_lines
            frame = frame.f_back

    def end(self) -> tuple[Line, ...] | None:
        """The decision has ended: its lines, each once, in the order in which they ran first; `None` if it was not
        traced."""
        if not self._is_tracing:
            return None
        self._is_tracing = False
        sys.settrace(self._before)
        return tuple(self._lines)

    def _trace(self, frame: FrameType, event: str, argument: Any) -> Any:
        return self._trace_lines if self._is_of_author(frame) else None

    def _trace_lines(self, frame: FrameType, event: str, argument: Any) -> Any:
        if event == "line" and self._is_tracing:
            self._note(line_of(frame))
        return self._trace_lines

    def _note(self, line: Line) -> None:
        if len(self._lines) < MAX_LINES:
            self._lines[line] = None

    def _is_of_author(self, frame: FrameType) -> bool:
        code = frame.f_code
        known = self._is_author.get(code)
        if known is None:
            module = str(frame.f_globals.get("__name__", "")).partition(".")[0]
            # What Python makes itself, as the methods of a dataclass, has no file.
            is_library = code.co_filename.startswith((*_LIBRARIES, "<frozen ")) or code.co_filename == "<string>"
            is_own = code.co_filename == self._file or (module == self._own and code.co_filename != "<string>")
            known = self._is_author[code] = module != _PACKAGE and (is_own or not is_library)
        return known

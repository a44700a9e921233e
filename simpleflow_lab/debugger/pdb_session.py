"""Python's debugger on a replay: it stands where a fiber is suspended, and goes on line by line.

    steps[7].pdb()                # at the end of step 7, on the line where `run` waits
    steps.run_to(event=42)        # the replay up to event 42, with every `breakpoint()` of the code on the way

The history is replayed once more, in the thread that asks, with the debugger of the place: IPython's in a notebook and
in IPython, `pdb` elsewhere. `p`, `pp`, `up`, `down`, `l`, `w` and the rest are as ever. With `n`, `s`, `r`, `until` and
`c` the replay goes on: the next events of the history arrive, and the debugger stops at the next line of the author's,
at a `breakpoint()`, or where `b` has put one. `q` leaves.

Rule: the execution does not change. Nothing is sent, and no activity or hook of a close runs; what the code asks for
in a debugger belongs to the replay, which ends with it. A future that is not done can't be waited for there.
"""

from __future__ import annotations

import contextlib
import pdb
import sys
import sysconfig
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import FrameType, TracebackType
from typing import Any, Final

from simpleflow_lab.debugger.replay_debugger import Quit, new_debugger
from simpleflow_lab.exceptions import DecisionTaskError, UsageError
from simpleflow_lab.replay import breakpoints
from simpleflow_lab.replay.muted_output import heard_output, stream_below_gates
from simpleflow_lab.replay.recorder import Recorder
from simpleflow_lab.replay.replay import Replay
from simpleflow_lab.replay.trace import DecisionRecord, close_replay, open_decision
from simpleflow_lab.replay.value_text import value_text
from simpleflow_lab.swf.history import History
from simpleflow_lab.workflow import Workflow

_PACKAGE: Final = __name__.partition(".")[0]
_LIBRARIES: Final = tuple(
    {f"{path}/" for name in ("stdlib", "platstdlib", "purelib", "platlib") if (path := sysconfig.get_path(name))}
)


class PdbSession:
    """One replay under the debugger."""

    def __init__(
        self,
        workflow: type[Workflow],
        history: History,
        options: Mapping[str, Any],
        *,
        stand_at: Callable[[DecisionRecord], bool],
        fiber: int = 1,
        stops_at_breakpoints: bool = False,
    ) -> None:
        """Stand at the end of the first decision of which `stand_at` says so, in the frame of this fiber.

        `options` are those of `Replay`. With `stops_at_breakpoints` each `breakpoint()` on the way there stops, too.
        """
        self._history = history
        self._stand_at, self._fiber = stand_at, fiber
        self._stops = stops_at_breakpoints
        self._records: list[DecisionRecord] = []
        self._thread = threading.get_ident()
        self._is_over = self.is_paused = False
        self._is_met = stops_at_breakpoints
        """The user has talked to the debugger, or may never do: no frame to stand in is no error."""
        recorder = Recorder(self._records.append, stacks_from=len(history) + 1)
        heard, stdout = recorder.output_written, stream_below_gates(sys.stdout)

        def output_written(text: str) -> None:
            heard(text)
            if self._stops:  # somebody sits there, and steps over a `print`
                stdout.write(text)

        recorder.output_written = output_written  # type: ignore[method-assign]
        self._own = workflow.__module__.partition(".")[0]
        self._replay = Replay(workflow, observer=recorder, **options)
        self._debugger = new_debugger(debugger_class(), self)

    def run(self) -> None:
        """Debug until `q`, or until the history ends. Raises `UsageError` if there is no frame to stand in."""
        if threading.current_thread() is not threading.main_thread():
            raise UsageError("a debugger reads what you type in the main thread: call it in a cell, not in a thread")
        ours = sys.gettrace()
        breakpoints.add(self._at_breakpoint, first=True)
        try:
            with _in_one_line():
                self._go()
        except Quit:
            pass
        finally:
            self._is_over = True
            sys.settrace(ours)
            breakpoints.remove(self._at_breakpoint)
            close_replay(self._replay)

    # -- the replay --

    def _go(self) -> None:
        stood = False
        for record in self._decisions():
            if not stood and self._stand_at(record):
                stood = True
                if not self._stand(record):
                    return
        last = self._records[-1] if self._records else None
        if last is None:
            raise UsageError("this history has no decision yet: there is nothing to debug")
        if not stood and not self._stand(last):
            return
        if last.close is not None or self._frame() is None:
            self._say(_ended(last))
        elif self._debugger.stepping:
            self._say(f"*** the history ends with step {last.number}: the code waits there for what comes next")
            self._interact(self._frame())

    def _decisions(self) -> Iterator[DecisionRecord]:
        replay, seen = self._replay, 0

        def new() -> Sequence[DecisionRecord]:
            nonlocal seen
            found, seen = self._records[seen:], len(self._records)
            return found

        try:
            for event in self._history:
                replay.feed((event,))
                yield from new()
            replay.replay_last_batch()
            yield from new()
            started = open_decision(self._history)
            if started is not None:
                replay.decide(started, dry=True)
        except DecisionTaskError as error:
            self._say(f"*** the code can't go on along this history: {' '.join(str(error).split())}")
        yield from new()

    def _frame(self) -> FrameType | None:
        """The frame to stand in: of the fiber that was asked for, or else of the first one that has one."""
        fibers = [fiber for fiber in self._replay.suspended if fiber.frame is not None]
        fibers.sort(key=lambda fiber: fiber.number != self._fiber)
        return fibers[0].frame if fibers else None

    def _stand(self, record: DecisionRecord) -> bool:
        """Stand at the end of this decision; whether the user wants the replay to go on from there."""
        self._stops = True
        frame, error = self._frame(), self._replay.author_error
        waiting = [fiber.number for fiber in self._replay.suspended]
        if self._fiber != 1 and self._fiber not in waiting:
            raise UsageError(
                f"no fiber {self._fiber!r:.20} waits at the end of step {record.number}: "
                f"{', '.join(map(str, waiting[:8])) or 'none does'}"
            )
        if self._fiber != 1 and all(
            fiber.frame is not frame for fiber in self._replay.suspended if fiber.number == self._fiber
        ):
            raise UsageError(
                f"fiber {self._fiber!r:.20} waits in no line of yours at the end of step {record.number}: "
                "what a canvas runs has none; pdb() stands where run waits"
            )
        if record.close is None and frame is not None:
            self._interact(frame)
        elif error is not None and error.__traceback__ is not None:
            self._say(f"*** run ended in step {record.number} with {value_text(error)}")
            self._interact(None, error.__traceback__)
        elif self._is_met:
            return True
        else:
            raise UsageError(
                f"{_ended(record).lstrip('* ')}: steps[{max(record.number - 1, 1)}].pdb() stands before it, "
                "and n goes on from there"
            )
        return bool(self._debugger.stepping or self._debugger.continues)

    # -- the debugger --

    def _at_breakpoint(self, frame: FrameType, call: str) -> bool:
        """Handle `breakpoint()` and its like: not those of other threads, nor those that a person types."""
        if threading.get_ident() != self._thread or self._is_over or self.is_paused:
            return False
        if call == breakpoints.INPUT:
            return True
        if self._stops:
            self._interact(frame)
        return True

    def _interact(self, frame: FrameType | None, traceback: TracebackType | None = None) -> None:
        """Let the user look, and trace what follows as they want it. Raises `Quit`."""
        debugger = self._debugger
        sys.settrace(None)
        self._is_met = True
        debugger.interaction(frame, traceback)
        if debugger.quitting:
            raise Quit
        if debugger.stepping or debugger.breaks:
            self._trace(frame)

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Within it the debugger talks to the user, and no fiber of the code runs."""
        if self.is_paused:  # by the `debug` command, whose debugger talks within that of the session
            yield
            return
        self.is_paused = True
        try:
            with heard_output(), self._replay.no_fiber_runs():
                yield
        finally:
            self.is_paused = False

    def _trace(self, running: FrameType | None) -> None:
        """Trace all frames of the code: those that are suspended, too, go on with it."""
        frames = [running, *(fiber.greenlet.gr_frame for fiber in self._replay.suspended)]
        for frame in frames:
            while frame is not None:
                if self.is_theirs(frame):
                    frame.f_trace = self._debugger.trace_dispatch
                frame = frame.f_back
        sys.settrace(self._debugger.trace_dispatch)

    def is_theirs(self, frame: FrameType) -> bool:
        """The frame is of the author's code: not of this package, nor of an installed one."""
        module = str(frame.f_globals.get("__name__", "")).partition(".")[0]
        if module == _PACKAGE or frame.f_code.co_filename == "<string>":  # as the methods of a named tuple
            return False
        return module == self._own or not frame.f_code.co_filename.startswith((*_LIBRARIES, "<frozen "))

    def _say(self, text: str) -> None:
        with heard_output():
            sys.stdout.write(f"{text}\n")


def debugger_class() -> type[pdb.Pdb]:
    """IPython's, where its shell runs; else Python's."""
    ipython: Any = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    found: type[pdb.Pdb] = pdb.Pdb if shell is None else shell.debugger_cls
    return found


def _ended(record: DecisionRecord) -> str:
    how = f", by {record.close.decision_type}" if record.close is not None else ""
    return f"*** run has ended in step {record.number}{how}"


@contextlib.contextmanager
def _in_one_line() -> Iterator[None]:
    """A front end that takes no input, as nbclient, is reported in one line. Raises `UsageError`."""
    try:
        yield
    except Exception as error:  # its class is that of the front end, which need not be installed
        if type(error).__name__ != "StdinNotImplementedError":
            raise
        raise UsageError(
            "this front end passes on no input, which a debugger reads: use JupyterLab, IPython or a shell"
        ) from None

"""Python's debugger in a replay: what it does otherwise, whichever one it is, IPython's or `pdb`.

It stops in the author's code alone, `q` ends the replay, and stepping past a wait lets the history go on.
"""

from __future__ import annotations

import bdb
import pdb
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import FrameType
from typing import TYPE_CHECKING, Any, Protocol

_Base: Any = pdb.Pdb if TYPE_CHECKING else object


class Quit(KeyboardInterrupt):
    """`q`: ends the replay wherever it is. It is no `Exception`, so that no `except` of the author's keeps it."""


class DebuggerSession(Protocol):
    """The replay as the debugger needs it."""

    is_paused: bool
    """The debugger talks to the user."""

    def is_theirs(self, frame: FrameType) -> bool:
        """The frame is of the author's code."""

    def paused(self) -> AbstractContextManager[None]:
        """Within it the debugger talks to the user, and no fiber of the code runs."""


def new_debugger(base: type[pdb.Pdb], session: DebuggerSession) -> Any:
    """A debugger of this class for one session."""
    kind: Any = type("ReplayPdb", (ReplayDebugger, base), {"session": session})
    return kind()


class ReplayDebugger(_Base):  # type: ignore[misc]
    """The methods of a debugger that are others in a replay: a base before the debugger's own class."""

    session: DebuggerSession
    """The replay that it is about."""

    stepping = False
    """The user wants to stop at the next line of the code."""
    continues = False
    """The user wants to go on to the next breakpoint."""
    quitting = False
    """The user wants to leave. The debugger is asked before it was begun with any code."""

    def get_stack(self, frame: FrameType | None, traceback: Any) -> Any:
        """The frames from the author's outermost one to the innermost."""
        stack, place = super().get_stack(frame, traceback)
        theirs = [number for number, (each, _) in enumerate(stack) if self.session.is_theirs(each)]
        if not theirs:
            return stack, place
        return stack[theirs[0] : theirs[-1] + 1], min(place, theirs[-1]) - theirs[0]

    def stop_here(self, frame: FrameType) -> bool:
        """Only in the author's code."""
        return self.session.is_theirs(frame) and bool(super().stop_here(frame))

    def trace_dispatch(self, frame: FrameType, event: str, argument: Any) -> Any:
        """As ever; but leaving ends the replay, and raises nothing that the code could take for an error. What the
        `debug` command runs while the user is talked to is left alone."""
        try:
            return super().trace_dispatch(frame, event, argument)
        except bdb.BdbQuit:
            if self.session.is_paused:
                raise
            raise Quit from None

    def interaction(self, *args: Any, **kwargs: Any) -> None:
        """Talk to the user."""
        self.stepping = self.continues = False
        self.botframe = sys._getframe()  # no frame of the code's: at it nothing stops
        with self.session.paused():
            super().interaction(*args, **kwargs)

    def _steps(self, act: Callable[[Any], Any], argument: Any) -> Any:
        self.stepping = True
        return act(argument)

    def do_next(self, arg: str) -> Any:
        """n(ext): go on to the next line of this function; where it waits, let the history go on."""
        return self._steps(super().do_next, arg)

    do_n = do_next

    def do_step(self, arg: str) -> Any:
        """s(tep): go on to the next line of the author's code, in whichever function or fiber."""
        return self._steps(super().do_step, arg)

    do_s = do_step

    def do_return(self, arg: str) -> Any:
        """r(eturn): go on until this function returns."""
        return self._steps(super().do_return, arg)

    do_r = do_return

    def do_until(self, arg: str) -> Any:
        """unt(il): go on to a line with a greater number, or to the one given."""
        return self._steps(super().do_until, arg)

    do_unt = do_until

    def do_continue(self, arg: str) -> Any:
        """c(ontinue): go on to the next breakpoint, or to the end of the history."""
        self.continues = True
        return super().do_continue(arg)

    do_c = do_cont = do_continue

    def do_debug(self, arg: str) -> Any:
        """debug: step through a call in a debugger of its own. The replay is traced afterwards as it was before."""
        before = sys.gettrace()
        try:
            return super().do_debug(arg)
        finally:
            sys.settrace(before)

    def do_jump(self, arg: str) -> None:
        """j(ump): not in a replay, which goes along what was recorded."""
        self.message("*** a replay goes along what was recorded: it can't jump")

    do_j = do_jump

    def do_run(self, arg: str) -> None:
        """run, restart: not in a replay, which is begun anew by a new `pdb()`."""
        self.message("*** a replay goes along what was recorded: leave with q, and call pdb() again to restart")

    do_restart = do_run

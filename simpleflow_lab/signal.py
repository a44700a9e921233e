"""Signals as a workflow gets them, and waiting for them.

A signal has a name and an input. `Workflow.signal` sends the input `{"args": …, "kwargs": …, "__propagate": …}`, as
upstream does; other senders may send any text. Waiting for a name gives its latest occurrence; taking
(`WaitForNextSignal`) gives each occurrence once, in the order of the history.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from simpleflow_lab.futures import Future
from simpleflow_lab.task import Task

PROPAGATE: Final = "__propagate"
"""Key in a signal's input: the receiver passes the signal on to its parent and children."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Signal:
    """One signal that this execution got."""

    name: str
    """The signal's name."""
    input: Any
    """Its input: the decoded JSON value, or the text if it is not JSON."""
    event_id: int
    """Id of its event in the history."""
    workflow_id: str | None = None
    """The execution that sent it; `None` if it came from outside."""
    run_id: str | None = None
    """The run that sent it."""

    @property
    def args(self) -> list[Any]:
        """Positional arguments: those it was sent with; the elements of an array; else the input alone."""
        if isinstance(self.input, Mapping) and {"args", "kwargs"} & set(self.input):
            args = self.input.get("args", [])
            return list(args) if isinstance(args, list) else [args]
        if isinstance(self.input, list):
            return list(self.input)
        return [] if self.input is None else [self.input]

    @property
    def kwargs(self) -> dict[str, Any]:
        """Keyword arguments that it was sent with."""
        named = self.input.get("kwargs") if isinstance(self.input, Mapping) else None
        return dict(named) if isinstance(named, Mapping) else {}

    @property
    def propagates(self) -> bool:
        """Whether the receiver passes it on to its parent and children."""
        return isinstance(self.input, Mapping) and bool(self.input.get(PROPAGATE))


class SignalFuture(Future):
    """The future of a signal: its result is the signal's input."""

    __slots__ = ("_signal",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._signal: Signal | None = None

    @property
    def signal(self) -> Signal:
        """The signal with its arguments and sender; waits for it. Raises `ValueError` if it was canceled."""
        self.wait()
        self.is_read = True
        if self._signal is None:
            raise ValueError(f"{self!r} has no signal")
        return self._signal

    def set_signal(self, signal: Signal) -> None:
        """Close the future with this signal."""
        self._signal = signal
        self.set_finished(signal.input)


class WaitForSignal(Task):
    """Submit it to get a future that is done when the signal came; its result is the latest one's input."""

    def __init__(self, signal_name: str) -> None:
        self.name = signal_name
        self.signal_name = signal_name


class WaitForNextSignal(WaitForSignal):
    """Submit it to take the next occurrence of the signal: each is given to one taker, first come, first served."""

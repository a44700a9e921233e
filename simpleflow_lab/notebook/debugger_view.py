"""The debugger's view: a widget that shows the step at which a `Debugger` stands, and moves it.

    debugger = execution.debug()
    debugger

What a reader does is put into a queue, for callbacks may run in any thread. One thread of each view takes it from
there, moves the debugger, and sends what changed: the step at once, its local variables and the lines that ran as soon
as the replay has them. The thread ends when nobody has asked for anything for a while, and begins anew.

Rule: a view holds its debugger, and a debugger none of its views. What is sent is bounded; see `debugger.view_data`.
"""

from __future__ import annotations

import contextvars
import logging
import queue
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final

import anywidget
import traitlets

from simpleflow_lab.debugger import view_data
from simpleflow_lab.debugger.time_travel import Debugger
from simpleflow_lab.exceptions import DecisionTooLongError, SimpleflowLabError, UsageError
from simpleflow_lab.notebook.widget_messages import (
    answer_while_a_cell_runs,
    error_line,
    module_of,
    new_identity,
    style_sheet,
)
from simpleflow_lab.views.formatting import HOVER_LIMIT, bounded

logger = logging.getLogger(__name__)

_IDLE: Final = 2.0
"""Seconds without anything to do after which the thread ends."""
_MOVES: Final = frozenset({"go", "event", "line", "condition", "failure", "divergence", "parting", "reload"})


class DebuggerView(anywidget.AnyWidget):
    """The view of one debugger."""

    _esm = module_of("lanes.js", "debugger_view.js")
    _css = style_sheet("debugger_view.css")

    overview = traitlets.Dict().tag(sync=True)
    """The part that does not change from step to step."""
    shown = traitlets.Dict().tag(sync=True)
    """The step, as `view_data.shown` gives it."""
    details = traitlets.Dict().tag(sync=True)
    """Its local variables and lines, or those of the step before until they are there."""
    futures = traitlets.Dict().tag(sync=True)
    """The futures of it that the reader looks at."""
    sources = traitlets.Dict().tag(sync=True)
    """Source files by their names, those that were needed so far."""
    notice = traitlets.Unicode().tag(sync=True)
    """A line about the last move, if it came to nothing."""
    opened = traitlets.Unicode().tag(sync=True)
    """Why it stands where it does, until it moves."""
    news = traitlets.Int().tag(sync=True)
    """Number of decisions that were recorded since the history was read."""
    identity = traitlets.Unicode().tag(sync=True)
    """The id of its model, by which outputs name it."""
    place = traitlets.Int().tag(sync=True)
    """The number of its place among those of its cell: the still picture of the same place is hidden; see
    `notebook.stills`."""
    busy = traitlets.Unicode().tag(sync=True)
    """The thing that the kernel is looking for, if that takes a while."""

    def __init__(self, debugger: Debugger, *, find_other: Callable[[str], Any] | None = None) -> None:
        """`find_other` finds the execution that a reader names to compare with, if it is not where this one is.

        Raises what the replay does if it can't be had.
        """
        self._debugger = debugger
        self._find_other = find_other
        self._requests: queue.SimpleQueue[Mapping[str, Any]] = queue.SimpleQueue()
        self._lock = threading.RLock()
        self._is_closed = False
        self._is_stopped = False
        """The reader gave up what is being looked for."""
        self._thread: threading.Thread | None = None
        self._idle: Callable[[], None] = _nothing
        self._idle_at = debugger.number
        self._query: dict[str, Any] = {"which": "changed", "words": "", "first": 0}
        overview, first = view_data.overview(debugger.steps), self._collect()
        super().__init__(**new_identity(), overview=overview, **first)
        self.on_msg(self._received)
        answer_while_a_cell_runs(self)
        debugger.add_viewer(self)
        self._ask({"kind": "details"})

    @property
    def debugger(self) -> Debugger:
        """The debugger that it shows."""
        return self._debugger

    def moved(self) -> None:
        """The debugger has moved: show where it is, from any thread."""
        self._show()
        self._ask({"kind": "details"})

    def when_idle(self, act: Callable[[], None]) -> None:
        """Call `act`, in the view's thread, when the reader has moved and nothing is asked for any more."""
        self._idle = act

    def close(self) -> None:
        """End the thread and take the widget away."""
        self._is_closed = self._is_stopped = True
        self._requests.put({"kind": "close"})
        self._debugger.remove_viewer(self)
        layout = self.layout  # a widget of its own, which would stay
        super().close()
        if layout is not None:
            layout.close()

    def _repr_mimebundle_(self, **options: Any) -> Any:
        """The widget; for front ends without widgets, the step."""
        bundle = super()._repr_mimebundle_(**options)
        data = bundle[0] if isinstance(bundle, tuple) else bundle
        if data is not None:
            data.update(static_bundle(self._debugger))
        return bundle

    # -- what is sent --

    def _collect(self) -> dict[str, Any]:
        """The values of the traits for the step at which the debugger stands."""
        step = self._debugger.step
        shown = view_data.shown(step)
        found: dict[str, Any] = {
            "shown": shown,
            "opened": self._debugger.opened,
            "futures": view_data.futures_page(step, **self._query),
            "sources": self._with_sources(view_data.files_of(shown)),
        }
        if step.is_detailed:
            found.update(self._details_of(step))
        return found

    def _show(self) -> None:
        with self._lock:
            if self._is_closed:
                return
            found = self._collect()
            if self.overview["total"] != len(self._debugger):
                found["overview"] = view_data.overview(self._debugger.steps)
            with self.hold_sync():
                for name, value in found.items():
                    self._set(name, value)

    def _show_anew(self) -> None:
        """The history or the code may be others: show what was sent of them once, too."""
        overview = view_data.overview(self._debugger.steps)
        with self._lock:
            self._set("sources", {file: view_data.source_of(file) for file in self.sources})
            self._set("overview", overview)

    def _show_details(self) -> None:
        step = self._debugger.step
        if self.details.get("number") == step.number and step.is_detailed:
            return
        try:
            found = self._details_of(step)
        except (UsageError, DecisionTooLongError) as error:
            found = {"details": {"number": step.number, "fibers": [], "lines": [], "all_lines": 0, "error": str(error)}}
        with self._lock:
            if not self._is_closed and self._debugger.number == step.number:
                with self.hold_sync():
                    for name, value in found.items():
                        self._set(name, value)

    def _details_of(self, step: Any) -> dict[str, Any]:
        details = view_data.details(step)
        return {"details": details, "sources": self._with_sources(view_data.files_of(self.shown, details["lines"]))}

    def _with_sources(self, files: list[str]) -> dict[str, Any]:
        known = dict(self.sources)
        for file in files:
            if file not in known and len(known) < 20:
                known[file] = view_data.source_of(file)
        return known

    def _set(self, name: str, value: Any) -> None:
        if getattr(self, name) != value:
            setattr(self, name, value)

    # -- the reader's part --

    def _received(self, _: Any, message: Any, buffers: Any) -> None:
        """Put what the page says into the queue, from any thread."""
        if isinstance(message, dict):
            if message.get("kind") == "stop":
                self._is_stopped = True
                self._debugger.stop()
            else:
                self._ask(message)

    def _ask(self, request: Mapping[str, Any]) -> None:
        with self._lock:
            if self._is_closed:
                return
            self._requests.put(request)
            if self._thread is None:
                context = contextvars.copy_context()
                self._thread = threading.Thread(
                    target=context.run, args=(self._handle_requests,), name="simpleflow-lab debugger view", daemon=True
                )
                self._thread.start()

    def _handle_requests(self) -> None:
        while not self._is_closed:
            try:
                request = self._requests.get(timeout=_IDLE)
            except queue.Empty:
                with self._lock:
                    if self._requests.empty():
                        self._thread = None
                        return
                continue
            self._do(request)
            number = self._debugger.number
            if self._requests.empty() and number != self._idle_at:
                self._idle_at = number
                self._idle()

    def _do(self, request: Mapping[str, Any]) -> None:
        notice = ""
        try:
            self._act(request)
        except SimpleflowLabError as error:
            notice = error_line(error)
        except Exception as error:  # the view goes on, and the reader is told
            logger.exception("the debugger's view failed")
            notice = bounded(f"this failed with {type(error).__name__}: {error}", HOVER_LIMIT)
        with self._lock:
            if self._is_closed:
                return
            if request.get("kind") == "news":
                self.send({"kind": "told"})
                return
            self._set("busy", "")
            if request.get("kind") in _MOVES:
                self._set("notice", notice)
                # The page asks once more only when it has an answer, also to a move that led nowhere.
                self.send({"kind": "answered", "id": request.get("id")})

    def _act(self, request: Mapping[str, Any]) -> None:
        """Raises `SimpleflowLabError`."""
        debugger = self._debugger
        self._is_stopped = self._is_closed
        match request:
            case {"kind": "details"}:
                self._show_details()
            case {"kind": "news"}:
                self._set("news", debugger.new_decisions())
            case {"kind": "futures", "which": "all" | "changed" as which, "words": str(words), "first": int(first)}:
                self._query = {"which": which, "words": words, "first": first}
                self._set("futures", view_data.futures_page(debugger.step, **self._query))
            case {"kind": "go", "to": int(number)}:
                debugger.go_to(max(min(number, len(debugger)), 1))
            case {"kind": "event", "event": int(event)}:
                debugger.to_event(event)
            case {"kind": "event", "event": str(text)}:
                raise UsageError(f"an event is found by its number, as 12, and not by {text!r:.40}")
            case {"kind": "line", "line": str(line), "backwards": bool(backwards)}:
                self._set("busy", f"looks for line {line[:80]}")
                debugger.to_line(line, backwards=backwards)
            case {"kind": "condition", "text": str(text), "backwards": bool(backwards)}:
                self._set("busy", f"looks for {text[:80]}")
                debugger.to_condition(text, backwards=backwards, stopped=lambda: self._is_stopped)
            case {"kind": "failure", "after": int(after)}:
                debugger.to_failure(after=after)
            case {"kind": "divergence"}:
                debugger.to_divergence()
            case {"kind": "parting", "other": str(other)}:
                found = debugger.beside(other)
                if found is None and self._find_other is not None:
                    found = self._find_other(other)
                debugger.to_parting(other if found is None else found)
            case {"kind": "reload"}:
                self._set("busy", "replays the history again")
                debugger.reload()
                self._show_anew()
                self._set("news", debugger.new_decisions())


def _nothing() -> None:
    """Do nothing."""


def static_bundle(debugger: Debugger) -> dict[str, str]:
    """The step at which it stands, as text and as HTML that need no kernel."""
    return {"text/plain": repr(debugger), "text/html": debugger._repr_html_()}

"""Live views in the outputs of cells: which execution is shown so, and what becomes of its place.

An open execution that is the value of a cell is shown live where there is a kernel. Before the view stands a still
picture of it, which needs no kernel and is hidden by the view: that is what a saved notebook shows. When the execution
has completed, only that is left; of one that did not, the view stays, to look into. When the cell runs again, its views
are closed.

While a cell waits for an execution it shows it live, too, and the view stays. Its still picture stands behind it: it is
displayed when the cell ends, or is the cell's value if that is the execution. An interrupt of the kernel ends the
waiting, and the execution goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from IPython.core.interactiveshell import InteractiveShell
from IPython.display import DisplayHandle

from simpleflow_lab.exceptions import SimpleflowLabError, WaitInterrupted
from simpleflow_lab.execution import Execution
from simpleflow_lab.lab import Lab
from simpleflow_lab.notebook.lab_overview import overview_of
from simpleflow_lab.notebook.stills import NO_STILL, still_html, still_of_step, with_view
from simpleflow_lab.views.html import quiet
from simpleflow_lab.views.live_rows import FASTEST

if TYPE_CHECKING:
    from simpleflow_lab.debugger.time_travel import Debugger
    from simpleflow_lab.notebook.debugger_view import DebuggerView
    from simpleflow_lab.notebook.lab_view import LabView
    from simpleflow_lab.notebook.live_view import LiveView

logger = logging.getLogger(__name__)

DELAY: Final = 0.4
"""Seconds of waiting before it is shown: what takes less would only flicker."""
SAID_AFTER: Final = 1.0
"""Further seconds of waiting before something is said of it where it can't be shown."""
LONG: Final = 3_000
"""Events of a history whose picture takes longer than a reader waits for the view."""
STILL_EVERY: Final = 10.0
"""Seconds between two still pictures of an execution that is open, at least."""
MAX_VIEWS: Final = 40
"""The most views that a kernel keeps: of further ones the oldest is closed, and its still picture is left."""
MAX_CARDS: Final = 5
"""A cell that waits for more executions, one after the other, shows the next one in the place of the last."""
_TICK: Final = 0.2
"""Seconds after which an interrupt is noticed at the latest, while a cell awaits an execution."""
_WIDGET_VIEW: Final = "application/vnd.jupyter.widget-view+json"


class LiveViews:
    """The live views of a shell."""

    def __init__(self, shell: InteractiveShell, *, find_execution: Callable[[str], Any]) -> None:
        """`find_execution` finds one by what a reader of a view types."""
        self._shell: Any = shell  # IPython is typed in part
        self._find_execution = find_execution
        self._cell_id: str | None = None
        self._by_cell: dict[str | None, weakref.WeakSet[LiveView | DebuggerView | LabView]] = {}
        self._displayed: dict[LiveView | DebuggerView | LabView, Any] = {}
        """The views that were displayed and not closed, the oldest first, with the handles of their places."""
        self._unseen: dict[LiveView, Callable[[], bool]] = {}
        """The functions that renew the still pictures of views that no page has shown yet, and give whether to call
        them again."""
        self._places = itertools.count(1)
        """The numbers of the places of the current cell's views."""
        self._waited: list[_Card] = []
        """The cards of what the current cell waits for, or has waited for."""
        self.in_short: Lab | None = None
        """A Lab that the current cell only names: it was connected."""
        self.refresh = FASTEST
        """Seconds between two updates of what is shown by itself."""

    def begin(self, info: Any) -> None:
        """Handle IPython's event `pre_run_cell`: what this cell showed before is closed."""
        self.in_short = None
        self._waited, self._places = [], itertools.count(1)
        self._cell_id = getattr(info, "cell_id", None)
        if self._cell_id is not None:
            self._close(self._cell_id)

    def end(self, _: Any) -> None:
        """Handle IPython's event `post_run_cell`: what the cell waited for gets its still picture, and where no page
        shows a view, its picture is renewed.

        What executes a notebook without a page, as papermill does, takes in only what is sent while a cell runs.
        """
        for card in self._waited:
            card.show_still()
        for view, renew in list(self._unseen.items()):
            if view.was_shown or not renew():
                self._unseen.pop(view, None)

    def close(self) -> None:
        """Close all of them."""
        for cell_id in list(self._by_cell):
            self._close(cell_id)

    def _close(self, cell_id: str | None) -> None:
        for view in list(self._by_cell.pop(cell_id, ())):
            self._close_view(view)

    def _close_view(self, view: LiveView | DebuggerView | LabView) -> None:
        self._displayed.pop(view, None)
        self._unseen.pop(view, None)
        view.close()

    def _add(self, view: LiveView | DebuggerView | LabView, handle: Any) -> None:
        """It belongs to the current cell. Of too many the oldest is closed, if possible of an execution that has."""
        self._by_cell.setdefault(self._cell_id, weakref.WeakSet()).add(view)
        self._displayed[view] = handle
        while len(self._displayed) > MAX_VIEWS:
            old = list(self._displayed)[:-1]
            last = next((each for each in old if not getattr(each, "is_open", True)), old[0])
            self._displayed[last].update(NO_STILL, raw=True)  # JupyterLab fails at a view that ends while it is shown
            self._close_view(last)

    @property
    def are_possible(self) -> bool:
        """Whether there is a kernel, and so perhaps a page with widgets."""
        return hasattr(self._shell, "kernel")

    def formatter(self, execution: Execution) -> None:
        """Display an execution as the value of a cell. Raises `NotImplementedError` if it is not shown live.

        That is how a formatter of IPython leaves an object to the others.
        """
        if not self.are_possible:
            raise NotImplementedError
        try:
            is_open = execution.status == "OPEN"
        except SimpleflowLabError:
            raise NotImplementedError from None
        if not is_open:
            raise NotImplementedError
        self.show(execution)

    def html_formatter(self, execution: Execution) -> str:
        """The HTML of an execution: if this cell shows it, that of the still picture behind its view."""
        shown = [card for card in self._waited if card.is_of(execution)]
        for card in shown:
            card.is_value = True
        return still_html(execution, place=shown[-1].place) if shown else execution._repr_html_()

    def lab_formatter(self, lab: Lab) -> None:
        """Display a Lab as the value of a cell. Raises `NotImplementedError` if it is not shown live."""
        if not self.are_possible or lab.closed or lab is self.in_short:
            raise NotImplementedError
        from simpleflow_lab.notebook.lab_view import LabView  # noqa: PLC0415  anywidget, for those who look

        try:
            overview = overview_of(lab)
            view = LabView(lab)
        except SimpleflowLabError:
            raise NotImplementedError from None
        still: Any = DisplayHandle()  # type: ignore[no-untyped-call]
        place = next(self._places)
        html = with_view(overview._repr_html_(), seen_at=overview.at, place=place, of="lab")
        still.display({"text/plain": repr(overview), "text/html": html}, raw=True)
        self._put(view, {"text/plain": ""}, place=place)

    def lab_text(self, lab: Lab, printer: Any, cycle: bool) -> None:
        """A Lab as text: in a terminal all that there is to see, else a line."""
        text = repr(lab)
        if not (self.are_possible or lab.closed or lab is self.in_short):
            with contextlib.suppress(SimpleflowLabError):  # what can't be asked is named
                text = repr(overview_of(lab))
        printer.text(text)

    def show(self, execution: Execution, *, refresh: float = FASTEST) -> LiveView:
        """Show an execution below the current cell. Raises `SimpleflowLabError` if it can't be read.

        Its still picture stands before the view: hidden as long as the view is there, renewed every `STILL_EVERY`
        seconds, and what a saved notebook shows.
        """
        still: Any = DisplayHandle()  # type: ignore[no-untyped-call]
        place = next(self._places)
        if len(execution.history()) <= LONG:
            still.display(still_of(execution, place=place), raw=True)
        else:  # its picture takes a while: the view comes first, and its thread makes the picture
            html = with_view(quiet(repr(execution)), seen_at=execution.now(), place=place, of="execution")
            still.display({"text/plain": repr(execution), "text/html": html}, raw=True)
        view, handle = self._display(execution, {"text/plain": ""}, refresh=refresh, place=place)
        card = _Card(handle, place, still)
        card.hold(execution, view, after=0.0)
        if view.is_open:
            self._unseen[view] = card.renew
        return view

    def wait(self, execution: Execution, *, refresh: float = FASTEST, not_shown: Callable[[], None]) -> None:
        """Wait until the execution has closed, and show it meanwhile, with an update at most every `refresh` seconds.
        Where it can't be shown, as in a terminal, `not_shown` is called after `SAID_AFTER`.

        Raises `DecisionTaskError` if no decision can be made for now, `KeyboardInterrupt` if the kernel is interrupted;
        the execution stays open then.
        """
        if execution.wait(DELAY):
            return
        if not self.are_possible:
            if not execution.wait(SAID_AFTER):
                not_shown()
                execution.wait()
            return
        card = self._show_what_is_waited_for(execution, refresh=refresh)
        run: Execution | None = execution
        try:
            while run is not None:
                run.wait()
                run = run.next_run
        finally:
            card.is_waited_for = False

    @contextmanager
    def while_awaited(self, execution: Execution) -> Iterator[None]:
        """Show an execution within this context, below the cell that awaits it, from `DELAY` on.

        An interrupt of the kernel cancels what the cell awaits. That is shown in one line.
        """
        if not self.are_possible:
            yield
            return
        shown: list[_Card] = []

        def show() -> None:
            try:
                shown.append(self._show_what_is_waited_for(execution, refresh=self.refresh))
            except SimpleflowLabError as error:  # whoever awaits it is told
                logger.warning("%s can't be shown: %s", execution.workflow_id, error)

        loop = asyncio.get_running_loop()
        timer, ticking = loop.call_later(DELAY, show), _Ticking(loop)
        try:
            yield
        except asyncio.CancelledError as error:
            line = str(WaitInterrupted(execution.workflow_id))
            error._render_traceback_ = lambda: [line]  # type: ignore[attr-defined]  # IPython's way to show an error
            raise
        finally:
            timer.cancel()
            ticking.stop()
            for card in shown:
                card.is_waited_for = False

    def debugger_formatter(self, debugger: Debugger) -> None:
        """Display a debugger as the value of a cell, behind a still of its step, as of an execution. Raises
        `NotImplementedError` where there is no kernel."""
        from simpleflow_lab.notebook.debugger_view import DebuggerView  # noqa: PLC0415  anywidget, for those who look

        if not self.are_possible:
            raise NotImplementedError
        still: Any = DisplayHandle()  # type: ignore[no-untyped-call]
        place = next(self._places)
        still.display(still_of_step(debugger, place=place), raw=True)
        view = DebuggerView(debugger, find_other=self._find_execution)
        view.when_idle(lambda: still.update(still_of_step(debugger, place=place), raw=True))
        self._put(view, {"text/plain": ""}, place=place)

    def _display(
        self, execution: Execution, forms: Mapping[str, str], *, refresh: float, place: int
    ) -> tuple[LiveView, Any]:
        """A live view that was displayed below the current cell, and the handle of its place; with other forms for
        front ends without widgets, if there are any."""
        from simpleflow_lab.notebook.live_view import LiveView  # noqa: PLC0415  anywidget, for those who look

        view = LiveView(execution, refresh=refresh)
        return view, self._put(view, forms, place=place)

    def _show_what_is_waited_for(self, execution: Execution, *, refresh: float) -> _Card:
        """A live view below the current cell, or in the place of one for which it does not wait any more."""
        free = [card for card in self._waited if not card.is_waited_for]
        if len(self._waited) < MAX_CARDS or not free:
            place = next(self._places)
            view, handle = self._display(execution, {}, refresh=refresh, place=place)
            card = _Card(handle, place)
            self._waited.append(card)
        else:
            card = free[-1]
            view = self._take_place(card, execution, refresh=refresh)
        card.is_waited_for = True
        card.hold(execution, view, after=STILL_EVERY)
        self._unseen[view] = card.renew
        return card

    def _take_place(self, card: _Card, execution: Execution, *, refresh: float) -> LiveView:
        """A view in the place of another one, which is closed."""
        from simpleflow_lab.notebook.live_view import LiveView  # noqa: PLC0415  anywidget, for those who look

        view = LiveView(execution, refresh=refresh)
        view.place = card.place
        before = card.take(_bundle(view, {}))
        if before is not None:
            self._close_view(before)
        self._add(view, card.handle)
        return view

    def _put(self, view: LiveView | DebuggerView | LabView, forms: Mapping[str, str], *, place: int) -> Any:
        """Display a view below the current cell, with these other forms; the handle of its place."""
        view.place = place
        handle: Any = DisplayHandle()  # type: ignore[no-untyped-call]
        handle.display(_bundle(view, forms), raw=True)
        self._add(view, handle)
        return handle


class _Card:
    """The place of a live view, and that of its still picture, which shows the last state in a saved notebook."""

    def __init__(self, handle: Any, place: int, still: Any = None) -> None:
        """`place`: its number among those of the cell; `still`: the handle of the picture, if it was displayed."""
        self.handle, self.place, self._still = handle, place, still
        self._lock = threading.RLock()
        self._execution: Execution | None = None
        self._view: LiveView | None = None
        self._drawn = time.monotonic()
        self.is_waited_for = False
        self.is_value = False
        """Whether the cell shows the execution anyway, as its value."""

    def is_of(self, execution: Execution) -> bool:
        """Whether it shows this execution."""
        mine = self._execution
        return mine is not None and (mine.workflow_id, mine.run_id) == (execution.workflow_id, execution.run_id)

    def hold(self, execution: Execution, view: LiveView, *, after: float) -> None:
        """Show this execution in this view; `after` so many seconds there is a new still picture while it is open."""
        with self._lock:
            self._execution, self._view, self.is_value = execution, view, False
        view.now_and_then(lambda: self._draw(view, view.execution), every=STILL_EVERY, after=after)
        view.when_closed(lambda: self._draw(view, view.execution, again=True))

    def take(self, bundle: Mapping[str, Any]) -> LiveView | None:
        """Give the place of the view to another one; the view before. The picture is that of the view before, still."""
        with self._lock:
            before, self._view = self._view, None
            self.handle.update(bundle, raw=True)
        return before

    def show_still(self) -> None:
        """At the end of its cell: its still picture is displayed, unless the execution itself was.

        The view gets an empty text, too, for nbconvert warns of an output that has none. It had none so far: nbval
        would miss it in a run that is too quick to be shown.
        """
        if self._view is None:
            return
        self.handle.update(_bundle(self._view, {"text/plain": ""}), raw=True)
        with self._lock:
            if self.is_value:
                if self._still is not None:
                    self._still.update(NO_STILL, raw=True)
                return
        with contextlib.suppress(SimpleflowLabError):  # it can't be read: the cell has said so
            self._draw(self._view, self._view.execution.latest_run)

    def renew(self) -> bool:
        """Make the still picture again if the execution has closed, or the picture is old: whether to ask again."""
        view = self._view
        if view is None or self.is_value:
            return False
        try:
            run = view.execution.latest_run
            is_open = run.status == "OPEN"
            if not is_open or time.monotonic() - self._drawn > STILL_EVERY:
                self._draw(view, run)
        except SimpleflowLabError:  # the picture says how old it is
            return not view.execution.lab_is_closed
        return is_open

    def _draw(self, view: LiveView, run: Execution, *, again: bool = False) -> None:
        """Display the picture; `again`: only if there is one."""
        if self.is_value or (again and self._still is None):
            return
        picture = still_of(run, place=self.place)
        with self._lock:
            if view is not self._view or self.is_value:
                return
            if self._still is None:
                self._still = DisplayHandle()  # type: ignore[no-untyped-call]
                self._still.display(picture, raw=True)
            else:
                self._still.update(picture, raw=True)
            self._drawn = time.monotonic()


class _Ticking:
    """Wakes a loop at times: ipykernel's handler of interrupts asks it to cancel the cell, and does not wake it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._timer = loop.call_later(_TICK, self._tick)

    def _tick(self) -> None:
        self._timer = self._loop.call_later(_TICK, self._tick)

    def stop(self) -> None:
        self._timer.cancel()


def still_of(execution: Execution, *, place: int) -> dict[str, str]:
    """The still picture of an execution, as outputs that need no kernel: its summary, and the picture of its chart."""
    return {"text/plain": repr(execution), "text/html": still_html(execution, place=place)}


def _bundle(view: LiveView | DebuggerView | LabView, forms: Mapping[str, str]) -> dict[str, Any]:
    """A view as an output, with these other forms."""
    bundle: Any = view._repr_mimebundle_()
    data: dict[str, Any] = bundle[0] if isinstance(bundle, tuple) else bundle
    return {_WIDGET_VIEW: data[_WIDGET_VIEW], **forms}

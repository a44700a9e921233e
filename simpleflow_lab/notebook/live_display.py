"""Live views in the outputs of cells: which execution is shown so, and what becomes of its place.

An open execution that is the value of a cell is shown live where there is a kernel. Before the view stands a still
picture of it, which needs no kernel and is hidden by the view: that is what a saved notebook shows. When the execution
has completed, only that is left; of one that did not, the view stays, to look into. When the cell runs again, its views
are closed.

While a cell waits for an execution, it shows it live, too, and takes that away at the end; of a long wait there is a
still picture until then. An interrupt of the kernel
ends the waiting, and the execution goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
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
from simpleflow_lab.notebook.stills import still_html, still_of_step, with_view
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
FIRST_STILL: Final = 2.0
"""Seconds of showing what a cell waits for before there is a still picture of it, too: it imports plotly."""
_TICK: Final = 0.2
"""Seconds after which an interrupt is noticed at the latest, while a cell awaits an execution."""
_WIDGET_VIEW: Final = "application/vnd.jupyter.widget-view+json"


class LiveViews:
    """The live views of a shell."""

    def __init__(self, shell: InteractiveShell, *, find_execution: Callable[[str], Any]):
        """`find_execution` finds one by what a reader of a view types."""
        self._shell: Any = shell  # IPython is typed in part
        self._find_execution = find_execution
        self._cell_id: str | None = None
        self._by_cell: dict[str | None, weakref.WeakSet[LiveView | DebuggerView | LabView]] = {}
        self._unseen: dict[LiveView, Callable[[], bool]] = {}
        """What renews the still pictures of views that no page has shown yet: whether it has to be asked again."""
        self.in_short: Lab | None = None
        """A Lab that the current cell only names: it was connected."""
        self.refresh = FASTEST
        """Seconds between two updates of what is shown by itself."""

    def begin(self, info: Any) -> None:
        """Handle IPython's event `pre_run_cell`: what this cell showed before is closed."""
        self.in_short = None
        self._cell_id = getattr(info, "cell_id", None)
        if self._cell_id is not None:
            self._close(self._cell_id)

    def end(self, _: Any) -> None:
        """Handle IPython's event `post_run_cell`: where no page shows a view, its still picture is renewed.

        What executes a notebook without a page, as papermill does, takes in only what is sent while a cell runs.
        """
        for view, renew in list(self._unseen.items()):
            if view.was_shown or not renew():
                self._unseen.pop(view, None)

    def close(self) -> None:
        """Close all of them."""
        for cell_id in list(self._by_cell):
            self._close(cell_id)

    def _close(self, cell_id: str | None) -> None:
        for view in list(self._by_cell.pop(cell_id, ())):
            self._unseen.pop(view, None)
            view.close()

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
        html = with_view(overview._repr_html_(), seen_at=overview.at)
        still.display({"text/plain": repr(overview), "text/html": html}, raw=True)
        self._put(view, {"text/plain": ""})

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
        if len(execution.history()) <= LONG:
            still.display(still_of(execution), raw=True)
        else:  # its picture takes a while: the view comes first, and its thread makes the picture
            html = with_view(quiet(repr(execution)), seen_at=execution.now())
            still.display({"text/plain": repr(execution), "text/html": html}, raw=True)
        view, handle = self._display(execution, refresh=refresh, **{"text/plain": ""})
        if not view.is_open:
            still.update(still_of(execution), raw=True)
            return view

        def finish(closed: Execution) -> None:
            has_view = closed.status != "COMPLETED"
            still.update(still_of(closed, has_view=has_view), raw=True)
            if not has_view:
                handle.update({}, raw=True)

        drawn = time.monotonic()

        def renew() -> bool:
            nonlocal drawn
            try:
                run = view.execution
                while (following := run.next_run) is not None:
                    run = following
                if run.status != "OPEN":
                    finish(run)
                    return False
                if time.monotonic() - drawn > STILL_EVERY:
                    still.update(still_of(run), raw=True)
                    drawn = time.monotonic()
            except SimpleflowLabError:  # the picture says how old it is
                return not view.execution.lab_is_closed
            return True

        view.now_and_then(lambda: still.update(still_of(view.execution), raw=True), every=STILL_EVERY)
        view.when_closed(lambda: finish(view.execution))
        self._unseen[view] = renew
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
        shown = self._display_for_a_while(execution, refresh=refresh)
        run: Execution | None = execution
        try:
            while run is not None:
                run.wait()
                run = run.next_run
        finally:
            shown.take_away()

    @contextmanager
    def while_awaited(self, execution: Execution) -> Iterator[None]:
        """Show an execution within this context, below the cell that awaits it, from `DELAY` on.

        An interrupt of the kernel cancels what the cell awaits. That is shown in one line.
        """
        if not self.are_possible:
            yield
            return
        shown: list[_ShownForAWhile] = []

        def show() -> None:
            try:
                shown.append(self._display_for_a_while(execution, refresh=self.refresh))
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
            for each in shown:
                each.take_away()

    def debugger_formatter(self, debugger: Debugger) -> None:
        """Display a debugger as the value of a cell, behind a still of its step, as of an execution. Raises
        `NotImplementedError` where there is no kernel."""
        from simpleflow_lab.notebook.debugger_view import DebuggerView  # noqa: PLC0415  anywidget, for those who look

        if not self.are_possible:
            raise NotImplementedError
        still: Any = DisplayHandle()  # type: ignore[no-untyped-call]
        still.display(still_of_step(debugger), raw=True)
        view = DebuggerView(debugger, find_other=self._find_execution)
        view.when_settled(lambda: still.update(still_of_step(debugger), raw=True))
        self._put(view, {"text/plain": ""})

    def _display(self, execution: Execution, *, refresh: float, **forms: str) -> tuple[LiveView, Any]:
        """A live view that was displayed below the current cell, and the handle of its place; with other forms for
        front ends without widgets, if there are any."""
        from simpleflow_lab.notebook.live_view import LiveView  # noqa: PLC0415  anywidget, for those who look

        view = LiveView(execution, refresh=refresh)
        return view, self._put(view, forms)

    def _display_for_a_while(self, execution: Execution, *, refresh: float) -> _ShownForAWhile:
        """A live view below the current cell, and before it the place of its still picture, which is made when the cell
        has waited for `FIRST_STILL`: for a notebook that is saved meanwhile, and where no widgets are drawn."""
        still: Any = DisplayHandle()  # type: ignore[no-untyped-call]
        still.display({}, raw=True)
        return _ShownForAWhile(still, *self._display(execution, refresh=refresh))

    def _put(self, view: LiveView | DebuggerView | LabView, forms: Mapping[str, str] | None = None) -> Any:
        """Display a view below the current cell, with its own other forms or with these; the handle of its place."""
        handle: Any = DisplayHandle()  # type: ignore[no-untyped-call]
        bundle: Any = view._repr_mimebundle_()
        data = bundle[0] if isinstance(bundle, tuple) else bundle
        handle.display(data if forms is None else {_WIDGET_VIEW: data[_WIDGET_VIEW], **forms}, raw=True)
        self._by_cell.setdefault(self._cell_id, weakref.WeakSet()).add(view)
        return handle


class _ShownForAWhile:
    """A live view that is taken away when its cell goes on, with its still picture."""

    def __init__(self, still: Any, view: LiveView, handle: Any):
        self._still, self._view, self._handle = still, view, handle
        self._lock, self._is_over = threading.Lock(), False
        view.now_and_then(self._draw, every=STILL_EVERY, after=FIRST_STILL)

    def _draw(self) -> None:
        picture = still_of(self._view.execution)
        with self._lock:
            if not self._is_over:
                self._still.update(picture, raw=True)

    def take_away(self) -> None:
        """Leave nothing in the output, also if the picture is being drawn just now."""
        with self._lock:
            self._is_over = True
            self._still.update({}, raw=True)
        self._handle.update({}, raw=True)
        self._view.close()


class _Ticking:
    """Wakes a loop at times: ipykernel's handler of interrupts asks it to cancel the cell, and does not wake it."""

    def __init__(self, loop: asyncio.AbstractEventLoop):
        self._loop = loop
        self._timer = loop.call_later(_TICK, self._tick)

    def _tick(self) -> None:
        self._timer = self._loop.call_later(_TICK, self._tick)

    def stop(self) -> None:
        self._timer.cancel()


def still_of(execution: Execution, *, has_view: bool = True) -> dict[str, str]:
    """What is known of an execution, as outputs that need no kernel: its summary, and the picture of its chart."""
    return {"text/plain": repr(execution), "text/html": still_html(execution, has_view=has_view)}

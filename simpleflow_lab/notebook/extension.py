"""`%load_ext simpleflow_lab` and `%unload_ext simpleflow_lab`: all that is added to a shell, and removed again."""

from __future__ import annotations

import warnings
import weakref
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Final
from weakref import WeakKeyDictionary

from IPython.core.interactiveshell import InteractiveShell
from traitlets import TraitError

from simpleflow_lab.execution import Execution
from simpleflow_lab.lab import Lab
from simpleflow_lab.notebook.awaited_magics import awaiting_magics
from simpleflow_lab.notebook.class_sources import class_sources
from simpleflow_lab.notebook.completion import completing
from simpleflow_lab.notebook.formatters import add_formatters, remove_formatters
from simpleflow_lab.notebook.magics import SimpleflowMagics
from simpleflow_lab.notebook.short_tracebacks import short_tracebacks
from simpleflow_lab.views.history_views import HistoryViews

_DEBUGGER: Final = ("simpleflow_lab.debugger.time_travel", "Debugger")
"""The class that shows itself as the debugger's view; it is imported by who debugs."""
_loaded: Final[WeakKeyDictionary[InteractiveShell, tuple[ExitStack, SimpleflowMagics]]] = WeakKeyDictionary()
"""For each shell, the callbacks that remove everything again, and the magics."""
_connected: Final[WeakKeyDictionary[InteractiveShell, weakref.ref[Lab]]] = WeakKeyDictionary()
"""For each shell that unloaded its magics, the user's Lab that they acted on: `%reload_ext` goes on with it."""


def load(shell: InteractiveShell) -> None:
    """Add the magics, their completion and the HTML of our objects. Loading again replaces them."""
    unload(shell)
    connected = _connected.pop(shell, None)
    with ExitStack() as undo:
        magics = _configured(shell)
        if connected is not None:
            magics.connect_again(connected())
        undo.callback(_forget, shell, magics)
        shell.register_magics(magics)
        undo.callback(shell.events.unregister, "pre_run_cell", magics.cells.begin)
        shell.events.register("pre_run_cell", magics.cells.begin)
        magics.checks.begin()  # what is defined already was checked, or nobody asked for it
        for event, handle in (("pre_run_cell", magics.checks.begin), ("post_run_cell", magics.check_definitions)):
            undo.callback(shell.events.unregister, event, handle)
            shell.events.register(event, handle)
        undo.callback(setattr, HistoryViews, "spelled", HistoryViews.__dict__["spelled"])
        HistoryViews.spelled = staticmethod(magics.advice)
        undo.callback(remove_formatters, shell)
        add_formatters(shell)
        undo.enter_context(_showing_live(shell, magics))
        undo.enter_context(completing(shell, magics))
        undo.enter_context(awaiting_magics(shell))
        undo.enter_context(short_tracebacks(shell))
        undo.enter_context(class_sources())
        _loaded[shell] = undo.pop_all(), magics


def unload(shell: InteractiveShell) -> None:
    """Remove everything again, and close the Labs that magics opened. Their executions stay open, to be resumed."""
    loaded = _loaded.pop(shell, None)
    if loaded is None:
        return
    undo, magics = loaded
    if magics.connected is not None:
        _connected[shell] = weakref.ref(magics.connected)
    undo.close()


@contextmanager
def _showing_live(shell: Any, magics: SimpleflowMagics) -> Iterator[None]:
    """Within this context open executions are shown live, and debuggers as views."""
    shell.events.register("pre_run_cell", magics.live_views.begin)
    shell.events.register("post_run_cell", magics.live_views.end)
    formatter = shell.display_formatter.ipython_display_formatter
    formatter.for_type(Execution, magics.live_views.formatter)
    formatter.for_type(Lab, magics.live_views.lab_formatter)
    texts = shell.display_formatter.formatters["text/plain"]
    texts.for_type(Lab, magics.live_views.lab_text)
    pages = shell.display_formatter.formatters["text/html"]
    pages.for_type(Execution, magics.live_views.html_formatter)
    before = Execution.while_awaited
    Execution.while_awaited = staticmethod(magics.live_views.while_awaited)  # type: ignore[method-assign]
    formatter.for_type_by_name(*_DEBUGGER, magics.live_views.debugger_formatter)
    try:
        yield
    finally:
        Execution.while_awaited = staticmethod(before)  # type: ignore[method-assign]
        formatter.pop(Execution, None)
        formatter.pop(Lab, None)
        texts.pop(Lab, None)
        pages.pop(Execution, None)
        formatter.pop(".".join(_DEBUGGER), None)
        shell.events.unregister("pre_run_cell", magics.live_views.begin)
        shell.events.unregister("post_run_cell", magics.live_views.end)


def _configured(shell: Any) -> SimpleflowMagics:
    """The magics with their settings. Wrong settings are dropped: `%config` keeps even a value that it refused."""
    try:
        return SimpleflowMagics(shell)
    except TraitError as error:
        warnings.warn(f"%config SimpleflowMagics is ignored: {error}", stacklevel=3)
        del shell.config[SimpleflowMagics.__name__]
        return SimpleflowMagics(shell)


def _forget(shell: Any, magics: SimpleflowMagics) -> None:
    for kind, functions in magics.magics.items():
        for name, function in functions.items():
            if shell.magics_manager.magics[kind].get(name) is function:
                del shell.magics_manager.magics[kind][name]
    shell.magics_manager.registry.pop(type(magics).__name__, None)
    if magics in shell.configurables:
        shell.configurables.remove(magics)
    magics.close()

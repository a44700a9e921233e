"""The live view of a Lab: its executions, task lists and workers, and what can be done about the workers.

    lab

One thread of each view asks the Lab once a second, while a page shows the view, and does what was clicked. It ends when
the Lab is closed, when nobody has shown the view for a while, and when the cell of the view runs again.

*Rule:* a view changes deciders and activity workers of this process only; those of others are shown.
"""

from __future__ import annotations

import contextlib
import contextvars
import pathlib
import queue
import threading
import time
from collections.abc import Mapping
from typing import Any, Final

import anywidget
import traitlets

from simpleflow_lab.exceptions import SimpleflowLabError, UsageError
from simpleflow_lab.lab import Lab
from simpleflow_lab.notebook.lab_overview import LabOverview, overview_of
from simpleflow_lab.notebook.widget_messages import answer_while_a_cell_runs, error_line, module_of
from simpleflow_lab.views.formatting import HOVER_LIMIT, bounded, shortened
from simpleflow_lab.views.style import STATUSES

EVERY: Final = 1.0
"""Seconds between two updates, at least."""
_SHARE: Final = 10
"""Updates may take one part in so many of the time."""
_UNSEEN: Final = 10.0
"""Seconds after which a view that nobody shows is not updated any more."""
_MAX_COUNT: Final = 1_000
"""The most activities at once that a reader can ask for."""
_FILES: Final = pathlib.Path(__file__).parent


class LabView(anywidget.AnyWidget):
    """One Lab, live."""

    _esm = module_of("lab_view.js")
    _css = (_FILES / "live_view.css").read_text(encoding="utf-8")

    overview = traitlets.Dict().tag(sync=True)
    """What there is to see, as `overview_record` gives it."""
    notice = traitlets.Unicode().tag(sync=True)
    """What became of the reader's last action."""

    def __init__(self, lab: Lab):
        """Raises `SimpleflowLabError` if the Lab can't be asked."""
        self._lab = lab
        self._requests: queue.SimpleQueue[Mapping[str, Any]] = queue.SimpleQueue()
        self._wake, self._stopping = threading.Event(), threading.Event()
        self._lock = threading.Lock()
        self._shown, self._unseen_since = 0, time.monotonic()
        self._thread: threading.Thread | None = None
        super().__init__(overview=overview_record(overview_of(lab)))
        self.on_msg(self._received)
        answer_while_a_cell_runs(self)
        self._follow()

    def close(self) -> None:
        """Stop to follow the Lab, and take the widget away."""
        self._stopping.set()
        self._wake.set()
        layout = self.layout  # a widget of its own, which would stay
        super().close()
        if layout is not None:
            layout.close()

    def _follow(self) -> None:
        with self._lock:
            if self._stopping.is_set() or (self._thread is not None and self._thread.is_alive()):
                return
            context = contextvars.copy_context()
            self._thread = threading.Thread(
                target=context.run, args=(self._run,), name="simpleflow-lab lab view", daemon=True
            )
            self._thread.start()

    def _run(self) -> None:
        while not self._stopping.is_set():
            began = time.monotonic()
            if self._lab.closed:
                self._set("notice", "this Lab was closed: what is shown is what was there before")
                return
            try:
                self._update()
            except SimpleflowLabError as error:
                self._set("notice", error_line(error))
            if not self._shown and began - self._unseen_since > _UNSEEN:
                return
            self._wake.wait(max(EVERY, _SHARE * (time.monotonic() - began)))
            self._wake.clear()

    def _update(self) -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                self._act(self._requests.get_nowait())
        self._set("overview", overview_record(overview_of(self._lab)))

    def _set(self, name: str, value: Any) -> None:
        if getattr(self, name) != value:
            setattr(self, name, value)

    # -- the reader's part --

    def _received(self, _: Any, message: Any, buffers: Any) -> None:
        """Put what the page says into the queue; nothing is done in the thread of a callback."""
        match message:
            case {"kind": "shown"}:
                self._shown += 1
            case {"kind": "hidden"}:
                self._shown = max(self._shown - 1, 0)
                self._unseen_since = time.monotonic()
            case {"kind": "act"}:
                self._requests.put(message)
        self._wake.set()
        self._follow()

    def _act(self, request: Mapping[str, Any]) -> None:
        try:
            done = self._do(request)
        except SimpleflowLabError as error:
            done = error_line(error)
        self._set("notice", done)

    def _do(self, request: Mapping[str, Any]) -> str:
        """Do what was clicked; a line that says so. Raises `SimpleflowLabError`."""
        match request:
            case {"action": "start", "what": "decider", "task_list": str(name)} if name:
                self._lab.start_deciders(task_list=name)
                return f"a decider of {shortened(name)} takes tasks"
            case {"action": "start", "task_list": str(name), "count": int(number)} if name and number:
                self._lab.start_workers(min(number, _MAX_COUNT), task_list=name)
                return f"an activity worker of {shortened(name)} runs {min(number, _MAX_COUNT)} at once"
            case {"action": "stop", "what": str(kind), "task_list": str(name)}:
                found = [each for each in self._lab.workers.of(name) if each.kind == kind]
                for worker in found:
                    worker.stop(seconds=0)
                return f"the {kind} of {shortened(name)} takes no more tasks" if found else "there is none any more"
        raise UsageError("a worker needs the name of its task list")


def overview_record(overview: LabOverview) -> dict[str, Any]:
    """An overview as plain values that JSON can hold; texts are bounded and not escaped."""
    return {
        "lines": [bounded(line, HOVER_LIMIT) for line in overview.lines],
        "executions": [
            {
                "workflow_id": each.workflow_id,
                "run_id": each.run_id,
                "type": each.type,
                "status": each.status,
                "glyph": STATUSES[each.status].glyph,
                "colour": STATUSES[each.status].colour,
                "started": each.started.isoformat(" ", "seconds").removesuffix("+00:00"),
                "seconds": round(each.seconds, 1 if each.seconds < 60 else None),
                "waits": each.waits,
            }
            for each in overview.executions
        ],
        "task_lists": [vars(each) for each in overview.task_lists],
        "workers": [
            {
                "kind": worker.kind,
                "task_list": worker.task_list,
                "state": worker.state,
                "at_once": worker.at_once,
                "tasks": [shortened(task.activity_id or task.workflow_id) for task in worker.tasks[:3]],
                "running": len(worker.tasks),
                "done": worker.done,
                "failed": worker.failed,
                "error": shortened(worker.last_error or "", HOVER_LIMIT),
            }
            for worker in overview.workers
        ],
    }

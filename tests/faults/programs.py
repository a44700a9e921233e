"""Programs for the fault suite to kill, each in a process of its own, and the workflows that they run.

Rule: a program tells what was acknowledged to it after it was acknowledged, a tuple each, and nothing else:

====================================  ==================================================================
("started", run id)                   StartWorkflowExecution was answered
("took", run id, activity id, event)  an activity task was handed to a worker of this process
("completed", run id, activity id)    its completion was acknowledged
("decided", run id, event)            a decision was acknowledged
("closed", workflow id, result)       an execution gave its result
("waited", seconds)                   how long each acknowledgement took
("log", text)                         what was logged as a warning or worse
("error", text)                       what ended the process
====================================  ==================================================================
"""

from __future__ import annotations

import contextlib
import ctypes
import datetime
import functools
import logging
import os
import resource
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from simpleflow_lab import Lab, Workflow, activity, futures
from simpleflow_lab.engine.crash_points import VARIABLE
from simpleflow_lab.exceptions import DecisionTooLongError, ReplacedDefinitionError, StoreError, UsageError
from simpleflow_lab.service import aws

__all__ = ["PROGRAMS", "aws"]  # aws: imported once, by the process that the others are forked from

TASKS: dict[str, Any] = {"task_list": "faults", "version": "1"}
THREADS = 4
LONG = 100.0
"""Seconds within which everything ends, or something is wrong."""


# -- what runs ---------------------------------------------------------------------------------------------------------


# A worker in another process than the engine's is missed after this timeout, and only then.
@activity.with_attributes(name="faults.step", start_to_close_timeout=4, retry=10, **TASKS)
def step(number: int, before: int, pause: float, size: int = 0) -> Any:
    time.sleep(pause)
    value = number * number + before
    return [value, "x" * size] if size else value


class Sum(Workflow):
    """Activities side by side and one after the other, in turns."""

    name = "faults.sum"
    task_list = "faults"

    def run(self, side: int, chain: int, pause: float = 0.002, size: int = 0) -> list[Any]:
        beside = [self.submit(step, number, 0, pause, size) for number in range(side)]
        value: Any = 0
        for number in range(side, side + chain):
            value = self.submit(step, number, value, pause)
            if number % 3 == 0:
                value = value.result
        results = futures.wait(*beside)
        return [sum(each[0] if size else each for each in results), value if isinstance(value, int) else value.result]


def sum_of(side: int, chain: int, *_: Any) -> list[int]:
    """What `Sum` gives, by plain Python."""
    return [sum(n * n for n in range(side)), sum(n * n for n in range(side, side + chain))]


@activity.with_attributes(name="faults.once", **TASKS)
def once(number: int, before: int, pause: float) -> int:
    """Is not retried, and has SWF's long timeouts."""
    time.sleep(pause)
    return number * number + before


@activity.with_attributes(name="faults.brief", start_to_close_timeout=3, **TASKS)
def brief(number: int, before: int, pause: float) -> int:
    """Is not retried, and has a timeout that is shorter than a suspension."""
    time.sleep(pause)
    return number * number + before


class Batch(Workflow):
    """Activities side by side and one after the other, none of which is retried."""

    name = "faults.batch"
    task_list = "faults"
    takes = once

    def run(self, side: int, chain: int, pause: float = 0.05) -> list[Any]:
        beside = [self.submit(self.takes, number, 0, pause) for number in range(side)]
        value: Any = 0
        for number in range(side, side + chain):
            value = self.submit(self.takes, number, value, pause).result
        return [sum(futures.wait(*beside)), value]


class Brief(Batch):
    """The same, with a short timeout."""

    name = "faults.brief-batch"
    takes = brief


class Child(Workflow):
    """One activity, and then once more as a new run."""

    name = "faults.child"
    task_list = "faults.children"

    def run(self, number: int, again: bool) -> Any:
        value = self.submit(step, number, 0, 0.0).result
        if again:
            return self.submit(self.continue_as_new(value, False)).result
        return value


class Everything(Workflow):
    """A little of all that leads to transactions: activities, a child that continues as new, a marker, a signal."""

    name = "faults.everything"
    task_list = "faults"

    def run(self) -> list[Any]:
        child = self.submit(Child, 2, True)
        beside = [self.submit(step, number, 0, 0.0) for number in range(3)]
        self.submit(self.record_marker("half", "way"))
        value = self.submit(step, 3, beside[-1], 0.0).result
        self.submit(self.signal("go", value))
        self.submit(self.wait_signal("go")).result
        return [child.result, *futures.wait(*beside), value]


EVERYTHING = [16, 0, 1, 4, 13]
"""What `Everything` gives."""

looping = False
entered = threading.Event()
"""It loops."""


class Loop(Workflow):
    """Code that does not come back, until it is repaired."""

    name = "faults.loop"
    task_list = "faults.loops"

    def run(self) -> Any:
        value = self.submit(step, 7, 0, 0.0).result
        if self.get_run_context()["workflow_id"] == "loop":
            while looping:
                entered.set()
        return self.submit(step, 1, value, 0.0).result


# -- reporting ---------------------------------------------------------------------------------------------------------


class Reporter:
    """Sends reports to the process that started this one."""

    def __init__(self, connection: Connection):
        self._connection = connection
        self._lock = threading.Lock()

    def __call__(self, *words: Any) -> None:
        with self._lock:
            self._connection.send(words)

    def wait_for_order(self) -> Any:
        """Wait for an order from the process that started this one."""
        return self._connection.recv()

    @property
    def has_order(self) -> bool:
        """Whether an order has come."""
        return self._connection.poll(0)


class _Log(logging.Handler):
    def __init__(self, report: Reporter):
        super().__init__(logging.WARNING)
        self._report = report

    def emit(self, record: logging.LogRecord) -> None:
        self._report("log", logging.Formatter().format(record))


def opened(report: Reporter, store: str, before_decision: Callable[[], None] = lambda: None) -> Lab:
    """A Lab whose service tells what it acknowledges."""
    lab = Lab(store, activity_threads=THREADS)
    service: Any = lab.service
    tasks: dict[str, tuple[Any, ...]] = {}
    all_executions = {
        "domain": lab.domain,
        "startTimeFilter": {"oldestDate": datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC)},
    }

    def telling(name: str) -> None:
        method = getattr(service, name)

        @functools.wraps(method)
        def call(**request: Any) -> Any:
            if name in ("respond_decision_task_completed", "answer_decision_task"):
                before_decision()
            begun = time.monotonic()
            answer = method(**request)
            waited = time.monotonic() - begun
            if name in ("respond_activity_task_completed", "answer_activity_task"):
                if name == "answer_activity_task":
                    service.count_open_workflow_executions(
                        **all_executions
                    )  # waits for the disk, which the answer does not
                report("completed", *tasks.pop(request["taskToken"]))
                report("waited", waited)
            elif name == "respond_decision_task_completed":
                report("decided", *tasks.pop(request["taskToken"]))
                report("waited", waited)
            elif name == "start_workflow_execution":
                report("started", answer["runId"])
                report("waited", waited)
            if token := answer.get("taskToken"):  # of a poll, or of the one that an answer has carried out
                run_id = answer["workflowExecution"]["runId"]
                if "activityId" in answer:
                    tasks[token] = (run_id, answer["activityId"])
                    report("took", *tasks[token], answer["startedEventId"])
                else:
                    tasks[token] = (run_id, answer["startedEventId"])
            return answer

        setattr(service, name, call)

    for name in (
        "poll_for_activity_task",
        "poll_for_decision_task",
        "answer_activity_task",
        "respond_activity_task_completed",
        "respond_decision_task_completed",
        "answer_decision_task",
        "start_workflow_execution",
    ):
        telling(name)
    return lab


def begun(lab: Lab, workflow: type[Workflow], *args: Any, **options: Any) -> Any:
    """The execution "w": the one that an earlier process left, or a new one."""
    try:
        execution = lab.execution("w")
    except UsageError:
        return lab.start(workflow, *args, workflow_id="w", **options)
    lab.resume()
    return execution


# -- programs ----------------------------------------------------------------------------------------------------------


def fifty(report: Reporter, store: str, side: int, chain: int) -> None:
    """One execution of `Sum`, to its end."""
    with opened(report, store) as lab:
        report("closed", "w", begun(lab, Sum, side, chain).result(LONG))


def everything(report: Reporter, store: str) -> None:
    """One execution of `Everything`, to its end."""
    with opened(report, store) as lab:
        report("closed", "w", begun(lab, Everything).result(LONG))


def dying_decider(report: Reporter, store: str, decision: int, seconds: str) -> None:
    """Dies when it has made this decision of this process, before it answers; 0 is never."""
    left = [decision]

    def before_decision() -> None:
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    with opened(report, store, before_decision) as lab:
        execution = begun(lab, Sum, 4, 8, task_start_to_close_timeout=seconds)
        report("closed", "w", execution.result(LONG))


def owner(report: Reporter, store: str) -> None:
    """Owns the store and does nothing with it."""
    with opened(report, store) as lab:
        report("owns", lab.service.engine is not None)  # type: ignore[attr-defined]
        report.wait_for_order()


def looper(report: Reporter, store: str, loops: bool) -> None:
    """A decider that loops for ever, while other executions run on its task list and on another one."""
    global looping
    looping = loops
    with opened(report, store) as lab:
        if not loops:
            lab.resume()
            for workflow_id in ("loop", "behind"):
                report("closed", workflow_id, lab.execution(workflow_id).result(LONG))
            return
        loop = lab.start(Loop, workflow_id="loop", task_start_to_close_timeout="1")
        entered.wait(LONG)
        behind = lab.start(Loop, workflow_id="behind", task_start_to_close_timeout="1")
        report("closed", "w", lab.start(Sum, 4, 4, workflow_id="w").result(LONG))
        report("behind", behind.result(LONG))
        try:
            loop.wait(LONG)
        except DecisionTooLongError as error:
            report("interrupted", error.line)
            report.wait_for_order()


def short_file(report: Reporter, store: str, kilobytes: int) -> None:
    """The store's file may not grow, and the error is not one that says that nothing was written (EFBIG)."""
    lab = opened(report, store)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (kilobytes * 1024, hard))
    try:
        begun(lab, Sum, 10, 20, 0.0, 20_000).result(LONG)
    except StoreError as error:
        report("failed", str(error))
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    lab.close()
    with opened(report, store) as again:
        report("closed", "w", begun(again, Sum).result(LONG))


def small_disk(report: Reporter, folder: str, megabytes: int) -> None:
    """A disk of a few megabytes, of which a ballast takes the most until the store has waited for room."""
    if sys.platform != "linux":
        report("no disk", sys.platform)
        return
    libc = ctypes.CDLL(None, use_errno=True)
    namespace = 0x00020000  # CLONE_NEWNS: the mount is this process's and ends with it
    if libc.unshare(namespace):
        report("no disk", os.strerror(ctypes.get_errno()))
        return
    for command in (
        ["mount", "--make-rprivate", "/"],
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", folder],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            report("no disk", done.stderr.strip())
            return
    paused = threading.Event()
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: paused.set()  # type: ignore[method-assign]
    logging.getLogger("simpleflow_lab.engine.sqlite_store").addHandler(handler)
    store, ballast = Path(folder) / "store.sqlite", Path(folder) / "ballast"
    with opened(report, str(store)) as lab:
        execution = begun(lab, Sum, 0, 1)
        execution.result(LONG)
        with open(ballast, "wb", buffering=0) as file, contextlib.suppress(OSError):
            while file.write(b"x" * 4096):
                pass
        os.truncate(ballast, os.path.getsize(ballast) - 300_000)
        full = lab.start(Sum, 10, 20, 0.0, 20_000, workflow_id="full")
        if not paused.wait(LONG):
            report("never full")
        os.unlink(ballast)
        room = time.monotonic()
        report("closed", "full", full.result(LONG))
        report("after room", time.monotonic() - room)
        report("history", [event.type for event in full.history()].count("ActivityTaskCompleted"))


def kernel(report: Reporter, store: str, name: str) -> None:
    """Starts executions one after the other until it is ordered to stop; then waits for all that are open."""
    with opened(report, store) as lab:
        report("open")
        for execution in lab.resume():
            if execution.workflow_id.startswith(f"{name}-"):
                report("closed", execution.workflow_id, execution.result(LONG))
        number = 0
        while not report.has_order:
            workflow_id = f"{name}-{os.getpid()}-{number}"
            number += 1
            execution = lab.start(Sum, 3, 5, workflow_id=workflow_id, task_start_to_close_timeout="2")
            report("closed", workflow_id, execution.result(LONG))
        for execution in lab.resume():
            report("closed", execution.workflow_id, execution.result(LONG))
        report("done")
        report.wait_for_order()


def worker(report: Reporter, store: str, decides: bool) -> None:
    """What a worker or decider started from the command line does: serve a task list until it is ordered to stop."""
    with opened(report, store) as lab:
        report("open")
        if decides:
            lab._pool.start_decider("faults")
        lab._pool.start_activity_worker("faults")
        report.wait_for_order()


def batch(report: Reporter, store: str, name: str, executions: int, side: int, chain: int) -> None:
    """Runs so many executions at once, those included that an earlier process of this name has left."""
    with opened(report, store) as lab:
        report("open")
        running = []
        for number in range(executions):
            workflow_id = f"{name}-{number}"
            try:
                running.append(lab.execution(workflow_id))
            except UsageError:
                running.append(lab.start(Batch, side, chain, workflow_id=workflow_id))
        lab.resume()
        for execution in running:
            if not execution.wait(LONG):
                report("error", f"{execution.workflow_id} is open and waits for:\n{execution.waiting_for()!r}")
            report("closed", execution.workflow_id, execution.result(LONG))
        report("done")
        report.wait_for_order()


def sleepy(report: Reporter, store: str, name: str, pause: float) -> None:
    """Runs executions whose activities take about as long as they may."""
    with opened(report, store) as lab:
        running = [lab.start(Brief, 3, 3, min(pause, 1.5), workflow_id=f"{name}-{number}") for number in range(2)]
        for execution in running:
            while not any(event.type == "ActivityTaskStarted" for event in execution.history()):
                time.sleep(0.05)
        report("at work")
        for execution in running:
            report("closed", execution.workflow_id, execution.result(LONG))
        report("done")
        report.wait_for_order()


def _result_of_edited(execution: Any) -> Any:
    """The result, past the moments in which an activity is defined anew and the workflow that submits it is not yet."""
    deadline = time.monotonic() + LONG
    while True:
        try:
            return execution.result(LONG)
        except ReplacedDefinitionError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def editor(report: Reporter, store: str, name: str) -> None:
    """Runs executions of types that other processes define differently, and defines them anew when it is ordered to."""
    texts = [f"{name}0"]

    def define() -> type[Workflow]:
        text = texts[-1]

        @activity.with_attributes(name="faults.who", **TASKS)
        def who(number: int) -> str:
            time.sleep(0.01)
            return text

        class Ask(Workflow):
            """Whose code runs."""

            name = "faults.ask"
            task_list = "faults"

            def run(self) -> list[str]:
                first = futures.wait(*(self.submit(who, number) for number in range(4)))
                return [text, *first, *futures.wait(*(self.submit(who, number) for number in range(4)))]

        return Ask

    workflow = define()
    with opened(report, store) as lab:
        report("open")
        number = 0
        while True:
            possible = [texts[-1]]
            execution = lab.start(workflow, workflow_id=f"{name}-{number}")
            number += 1
            while report.has_order:
                if report.wait_for_order() == "finish":
                    report("closed", execution.workflow_id, len(_result_of_edited(execution)))
                    report("done")
                    report.wait_for_order()
                    return
                texts.append(f"{name}{len(texts)}")
                possible.append(texts[-1])
                workflow = define()
                report("edited", texts[-1])
            for text in set(_result_of_edited(execution)) - set(possible):
                report("foreign", execution.workflow_id, text, possible)
            report("closed", execution.workflow_id, len(possible))


PROGRAMS: dict[str, Callable[..., None]] = {
    function.__name__: function
    for function in (
        fifty,
        everything,
        dying_decider,
        owner,
        looper,
        short_file,
        small_disk,
        kernel,
        worker,
        batch,
        sleepy,
        editor,
    )
}


def run(connection: Connection, name: str, crash_at: str | None, arguments: tuple[Any, ...]) -> None:
    """A process's main function. It may be killed often, and never by its activities."""
    os.environ.setdefault("SIMPLEFLOW_LAB_MAX_LOST_ATTEMPTS", "1000")
    if crash_at is not None:
        os.environ[VARIABLE] = crash_at
    report = Reporter(connection)
    logging.getLogger().addHandler(_Log(report))
    logging.getLogger().setLevel(logging.WARNING)
    try:
        PROGRAMS[name](report, *arguments)
    except BaseException:
        report("error", traceback.format_exc())
        raise SystemExit(1) from None

"""Activities: their forms, what they know of themselves, their progress, and how they are asked to stop."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from simpleflow_lab import Workflow, activity
from simpleflow_lab.cli.progress import live_text
from simpleflow_lab.exceptions import ActivityCanceled, UsageError
from simpleflow_lab.notebook.live_view import LiveView
from tests.runtime import by_hand

TASKS = {"task_list": "activities.forms", "version": "1", "raises_on_failure": True}


def made(function, **options):
    """The function or class as an activity of these tests."""
    options = {"name": f"activities.{getattr(function, '__name__', 'unnamed')}", **TASKS, **options}
    return activity.with_attributes(**options)(function)


class One(Workflow):
    """One activity, and its result or the reason of its failure."""

    name = "activities.one"
    task_list = "activities.forms"

    def run(self, name, *args, **kwargs):
        future = self.submit(activity.registry[name, "1"], *args, **kwargs)
        error = future.exception
        return getattr(error, "reason", str(error)) if error else future.result


def result_of(lab, of, *args, **kwargs):
    return lab.start(One, of.name, *args, **kwargs).result(200)


class Gate:
    """Where activities wait until a test lets them go on, and tests until activities are there."""

    def __init__(self):
        self._here, self._go = threading.Semaphore(0), threading.Event()

    def wait_here(self):
        self._here.release()
        assert self._go.wait(200)

    def wait_for(self, number=1):
        for _ in range(number):
            assert self._here.acquire(timeout=200)

    def open(self):
        self._go.set()


# -- forms -------------------------------------------------------------------------------------------------------------


def test_a_coroutine_function_runs_on_an_event_loop_of_its_own(lab):
    loops = []

    async def gathers(numbers):
        loops.append(asyncio.get_running_loop())

        async def double(number):
            await asyncio.sleep(0)
            return 2 * number

        return await asyncio.gather(*map(double, numbers))

    assert result_of(lab, made(gathers), [1, 2, 3]) == [2, 4, 6]
    assert loops[0].is_closed()


def test_a_class_may_execute_as_a_coroutine(lab):
    done = []

    class Fetch:
        def __init__(self, name):
            self.name = name

        async def execute(self):
            await asyncio.sleep(0)
            return [self.name, self.context["name"], activity.current_context()["activity_id"]]

        async def post_execute(self):
            await asyncio.sleep(0)
            done.append(self.name)

    assert result_of(lab, made(Fetch), "x") == ["x", "activities.Fetch", "activity-activities.Fetch-1"]
    assert done == ["x"]


def test_a_coroutine_that_raises_fails(lab):
    async def raises():
        await asyncio.sleep(0)
        raise LookupError("nothing there")

    assert result_of(lab, made(raises)) == "LookupError: nothing there"


def test_a_coroutine_that_cancels_itself_failed(lab):
    async def gives_up():
        raise asyncio.CancelledError

    assert result_of(lab, made(gives_up)).startswith("CancelledError")


def test_a_class_without_execute_is_called_like_a_function(lab):
    assert result_of(lab, made(int), "7") == 7


def test_a_partial_needs_a_name():
    with pytest.raises(UsageError, match=r"has no name of its own: give one, as in with_attributes\(name=…\)"):
        activity.with_attributes()(functools.partial(pow, 2))


def test_a_partial_with_a_name_runs(lab):
    assert result_of(lab, made(functools.partial(pow, 2), name="activities.partial"), 5) == 32


def test_a_task_by_the_name_of_a_function_that_nobody_registered_imports_nothing_and_waits_for_its_definition(lab):
    """TO-13: what a history names is looked up among the activities of this process, and nowhere else."""
    import sys

    stranger = activity.with_attributes(name="antigravity.geohash", **TASKS)(lambda: "run by its definition")

    class Strange(Workflow):
        name = "activities.strange"
        task_list = "activities.forms"

        def run(self):
            if not self.is_replaying:
                activity.registry.pop(("antigravity.geohash", "1"), None)
            return self.submit(stranger).result

    execution = lab.start(Strange)
    until = time.monotonic() + 200
    while not any(event.type == "ActivityTaskScheduled" for event in execution.history()):
        assert time.monotonic() < until
        time.sleep(0.05)
    assert execution.status == "OPEN"
    activity.registry.define(("antigravity.geohash", "1"), stranger)
    assert execution.result(60) == "run by its definition"
    assert "antigravity" not in sys.modules


def test_a_task_that_wants_binaries_downloaded_fails_with_the_reason(lab):
    """T4: upstream downloads and runs what the input of a task names."""
    of = made(lambda: None, name="activities.binaries", meta={"binaries": {"tool": "s3://bucket/tool"}})
    assert "binaries" in result_of(lab, of)


# -- context -----------------------------------------------------------------------------------------------------------


def test_activities_that_run_at_once_each_have_their_own_context(lab):
    """TO-11: upstream keeps it on the function, where the last one to start overwrites it."""
    together = threading.Barrier(4, timeout=200)

    def who():
        together.wait()
        return [activity.current_context()["activity_id"], who.context["activity_id"]]

    who = made(who)

    class Four(Workflow):
        name = "activities.four"
        task_list = "activities.forms"

        def run(self):
            return [future.result for future in [self.submit(who) for _ in range(4)]]

    expected = [f"activity-activities.who-{number}" for number in range(1, 5)]
    assert lab.start(Four).result(200) == [[name, name] for name in expected]
    assert who.context == {}


def test_the_context_says_what_upstreams_says(lab):
    def all_of_it(x, y):
        return activity.current_context()

    execution = lab.start(One, made(all_of_it).name, 1, y=2)
    assert execution.result(200) == {
        "name": "activities.all_of_it",
        "version": "1",
        "domain_name": "lab",
        "workflow_id": execution.workflow_id,
        "run_id": execution.run_id,
        "activity_id": "activity-activities.all_of_it-1",
        "started_event_id": 6,
        "input": {"args": [1], "kwargs": {"y": 2}},
        "activity_task_list": "activities.forms",
    }


@pytest.mark.parametrize("where", ["the function", "the activity"])
def test_the_context_may_come_as_an_argument(lab, where):
    """TO-12"""

    def wants(x, context):
        return [x, context["activity_id"]]

    of = made(wants)
    marked = wants if where == "the function" else of
    marked.add_context_in_kwargs = True
    assert result_of(lab, of, 1) == [1, "activity-activities.wants-1"]


def test_threads_of_an_activity_see_its_context_in_a_copy(lab):
    def asks_in_threads():
        with ThreadPoolExecutor(2) as pool:
            bare = pool.submit(activity.current_context).result()
            copied = pool.submit(contextvars.copy_context().run, activity.current_context).result()
        return [bare, copied["activity_id"]]

    assert result_of(lab, made(asks_in_threads)) == [{}, "activity-activities.asks_in_threads-1"]


# -- progress ----------------------------------------------------------------------------------------------------------


def test_progress_is_seen_while_an_activity_runs(lab):
    gate = Gate()

    def reports():
        activity.heartbeat(0.25, {"file": "a.csv"})
        gate.wait_here()

    execution = lab.start(One, made(reports).name)
    gate.wait_for()
    (found,) = execution.progress().activities
    assert (found.name, found.activity_id) == ("activities.reports", "activity-activities.reports-1")
    assert (found.progress, found.details) == (0.25, {"file": "a.csv"})
    gate.open()
    execution.result(200)
    assert execution.progress().activities == ()


@pytest.mark.parametrize(
    ("said", "shown"), [(0.256, "25 %"), (1204, "1,204"), ("<b>half</b>", "<b>half</b>"), (1.0, "100 %")]
)
def test_the_live_lines_show_progress(virtual_lab, said, shown):
    gate = Gate()

    def shows():
        activity.heartbeat(said)
        gate.wait_here()

    execution = virtual_lab.start(One, made(shows).name)
    gate.wait_for()
    progress = execution.progress()
    view = LiveView(execution)
    gate.open()
    assert f", shows {shown}, " in live_text("id", progress)
    assert view.summary["reports"] == [f"activity-activities.shows-1 {shown}"]
    view.close()
    execution.result(200)


def test_a_coroutine_and_the_threads_of_an_activity_may_report(lab):
    gate = Gate()

    async def reports():
        activity.heartbeat("fetching")
        await asyncio.to_thread(activity.heartbeat, 3, "in a thread")
        await asyncio.to_thread(gate.wait_here)

    execution = lab.start(One, made(reports).name)
    gate.wait_for()
    (found,) = execution.progress().activities
    assert (found.progress, found.details) == (3, "in a thread")
    gate.open()
    execution.result(200)


def test_the_last_words_of_an_activity_that_times_out_are_in_the_history(lab):
    gate = Gate()

    def hangs():
        activity.heartbeat(41, "of 99")
        gate.wait_here()

    execution = lab.start(One, made(hangs, start_to_close_timeout=4).name)
    gate.wait_for()
    assert execution.result(200) == "START_TO_CLOSE timeout of 4 s"
    gate.open()
    timed_out = next(event for event in execution.history() if event.type == "ActivityTaskTimedOut")
    assert json.loads(timed_out.attributes["details"]) == {"progress": 41, "details": "of 99"}


def test_a_workflow_may_go_on_from_the_last_words_of_an_activity_that_timed_out(lab):
    gate = Gate()

    def counts(first=0):
        if not first:
            activity.heartbeat(41, "of 99")
            gate.wait_here()
        return first

    counts = made(counts, start_to_close_timeout=4)
    said = []

    class GoesOn(One):
        name = "activities.goes_on"

        def on_task_failure(self, failure_context):
            said.append(failure_context.exception.details)
            failure_context.a_task.kwargs["first"] = failure_context.details["progress"]
            return failure_context.decide_retry()

    assert lab.start(GoesOn, counts.name).result(200) == 41
    gate.open()
    assert {text and tuple(json.loads(text).items()) for text in said} == {(("details", "of 99"), ("progress", 41))}


# -- being asked to stop -----------------------------------------------------------------------------------------------


def stoppable(on_cancel, executor="threads"):
    """An activity that heartbeats until it is told to stop."""

    def steps():
        try:
            while True:
                activity.heartbeat("working")
                time.sleep(0.005)
        except ActivityCanceled as error:
            return on_cancel(error)

    return made(steps, heartbeat_timeout=6, executor=executor)


def again(error):
    raise error


def with_details(error):
    raise ActivityCanceled(details={"rolled back": 3}) from error


def with_unusual_details(error):
    raise ActivityCanceled(details=object())


def with_words(error):
    raise ActivityCanceled(details="rolled back")


def fails(error):
    raise OSError("the disk is full")


@pytest.mark.parametrize(
    ("on_cancel", "event", "attributes"),
    [
        (again, "ActivityTaskCanceled", {}),
        (with_details, "ActivityTaskCanceled", {"details": '{"rolled back":3}'}),
        (with_words, "ActivityTaskCanceled", {"details": "rolled back"}),
        (lambda error: "done", "ActivityTaskCompleted", {"result": '"done"'}),
        (fails, "ActivityTaskFailed", {"reason": "OSError: the disk is full"}),
    ],
    ids=["again", "with details", "with words", "swallowed", "fails"],
)
@pytest.mark.parametrize("executor", ["threads", "processes"])
def test_what_an_activity_does_when_it_is_asked_to_cancel_is_answered(lab, executor, on_cancel, event, attributes):
    """UB-03, P5: upstream answers nothing, and the task ends by its timeout."""
    task = by_hand.Task(lab, stoppable(on_cancel, executor))
    task.request_cancel()
    closed = task.closed()
    assert closed.type == event
    assert attributes.items() <= closed.attributes.items()


def test_details_that_json_cannot_hold_are_answered_all_the_same(lab):
    task = by_hand.Task(lab, stoppable(with_unusual_details))
    task.request_cancel()
    assert "object object" in task.closed().attributes["details"]


def test_an_except_exception_does_not_swallow_the_request(lab):
    def retries_everything():
        while True:
            try:
                activity.heartbeat()
                time.sleep(0.005)
            except Exception:
                continue

    task = by_hand.Task(lab, made(retries_everything, heartbeat_timeout=6))
    task.request_cancel()
    assert task.closed().type == "ActivityTaskCanceled"


def test_a_coroutine_is_canceled_where_it_awaits_and_may_clean_up(lab):
    cleaned = []

    async def waits():
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0)
            activity.heartbeat("cleaning up")
            cleaned.append(True)

    task = by_hand.Task(lab, made(waits, heartbeat_timeout=6))
    task.request_cancel()
    assert task.closed().type == "ActivityTaskCanceled"
    assert cleaned == [True]


def test_a_thread_that_does_not_listen_goes_on_and_its_result_counts(lab):
    gate = Gate()

    def deaf():
        gate.wait_here()
        return "finished"

    task = by_hand.Task(lab, made(deaf, heartbeat_timeout=6))
    gate.wait_for()
    task.request_cancel()
    gate.open()
    assert task.closed().attributes["result"] == '"finished"'


def test_an_activity_that_stops_though_nobody_asked_failed(lab):
    def stops():
        raise ActivityCanceled("I don't like it")

    assert result_of(lab, made(stops)) == "ActivityCanceled: I don't like it"


def test_the_activity_of_a_terminated_execution_is_told_and_nothing_is_answered(lab, caplog):
    gate, told = Gate(), []

    def goes_on():
        gate.wait_here()
        try:
            while True:
                activity.heartbeat()
                time.sleep(0.005)
        except ActivityCanceled as error:
            told.append(str(error))
            return "nobody reads this"

    with caplog.at_level("INFO", logger="simpleflow_lab.runtime"):
        execution = lab.start(One, made(goes_on, heartbeat_timeout=6).name)
        gate.wait_for()
        execution.terminate("enough")
        gate.open()
        deadline = time.monotonic() + 200
        while "was not answered" not in caplog.text and time.monotonic() < deadline:
            time.sleep(0.01)
    assert told
    assert told[0].startswith("nobody waits for it any more")
    assert caplog.text.count("nobody waits for it any more") == 1

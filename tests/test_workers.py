"""`lab.workers`: what is started by itself and by hand, how it is stopped, and what it shows."""

import contextlib
import datetime
import threading

import pandas as pd
import pytest

from simpleflow_lab import Lab, Workflow, activity, workflow
from simpleflow_lab.exceptions import UsageError
from tests.waiting import until

LONG = 200
gates = {}
entered = threading.Semaphore(0)


@activity.with_attributes(name="workers.passes", version="1", task_list="workers-etl")
def passes(gate):
    """Goes on when its gate is open."""
    entered.release()
    gates[gate].wait(LONG)
    return gate


@activity.with_attributes(name="workers.fails", version="1", task_list="workers-etl")
def fails(message):
    raise ValueError(message)


@activity.with_attributes(name="workers.hangs", version="1", task_list="workers-etl", executor="processes")
def hangs():
    threading.Event().wait()


class Passes(Workflow):
    name = "workers-passes"
    version = "1"
    task_list = "workers-decisions"

    def run(self, gate, count):
        return [future.result for future in [self.submit(passes, gate) for _ in range(count)]]


class Edited(Workflow):
    name = "workers-edited"
    version = "1"
    task_list = "workers-decisions"

    def run(self):
        if "edited" in gates:
            self.submit(self.start_timer("other", 1)).wait()
        return self.submit(passes, "gate").result


class HoldsUp(Workflow):
    name = "workers-holds-up"
    version = "1"
    task_list = "workers-decisions"

    def run(self):
        return gates["gate"].wait(LONG)


class Fails(Workflow):
    name = "workers-fails"
    version = "1"
    task_list = "workers-decisions"

    def run(self, message):
        self.submit(fails, message).wait()


class Hangs(Workflow):
    name = "workers-hangs"
    version = "1"
    task_list = "workers-decisions"

    def run(self):
        self.submit(hangs).wait()


@pytest.fixture(autouse=True)
def gate():
    gates.clear()
    while entered.acquire(blocking=False):
        pass
    gates["gate"] = threading.Event()
    yield gates["gate"]
    gates["gate"].set()


def facts(lab):
    return [(worker.kind, worker.task_list, worker.state) for worker in lab.workers]


DECIDER, WORKER = ("decider", "workers-decisions"), ("activity worker", "workers-etl")


@pytest.mark.parametrize(
    ("serve", "started"),
    [
        ("everything", [DECIDER, WORKER]),
        ("decisions", [DECIDER]),
        ("nothing", []),
    ],
)
def test_the_policy_says_what_is_started_by_itself_and_the_rest_is_started_by_hand(serve, started, gate):
    gate.set()
    with Lab(":memory:", serve=serve) as lab:
        assert lab.serves == serve
        execution = lab.start(Passes, "gate", 1)
        if serve == "everything":
            assert execution.result(LONG) == ["gate"]
        assert [fact[:2] for fact in facts(lab)] == started
        lab.start_deciders(task_list="workers-decisions")
        lab.start_workers(task_list="workers-etl")
        assert execution.result(LONG) == ["gate"]


def test_a_process_that_serves_activities_serves_those_that_it_defines_and_no_decisions(gate):
    gate.set()
    with Lab(":memory:", serve="activities") as lab:
        assert {worker.kind for worker in lab.workers} == {"activity worker"}
        assert lab.workers.of("workers-etl")
        execution = lab.start(Passes, "gate", 1)
        lab.start_deciders(task_list="workers-decisions")
        assert execution.result(LONG) == ["gate"]


def test_a_process_that_serves_activities_serves_those_that_it_defines_later(gate):
    name = "workers-defined-later"
    with Lab(":memory:", serve="activities") as lab:
        lab.start(Passes, "gate", 1)
        assert not lab.workers.of(name)
        activity.with_attributes(name="workers.later", version="1", task_list=name)(print)
        until(lambda: [worker.state for worker in lab.workers.of(name)] == ["polling"])
        assert lab.workers.of(name).stop(seconds=LONG)
        until(lambda: [worker.state for worker in lab.workers.of(name)] == ["stopped"])  # its last poll has ended
        activity.with_attributes(name="workers.later", version="2", task_list=name)(print)
        assert [worker.state for worker in lab.workers.of(name)] == ["stopped"]
    del activity.registry["workers.later", "1"], activity.registry["workers.later", "2"]


def test_without_a_task_list_those_of_what_this_process_defines_are_served():
    with Lab(":memory:", serve="nothing") as lab:
        assert "workers-etl" in [worker.task_list for worker in lab.start_workers()]
        assert "workers-decisions" in [decider.task_list for decider in lab.start_deciders()]
        assert {worker.at_once for worker in lab.start_workers(3)} == {3}


def test_the_policy_may_change():
    with Lab(":memory:", serve="nothing") as lab:
        lab.start(Fails, "x")
        assert facts(lab) == []
        lab.serves = "decisions"
        lab.start(Fails, "y")
        assert [fact[:2] for fact in facts(lab)] == [DECIDER]


@pytest.mark.parametrize("serve", ["all", "", None, 1, ["nothing"]])
def test_a_policy_that_is_none_is_refused_with_those_that_are(serve):
    with pytest.raises(UsageError, match="'everything', 'decisions', 'activities', 'nothing'"):
        Lab(":memory:", serve=serve)
    with Lab(":memory:") as lab:
        with pytest.raises(UsageError, match="'everything'"):
            lab.serves = serve
        assert lab.serves == "everything"


@pytest.mark.parametrize("count", [0, -1, 1.5, "3", True])
def test_a_count_that_is_none_is_refused(count):
    with Lab(":memory:", serve="nothing") as lab:
        with pytest.raises(UsageError, match="1 task or more"):
            lab.start_workers(count, task_list="x")
        assert not lab.workers
        (worker,) = lab.start_workers(2, task_list="x")
        with pytest.raises(UsageError, match="1 task or more"):
            worker.scale(count)
        with pytest.raises(UsageError, match="1 task or more"):
            lab.workers.scale(count)
        assert worker.at_once == 2


@pytest.mark.parametrize("count", [1001, 10**9])
def test_a_count_of_more_polls_than_swf_allows_is_refused(count):
    with Lab(":memory:", serve="nothing") as lab:
        (worker,) = lab.start_workers(2, task_list="x")
        for scale in (worker.scale, lab.workers.scale, lambda n: lab.start_workers(n, task_list="y")):
            with pytest.raises(UsageError, match="1000 tasks at once at most"):
                scale(count)
        assert (worker.at_once, len(lab.workers)) == (2, 1)


@pytest.mark.parametrize("seconds", [float("nan"), -1, "3", True])
def test_a_time_to_stop_that_is_none_is_refused_and_stops_nothing(seconds):
    with Lab(":memory:", serve="nothing") as lab:
        (worker,) = lab.start_workers(2, task_list="x")
        for stop in (worker.stop, lab.workers.stop):
            with pytest.raises(UsageError, match="how long to wait for the tasks in progress"):
                stop(seconds=seconds)
        assert worker.state == "polling"


def test_other_bad_input_has_one_line():
    with Lab(":memory:", serve="nothing") as lab:
        for name in ("", "x" * 257, "a:b", " a", 3):
            with pytest.raises(UsageError, match="the name of a task list"):
                lab.start_workers(task_list=name)
        with pytest.raises(UsageError, match="no activity worker here"):
            lab.workers.scale(3)
        (decider,) = lab.start_deciders(task_list="x")
        decider.scale(1)
        with pytest.raises(UsageError, match="one decision at a time"):
            decider.scale(2)
    with pytest.raises(UsageError, match="closed"):
        lab.start_workers(task_list="x")
    with pytest.raises(UsageError, match="closed"):
        decider.start()
    until(lambda: decider.state == "stopped")


def test_a_worker_runs_as_many_at_once_as_it_is_scaled_to(gate):
    with Lab(":memory:", serve="decisions") as lab:
        (worker,) = lab.start_workers(2, task_list="workers-etl")
        execution = lab.start(Passes, "gate", 9)
        for _ in range(2):
            assert entered.acquire(timeout=LONG)
        assert len(worker.tasks) == 2
        assert {(task.workflow_id, task.type) for task in worker.tasks} == {
            (execution.workflow_id, "workers.passes 1"),
        }
        lab.start_workers(5, task_list="workers-etl")
        for _ in range(3):
            assert entered.acquire(timeout=LONG)
        assert (len(worker.tasks), worker.poller.thread_count, worker.state) == (5, 5, "busy")
        worker.scale(1)
        gate.set()
        assert execution.result(LONG) == ["gate"] * 9
        until(lambda: worker.poller.thread_count == 1)
        assert (worker.state, worker.done, worker.failed, worker.tasks) == ("polling", 9, 0, [])


def test_a_drained_worker_finishes_what_is_in_progress_and_takes_no_more(gate):
    with Lab(":memory:", activity_threads=1) as lab:
        execution = lab.start(Passes, "gate", 3)
        assert entered.acquire(timeout=LONG)
        (worker,) = lab.workers.of("workers-etl")
        assert worker.stop(seconds=0.05) is False
        assert worker.state == "draining"
        gate.set()
        assert worker.stop() is True
        assert (worker.state, worker.done) == ("stopped", 1)
        assert not entered.acquire(blocking=False)
        # A decision that schedules an activity on this list starts no worker that a person stopped.
        other = lab.start(Passes, "gate", 1)
        lab.resume()
        assert facts(lab) == [(*DECIDER, facts(lab)[0][2]), (*WORKER, "stopped")]
        assert lab.task_lists == (["workers-decisions"], [])
        lab.start_workers(task_list="workers-etl")
        assert execution.result(LONG) == ["gate"] * 3
        assert other.result(LONG) == ["gate"]
        assert lab.task_lists == (["workers-decisions"], ["workers-etl"])


def test_a_decider_that_was_stopped_starts_with_the_next_execution_of_its_list(gate):
    gate.set()
    with Lab(":memory:") as lab:
        lab.start(Passes, "gate", 1).result(LONG)
        assert lab.workers.stop() is True
        assert {worker.state for worker in lab.workers} == {"stopped"}
        execution = lab.start(Passes, "gate", 1)
        (decider,) = lab.workers.of("workers-decisions")
        assert decider.state != "stopped"
        lab.workers.start()
        assert execution.result(LONG) == ["gate"]


def test_a_worker_that_stops_without_draining_leaves_its_forked_activity():
    with Lab(":memory:") as lab:
        execution = lab.start(Hangs)
        until(lambda: any(worker.tasks for worker in lab.workers.of("workers-etl")))
        (worker,) = lab.workers.of("workers-etl")
        assert worker.stop(drain=False, seconds=LONG) is True
        assert (worker.state, worker.tasks, worker.failed) == ("stopped", [], 0)
        assert worker.last_error is None
        until(lambda: "ActivityTaskTimedOut" in [event.type for event in execution.history()])  # given back


def test_failures_are_counted_and_the_last_one_is_shown():
    with Lab(":memory:") as lab:
        for message in ("one", "<b>two</b>\x1b[31m\u202e" + "y" * 500):
            lab.start(Fails, message).wait(LONG)
        (worker,) = lab.workers.of("workers-etl")
        assert (worker.done, worker.failed) == (0, 2)
        assert worker.last_error.startswith("ValueError: <b>two")
        text, page = repr(lab.workers), lab.workers._repr_html_()
        assert "\x1b" not in text
        assert "\u202e" not in text + page
        assert "<b>two" not in page
        assert "&lt;b&gt;two" in page
        assert "y" * 200 not in text + page


@contextlib.contextmanager
def blocked(lab, gate):
    """An execution whose code does not fit its history, until the end of the context."""
    execution = lab.start(Edited)
    assert entered.acquire(timeout=LONG)
    gates["edited"] = True
    gate.set()
    (decider,) = lab.workers.of("workers-decisions")
    try:
        until(lambda: decider.state == "blocked" and decider.failed)
        yield execution, decider
    finally:
        del gates["edited"]


def retry_threads():
    return [thread for thread in threading.enumerate() if thread.name == "retries of workers-decisions"]


def test_a_decider_says_since_when_a_decision_is_blocked_and_until_when(gate):
    with Lab(":memory:", replay_cache_size=0) as lab:
        with blocked(lab, gate) as (execution, decider):
            # SWF's times are whole milliseconds.
            assert decider.since >= execution.history()[-1].timestamp - datetime.timedelta(milliseconds=1)
            assert decider.last_error.startswith("NondeterminismError")
            assert decider.done == 1
            assert retry_threads()
            assert "blocked" in repr(lab.workers)
        workflow.registry.define(("workers-edited", "1"), Edited)
        assert execution.result(LONG) == "gate"
        until(lambda: decider.state == "polling")
        until(lambda: not retry_threads())


def test_a_decider_whose_thread_is_held_up_says_so_and_goes_on(gate):
    with Lab(":memory:") as lab:
        held_up = lab.start(HoldsUp, task_start_to_close_timeout=2)
        (decider,) = lab.workers
        until(lambda: decider.state == "blocked")
        assert decider.last_error.startswith("DecisionTooLongError")
        other = lab.start(Fails, "x")
        assert other.wait(LONG)
        assert decider.state == "blocked"
        gate.set()
        until(lambda: held_up.status == "COMPLETED")
        until(lambda: decider.state == "polling")


def test_a_decider_that_stops_gives_back_what_is_blocked(gate):
    with Lab(":memory:", replay_cache_size=0) as lab:
        with blocked(lab, gate) as (execution, decider):
            assert decider.stop(seconds=LONG) is True
            assert decider.state == "stopped"
            assert execution.decision_error is None
            until(lambda: not retry_threads())
        until(lambda: execution.history()[-1].type == "DecisionTaskScheduled")
        decider.start()
        assert execution.result(LONG) == "gate"


def test_the_list_displays_itself_as_text_html_and_a_frame():
    with Lab(":memory:") as lab:
        assert "no decider" in repr(lab.workers)
        assert "no decider" in lab.workers._repr_html_()
        assert list(lab.workers.to_pandas().columns)[:4] == ["kind", "task list", "state", "since"]
        lab.start_workers(4, task_list="workers-etl")
        lab.start_deciders(task_list="workers-decisions")
        lines = repr(lab.workers).splitlines()
        assert lines[0].split()[:3] == ["kind", "task", "list"]
        assert lines[1].split()[:2] == ["decider", "workers-decisions"]
        assert "workers-etl" in lines[2]
        assert "<table>" in lab.workers._repr_html_()
        frame = lab.workers.to_pandas()
        assert isinstance(frame, pd.DataFrame)
        assert frame["at once"].tolist() == [1, 4]
        assert str(frame["since"].dt.tz) == "UTC"


def test_the_types_of_its_own_list_come_first():
    with Lab(":memory:") as lab:
        (worker,) = lab.start_workers(task_list="workers-etl")
        (decider,) = lab.start_deciders(task_list="workers-decisions")
        assert worker.types[:3] == ["workers.fails 1", "workers.hangs 1", "workers.passes 1"]
        assert decider.types[:3] == ["workers-edited 1", "workers-fails 1", "workers-hangs 1"]

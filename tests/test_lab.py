"""The Python face: starting, waiting, finding again, failing."""

import subprocess
import sys
import threading
import time

import pytest

from simpleflow_lab import Chain, FuncGroup, Group, History, Lab, Workflow, activity, exceptions, futures
from simpleflow_lab.exceptions import (
    NondeterminismError,
    NotAStoreError,
    TaskFailed,
    UsageError,
    WorkflowExecutionAlreadyStartedFault,
    WorkflowExecutionCanceled,
    WorkflowExecutionFailed,
    WorkflowExecutionTerminated,
    WorkflowNotRegisteredError,
)

TASKS = {"task_list": "lab-tests", "version": "1"}


@activity.with_attributes(**TASKS)
def increment(x):
    return x + 1


@activity.with_attributes(**TASKS)
def double(x):
    return x * 2


@activity.with_attributes(**TASKS)
def total(*groups, **named):
    return sum(sum(group) if isinstance(group, list) else group for group in [*groups, *named.values()])


@activity.with_attributes(raises_on_failure=True, **TASKS)
def fail(message):
    raise ValueError(message)


@activity.with_attributes(**TASKS)
def fail_quietly(message):
    raise ValueError(message)


class Basic(Workflow):
    name = "lab.basic"
    version = "1"
    task_list = "lab-tests"

    def run(self, x, t=0):
        y = self.submit(increment, x)
        z = self.submit(double, y)
        return z.result


def one_off(run, **attributes):
    """A workflow whose `run` is this function."""
    return type("OneOff", (Workflow,), {"run": run, "task_list": "lab-tests", **attributes})


# -- what a workflow gives ---------------------------------------------------------------------------------------------


def test_a_workflow_gives_what_its_run_returns(lab):
    execution = lab.start(Basic, 1, t=0)
    assert execution.result(timeout=200) == 4
    assert execution.status == "COMPLETED"


def test_a_future_nested_anywhere_in_the_arguments_is_a_dependency(lab):
    def run(self):
        one, two = self.submit(increment, 0), self.submit(increment, 1)
        return self.submit(total, [one, 10], more=[two, one]).result

    assert lab.start(one_off(run, name="lab.nested")).result(200) == 1 + 10 + 2 + 1


def test_a_nested_future_that_is_pending_holds_up_nothing_else(lab):
    def run(self):
        slow = self.submit(increment, 0)
        waiting = self.submit(total, [slow])
        fast = self.submit(increment, 41)
        assert (slow.pending, waiting.pending, fast.pending) == (True, True, True)
        return [fast.result, waiting.result]

    execution = lab.start(one_off(run, name="lab.nested_pending"))
    assert execution.result(200) == [42, 1]
    first_answer = [e for e in execution.history() if e.attributes.get("decisionTaskCompletedEventId") == 4]
    assert len(first_answer) == 2  # slow and fast, side by side


def test_an_id_does_not_move_when_an_argument_is_late(lab):
    """UB-01: upstream gives `one(300)` to whoever asked for `one(y)`."""

    def run(self):
        y = self.submit(increment, 1)
        a = self.submit(increment, y)
        b = self.submit(increment, 300)
        return [y.result, a.result, b.result]

    execution = lab.start(one_off(run, name="lab.id_shift"))
    assert execution.result(200) == [2, 3, 301]
    ids = [
        (e.attributes["activityId"].rpartition("-")[2], e.attributes["input"])
        for e in execution.history()
        if e.type == "ActivityTaskScheduled"
    ]
    assert sorted(ids) == [
        ("1", '{"args":[1],"kwargs":{}}'),
        ("2", '{"args":[2],"kwargs":{}}'),
        ("3", '{"args":[300],"kwargs":{}}'),
    ]


def test_map_and_starmap_give_futures_in_order(lab):
    def run(self):
        return futures.wait(self.map(double, range(5)), self.starmap(total, [(1, 2), (3, 4)]))

    assert lab.start(one_off(run, name="lab.map")).result(200) == [0, 2, 4, 6, 8, 3, 7]


def test_groups_and_chains_nest(lab):
    def run(self):
        chain = Chain(
            (increment, 1), Chain((double, 2), (increment, 5)), Group((double, 7), (double, 8), max_parallel=1)
        )
        piped = Chain((increment, 1), (double,), (increment,), send_result=True)
        late = Chain((increment, 1), FuncGroup(lambda: Group(*[(double, n) for n in range(3)])))
        return [self.submit(item).result for item in (chain, piped, late)]

    assert lab.start(one_off(run, name="lab.canvas")).result(200) == [
        [2, [4, 6], [14, 16]],
        [2, 4, 5],
        [2, [0, 2, 4]],
    ]


def test_a_child_workflow_is_an_execution_of_its_own(lab):
    def run(self, x):
        return self.submit(Basic, x).result + 1

    execution = lab.start(one_off(run, name="lab.parent"), 1)
    assert execution.result(200) == 5
    assert len(lab.executions()) == 2
    child = next(e for e in execution.history() if e.type == "ChildWorkflowExecutionStarted").attributes
    assert lab.execution(child["workflowExecution"]["workflowId"]).result(1) == 4


def test_a_child_on_a_task_list_of_its_own_is_served(lab):
    class Elsewhere(Workflow):
        name = "lab.elsewhere"
        task_list = "lab-tests-elsewhere"

        def run(self):
            return self.submit(activity.with_attributes(task_list="lab-tests-far", name="lab.far")(increment), 1).result

    def run(self):
        return self.submit(Elsewhere).result

    assert lab.start(one_off(run, name="lab.parent_of_elsewhere")).result(200) == 2
    assert lab.task_lists == (["lab-tests", "lab-tests-elsewhere"], ["lab-tests-far"])


def test_a_timer_and_a_signal_and_a_marker(lab):
    def run(self):
        timer = self.submit(self.start_timer("soon", 0))
        signal = self.submit(self.wait_signal("go"))
        self.submit(self.record_marker("waiting", {"for": "go"}))
        futures.wait(timer, signal)
        return [signal.result, self.list_markers()[0].details]

    execution = lab.start(one_off(run, name="lab.signals"), workflow_id="signals")
    execution.signal("go", '"now"')
    assert execution.result(200) == ["now", {"for": "go"}]


def test_continue_as_new_goes_on_in_another_run(lab):
    class Countdown(Workflow):
        name = "lab.countdown"
        task_list = "lab-tests"

        def run(self, n):
            if n:
                self.submit(self.continue_as_new(n - 1))
                return None
            return "lift-off"

    execution = lab.start(Countdown, 3)
    assert execution.result(200) == "lift-off"
    assert len(lab.executions()) == 4
    with pytest.raises(exceptions.UsageError, match="is closed already: CONTINUED_AS_NEW; its next run is ") as raised:
        execution.request_cancel()
    assert str(raised.value).endswith(execution.next_run.run_id)


def test_more_than_a_hundred_decisions_are_made_in_several_answers(lab):
    def run(self):
        return sum(futures.wait(self.map(increment, range(250))))

    execution = lab.start(one_off(run, name="lab.many"))
    assert execution.result(60) == sum(range(1, 251))
    by_answer: dict[int, int] = {}
    for event in execution.history():
        answer = event.attributes.get("decisionTaskCompletedEventId")
        if answer:
            by_answer[answer] = by_answer.get(answer, 0) + 1
    assert max(by_answer.values()) == 100


def test_the_time_chance_and_new_ids_of_a_workflow_are_the_same_in_every_replay(lab):
    seen = []

    class Deterministic(Workflow):
        name = "lab.deterministic"
        task_list = "lab-tests"

        def run(self):
            facts = [self.now().isoformat(), self.random.random(), str(self.uuid4())]
            seen.append(facts)
            self.submit(increment, 1).result
            return facts

    execution = lab.start(Deterministic)
    result = execution.result(200)
    from simpleflow_lab.replay.replay import Replay

    replay = Replay(Deterministic, workflow_id=execution.workflow_id, run_id=execution.run_id)
    replay.feed(execution.history())
    assert seen == [result, result]


def test_what_a_workflow_prints_is_printed_once(lab, capsys):
    from simpleflow_lab.replay.replay import Replay

    def run(self):
        print("before")
        self.submit(increment, 1).result
        print("after")

    workflow = one_off(run, name="lab.prints")
    execution = lab.start(workflow)
    execution.result(200)
    Replay(workflow, workflow_id="w", run_id="r").feed(execution.history())
    assert capsys.readouterr().out == "before\nafter\n"


# -- failures ----------------------------------------------------------------------------------------------------------


def test_a_failed_execution_raises_with_the_task_its_error_and_its_traceback(lab):
    def run(self):
        return self.submit(fail, "the disk is full").result

    with pytest.raises(WorkflowExecutionFailed) as failed:
        lab.start(one_off(run, name="lab.fails"), workflow_id="fails").result(200)
    text = str(failed.value)
    assert "fails" in text
    assert "activity-tests.test_lab.fail-1" in text or "fail-1" in text
    assert "ValueError: the disk is full" in text
    assert "raise ValueError(message)" in text
    assert "self.submit(fail" in text
    assert "simpleflow_lab/runtime" not in text


def test_a_failure_can_be_caught_by_the_workflow(lab):
    def run(self):
        try:
            self.submit(fail, "oh").result
        except TaskFailed as error:
            return error.reason

    assert lab.start(one_off(run, name="lab.catches")).result(200) == "ValueError: oh"


def test_except_exception_does_not_swallow_waiting(lab):
    def run(self):
        try:
            return self.submit(increment, 1).result
        except Exception:
            return "swallowed"

    assert lab.start(one_off(run, name="lab.except")).result(200) == 2


def test_a_task_is_tried_as_often_again_as_it_says(lab):
    tries = []

    @activity.with_attributes(retry=2, name="lab.flaky", **TASKS)
    def flaky():
        tries.append(1)
        if len(tries) < 3:
            raise OSError("not yet")
        return "at last"

    def run(self):
        return self.submit(flaky).result

    execution = lab.start(one_off(run, name="lab.retries"))
    assert execution.result(200) == "at last"
    assert list(execution.tasks()["attempt"]) == [1, 2, 3]
    assert list(execution.tasks()["state"]) == ["failed", "failed", "completed"]


def test_an_unhandled_failure_is_shown_and_the_result_is_none(lab):
    def run(self):
        noticed = self.submit(fail_quietly, "seen")
        unhandled = self.submit(fail_quietly, "unseen")
        assert noticed.exception.reason == "ValueError: seen"
        return [noticed.result, unhandled.result]

    execution = lab.start(one_off(run, name="lab.unhandled"))
    assert execution.result(200) == [None, None]
    unhandled = execution.unhandled_failures()
    assert list(unhandled["reason"]) == ["ValueError: unseen"]
    assert "unhandled" in execution._repr_html_()


def test_a_failure_that_is_to_raise_fails_the_workflow_even_if_it_is_not_read(lab):
    def run(self):
        futures.wait(self.submit(increment, 1))
        self.submit(fail, "unread").wait()
        return "done"

    with pytest.raises(WorkflowExecutionFailed, match="unread"):
        lab.start(one_off(run, name="lab.unread")).result(200)


def test_a_workflow_may_fail_by_its_own_word(lab):
    def run(self):
        self.fail("no data today", "the bucket is empty")

    with pytest.raises(WorkflowExecutionFailed, match="no data today") as failed:
        lab.start(one_off(run, name="lab.own_word")).result(200)
    assert failed.value.details == "the bucket is empty"


def test_an_activity_that_returns_what_json_cant_hold_fails_with_its_name_and_the_place(lab):
    @activity.with_attributes(raises_on_failure=True, name="lab.odd", **TASKS)
    def odd():
        return {"rows": [1, object()]}

    def run(self):
        return self.submit(odd).result

    with pytest.raises(WorkflowExecutionFailed, match=r"the result of lab\.odd can't be recorded.*\['rows'\]\[1\]"):
        lab.start(one_off(run, name="lab.odd_result")).result(200)


def test_an_argument_that_json_cant_hold_fails_at_the_line_that_submits(lab):
    def run(self):
        try:
            self.submit(increment, object())
        except exceptions.EncodingError:
            return "refused here"

    assert lab.start(one_off(run, name="lab.odd_argument")).result(200) == "refused here"


def test_an_activity_that_calls_sys_exit_has_failed(lab):
    @activity.with_attributes(raises_on_failure=True, name="lab.exits", **TASKS)
    def exits():
        raise SystemExit(3)

    def run(self):
        return self.submit(exits).result

    with pytest.raises(WorkflowExecutionFailed, match="SystemExit: 3"):
        lab.start(one_off(run, name="lab.sys_exit")).result(200)


def test_what_is_no_activity_can_not_be_submitted(lab):
    def run(self):
        try:
            self.submit(len, [1])
        except TypeError as error:
            return str(error)

    assert "with_attributes" in lab.start(one_off(run, name="lab.bare")).result(200)


def test_an_error_of_the_world_around_fails_the_decision_and_not_the_execution(lab):
    broken = [True]

    def run(self):
        if broken:
            broken.clear()
            raise ConnectionResetError("the network")
        return "went on"

    execution = lab.start(one_off(run, name="lab.network"))
    with pytest.raises(exceptions.DecisionTaskError, match="the network"):
        execution.result(200)
    assert execution.status == "OPEN"
    deadline = time.monotonic() + 200
    while execution.decision_error and time.monotonic() < deadline:
        threading.Event().wait(0.05)
    assert execution.result(60) == "went on"


@pytest.mark.filterwarnings("ignore::simpleflow_lab.exceptions.DefinitionWarning")
def test_code_that_changed_stops_the_decision_and_goes_on_when_it_is_put_right(lab):
    release = threading.Event()

    @activity.with_attributes(name="lab.hold", **TASKS)
    def hold():
        return release.wait(200)

    def define(first):
        def run(self):
            futures.wait(self.submit(first, 1))
            futures.wait(self.submit(hold))
            return self.submit(double, 4).result

        return one_off(run, name="lab.changing")

    execution = lab.start(define(increment))
    for _ in execution.watch(timeout=60):
        if any(e.type == "ActivityTaskStarted" and e.id > 7 for e in execution.history()):
            break
    define(double)
    release.set()
    with pytest.raises(NondeterminismError) as blocked:
        execution.result(60)
    assert "test_lab.increment" in blocked.value.recorded
    assert "test_lab.double" in blocked.value.requested
    assert "self.submit(first, 1)" in blocked.value.recorded_line
    assert "self.submit(first, 1)" in blocked.value.requested_line
    assert execution.status == "OPEN"
    define(increment)
    deadline = time.monotonic() + 200
    while execution.decision_error and time.monotonic() < deadline:
        threading.Event().wait(0.02)
    assert execution.result(60) == 8


# -- bad input ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "says"),
    [
        (lambda lab: lab.start(Basic), "missing a required argument: 'x'"),
        (lambda lab: lab.start(Basic, 1, 2, 3), "too many positional"),
        (lambda lab: lab.start(Basic, 1, wrong=2), "unexpected keyword argument 'wrong'"),
        (lambda lab: lab.start(Basic, object()), "JSON can't hold"),
        (lambda lab: lab.start(Basic, 1, input=[1]), "not both"),
        (lambda lab: lab.start("no.such.workflow", 1), "no workflow 'no.such.workflow'"),
        (lambda lab: lab.start(len, 1), "no workflow"),
        (lambda lab: lab.start(Basic, "x" * 6_000_000), "5242880"),
        (lambda lab: lab.execution("nobody"), "no execution 'nobody'"),
        (lambda lab: lab.resume("nobody"), "no execution 'nobody'"),
        (lambda lab: lab.execution("a/b"), "a workflow id 'a/b' is none that SWF takes"),
        (lambda lab: lab.resume(""), "a workflow id is empty"),
        (lambda lab: lab.start(Basic, 1, workflow_id="a\nb"), r"the workflow_id 'a\\nb' is none that SWF takes"),
        (lambda lab: lab.start(Basic, 1, workflow_id=3), "the workflow_id is text, not 3"),
        (lambda lab: lab.start(Basic, 1, task_list="a:b"), "the task_list 'a:b' is none that SWF takes"),
        (lambda lab: lab.start(Basic, 1, tag_list="night"), "tag_list are a list of texts"),
        (lambda lab: lab.start(Basic, 1, tag_list=list("abcdef")), "tag_list are 5 at most"),
        (lambda lab: lab.start(Basic, 1, task_priority="high"), "the task_priority is a whole number of 32 bits"),
        (lambda lab: lab.start(Basic, 1, child_policy="KILL"), "the child_policy is .*not 'KILL'"),
        (lambda lab: lab.serve_store(port=65_536), "port is from 0 to 65535, not 65536"),
        (lambda lab: Lab(":memory:", domain="a/b"), "a domain 'a/b' is none that SWF takes"),
    ],
)
def test_a_start_that_is_refused_is_an_error_in_one_line_and_leaves_nothing(lab, start, says):
    with pytest.raises(UsageError, match=says) as refused:
        start(lab)
    assert "\n" not in str(refused.value)
    assert lab.executions().empty


def test_a_run_that_takes_an_option_of_swf_gets_it_through_input(lab):
    def run(self, workflow_id, tag_list):
        return [workflow_id, tag_list]

    workflow = one_off(run, name="lab.names")
    execution = lab.start(
        workflow, input={"kwargs": {"workflow_id": "a", "tag_list": "b"}}, workflow_id="c", tag_list=["d=1"]
    )
    assert execution.result(200) == ["a", "b"]
    assert execution.workflow_id == "c"
    assert execution.describe()["executionInfo"]["tagList"] == ["d=1"]


def test_an_open_id_is_taken_up_again_by_the_same_and_refused_to_another(lab):
    def run(self, x):
        return self.submit(self.wait_signal("go")).result

    workflow = one_off(run, name="lab.waits")
    first = lab.start(workflow, 1, workflow_id="one")
    again = lab.start(workflow, 1, workflow_id="one")
    assert (again.run_id, again.attached) == (first.run_id, True)
    with pytest.raises(UsageError, match="with another workflow or input"):
        lab.start(workflow, 2, workflow_id="one")
    first.signal("go", '"on"')
    assert first.result(200) == "on"
    third = lab.start(workflow, 2, workflow_id="one")
    assert third.run_id != first.run_id
    third.terminate("enough")
    with pytest.raises(WorkflowExecutionTerminated, match="enough"):
        third.result(60)


class ClosesMeanwhile:
    """A service on which an execution closes right after another start of its id was refused."""

    def __init__(self, service, execution):
        self._service, self._execution = service, execution

    def __getattr__(self, name):
        return getattr(self._service, name)

    def start_workflow_execution(self, **request):
        try:
            return self._service.start_workflow_execution(**request)
        except WorkflowExecutionAlreadyStartedFault:
            self._execution.terminate("enough")
            raise


def test_what_closed_just_after_a_start_was_refused_for_it_is_taken_up(lab):
    def run(self):
        self.submit(self.wait_signal("never")).wait()

    workflow = one_off(run, name="lab.closes")
    first = lab.start(workflow, workflow_id="closes")
    lab.service = ClosesMeanwhile(lab.service, first)
    again = lab.start(workflow, workflow_id="closes")
    assert (again.run_id, again.status) == (first.run_id, "TERMINATED")


def test_a_cancel_request_cancels_unless_the_workflow_refuses(lab):
    def run(self):
        return self.submit(self.wait_signal("never")).result

    execution = lab.start(one_off(run, name="lab.cancel"))
    execution.request_cancel()
    with pytest.raises(WorkflowExecutionCanceled):
        execution.result(200)

    refusing = one_off(run, name="lab.cancel_refused", should_cancel=lambda self, history: False)
    execution = lab.start(refusing)
    execution.request_cancel()
    execution.signal("never", "1")
    assert execution.result(200) == 1


def test_waiting_has_an_end_and_the_execution_goes_on(lab):
    def run(self):
        return self.submit(self.wait_signal("go")).result

    execution = lab.start(one_off(run, name="lab.patience"))
    with pytest.raises(TimeoutError, match="still open"):
        execution.result(timeout=0.1)
    execution.signal("go", "1")
    assert execution.result(200) == 1


# -- stores ------------------------------------------------------------------------------------------------------------


def test_an_execution_is_found_again_by_another_lab_on_the_same_store(tmp_path):
    path = tmp_path / "lab.sqlite"
    with Lab(path) as lab:
        lab.start(Basic, 1, workflow_id="kept").result(200)
        history = lab.execution("kept").history()
    with Lab(path) as lab:
        assert lab.execution("kept").history() == history
        assert lab.execution("kept").result(1) == 4
        assert list(lab.executions()["workflow_id"]) == ["kept"]
        assert History.from_json(history.to_json()) == history


def test_a_second_lab_on_a_store_finds_the_first(tmp_path):
    with Lab(tmp_path / "lab.sqlite") as first, Lab(tmp_path / "lab.sqlite") as second:
        assert first.start(Basic, 1, workflow_id="one").result(200) == 4
        assert second.execution("one").result(1) == 4
        assert second.start(Basic, 2, workflow_id="two").result(200) == 6
        assert first.execution("two").history() == second.execution("two").history()


def test_the_workers_of_a_process_are_the_same_whichever_of_its_labs_is_asked_and_no_thread_outlives_the_last(tmp_path):
    before = set(threading.enumerate())
    first, second = (Lab(tmp_path / "lab.sqlite") for _ in range(2))
    elsewhere = Lab(tmp_path / "other.sqlite")
    assert first.start(Basic, 1).result(200) == 4
    assert len(first.workers) > 1
    assert list(second.workers) == list(first.workers)
    assert list(elsewhere.workers) == []
    for lab in (first, second, elsewhere):
        lab.close()
    with pytest.raises(exceptions.StoreError, match="open it again"):
        first.executions()
    left = [thread for thread in threading.enumerate() if thread not in before]
    for thread in left:
        thread.join(200)  # those that have a last line to run
    assert not [thread for thread in left if thread.is_alive()]


IN_NO_VARIABLE = """
import gc, sys
from simpleflow_lab import Lab, Workflow, activity

@activity.with_attributes(task_list="dropped", version="1")
def one():
    return 1

class Dropped(Workflow):
    name, version, task_list = "dropped", "1", "dropped"

    def run(self):
        return self.submit(one).result

def result():
    return Lab(sys.argv[1]).start(Dropped).result(60)

print(result())
gc.collect()
with Lab(sys.argv[1] if sys.argv[1] != ":memory:" else sys.argv[2]) as other:
    print([worker.task_list for worker in other.workers])
"""


@pytest.mark.parametrize("address", [":memory:", "store.sqlite"])
def test_a_lab_that_no_variable_holds_is_open_and_closed_in_order_when_the_process_ends(tmp_path, address):
    done = subprocess.run(
        [sys.executable, "-c", IN_NO_VARIABLE, address, "other.sqlite"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    listed = [] if address == ":memory:" else ["dropped", "dropped"]
    assert (done.returncode, done.stdout, done.stderr) == (0, f"1\n{listed}\n", "")


@pytest.mark.parametrize("act", ["signal", "request_cancel", "terminate"])
def test_what_acts_on_an_execution_that_is_closed_is_refused_in_our_words(lab, act):
    execution = lab.start(Basic, 1, workflow_id="done")
    execution.result(200)
    with pytest.raises(exceptions.UsageError, match=r"^execution done is closed already: COMPLETED$"):
        getattr(execution, act)(*(["go"] if act == "signal" else []))


def test_two_days_of_timers_take_a_moment_on_a_virtual_clock():
    class Patient(Workflow):
        name = "lab.patient"
        task_list = "lab-tests"

        def run(self):
            begun = self.now()
            for day in (1, 2):
                self.submit(self.start_timer(f"day {day}", 86_400)).wait()
                self.submit(increment, day).wait()
            return (self.now() - begun).days

    with Lab(":memory:", clock="virtual") as lab:
        execution = lab.start(Patient)
        assert execution.result(200) == 2
        history = execution.history()
        assert (history[-1].timestamp - history[0].timestamp).total_seconds() == pytest.approx(2 * 86_400, abs=5)
        assert [event.type for event in history].count("TimerFired") == 2


def test_a_clock_that_is_none_is_refused():
    with pytest.raises(UsageError, match="no clock 'fast'"):
        Lab(":memory:", clock="fast")


def test_a_file_that_is_not_ours_is_refused_and_not_touched(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("dear diary" * 100)
    with pytest.raises(NotAStoreError):
        Lab(path)
    assert path.read_text() == "dear diary" * 100


def test_looking_at_a_store_runs_nothing_and_resuming_waits_for_what_is_not_defined(tmp_path):
    from simpleflow_lab import workflow as workflows

    ran = []

    def run(self):
        ran.append(1)
        return self.submit(self.wait_signal("go")).result

    path = tmp_path / "lab.sqlite"
    workflow = one_off(run, name="lab.later")
    with Lab(path) as lab:
        execution = lab.start(workflow, workflow_id="later")
        for _ in execution.watch(timeout=60):
            if any(e.type == "DecisionTaskCompleted" for e in execution.history()):
                break
    ran.clear()
    del workflows.registry["lab.later", "default"]
    with Lab(path) as lab:
        execution = lab.execution("later")
        execution.signal("go", "1")
        execution.tasks(), execution.gantt(), execution.profile()
        with pytest.raises(TimeoutError):
            execution.result(0.2)
        assert not ran
        assert [e.workflow_id for e in lab.resume()] == ["later"]
        with pytest.raises(WorkflowNotRegisteredError, match=r"lab\.later"):
            execution.result(60)
        one_off(run, name="lab.later")
        deadline = time.monotonic() + 200
        while execution.decision_error and time.monotonic() < deadline:
            threading.Event().wait(0.02)
        assert execution.result(60) == 1


NOT_SECONDS = [float("nan"), float("inf"), -float("inf"), [], {}]


@pytest.mark.parametrize("option", ["task_start_to_close_timeout", "execution_start_to_close_timeout"])
@pytest.mark.parametrize("given", NOT_SECONDS, ids=repr)
def test_what_is_no_number_of_seconds_is_refused_at_the_start(lab, option, given):
    with pytest.raises(UsageError, match="is no number of seconds: None or 'NONE' means no limit"):
        lab.start(Basic, 1, **{option: given})
    assert lab.execution_infos() == []


@pytest.mark.parametrize("given", [0, "0", 0.0])
def test_a_decision_within_no_time_is_refused_at_the_start(lab, given):
    says = "no decision can be made within a task_start_to_close_timeout of 0 seconds"
    with pytest.raises(UsageError, match=says):
        lab.start(Basic, 1, task_start_to_close_timeout=given)
    with pytest.raises(UsageError, match=says):
        lab.start(type("Hurried", (Basic,), {"name": "lab.hurried", "decision_tasks_timeout": given}), 1)


def test_a_timeout_that_is_no_number_does_not_wait_for_ever(lab):
    execution = lab.start(Basic, 1)
    with pytest.raises(UsageError, match="a timeout of nan is no number of seconds"):
        execution.result(timeout=float("nan"))
    execution.result(200)


@pytest.mark.parametrize("given", [float("nan"), float("inf"), -1])
def test_polls_of_no_length_are_refused(lab, given):
    with pytest.raises(UsageError, match="poll_seconds is from 0 to 60, not"):
        lab.serve_store(poll_seconds=given)

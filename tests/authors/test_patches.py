"""Code that changes under open executions: patched, deprecated, gone."""

import pytest

from simpleflow_lab import Workflow, activity
from simpleflow_lab.exceptions import DecisionTaskError, ExecutionBlocked, NondeterminismError
from simpleflow_lab.replay.replay import Replay
from tests.test_properties import replays_as_recorded

TASKS = {"task_list": "patches", "version": "1"}


@activity.with_attributes(name="patches.do", **TASKS)
def do(what):
    return what


def define(run):
    """The workflow, in one of its lives."""
    return type("Order", (Workflow,), {"name": "patches.order", "task_list": "patches", "run": run})


def original(self):
    first = self.submit(do, "bill").result
    self.submit(self.wait_signal("go")).wait()
    return [first, self.submit(do, "ship").result]


def patched(self):
    first = self.submit(do, "ship" if self.patched("ship first") else "bill").result
    self.submit(self.wait_signal("go")).wait()
    again = "new" if self.patched("ship first") else "old"
    later = "new" if self.patched("say so") else "old"
    return [first, self.submit(do, "bill" if first == "ship" else "ship").result, again, later]


def deprecated(self):
    self.deprecate_patch("ship first")
    first = self.submit(do, "ship").result
    self.submit(self.wait_signal("go")).wait()
    return [first, self.submit(do, "bill").result, "deprecated"]


def gone(self):
    first = self.submit(do, "ship").result
    self.submit(self.wait_signal("go")).wait()
    return [first, self.submit(do, "bill").result, "gone"]


def waits_for_go(execution):
    """Wait until its first activity is done and the code stands at the signal."""
    for _ in execution.watch(timeout=200):
        types = [event.type for event in execution.history()]
        if "ActivityTaskCompleted" in types and types[-1] == "DecisionTaskCompleted":
            return
    raise AssertionError(execution)


def goes_on(lab, run):
    """An execution that began with this code and stands halfway."""
    workflow = define(run)
    execution = lab.start(workflow)
    waits_for_go(execution)
    return execution


def ends(execution, run):
    workflow = define(run)
    execution.signal("go")
    result = execution.result(200)
    replay = Replay(workflow, workflow_id=execution.workflow_id, run_id=execution.run_id)
    replay.feed(execution.history())
    replay.close()
    return result


def test_an_execution_from_before_takes_the_old_way_and_later_patches_all_the_same(lab):
    assert ends(goes_on(lab, original), patched) == ["bill", "ship", "old", "new"]


@pytest.mark.parametrize("replay_cache_size", [0, 500])
def test_a_new_execution_takes_the_new_way_each_time(lab, replay_cache_size):
    execution = goes_on(lab, patched)
    assert ends(execution, patched) == ["ship", "bill", "new", "new"]
    replays_as_recorded(define(patched), execution.history(), execution.workflow_id, execution.run_id)


def test_a_deprecated_patch_goes_on_with_executions_that_have_its_marker_and_with_new_ones(lab):
    assert ends(goes_on(lab, patched), deprecated) == ["ship", "bill", "deprecated"]
    assert ends(goes_on(lab, deprecated), deprecated) == ["ship", "bill", "deprecated"]


def test_a_deployment_that_is_taken_back_goes_on_too(lab):
    assert ends(goes_on(lab, deprecated), patched) == ["ship", "bill", "new", "new"]


def test_what_is_gone_goes_on_with_executions_of_the_deprecated_one(lab):
    assert ends(goes_on(lab, deprecated), gone) == ["ship", "bill", "gone"]


def test_one_patch_is_gone_while_another_lives(lab):
    def both(self):
        self.deprecate_patch("ship first")
        return patched_too(self)

    def patched_too(self):
        first = self.submit(do, "ship" if self.patched("other") else "bill").result
        self.submit(self.wait_signal("go")).wait()
        return first

    assert ends(goes_on(lab, both), patched_too) == "ship"


def test_what_is_gone_too_early_is_found_out(lab):
    execution = goes_on(lab, patched)
    define(gone)
    execution.signal("go")
    with pytest.raises(NondeterminismError, match=r"simpleflow_lab\.patch"):
        execution.result(200)
    assert ends_of(execution) == ["ship", "bill", "deprecated"]


def ends_of(execution):
    """The way out: the deprecated one is put back."""
    define(deprecated)
    while True:
        try:
            return execution.result(200)
        except DecisionTaskError:
            continue


def test_a_change_without_a_patch_is_found_out(lab):
    execution = goes_on(lab, original)
    define(gone)
    execution.signal("go")
    with pytest.raises(NondeterminismError):
        execution.result(200)
    execution.terminate()


def test_a_patch_is_recorded_by_the_decision_that_chooses_it_however_much_else_is_asked(lab):
    class Much(Workflow):
        name = "patches.much"
        task_list = "patches"

        def run(self):
            futures = [self.submit(do, n) for n in range(150)]
            new = self.patched("late")
            return [len([future.result for future in futures]), new]

    execution = lab.start(Much)
    assert execution.result(60) == [150, True]
    replays_as_recorded(Much, execution.history(), execution.workflow_id, execution.run_id)


def test_a_patch_holds_when_the_workflow_runs_again(lab):
    class Blocks(Workflow):
        name = "patches.blocks"
        task_list = "patches"

        def run(self):
            new = self.patched("p")
            future = self.submit(do, "new" if new else "old")
            if not future.finished:
                raise ExecutionBlocked
            return future.result

    execution = lab.start(Blocks)
    assert execution.result(200) == "new"
    assert [event.type for event in execution.history()].count("MarkerRecorded") == 1
    replays_as_recorded(Blocks, execution.history(), execution.workflow_id, execution.run_id)


def test_fed_event_by_event_it_chooses_the_same(lab):
    execution = goes_on(lab, patched)
    workflow = define(patched)
    replay = Replay(workflow, workflow_id=execution.workflow_id, run_id=execution.run_id)
    for event in execution.history():
        replay.feed([event])
    replay.close()
    execution.terminate()

"""What a workflow must not do, and what keeps it from holding up others."""

import random
import re
import threading
import time
import warnings

import pytest

from simpleflow_lab import Lab, Workflow, activity
from simpleflow_lab.exceptions import DecisionTaskError, DecisionTooLongError, DeterminismWarning, ImpureWorkflowError

TASKS = {"task_list": "determinism", "version": "1"}


@activity.with_attributes(name="determinism.add", **TASKS)
def add(x):
    time.sleep(0.001)  # an activity may sleep, draw and look at the clock
    return x + random.randrange(1, 2) + 0 * int(time.time())


def test_a_line_that_draws_by_chance_runs_and_is_named_once():
    with Lab(":memory:", activity_threads=1) as lab, warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")

        class Draws(Workflow):
            """After upstream's examples/child_workflow.py."""

            name = "determinism.draws"
            task_list = "determinism"

            def run(self, x):
                return self.submit(add, x).result + random.randrange(1, 2)

        executions = [lab.start(Draws, x) for x in range(2)]
        assert [execution.result(200) for execution in executions] == [2, 3]
    found = [str(each.message) for each in warned if each.category is DeterminismWarning]
    assert len(found) == 1
    assert "random.randrange draws by chance: take self.random" in found[0]
    assert "return self.submit(add, x).result + random.randrange(1, 2)" in found[0]
    for execution in executions:
        assert execution.warnings == tuple(found)


@pytest.mark.filterwarnings("ignore::simpleflow_lab.exceptions.DefinitionWarning")
def test_strictly_no_decision_is_made_until_the_line_is_put_right(lab):
    class Strict(Workflow):
        name = "determinism.strict"
        task_list = "determinism"
        determinism = "raise"

        def run(self):
            return time.time() > 0

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeterminismWarning)
        execution = lab.start(Strict)
        with pytest.raises(ImpureWorkflowError, match=r"time\.time reads the clock: take self\.now\(\)"):
            execution.result(200)

    class Strict(Workflow):
        name = "determinism.strict"
        task_list = "determinism"
        determinism = "raise"

        def run(self):
            return self.now().timestamp() > 0

    assert execution.result(200) is True


@pytest.mark.filterwarnings("error::simpleflow_lab.exceptions.DeterminismWarning")
def test_where_warnings_are_errors_they_are_errors_of_the_decision(lab):
    class Errs(Workflow):
        name = "determinism.errs"
        task_list = "determinism"

        def run(self):
            return random.random()

    execution = lab.start(Errs)
    with pytest.raises(ImpureWorkflowError, match=r"random\.random draws by chance"):
        execution.result(200)
    execution.terminate()


def test_off_looks_at_nothing(lab):
    class Off(Workflow):
        name = "determinism.off"
        task_list = "determinism"
        determinism = "off"

        def run(self):
            return int(time.time() * 0)

    execution = lab.start(Off)
    assert execution.result(200) == 0
    assert execution.warnings == ()


@pytest.mark.parametrize(("attribute", "value"), [("determinism", "loud"), ("cancellation", "maybe")])
def test_what_is_no_choice_is_refused_where_it_is_defined(attribute, value):
    from simpleflow_lab.exceptions import UsageError

    with pytest.raises(UsageError, match=f"{attribute} must be"):
        type("Chooses", (Workflow,), {"name": f"determinism.{attribute}", attribute: value})


# -- code that does not wait (P17, F6) --


class Quick(Workflow):
    name = "determinism.quick"
    task_list = "determinism"
    decision_tasks_timeout = 2

    def run(self, x):
        return self.submit(add, x).result


def cure(broken):
    """The same class, put right and defined again."""

    class Cured(Workflow):
        task_list = "determinism"

        def run(self):
            return "cured"

    return type(broken.__name__, (Cured,), {"name": broken.name, "__qualname__": broken.__qualname__})


def result_once_it_goes_on(execution):
    """The cure is taken when the code that runs has ended."""
    deadline = time.monotonic() + 200
    while True:
        try:
            return execution.result(60)
        except DecisionTaskError:
            assert time.monotonic() < deadline


def test_a_run_that_loops_for_ever_is_interrupted_and_named_and_others_go_on(lab):
    """P17: upstream's poller waited for it for ever."""

    class Loops(Workflow):
        name = "determinism.loops"
        task_list = "determinism"
        decision_tasks_timeout = 2

        def run(self):
            n = 0
            while True:
                try:
                    n += 1
                except BaseException:
                    n = 0

    looping = lab.start(Loops)
    others = [lab.start(Quick, x) for x in range(3)]
    assert [other.result(200) for other in others] == [1, 2, 3]
    with pytest.raises(DecisionTooLongError, match=r"without waiting, at test_determinism\.py:\d+, "):
        looping.result(200)
    assert lab.start(Quick, 7).result(60) == 8
    assert any("without waiting, and is interrupted after" in warning for warning in looping.warnings)
    cure(Loops)
    assert result_once_it_goes_on(looping) == "cured"


def test_a_run_that_blocks_where_nobody_can_interrupt_it_holds_up_nobody_for_long(lab):
    released = threading.Event()

    class Stands(Workflow):
        name = "determinism.stands"
        task_list = "determinism"
        decision_tasks_timeout = 2

        def run(self):
            released.wait(60)

    try:
        standing = lab.start(Stands)
        others = [lab.start(Quick, x) for x in range(3)]
        assert [other.result(200) for other in others] == [1, 2, 3]
        with pytest.raises(DecisionTaskError, match=r"DecisionTooLongError|released\.wait\(60\)"):  # or as reported
            standing.result(200)
    finally:
        released.set()
    cure(Stands)
    assert result_once_it_goes_on(standing) == "cured"


def test_an_endless_run_of_the_default_timeout_holds_up_nobody_and_is_named_within_seconds(lab):
    class Spins(Workflow):
        name = "determinism.spins"
        task_list = "determinism"

        def run(self):
            while True:
                pass

    class Patient(Quick):
        name = "determinism.patient"
        decision_tasks_timeout = None

    spinning = lab.start(Spins)
    others = [lab.start(Patient, x) for x in range(3)]
    assert [other.result(120) for other in others] == [1, 2, 3]
    assert spinning.status == "OPEN"
    [warning] = spinning.warnings
    assert re.match(r"test_determinism\.py:\d+, .*: the code has run for \d+ s without waiting", warning)
    [wait] = spinning.waiting_for()
    assert re.search(r"run has not come back for .*test_determinism\.py:\d+, ", wait.what)
    assert "put what takes long into an activity" in wait.to_do
    assert "waits for a decision: run has not come back for" in repr(spinning)
    with pytest.raises(TimeoutError, match="run has not come back for"):
        spinning.result(timeout=0)
    # Its definition is put right, and it is not waited for until its decision task times out, which is minutes later.
    cure(Spins)
    assert result_once_it_goes_on(spinning) == "cured"


def test_many_executions_of_one_endless_run_do_not_hold_up_others_one_after_the_other(lab):
    released = threading.Event()

    class Waits(Workflow):
        name = "determinism.waits_outside"
        task_list = "determinism"

        def run(self):
            released.wait(120)
            return "released"

    class Patient(Quick):
        name = "determinism.patient_with_many"
        decision_tasks_timeout = None

    try:
        many = [lab.start(Waits) for _ in range(4)]
        assert lab.start(Patient, 1).result(120) == 2
        # One had to be found slow; the others gave way before they were.
        assert sum("without waiting" in warning for each in many for warning in each.warnings) < len(many)
    finally:
        released.set()
    assert [each.result(60) for each in many] == ["released"] * 4


def test_a_lab_closes_while_a_run_loops():
    class Endless(Workflow):
        name = "determinism.endless"
        task_list = "determinism.endless"
        decision_tasks_timeout = 2

        def run(self):
            while True:
                pass

    with Lab(":memory:", activity_threads=1) as lab:
        lab.start(Endless)
    for thread in threading.enumerate():
        if "determinism.endless" in thread.name:
            thread.join(60)
            assert not thread.is_alive()

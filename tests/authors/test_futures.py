"""Waiting for one of several futures, for each as it comes, and with a deadline."""

import pytest

from simpleflow_lab import Chain, FuncGroup, Group, Workflow, activity, exceptions, futures
from simpleflow_lab.exceptions import UsageError

TASKS = {"task_list": "futures", "version": "1"}
pytestmark = pytest.mark.usefixtures("replays_anew")


@activity.with_attributes(name="futures.double", **TASKS)
def double(x):
    return 2 * x


@activity.with_attributes(name="futures.fail", **TASKS)
def fail(message):
    raise ValueError(message)


@activity.with_attributes(name="futures.fail_aloud", raises_on_failure=True, **TASKS)
def fail_aloud(message):
    raise ValueError(message)


def one_off(run, **attributes):
    """A workflow whose `run` is this function."""
    return type("OneOff", (Workflow,), {"run": run, "task_list": "futures", **attributes})


def timers(execution, state="TimerStarted"):
    return [event.attributes["timerId"] for event in execution.history() if event.type == state]


# -- wait --------------------------------------------------------------------------------------------------------------


def test_wait_gives_the_results_in_the_order_asked_for(virtual_lab):
    def run(self):
        slow, fast = self.submit(double, 1), self.submit(double, 2)
        return futures.wait(slow, [fast, [slow]], (self.submit(double, n) for n in (3, 4)))

    assert virtual_lab.start(one_off(run, name="futures.results")).result(200) == [2, 4, 2, 6, 8]


def test_the_first_of_several_ends_the_wait(virtual_lab):
    def run(self):
        day = self.submit(self.start_timer("day", 86_400))
        hour = self.submit(self.start_timer("hour", 3_600))
        done, not_done = futures.wait(day, hour, return_when=futures.FIRST_COMPLETED)
        assert (done, not_done) == ([hour], [day])
        return (self.now() - self.executor.history[0].timestamp).total_seconds() // 3_600

    assert virtual_lab.start(one_off(run, name="futures.first")).result(200) == 1


def test_what_is_done_already_ends_the_wait_at_once(virtual_lab):
    def run(self):
        first = self.submit(double, 1)
        futures.wait(first)
        never = self.submit(self.wait_signal("never"))
        return len(futures.wait(first, never, return_when=futures.FIRST_COMPLETED).done)

    assert virtual_lab.start(one_off(run, name="futures.done_already")).result(200) == 1


def test_nothing_to_wait_for_is_done(virtual_lab):
    def run(self):
        for when in (futures.FIRST_COMPLETED, futures.FIRST_EXCEPTION, futures.ALL_COMPLETED):
            assert futures.wait(return_when=when) == ([], [])
        return [*futures.wait(), *futures.as_completed([])]

    assert virtual_lab.start(one_off(run, name="futures.nothing")).result(200) == []


def test_the_first_failure_ends_the_wait_and_is_not_raised_by_it(virtual_lab):
    def run(self):
        day = self.submit(self.start_timer("day", 86_400))
        good, bad = self.submit(double, 1), self.submit(fail_aloud, "no")
        done, not_done = futures.wait(day, good, bad, return_when=futures.FIRST_EXCEPTION)
        assert bad in done
        assert not_done[0] is day
        with pytest.raises(exceptions.TaskFailed):
            bad.result
        return good.result

    assert virtual_lab.start(one_off(run, name="futures.first_exception")).result(200) == 2


def test_without_a_failure_first_exception_waits_for_all(virtual_lab):
    def run(self):
        hour = self.submit(self.start_timer("hour", 3_600))
        return len(futures.wait(hour, self.submit(double, 1), return_when=futures.FIRST_EXCEPTION).done)

    assert virtual_lab.start(one_off(run, name="futures.no_exception")).result(200) == 2


def test_all_completed_gives_the_futures_when_it_is_asked_for(virtual_lab):
    def run(self):
        both = [self.submit(fail_aloud, "one"), self.submit(double, 2)]
        done, not_done = futures.wait(both, return_when=futures.ALL_COMPLETED)
        assert done == both
        return [str(done[0].exception)[-3:], done[1].result, not_done]

    assert virtual_lab.start(one_off(run, name="futures.all")).result(200) == ["one", 4, []]


def test_a_word_that_is_none_of_the_three_is_refused_with_the_way_out(virtual_lab):
    def run(self):
        try:
            futures.wait(self.submit(double, 1), return_when="first")
        except exceptions.UsageError as error:
            return str(error)

    said = virtual_lab.start(one_off(run, name="futures.bad_word")).result(200)
    assert said == "return_when must be FIRST_COMPLETED, FIRST_EXCEPTION or ALL_COMPLETED of futures, not 'first'"


# -- deadlines ---------------------------------------------------------------------------------------------------------


def test_a_wait_ends_at_its_deadline_by_the_clock_of_the_history(virtual_lab):
    def run(self):
        before = self.now()
        late = self.submit(self.wait_signal("late"))
        done, not_done = futures.wait(late, timeout=59.5)
        assert (done, not_done) == ([], [late])
        return round((self.now() - before).total_seconds())

    execution = virtual_lab.start(one_off(run, name="futures.deadline"))
    assert execution.result(200) == 60  # SWF counts whole seconds


def test_a_deadline_that_is_not_reached_is_called_off(virtual_lab):
    def run(self):
        done, _ = futures.wait(self.submit(double, 4), timeout=3_600)
        self.submit(self.start_timer("goes on", 7_200)).wait()
        return done[0].result

    execution = virtual_lab.start(one_off(run, name="futures.called_off"))
    assert execution.result(200) == 8
    assert timers(execution, "TimerCanceled") == ["_simpleflow_deadline_1"]
    assert timers(execution, "TimerFired") == ["goes on"]
    assert (execution.progress().completed, execution.progress().failed) == (3, 0)


def test_a_timeout_of_nothing_only_looks(virtual_lab):
    def run(self):
        late = self.submit(self.wait_signal("late"))
        return len(futures.wait(late, timeout=0).not_done)

    execution = virtual_lab.start(one_off(run, name="futures.only_looks"))
    assert execution.result(200) == 1
    assert timers(execution) == []


@pytest.mark.parametrize("call", [futures.wait, lambda fs, timeout: list(futures.as_completed(fs, timeout))])
@pytest.mark.parametrize("timeout", [float("inf"), float("nan"), "5"])
def test_a_timeout_that_is_no_number_of_seconds_is_refused_where_it_is_asked_for(virtual_lab, call, timeout):
    def run(self):
        with pytest.raises(UsageError, match=rf"None to wait without a limit, not {timeout!r}$"):
            call([self.submit(double, 4)], timeout=timeout)
        return "refused"

    assert virtual_lab.start(one_off(run, name="futures.endless")).result(200) == "refused"


def test_deadlines_in_a_loop_have_ids_of_their_own(virtual_lab):
    def run(self):
        late = self.submit(self.wait_signal("late"))
        tries = 0
        while not futures.wait(late, timeout=60).done and tries < 3:
            tries += 1
        return tries

    execution = virtual_lab.start(one_off(run, name="futures.deadlines"))
    assert execution.result(200) == 3
    assert timers(execution) == [f"_simpleflow_deadline_{n}" for n in (1, 2, 3, 4)]


def test_outside_a_workflow_nothing_can_wait():
    never = futures.Future()
    for wait in (
        lambda: futures.wait(never),
        lambda: futures.wait(never, return_when=futures.FIRST_COMPLETED),
        lambda: futures.wait(never, timeout=1),
        lambda: next(futures.as_completed([never])),
    ):
        with pytest.raises(exceptions.ExecutionBlocked):
            wait()


def test_what_is_waited_for_can_be_told():
    several = futures.AnyOf([futures.Future(task_id=f"t{n}") for n in range(5)])
    assert repr(several) == "<AnyOf 5 futures: PENDING, not done are t0, t1, t2, ...>"


# -- as_completed ------------------------------------------------------------------------------------------------------


def test_each_comes_when_it_is_done(virtual_lab):
    def run(self):
        started = {self.submit(self.start_timer(f"{hours} h", hours * 3_600)): hours for hours in (3, 1, 2)}
        assert futures.wait(started, timeout=0).not_done == list(started)
        return [started[future] for future in futures.as_completed([*started, started])]

    assert virtual_lab.start(one_off(run, name="futures.as_completed")).result(200) == [1, 2, 3]


def test_a_set_of_futures_is_refused_for_it_has_no_order():
    with pytest.raises(TypeError, match="not for a set: its order changes from run to run"):
        futures.wait({futures.Future()}, timeout=0)


def test_what_comes_at_the_same_time_comes_in_the_order_of_the_history(virtual_lab):
    def run(self):
        every = self.map(double, range(20))
        numbers = {future: number for number, future in enumerate(every)}
        came = [numbers[future] for future in futures.as_completed(every)]
        self.submit(self.start_timer("later", 60)).wait()  # one more replay
        return came

    execution = virtual_lab.start(one_off(run, name="futures.same_time"))
    came = execution.result(200)
    scheduled = [event.id for event in execution.history() if event.type == "ActivityTaskScheduled"]
    recorded = [
        scheduled.index(event.attributes["scheduledEventId"])
        for event in execution.history()
        if event.type == "ActivityTaskCompleted"
    ]
    assert came == recorded


def test_a_deadline_ends_the_iteration(virtual_lab):
    def run(self):
        every = [self.submit(double, 3), self.submit(self.wait_signal("never"))]
        came = []
        try:
            for future in futures.as_completed(every, timeout=60):
                came.append(future.result)
        except TimeoutError as error:
            return [came, str(error)]

    result = virtual_lab.start(one_off(run, name="futures.iteration_deadline")).result(200)
    assert result == [[6], "1 of 2 futures are not done after 60 s"]


def test_a_deadline_of_an_iteration_is_called_off_at_its_end(virtual_lab):
    def run(self):
        came = [future.result for future in futures.as_completed(self.map(double, range(3)), timeout=60)]
        self.submit(self.start_timer("later", 120)).wait()
        return sorted(came)

    execution = virtual_lab.start(one_off(run, name="futures.iteration_called_off"))
    assert execution.result(200) == [0, 2, 4]
    assert timers(execution, "TimerCanceled") == ["_simpleflow_deadline_1"]


# -- in fibers ---------------------------------------------------------------------------------------------------------


def test_fibers_wait_side_by_side(virtual_lab):
    """A wait for the first of several, in code of a chain, holds up nothing but that chain."""

    def run(self):
        def first_of(*hours):
            waiting = [self.submit(self.start_timer(f"{h} of {hours}", h * 3_600)) for h in hours]
            futures.wait(waiting, return_when=futures.FIRST_COMPLETED)
            for _ in futures.as_completed(waiting, timeout=100 * 3_600):
                pass
            return Group((double, len(waiting)))

        chains = [Chain((double, 0), FuncGroup(first_of, *hours)) for hours in ((5, 2), (3, 1), (4,))]
        return self.submit(Group(*chains)).result

    assert virtual_lab.start(one_off(run, name="futures.fibers")).result(200) == [[0, [4]], [0, [4]], [0, [2]]]


def test_groups_and_chains_are_futures_to_wait_for(virtual_lab):
    def run(self):
        chain = self.submit(Chain((double, 1), self.start_timer("day", 86_400)))
        group = self.submit(Group((double, 2), (double, 3)))
        assert futures.wait(chain, group, return_when=futures.FIRST_COMPLETED).done == [group]
        return [future.result for future in futures.as_completed([chain, group])]

    assert virtual_lab.start(one_off(run, name="futures.containers")).result(200) == [[4, 6], [2, None]]

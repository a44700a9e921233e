"""Quiet failures: each kind is told with its line, and nothing is told that is no failure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from examples.basic import BasicWorkflow
from examples.canvas import WordCount
from examples.failing import Failing
from simpleflow_lab import Lab, Workflow, activity, futures
from simpleflow_lab.canvas import Chain, Group
from simpleflow_lab.debugger.quiet_failures import QuietFailure
from simpleflow_lab.exceptions import ExecutionBlocked, WorkflowExecutionFailed
from tests.waiting import until

QUIET = {"version": "quiet", "task_list": "quiet"}


@activity.with_attributes(**QUIET)
def quiet_value(x: Any) -> Any:
    return x


@activity.with_attributes(**QUIET)
def quiet_break() -> None:
    raise ValueError("disk full")


class Quiet(Workflow):
    version, task_list = "quiet", "quiet"


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab(":memory:", clock="virtual") as lab:
        yield lab


def line_with(text: str) -> int:
    with open(__file__) as file:
        return next(number for number, line in enumerate(file, 1) if text in line)


def test_each_kind_is_told_with_its_line(lab: Lab) -> None:
    class Careless(Quiet):
        name = "quiet.careless"

        def run(self) -> Any:
            self.submit(self.start_timer("nap", 5))  # never mattered
            self.submit(quiet_break)  # nobody handles it
            self.submit(quiet_value, 7)  # nobody uses it
            nothing = self.submit(quiet_value, None)
            self.submit(self.wait_signal("go")).wait()
            nothing.wait()
            self.submit(self.start_timer("last", 1)).wait()
            self.submit(quiet_value, 8)  # open at the end
            return None

    execution = lab.start(Careless)
    execution.signal("unheard", "1")
    execution.signal("unheard", "2")
    execution.signal("go")
    execution.result(200)
    quiet = execution.quiet_failures()
    assert [(each.kind, each.line.lineno if each.line else None) for each in quiet] == [
        ("failure", line_with("# nobody handles it")),
        ("unused", line_with("# nobody uses it")),
        ("unawaited", line_with("# open at the end")),
        ("timer", line_with("# never mattered")),
        ("signal", None),
    ]
    failure, unused, unawaited, timer, signal = quiet
    assert "disk full" in failure.text
    assert "gave 7" in unused.text
    assert "never" in unawaited.text
    assert timer.task == "nap"
    assert signal.text == "signal unheard came 2 times, and no code ever waited for it"
    assert execution.history()[failure.event_id - 1].type == "ActivityTaskFailed"  # type: ignore[operator]
    assert f"{line_with('# nobody handles it')}, self.submit(quiet_break)" in repr(quiet)
    frame = quiet.to_pandas()
    assert list(frame["kind"]) == ["failure", "unused", "unawaited", "timer", "signal"]


def test_to_wait_for_a_task_is_to_use_it_however_the_code_waits(lab: Lab) -> None:
    class Waits(Quiet):
        name = "quiet.waits"

        def run(self) -> Any:
            self.submit(quiet_value, 1).wait()
            futures.wait(self.submit(quiet_value, 2), self.submit(quiet_value, 3))
            self.submit(Group((quiet_value, 4), (quiet_value, 5))).wait()
            futures.wait(self.submit(Group((quiet_value, 6), (quiet_value, 7))))
            for _ in futures.as_completed([self.submit(quiet_value, 8)]):
                pass
            return None

    execution = lab.start(Waits)
    execution.result(200)
    assert list(execution.quiet_failures()) == []


def test_groups_and_chains_that_came_to_nothing_are_told_once_each(lab: Lab) -> None:
    class Grouped(Quiet):
        name = "quiet.grouped"

        def run(self) -> Any:
            self.submit(Group((quiet_value, 1), Chain((quiet_value, 2), (quiet_value, 3))))  # nobody waits
            self.submit(Group((quiet_value, 4), (quiet_value, 5), max_parallel=1))  # nor for these
            self.map(quiet_value, [6, 7])  # nor here
            self.submit(Chain((quiet_value, None), (quiet_break,), (quiet_value, 8)))  # breaks
            some = self.map(quiet_value, [9, 10])  # one of them is used
            waited = self.submit(Group(Chain((quiet_value, 11), (quiet_value, 12)), (quiet_value, 13), max_parallel=1))
            futures.wait(some[0], waited)
            sent = self.submit(Chain((quiet_value, 14), (quiet_value,), send_result=True))
            self.submit(self.start_timer("last", 5)).wait()
            return sent.result

    execution = lab.start(Grouped)
    assert execution.result(200) == [14, 14]
    told = [(each.kind, each.text.partition(",")[0], each.line.lineno) for each in execution.quiet_failures()]  # type: ignore[union-attr]
    breaks, name = line_with("# breaks"), "tests.debugger.test_quiet_failures"
    assert told == [
        ("failure", f"activity {name}.quiet_break-1 failed", breaks),
        (
            "failure",
            f"1 member of the chain never ran: activity {name}.quiet_break-1 failed before",
            breaks,
        ),
        ("unused", "3 tasks of a group gave results", line_with("# nobody waits")),
        ("unused", "2 tasks of a group gave results", line_with("# nor for these")),
        ("unused", "2 tasks of a group gave results", line_with("# nor here")),
        ("unused", told[5][1], line_with("# one of them is used")),
    ]
    assert told[5][1].endswith(" gave 10")


def test_a_task_that_was_made_and_dropped_is_told_if_its_line_ran(lab: Lab) -> None:
    class Drops(Quiet):
        name = "quiet.drops"

        def run(self, again: bool) -> Any:
            self.start_timer("pause", 5)  # dropped
            marker = self.record_marker("seen")  # noqa: F841  kept in vain
            timer, self.kept = self.start_timer("kept", 1), self.start_timer("other", 1)
            if again:
                self.continue_as_new(False)  # not reached
            self.submit(timer).wait()
            self.submit(self.signal("go"))
            self.pause()
            return [self.submit(each).done for each in [self.wait_signal("go")]]

        def pause(self) -> None:
            self.submit(self.kept).wait()
            self.signal("lost", 1)  # by a method

        def never(self) -> None:
            self.signal("never")

    execution = lab.start(Drops, False)
    execution.result(200)
    assert [(each.kind, each.line.lineno) for each in execution.quiet_failures() if each.line] == [
        ("not submitted", line_with("# dropped")),
        ("not submitted", line_with("# noqa: F841  kept in vain")),
        ("not submitted", line_with("# by a method")),
    ]
    assert "self.signal" in repr(execution.quiet_failures())


def test_a_run_that_returns_a_task_is_told_to_submit_it(lab: Lab) -> None:
    class Returns(Quiet):
        name = "quiet.returns"

        def run(self) -> Any:
            return self.continue_as_new()

    with pytest.raises(WorkflowExecutionFailed, match="returned a ContinueAsNewWorkflowTask, which nobody submitted"):
        lab.start(Returns).result(200)


def test_code_that_uses_what_it_asks_for_has_none(lab: Lab) -> None:
    class Careful(Quiet):
        name = "quiet.careful"

        def run(self) -> Any:
            passed_on = self.submit(quiet_value, 1)
            nested = self.submit(quiet_value, [passed_on])
            grouped = self.submit(Group((quiet_value, 2), (quiet_value, 3)))
            chained = self.submit(Chain((quiet_value, 4), (quiet_value,), send_result=True))
            first = futures.wait(
                self.submit(quiet_value, 5), self.submit(quiet_value, 6), return_when=futures.FIRST_COMPLETED, timeout=9
            )
            total = sum(future.result for future in futures.as_completed([self.submit(quiet_value, n) for n in (1, 2)]))
            [each.result for each in (*first.done, *first.not_done)]
            failed = self.submit(quiet_break)
            assert failed.exception is not None
            pause = self.submit(self.start_timer("pause", 5))
            pause.wait()
            return [nested.result, grouped.result, chained.result, total, self.submit(self.wait_signal("go")).result]

    execution = lab.start(Careful)
    execution.signal("go", "1")
    execution.result(200)
    assert list(execution.quiet_failures()) == []
    assert repr(execution.quiet_failures()) == "nothing failed or came to nothing unnoticed"


def test_code_that_asks_for_states_and_signals_by_itself_is_not_accused(lab: Lab) -> None:
    class Polls(Quiet):
        name = "quiet.polls"

        def run(self) -> Any:
            self.submit(self.wait_signal("begin")).wait()  # a virtual clock waits for nobody who has yet to signal
            timer = self.submit(self.start_timer("limit", 1))
            self.submit(self.start_timer("pause", 5)).wait()
            came = self.get_event_details("signal", "stop")
            return [timer.done, came is not None]

    execution = lab.start(Polls)
    execution.signal("stop")
    execution.signal("begin")
    assert execution.result(200) == [True, True]
    assert list(execution.quiet_failures()) == []


def test_of_an_open_execution_only_failures_are_told() -> None:
    class Goes(Quiet):
        name = "quiet.goes"

        def run(self) -> Any:
            self.submit(quiet_break)
            self.submit(quiet_value, 1)
            self.submit(self.wait_signal("first")).wait()
            self.submit(self.wait_signal("never")).wait()

    with Lab(":memory:") as lab:
        execution = lab.start(Goes)
        while "ActivityTaskFailed" not in [event.type for event in execution.history()]:
            next(iter(execution.watch(timeout=200)))
        execution.signal("first")
        while "never" not in str(execution.describe().get("latestExecutionContext")):
            next(iter(execution.watch(timeout=200)))
        assert [each.kind for each in execution.quiet_failures()] == ["failure"]


def test_what_is_waited_for_beside_others_is_used_also_before_its_turn() -> None:
    never, value = futures.Future(), futures.Future()
    with pytest.raises(ExecutionBlocked):
        futures.wait(never, value)
    assert value.is_awaited


@pytest.mark.parametrize("end", ["terminate", "request_cancel", "time out"])
def test_of_an_execution_that_was_ended_while_its_code_waited_only_failures_are_told(end: str) -> None:
    class Ended(Quiet):
        name = f"quiet.ended.{end.replace(' ', '_')}"
        execution_timeout = 4 if end == "time out" else 60

        def run(self) -> Any:
            later = [self.submit(quiet_value, 7), self.submit(self.start_timer("nap", 60))]
            self.submit(quiet_break)
            self.submit(self.wait_signal("never")).wait()
            return later[0].result

    with Lab(":memory:") as lab:
        execution = lab.start(Ended)

        def both_are_decided_on() -> bool:
            types = {event.type for event in execution.history()}
            no_decision_is_due = execution.describe()["openCounts"]["openDecisionTasks"] == 0
            return {"ActivityTaskFailed", "ActivityTaskCompleted"} <= types and no_decision_is_due

        until(both_are_decided_on)
        if end != "time out":
            getattr(execution, end)()
        execution.wait(200)
        assert [each.kind for each in execution.quiet_failures()] == ["failure"]


def test_to_ask_again_and_again_whether_a_task_is_finished_is_to_wait_for_it(lab: Lab) -> None:
    class Polls(Quiet):
        name = "quiet.polls"

        def run(self) -> Any:
            task = self.submit(quiet_value, 7)
            while not task.finished:
                self.submit(self.start_timer("a while", 1)).wait()

    execution = lab.start(Polls)
    execution.result(200)
    assert list(execution.quiet_failures()) == []


def test_the_examples_have_those_that_they_show(lab: Lab) -> None:
    quiet: dict[str, list[QuietFailure]] = {}
    for workflow, arguments in ((BasicWorkflow, (1, 0)), (WordCount, (["to be", "or not"],)), (Failing, ())):
        execution = lab.start(workflow, *arguments)
        execution.result(200)
        quiet[workflow.__name__] = list(execution.quiet_failures())
    assert quiet["BasicWorkflow"] == []
    assert quiet["WordCount"] == []
    (only,) = quiet["Failing"]
    assert (only.kind, only.task.rpartition(".")[2]) == ("failure", "forgotten-1")


def test_of_code_that_decides_otherwise_than_recorded_it_is_told_that_the_rest_is_not_known(lab: Lab) -> None:
    class Careful(Quiet):
        name = "quiet.careful"

        def run(self) -> Any:
            first = self.submit(quiet_value, 7).result
            self.submit(self.wait_signal("go")).wait()
            return first

    execution = lab.start(Careful)
    execution.signal("go")
    execution.result(200)
    assert not execution.quiet_failures()

    class Edited(Quiet):
        name = "quiet.careful"

        def run(self) -> Any:
            return self.submit(quiet_value, 8).result

    [told] = execution.replay(Edited).quiet_failures()
    assert told.kind == "difference"
    assert told.text.startswith("replayed with this code, it ends at decision 1: NondeterminismError: event ")


@pytest.mark.parametrize("waits", [0, 3], ids=["open", "closed"])
def test_what_the_code_cancels_is_no_quiet_failure(lab: Lab, waits: int) -> None:
    class Hurried(Quiet):
        name = "quiet.hurried"

        def run(self) -> Any:
            self.submit(self.start_timer("deadline", 3600))
            tasks = [self.submit(QuietChild), self.submit(Group(QuietChild, (quiet_value, None)))]
            self.submit(self.start_timer("a moment", 1)).wait()
            never = [self.submit(quiet_value, 3), self.submit(self.start_timer("never", 1))]
            for task in (*tasks, *never):
                task.cancel()
            self.submit(self.cancel_timer("deadline"))
            if waits:
                self.submit(self.start_timer("later", waits)).wait()
            return None

    class QuietChild(Quiet):
        name = "quiet.child"

        def run(self) -> Any:
            return self.submit(self.wait_signal("never")).result

    execution = lab.start(Hurried)
    execution.result(200)
    canceled = [event.type for event in execution.history() if "Cancel" in event.type]
    assert canceled.count("RequestCancelExternalWorkflowExecutionInitiated") == 2
    assert len(execution.quiet_failures()) == 0, execution.quiet_failures()

"""Two executions side by side: what differs first, and what took longer."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from examples.basic import BasicWorkflow
from simpleflow_lab import Lab, RecordedExecution
from simpleflow_lab.exceptions import UsageError
from simpleflow_lab.swf.history import History
from simpleflow_lab.views.comparison import compare
from tests.views import troubles
from tests.views.story import Story, eventful, large


def run(*, pause: float = 0.0, child: str = "child-1", result: str = "1", input: str = "[1]") -> History:
    """A task, perhaps a second attempt of it, and a child."""
    story = Story("shop.Twice")
    story.decide(0.1)
    attempt = story.schedule("activity-shop.fetch-1", "shop.fetch", input=input)
    story.start(attempt)
    story.at(1).complete(attempt, result)
    story.decide(0.1)
    first = story.add(
        "StartChildWorkflowExecutionInitiated",
        workflowId=child,
        workflowType={"name": "shop.Child", "version": "1"},
        taskList={"name": "deciders"},
        decisionTaskCompletedEventId=story.decided,
    )
    run = {"workflowId": child, "runId": "r"}
    story.add("ChildWorkflowExecutionStarted", initiatedEventId=first, workflowExecution=run)
    story.at(2 + pause).add(
        "ChildWorkflowExecutionCompleted", initiatedEventId=first, workflowExecution=run, result="2"
    )
    story.decide(0.1)
    story.end(result=result)
    return story.history()


def test_equal_executions_have_no_difference_whatever_their_childrens_ids() -> None:
    found = compare(run(), run(child="another-id"))
    assert found.lines() == ["as long: ✓ COMPLETED after 2.1 s, the other ✓ COMPLETED after 2.1 s"]
    assert [task.same_input for task in found.differences] == [True, True]


def test_values_are_compared_and_not_how_their_json_is_spaced() -> None:
    compact, spaced = '{"args":["2026-11-28",{"a":1}],"kwargs":{}}', '{"args": ["2026-11-28", {"a": 1}], "kwargs": {}}'
    found = compare(run(input=compact, result='{"rows":[1,2]}'), run(input=spaced, result='{"rows": [1, 2]}'))
    assert found.lines() == ["as long: ✓ COMPLETED after 2.1 s, the other ✓ COMPLETED after 2.1 s"]
    assert [task.same_input for task in found.differences] == [True, True]


def test_a_fork_has_the_input_of_its_origin(tmp_path: Path) -> None:
    with Lab(tmp_path / "lab.sqlite") as lab:
        origin = lab.start(BasicWorkflow, 1, t=0)
        origin.result(timeout=60)
        fork = origin.fork(replace={"increment-1": 5})
        fork.result(timeout=60)
        assert not [line for line in origin.compare(fork).lines() if "inputs differ" in line]


def test_what_a_fork_reuses_is_no_difference_and_what_was_replaced_is(tmp_path: Path) -> None:
    with Lab(tmp_path / "lab.sqlite") as lab:
        origin = lab.start(BasicWorkflow, 1, t=0)
        origin.result(timeout=60)
        for replace, differs in (({}, None), ({"increment-1": 5}, "increment-1: its result is another one")):
            fork = origin.fork(at="double-1", replace=replace)
            fork.result(timeout=60)
            for found in (origin.compare(fork), fork.compare(origin)):
                first = [line for line in found.lines() if "the first task that differs" in line]
                assert [str(differs) in line for line in first] == ([True] if differs else []), found


def test_what_took_longer_is_told_with_the_part_of_the_path_that_grew() -> None:
    found = compare(run(pause=3), run())
    assert found.lines() == [
        "3.0 s slower: ✓ COMPLETED after 5.1 s, the other ✓ COMPLETED after 2.1 s",
        "+3.0 s: child workflow shop.Child (3.9 s, in the other one 900 ms)",
    ]
    assert compare(run(), run(pause=3))[0].text.startswith("3.0 s faster: ")


def test_the_first_task_that_differs_is_named_with_how() -> None:
    assert (
        "the first task that differs is fetch-1: its input is another one" in compare(run(input="[2]"), run())[1].text
    )
    assert (
        "the first task that differs is fetch-1: its result is another one" in compare(run(result="7"), run())[1].text
    )
    found = compare(troubles.waits_between_retries(), troubles.swallowed_failure())
    assert found[1].text == "the first task that differs is fetch-8: it is only in this one; 2 more tasks differ"


def sleeps(number: int, *, last: bool, name: str = "shop.Sleeps", is_open: bool = False) -> History:
    """So many tasks of one decision, and perhaps another one when they are done."""
    story = Story(name)
    story.decide(0.1)
    tasks = [story.schedule(f"slp-{each}", "slp") for each in range(1, number + 1)]
    for task in tasks:
        story.start(task)
    story.at(1)
    for task in tasks:
        story.complete(task, "1")
    story.decide(0.1)
    if last:
        task = story.schedule("last-1", "last")
        story.start(task)
        story.at(2).complete(task, "1")
        story.decide(0.1)
    if not is_open:
        story.end()
    return story.history()


def test_which_task_differs_first_does_not_depend_on_who_is_asked() -> None:
    few, many = sleeps(3, last=True), sleeps(6, last=False)
    there, back = compare(few, many), compare(many, few)
    assert there[1].text == "the first task that differs is slp-4: it is only in the other one; 3 more tasks differ"
    assert back[1].text == "the first task that differs is slp-4: it is only in this one; 3 more tasks differ"
    assert [each.id for each in there.differences] == [each.id for each in back.differences]


def test_a_comparison_of_other_workflows_or_open_executions_says_so_first() -> None:
    closed, other = sleeps(1, last=False), sleeps(1, last=False, name="shop.Other")
    still_open = sleeps(1, last=False, is_open=True)
    assert compare(closed, other)[0].text.startswith("they are of different workflows, shop.Sleeps and shop.Other; ")
    assert compare(still_open, closed)[0].text.startswith("this one is still open, and compared up to now; ")
    assert compare(closed, still_open)[0].text.startswith("the other one is still open, and compared up to now; ")
    assert "both are still open" in compare(still_open, still_open)[0].text
    assert "open" not in compare(closed, closed)[0].text


def test_the_table_has_a_row_for_each_task_of_either_and_the_same_columns_when_empty() -> None:
    found = compare(troubles.waits_between_retries(), troubles.swallowed_failure()).tasks()
    assert found["id"].tolist()[0] == "activity-shop.fetch-8"
    assert len(found) == 3  # the timer of the retry is the decider's own
    assert found["attempts_a"].tolist() == [3, 0, 0]
    assert found["same_input"].isna().all()
    empty = compare(History(), History())
    assert str(empty.tasks().dtypes) == str(found.dtypes)
    assert len(empty) <= 1


def test_a_recorded_execution_is_compared_with_another_and_with_nothing_else() -> None:
    execution = RecordedExecution(eventful())
    assert "as long" in repr(execution.compare(RecordedExecution(eventful())))
    with pytest.raises(UsageError, match="with another execution, not with 7"):
        execution.compare(7)  # type: ignore[arg-type]


def test_what_histories_say_is_escaped() -> None:
    found = compare(run(input="<script>", result="<b>"), run())._repr_html_()
    assert "<script>" not in found
    assert "<b>" not in found


def test_two_charts_share_an_axis_on_which_both_begin_together() -> None:
    later = [event._replace(timestamp=event.timestamp + datetime.timedelta(days=3)) for event in run(pause=2)]
    figure = compare(run(), History(later)).gantt()
    bars = [trace for trace in figure.data if trace.type == "bar"]
    assert len({min(bar.base.min() for bar in bars if bar.yaxis == axis) for axis in (None, "y2")}) == 1
    lower = next(bar for bar in figure.data if bar.yaxis == "y2" and bar.name == "completed")
    assert "2026-01-04" in lower.hovertext[0], "hover boxes keep the times of their execution"
    assert figure.layout.yaxis.domain[0] > figure.layout.yaxis2.domain[1]
    for name in ("completed", "critical path"):
        assert len([trace for trace in figure.data if trace.showlegend is not False and trace.name == name]) == 1
    assert compare(History(), run()).gantt().data
    assert compare(eventful(), large(200)).gantt().to_json()


def test_both_charts_are_drawn_in_lanes_if_one_of_them_has_many_tasks() -> None:
    said = compare(run(), large(200)).gantt()
    assert "in lanes by name" in said.layout.title.subtitle.text.replace("<br>", " ")
    assert "in lanes by name" in said.layout.annotations[0].text
    assert "in lanes" not in compare(run(), run()).gantt().layout.title.subtitle.text.replace("<br>", " ")

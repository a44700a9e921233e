"""A store is opened again: started tasks are lost, scheduled ones go on, missing effects are carried out."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from simpleflow_lab.engine.clock import ManualClock
from simpleflow_lab.engine.integrity import UPDATE_SEAL, seals
from simpleflow_lab.engine.recovery import downtime
from simpleflow_lab.exceptions import UnknownResourceFault
from simpleflow_lab.swf import decisions
from simpleflow_lab.swf.conventions import WORKER_LOST, is_worker_lost
from tests.service.scenario import DOMAIN, Handle, Scenario

Open = Callable[..., Scenario]


def activity(activity_id: str = "a", **options: Any) -> dict[str, Any]:
    return decisions.schedule_activity_task(activity_id=activity_id, name="activity", version="1", **options)


def child(**options: Any) -> dict[str, Any]:
    return decisions.start_child_workflow_execution(
        workflow_id="c", name="workflow", version="1", task_list="children", **options
    )


def forget(path: Path, workflow_id: str, after: int) -> None:
    """Remove an execution's later events, or the whole execution, as a crash before its effects would leave it."""
    connection = sqlite3.connect(path)
    seals(connection)
    with connection:
        (key,) = connection.execute("SELECT key FROM execution WHERE workflow_id = ?", (workflow_id,)).fetchone()
        connection.execute("DELETE FROM event WHERE execution = ? AND id > ?", (key, after))
        connection.execute(
            "UPDATE execution SET closed_at = NULL, close_status = NULL, event_count = 0 WHERE key = ?", (key,)
        )
        connection.execute(UPDATE_SEAL, (key,))
        if after == 0:
            connection.execute("DELETE FROM execution WHERE key = ?", (key,))
    connection.close()


def test_a_started_decision_task_times_out_and_is_scheduled_again(opened: Open) -> None:
    lab = opened()
    handle = lab.start()
    lab.poll()
    again = opened()
    assert again.types(handle)[3:] == ["DecisionTaskTimedOut", "DecisionTaskScheduled"]
    assert again.last(handle, "DecisionTaskTimedOut") == {
        "timeoutType": "START_TO_CLOSE",
        "scheduledEventId": 2,
        "startedEventId": 3,
    }
    assert again.poll()["startedEventId"] == 6


def test_a_started_activity_task_times_out_with_the_details_that_its_worker_was_lost(opened: Open) -> None:
    lab = opened()
    handle = lab.start()
    lab.decide(activity("a"), activity("b"))
    lab.take()
    again = opened()
    assert again.types(handle)[-2:] == ["ActivityTaskTimedOut", "DecisionTaskScheduled"]
    timed_out = again.last(handle, "ActivityTaskTimedOut")
    assert timed_out == {
        "timeoutType": "START_TO_CLOSE",
        "scheduledEventId": 5,
        "startedEventId": 7,
        "details": WORKER_LOST,
    }
    assert is_worker_lost(timed_out["details"])
    # The one that waited still waits.
    assert again.take()["activityId"] == "b"
    assert again.take() == {"startedEventId": 0}


def test_all_lost_tasks_of_an_execution_time_out_with_one_timestamp(opened: Open) -> None:
    lab = opened()
    handle = lab.start()
    lab.decide(activity("a"), activity("b"))
    lab.take()
    lab.take()
    lab.signal()
    lab.poll()
    again = opened()
    events = again.events(handle)[-4:]
    assert [event["eventType"] for event in events] == [
        "DecisionTaskTimedOut",
        "ActivityTaskTimedOut",
        "ActivityTaskTimedOut",
        "DecisionTaskScheduled",
    ]
    assert len({event["eventTimestamp"] for event in events}) == 1


def test_opening_a_store_without_started_tasks_records_nothing(opened: Open) -> None:
    lab = opened()
    handle = lab.start()
    lab.decide(activity(), decisions.start_timer(timer_id="t", start_to_fire_timeout=50))
    before = lab.events(handle)
    assert opened().events(handle) == before
    assert opened().events(handle) == before


def test_a_task_token_of_a_lost_task_is_refused(opened: Open) -> None:
    lab = opened()
    lab.start()
    task = lab.poll()
    again = opened()
    with pytest.raises(UnknownResourceFault, match="Unknown decision task, scheduledEventId = 2"):
        again.answer(task)


@pytest.mark.parametrize("identity", [{}, {"identity": "worker 7"}, {"identity": "1234@host"}])
def test_tasks_of_a_program_that_names_no_process_are_accepted_after_a_restart(opened: Open, identity: Any) -> None:
    lab = opened()
    lab.poller = identity
    handle = lab.start()
    lab.decide(activity("a"))
    taken = lab.take()
    lab.signal()
    decision = lab.poll()
    before = lab.types(handle)
    again = opened()
    assert again.types(handle) == before
    again.complete(taken, "done")
    again.answer(decision)
    assert {"ActivityTaskCompleted", "DecisionTaskCompleted"} <= set(again.types(handle)[len(before) :])


def test_tasks_of_a_program_that_names_no_process_time_out_later_by_the_downtime(
    opened: Open, clock: ManualClock
) -> None:
    lab = opened()
    lab.poller = {}
    handle = lab.start()
    lab.decide(activity("a", start_to_close_timeout="10"))
    lab.take()
    lab.service.close()
    clock.advance(3600)
    again = opened()
    clock.advance(9)
    assert again.types(handle)[-1] == "ActivityTaskStarted"
    clock.advance(1)
    assert again.types(handle)[-2:] == ["ActivityTaskTimedOut", "DecisionTaskScheduled"]
    assert "details" not in again.last(handle, "ActivityTaskTimedOut")


# -- time --------------------------------------------------------------------------------------------------------------


def test_a_timer_that_came_due_while_no_engine_was_up_has_fired(opened: Open) -> None:
    lab = opened()
    handle = lab.start()
    lab.decide(decisions.start_timer(timer_id="t", start_to_fire_timeout=60))
    lab.service.close()
    lab.clock.advance(60)
    assert opened().types(handle)[-2:] == ["TimerFired", "DecisionTaskScheduled"]


def test_timeouts_count_only_the_time_the_engine_was_up(opened: Open) -> None:
    lab = opened()
    handle = lab.start(executionStartToCloseTimeout="100")
    lab.decide(activity(schedule_to_start_timeout="50"))
    lab.clock.advance(30)
    lab.service.close()
    lab.clock.advance(1000)
    again = opened()
    assert again.types(handle)[-1] == "ActivityTaskScheduled"
    lab.clock.advance(19)
    assert again.types(handle)[-1] == "ActivityTaskScheduled"
    lab.clock.advance(1)
    assert again.last(handle, "ActivityTaskTimedOut")["timeoutType"] == "SCHEDULE_TO_START"
    lab.clock.advance(49)
    assert again.status(handle) == "OPEN"
    lab.clock.advance(1)
    assert again.status(handle) == "TIMED_OUT"


def test_downtime_is_the_time_between_sessions_since_a_given_time() -> None:
    sessions = [(0, 100), (150, 200), (500, 600)]
    assert downtime(sessions, since=50, now=700) == 50 + 300 + 100
    assert downtime(sessions, since=160, now=700) == 300 + 100
    assert downtime(sessions, since=550, now=600) == 0
    assert downtime([], since=0, now=600) == 0


def test_a_time_that_went_back_does_not_go_back_in_a_history(opened: Open, path: Path) -> None:
    lab = opened()
    handle = lab.start()
    again = opened(clock=ManualClock(lab.clock.now() - 3_600_000))
    again.signal()
    times = [event["eventTimestamp"] for event in again.events(handle)]
    assert times == sorted(times)


# -- missing effects ---------------------------------------------------------------------------------------------------


def test_a_child_that_was_initiated_only_is_started(opened: Open, path: Path) -> None:
    lab = opened()
    parent = lab.start()
    lab.decide(child())
    lab.service.close()
    forget(path, "w", 5)
    forget(path, "c", 0)
    again = opened()
    assert again.types(parent)[4:] == [
        "StartChildWorkflowExecutionInitiated",
        "ChildWorkflowExecutionStarted",
        "DecisionTaskScheduled",
    ]
    assert again.poll("children")["startedEventId"] == 3


def test_a_child_that_started_is_not_started_again_and_its_parent_is_notified(opened: Open, path: Path) -> None:
    lab = opened()
    parent = lab.start()
    lab.decide(child())
    started = lab.run_of("c")
    lab.service.close()
    forget(path, "w", 5)
    again = opened()
    assert again.last(parent, "ChildWorkflowExecutionStarted")["workflowExecution"] == started.ids
    assert len(again.everything()) == 2


def test_a_parent_that_was_not_notified_of_its_childs_end_is_notified(opened: Open, path: Path) -> None:
    lab = opened()
    parent = lab.start()
    lab.decide(child())
    lab.decide(decisions.complete_workflow_execution(result="r"), task_list="children")
    lab.service.close()
    forget(path, "w", 7)
    again = opened()
    assert again.types(parent)[-1] == "ChildWorkflowExecutionCompleted"
    assert again.last(parent)["result"] == "r"


def test_a_child_policy_that_was_not_applied_is_applied(opened: Open, path: Path) -> None:
    lab = opened()
    lab.start()
    lab.decide(child())
    started = lab.run_of("c")
    lab.service.terminate_workflow_execution(domain=DOMAIN, workflowId="w")
    assert lab.status(started) == "TERMINATED"
    lab.service.close()
    forget(path, "c", 2)
    assert opened().status(started) == "TERMINATED"


def test_a_request_of_the_policy_is_made_once(opened: Open, path: Path) -> None:
    lab = opened()
    lab.start(childPolicy="REQUEST_CANCEL")
    lab.decide(child())
    started = lab.run_of("c")
    lab.decide(decisions.complete_workflow_execution())
    again = opened()
    assert again.types(started).count("WorkflowExecutionCancelRequested") == 1


def test_a_request_of_the_policy_does_not_concern_the_run_that_continues_as_new_after_it(opened: Open) -> None:
    lab = opened()
    lab.start(childPolicy="REQUEST_CANCEL")
    lab.decide(child())
    lab.decide(decisions.complete_workflow_execution())
    lab.decide(decisions.continue_as_new_workflow_execution(task_list="children"), task_list="children")
    second = lab.run_of("c")
    again = opened()
    assert again.types(second) == ["WorkflowExecutionStarted", "DecisionTaskScheduled"]


def signaled(opened: Open, path: Path, source_events: int, target_events: int) -> tuple[Scenario, Handle, Handle]:
    """A signal between two executions, of which a crash left only so many events."""
    lab = opened()
    source, target = lab.start("source"), lab.start("target", taskList={"name": "other"})
    lab.decide(decisions.signal_external_workflow_execution(workflow_id="target", signal_name="s"))
    lab.service.close()
    forget(path, "source", source_events)
    forget(path, "target", target_events)
    return opened(), source, target


def test_a_signal_that_was_not_delivered_is_delivered(opened: Open, path: Path) -> None:
    lab, source, target = signaled(opened, path, 5, 2)
    assert lab.types(target)[-1] == "WorkflowExecutionSignaled"
    assert lab.types(source)[-2:] == ["ExternalWorkflowExecutionSignaled", "DecisionTaskScheduled"]


def test_a_signal_that_was_delivered_is_not_delivered_again(opened: Open, path: Path) -> None:
    lab, source, target = signaled(opened, path, 5, 3)
    assert lab.types(target).count("WorkflowExecutionSignaled") == 1
    assert lab.types(source)[-2:] == ["ExternalWorkflowExecutionSignaled", "DecisionTaskScheduled"]


def test_an_unstarted_activity_that_should_be_canceled_is_canceled(opened: Open, path: Path) -> None:
    lab = opened()
    handle = lab.start()
    lab.decide(activity(task_list="nobody"), decisions.request_cancel_activity_task(activity_id="a"))
    lab.service.close()
    forget(path, "w", 6)
    assert opened().types(handle)[-3:] == [
        "ActivityTaskCancelRequested",
        "ActivityTaskCanceled",
        "DecisionTaskScheduled",
    ]


def test_a_run_that_should_have_continued_as_new_does(opened: Open, path: Path) -> None:
    lab = opened()
    lab.start()
    lab.decide(decisions.continue_as_new_workflow_execution(input="[2]"))
    second = lab.run_of("w")
    lab.service.close()
    connection = sqlite3.connect(path)
    with connection:
        (key,) = connection.execute("SELECT key FROM execution WHERE run_id = ?", (second.run_id,)).fetchone()
        connection.execute("DELETE FROM event WHERE execution = ?", (key,))
        connection.execute("DELETE FROM execution WHERE key = ?", (key,))
    connection.close()
    again = opened()
    assert again.run_of("w") == second
    assert again.types(second) == ["WorkflowExecutionStarted", "DecisionTaskScheduled"]


def test_a_task_list_that_a_decider_chose_survives(opened: Open) -> None:
    lab = opened()
    lab.start()
    lab.decide(taskList={"name": "sticky"}, taskListScheduleToStartTimeout="50")
    again = opened()
    again.signal()
    assert again.poll("sticky").get("taskToken")

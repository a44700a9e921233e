"""Hooks of a workflow, what it may know of its run, tags and dynamic task lists (PM-11 to PM-17)."""

import pytest

from simpleflow_lab import Workflow, activity
from simpleflow_lab.exceptions import (
    DecisionTaskError,
    WorkflowExecutionCanceled,
    WorkflowExecutionFailed,
)
from simpleflow_lab.replay.replay import Replay

TASKS = {"task_list": "hooks", "version": "1"}


@activity.with_attributes(name="hooks.echo", **TASKS)
def echo(x):
    return x


class Told(Workflow):
    """Notes which hooks are called, live."""

    task_list = "hooks"

    def note(self, *what):
        if not self.is_replaying:
            notes.append(what)

    def before_replay(self, history):
        self.note("before_replay", history.last_event_id)

    def after_replay(self, history):
        self.note("after_replay", history.last_event_id)

    def should_cancel(self, history):
        self.note("should_cancel", history.last_event_id)
        return True

    def on_completed(self, history):
        self.note("on_completed")

    def on_failure(self, history, reason, details=None):
        self.note("on_failure", reason)

    def on_canceled(self, history):
        self.note("on_canceled")

    def after_closed(self, history):
        self.note("after_closed")


notes: list[tuple] = []


@pytest.fixture(autouse=True)
def _nothing_is_noted():
    notes.clear()


def names():
    return [note[0] for note in notes]


class Completes(Told):
    name = "hooks.completes"

    def run(self):
        return self.submit(echo, 1).result


@pytest.mark.parametrize("replay_cache_size", [0, 500])
def test_hooks_of_an_execution_that_completes(lab, replay_cache_size):
    assert lab.start(Completes).result(200) == 1
    assert names() == [
        *("before_replay", "after_replay"),
        *("before_replay", "after_replay", "on_completed", "after_closed"),
    ]
    assert [note[1] for note in notes if note[0] == "before_replay"] == [3, 9]


def test_hooks_of_an_execution_that_fails_by_its_own_word(lab):
    class Fails(Told):
        name = "hooks.fails"

        def run(self):
            self.fail("no luck", "at all")

    with pytest.raises(WorkflowExecutionFailed, match="no luck\nat all"):
        lab.start(Fails).result(200)
    assert names() == ["before_replay", "on_failure", "after_closed"]
    assert notes[1] == ("on_failure", "no luck")


def test_hooks_of_an_execution_whose_code_raises(lab):
    class Raises(Told):
        name = "hooks.raises"

        def run(self):
            raise ValueError("wrong")

    with pytest.raises(WorkflowExecutionFailed):
        lab.start(Raises).result(200)
    assert notes[1:] == [("on_failure", "ValueError: wrong"), ("after_closed",)]


def test_a_run_that_exits_has_failed_and_its_decider_goes_on(lab):
    class Exits(Workflow):
        name = "hooks.exits"
        task_list = "hooks"

        def run(self):
            raise SystemExit(3)

    with pytest.raises(WorkflowExecutionFailed, match="SystemExit: 3"):
        lab.start(Exits).result(200)
    assert lab.start(Completes).result(200) == 1


class Waits(Told):
    name = "hooks.waits"

    def run(self):
        return self.submit(self.wait_signal("go")).result


def stands(execution):
    """Wait until the first decision is made."""
    for _ in execution.watch(timeout=200):
        if any(event.type == "DecisionTaskCompleted" for event in execution.history()):
            return


def test_hooks_of_an_execution_that_is_canceled(lab):
    execution = lab.start(Waits)
    stands(execution)
    execution.request_cancel()
    with pytest.raises(WorkflowExecutionCanceled):
        execution.result(200)
    assert names()[2:] == ["before_replay", "should_cancel", "after_replay", "on_canceled", "after_closed"]


@pytest.mark.parametrize("replay_cache_size", [0, 500])
def test_a_refused_cancel_request_is_asked_once_and_the_execution_goes_on(lab, replay_cache_size):
    class Refuses(Told):
        name = "hooks.refuses"

        def should_cancel(self, history):
            super().should_cancel(history)
            return False

        def run(self):
            self.submit(self.wait_signal("go")).wait()
            return [self.submit(echo, n).result for n in range(3)]

    execution = lab.start(Refuses)
    stands(execution)
    execution.request_cancel()
    for _ in execution.watch(timeout=200):
        if names().count("after_replay") == 2:
            break
    execution.signal("go")
    assert execution.result(200) == [0, 1, 2]
    assert names().count("should_cancel") == 1


@pytest.mark.parametrize("replay_cache_size", [0, 500])
@pytest.mark.parametrize("end", ["complete", "fail", "cancel"])
def test_a_close_that_is_refused_because_a_signal_came_is_asked_again_without_its_hooks(lab, replay_cache_size, end):
    """F11: UnhandledDecision."""

    class Refused(Told):
        name = "hooks.refused"

        def run(self, end):
            if end == "cancel":
                self.submit(self.wait_signal("never")).wait()
            if end == "fail":
                raise ValueError("over")
            return end

        def after_closed(self, history):
            super().after_closed(history)
            context = self.get_run_context()
            lab.execution(context["workflow_id"], context["run_id"]).signal("meanwhile")

    execution = lab.start(Refused, end)
    if end == "cancel":
        stands(execution)
        execution.request_cancel()
    assert execution.wait(200)
    types = [event.type for event in execution.history()]
    done = {"complete": "CompleteWorkflowExecutionFailed", "fail": "FailWorkflowExecutionFailed"}
    assert done.get(end, "CancelWorkflowExecutionFailed") in types
    assert "WorkflowExecutionSignaled" in types
    assert execution.status == {"complete": "COMPLETED", "fail": "FAILED", "cancel": "CANCELED"}[end]
    assert names().count("after_closed") == 1
    assert sum(name in ("on_completed", "on_failure", "on_canceled") for name in names()) == 1


def test_what_a_closing_hook_submits_is_not_asked_for(lab):
    class Late(Workflow):
        name = "hooks.late"
        task_list = "hooks"

        def run(self, cancel):
            if cancel:
                self.submit(self.wait_signal("never")).wait()
            return 1

        def on_completed(self, history):
            self.submit(echo, "too late")
            self.submit(self.record_marker("too late"))

        on_canceled = after_closed = on_completed

    canceled = lab.start(Late, True)
    stands(canceled)
    canceled.request_cancel()
    with pytest.raises(WorkflowExecutionCanceled):
        canceled.result(200)
    execution = lab.start(Late, False)
    assert execution.result(200) == 1
    assert not [e for e in execution.history() if e.type in ("MarkerRecorded", "ActivityTaskScheduled")]


@pytest.mark.filterwarnings("ignore::simpleflow_lab.exceptions.DefinitionWarning")
def test_an_error_in_a_hook_fails_the_decision_and_says_so(lab):
    class Hurts(Workflow):
        name = "hooks.hurts"
        task_list = "hooks"

        def run(self):
            return 1

        def on_completed(self, history):
            raise OSError("the mail server is down")

    execution = lab.start(Hurts)
    with pytest.raises(DecisionTaskError, match=r"OSError in hooks\.hurts\.on_completed: the mail server is down"):
        execution.result(200)

    class Hurts(Workflow):
        name = "hooks.hurts"
        task_list = "hooks"

        def run(self):
            return 1

    assert execution.wait(200)


def test_hooks_by_their_old_names_are_called_and_their_definition_warns(lab):
    called = []
    with pytest.warns(DeprecationWarning, match=r"Old\.(before|after)_run: call it") as warned:

        class Old(Workflow):
            name = "hooks.old"
            task_list = "hooks"

            def before_run(self, history):
                super().before_run(history)
                called.append("before_run")

            def before_replay(self, history):
                called.append("before_replay")

            def after_run(self, history):
                called.append("after_run")

            def run(self):
                return 1

    assert [str(each.message) for each in warned] == [
        "Old.before_run: call it before_replay",
        "Old.after_run: call it after_closed",
    ]
    assert warned[0].filename == __file__
    assert lab.start(Old).result(200) == 1
    assert called == ["before_run", "before_replay", "after_run"]


def test_the_history_ends_where_the_current_decision_began_in_every_replay(lab):
    """PM-14: what upstream's programs read, too."""

    class Looks(Workflow):
        name = "hooks.looks"
        task_list = "hooks"

        def run(self):
            seen = []
            for n in range(3):
                history = self.executor.history
                seen.append([history.last_event_id, len(history), history[-1].type, self.history_length])
                assert [event.id for event in history] == list(range(1, history.last_event_id + 1))
                assert len(history[1:]) == len(history) - 1
                self.submit(echo, n).wait()
            return seen

    execution = lab.start(Looks)
    expected = [[at, at, "DecisionTaskStarted", at] for at in (3, 9, 15)]
    assert execution.result(200) == expected
    replay = Replay(Looks, workflow_id=execution.workflow_id, run_id=execution.run_id)
    replay.feed(execution.history())  # compares the result
    replay.close()


def test_a_workflow_knows_its_names_ids_tags_and_parent(lab):
    """PM-13 and PM-16."""

    class Knows(Workflow):
        name = "hooks.knows"
        version = "v1"
        task_list = "hooks"
        tag_list = Workflow.INHERIT_TAG_LIST

        def run(self, deep):
            context = dict(self.get_run_context())
            return [context, self.submit(type(self), False).result if deep else None]

    with pytest.raises(Exception, match=r".*"):
        lab.start(Knows, True, tag_list=[1, 2, 3, 4, 5, 6])
    execution = lab.start(Knows, True, tag_list=["a", "b"])
    context, [child, _] = execution.result(200)
    assert context == {
        "name": "hooks.knows",
        "version": "v1",
        "domain_name": lab.domain,
        "workflow_id": execution.workflow_id,
        "run_id": execution.run_id,
        "tag_list": ["a", "b"],
        "continued_execution_run_id": None,
        "parent_workflow_id": None,
        "parent_run_id": None,
    }
    assert child["tag_list"] == ["a", "b"]
    assert (child["parent_workflow_id"], child["parent_run_id"]) == (execution.workflow_id, execution.run_id)


def test_the_old_name_of_the_run_context_warns(lab):
    class OldName(Workflow):
        name = "hooks.old_name"
        task_list = "hooks"

        def run(self):
            with pytest.warns(DeprecationWarning, match="get_run_context"):
                return self.get_execution_context()["name"]

    assert lab.start(OldName).result(200) == "hooks.old_name"


def test_an_activity_can_be_sent_to_a_task_list_that_the_workflow_chooses(lab):
    """PM-17: wrapped where it is called."""

    def where():
        return activity.current_context()["activity_id"]

    class Chooses(Workflow):
        name = "hooks.chooses"
        task_list = "hooks"

        def run(self, task_list):
            there = activity.with_attributes(name="hooks.where", version="1", task_list=task_list)(where)
            return self.submit(there).result

    execution = lab.start(Chooses, "hooks.elsewhere")
    assert execution.result(200) == "activity-hooks.where-1"
    [scheduled] = [e for e in execution.history() if e.type == "ActivityTaskScheduled"]
    assert scheduled.attributes["taskList"] == {"name": "hooks.elsewhere"}
    assert execution.warnings == ()

"""Steps ST-01 … ST-08, and PM-03: a step is submitted like anything else, in anything else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from simpleflow_lab import Chain, FuncGroup, Group, History, Lab, RecordedExecution, Workflow, activity
from simpleflow_lab.data.objects import MemoryObjects, Storage, using_storage
from simpleflow_lab.exceptions import UsageError, WorkflowExecutionFailed
from simpleflow_lab.step import rules
from simpleflow_lab.step.submittable import Step
from simpleflow_lab.step.tasks import GetStepsDoneTask, MarkStepDoneTask, step_activity
from simpleflow_lab.step.workflow import WorkflowStepMixin
from tests import s3
from tests.running import task_of
from tests.test_properties import replays_as_recorded

ATTRIBUTES = {"task_list": "steps.test", "version": "1"}
fails_for: set[str] = set()
"""What `work` fails for; a test says so."""


@activity.with_attributes(name="steps.work", **ATTRIBUTES)
def work(what):
    if what in fails_for:
        raise ValueError(f"no {what} today")
    return f"did {what}"


@activity.with_attributes(name="steps.strict", raises_on_failure=True, **ATTRIBUTES)
def strict(what):
    return work.callable(what)


@pytest.fixture(autouse=True)
def _nothing_fails():
    fails_for.clear()


@pytest.fixture
def lab(lab: Lab) -> Lab:
    """Over the wire the Lab takes the service for Amazon's, where only a bucket is a place for notes: give it one."""
    lab.storage.default = MemoryObjects()
    return lab


class Stepped(Workflow, WorkflowStepMixin):
    """Submits what its subclass's `parts` gives, in a chain that goes on."""

    name = "steps.stepped"
    task_list = "steps.test"

    def run(self, force=(), skip=()):
        self.add_forced_steps(force, "forced by the test")
        self.add_skipped_steps(skip, "skipped by the test")
        results = self.submit(Chain(*self.parts(), break_on_failure=False)).result
        return [part for _done, part in results]

    def parts(self):
        return [self.step("a", (work, "a")), self.step("b.c", (work, "b.c")), self.step("bc", (work, "bc"))]


def statuses(execution: Any) -> dict[str, str]:
    return dict(execution.steps()[["step", "status"]].itertuples(index=False))


def worked(execution: Any) -> list[str]:
    tasks = execution.tasks().query("name in ('steps.work', 'steps.strict')")
    return [json.loads(given)["args"][0] for given in tasks["input"]]


def closed(execution: Any) -> Any:
    assert execution.wait(200)
    return execution


def test_the_second_execution_of_an_id_skips_what_the_first_did(lab: Lab) -> None:
    first = lab.start(Stepped, workflow_id="steps-twice")
    marked = {"step": "a", "status": "scheduled", "forced": False, "reasons": []}
    assert first.result(200)[0] == [marked, "did a", None, {**marked, "status": "completed"}]
    assert worked(first) == ["a", "b.c", "bc"]

    second = lab.start(Stepped, workflow_id="steps-twice")
    skipped = {"step": "a", "status": "skipped", "forced": False, "reasons": ["Step was already played"]}
    assert second.result(200)[0] == [skipped]
    assert worked(second) == []
    assert statuses(second) == {"a": "skipped", "b.c": "skipped", "bc": "skipped"}

    other = closed(lab.start(Stepped, workflow_id="steps-other"))
    assert worked(other) == ["a", "b.c", "bc"]


def test_the_notes_last_as_long_as_the_store_file(tmp_path: Path) -> None:
    for expected in (["a", "b.c", "bc"], []):
        with Lab(tmp_path / "lab.sqlite") as lab:
            assert worked(closed(lab.start(Stepped, workflow_id="steps-file"))) == expected
    names = [path.name for path in (tmp_path / "lab.sqlite.objects" / "steps").iterdir()]
    assert len(names) == 3


@pytest.mark.parametrize(
    ("force", "skip", "expected"),
    [
        (["b"], [], ["b.c"]),
        ("b.c", [], ["b.c"]),
        ("*", [], ["a", "b.c", "bc"]),
        (["b.c.d"], [], []),
        (["a", "bc"], ["*"], ["a", "bc"]),
    ],
)
def test_what_is_done_is_done_again_if_forced(lab: Lab, force: Any, skip: Any, expected: list[str]) -> None:
    """ST-03; ST-08: a string is one step."""
    closed(lab.start(Stepped, workflow_id="steps-force"))
    again = closed(lab.start(Stepped, workflow_id="steps-force", force=force, skip=skip))
    assert worked(again) == expected
    forced = again.steps().query("status == 'completed'")
    assert list(forced["step"]) == expected
    assert all(forced["forced"])
    assert set(forced["reasons"]) <= {("forced by the test",)}


def test_a_step_may_be_skipped_before_it_is_ever_done(lab: Lab) -> None:
    first = closed(lab.start(Stepped, workflow_id="steps-skip", skip="b"))
    assert worked(first) == ["a", "bc"]
    row = first.steps().query("step == 'b.c'").iloc[0]
    assert (row["status"], row["forced"], row["reasons"]) == ("skipped", True, ("skipped by the test",))
    assert worked(closed(lab.start(Stepped, workflow_id="steps-skip"))) == ["b.c"]


@pytest.mark.parametrize(
    ("said", "name", "covered"),
    [
        ("a", "a", True),
        ("a", "a.b.c", True),
        ("a.b", "a.b.c", True),
        ("a.b.c", "a.b", False),
        ("a", "ab", False),
        ("*", "anything", True),
        ("a.*", "a.b", False),
        ("", "a", False),
    ],
)
def test_a_name_covers_itself_and_the_levels_below(said: str, name: str, covered: bool) -> None:
    assert rules.covers(said, name) is covered


def test_characters_of_a_string_are_no_steps() -> None:
    """ST-08: upstream forced the steps "c", "l", "e", … for "clean"."""
    workflow = Stepped(None)  # type: ignore[arg-type]
    workflow.add_forced_steps("clean", "why")
    workflow.add_forced_steps(["rows", "clean"], "also")
    workflow.add_skipped_steps("*")
    assert workflow.get_forced_steps() == ["clean", "rows"]
    assert workflow.steps_forced_reasons == {"clean": ["why", "also"], "rows": ["also"]}
    assert workflow.get_skipped_steps() == ["*"]
    with pytest.raises(UsageError, match="7 is no name of a step"):
        workflow.add_skipped_steps([7])  # type: ignore[list-item]


class Forcing(Stepped):
    name = "steps.forcing"

    def parts(self):
        return [
            self.step("one", (work, "one"), force=True, force_steps_if_executed="three"),
            self.step("two", (work, "two")),
            self.step("three.x", (work, "three"), force_steps_if_executed=["never"]),
            self.step("never", (work, "never"), activities_if_step_already_done=(work, "instead")),
        ]


def test_a_step_that_runs_may_force_others(lab: Lab) -> None:
    closed(lab.start(Forcing, workflow_id="steps-forcing"))
    again = closed(lab.start(Forcing, workflow_id="steps-forcing"))
    assert worked(again) == ["one", "three", "never"]
    reasons = dict(again.steps()[["step", "reasons"]].itertuples(index=False))
    assert reasons["one"] == ()
    assert reasons["three.x"] == ("Dep of one",)
    assert reasons["never"] == ("Dep of three.x",)


class Instead(Stepped):
    name = "steps.instead"

    def parts(self):
        return [self.step("s", (work, "it"), activities_if_step_already_done=Chain((work, "x"), (work, "y")))]


def test_something_else_may_run_instead_of_what_is_done(lab: Lab) -> None:
    assert worked(closed(lab.start(Instead, workflow_id="steps-instead"))) == ["it"]
    again = lab.start(Instead, workflow_id="steps-instead")
    assert again.result(200)[0][0] == ["did x", "did y"]
    assert statuses(again) == {"s": "skipped"}


class Signaling(Stepped):
    name = "steps.signaling"

    def run(self):
        self.submit(self.step("loud", (work, "loud"), emit_signal=True)).wait()
        self.submit(self.wait_signal("step.loud")).wait()
        return [marker.details["status"] for marker in self.list_markers(all=True)]


def test_a_step_may_signal_its_end_done_or_skipped(lab: Lab) -> None:
    """ST-05: the signal is `step.<name>`."""
    assert lab.start(Signaling, workflow_id="steps-signal").result(200) == ["scheduled", "completed"]
    again = lab.start(Signaling, workflow_id="steps-signal")
    assert again.result(200) == ["skipped"]
    signals = [e.attributes["signalName"] for e in again.history() if e.type == "WorkflowExecutionSignaled"]
    assert signals == ["step.loud"]


class Failing(Stepped):
    name = "steps.failing"

    def run(self, how, bubbles):
        inside = {
            "activity": (work, "bad"),
            "group": Group((work, "good"), (strict, "bad")),
            "chain": Chain((strict, "bad"), (work, "good"), break_on_failure=False),
            "func": FuncGroup(lambda: Group((strict, "bad"))),
            "step": self.step("inner", (work, "bad")),
            "step in a group": Group(self.step("inner", (work, "bad"))),
        }[how]
        step = self.submit(self.step("outer", inside, bubbles_exception_on_failure=bubbles, emit_signal=True))
        error = step.exception
        return {"error": error and str(error), "raises": step.raises, "result": None if step.raises else step.result}


@pytest.mark.parametrize("how", ["activity", "group", "chain", "func", "step", "step in a group"])
def test_a_step_of_which_anything_failed_is_not_done(lab: Lab, how: str) -> None:
    fails_for.add("bad")
    workflow_id = f"steps-fail-{how}"
    first = closed(lab.start(Failing, how, False, workflow_id=workflow_id))
    assert statuses(first)["outer"] == "scheduled"
    assert "MarkStepDoneTask" not in " ".join(first.tasks()["name"])
    assert not [event for event in first.history() if event.type == "WorkflowExecutionSignaled"]

    fails_for.clear()
    again = closed(lab.start(Failing, how, False, workflow_id=workflow_id))
    assert statuses(again)["outer"] == "completed"
    assert "bad" in worked(again)


def test_a_step_keeps_a_failure_to_itself_and_the_failure_shows_as_unnoticed(lab: Lab) -> None:
    fails_for.add("bad")
    first = lab.start(Failing, "activity", False, workflow_id="steps-unhandled")
    marker = {"step": "outer", "status": "scheduled", "forced": False, "reasons": []}
    assert first.result(200) == {"error": None, "raises": False, "result": [[], [marker, None]]}
    assert list(first.unhandled_failures()["name"]) == ["steps.work"]


@pytest.mark.parametrize("how", ["activity", "step"])
def test_a_step_that_bubbles_tells_of_the_failure(lab: Lab, how: str) -> None:
    fails_for.add("bad")
    first = lab.start(Failing, how, True, workflow_id=f"steps-bubble-{how}")
    told = first.result(200)
    assert "no bad today" in told["error"]
    assert not told["raises"]
    assert first.unhandled_failures().empty


@pytest.mark.parametrize("how", ["group", "chain", "func"])
def test_an_activity_that_raises_raises_through_its_step(lab: Lab, how: str) -> None:
    fails_for.add("bad")
    first = lab.start(Failing, how, False, workflow_id=f"steps-raise-{how}")
    told = first.result(200)
    assert told["raises"]
    assert "no bad today" in told["error"]
    assert first.unhandled_failures().empty


class Bubbling(Stepped):
    name = "steps.bubbling"

    def run(self, bubbles):
        first = self.step("first", (work, "bad"), bubbles_exception_on_failure=bubbles)
        self.submit(Chain(first, self.step("second", (work, "good")))).wait()


@pytest.mark.parametrize(("bubbles", "expected"), [(False, ["bad", "good"]), (True, ["bad"])])
def test_a_chain_of_steps_breaks_only_at_a_failure_that_bubbles(lab: Lab, bubbles: bool, expected: list[str]) -> None:
    fails_for.add("bad")
    assert worked(closed(lab.start(Bubbling, bubbles, workflow_id=f"steps-chain-{bubbles}"))) == expected


class Wrong(Stepped):
    name = "steps.wrong"

    def run(self):
        return self.submit(self.step("s", FuncGroup(lambda: 1 / 0))).result


def test_what_makes_the_parts_of_a_step_may_fail_too(lab: Lab) -> None:
    with pytest.raises(WorkflowExecutionFailed, match="division by zero"):
        lab.start(Wrong).result(200)


class Strict(Stepped):
    name = "steps.strictly"

    def run(self, lenient):
        steps = [self.step("first", (strict, "bad")), self.step("second", (strict, "good"))]
        return self.submit(Chain(*steps, raises_on_failure=False if lenient else None)).result


def test_an_activity_that_raises_ends_the_chain_of_steps(lab: Lab) -> None:
    fails_for.add("bad")
    execution = lab.start(Strict, False, workflow_id="steps-strict")
    with pytest.raises(WorkflowExecutionFailed, match="no bad today"):
        execution.result(200)
    assert statuses(execution) == {"first": "scheduled"}


def test_what_a_container_says_of_failures_is_meant_for_the_activities_of_its_steps(lab: Lab) -> None:
    fails_for.add("bad")
    execution = lab.start(Strict, True, workflow_id="steps-lenient")
    assert execution.result(200)[1][1][1] == "did good"
    assert statuses(execution) == {"first": "scheduled", "second": "completed"}


class Nested(Stepped):
    name = "steps.nested"

    def run(self):
        inner = self.step("outer.inner", Group((work, 1), (work, 2)))
        outer = self.step("outer", Chain((work, 0), inner, FuncGroup(lambda: Chain(Step("outer.late", (work, 3))))))
        side = Group(outer, self.step("beside", work_again(4)), max_parallel=1)
        self.submit(side).wait()
        return self.get_steps_done()


def work_again(what):
    return Chain((work, what))


def test_steps_nest_in_groups_chains_and_steps(lab: Lab) -> None:
    """PM-03."""
    first = lab.start(Nested, workflow_id="steps-nested")
    assert first.result(200) == []  # what was done when the run first asked
    assert sorted(statuses(first)) == ["beside", "outer", "outer.inner", "outer.late"]
    assert set(statuses(first).values()) == {"completed"}
    reads = [name for name in first.tasks()["name"] if name == "simpleflow.step.tasks.GetStepsDoneTask"]
    assert len(reads) == 1

    again = lab.start(Nested, workflow_id="steps-nested")
    assert again.result(200) == ["beside", "outer", "outer.inner", "outer.late"]
    assert statuses(again) == {"outer": "skipped", "beside": "skipped"}


class Prefixed(Stepped):
    name = "steps.prefixed"

    def get_step_path_prefix(self):
        return "everybody"

    def get_step_activity_params(self):
        return {"task_list": "steps.notes", "task_priority": None}


def test_where_notes_are_and_how_they_are_written_may_be_changed(lab: Lab) -> None:
    """ST-06."""
    first = closed(lab.start(Prefixed, workflow_id="steps-prefix-1"))
    again = closed(lab.start(Prefixed, workflow_id="steps-prefix-2"))
    assert worked(again) == []
    notes = first.tasks().query("name.str.startswith('simpleflow.step')")
    assert set(notes["task_list"]) == {"steps.notes"}
    assert notes["priority"].isna().all()
    assert set(notes["version"]) == {"1.0"}


class Resumed(Stepped):
    name = "steps.resumed"

    def run(self):
        self.submit(Group(*(self.step(name, (work, name), emit_signal=True) for name in ("x", "y")))).wait()
        self.submit(self.wait_signal("go on")).wait()
        self.submit(self.step("z", (work, "z"))).wait()
        return sorted(marker.details["step"] for marker in self.list_markers(all=True))


def test_an_execution_goes_on_in_another_process_where_it_stood(tmp_path: Path) -> None:
    """What was decided is decided again from the history, not from the notes, which say "done" by now."""
    with Lab(tmp_path / "lab.sqlite") as lab:
        execution = lab.start(Resumed, workflow_id="steps-resumed")
        for _ in execution.watch(timeout=200):
            if list(execution.steps()["status"]) == ["completed", "completed"]:
                break
        assert statuses(execution) == {"x": "completed", "y": "completed"}
    with Lab(tmp_path / "lab.sqlite") as lab:
        (execution,) = lab.resume("steps-resumed")
        execution.signal("go on")
        assert execution.result(200) == ["x", "x", "y", "y", "z", "z"]
        assert worked(execution) == ["x", "y", "z"]


@pytest.mark.parametrize("workflow", [Stepped, Forcing, Instead, Nested], ids=lambda workflow: workflow.__name__)
def test_every_decision_on_steps_is_made_again_from_the_history(lab: Lab, workflow: type[Workflow]) -> None:
    for _ in range(2):
        execution = closed(lab.start(workflow, workflow_id=f"steps-again-{workflow.name}"))
        replays_as_recorded(workflow, execution.history(), execution.workflow_id, execution.run_id)


# -- names from anywhere -----------------------------------------------------------------------------------------------

HOSTILE = ["../x", "/etc/passwd", "..", "a/../../b", "naïve ✓ 漢字", "x" * 300, "C:\\x", "%2e%2e", "~", "{step}", "-rf"]


class Hostile(Stepped):
    name = "steps.hostile"

    def run(self, names):
        self.submit(Group(*(self.step(name, (work, name)) for name in names))).wait()
        return self.get_steps_done()


def test_a_name_never_leads_out_of_the_folder_of_notes(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    with Lab(tmp_path / "in" / "lab.sqlite") as lab:
        closed(lab.start(Hostile, HOSTILE, workflow_id="steps-hostile"))
        again = lab.start(Hostile, HOSTILE, workflow_id="steps-hostile")
        assert again.result(200) == sorted(HOSTILE)
        assert set(statuses(again).values()) == {"skipped"}
    assert [path.name for path in tmp_path.iterdir()] == ["in"]
    kept = [path for path in (tmp_path / "in" / "lab.sqlite.objects").rglob("*") if path.is_file()]
    assert {path.parent.name for path in kept} == {"steps"}
    assert len(kept) == len(HOSTILE)


@pytest.mark.parametrize("name", ["", "two\nlines", "nul\0", "\ud800", "right\u202eleft", None, 7])
def test_what_can_name_no_step_is_refused_in_one_line(name: Any) -> None:
    with pytest.raises(UsageError, match=r"can't name a step: [^\n]*$"):
        Step(name, (work, 1))


def test_a_name_too_long_for_a_signal_is_refused_where_it_would_be_sent() -> None:
    Step("x" * 251, (work, 1), emit_signal=True)
    Step("x" * 300, (work, 1))
    with pytest.raises(UsageError, match="has 252 characters: with emit_signal its name may have 251"):
        Step("x" * 252, (work, 1), emit_signal=True)


def test_a_name_too_long_for_a_note_is_refused_before_the_work_is_done(lab: Lab) -> None:
    execution = lab.start(Hostile, ["漢" * 400], workflow_id="steps-long")
    with pytest.raises(WorkflowExecutionFailed, match=r"its note's key has 12\d\d bytes, and 1024 is the most"):
        execution.result(200)
    assert worked(execution) == []


class Plain(Workflow):
    name = "steps.plain"
    task_list = "steps.test"

    def run(self):
        return self.submit(Step("s", (work, 1))).result


def test_a_workflow_without_the_mixin_is_told_how_to_get_it(lab: Lab) -> None:
    with pytest.raises(WorkflowExecutionFailed, match=r"write class Plain\(Workflow, WorkflowStepMixin\)"):
        lab.start(Plain).result(200)


# -- notes in a bucket -------------------------------------------------------------------------------------------------


class Bucket:
    """A bucket takes any key."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def put(self, key: str, content: bytes) -> None:
        self.objects[key] = content

    def get(self, key: str, *, max_bytes: int | None = None) -> bytes:
        return self.objects[key]

    def keys(self, prefix: str) -> list[str]:
        return sorted(key for key in self.objects if key.startswith(prefix))


def run_activity(kind: type[Any], *args: Any, bucket: Bucket) -> Any:
    places = {"my-bucket": bucket}
    context = {"run_id": "r", "workflow_id": "w", "version": "1.0"}
    with using_storage(Storage(MemoryObjects(), places.__getitem__)):
        return step_activity(kind, version="1.0").execute(args, {}, task_of(context))


@pytest.mark.parametrize("path", ["w/steps/", "w/steps"])
def test_notes_in_a_bucket_are_where_upstream_puts_them(path: str) -> None:
    """ST-02."""
    bucket = Bucket()
    bucket.put("w/steps/by upstream", b"")
    bucket.put("w/steps2/not ours", b"")
    bucket.put("w/steps/", b"a folder, as consoles make them")
    run_activity(MarkStepDoneTask, "my-bucket", path, "a.b", bucket=bucket)
    assert json.loads(bucket.objects["w/steps/a.b"]) == {"run_id": "r", "workflow_id": "w", "version": "1.0"}
    assert run_activity(GetStepsDoneTask, "my-bucket", path, bucket=bucket) == ["a.b", "by upstream"]


class Bucketed(Stepped):
    name = "steps.bucketed"

    def get_step_bucket(self):
        return "no bucket!"


def test_a_bucket_that_the_lab_cant_reach_fails_the_step_and_runs_nothing(virtual_lab: Lab) -> None:
    execution = virtual_lab.start(Bucketed, workflow_id="steps-bucketed")
    with pytest.raises(WorkflowExecutionFailed, match="no bucket!"):
        execution.result(200)
    assert worked(execution) == []


class InS3(Stepped):
    name = "steps.in-s3"

    def get_step_bucket(self):
        return s3.NAME


def test_notes_in_s3_are_found_by_another_lab(bucket: s3.Bucket) -> None:
    bucket.put("steps-s3/steps/a", b"{}")
    for expected in (["b.c", "bc"], []):
        with Lab(":memory:") as lab:
            assert worked(closed(lab.start(InS3, workflow_id="steps-s3"))) == expected
    assert bucket.keys == ["steps-s3/steps/a", "steps-s3/steps/b.c", "steps-s3/steps/bc"]


# -- the table of steps ------------------------------------------------------------------------------------------------


def test_a_recorded_history_has_the_same_table_of_steps(lab: Lab, tmp_path: Path) -> None:
    execution = closed(lab.start(Stepped, workflow_id="steps-recorded", skip="a"))
    (tmp_path / "h.json").write_text(execution.history().to_json())
    recorded = RecordedExecution(History.from_file(tmp_path / "h.json"))
    assert recorded.steps().equals(execution.steps())
    assert recorded.steps()["status"].tolist() == ["skipped", "completed", "completed"]


@pytest.mark.parametrize(
    "details",
    [
        None,
        "no JSON",
        "[" * 100_000,
        "7",
        '{"step":7,"status":"completed"}',
        '{"step":"s","status":"gone"}',
        '{"step":"s","status":["completed"]}',
    ],
)
def test_a_marker_that_says_something_else_is_no_step(details: str | None) -> None:
    assert RecordedExecution(history_of_markers(details)).steps().empty


def test_a_foreign_marker_may_leave_things_out() -> None:
    history = history_of_markers('{"step":"\\ud800","status":"completed","reasons":"x"}')
    (row,) = RecordedExecution(history).steps().to_dict("records")
    assert (row["step"], row["status"], row["forced"], row["reasons"]) == ("\ufffd", "completed", False, ())


def history_of_markers(details: str | None) -> History:
    marker = {"markerName": "log.step", "decisionTaskCompletedEventId": 1, **({"details": details} if details else {})}
    attributes: dict[str, dict[str, Any]] = {
        "workflowExecutionStarted": {"workflowType": {"name": "w", "version": "1"}, "taskList": {"name": "t"}},
        "markerRecorded": marker,
    }
    events = [
        {
            "eventId": number,
            "eventTimestamp": 1_700_000_000,
            "eventType": kind[0].upper() + kind[1:],
            f"{kind}EventAttributes": given,
        }
        for number, (kind, given) in enumerate(attributes.items(), start=1)
    ]
    return History.from_json(json.dumps({"events": events}))

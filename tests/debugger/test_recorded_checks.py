"""Code that is edited, checked against what was recorded: the right event is named, or the results are the same."""

from __future__ import annotations

import functools
import itertools
import linecache
import re
import signal
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simpleflow_lab import History, Lab, Workflow, activity, workflow
from simpleflow_lab.debugger.checking import Recorded, check_recorded, recorded_executions
from simpleflow_lab.debugger.recorded_checks import RecordedChecks
from simpleflow_lab.exceptions import NondeterminismError, UsageError
from simpleflow_lab.replay.replay import Replay
from simpleflow_lab.runtime.source_versions import SourceVersions
from simpleflow_lab.service.protocol import SWFService
from simpleflow_lab.swf.decisions import attributes
from tests.examples_count import examples
from tests.replay.recorded_by_upstream import HISTORIES, RECORDED, forget_others, use_run_hash
from tests.waiting import until

TASKS = {"task_list": "checks", "version": "1"}
counted: list[str] = []


def task(name: str, version: str = "1") -> Any:
    def made(x: int) -> int:
        counted.append(name)
        return x + 1

    made.__name__ = made.__qualname__ = name
    return activity.with_attributes(name=f"checks.{name}", task_list="checks", version=version)(made)


ACTIVITIES = {"one": task("one"), "two": task("two"), "one_later": task("one", "2")}
numbers = itertools.count()


def define(lines: list[str], name: str = "checks.flow") -> type[Workflow]:
    """The workflow whose `run` has these lines, from a file of its own."""
    body = "\n".join(f"        {line}" for line in ["x = 0", *lines, "return x"])
    source = (
        f"class Flow(Workflow):\n    name, version, task_list = {name!r}, '1', 'checks'\n    def run(self):\n{body}\n"
    )
    file = f"checks_{next(numbers)}.py"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    namespace: dict[str, Any] = {"Workflow": Workflow, "__name__": "checks_flows", **ACTIVITIES}
    exec(compile(source, file, "exec"), namespace)
    found: type[Workflow] = namespace["Flow"]
    return found


EDITS = [
    *("insert", "delete", "swap", "change", "rename", "argument", "version"),
    *("local", "reorder", "keyword", "try", "bound"),
]
"""In which ways a program is edited."""
LINES = st.sampled_from(
    [
        "x += self.submit(one, x).result",
        "x += self.submit(two, x).result",
        "x = self.submit(one, 7).result",
        "x = self.submit(one_later, x).result",
        "self.submit(self.start_timer(f't{x}', 1)).wait()",
        "self.submit(self.record_marker('m', x))",
        "a, b = self.submit(one, x), self.submit(two, x + 1); x = a.result + b.result",
        "x += self.submit(one, x + 1).result if x % 2 else 1",
        "for each in range(2): x += self.submit(one, x=x + each).result",
        "x = self.submit(two, x > 1).result",
        "x = self.submit(one, x / 2).result",
        "if x % 3 == 2: raise ValueError(x)",
        "if x % 3 == 1: self.fail(f'at {x}', str(x))",
    ]
)


@st.composite
def programs(draw: st.DrawFn) -> tuple[list[str], list[str]]:
    """The lines of a workflow, and the same edited in one of the ways in which people edit."""
    lines = draw(st.lists(LINES, min_size=1, max_size=5))
    edited = list(lines)
    place = draw(st.integers(0, len(lines) - 1))
    line = lines[place]
    match draw(st.sampled_from(EDITS)):
        case "insert":
            edited.insert(place, draw(LINES))
        case "delete":
            del edited[place]
        case "swap":
            other = draw(st.integers(0, len(lines) - 1))
            edited[place], edited[other] = edited[other], edited[place]
        case "change":
            edited[place] = draw(LINES)
        case "rename":
            edited[place] = edited[place].replace("one,", "two,")
        case "argument":
            edited[place] = (
                edited[place].replace(", x)", ", x + 1)").replace("Error(x", "Error(x + 1").replace("x / 2", "x // 2")
            )
        case "version":
            edited[place] = edited[place].replace("(one,", "(one_later,")
        case "local":
            edited = [re.sub(r"\bx\b(?!=)", "renamed", each) for each in lines]
            edited = ["renamed = x", *edited, "x = renamed"]
        case "reorder":
            edited[place] = line.replace(
                "a, b = self.submit(one, x), self.submit(two, x + 1)",
                "b, a = self.submit(two, x + 1), self.submit(one, x)",
            )
        case "keyword":
            edited[place] = line.replace("x=x + each", "x=x")
        case "try":
            edited[place] = (
                f"try: {line}\n        except ValueError: x = 0" if not line.startswith(("for", "if")) else line
            )
        case "bound":
            edited[place] = line.replace("range(2)", f"range({draw(st.integers(0, 3))})")
    return lines, edited


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab(":memory:", clock="virtual") as lab:
        yield lab


def recorded(history: History) -> list[Recorded]:
    return [Recorded(workflow_id="recorded", run_id="r", history=lambda: history)]


def decisions_at(definition: type[Workflow], history: History, started: int) -> list[Any]:
    """What the code decides at this decision task, if it has decided before as recorded."""
    replay = Replay(definition, workflow_id="recorded", run_id="r")
    try:
        replay.feed(history[:started])
        # Which of several comes first in one decision is no difference: a replay finds each by its kind and id.
        return sorted((normal(decision) for decision in replay.decide(started, dry=True).decisions), key=repr)
    finally:
        replay.close()


COMPARED = (
    "activityId",
    "activityType",
    "input",
    "timerId",
    "startToFireTimeout",
    "markerName",
    "details",
    "result",
    "reason",
)


def normal(decision: Any) -> Any:
    """A decision without what no replay compares: the line that made it, timeouts, and tracebacks."""
    its = dict(attributes(decision))
    if "Traceback" in str(its.get("details")):
        del its["details"]
    return decision["decisionType"], {name: its[name] for name in COMPARED if name in its}


@examples(60, 600)
@given(program=programs())
def test_an_edit_is_told_at_the_first_decision_that_it_changes_or_changes_none(
    program: tuple[list[str], list[str]], lab: Lab
) -> None:
    lines, edited = program
    execution = lab.start(define(lines))
    execution.wait(200)
    history = History(execution.history())
    counted.clear()
    same = check_recorded(define(lines), recorded(history), any_class=True)
    assert same.is_safe, repr(same)
    old, new = define(lines), define(edited)
    (check,) = check_recorded(new, recorded(history), any_class=True)
    assert counted == []
    started = [event.id for event in history if event.type == "DecisionTaskStarted"]
    different = next(
        (
            number
            for number, each in enumerate(started, 1)
            if check.decision is None or number <= check.decision
            if decisions_at(old, history, each) != decisions_at(new, history, each)
        ),
        None,
    )
    assert check.decision == different, f"{lines} → {edited}: {check}"
    if check.decision is not None:
        assert check.event_id is not None
        completed = [event.id for event in history if event.type == "DecisionTaskCompleted"]
        assert completed[check.decision - 1] <= check.event_id
        assert check.decision == len(completed) or check.event_id < completed[check.decision]
        assert check.recorded != check.now


@pytest.mark.parametrize(
    ("line", "edited", "recorded_as", "now_as"),
    [
        ("raise ValueError('a')", "raise ValueError('b')", "ValueError: a", "ValueError: b"),
        ("raise ValueError('a')", "raise KeyError('a')", "ValueError: a", "KeyError: 'a'"),
        ("self.fail('a')", "self.fail('b')", "with a", "with b"),
        ("self.fail('a', 'some')", "self.fail('a', 'other')", "details: some", "details: other"),
        ("self.submit(self.signal('go', 1)).wait()", "self.submit(self.signal('go', 2)).wait()", "[1]", "[2]"),
        ("x = 1", "x = True", "with 1", "with true"),
        ("x = 1", "x = 1.0", "with 1", "with 1.0"),
        ("self.submit(one, 1).wait()", "self.submit(one, True).wait()", "[1]", "[true]"),
        ("self.submit(self.continue_as_new('a'))", "self.submit(self.continue_as_new('b'))", '["a"]', '["b"]'),
    ],
)
def test_what_is_sent_is_compared_as_it_was_recorded(
    line: str, edited: str, recorded_as: str, now_as: str, lab: Lab
) -> None:
    execution = lab.start(define([line], "checks.sent"), workflow_id="sent")
    run_id = execution.run_id
    execution.wait(200)
    history = History(lab.execution("sent", run_id).history())
    each = [Recorded(workflow_id="sent", run_id=run_id, history=lambda: history)]
    assert check_recorded(define([line], "checks.sent"), each, any_class=True).is_safe
    (check,) = check_recorded(define([edited], "checks.sent"), each, any_class=True)
    assert not check.is_same
    assert recorded_as in str(check.recorded)
    assert now_as in str(check.now)


@pytest.mark.parametrize("line", ["raise ValueError(object())", "raise ValueError([lambda: x])", "int('x')"])
def test_a_failure_that_names_an_object_is_no_false_alarm(line: str, lab: Lab) -> None:
    execution = lab.start(define([line], "checks.object"))
    execution.wait(200)
    history = History(execution.history())
    assert execution.status == "FAILED"
    assert check_recorded(define([line], "checks.object"), recorded(history), any_class=True).is_safe


@pytest.mark.parametrize(("name", "definition"), RECORDED, ids=[name for name, _ in RECORDED])
def test_there_is_no_false_alarm_on_what_upstream_recorded(
    name: str, definition: type[Workflow], monkeypatch: pytest.MonkeyPatch
) -> None:
    forget_others(monkeypatch)
    history = History.from_file(HISTORIES / f"{name}.json")
    use_run_hash(monkeypatch, history)
    each = Recorded(workflow_id="test-simpleflow-workflow", run_id="r", history=lambda: history)
    checks = check_recorded(definition, [each], any_class=True)
    assert checks.summary == "safe with 1 of 1 recorded execution"


def test_open_executions_come_first_and_are_told_how_to_go_on() -> None:
    old = ["x = self.submit(one, 1).result", "self.submit(self.wait_signal('go')).wait()"]
    with Lab(":memory:") as lab:
        definition = define(old, "checks.open")
        for number in range(3):
            execution = lab.start(definition, workflow_id=f"nightly-{number}")
            if number != 1:
                execution.signal("go")
                execution.result(200)
        waiting = lab.execution("nightly-1")
        while "go" not in str(waiting.describe().get("latestExecutionContext")):
            next(iter(waiting.watch(timeout=200)))
        assert lab.check(definition).summary == "safe with 3 of 3 recorded executions"
        changed = define(["x = self.submit(one, 2).result", old[1]], "checks.open")
        counted.clear()
        checks = lab.check(changed)
        assert counted == []
        assert [check.workflow_id for check in checks] == ["nightly-1", "nightly-2", "nightly-0"]
        first = checks[0]
        assert (first.is_open, first.decision, first.event_id) == (True, 1, 5)
        assert str(first.recorded_line).endswith("py:5, x = self.submit(one, 1).result")
        assert str(first.now_line).endswith("py:5, x = self.submit(one, 2).result")
        assert checks.summary.startswith(
            "differs in nightly-1 (open) at decision 1, event 5: recorded activity checks.one"
        )
        assert checks.summary.endswith("; and in 2 more of 3")
        advice = str(checks.advice).splitlines()
        assert 'if self.patched("a name for this change"):' in advice[1]
        assert "self.submit(one, 2)" in advice[2]
        assert "self.submit(one, 1)" in advice[4]
        assert list(checks.to_pandas()["same"]) == ["no", "no", "no"]
        by_another = define(old, "checks.open")
        by_another.run.__globals__["one"] = ACTIVITIES["two"]  # type: ignore[attr-defined]
        assert "with what it uses as before, under another name" in str(lab.check(by_another).advice)
        in_a_function = define(["def step(x): return self.submit(one, x).result", "x = step(2)", old[1]], "checks.open")
        assert lab.check(in_a_function).advice.splitlines()[2] == "        …  # new executions"  # type: ignore[union-attr]
        # The advice helps.
        patched = define(
            ["x = self.submit(one, 2 if self.patched('a name for this change') else 1).result", old[1]], "checks.open"
        )
        assert lab.check(patched).is_safe
        waiting.signal("go")
        assert waiting.result(200) == 2


@pytest.mark.parametrize("end", ["return 'early'", "raise ValueError('early')", "self.submit(two, 5)"])
def test_an_edit_that_acts_where_an_open_execution_only_waited_is_told_and_holds_it(end: str) -> None:
    with Lab(":memory:") as lab:  # by a virtual clock it would soon be out of time
        waits = ["x = self.submit(one, x).result", "self.submit(self.wait_signal('go')).wait()"]
        execution = lab.start(define(waits))
        for _ in execution.watch(timeout=200):
            if "signal go" in str(execution.waiting_for()):
                break
        edited = define([waits[0], end, waits[1]])
        checks = lab.check(edited)
        assert re.search(r"differs in .* \(open\) at decision 2, event 10: recorded nothing; now ", checks.summary)
        execution.signal("go")
        with pytest.raises(NondeterminismError, match="event 10: the history has nothing here"):
            execution.result(200)
        assert execution.status == "OPEN"
        define(waits)
        until(lambda: execution.decision_error is None)
        assert execution.result(200) == 1


class Paged:
    """A service that lists two executions at a time."""

    def __init__(self, service: SWFService) -> None:
        self._service = service

    def __getattr__(self, name: str) -> Any:
        return functools.partial(getattr(self._service, name), maximumPageSize=2)


def test_all_that_is_recorded_is_looked_up_on_however_many_pages() -> None:
    definition = define(["self.submit(self.wait_signal('go')).wait()"], "checks.pages")
    with Lab(":memory:") as lab:
        executions = [lab.start(definition, workflow_id=f"pages-{number}") for number in range(8)]
        for execution in executions[:5]:
            execution.terminate()
        found = recorded_executions(Paged(lab.service), lab.domain, definition, lambda workflow_id, run_id: History())
    ids = [each.workflow_id for each in found]
    assert set(ids[:3]) == {"pages-5", "pages-6", "pages-7"}
    assert sorted(ids[3:]) == [f"pages-{number}" for number in range(5)]
    assert [each.is_open for each in found] == [True] * 3 + [False] * 5


def test_code_that_never_waits_is_left_and_prints_nothing(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = ["x = self.submit(one, 1).result"]
    with Lab(":memory:") as lab:
        execution = lab.start(define(lines, "checks.endless"), workflow_id="endless")
        execution.result(200)
        endless = define(["print('here')", *lines, "while True: x += 1"], "checks.endless")
        checks = lab.check(endless, seconds=2)
        assert checks.summary.startswith("1 execution not checked within 2 s (endless was being replayed")
        assert "? <strong>" in checks._repr_html_()
        monkeypatch.setenv("SIMPLEFLOW_LAB_STEP_SECONDS", "0.5")
        checks = lab.check(endless)
        said = "1 execution not checked for run did not wait within 0.5 s (endless was being replayed, at "
        assert checks.summary.startswith(said)
        assert checks.summary.endswith(", while True: x += 1)")
        assert lab.check(define(["print('here')", *lines], "checks.endless")).is_safe
    assert capfd.readouterr() == ("", "")


def test_an_interrupt_ends_a_check_and_its_code() -> None:
    lines = ["x = self.submit(one, 1).result"]
    began = threading.Event()
    with Lab(":memory:") as lab:
        lab.start(define(lines, "checks.interrupted"), workflow_id="endless").result(200)
        endless = define([*lines, "began.set()", "while True: x += 1"], "checks.interrupted")
        endless.run.__globals__["began"] = began  # type: ignore[attr-defined]

        def interrupt() -> None:
            began.wait(200)
            signal.raise_signal(signal.SIGINT)

        sender = threading.Thread(target=interrupt)
        sender.start()
        with pytest.raises(KeyboardInterrupt):
            lab.check(endless)
        sender.join(200)
        for thread in [each for each in threading.enumerate() if each.name == "check of recorded executions"]:
            thread.join(200)
            assert not thread.is_alive()


def test_nothing_recorded_and_what_is_no_workflow(lab: Lab) -> None:
    definition = define([], "checks.nothing")
    checks = lab.check(definition)
    assert (len(checks), checks.total, repr(checks)) == (0, 0, "Flow: nothing is recorded")
    with pytest.raises(UsageError, match="is no workflow"):
        lab.check(int)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="more than 0"):
        lab.check(definition, seconds=0)
    workflow.forget(definition)


def test_a_history_that_cant_be_had_is_told_and_the_others_are_checked(lab: Lab) -> None:
    definition = define([], "checks.gone")
    history = History(lab.start(definition).history())

    def gone() -> History:
        raise UsageError("it is gone")

    checks = check_recorded(
        definition, [Recorded(workflow_id="gone", history=gone), Recorded(workflow_id="there", history=lambda: history)]
    )
    assert [check.is_same for check in checks] == [False, True]
    assert checks.summary == "gone: it is gone"


def test_hostile_texts_are_escaped_and_made_visible() -> None:
    evil = "<script>alert(1)</script>\x1b[31m"
    history = History()
    checks = check_recorded(Workflow, [Recorded(workflow_id=evil, history=lambda: history)], any_class=True).beside(
        evil, evil
    )
    assert "<script" not in checks._repr_html_()
    assert "\x1b" not in repr(checks) + checks._repr_html_()
    assert isinstance(checks, RecordedChecks)


def test_a_recorded_line_is_shown_from_the_version_that_had_it() -> None:
    versions = SourceVersions()
    lines = [f"flows.py:6, x = self.submit(one, {number}).result" for number in range(3)]
    for number in (1, 2):
        code = [f"y = {number}", f"x = self.submit(one, {number}).result   # two  spaces"]
        versions.add("flow", define(code), since=10.0 * number, now=10.0 * number + 1)
    then, now = versions.around("flow", lines[1], at=15.0), versions.around("flow", lines[2], at=25.0)
    assert then is not None
    assert now is not None
    assert "→    6         x = self.submit(one, 1).result" in then
    assert "→    6         x = self.submit(one, 2).result" in now
    assert versions.around("flow", lines[1], at=5.0) is None  # before the first
    assert versions.around("flow", lines[1], at=25.0) is None  # a line of another version
    assert versions.around("flow", lines[1], at=20.5) is None  # of which version is not known
    assert versions.around("flow", lines[1], at=None) is None
    assert versions.around("flow", "flows.py:6, something else", at=15.0) is None
    assert versions.around("other", lines[1], at=15.0) is None
    assert versions.around("flow", None, at=15.0) is None
    # The same line around which something else stood: what was recorded is shown, and not what is defined now.
    versions.add("flow", define(["y = 3", "x = self.submit(one, 2).result"]), since=30.0, now=31.0)
    earlier, later = versions.around("flow", lines[2], at=25.0), versions.around("flow", lines[2], at=35.0)
    assert earlier is not None
    assert later is not None
    assert "y = 2" in earlier
    assert "y = 3" in later
    for number in range(20):
        versions.add("flow", define([f"x = {number}"]), since=40.0 + number, now=40.5 + number)
    assert versions.around("flow", lines[1], at=15.0) is None


def test_a_close_that_differs_shows_both_values_and_the_line_that_raises(lab: Lab) -> None:
    execution = lab.start(define(["x = self.submit(one, 1).result"]))
    execution.result(200)
    history = History(execution.history())
    (other,) = check_recorded(define(["x = self.submit(one, 1).result + 5"]), recorded(history), any_class=True)
    assert (other.recorded, other.now) == (
        "close CompleteWorkflowExecution with 2",
        "close CompleteWorkflowExecution with 7",
    )
    code = ["x = self.submit(one, 1).result", "raise KeyError('lost')"]
    (raises,) = check_recorded(define(code), recorded(history), any_class=True)
    assert raises.now is not None
    assert raises.now.startswith("close FailWorkflowExecution with KeyError: 'lost'")
    assert raises.now_line is not None
    assert raises.now_line.endswith(":6, raise KeyError('lost')")


def test_a_check_that_is_asked_for_shows_the_source_now_and_says_that_the_other_is_not_known(lab: Lab) -> None:
    execution = lab.start(define(["x = self.submit(one, 1).result   # two  spaces"], "checks.asked"))
    execution.result(200)
    edited = define(["x = self.submit(one, 2).result   # two  spaces"], "checks.asked")
    for _ in range(2):
        text = repr(lab.check(edited))
        assert "→    5         x = self.submit(one, 2).result   # two  spaces" in text
        assert "what was around this line is not known" in text

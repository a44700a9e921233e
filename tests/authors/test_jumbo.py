"""Values larger than SWF's fields: from 50 kB to 5 MB, everywhere a value may stand.

On the embedded engine they are beside the store; over the wire they are in S3, for which moto's server stands.
"""

from __future__ import annotations

import json
import logging
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from simpleflow_lab import Chain, FuncGroup, Group, Lab, Workflow, activity, futures
from simpleflow_lab.data.objects import MemoryObjects
from simpleflow_lab.data.references import MAX_JUMBO, is_reference, reference_in
from simpleflow_lab.exceptions import (
    JumboTooLargeError,
    NondeterminismError,
    ObjectNotFoundError,
    StoreError,
    UsageError,
    WorkflowExecutionFailed,
)
from simpleflow_lab.replay.replay import Replay
from simpleflow_lab.swf import decisions
from tests.authors.conftest import here, over_the_wire
from tests.s3 import Bucket
from tests.waiting import until

TASKS = {"task_list": "jumbo", "version": "1"}
ran: Counter[str] = Counter()


def text_of(length: int, mark: str = "") -> str:
    return (mark + "0123456789abcdefghij" * (length // 20 + 1))[:length]


@activity.with_attributes(name="jumbo.make", **TASKS)
def make(length, mark=""):
    return text_of(length, mark)


@activity.with_attributes(name="jumbo.grow", **TASKS)
def grow(text, by=1):
    ran["grow"] += 1
    return text + "+" * by


@activity.with_attributes(name="jumbo.measure", **TASKS)
def measure(*values, **named):
    return [len(value) for value in values] + [len(value) for value in named.values()]


@activity.with_attributes(name="jumbo.lengths", **TASKS)
def lengths(texts):
    return [len(text) for text in texts]


@activity.with_attributes(name="jumbo.echo", **TASKS)
def echo(*values, **named):
    return [list(values), named]


@activity.with_attributes(name="jumbo.fails", **TASKS)
def fails(length):
    raise ValueError(text_of(length) + " the end")


@activity.with_attributes(name="jumbo.fails_aloud", raises_on_failure=True, **TASKS)
def fails_aloud(length):
    raise ValueError(text_of(length) + " the end")


@activity.with_attributes(name="jumbo.once", idempotent=True, **TASKS)
def once(text):
    ran["once"] += 1
    return len(text)


class Jumbo(Workflow):
    task_list = "jumbo"


@pytest.fixture(params=["engine", "wire"])
def lab(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """A Lab on the embedded engine, and one over the wire with a bucket."""
    ran.clear()
    if request.param == "engine":
        with here(monkeypatch) as opened:
            yield opened
        return
    bucket: Bucket = request.getfixturevalue("bucket")
    monkeypatch.setenv("SIMPLEFLOW_JUMBO_FIELDS_BUCKET", f"{bucket.name}/with/optional/prefix/")
    with over_the_wire(monkeypatch) as opened:
        yield opened


def large_fields(execution) -> list[str]:
    """Every reference in the history."""
    return [
        value
        for event in execution.history()
        for value in event.attributes.values()
        if isinstance(value, str) and is_reference(value)
    ]


# -- everywhere a value may stand --------------------------------------------------------------------------------------


class RoundTrip(Jumbo):
    name = "jumbo.round_trip"

    def run(self, text, by):
        return self.submit(grow, text, by).result


@pytest.mark.parametrize("length", [32_700, 32_766, 32_767, 50_000, 1_000_000, MAX_JUMBO - 100])
def test_input_argument_and_result_come_back_as_they_went(lab, length):
    execution = lab.start(RoundTrip, text_of(length), by=3)
    assert execution.result(60) == text_of(length) + "+++"
    for field in large_fields(execution):
        reference = reference_in(field)
        assert reference.is_verified
        assert 32_768 < reference.size <= length + 60
    assert (large_fields(execution) == []) == (length == 32_700)


def test_the_signature_is_upstreams_with_bucket_and_prefix(lab):
    execution = lab.start(RoundTrip, text_of(50_000), by=0)
    execution.result(60)
    place = "store://jumbo" if lab.address == ":memory:" else "s3://fields-of-jumbo/with/optional/prefix"
    assert len(large_fields(execution)) >= 4
    assert all(field.startswith(f"simpleflow+{place}/") for field in large_fields(execution))


def test_equal_values_are_one_object(lab):
    one, other = (lab.start(RoundTrip, text_of(50_000), by=1) for _ in range(2))
    one.result(60)
    other.result(60)
    assert sorted(large_fields(one)) == sorted(large_fields(other))


def test_a_result_beyond_ascii_is_what_it_was(lab):
    class Unicode(Jumbo):
        name = "jumbo.unicode"

        def run(self, text):
            return self.submit(echo, text, named={"é": [text]}).result

    text = "é😀\u2028\x00<b>" * 10_000
    assert lab.start(Unicode, text).result(60) == [[text], {"named": {"é": [text]}}]


class Everywhere(Jumbo):
    """A group, a chain, a child, a signal to itself, a marker, a timer with a control, all large."""

    name = "jumbo.everywhere"

    def run(self, length):
        group = self.submit(Group((make, length, "a"), (make, length, "b"), (make, 10, "c")))
        chain = self.submit(Chain((make, length), (grow,), (grow,), send_result=True))
        child = self.submit(RoundTrip, text_of(length), by=5)
        marker = self.submit(self.record_marker("noted", {"text": text_of(length, "m")}))
        timer = self.submit(self.start_timer("soon", 0, control={"text": text_of(length, "t")}))
        self.submit(self.signal("said", text_of(length, "s"), propagate=False))
        said = self.submit(self.wait_signal("said"))
        futures.wait(group, chain, child, marker, timer)
        (noted,) = self.list_markers()
        return {
            "group": [len(text) for text in group.result],
            "chain": [len(text) for text in chain.result],
            "child": len(child.result),
            "noted": noted.details["text"] == text_of(length, "m"),
            "said": said.result["args"] == [text_of(length, "s")],
        }


def test_groups_chains_children_signals_markers_and_timers_take_large_values(lab):
    """JF-10: upstream's markers and timers did not."""
    execution = lab.start(Everywhere, 60_000)
    assert execution.result(60) == {
        "group": [60_000, 60_000, 10],
        "chain": [60_000, 60_001, 60_002],
        "child": 60_005,
        "noted": True,
        "said": True,
    }
    kept = {
        event.type
        for event in execution.history()
        for value in event.attributes.values()
        if isinstance(value, str) and is_reference(value)
    }
    assert kept >= {
        "ActivityTaskCompleted",
        "StartChildWorkflowExecutionInitiated",
        "ChildWorkflowExecutionCompleted",
        "MarkerRecorded",
        "SignalExternalWorkflowExecutionInitiated",
        "WorkflowExecutionSignaled",
        "TimerStarted",
    }


def test_the_next_run_gets_large_arguments(lab):
    class Continues(Jumbo):
        name = "jumbo.continues"

        def run(self, text, left):
            if left:
                return self.submit(self.continue_as_new(self.submit(grow, text), left - 1)).result
            return len(text)

    assert lab.start(Continues, text_of(50_000), 2).result(60) == 50_002


def test_a_signal_from_outside_may_be_large(lab):
    class Listens(Jumbo):
        name = "jumbo.listens"

        def run(self):
            return len(self.submit(self.wait_signal("said")).result)

    execution = lab.start(Listens)
    execution.signal("said", '"' + text_of(80_000) + '"')
    assert execution.result(60) == 80_000


def test_a_signal_that_only_looks_like_a_reference_is_text_and_holds_up_nobody(lab):
    class Repeats(Jumbo):
        name = "jumbo.repeats"

        def run(self):
            return self.submit(self.wait_signal("said")).result

    hostile = "simpleflow+s3://someone-elses-bucket/../../secret/key 7"
    execution = lab.start(Repeats)
    execution.signal("said", hostile)
    assert execution.result(60) == hostile


# -- failures ----------------------------------------------------------------------------------------------------------


class Fails(Jumbo):
    name = "jumbo.fails"

    def run(self, how, length):
        match how:
            case "raises":
                raise ValueError(text_of(length) + " the end")
            case "asks to":
                self.fail(text_of(length), text_of(length) + " the end")
            case "task":
                return self.submit(fails_aloud, length).result
        error = self.submit(fails, length).exception
        return [len(error.reason), error.details.count(text_of(length) + " the end") > 0]


@pytest.mark.parametrize("length", [340, 40_000, 1_000_000])
@pytest.mark.parametrize("how", ["raises", "asks to", "task"])
def test_a_failure_with_a_long_message_fails_once_with_a_short_reason_and_all_of_it_in_its_details(lab, how, length):
    """Reliability L2 and L3: upstream lost the message, or told nobody until the execution timed out."""
    execution = lab.start(Fails, how, length)
    with pytest.raises(WorkflowExecutionFailed) as failed:
        execution.result(60)
    assert 100 < len(failed.value.reason) <= 256
    assert "the end" in failed.value.details
    assert len(failed.value.details) >= length
    assert execution.status == "FAILED"


def test_the_workflow_reads_the_whole_error_of_a_task(lab):
    assert lab.start(Fails, "caught", 40_000).result(60) == [256, True]


def test_a_failure_too_long_to_be_kept_is_told_in_part(lab):
    with pytest.raises(WorkflowExecutionFailed) as failed:
        lab.start(Fails, "task", MAX_JUMBO + 1).result(60)
    assert failed.value.reason.startswith("TaskFailed")
    assert len(failed.value.details) <= 32_768


class TooLarge(Jumbo):
    name = "jumbo.too_large"

    def run(self, where):
        match where:
            case "result":
                return text_of(MAX_JUMBO)
            case "argument":
                return self.submit(measure, text_of(MAX_JUMBO)).result
        return type(self.submit(make, MAX_JUMBO).exception).__name__


@pytest.mark.parametrize("where", ["result", "argument"])
def test_more_than_five_megabytes_are_the_authors_error_and_say_so_in_one_line(lab, where):
    """JF-04, JF-09."""
    with pytest.raises(WorkflowExecutionFailed, match=r"at most 5242880 can be kept: store it elsewhere") as failed:
        lab.start(TooLarge, where).result(60)
    assert failed.value.reason.startswith("JumboTooLargeError")


def test_a_task_that_returns_more_than_five_megabytes_has_failed(lab):
    assert lab.start(TooLarge, "task").result(60) == "TaskFailed"


def test_an_input_of_more_than_five_megabytes_is_refused_before_anything_is_started(lab):
    small = lab.start(RoundTrip, "x", by=1)
    with pytest.raises(UsageError, match="5242880"):
        lab.start(RoundTrip, text_of(MAX_JUMBO), by=1)
    assert [info["execution"]["workflowId"] for info in lab.execution_infos()] == [small.workflow_id]
    small.result(60)


def test_without_a_bucket_a_large_field_is_refused_and_the_way_out_is_named(monkeypatch):
    with over_the_wire(monkeypatch) as lab:
        with pytest.raises(UsageError, match="SIMPLEFLOW_JUMBO_FIELDS_BUCKET") as refused:
            lab.start(RoundTrip, text_of(50_000), by=1)
        assert "\n" not in str(refused.value)
        with pytest.raises(WorkflowExecutionFailed, match="SIMPLEFLOW_JUMBO_FIELDS_BUCKET"):
            lab.start(WithoutBucket).result(60)
        with pytest.raises(WorkflowExecutionFailed) as failed:
            lab.start(Fails, "task", 40_000).result(60)
        assert len(failed.value.details) <= 32_768


class WithoutBucket(Jumbo):
    name = "jumbo.without_bucket"

    def run(self):
        return self.submit(measure, text_of(50_000)).result


def test_the_error_is_upstreams_value_error():
    assert issubclass(JumboTooLargeError, ValueError)


# -- what nobody reads stays where it is -------------------------------------------------------------------------------


class Reads(MemoryObjects):
    """Objects that note who reads them."""

    def __init__(self) -> None:
        super().__init__()
        self.readers: dict[str, list[str]] = {}

    def get(self, key: str, *, max_bytes: int | None = None) -> bytes:
        self.readers.setdefault(key, []).append(threading.current_thread().name)
        return super().get(key, max_bytes=max_bytes)


class Pipeline(Jumbo):
    """Large values go from task to task; the workflow looks at none."""

    name = "jumbo.pipeline"

    def run(self, length):
        first = self.submit(make, length)
        second = self.submit(grow, first)
        many = self.submit(Group(*((grow, second, n) for n in range(3))))
        chain = self.submit(Chain((make, length, "z"), (grow,), send_result=True))
        nested = self.submit(echo, [first, {"second": second}], chain=chain)
        child = self.submit(Inner, many, nested)
        return child.result


class Inner(Jumbo):
    name = "jumbo.inner"

    def run(self, many, nested):
        return [[len(text) for text in many], len(nested[0][0][0]), len(nested[1]["chain"][1])]


def test_a_large_result_is_passed_on_without_being_read_by_the_decider():
    """JF-07."""
    with Lab(":memory:", activity_threads=2) as lab:
        objects = lab.storage.default = Reads()
        execution = lab.start(Pipeline, 100_000)
        assert execution.result(60) == [[100_001, 100_002, 100_003], 100_000, 100_001]
        inner = lab.execution(lab.execution_infos()[0]["execution"]["workflowId"])
        scheduled = [
            event.attributes["input"] for event in execution.history() if event.type == "ActivityTaskScheduled"
        ]
        assert all(len(text) < 1_000 for text in scheduled)
        assert any('"__jumbo":[["args",0]]' in text for text in scheduled)
        results = [
            reference_in(event.attributes["result"]).name
            for event in execution.history()
            if event.type == "ActivityTaskCompleted" and is_reference(event.attributes["result"])
        ]
        assert inner.status == "COMPLETED"
        readers = objects.readers[f"jumbo/{results[0]}"]
        assert len(readers) == 2
        assert all(name.startswith("activity worker") for name in readers)


def test_a_large_result_passed_on_is_the_same_over_the_wire(lab):
    assert lab.start(Pipeline, 100_000).result(60) == [[100_001, 100_002, 100_003], 100_000, 100_001]


def test_who_reads_a_large_result_sees_the_value_each_time_the_same(lab):
    class Looks(Jumbo):
        name = "jumbo.looks"

        def run(self, length):
            future = self.submit(make, length)
            text = future.result
            assert future.result is text
            assert self.submit(measure, future, other=text).result == [length, length]
            group = self.submit(Group((make, length), (make, length, "b")))
            assert [type(each) for each in group.result] == [str, str]
            fan = self.submit(FuncGroup(lambda texts: Group(*((measure, each) for each in texts)), [text, text]))
            return [text[:10], fan.result]

    assert lab.start(Looks, 70_000).result(60) == [text_of(10), [[70_000], [70_000]]]


def test_an_idempotent_task_with_a_large_argument_runs_once(lab):
    class Idempotent(Jumbo):
        name = "jumbo.idempotent"

        def run(self, length):
            made = self.submit(make, length)
            return futures.wait([self.submit(once, made), self.submit(once, text_of(length)), self.submit(once, made)])

    assert lab.start(Idempotent, 70_000).result(60) == [70_000] * 3
    assert ran["once"] == 1


def test_a_value_that_looks_like_a_reference_is_a_value(lab):
    hostile = "simpleflow+s3://someone-elses-bucket/12345678-1234-4234-8234-123456789abc 7"

    class Passes(Jumbo):
        name = "jumbo.passes"

        def run(self, text):
            echoed = self.submit(echo, text, jumbo=[text], __jumbo=[["args", 0]])
            return echoed.result

    assert lab.start(Passes, hostile).result(60) == [[hostile], {"jumbo": [hostile], "__jumbo": [["args", 0]]}]


@activity.with_attributes(name="jumbo.retried", retry=1, **TASKS)
def retried(text):
    return len(text)


def test_a_retry_of_a_task_that_another_decider_scheduled_has_its_input(bucket: Bucket, monkeypatch):
    """Another decider gave the object with the input a name of its own."""
    monkeypatch.setenv("SIMPLEFLOW_JUMBO_FIELDS_BUCKET", bucket.name)

    class TakesOver(Jumbo):
        name = "jumbo.takes_over"

        def run(self):
            return self.submit(retried, text_of(70_000)).result

    with Lab(":memory:", serve="nothing") as lab:
        execution = lab.start(TakesOver)
        polls = {"domain": lab.domain, "taskList": {"name": "jumbo"}}
        content = json.dumps({"args": [text_of(70_000)], "kwargs": {}})
        key = "8710b4ed-523d-438f-a3d8-c7700d01e8cd"
        bucket.put(key, content.encode())
        scheduled = decisions.schedule_activity_task(
            activity_id="activity-jumbo.retried-1",
            name="jumbo.retried",
            version="1",
            input=f"simpleflow+s3://{bucket.name}/{key} {len(content)}",
            task_list="jumbo",
            **dict.fromkeys(("heartbeat_timeout", "start_to_close_timeout", "schedule_to_start_timeout"), "60"),
            schedule_to_close_timeout="60",
        )
        lab.service.register_activity_type(domain=lab.domain, name="jumbo.retried", version="1")
        token = lab.service.poll_for_decision_task(**polls)["taskToken"]
        lab.service.respond_decision_task_completed(taskToken=token, decisions=[scheduled])
        token = lab.service.poll_for_activity_task(**polls)["taskToken"]
        lab.service.respond_activity_task_failed(taskToken=token, reason="it was killed")
        lab.serves = "everything"
        lab.resume()
        assert execution.result(60) == 70_000
        assert len(bucket.keys) == 2


# -- the world's errors ------------------------------------------------------------------------------------------------


class Broken(MemoryObjects):
    """Objects that fail for a while."""

    def __init__(self, error: type[StoreError], *, reads: bool = False, writes: bool = False):
        super().__init__()
        self.error = error
        self.reads, self.writes = reads, writes
        self.failed = threading.Event()

    def mend(self) -> None:
        self.reads = self.writes = False

    def put(self, key: str, content: bytes) -> None:
        self._fail_if(self.writes, key)
        super().put(key, content)

    def get(self, key: str, *, max_bytes: int | None = None) -> bytes:
        self._fail_if(self.reads, key)
        return super().get(key, max_bytes=max_bytes)

    def _fail_if(self, broken: bool, key: str) -> None:
        if broken:
            self.failed.set()
            raise self.error(key, "memory") if self.error is ObjectNotFoundError else self.error("503 SlowDown")


class Swallows(Jumbo):
    """Code that takes every error for its own."""

    name = "jumbo.swallows"

    def run(self, length):
        made = self.submit(make, length)
        try:
            return len(made.result)
        except BaseException:
            return "swallowed"


class Marks(Jumbo):
    name = "jumbo.marks"

    def run(self, length):
        try:
            self.submit(self.record_marker("large", text_of(length)))
        except BaseException:
            return "swallowed"
        return text_of(length, "result")


class Takes(Jumbo):
    """The decider writes the argument and reads nothing; the worker reads it."""

    name = "jumbo.takes"

    def run(self, length):
        return self.submit(measure, text_of(length)).result


@pytest.fixture
def broken(caplog: pytest.LogCaptureFixture) -> Iterator[Callable[..., tuple[Lab, Broken]]]:
    """Opens Labs whose objects fail for a while, and says nothing of it."""
    caplog.set_level(logging.CRITICAL)
    opened: list[Lab] = []

    def open_broken(error: type[StoreError], **what: bool) -> tuple[Lab, Broken]:
        lab = Lab(":memory:", activity_threads=1)
        opened.append(lab)
        objects = lab.storage.default = Broken(error, **what)
        return lab, objects

    yield open_broken
    for lab in opened:
        lab.close()


@pytest.mark.parametrize("error", [StoreError, ObjectNotFoundError])
def test_a_result_that_can_not_be_read_holds_the_decision_up_and_no_code_of_the_authors_meets_it(broken, error):
    """Reliability K3, F29: upstream failed the execution."""
    lab, objects = broken(error, reads=True)
    execution = lab.start(Swallows, 50_000)
    until(lambda: execution.decision_error is not None)
    assert type(execution.decision_error) is error
    assert execution.status == "OPEN"
    objects.mend()
    assert execution.result(60) == 50_000


def test_an_object_that_can_not_be_written_holds_the_decision_up_and_nothing_refers_to_it(broken):
    """Reliability F29: put before the event is recorded."""
    lab, objects = broken(StoreError, writes=True)
    execution = lab.start(Marks, 50_000)
    until(lambda: execution.decision_error is not None)
    assert execution.status == "OPEN"
    assert large_fields(execution) == []
    objects.mend()
    assert execution.result(60) == text_of(50_000, "result")


@pytest.mark.parametrize("what", ["reads", "writes"])
def test_a_worker_waits_for_its_input_and_for_its_result_without_spending_a_retry(broken, what):
    lab, objects = broken(StoreError, **{what: True})
    execution = lab.start(Takes if what == "reads" else Swallows, 50_000)
    if what == "writes":
        assert objects.failed.wait(200)
    else:
        until(objects.failed.is_set)
    assert execution.status == "OPEN"
    objects.mend()
    assert execution.result(60) == ([50_000] if what == "reads" else 50_000)
    assert "ActivityTaskFailed" not in [event.type for event in execution.history()]


def test_a_task_whose_input_is_gone_has_failed_and_says_which(broken):
    lab, _ = broken(ObjectNotFoundError, reads=True)

    class Gone(Jumbo):
        name = "jumbo.gone"

        def run(self, length):
            return self.submit(measure, text_of(length)).exception.reason

    assert "ObjectNotFoundError: no object jumbo/" in lab.start(Gone, 50_000).result(60)


def rewrite(file: Path, begins: bytes) -> None:
    """Another content of the same length behind the file's first line, which names the object."""
    key, content = file.read_bytes().split(b"\n", 1)
    file.write_bytes(key + b"\n" + begins + content[len(begins) :])


class PassesOn(Jumbo):
    """The second activity gets the first one's result as a reference, once the test has had its way with the object."""

    name = "jumbo.passes_on"

    def run(self, length):
        made = self.submit(make, length)
        made.wait()
        self.submit(self.wait_signal("go")).wait()
        return self.submit(measure, made).result


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda file: file.write_bytes(b"x" * 50_002), "JumboContentError: .* is not what the file "),
        (lambda file: file.write_bytes(b""), "JumboContentError: .* is not what the file "),
        (lambda file: rewrite(file, b'"y'), "JumboContentError: .* was changed after it was written"),
        (lambda file: rewrite(file, b"\xff\xff"), "JumboContentError: .* is not text in UTF-8"),
        (lambda file: file.write_bytes(file.read_bytes()[:-1]), "JumboContentError: .* has 50001 characters"),
        (lambda file: file.write_bytes(file.read_bytes() * 9), "JumboContentError: .* is larger than 200008 bytes"),
        (lambda file: (file.unlink(), file.symlink_to("/etc/passwd")), "JumboContentError: .* is not what is at "),
        (lambda file: (file.unlink(), file.mkdir()), "JumboContentError: .* is not what is at "),
        (lambda file: file.unlink(), "ObjectNotFoundError: no object jumbo/"),
    ],
    ids=["replaced", "emptied", "changed", "no text", "cut", "longer", "a link", "a folder", "removed"],
)
def test_a_worker_that_meets_a_spoiled_large_value_fails_its_task_and_leaves_nothing_open(tmp_path, spoil, says):
    with Lab(str(tmp_path / "lab.sqlite")) as lab:
        execution = lab.start(PassesOn, 50_000)
        until(lambda: "signal go" in execution.waits_in_short())
        [file] = [found for found in (tmp_path / "lab.sqlite.objects").rglob("*") if found.is_file()]
        spoil(file)
        execution.signal("go")
        assert execution.result(60) is None
        assert execution.status == "COMPLETED"
        [failure] = execution.unhandled_failures().to_dict("records")
        assert failure["id"] == "activity-jumbo.measure-1"
        assert re.search(says, failure["reason"])


def test_a_bucket_and_prefix_of_165_characters_hold_every_large_value(bucket, monkeypatch):
    """Upstream takes as many, and no more."""
    place = f"{bucket.name}/{'p' * 165}"[:165]
    monkeypatch.setenv("SIMPLEFLOW_JUMBO_FIELDS_BUCKET", place)
    with here(monkeypatch) as lab:
        execution = lab.start(RoundTrip, text_of(50_000), by=1)
        assert execution.result(60) == text_of(50_000) + "+"
        fields = large_fields(execution)
        assert fields
        assert all(field.startswith(f"simpleflow+s3://{place}/") for field in fields)
        failed = lab.start(Fails, "task", 50_000)
        with pytest.raises(WorkflowExecutionFailed):
            failed.result(60)
        assert all(len(event.attributes.get("reason") or "") <= 256 for event in failed.history())
    assert all(f"{bucket.name}/{key}".startswith(f"{place}/") for key in bucket.keys)


def test_an_input_that_can_not_be_written_starts_nothing(broken):
    lab, _ = broken(StoreError, writes=True)
    with pytest.raises(StoreError, match="SlowDown"):
        lab.start(RoundTrip, text_of(50_000), by=1)
    assert lab.execution_infos() == []


# -- replays -----------------------------------------------------------------------------------------------------------


def replay(definition: type[Workflow], execution) -> None:
    Replay(definition, workflow_id=execution.workflow_id, run_id=execution.run_id).feed(execution.history())


def test_a_large_argument_that_changed_is_found_out(lab):
    """The name is the content: upstream's random names could not be compared."""

    class Later(Jumbo):
        name = "jumbo.takes"
        version = "another"

        def run(self, length):
            return self.submit(measure, text_of(length, "changed")).result

    execution = lab.start(Takes, 50_000)
    execution.result(60)
    replay(Takes, execution)
    with pytest.raises(NondeterminismError, match=r"jumbo\.measure"):
        replay(Later, execution)


def test_what_upstream_wrote_can_not_be_compared_and_counts_as_the_same(lab):
    execution = lab.start(Takes, 50_000)
    execution.result(60)
    history = execution.history()
    for event in history:
        for name, value in event.attributes.items():
            if isinstance(value, str) and is_reference(value):
                event.attributes[name] = value[:-42] + "fb436813-1234-4234-8234-123456789abc " + value.split()[1]
    Replay(Takes, workflow_id=execution.workflow_id, run_id=execution.run_id).feed(list(history))

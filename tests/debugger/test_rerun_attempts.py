# ruff: noqa: F811  fixtures of the tests of authors
"""A task seen attempt by attempt, and run again here."""

import builtins
import pdb
from collections import Counter

import pytest

from simpleflow_lab import Workflow, activity
from simpleflow_lab.exceptions import UsageError
from tests.authors.conftest import lab, replay_cache_size  # noqa: F401

TASKS = {"task_list": "reruns", "version": "1"}
calls: Counter[str] = Counter()


@activity.with_attributes(name="reruns.parse", retry=1, **TASKS)
def parse(text):
    calls[text] += 1
    if not text.isdecimal() or calls[text] == 1:
        raise ValueError(f"no number: {text}")
    return [int(text), activity.current_context()["activity_id"]]


class Parse(Workflow):
    name, version, task_list = "reruns.flow", "1", "reruns"

    def run(self, *texts):
        return [future.exception is None for future in [self.submit(parse, text) for text in texts]]


@pytest.fixture
def execution(lab):
    calls.clear()
    found = lab.start(Parse, "12", "x")
    assert found.result(timeout=200) == [True, False]
    return found


def test_a_task_has_its_attempts(execution):
    good, bad = execution.task("parse-1"), execution.task("activity-reruns.parse-2")
    assert good.id == "activity-reruns.parse-1"
    assert [attempt.state for attempt in good] == ["failed", "completed"]
    assert good.attempt(2).result == [12, "activity-reruns.parse-1"]
    assert "no number: 12" in good.attempt(1).reason
    assert bad.state == "failed"
    assert bad.attempt(-1).input["args"] == ["x"]
    for number in (0, 3, -3):
        with pytest.raises(UsageError, match=f"has no attempt {number}: it has 2, from 1"):
            good.attempt(number)
    with pytest.raises(UsageError, match="the number of an attempt is a whole number, not 'last'"):
        good.attempt("last")
    with pytest.raises(UsageError, match=r"'parse' may be several tasks of this execution: activity-reruns\.parse-1"):
        execution.task("parse").attempt(1)


def test_an_attempt_runs_again_with_its_input_and_middleware_and_records_nothing(lab, execution, monkeypatch):
    around = []

    def note(context, call, args, kwargs):
        around.append((context["activity_id"], args))
        return call(*args, **kwargs)

    lab.use(note)
    before, events = Counter(calls), len(execution.history())
    assert execution.task("activity-reruns.parse-1").attempt(1).rerun(confirm=False) == [12, "activity-reruns.parse-1"]
    assert [(id, list(args)) for id, args in around] == [("activity-reruns.parse-1", ["12"])]
    assert calls - before == {"12": 1}
    assert len(execution.history()) == events


def test_who_calls_is_asked_first(execution, monkeypatch):
    attempt = execution.task("activity-reruns.parse-1").attempt(2)
    before, asked = Counter(calls), []

    def answers(text):
        def answer(prompt):
            asked.append(prompt)
            if text is None:
                raise EOFError
            return text

        monkeypatch.setattr(builtins, "input", answer)

    for text, words in (("n", "did not run"), ("", "did not run"), (None, "confirm=False")):
        answers(text)
        with pytest.raises(UsageError, match=words):
            attempt.rerun()
    assert calls == before
    answers("y")
    assert attempt.rerun()[0] == 12
    assert all("reruns.parse runs again here" in prompt for prompt in asked)


def test_the_debugger_stands_where_it_failed(execution, monkeypatch):
    stood = []
    monkeypatch.setattr(pdb, "post_mortem", stood.append)
    with pytest.raises(ValueError, match="no number: x"):
        execution.task("activity-reruns.parse-2").attempt(1).rerun(confirm=False, pdb=True)
    (traceback,) = stood
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    assert traceback.tb_frame.f_locals["text"] == "x"

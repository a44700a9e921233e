"""Processes that the author's code forks: they never go on as a worker, and may use the store as any process."""

from __future__ import annotations

import os
import sys

import pytest

from simpleflow_lab import Lab, Workflow, activity

pytestmark = pytest.mark.forks


class One(Workflow):
    """One activity."""

    name = "authors_forks.one"
    task_list = "authors_forks"

    def run(self, name):
        return self.submit(activity.registry[name, "1"]).result


class Forks(Workflow):
    """Forks in `run`."""

    name = "authors_forks.in_run"
    task_list = "authors_forks"

    def run(self):
        child = os.fork()
        return child == 0 or os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def made(function, executor):
    options = {"task_list": "authors_forks", "version": "1", "executor": executor, "raises_on_failure": True}
    return activity.with_attributes(name=f"authors_forks.{function.__name__}", **options)(function)


@pytest.mark.parametrize("executor", ["threads", "processes"])
@pytest.mark.parametrize(("how", "code"), [("returns", 0), ("raises", 1), ("exits", 3)])
def test_a_process_that_an_activity_forks_ends_where_the_activity_does(executor, how, code):
    def forks():
        child = os.fork()
        if child == 0:
            if how == "raises":
                raise ValueError("in the child")
            return "the child's" if how == "returns" else sys.exit(3)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    with Lab(":memory:") as lab:
        execution = lab.start(One, made(forks, executor).name)
        assert execution.result(200) == code
        assert list(execution.tasks().state) == ["completed"]


def test_a_process_that_a_workflow_forks_ends_where_its_decision_does():
    with Lab(":memory:") as lab:
        assert lab.start(Forks).result(200) == 0


@pytest.mark.parametrize("executor", ["threads", "processes"])
def test_a_forked_process_may_open_the_store_that_its_parent_owns(tmp_path, executor):
    path = tmp_path / "lab.sqlite"

    def inner():
        return os.getpid()

    def outer():
        child = os.fork() if executor == "threads" else 0
        if child != 0:
            return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        with Lab(path) as lab:
            wrong = lab.start(One, made(inner, "threads").name).result(200) != os.getpid()
        return sys.exit(wrong) if executor == "threads" else int(wrong)

    with Lab(path) as lab:
        assert lab.start(One, made(outer, executor).name).result(200) == 0

"""What runs around activities: upstream's functions before and after, and functions that wrap the call."""

from __future__ import annotations

import asyncio
import os
import textwrap
from pathlib import Path

import pytest

from simpleflow_lab import Lab, Workflow, activity
from simpleflow_lab.commands.command_table import run
from simpleflow_lab.commands.session import Session
from simpleflow_lab.exceptions import UsageError
from simpleflow_lab.middleware import After, Before

TASKS = {"task_list": "middleware", "version": "1", "raises_on_failure": True}


@activity.with_attributes(name="middleware.divide", **TASKS)
def divide(x, y=1):
    seen.append("divide")
    return x / y


class Divides(Workflow):
    name = "middleware.divides"
    task_list = "middleware"

    def run(self, x, y=1, of="middleware.divide"):
        future = self.submit(activity.registry[of, "1"], x, y=y)
        return future.exception.reason if future.exception else future.result


seen: list[object] = []


@pytest.fixture(autouse=True)
def _nothing_seen():
    seen.clear()


def test_upstreams_functions_run_before_and_after(lab):
    """MW-01"""

    def pre(context):
        seen.append(("pre", context["activity_id"]))

    def post(context, result):
        seen.append(("post", context["name"], result))

    lab.use(Before(pre), After(post))
    assert lab.start(Divides, 6, 3).result(200) == 2
    assert seen == [("pre", "activity-middleware.divide-1"), "divide", ("post", "middleware.divide", 2.0)]


def test_upstreams_functions_may_take_whatever_there_is(lab):
    lab.use(Before(lambda *args, **kwargs: seen.append(len(args))))
    lab.use(After(lambda context, **kwargs: seen.append(sorted(kwargs))))
    lab.start(Divides, 6, 3).result(200)
    assert seen == [1, "divide", ["result"]]


def test_a_function_may_change_what_goes_in_and_what_comes_out(lab):
    """MW-02: upstream's can't."""

    def doubles(context, call, args, kwargs):
        return {"of": context["name"], "is": call(2 * args[0], **kwargs)}

    lab.use(doubles)
    assert lab.start(Divides, 6, 3).result(200) == {"of": "middleware.divide", "is": 4.0}


def test_a_function_may_answer_instead_of_the_activity(lab):
    lab.use(lambda context, call, args, kwargs: "from a cache")
    assert lab.start(Divides, 6, 3).result(200) == "from a cache"
    assert seen == []


def test_a_function_sees_a_failure_and_may_mend_it(lab):
    """MW-02: upstream's are not called when the activity fails."""

    def mends(context, call, args, kwargs):
        try:
            return call(*args, **kwargs)
        except ZeroDivisionError as error:
            seen.append(str(error))
            return None

    lab.use(mends)
    assert lab.start(Divides, 6, 0).result(200) is None
    assert seen == ["divide", "division by zero"]


def test_a_post_that_takes_an_error_is_called_on_failure_and_others_are_not(lab):
    def old(context, result):
        seen.append("old")

    def new(context, result=None, error=None):
        seen.append((result, type(error).__name__))

    lab.use(After(old), After(new))
    assert lab.start(Divides, 6, 0).result(200) == "ZeroDivisionError: division by zero"
    assert seen == ["divide", (None, "ZeroDivisionError")]


def test_what_a_middleware_raises_is_the_activitys_failure(lab):
    def refuses(context):
        raise PermissionError("not on a Monday")

    lab.use(Before(refuses))
    assert lab.start(Divides, 6, 3).result(200) == "PermissionError: not on a Monday"
    assert seen == []


def test_the_first_is_the_outermost_and_none_is_used_twice(lab):
    class Logged:
        def __init__(self, name):
            self.name = name

        def pre(self, context):
            seen.append(f"{self.name} before")

        def post(self, context, result=None, error=None):
            seen.append(f"{self.name} after")

    outer, inner = Logged("outer"), Logged("inner")
    lab.use(outer, inner)
    lab.use(outer)
    lab.start(Divides, 6, 3).result(200)
    assert seen == ["outer before", "inner before", "divide", "inner after", "outer after"]


def test_the_call_of_a_coroutine_gives_its_result(lab):
    @activity.with_attributes(name="middleware.slowly", **TASKS)
    async def slowly(x, y):
        await asyncio.sleep(0)
        return x / y

    lab.use(lambda context, call, args, kwargs: call(*args, **kwargs) + 1)
    assert lab.start(Divides, 6, 3, of=slowly.name).result(200) == 3


def test_it_runs_where_the_activity_runs(lab):
    @activity.with_attributes(name="middleware.elsewhere", executor="processes", **TASKS)
    def elsewhere(x, y):
        return os.getpid()

    lab.use(lambda context, call, args, kwargs: [os.getpid(), call(*args, **kwargs)])
    around, inside = lab.start(Divides, 6, 3, of=elsewhere.name).result(200)
    assert around == inside != os.getpid()


def test_a_lab_is_given_them_when_it_is_opened():
    with Lab(":memory:", activity_threads=1, middleware=[Before(lambda context: seen.append("before"))]) as lab:
        lab.start(Divides, 6, 3).result(200)
    assert seen == ["before", "divide"]


@pytest.mark.parametrize("wrong", [None, 5, "os.getpid", int, object()])
def test_what_is_no_middleware_is_refused_in_one_line(wrong):
    with pytest.raises(UsageError, match="is no middleware: give a function"):
        Lab(":memory:", middleware=[wrong])


# -- on the command line -----------------------------------------------------------------------------------------------


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """A folder of modules."""
    (tmp_path / "middleware_functions.py").write_text(
        textwrap.dedent("""
            called = []

            def before(context):
                called.append("before")

            def after(context, result):
                called.append(("after", result))

            nothing = None
        """)
    )
    (tmp_path / "middleware_broken.py").write_text("1 / 0")
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_the_command_line_names_functions_by_module(here):
    """MW-01"""
    import middleware_functions

    session = Session()
    session.store = ":memory:"
    words = ["--store", ":memory:", "workflow.start", "middleware.divides", "-i", "[6, 3]"]
    options = ["--middleware-pre-execution", "middleware_functions.before"]
    options += ["--middleware-post-execution", "middleware_functions.after"]
    try:
        assert run([*words, *options], session).result == 2
    finally:
        session.close()
    assert middleware_functions.called == ["before", ("after", 2.0)]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("before", "'before' is no function: one of a module is named module.function"),
        ("middleware_functions.none", "module 'middleware_functions' has no function 'none'"),
        ("middleware_functions.nothing", "module 'middleware_functions' has no function 'nothing'"),
        ("no_such_module.before", "no module 'no_such_module'"),
        ("middleware_broken.before", "module 'middleware_broken' can't be imported: ZeroDivisionError"),
        ("a/b.before", "'a/b' is no name of a module"),
    ],
)
def test_a_function_that_is_not_there_is_told_in_one_line_and_nothing_starts(here, name, message):
    """MW-02: upstream logs some of these and goes on."""
    session = Session()
    words = ["--store", ":memory:", "workflow.start", "middleware.divides", "-i", "[6, 3]"]
    with pytest.raises(UsageError) as refused:
        run([*words, "--middleware-pre-execution", name], session)
    assert str(refused.value).startswith(message)
    assert "\n" not in str(refused.value)
    assert session.last is None

"""What the code of an execution prints and logs is in its log, once, with task, attempt, time and stream."""

import concurrent.futures
import contextlib
import datetime
import io
import logging
import os
import subprocess
import sys
import threading

import pytest

from simpleflow_lab import Lab, Workflow, activity, futures
from simpleflow_lab.exceptions import UsageError
from simpleflow_lab.service.execution_logs import MAX_RECORDS, MAX_TEXT

TASKS = {"task_list": "logs", "version": "1"}
log = logging.getLogger("tests.logs")
shared_pool = concurrent.futures.ThreadPoolExecutor(1)
gates = {}


def one(function, **options):
    """A workflow that runs this function as an activity."""
    task = activity.with_attributes(name=f"logs.{function.__name__}", **{**TASKS, **options})(function)

    class One(Workflow):
        name = "logs.one"
        task_list = "logs"

        def run(self, *args):
            return self.submit(task, *args).result

    return One


def logged(execution, **selection):
    """The records of its log: source and text."""
    return [(line.source, line.text) for line in execution.logs(**selection)]


def run(lab, function, *args, **options):
    execution = lab.start(one(function, **options), *args)
    execution.result(60)
    return execution


# -- what is in it -----------------------------------------------------------------------------------------------------


def speaks(x):
    print("first", x, end=" ")
    print("line")
    print()
    print("two\nlines")
    sys.stderr.write("error\n")
    log.warning("logged %s", x)
    log.info("not at this level")
    print("unfinished", end="")


SPOKEN = [
    ("stdout", "first 1 line"),
    ("stdout", ""),
    ("stdout", "two"),
    ("stdout", "lines"),
    ("stderr", "error"),
    ("WARNING", "logged 1"),
    ("stdout", "unfinished"),
]


def test_lines_and_records_are_there_as_soon_as_the_result_is(lab):
    execution = run(lab, speaks, 1)
    assert logged(execution) == SPOKEN


def test_a_forked_activity_is_as_any_other(lab):
    execution = run(lab, speaks, 1, executor="processes")
    by_source = {source: [text for each, text in logged(execution) if each == source] for source, _ in SPOKEN}
    assert by_source == {source: [text for each, text in SPOKEN if each == source] for source, _ in SPOKEN}


def test_a_line_knows_its_task_attempt_and_time(lab):
    def tries():
        print("again")
        if activity.current_context()["started_event_id"] < 10:
            raise ValueError("once")

    before = datetime.datetime.now(datetime.UTC)
    execution = run(lab, tries, retry=1)
    lines = execution.logs(task="logs.tries")
    assert [(line.task, line.attempt, line.text) for line in lines] == [
        ("activity-logs.tries-1", 1, "again"),
        ("activity-logs.tries-1", 2, "again"),
    ]
    assert before - datetime.timedelta(seconds=1) <= lines[0].time <= lines[1].time


class Talks(Workflow):
    name = "logs.talks"
    task_list = "logs"

    def run(self):
        print("begins")
        self.logger.warning("own logger")
        log.warning("another logger")
        for n in range(3):
            self.submit(quiet, n).result
        print("ends")

    def on_completed(self, history):
        print("hook")


@activity.with_attributes(name="logs.quiet", **TASKS)
def quiet(n):
    pass


@pytest.mark.parametrize("replay_cache_size", [0, 500])
def test_a_workflow_is_in_it_once_however_often_it_is_replayed(lab, replay_cache_size):
    execution = lab.start(Talks)
    execution.result(60)
    assert logged(execution) == [
        ("stdout", "begins"),
        ("WARNING", "own logger"),
        ("WARNING", "another logger"),
        ("stdout", "ends"),
        ("stdout", "hook"),
    ]
    assert {line.task for line in execution.logs()} == {None}


def threads():
    thread = threading.Thread(target=lambda: (print("thread"), log.warning("of a thread")))
    thread.start()
    thread.join()
    shared_pool.submit(print, "pool").result()


@pytest.mark.parametrize("executor", ["threads", "processes"])
def test_threads_of_a_task_and_jobs_of_pools_are_in_its_log(lab, executor):
    if executor == "processes":
        global shared_pool
        shared_pool = concurrent.futures.ThreadPoolExecutor(1)  # its thread is the child's own
    for execution in (run(lab, threads, executor=executor), run(lab, threads, executor=executor)):
        assert sorted(logged(execution)) == [("WARNING", "of a thread"), ("stdout", "pool"), ("stdout", "thread")]


def test_threads_that_write_at_the_same_time_don_t_mix_their_lines(lab):
    def parts(barrier, word):
        for part in word:
            print(part, end="")
            barrier.wait()
        print()

    def at_once():
        barrier = threading.Barrier(2)
        workers = [threading.Thread(target=parts, args=(barrier, word)) for word in ("abc", "xyz")]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()

    assert sorted(logged(run(lab, at_once))) == [("stdout", "abc"), ("stdout", "xyz")]


def test_lines_that_activities_and_their_threads_print_at_the_same_time_are_shown_whole(lab, capsys):
    met = threading.Barrier(4)

    def half_lines(name):
        def write(thread):
            print(name, thread, end=" ")
            met.wait(60)  # all four have begun a line
            print("whole")

        threads = [threading.Thread(target=write, args=(number,)) for number in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        print(name, "flushed", end="", flush=True)
        print(" and ended", end="")

    task = activity.with_attributes(name="logs.half_lines", **TASKS)(half_lines)

    class Two(Workflow):
        name = "logs.two"
        task_list = "logs"

        def run(self):
            futures.wait(*(self.submit(task, name) for name in "ab"))

    execution = lab.start(Two)
    execution.result(60)
    shown = capsys.readouterr().out
    assert all(shown.count(f"{name} {thread} whole\n") == 1 for name in "ab" for thread in range(2))
    assert all(f"{name} flushed" in shown for name in "ab")
    assert shown.count(" and ended") == 2
    assert sorted(line.text for line in execution.logs()) == sorted(
        [f"{name} {thread} whole" for name in "ab" for thread in range(2)]
        + [f"{name} flushed and ended" for name in "ab"]
    )


def test_programs_of_a_forked_activity_are_in_its_log(lab):
    def program():
        subprocess.run(["echo", "from a program"], check=True)

    assert logged(run(lab, program, executor="processes")) == [("stdout", "from a program")]


def test_the_output_of_an_activity_whose_process_dies_is_there(lab):
    def dies():
        print("last words")
        os.kill(os.getpid(), 9)

    execution = lab.start(one(dies, executor="processes"))
    assert execution.wait(60)
    assert logged(execution) == [("stdout", "last words")]


def test_a_traceback_is_one_record(lab):
    def fails():
        try:
            raise ValueError("why")
        except ValueError:
            log.exception("failed")

    ((source, text),) = logged(run(lab, fails))
    assert source == "ERROR"
    assert text.startswith("failed\nTraceback (most recent call last):\n")
    assert text.endswith("ValueError: why")


def test_a_record_whose_arguments_do_not_fit_is_there_as_it_was_written(lab):
    def wrong():
        log.warning("a number: %d", "x")

    assert logged(run(lab, wrong)) == [("WARNING", "a number: %d")]


@pytest.mark.parametrize("executor", ["threads", "processes"])
def test_what_a_handler_writes_is_not_there_twice(lab, executor):
    handler = logging.StreamHandler()  # of the `sys.stderr` of now
    log.addHandler(handler)
    try:
        execution = run(lab, speaks, 1, executor=executor)
    finally:
        log.removeHandler(handler)
    assert sorted(logged(execution)) == sorted(SPOKEN)


def test_a_progress_bar_is_its_last_state(lab):
    def bar():
        for n in range(0, 101, 10):
            sys.stderr.write(f"\r{n} %")
        sys.stderr.write("\n")
        print("Windows\r\n", end="")

    assert logged(run(lab, bar)) == [("stderr", "100 %"), ("stdout", "Windows")]


def test_a_long_line_is_several_records(lab):
    def long():
        print("x" * (2 * MAX_TEXT + 1))

    assert [len(text) for _, text in logged(run(lab, long))] == [MAX_TEXT, MAX_TEXT, 1]


def test_other_code_of_the_process_is_not_in_it(lab):
    def waits():
        print("in")
        gates["other code"].wait(60)

    gates["other code"] = threading.Event()
    execution = lab.start(one(waits))
    assert any(len(added) for added in execution.follow_logs())
    print("outside")
    log.warning("outside")
    gates["other code"].set()
    execution.result(60)
    assert logged(execution) == [("stdout", "in")]


def test_what_the_author_redirects_is_the_author_s(lab):
    def redirects():
        with contextlib.redirect_stdout(io.StringIO()) as buffer:
            print("mine")
        print("seen")
        return buffer.getvalue()

    assert logged(run(lab, redirects)) == [("stdout", "seen")]


# -- bounds ------------------------------------------------------------------------------------------------------------


def test_the_oldest_records_go_and_are_counted(lab):
    total = 3 * MAX_RECORDS

    def many():
        for n in range(total):
            print(n)

    found = run(lab, many).logs()
    assert MAX_RECORDS // 2 < len(found) <= MAX_RECORDS
    assert found.dropped + len(found) == total
    assert [line.text for line in found] == [str(n) for n in range(found.dropped, total)]
    assert repr(found).startswith(f"({found.dropped:,} earlier lines not kept)\n")


# -- how it is looked at -----------------------------------------------------------------------------------------------


def test_it_is_selected_by_task_source_text_and_tail(lab):
    execution = run(lab, speaks, 1)
    assert logged(execution, source="stderr") == [("stderr", "error")]
    assert logged(execution, source="warning") == [("WARNING", "logged 1")]
    assert logged(execution, text="line") == [("stdout", "first 1 line"), ("stdout", "lines")]
    assert logged(execution, tail=2) == SPOKEN[-2:]
    assert logged(execution, tail=0) == []
    assert logged(execution, task="activity-logs.speaks-1") == SPOKEN
    assert logged(execution, task="") == []
    with pytest.raises(UsageError, match="tail"):
        execution.logs(tail=-1)


def test_it_is_a_table(lab):
    table = run(lab, speaks, 1).logs().to_pandas()
    assert list(table.columns) == ["time", "task", "attempt", "source", "text"]
    assert str(table["time"].dtype) == "datetime64[ms, UTC]"
    assert table["attempt"].tolist() == [1] * len(SPOKEN)
    assert table["text"].tolist() == [text for _, text in SPOKEN]


def test_nothing_is_an_empty_log(lab):
    def silent():
        pass

    found = run(lab, silent).logs()
    assert (len(found), found.text, str(found.to_pandas()["time"].dtype)) == (0, "", "datetime64[ms, UTC]")
    assert repr(found) == "<ExecutionLog: nothing was printed or logged>"
    assert "nothing was printed" in found._repr_html_()


def test_hostile_text_is_shown_as_text(lab):
    def hostile():
        print("\x1b[2J\x1b]0;title\x07 <script>alert(1)</script> \u202e \ud800")

    found = run(lab, hostile).logs()
    assert "\x1b" not in repr(found)
    assert "\\x1b[2J" in repr(found)
    assert "\u202e" not in repr(found)
    html = found._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert "\x1b" not in html
    repr(found).encode()
    found.text.encode()


def test_it_is_followed_until_the_execution_closes(lab):
    gates["second"] = threading.Event()

    def steps():
        print("one")
        gates["second"].wait(60)
        print("two")

    following = lab.start(one(steps)).follow_logs()
    texts = []
    for added in following:
        texts += [line.text for line in added]
        if texts == ["one"]:
            gates["second"].set()
    assert texts == ["one", "two"]


# -- the process is as it was ------------------------------------------------------------------------------------------


def test_streams_loggers_and_threads_are_as_they_were_after_the_last_lab():
    def patched():
        return (
            sys.stdout,
            sys.stderr,
            logging.Logger.callHandlers,
            threading.Thread.start,
            concurrent.futures.ThreadPoolExecutor.submit,
        )

    before = patched()
    with Lab(":memory:") as first, Lab(":memory:") as second:
        run(first, speaks, 1)
        run(second, speaks, 1)
        first.close()
        assert logged(run(second, speaks, 1)) == SPOKEN
        assert patched()[0] is not before[0]
    assert patched() == before


def test_a_stream_that_somebody_replaces_meanwhile_is_theirs(lab):
    run(lab, speaks, 1)
    theirs = io.StringIO()
    with contextlib.redirect_stdout(theirs):
        execution = run(lab, speaks, 1)
    assert logged(execution) == SPOKEN
    assert theirs.getvalue().startswith("first 1 line\n")

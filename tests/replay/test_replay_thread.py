"""A thread that owns replays, asked by others."""

from __future__ import annotations

import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import NoReturn

import pytest

from simpleflow_lab import Lab, Workflow, activity
from simpleflow_lab.exceptions import NondeterminismError, UsageError
from simpleflow_lab.replay.replay import Replay
from simpleflow_lab.replay.replay_thread import ReplayThread
from simpleflow_lab.replay.trace import watch
from simpleflow_lab.swf.history import History


@activity.with_attributes(version="replay_thread", task_list="replay_thread")
def twice(value: int) -> int:
    return 2 * value


class Doubles(Workflow):
    name, version, task_list = "replay_thread.doubles", "replay_thread", "replay_thread"

    def run(self) -> int:
        value = 1
        for _ in range(4):
            value = self.submit(twice, value).result
        return value


class Triples(Doubles):
    name = "replay_thread.triples"

    def run(self) -> int:
        return int(self.submit(twice, 3).result)


@pytest.fixture(scope="module")
def history() -> History:
    with Lab(":memory:") as lab:
        execution = lab.start(Doubles)
        assert execution.result(timeout=60) == 16
        return execution.history()


def test_every_call_runs_in_one_thread() -> None:
    with ReplayThread() as thread, ThreadPoolExecutor(4) as askers:
        found = set(askers.map(lambda _: thread.call(threading.get_ident), range(20)))
        assert len(found) == 1
        assert found != {threading.get_ident()}


def test_one_replay_is_fed_by_many_threads(history: History) -> None:
    with ReplayThread() as thread, ThreadPoolExecutor(1) as other:
        replay = Replay(Doubles)
        for number, event in enumerate(history):
            if number % 2:
                thread.call(replay.feed, [event])
            else:
                other.submit(thread.call, replay.feed, [event]).result()
        thread.call(replay.replay_last_batch)
        assert replay.last_event_id == len(history)
        thread.call(replay.close)


def test_watching_gives_the_same_from_any_thread(history: History) -> None:
    here = list(watch(Doubles, history))
    with ReplayThread() as thread, ThreadPoolExecutor(4) as askers:
        found = list(askers.map(lambda _: thread.listed(watch(Doubles, history)), range(8)))
    assert found == [here] * 8


def test_an_error_is_raised_where_it_was_asked_for(history: History) -> None:
    with ReplayThread() as thread:
        with pytest.raises(NondeterminismError):
            thread.listed(watch(Triples, history))
        assert thread.listed(watch(Doubles, history))


def exit_() -> NoReturn:
    raise SystemExit(3)


def test_even_an_exit_of_the_author_is_an_answer() -> None:
    with ReplayThread() as thread:
        with pytest.raises(SystemExit):
            thread.call(exit_)
        assert thread.call(lambda: 1) == 1


def test_the_owning_thread_asks_itself_at_once() -> None:
    with ReplayThread() as thread:
        assert thread.call(lambda: thread.call(lambda: 5)) == 5


def spin(begun: threading.Event) -> None:
    while True:
        try:
            while True:
                begun.set()
        except Exception:
            pass


def test_an_interrupt_of_the_asker_ends_its_call_and_no_other() -> None:
    begun = threading.Event()
    main = threading.main_thread().ident
    assert main is not None
    with ReplayThread() as thread:

        def interrupt() -> None:
            assert begun.wait(60)
            signal.pthread_kill(main, signal.SIGINT)

        interrupter = threading.Thread(target=interrupt)
        interrupter.start()
        with pytest.raises(KeyboardInterrupt):
            thread.call(spin, begun)
        interrupter.join()
        assert thread.call(lambda: sum(range(100_000))) == 4999950000


def test_code_is_traced_after_an_interrupt_as_before() -> None:
    lines: list[str] = []

    def traced() -> None:
        sys.settrace(lambda frame, event, argument: lines.append(event))
        try:
            threading.get_ident()
            len(ascii(text_of()))
        finally:
            sys.settrace(None)

    with ReplayThread() as thread, ThreadPoolExecutor(1) as other:
        begun = threading.Event()
        asked = other.submit(thread.call, spin, begun)
        assert begun.wait(60)
        thread.stop()
        with pytest.raises(UsageError, match="stopped"):
            asked.result(60)
        thread.call(traced)
    assert lines == ["call"]


def text_of() -> str:
    return "text"


def test_a_call_ends_when_its_asker_is_told_to_stop() -> None:
    begun = threading.Event()
    with ReplayThread() as thread, ThreadPoolExecutor(1) as other:
        asked = other.submit(thread.call, spin, begun)
        assert begun.wait(60)
        thread.stop()
        with pytest.raises(UsageError, match="stopped"):
            asked.result(60)
        assert thread.call(lambda: 1) == 1


def test_what_the_asker_raises_while_it_waits_ends_its_call() -> None:
    begun = threading.Event()
    lines: list[str] = []

    def too_long() -> None:
        if begun.is_set():
            lines.append(thread.line(__name__))
            raise UsageError("too long")

    with ReplayThread() as thread:
        with pytest.raises(UsageError, match="too long"):
            thread.call_watched(too_long, spin, begun)
        assert thread.call(lambda: 1) == 1
    assert "test_replay_thread.py:" in lines[0]


def test_closing_ends_what_nobody_waits_for() -> None:
    begun = threading.Event()
    thread = ReplayThread()
    thread.soon(lambda: spin(begun))
    assert begun.wait(60)
    assert thread.close(60)


def test_closing_leaves_no_thread_and_takes_no_more_calls() -> None:
    thread = ReplayThread("a replay of the tests")
    assert "a replay of the tests" in {each.name for each in threading.enumerate()}
    assert thread.close()
    assert thread.close()
    assert "a replay of the tests" not in {each.name for each in threading.enumerate()}
    with pytest.raises(UsageError, match="closed"):
        thread.call(lambda: 1)


def test_calls_made_before_the_close_are_answered() -> None:
    thread = ReplayThread()
    begun, go_on = threading.Event(), threading.Event()

    def long() -> int:
        begun.set()
        assert go_on.wait(60)
        return 1

    with ThreadPoolExecutor(2) as askers:
        first = askers.submit(thread.call, long)
        assert begun.wait(60)
        assert not thread.close(timeout=0.01)
        go_on.set()
        assert first.result() == 1
    assert thread.close()


def test_code_that_runs_on_is_no_thread_of_the_interpreter() -> None:
    thread = ReplayThread()
    assert thread.call(lambda: threading.current_thread().daemon)
    thread.close()

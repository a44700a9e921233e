"""The threads of a task list: one while there is nothing to do, as many as there are tasks, never more than the limit.

`Polled` is a task list in memory; `Activities` says when a task that is handled may end.
"""

import queue
import threading
import time

import pytest

from simpleflow_lab.runtime.poller import Poller, join_all

LONG = 200.0


class Polled:
    """A task list, and the handling of its tasks."""

    def __init__(self, poll_seconds=LONG):
        self.tasks = queue.Queue()
        self.poll_seconds = poll_seconds
        self.polling = 0
        self.at_work = 0
        self.most_at_work = 0
        self.ends = 0
        self.changed = threading.Condition()
        self.go_on = threading.Event()

    def poll(self):
        with self.changed:
            self.polling += 1
            self.changed.notify_all()
        try:
            found = self.tasks.get(timeout=self.poll_seconds)
        except queue.Empty:
            return {}
        finally:
            with self.changed:
                self.polling -= 1
        if isinstance(found, Exception):
            raise found
        return {} if found is None else {"taskToken": str(found)}

    def handle(self, task):
        with self.changed:
            self.at_work += 1
            self.most_at_work = max(self.at_work, self.most_at_work)
            self.changed.notify_all()
        self.go_on.wait(LONG)
        with self.changed:
            self.at_work -= 1
            self.changed.notify_all()

    def at_end(self):
        with self.changed:
            self.ends += 1
            self.changed.notify_all()

    def until(self, condition):
        with self.changed:
            assert self.changed.wait_for(condition, LONG), (self.polling, self.at_work)


@pytest.fixture
def serve():
    """Begin a poller, and end it with the test."""
    served = []

    def begin(polled, limit, **seconds):
        poller = Poller("test", polled.poll, polled.handle, limit=limit, at_end=polled.at_end, **seconds)
        served.append((poller, polled))
        poller.start()
        return poller

    yield begin
    for poller, polled in served:
        poller.stop()
        polled.go_on.set()
        for _ in range(50):
            polled.tasks.put(None)
        assert poller.join(LONG)


def test_one_thread_polls_while_there_is_nothing_to_do(serve):
    polled = Polled()
    poller = serve(polled, 20)
    polled.until(lambda: polled.polling == 1)
    assert poller.thread_count == 1


def test_a_poll_that_began_while_the_others_were_released_is_released_too():
    """Else a worker that `stop` has left takes one more task."""
    at_the_door, go_in, waiting = threading.Event(), threading.Event(), queue.Queue()
    ended = threading.Event()

    def poll():
        at_the_door.set()
        go_in.wait(LONG)
        return {"taskToken": waiting.get(timeout=LONG)}

    handled = []
    poller = Poller("test", poll, handled.append, limit=1, at_end=ended.set)
    poller.start()
    assert at_the_door.wait(LONG)
    poller.stop()  # and its service releases the polls that wait: none does
    go_in.set()
    assert join_all([poller], LONG, lambda: waiting.put(None))
    assert ended.wait(LONG / 2)
    assert handled == []


def test_each_task_that_is_taken_lets_one_more_thread_poll_up_to_the_limit(serve):
    polled = Polled()
    poller = serve(polled, 3)
    for taken in range(1, 3):
        polled.tasks.put(taken)
        polled.until(lambda taken=taken: polled.at_work == taken and polled.polling == 1)
        assert poller.thread_count == taken + 1
    for number in range(3, 10):
        polled.tasks.put(number)
    polled.until(lambda: polled.at_work == 3)
    assert poller.thread_count == 3
    polled.go_on.set()
    polled.until(lambda: polled.tasks.empty() and polled.at_work == 0)
    assert polled.most_at_work == 3
    assert poller.thread_count == 3


def test_tasks_one_after_the_other_need_two_threads(serve):
    polled = Polled()
    polled.go_on.set()
    poller = serve(polled, 20)
    for number in range(200):
        polled.tasks.put(number)
        polled.until(lambda: polled.tasks.empty() and polled.at_work == 0)
        while poller.busy_count:
            time.sleep(0)
    assert poller.thread_count == 2


def test_threads_that_find_nothing_end_but_for_one(serve):
    polled = Polled(poll_seconds=0.02)
    poller = serve(polled, 5, surplus_seconds=0.1)
    for number in range(5):
        polled.tasks.put(number)
    polled.until(lambda: polled.at_work == 5)
    polled.go_on.set()
    polled.until(lambda: polled.ends == 4)
    assert poller.thread_count == 1
    polled.tasks.put("one more")
    polled.until(lambda: polled.tasks.empty())


def test_polls_that_come_back_empty_in_a_busy_time_end_no_thread(serve):
    polled = Polled(poll_seconds=0.001)
    poller = serve(polled, 5, surplus_seconds=600)
    for number in range(5):
        polled.tasks.put(number)
    polled.until(lambda: polled.at_work == 5)
    polled.go_on.set()
    polled.until(lambda: polled.at_work == 0)
    end = time.monotonic() + 0.2
    while time.monotonic() < end:
        polled.until(lambda: polled.polling > 0)
    assert (poller.thread_count, polled.ends) == (5, 0)


def test_a_thread_that_is_held_up_is_replaced_and_ends_when_it_comes_back(serve):
    polled = Polled()
    poller = serve(polled, 1)
    polled.tasks.put("endless")
    polled.until(lambda: polled.at_work == 1)
    (held_up,) = poller._threads
    poller.replace_thread(held_up.ident)
    polled.until(lambda: polled.polling == 1)
    assert poller.thread_count == 1
    polled.go_on.set()
    held_up.join(LONG)
    assert polled.ends == 1
    assert poller.thread_count == 1


def test_no_error_ends_polling(serve):
    polled = Polled()
    poller = serve(polled, 2, first_pause=0.001)
    for number in range(3):
        polled.tasks.put(OSError(number))
    polled.tasks.put("a task")
    polled.until(lambda: polled.at_work == 1)
    assert poller.thread_count == 2


def test_a_system_without_further_threads_goes_on_with_those_that_it_has(serve):
    polled = Polled()
    poller = serve(polled, 5)
    polled.until(lambda: polled.polling == 1)
    of_one_thread = threading.stack_size(1 << 46)  # more than the system gives anybody
    try:
        polled.go_on.set()
        for number in range(10):
            polled.tasks.put(number)
        polled.until(lambda: polled.tasks.empty() and polled.at_work == 0 and polled.polling == 1)
    finally:
        threading.stack_size(of_one_thread)
    assert poller.thread_count == 1


def test_a_task_that_came_with_an_answer_is_handled_before_the_next_poll(serve):
    polled = Polled()
    handled, looked = [], []
    plain = polled.handle

    def handle(task):
        handled.append(task["taskToken"])
        looked.append(poller.polls_next)
        plain(task)
        if task["taskToken"] == "1":
            poller.take_next({"taskToken": "with the answer"})
            poller.stop()
        else:
            looked.append(poller.polls_next)
            poller.take_next({"startedEventId": 0})

    polled.handle = handle
    poller = serve(polled, 1)
    polled.go_on.set()
    polled.tasks.put(1)
    polled.tasks.put(2)
    assert poller.join(LONG)
    polled.until(lambda: polled.ends == 1)
    assert handled == ["1", "with the answer"]  # although it was stopped meanwhile
    assert looked == [True, False, False]
    assert not poller.polls_next  # this thread is none of its own
    assert poller.done == 2

"""Fibers that are suspended."""

from simpleflow_lab.futures import Future
from simpleflow_lab.replay.fibers import Fibers


def test_fibers_go_on_in_the_order_in_which_what_they_wait_for_is_done():
    fibers, said = Fibers(), []
    futures = [Future(fibers.wait) for _ in range(3)]
    for number, future in enumerate(futures):
        fibers.spawn(lambda number=number, future=future: said.append((number, future.result)))
    fibers.run()
    assert said == []
    for number in (2, 0, 1):
        futures[number].set_finished(number * 10)
    fibers.run()
    assert said == [(2, 20), (0, 0), (1, 10)]


def test_a_fiber_started_by_a_fiber_runs_at_once_until_it_waits():
    fibers, said = Fibers(), []
    later = Future(fibers.wait)

    def outer():
        said.append("outer begins")
        fibers.spawn(inner)
        said.append("outer goes on")

    def inner():
        said.append("inner begins")
        said.append(f"inner has {later.result}")

    fibers.spawn(outer)
    fibers.run()
    assert said == ["outer begins", "inner begins", "outer goes on"]
    later.set_finished("it")
    fibers.run()
    assert said[-1] == "inner has it"


def test_a_suspended_fiber_is_known_with_its_frame():
    fibers = Fibers()
    never = Future(fibers.wait)

    def author():
        secret = 42
        never.wait()
        return secret

    fibers.spawn(author)
    fibers.run()
    [suspended] = fibers.suspended
    assert suspended.waits_for is never
    assert suspended.frame.f_code.co_name == "author"
    assert suspended.frame.f_locals["secret"] == 42
    fibers.close()


def test_closing_runs_finally_and_no_except():
    fibers, said = Fibers(), []
    never = Future(fibers.wait)

    def author():
        try:
            never.wait()
        except Exception:
            said.append("swallowed")
        finally:
            said.append("finally")

    fibers.spawn(author)
    fibers.run()
    fibers.close()
    assert said == ["finally"]
    assert fibers.suspended == []


def test_fibers_are_told_apart_by_where_they_were_started():
    fibers, paths = Fibers(), []

    def fiber(depth):
        paths.append(fibers.path)
        for _ in range(depth):
            fibers.spawn(lambda: fiber(depth - 1))

    fibers.spawn(lambda: fiber(2))
    fibers.run()
    assert paths == [(), (1,), (1, 1), (2,), (2, 1)]


def test_an_interrupt_is_raised_once_where_each_fiber_waits_though_what_it_waits_for_is_done():
    class Stop(BaseException):
        pass

    fibers, said = Fibers(), []
    first, second = Future(fibers.wait), Future(fibers.wait)

    def author(name, future):
        try:
            future.wait()
        except Stop:
            said.append(f"{name} stopped")
        future.wait()
        said.append(f"{name} goes on")

    fibers.spawn(lambda: author("a", first))
    fibers.spawn(lambda: author("b", second))
    fibers.run()
    first.set_finished(1)
    fibers.interrupt(Stop())
    fibers.run()
    assert said == ["a stopped", "a goes on", "b stopped"]
    second.set_finished(2)
    fibers.run()
    assert said[3:] == ["b goes on"]

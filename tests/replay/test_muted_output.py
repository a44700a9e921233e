"""Who gets what a watched thread prints, when one that is watched begins to watch."""

from __future__ import annotations

import gc
import io
import logging
import sys
import threading
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from simpleflow_lab.replay.muted_output import heard_output, keep, muted_output, watched_output


def test_what_is_watched_within_what_is_watched_has_its_own_receiver(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    outer: list[str] = []
    inner: list[str] = []
    before = sys.stdout, sys.stderr, logging.Logger.callHandlers
    with watched_output(outer.append):
        sys.stdout.write("1")
        with watched_output(inner.append):
            sys.stdout.write("2")
            sys.stderr.write("dropped")
            logging.getLogger("of.the.author").warning("dropped")
            with heard_output():
                sys.stdout.write("heard")
            with muted_output():
                sys.stdout.write("3")
        sys.stdout.write("4")
        with pytest.raises(ValueError, match="of the code"), watched_output(inner.append):
            raise ValueError("of the code")
        sys.stdout.write("5")
    assert (outer, inner) == (["1", "4", "5"], ["2", "3"])
    assert (sys.stdout, sys.stderr, logging.Logger.callHandlers) == before
    assert tuple(capsys.readouterr()) == ("heard", "")
    assert not caplog.records


class Slow(io.StringIO):
    """A stream during whose writing another thread does something."""

    def __init__(self, meanwhile: Callable[[], None]) -> None:
        super().__init__()
        self._meanwhile = meanwhile

    def write(self, text: str) -> int:
        self._meanwhile()
        return super().write(text)


def test_the_stream_of_a_print_outlives_the_replay_of_another_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """`print` writes the text and the end of the line to a stream that it does not hold."""
    begin, end = threading.Event(), threading.Event()

    def replay() -> None:
        with muted_output():
            begin.set()
            end.wait(60)

    def end_the_replay() -> None:
        end.set()
        thread.join()
        assert sys.stdout is stream
        gc.collect()

    stream = Slow(end_the_replay)
    monkeypatch.setattr(sys, "stdout", stream)
    thread = threading.Thread(target=replay)
    thread.start()
    assert begin.wait(60)
    gate = weakref.ref(sys.stdout)
    assert sys.stdout is not stream

    sys.stdout.write("text")

    assert gate() is not None
    print("line")
    assert stream.getvalue() == "textline\n"


def test_many_replays_take_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same gate stands for the same stream, and gates of streams that are gone go, too."""
    with muted_output():
        gate = sys.stdout
    for _ in range(100):
        with muted_output():
            assert sys.stdout is gate
    monkeypatch.setattr(sys, "stdout", sys.stdout)
    streams = []
    for _ in range(100):
        sys.stdout = io.StringIO()
        streams.append(weakref.ref(sys.stdout))
        with muted_output():
            pass
    gc.collect()
    assert streams[0]() is None


class Meanwhile(io.StringIO):
    """A stream; while it is looked at, another one is put into `sys`."""

    @property  # type: ignore[misc]
    def __class__(self) -> type[Any]:
        keep(io.StringIO())
        return io.StringIO


def test_other_threads_put_streams_into_sys_while_a_replay_begins() -> None:
    keep(Meanwhile())
    before = sys.stdout
    with muted_output():
        pass
    assert sys.stdout is before

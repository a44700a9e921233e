"""The place where a fiber of a workflow is suspended: the stack of the author's code, with its local variables.

Rule: only read, in the thread that replays, while the fiber is suspended. Values become bounded texts at once, so that
nothing that happens later changes them.
"""

from __future__ import annotations

import dataclasses
import sys
import traceback
from collections.abc import Callable, Iterator
from itertools import islice
from types import FrameType
from typing import Any, Final, TypeAlias

from simpleflow_lab.canvas import ChainFuture, GroupFuture
from simpleflow_lab.futures import AnyOf, Future
from simpleflow_lab.replay.fibers import Fiber
from simpleflow_lab.replay.lines import author_frame, line_of
from simpleflow_lab.replay.trace_records import StackFrame
from simpleflow_lab.replay.value_text import value_text

MAX_FRAMES: Final = 50
"""Most frames of one stack: the innermost ones."""
MAX_LOCALS: Final = 1_000
"""Most local variables of one frame; how many there are beside them, `StackFrame.left_out` says."""
MAX_NAME: Final = 100
"""Most characters of a local variable's name."""
MAX_IDS: Final = 20
"""Most ids that are named of what a fiber waits for."""
_MAX_MEMBERS: Final = 60

Snapshot: TypeAlias = Callable[[dict[str, Any]], dict[str, Any]]
"""Copies the values of local variables, so that nothing that happens later changes them."""


def stack_of(
    fiber: Fiber, *, with_locals: bool, snapshot: Snapshot | None = None
) -> tuple[tuple[StackFrame, ...], bool]:
    """The author's frames of a suspended fiber, innermost last, and whether there are more than `MAX_FRAMES`."""
    frames: list[StackFrame] = []
    frame = author_frame(fiber.greenlet.gr_frame)
    while frame is not None and len(frames) < MAX_FRAMES:
        frames.append(_stack_frame(frame, snapshot) if with_locals else StackFrame(line=line_of(frame), locals=None))
        frame = author_frame(frame.f_back)
    return tuple(reversed(frames)), frame is not None


def stack_of_error(
    error: BaseException, *, with_locals: bool, snapshot: Snapshot | None = None
) -> tuple[StackFrame, ...]:
    """The author's frames from which an error came, innermost last, as `line_of_error` finds the line.

    Their local variables are those at the raise, as long as the code has not gone on.
    """
    found = [
        (frame, lineno) for frame, lineno in traceback.walk_tb(error.__traceback__) if author_frame(frame) is frame
    ]
    while found and found[-1][0].f_code.co_filename != found[0][0].f_code.co_filename:
        found.pop()  # of a library that the author's code called
    frames: list[StackFrame] = []
    for frame, lineno in reversed(found[-MAX_FRAMES:]):
        made = _stack_frame(frame, snapshot) if with_locals else StackFrame(line=line_of(frame), locals=None)
        frames.append(dataclasses.replace(made, line=made.line._replace(lineno=lineno)))
    return tuple(reversed(frames))


def _stack_frame(frame: FrameType, snapshot: Snapshot | None) -> StackFrame:
    found, left_out = _locals_of(frame)
    texts = {name: value_text(value) for name, value in found.items()}
    values = None if snapshot is None else snapshot(found)
    return StackFrame(line=line_of(frame), locals=texts, values=values, left_out=left_out)


def _locals_of(frame: FrameType) -> tuple[dict[str, Any], int]:
    """Local variables of a frame by name, and how many there are beside them."""
    found: Any = frame.f_locals
    kind = type(found)
    if issubclass(kind, dict):
        items = dict.items(found)  # what `exec` got as its variables may have methods of the author's own
    elif kind is _FUNCTION_LOCALS:
        items = found.items()
    else:
        return {}, 0
    named = ((name, value) for name, value in islice(items, MAX_LOCALS) if type(name) is str)
    return {_shortened(name): value for name, value in named}, max(len(items) - MAX_LOCALS, 0)


def _shortened(name: str) -> str:
    return name if len(name) <= MAX_NAME else f"{name[: MAX_NAME - 3]}..."


def _type_of_function_locals() -> type:
    return type(sys._getframe().f_locals)


_FUNCTION_LOCALS: Final = _type_of_function_locals()
"""`dict`, or from Python 3.13 on a view of the frame."""


def open_ids(future: Future) -> list[str]:
    """Ids of tasks that have to close before this future is done, at most `MAX_IDS`; a group names its members."""
    if not isinstance(future, AnyOf | GroupFuture):
        return [future.task_id] if future.task_id and not future.done else []
    found: dict[str, None] = {}
    for each in islice(_open_tasks(future), MAX_IDS):
        found[each] = None
    return list(found)


def _open_tasks(future: Future) -> Iterator[str]:
    left: list[Iterator[Future]] = [iter((future,))]
    looked_at = 0
    while left and looked_at < _MAX_MEMBERS:
        each = next(left[-1], None)
        looked_at += 1
        if each is None:
            left.pop()
        elif each.done:
            continue
        elif isinstance(each, AnyOf | GroupFuture):
            # Of a chain only the last one that was submitted can be open.
            left.append(iter(each.futures[-1:] if isinstance(each, ChainFuture) else each.futures))
        elif each.task_id:
            yield each.task_id

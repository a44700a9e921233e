"""Where a fiber of a workflow is suspended: the stack of the author's code, with its local variables.

Rule: only read, in the thread that replays, while the fiber is suspended. Values become bounded texts at once, so that
nothing that happens later changes them.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from types import FrameType
from typing import Final

from simpleflow_lab.canvas import GroupFuture
from simpleflow_lab.futures import AnyOf, Future
from simpleflow_lab.replay.fibers import Fiber
from simpleflow_lab.replay.lines import author_frame, line_of
from simpleflow_lab.replay.trace_records import StackFrame
from simpleflow_lab.replay.value_text import value_text

MAX_FRAMES: Final = 50
"""Most frames of one stack: the innermost ones."""
MAX_LOCALS: Final = 40
"""Most local variables of one frame."""
MAX_IDS: Final = 20
"""Most ids that are named of what a fiber waits for."""
_MAX_MEMBERS: Final = 60


def stack_of(fiber: Fiber, *, with_locals: bool) -> tuple[StackFrame, ...]:
    """The author's frames of a suspended fiber, innermost last."""
    frames: list[StackFrame] = []
    frame = author_frame(fiber.greenlet.gr_frame)
    while frame is not None and len(frames) < MAX_FRAMES:
        frames.append(StackFrame(line=line_of(frame), locals=_locals_of(frame) if with_locals else None))
        frame = author_frame(frame.f_back)
    return tuple(reversed(frames))


def _locals_of(frame: FrameType) -> dict[str, str]:
    return {name: value_text(value) for name, value in islice(frame.f_locals.items(), MAX_LOCALS)}


def open_ids(future: Future) -> list[str]:
    """Ids of tasks that have to close before this future is done, at most `MAX_IDS`; a group names its members."""
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
            left.append(iter(each.futures))
        elif each.task_id:
            yield each.task_id

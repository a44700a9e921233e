"""Coroutines of activities: each runs to its end on an event loop of the thread that runs the activity.

Rule: the loop is made for one activity and closed with it, so nothing of one activity is left to the next.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from simpleflow_lab.activity_context import RunningTask
from simpleflow_lab.exceptions import ActivityCanceled


def run_to_end(awaitable: Awaitable[Any], task: RunningTask) -> Any:
    """The result of an awaitable, which runs to its end on an event loop of this thread.

    A cancel request reaches the awaitable as `asyncio.CancelledError` where it awaits. If it stops for that reason,
    `ActivityCanceled` is raised.
    """
    import asyncio  # noqa: PLC0415  a tenth of the package's import time, paid only by processes with such activities

    async def main() -> Any:
        loop, this = asyncio.get_running_loop(), asyncio.current_task()
        assert this is not None

        def stop() -> None:
            if task.take_cancellation() is not None:
                this.cancel()

        def interrupt() -> None:
            # The loop is open within `interrupted_by`.
            loop.call_soon_threadsafe(stop)

        with task.interrupted_by(interrupt):
            return await awaitable

    try:
        with asyncio.Runner() as runner:
            return runner.run(main())
    except asyncio.CancelledError as error:
        if task.canceled is None:
            raise
        raise ActivityCanceled(task.canceled) from error

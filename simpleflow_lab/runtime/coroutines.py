"""Coroutines of activities: each runs to its end on an event loop of the thread that runs the activity.

The loop is made for it and closed with it, so nothing of one activity is left to the next.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from simpleflow_lab.activity_context import RunningTask
from simpleflow_lab.exceptions import ActivityCanceled


def finished(awaitable: Awaitable[Any], task: RunningTask) -> Any:
    """The result of an awaitable.

    A request to cancel reaches it as asyncio does that: `CancelledError` where it awaits. If it stops for that, this
    raises `ActivityCanceled`.
    """
    import asyncio  # noqa: PLC0415  a tenth of the package's own import: only who has such activities pays for it

    async def main() -> Any:
        loop, this = asyncio.get_running_loop(), asyncio.current_task()
        assert this is not None

        def stop() -> None:
            if task.tell() is not None:
                this.cancel()

        def interrupt() -> None:
            # Within `interrupted_by` the loop is open.
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

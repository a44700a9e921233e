"""A call that blocks, awaited: it runs in a thread of its own, and the loop goes on.

Rule: whoever awaits may stop to do so at any time, by a cancellation or an interrupt. The thread is told then, and
ends by itself; what it waited for goes on.
"""

from __future__ import annotations

import contextlib
import contextvars
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import asyncio

T = TypeVar("T")
Stopped = Callable[[], bool]
"""Whether nobody awaits any more."""


def awaited(
    call: Callable[[Stopped], T], *, name: str, context: contextlib.AbstractContextManager[Any]
) -> asyncio.Future[T]:
    """A future with the result of `call`, or its error. `name` is that of its thread.

    `call` gets a function that says whether nobody awaits it any more: then it should return soon, whatever it gives.
    Within `context` it is awaited: a cancellation is raised in it, too. It is no coroutine, so that the traceback of a
    cancellation, and of what Python makes of it, holds the lines of who awaits and none of ours.
    """
    import asyncio  # noqa: PLC0415  a tenth of the package's import time; who awaits has it already

    class Outcome(asyncio.Future[T]):
        def cancel(self, msg: Any | None = None) -> bool:
            if self.done():
                return False
            error = asyncio.CancelledError() if msg is None else asyncio.CancelledError(msg)
            leave(error)
            self.set_exception(error)
            return True

    loop = asyncio.get_running_loop()
    outcome = Outcome(loop=loop)
    stopped = threading.Event()
    left = contextlib.ExitStack()
    left.enter_context(context)

    def leave(error: BaseException | None) -> None:
        stopped.set()
        left.__exit__(None if error is None else type(error), error, None)

    def tell(put: Callable[[Any], None], value: Any) -> None:
        def put_if_awaited() -> None:
            if not outcome.done():
                leave(None)
                put(value)

        with contextlib.suppress(RuntimeError):  # the loop was closed: nobody awaits
            loop.call_soon_threadsafe(put_if_awaited)

    def run() -> None:
        try:
            found = call(lambda: stopped.is_set() or loop.is_closed())
        except BaseException as error:  # whatever it is, it belongs to who awaits
            tell(outcome.set_exception, error)
        else:
            tell(outcome.set_result, found)

    # In the context of who awaits: what is printed meanwhile belongs below its cell. A daemon: a process may end.
    threading.Thread(target=contextvars.copy_context().run, args=(run,), name=name, daemon=True).start()
    return outcome

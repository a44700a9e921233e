"""A call that blocks, awaited: it runs in a thread of its own, and the loop goes on.

*Rule:* whoever awaits may stop to do so at any time, by a cancellation or an interrupt. The thread is told then, and
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


async def awaited(call: Callable[[Stopped], T], *, name: str) -> T:
    """The result of `call`, or its error. `name` is that of its thread.

    `call` gets a function that says whether nobody awaits it any more: then it should return soon, whatever it gives.
    """
    import asyncio  # noqa: PLC0415  a tenth of the package's import time; who awaits has it already

    __tracebackhide__ = True  # IPython leaves out such a frame
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[T] = loop.create_future()
    stopped = threading.Event()

    def tell(put: Callable[[Any], None], value: Any) -> None:
        def put_if_awaited() -> None:
            if not outcome.done():
                put(value)

        with contextlib.suppress(RuntimeError):  # the loop was closed: nobody awaits
            loop.call_soon_threadsafe(put_if_awaited)

    def run() -> None:
        try:
            found = call(stopped.is_set)
        except BaseException as error:  # whatever it is, it belongs to who awaits
            tell(outcome.set_exception, error)
        else:
            tell(outcome.set_result, found)

    # In the context of who awaits: what is printed meanwhile belongs below its cell. A daemon: a process may end.
    threading.Thread(target=contextvars.copy_context().run, args=(run,), name=name, daemon=True).start()
    try:
        return await outcome
    finally:
        stopped.set()

"""Python's garbage collector kept out of what makes ten thousands of records that all stay.

CPython looks at all objects of a process once a quarter of them is new. Records of a history are no garbage, and in a
notebook with pandas and plotly loaded such a look takes longer than making them.

*Rule:* only around work that is bounded by the size of one history, and that calls no code of users.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """No collection in this block, if there are any outside of it. Blocks may be nested, and run in several threads:
    the first that ends turns collections on again."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()

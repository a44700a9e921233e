"""Imports that an interrupt does not break: those of numpy and pandas, by `numpy_library` and `pandas_library`.

Rule: an interrupt during an import ends the call that needed it, and nothing else. `KeyboardInterrupt` is raised in
the main thread only, and numpy that was half imported can't be imported again in its process. So another thread imports
it; the main thread waits, and an interrupt ends the waiting.
"""

from __future__ import annotations

import importlib
import sys
import threading


def import_uninterrupted(name: str) -> None:
    """Import a module whole, even if the main thread is interrupted meanwhile. Raises what its import raises."""
    if name in sys.modules or threading.current_thread() is not threading.main_thread():
        importlib.import_module(name)
        return
    errors: list[BaseException] = []

    def load() -> None:
        try:
            importlib.import_module(name)
        except BaseException as error:  # it is raised in the thread that waits
            errors.append(error)

    thread = threading.Thread(target=load, name=f"import of {name}", daemon=True)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]

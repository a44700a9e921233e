"""Modules, workflows and functions of Python that people name, imported.

Naming a module imports it, and nothing else does: no code is loaded by a name that a store or a history holds.
"""

from __future__ import annotations

import importlib
import inspect
from typing import Any

from simpleflow_lab.exceptions import UsageError


def import_module(name: str) -> Any:
    """A module that the user named. Raises `UsageError` in one line, whatever the module does when it is imported."""
    if not all(part.isidentifier() for part in name.split(".")):
        raise UsageError(f"{name!r} is no name of a module: write it with dots, as in examples.basic")
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            raise UsageError(f"no module {error.name!r}: is it installed, or in the current directory?") from error
        raise UsageError(f"module {name!r} can't be imported: {_in_one_line(error)}") from error
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a module is any code: it may exit, or be a test that is skipped
        raise UsageError(f"module {name!r} can't be imported: {_in_one_line(error)}") from error


def workflow_named(name: str) -> Any:
    """A workflow class: one that is defined in this process, or `module.Class`, imported. Raises `UsageError`."""
    from simpleflow_lab.executions.start_requests import find_workflow

    try:
        return find_workflow(name)
    except UsageError as error:
        module_name, _, class_name = name.rpartition(".")
        if not module_name:
            raise UsageError(f"{error}; one of a module is named module.Class") from None
    module = import_module(module_name)
    found = getattr(module, class_name, None)
    if found is None:
        raise UsageError(f"module {module_name!r} has no {class_name!r}")
    try:
        if inspect.isclass(found):
            return find_workflow(f"{found.__module__}.{found.__qualname__}")
    except UsageError:
        pass
    raise UsageError(f"{name} is no workflow: name a subclass of simpleflow_lab.Workflow")


def function_named(name: str) -> Any:
    """A function that the user named as `module.function`, imported. Raises `UsageError`."""
    module_name, _, function_name = name.rpartition(".")
    if not module_name:
        raise UsageError(f"{name!r} is no function: one of a module is named module.function")
    found = getattr(import_module(module_name), function_name, None)
    if not callable(found):
        raise UsageError(f"module {module_name!r} has no function {function_name!r}")
    return found


def _in_one_line(error: BaseException) -> str:
    from simpleflow_lab.data.failure_details import message_of

    return " ".join(f"{type(error).__name__}: {message_of(error)}".split())

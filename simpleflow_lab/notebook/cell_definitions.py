"""Workflows and activities that cells define, and how a cell changed them.

A definition is known by kind, type name and type version, as deciders and activity workers find it in the registries of
`activity` and `workflow`. Nothing here runs a cell or shows anything.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from simpleflow_lab import activity, workflow
from simpleflow_lab.definitions.registries import FINGERPRINT

DefinitionKind = Literal["activity", "workflow"]
Change = Literal["new", "replaced", "unchanged", "removed"]
Key = tuple[DefinitionKind, str, str]
"""Kind, type name and type version."""

_REGISTRIES: Final[Mapping[DefinitionKind, dict[tuple[str, str], Any]]] = {
    "activity": activity.registry,
    "workflow": workflow.registry,
}


@dataclass(frozen=True, kw_only=True)
class Definition:
    """A workflow or an activity that a cell defined."""

    kind: DefinitionKind
    """Whether it is a workflow or an activity."""
    label: str
    """Its name in Python."""
    name: str
    """The name of its SWF type."""
    version: str
    """The version of its SWF type."""
    task_list: str
    """The task list of its tasks, unless a call names another; empty if a workflow inherits it."""
    change: Change
    """The change to the definition that was registered before the cell ran. `removed`: the cell no longer contains it,
    and it is unregistered."""


def registered() -> dict[Key, Any]:
    """Every registered definition by its key."""
    return {
        (kind, name, version): thing
        for kind, registry in _REGISTRIES.items()
        for (name, version), thing in list(registry.items())
    }


def cell_classes() -> set[type[workflow.Workflow]]:
    """Every workflow class that cells define, also those that share a type with another one."""
    every = (definition for same in list(workflow.same_type.values()) for definition in list(same.values()))
    return {definition for definition in every if is_from_a_cell(definition)}


def changed_since(before: Mapping[Key, Any]) -> dict[Key, Any]:
    """The definitions that the user registered since `before`, without the activities of this package: an import of the
    user may register those, as that of steps does."""
    return {
        key: thing
        for key, thing in registered().items()
        if before.get(key) is not thing and _module(thing).partition(".")[0] != _PACKAGE
    }


def _module(thing: Any) -> str:
    """The name of the module of a workflow class or an activity's function."""
    return str(getattr(thing, "callable", thing).__module__)


_PACKAGE: Final = __name__.partition(".")[0]


def change_of(old: Any, new: Any) -> Change:
    """The change from the definition that was registered before, `None` for none, to the one that is now."""
    if old is None:
        return "new"
    return "unchanged" if _source(old) == _source(new) else "replaced"


def attributes_of(thing: Any) -> dict[str, Any]:
    """The attributes of an activity beside its function: `task_list`, `idempotent`, …; none of a workflow."""
    attributes = vars(thing) if isinstance(thing, activity.Activity) else {}
    return {name: value for name, value in attributes.items() if name not in _THE_FUNCTION}


def _source(thing: Any) -> tuple[str, dict[str, Any]]:
    """The source of a definition, or its identity if it has none, and the attributes of an activity."""
    try:
        source = inspect.getsource(thing)
    except (OSError, TypeError):
        source = f"{id(thing)}"
    return source, attributes_of(thing)


_THE_FUNCTION: Final = {
    "callable",
    "wraps",
    *functools.WRAPPER_ASSIGNMENTS,
    "__wrapped__",
    FINGERPRINT,
}
"""Attributes that an activity has from its function, which is a new object each time the cell runs."""


def describe(key: Key, thing: Any, change: Change) -> Definition:
    """The record of a definition."""
    kind, name, version = key
    of = thing if kind == "workflow" else thing.callable
    return Definition(
        kind=kind, label=of.__name__, name=name, version=version, task_list=thing.task_list or "", change=change
    )


def is_from_a_cell(thing: Any) -> bool:
    """Whether a cell of the notebook defines it, and no module."""
    return _module(thing) == "__main__"


def unregister(key: Key, thing: Any) -> None:
    """Take a definition out of its registry: deciders and activity workers no longer find it."""
    kind, name, version = key
    if kind == "workflow":
        workflow.forget(thing)
    else:
        del _REGISTRIES[kind][name, version]


def workflow_names() -> list[str]:
    """The names of the registered workflow classes."""
    return sorted({definition.__name__ for definition in list(workflow.registry.values())})

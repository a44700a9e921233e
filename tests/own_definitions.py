"""Each test file has the definitions of its own, as a program has that is made of it.

A run of all tests imports all their files. Every Lab of every test would find hundreds of workflows and activities
defined, take their fingerprints, tell its engine of them and poll their task lists; and a test could pass because of
what another file defines.

Rule: while the tests of a file run, what that file and the test files whose names it imports define is in the
registries, and nothing of other test files. What modules of helpers define stays. What a test itself defines
is gone when its fixtures have ended: the next row of its parameters defines it anew. So is what a program defines that
a test executes, as one of the README.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

from simpleflow_lab import activity, workflow

_REGISTRIES: tuple[dict[Any, Any], ...] = (activity.registry, workflow.registry)
_Place = tuple[Any, Any]
"""Where a definition is: the number of its registry, or else the type that several workflows may have; and its key."""
_set_aside: dict[str, list[tuple[_Place, Any]]] = {}
"""By module: places and definitions."""
_current: str | None = None
"""The module whose definitions are in the registries."""


def set_aside() -> None:
    """Take what the test files that were imported define out of the registries."""
    for place, definition in list(_of_test_files()):
        _set_aside.setdefault(definition.__module__, []).append((place, definition))
        _remove(place)


def bring_in(module: ModuleType | None) -> None:
    """Put the definitions of a test file into the registries, and take those of the file before it out. `None`: of no
    file, as for a notebook."""
    global _current
    name = None if module is None else module.__name__
    if name == _current:
        return
    _current = name
    for place, _ in list(_of_test_files()):
        _remove(place)
    for each in sorted(_with_imported(module)):
        for place, definition in _set_aside.get(each, ()):
            _put(place, definition)


def undone(module: ModuleType) -> Callable[[], None]:
    """Gives what makes the definitions of a test file those that they are now."""
    before = _of_file(module)
    of_programs = {id(definition) for definition in _of_programs()}

    def undo() -> None:
        for definition in [each for each in _of_programs() if id(each) not in of_programs]:
            if isinstance(definition, type):
                workflow.forget(definition)
            else:
                del activity.registry[definition.name, definition.version]
        after = _of_file(module)
        if [*after.items()] != [*before.items()]:  # their order counts, too: of one type the latest is found
            for place in after:
                _remove(place)
            for place, definition in before.items():
                _put(place, definition)

    return undo


def _of_file(module: ModuleType) -> dict[_Place, Any]:
    return {place: definition for place, definition in _all() if definition.__module__ == module.__name__}


def _of_programs() -> list[Any]:
    """Workflows, and activities, of programs that are no modules: they run under a name like `__readme__`."""
    workflows = (each for same in workflow.same_type.values() for each in same.values())
    found = [each for each in (*workflows, *activity.registry.values()) if each.__module__ not in sys.modules]
    return [each for each in found if each.__module__.startswith("__")]


def _of_test_files() -> Iterator[tuple[_Place, Any]]:
    for place, definition in _all():
        if definition.__module__.rpartition(".")[2].startswith("test_"):
            yield place, definition


def _all() -> Iterator[tuple[_Place, Any]]:
    for number, registry in enumerate(_REGISTRIES):
        for key, definition in registry.items():
            yield (number, key), definition
    for kind, same in workflow.same_type.items():
        for name, definition in same.items():
            yield (kind, name), definition


def _put(place: _Place, definition: Any) -> None:
    where, key = place
    if isinstance(where, int):
        _REGISTRIES[where][key] = definition
    else:
        workflow.same_type.setdefault(where, {})[key] = definition


def _remove(place: _Place) -> None:
    where, key = place
    if isinstance(where, int):
        del _REGISTRIES[where][key]
    else:
        del workflow.same_type[where][key]
        if not workflow.same_type[where]:
            del workflow.same_type[where]


def _with_imported(module: ModuleType | None) -> set[str]:
    """The name of a test file's module, and those of the test files from which it has something."""
    found: set[str] = set()
    ahead = [] if module is None else [module.__name__]
    while ahead:
        name = ahead.pop()
        found.add(name)
        of_values = {getattr(each, "__module__", None) for each in vars(sys.modules[name]).values()}
        ahead += (of_values & _set_aside.keys()) - found
    return found

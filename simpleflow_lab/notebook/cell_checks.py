"""Workflows that a cell has defined, checked with the executions that are recorded of them.

Whatever way a cell defines a workflow again, or what its code uses, it is said at once whether recorded executions
would be decided as they were. Nothing is said of a workflow of which nothing is recorded.

Rule: it opens no store, takes no longer than the setting says, raises nothing, and keeps no definition alive.
"""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, NamedTuple

from simpleflow_lab.debugger.checking import code_of, edits_since, is_started_here, keep_source
from simpleflow_lab.debugger.recorded_checks import RecordedChecks
from simpleflow_lab.exceptions import SimpleflowLabError
from simpleflow_lab.lab import Lab
from simpleflow_lab.notebook.cell_definitions import Key, attributes_of, is_from_a_cell, registered

MAX_WORKFLOWS: Final = 20
"""Most workflows that are checked after one cell."""


class _Seen(NamedTuple):
    definition: weakref.ref[Any]
    attributes: dict[str, Any]
    """Of an activity, what it has beside its function."""


class CellChecks:
    """Checks what cells define."""

    def __init__(self) -> None:
        self._before: dict[Key, _Seen] = {}
        """The definitions that were registered before the current cell, or when it was checked last."""
        self._codes: dict[Key, str] = {}
        """The fingerprints of the workflows of cells after the last cell, with all that they use."""
        self._edits: dict[Key, Callable[[], tuple[str, ...]]] = {}
        """The functions that name which of the things that those use were edited since then."""
        self._began = time.time()

    def begin(self, info: object = None) -> None:
        """A cell is about to run: IPython's event `pre_run_cell`."""
        self._began = time.time()
        self._before = {key: _Seen(weakref.ref(thing), attributes_of(thing)) for key, thing in registered().items()}

    def check(self, labs: Iterable[Lab]) -> list[RecordedChecks]:
        """The checks of what was defined since it was called last, or the cell began, and of what uses something that
        is not what it was then, as a function or a constant: of workflows of which something is recorded in one of
        these Labs."""
        to_check = list(self._to_check())[:MAX_WORKFLOWS]
        if not to_check:
            return []
        found: list[RecordedChecks] = []
        open_labs = _one_of_each_store(lab for lab in labs if not lab.closed and lab.settings.lab_check_seconds > 0)
        for key, definition, edited in to_check:
            keep_source(definition, key[1:], since=self._began)
            of_labs = [(lab, _checked(lab, definition)) for lab in open_labs]
            recorded = [(lab, checks) for lab, checks in of_labs if checks is not None]
            for lab, checks in recorded:
                is_only = len(recorded) == 1
                found.append((checks if is_only else checks.in_place(_place_of(lab))).because_of(edited))
        self.begin()
        return found

    def _to_check(self) -> Iterator[tuple[Key, Any, tuple[str, ...]]]:
        """The workflows that were defined; those of cells, and those of modules that were started here, that are or use
        something else now, with the names of that; and all those of cells, if more of an activity than its code
        changed."""
        now = registered()
        names = {key: edits() for key, edits in self._edits.items()}
        codes = {
            key: code_of(thing)
            for key, thing in now.items()
            if key[0] == "workflow" and (is_from_a_cell(thing) or is_started_here(thing))
        }
        edited = {key for key, code in codes.items() if self._codes.get(key, code) != code}
        self._codes = codes
        self._edits = {key: edits_since(now[key]) for key in codes}
        changed = [key for key, thing in now.items() if self._is_new(key, thing)]
        is_everything = any(
            key[0] == "activity" and key in self._before and self._before[key].attributes != attributes_of(now[key])
            for key in changed
        )
        for key, thing in now.items():
            if key[0] != "workflow":
                continue
            is_of_a_cell = is_from_a_cell(thing)
            is_defined = key in changed and (is_of_a_cell or key in self._before)
            if is_defined or key in edited or (is_everything and is_of_a_cell):
                yield key, thing, () if is_defined or key not in edited else names.get(key, ())

    def _is_new(self, key: Key, thing: Any) -> bool:
        seen = self._before.get(key)
        return seen is None or seen.definition() is not thing


def _one_of_each_store(labs: Iterable[Lab]) -> list[Lab]:
    """The Labs without those that have the store and domain of one before, as of a first cell that ran again."""
    found: dict[object, Lab] = {}
    for lab in labs:
        found.setdefault((lab if lab.address == ":memory:" else lab.address, lab.domain), lab)
    return list(found.values())


def _place_of(lab: Lab) -> str:
    return f"domain {lab.domain} of {lab.address}"


def _checked(lab: Lab, definition: Any) -> RecordedChecks | None:
    """The checks with what this Lab has recorded; `None` if that is nothing."""
    try:
        checks = lab.check(definition, seconds=lab.settings.lab_check_seconds)
    except SimpleflowLabError as error:
        return RecordedChecks(definition.__name__, (), total=0, stopped=f"not checked: {error}")
    return checks if checks.total or checks.stopped else None

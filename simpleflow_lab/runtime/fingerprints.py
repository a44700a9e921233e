"""Fingerprints: what the code of a definition is, in 16 hexadecimal digits.

Processes of one store compare them to tell whether they mean the same by a name. The same text, in two kernels, or in
a script and where another program imports that script, has one fingerprint; a comment, a docstring, the place in the
file and the name of the file don't count. What counts: the definition's own code, the values that it closes over and
its defaults, and every global name that it uses, followed from function to function and from class to class through
the author's own modules. Of an author's module that is used as a whole, its source. The attributes of an activity (task
list, timeouts, retry) count for the workflows that submit it: they say how it is asked for, and not what runs.

Rule: a fingerprint follows from the code alone: the same in every process, whatever ran there and in which order sets
are. What can't be told (the state of an object that is no plain value, a function that is looked up by its name) is no
difference.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import types
import weakref
from collections.abc import Iterable, Mapping
from typing import Any, Final

from simpleflow_lab.activity import Activity
from simpleflow_lab.definitions.registries import FINGERPRINT
from simpleflow_lab.runtime.definition_records import (
    ABSENT,
    DefinitionTracer,
    FunctionParts,
    OnlyType,
    content_of,
    is_still,
)
from simpleflow_lab.runtime.names_in_code import arguments_of
from simpleflow_lab.workflow import Workflow

DIGITS: Final = 16
"""Length of a fingerprint."""


def fingerprint(definition: Activity | type[Workflow]) -> str:
    """The fingerprint of an activity or a workflow class, as its code is now.

    It is cached with the definition until a name or an attribute that it was made from gets another object, or a
    function other code, which is found out in microseconds. A list, dictionary or set among them counts with what it
    held when it was first asked; one whose items the code itself sets, as those of a cache, does not count.
    """
    while isinstance(definition, Activity) and definition.wraps and definition.wraps.executor == definition.executor:
        definition = definition.wraps
    cached = vars(definition).get(FINGERPRINT)
    if cached is not None and cached.holds():
        return str(cached.digits)
    tracer = DefinitionTracer(definition)
    record = tracer.record()
    text = json.dumps(record, separators=(",", ":"))
    made = CachedFingerprint(
        definition,
        hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:DIGITS],
        tracer.used,
        tracer.cells,
        tracer.functions,
    )
    with contextlib.suppress(AttributeError, TypeError):  # a class may refuse new attributes
        setattr(definition, FINGERPRINT, made)
    return made.digits


def cached_fingerprint(definition: type[Workflow]) -> CachedFingerprint | None:
    """The fingerprint that is cached with a workflow class, which may not hold any more; `None` if none is."""
    cached = vars(definition).get(FINGERPRINT)
    return cached if isinstance(cached, CachedFingerprint) else None


class CachedFingerprint:
    """A fingerprint, and what it was made from."""

    __slots__ = ("_cells", "_functions", "_of", "_used", "digits")

    def __init__(
        self,
        of: Activity | type[Workflow],
        digits: str,
        used: list[tuple[Mapping[str, Any], str, Any]],
        cells: list[tuple[types.CellType, Any]],
        functions: list[FunctionParts],
    ) -> None:
        self.digits = digits
        self._of = weakref.ref(of)
        self._used = used
        self._cells = cells
        self._functions = functions

    def holds(self) -> bool:
        """Whether every name still has the object that it had."""
        for names, name, value in self._used:  # no generator: it is asked twice for each decision
            if (now := names.get(name, ABSENT)) is not value and not is_still(now, value):
                return False
        # IPython's autoreload gives a function that was edited its new code, and leaves the function.
        for parts in self._functions:
            if not parts.hold():
                return False
        return not self._cells or all(is_still(content_of(cell), value) for cell, value in self._cells)

    def changed_names(self) -> tuple[str, ...]:
        """The names that have something else than when it was made, in order: of functions and constants, and of
        functions that have other code. A function that only was defined again, as by a reload, has nothing else."""
        found = [
            (name, value, now)
            for names, name, value in self._used
            if not is_still(now := names.get(name, ABSENT), value)
        ]
        names = [name for name, value, now in found if self._record(value) != self._record(now)]
        edited = [parts.function.__qualname__ for parts in self._functions if not parts.hold()]
        return tuple(dict.fromkeys([*names, *edited]))

    def may_set(self, names: Iterable[str]) -> bool:
        """Whether the code itself assigns to all these names, as to a counter."""
        functions = (getattr(value, "__func__", value) for _, _, value in self._used)
        codes = [each.__code__ for each in functions if isinstance(each, types.FunctionType)]
        return all(any(name in arguments_of(code, "STORE_GLOBAL", "STORE_ATTR") for code in codes) for name in names)

    def _record(self, value: Any) -> Any:
        """The record of a value in a fingerprint."""
        of = self._of()
        if of is None or value is ABSENT or isinstance(value, OnlyType):
            return object()  # no other is known to be the same
        return DefinitionTracer(of).value(value)

"""The names that code looks up and assigns, read from its instructions; nothing is run."""

from __future__ import annotations

import dis
import functools
import types

from simpleflow_lab.definitions.redefinitions import codes_in


@functools.lru_cache(maxsize=4096)
def names_used(code: types.CodeType) -> tuple[str, ...]:
    """The globals that this code, and all code within, looks up and never assigns, in order.

    What it assigns, with `global`, is the state of a program that runs: a counter, a connection that is kept.
    """
    return tuple(sorted(arguments_of(code, "LOAD_GLOBAL", "LOAD_NAME") - names_assigned(code)))


@functools.lru_cache(maxsize=4096)
def attributes_used(code: types.CodeType) -> tuple[tuple[str, ...], ...]:
    """The attributes that this code, and all code within, looks up in a global: `("rates", "gold")` for `rates.gold`,
    in order."""
    found: set[tuple[str, ...]] = set()
    for part in (code, *codes_in(code)):
        path: tuple[str, ...] = ()
        for instruction in dis.get_instructions(part):
            if instruction.opname in ("LOAD_ATTR", "LOAD_METHOD") and path:
                path = (*path, str(instruction.argval))
                continue
            if len(path) > 1:
                found.add(path)
            path = (str(instruction.argval),) if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME") else ()
    return tuple(sorted(found))


@functools.lru_cache(maxsize=4096)
def names_assigned(code: types.CodeType) -> frozenset[str]:
    """The globals, and the variables of the functions around it, that this code or code within assigns."""
    around = set(code.co_freevars)
    return arguments_of(code, "STORE_GLOBAL", "DELETE_GLOBAL") | (arguments_of(code, "STORE_DEREF") & around)


@functools.lru_cache(maxsize=4096)
def attributes_assigned(code: types.CodeType) -> frozenset[str]:
    """The attributes of whatever object that this code, and all code within, assigns, also by `setattr`."""
    codes = (code, *codes_in(code))
    by_name = (part.co_consts for part in codes if "setattr" in part.co_names)
    texts = (text for consts in by_name for text in consts if isinstance(text, str) and text.isidentifier())
    return arguments_of(code, "STORE_ATTR", "DELETE_ATTR") | frozenset(texts)


def arguments_of(code: types.CodeType, *operations: str) -> frozenset[str]:
    """The names to which this code, and all code within, applies these operations."""
    return frozenset(
        str(instruction.argval)
        for part in (code, *codes_in(code))
        for instruction in dis.get_instructions(part)
        if instruction.opname in operations
    )

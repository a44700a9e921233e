"""Whether a definition is an earlier one, made again, or another one that takes its name.

A cell that is run again, edited or not, and a module that is reloaded, make a function or class of the same module and
qualified name from a text that is compiled anew: that replaces the earlier definition. A factory, a loop or two lambdas
make two definitions that only share a name: the same text with other values, or other functions. So does a text that
is executed in two namespaces, and so do two definitions of one name in one text, as in the branches of an `if`.

Rule: it is told from the two objects: their modules, qualified names, instructions, closures and defaults, what they
use of namespaces that are no module's, and the lines of the text they are from.
"""

from __future__ import annotations

import ast
import functools
import gc
import inspect
import json
import linecache
import sys
import types
import warnings
import weakref
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from simpleflow_lab.definitions.registries import FINGERPRINT
from simpleflow_lab.exceptions import DefinitionWarning

_PACKAGE: Final = __name__.partition(".")[0]
_PLAIN: Final = (type(None), bool, int, float, complex, str, bytes, type(Ellipsis))
_OF_EVERY_CLASS: Final = frozenset({"__module__", "__qualname__", "__doc__", "__dict__", "__weakref__", FINGERPRINT})


_first_values: Final[weakref.WeakKeyDictionary[type, dict[str, Any]]] = weakref.WeakKeyDictionary()
"""The plain values that the attributes of classes had when they were defined: code that runs may change them."""
_first_closures: Final[weakref.WeakKeyDictionary[types.FunctionType, dict[str, Any]]] = weakref.WeakKeyDictionary()
"""The plain values that functions closed over when they were defined: code with `nonlocal` may change them."""


def note_values(definition: Any) -> None:
    """Keep the plain values of a class and those that a function or method closes over, also through functions that it
    closes over, as they are where it is defined."""
    if isinstance(definition, type) and definition not in _first_values:
        _first_values[definition] = {
            name: value for name, value in vars(definition).copy().items() if isinstance(value, (*_PLAIN, tuple))
        }
    members = vars(definition).copy().values() if isinstance(definition, type) else [definition]
    left = [function for member in members for function in _functions_of(member)]
    while left:
        function = left.pop()
        if function.__closure__ and function not in _first_closures:
            now = dict(zip(function.__code__.co_freevars, _closure(function), strict=True))
            left += [each for each in now.values() if isinstance(each, types.FunctionType)]
            _first_closures[function] = {
                name: value for name, value in now.items() if value is not None and isinstance(value, (*_PLAIN, tuple))
            }


def is_made_again(new: Any, old: Any) -> bool:
    """Whether one of two functions, classes or other callables is the other, made again."""
    return _Comparison().is_same(new, old)


def warn_of_another(kind: str, key: tuple[str, str], old: weakref.ref[Any] | None, new: Any) -> None:
    """Warn, once for each type, if a definition replaced another one that is still in use.

    `old` and `new` are the function or class of the definitions of this `key`, its type's name and version.
    """
    replaced = old() if old is not None else None
    if replaced is None or is_made_again(new, replaced) or _checks[key] >= MAX_CHECKS:
        return
    del replaced
    gc.collect()  # a class that nobody uses any more goes only now
    _checks[key] += 1
    if old is not None and old() is not None:
        _checks[key] = MAX_CHECKS
        own = f'name="{key[0].rpartition(".")[2]}_2"'
        message = (
            f"{kind} {key[0]!r} (version {key[1]}) is defined a second time, with other code: the earlier definition "
            f"can no longer be submitted. Give each a name of its own, as in {_EXAMPLES[kind].format(own)}"
        )
        frame = sys._getframe()
        while frame.f_back is not None and str(frame.f_globals.get("__name__")).partition(".")[0] == _PACKAGE:
            frame = frame.f_back
        warnings.warn_explicit(message, DefinitionWarning, frame.f_code.co_filename, frame.f_lineno)


_EXAMPLES: Final = {"activity": "with_attributes({})", "workflow": "its class attribute {}"}
MAX_CHECKS: Final = 3
"""The most checks, for one type, whether anybody still uses a definition that was replaced: this takes time."""
_checks: Final[Counter[tuple[str, str]]] = Counter()
"""Number of checks, by type; `MAX_CHECKS` once there was a warning."""


class _Comparison:
    """One comparison of two definitions; what is being compared already counts as the same."""

    def __init__(self) -> None:
        self._begun: set[tuple[int, int]] = set()

    def is_same(self, new: Any, old: Any) -> bool:
        if new is old or (id(new), id(old)) in self._begun:
            return True
        if type(new) is not type(old):
            return False
        self._begun.add((id(new), id(old)))
        match new:
            case types.FunctionType():
                return self._is_same_function(new, old)
            case type():
                return self._is_same_class(new, old)
            case tuple() | frozenset() | functools.partial() | staticmethod() | classmethod() | property():
                return self._are_same(_parts(new), _parts(old))
            case _ if isinstance(new, _PLAIN):
                return bool(new == old)
        wrapped, before = (
            inspect.getattr_static(each, "__wrapped__", None) for each in (new, old)
        )  # an activity, for example
        return wrapped is not None and before is not None and self.is_same(wrapped, before)

    def _are_same(self, new: list[Any], old: list[Any]) -> bool:
        return len(new) == len(old) and all(map(self.is_same, new, old))

    def _is_same_function(self, new: types.FunctionType, old: types.FunctionType) -> bool:
        same_text = instructions_of(new.__code__) == instructions_of(old.__code__)
        if not same_text and (not _is_same_place(new, old) or _stand_in_one_text([new.__code__], [old.__code__])):
            return False
        if not _share_a_namespace(new, old) and not (same_text and self._uses_the_same(new, old)):
            return False
        closed = _first_closure(new), _first_closure(old)
        if new.__code__ is not old.__code__:  # compiled once more, as a factory's cell that is run again
            closed = _without_states(*closed)
        if not self._are_same(*closed):
            return False
        # An edited text may have other defaults; the same text has them from a loop or a factory.
        if not same_text or _is_run_again(new, [new.__code__], [old.__code__]):
            return True
        if self._are_same(_defaults(new), _defaults(old)):
            return True
        _note_several([new.__code__], [old.__code__])
        return False

    def _uses_the_same(self, new: types.FunctionType, old: types.FunctionType) -> bool:
        """Whether the globals that the code of both uses are the same."""
        names = {name for code in (new.__code__, *codes_in(new.__code__)) for name in code.co_names}
        mine, others = ({k: v for k, v in each.__globals__.copy().items() if k in names} for each in (new, old))
        return mine.keys() == others.keys() and all(self.is_same(mine[name], others[name]) for name in mine)

    def _is_same_class(self, new: type, old: type) -> bool:
        if not _is_same_place(new, old):
            return False
        mine, others = (
            {k: v for k, v in (vars(each) | _first_values.get(each, {})).items() if k not in _OF_EVERY_CLASS}
            for each in (new, old)
        )
        if mine.keys() != others.keys() or any(
            _instructions_in(mine[name]) != _instructions_in(others[name]) for name in mine
        ):  # its text was edited, or there are two
            return not _stand_in_one_text(methods_of(new), methods_of(old))
        if len(new.__bases__) != len(old.__bases__):
            return True
        # Values and base classes count where the text is the same: then no edit explains them.
        run_again = _is_run_again(new, methods_of(new), methods_of(old))
        if (run_again or self._are_same(list(new.__bases__), list(old.__bases__))) and all(
            self.is_same(mine[name], others[name])
            for name in mine
            if _codes_of(mine[name])
            or (not run_again and isinstance(mine[name], (*_PLAIN, tuple)) and not name.startswith("__"))
        ):
            return True
        _note_several(methods_of(new), methods_of(old))
        return False


def _is_same_place(new: Any, old: Any) -> bool:
    """Whether both have one module and one qualified name, and so were written in one place, one after the other."""
    name = new.__qualname__
    return bool(new.__module__ == old.__module__ and name == old.__qualname__ and "<lambda>" not in name)


_of_several: Final[weakref.WeakValueDictionary[int, types.CodeType]] = weakref.WeakValueDictionary()
"""The codes, by `id`, of which definitions with different values were made, as in a loop."""


def _note_several(new: list[types.CodeType], old: list[types.CodeType]) -> None:
    """Keep the codes that two definitions which differ have in common."""
    _of_several.update({id(code): code for code in new if any(code is other for other in old)})


def _is_run_again(definition: Any, new: list[types.CodeType], old: list[types.CodeType]) -> bool:
    """Whether a text that stands in no function was compiled once more between two definitions, as for a cell that is
    run again: a loop and a factory make theirs of one code. Values are then those of the last run, unless
    one of the two texts made several definitions."""
    return (
        bool(new and old)
        and "<locals>" not in definition.__qualname__
        and {id(code) for code in new}.isdisjoint(id(code) for code in old)
        and not any(id(code) in _of_several for code in (*new, *old))
        and not _stand_in_one_text(new, old)
    )


def _share_a_namespace(new: types.FunctionType, old: types.FunctionType) -> bool:
    """Whether both have the same globals, or those of one module, imported anew."""
    module = sys.modules.get(new.__module__)
    return new.__globals__ is old.__globals__ or (module is not None and vars(module) is new.__globals__)


def _parts(value: Any) -> list[Any]:
    match value:
        case tuple():
            return list(value)
        case frozenset():
            return [len(value), *sorted(map(repr, value))]
        case functools.partial():
            return [
                value.func,
                *value.args,
                *sorted(value.keywords),
                *(value.keywords[k] for k in sorted(value.keywords)),
            ]
        case property():
            return [value.fget, value.fset, value.fdel]
    return [value.__func__]


def _closure(function: types.FunctionType) -> list[Any]:
    """The values of a function's closed-over variables, without those that have none yet."""
    found = []
    for cell in function.__closure__ or ():
        try:
            found.append(cell.cell_contents)
        except ValueError:
            found.append(None)
    return found


def _first_closure(function: types.FunctionType) -> list[Any]:
    """The same, with the plain values that it had when it was defined."""
    first = _first_closures.get(function, {})
    names = function.__code__.co_freevars
    return [first.get(name, value) for name, value in zip(names, _closure(function), strict=True)]


def _without_states(new: list[Any], old: list[Any]) -> tuple[list[Any], list[Any]]:
    """The values of two closures without those that can't be compared, as locks, and lists that code fills: where both
    are of one type."""
    if len(new) != len(old):
        return new, old
    pairs = zip(new, old, strict=True)
    kept = [pair for pair in pairs if type(pair[0]) is not type(pair[1]) or not _is_state(pair[0])]
    return [each for each, _ in kept], [each for _, each in kept]


def _is_state(value: object) -> bool:
    """Whether a value is none of those that a comparison tells apart."""
    known = (type, types.FunctionType, tuple, frozenset, functools.partial, staticmethod, classmethod, property)
    is_compared = isinstance(value, (*_PLAIN, *known))
    return not is_compared and inspect.getattr_static(value, "__wrapped__", None) is None


def _defaults(function: types.FunctionType) -> list[Any]:
    named = function.__kwdefaults__ or {}
    return [*(function.__defaults__ or ()), *named, *named.values()]


def _functions_of(member: Any) -> list[types.FunctionType]:
    """The functions of a member of a class: a function, a property or the like."""
    function = getattr(member, "__func__", member)
    functions = [member.fget, member.fset, member.fdel] if isinstance(member, property) else [function]
    return [each for each in functions if isinstance(each, types.FunctionType)]


def _codes_of(member: Any) -> list[types.CodeType]:
    """The code of a member of a class, of a function, a property or the like."""
    return [function.__code__ for function in _functions_of(member)]


def methods_of(definition: type) -> list[types.CodeType]:
    """The code of what is defined in the text of a class; none of one that `type` made of functions from elsewhere."""
    codes = (code for member in vars(definition).copy().values() for code in _codes_of(member))
    return [code for code in codes if code.co_qualname.startswith(f"{definition.__qualname__}.")]


def _instructions_in(member: Any) -> list[str]:
    return [instructions_of(code) for code in _codes_of(member)]


def _stand_in_one_text(new: list[types.CodeType], old: list[types.CodeType]) -> bool:
    """Whether the text of a file or cell, as it is now, has both at different lines: then neither was edited into the
    other. Where there is no text, as for what `exec` ran, they count as edited."""
    codes = [*new, *old]
    if not new or not old or len({code.co_filename for code in codes}) > 1:
        return False
    if {_place_of(code) for code in new} & {_place_of(code) for code in old}:
        return False
    filename = codes[0].co_filename
    linecache.checkcache(filename)
    places = _places_in("".join(linecache.getlines(filename)))
    return all(_place_of(code) in places for code in codes)


def _place_of(code: types.CodeType) -> tuple[str, int]:
    return code.co_qualname, code.co_firstlineno


@functools.lru_cache(maxsize=16)
def _places_in(text: str) -> frozenset[tuple[str, int]]:
    """The qualified name and first line of each function in this text."""
    try:
        code = compile(text, "text", "exec", dont_inherit=True, flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    except (SyntaxError, ValueError):  # the file was edited and is no program now
        return frozenset()
    return frozenset(_place_of(each) for each in codes_in(code))


# -- instructions ------------------------------------------------------------------------------------------------------


def codes_in(code: types.CodeType) -> Iterator[types.CodeType]:
    """The code of every function within this code."""
    for part in code.co_consts:
        if isinstance(part, types.CodeType):
            yield part
            yield from codes_in(part)


@functools.lru_cache(maxsize=4096)
def instructions_of(code: types.CodeType) -> str:
    """The instructions of a function and of all functions within, without the lines and the file they are from.

    The same text gives the same in every process of one version of Python.
    """

    def constant(value: Any) -> Any:
        match value:
            case types.CodeType():
                return record(value)
            case tuple():
                return ["tuple", [constant(item) for item in value]]
            case frozenset():
                return ["set", sorted(json.dumps(constant(item)) for item in value)]
        return [type(value).__name__, repr(value)]

    def record(code: types.CodeType) -> Any:
        return [
            *(code.co_name, code.co_code.hex(), code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars),
            *(code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags),
            [constant(value) for value in code.co_consts],
        ]

    return json.dumps(record(code))

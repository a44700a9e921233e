"""The record of what the code of one definition consists of, in plain JSON; a fingerprint is made of it.

Rule: two processes that run the same code make equal records, whatever ran there before.
"""

from __future__ import annotations

import builtins
import contextlib
import dataclasses
import datetime
import enum
import functools
import inspect
import json
import pathlib
import re
import sys
import types
import uuid
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from simpleflow_lab.activity import Activity, NotSet
from simpleflow_lab.definitions.registries import FINGERPRINT
from simpleflow_lab.retry import Retry
from simpleflow_lab.runtime.authors_modules import is_authors, source_digest
from simpleflow_lab.runtime.function_texts import paths_filled, text_of
from simpleflow_lab.runtime.names_in_code import attributes_assigned, attributes_used, names_assigned, names_used
from simpleflow_lab.workflow import Workflow

MAX_PARTS: Final = 2_000
"""Functions, classes, modules and values of which one fingerprint is made at most; of the rest only the kind counts."""
MAX_DEPTH: Final = 60
"""The most steps for which functions, classes and values are followed from one to the next."""
MAX_ITEMS: Final = 1_000
"""Items of a container that count; of a longer one, its length and these."""

ABSENT: Final = object()
"""Stands for the value of a name that has none."""


class OnlyType:
    """Stands for a value of which only the type counts, so that a large one is not kept alive."""

    __slots__ = ("type",)

    def __init__(self, type: type) -> None:
        self.type = type


def is_still(now: object, before: object) -> bool:
    """Whether a name has what it had; `before` is as `kept_of` gave it."""
    return now is before or (isinstance(before, OnlyType) and type(now) is before.type)


def kept_of(value: object) -> object:
    """The part of a value that a fingerprint keeps, to tell whether another one stands in its place."""
    with contextlib.suppress(Exception):  # as in `DefinitionTracer._value`
        if (
            value is ABSENT
            or isinstance(value, _TRACED)
            or _plain(value) is not None
            or dataclasses.is_dataclass(value)
        ):
            return value
        if isinstance(value, list | tuple | set | frozenset | dict) and len(value) <= MAX_ITEMS:
            return value
        return value if inspect.getattr_static(value, "__wrapped__", None) is not None else OnlyType(type(value))
    return OnlyType(type(value))


class FunctionParts(NamedTuple):
    """A function, with what it had when a fingerprint was made."""

    function: Any
    """A `FunctionType`, which a checker of types takes for a method here."""
    code: types.CodeType
    defaults: tuple[Any, ...] | None
    kwdefaults: dict[str, Any] | None

    @classmethod
    def of(cls, function: types.FunctionType) -> FunctionParts:
        """Those of a function as it is now."""
        return cls(function, function.__code__, function.__defaults__, function.__kwdefaults__)

    def hold(self) -> bool:
        """Whether the function still has them."""
        function = self.function
        return (
            function.__code__ is self.code
            and function.__defaults__ is self.defaults
            and function.__kwdefaults__ is self.kwdefaults
        )


class DefinitionTracer:
    """Makes a record, which is plain JSON, of everything that one definition consists of."""

    def __init__(self, definition: Activity | type[Workflow]) -> None:
        self._definition = definition
        self._module = str(getattr(definition, "__module__", None))
        self.used: list[tuple[Mapping[str, Any], str, Any]] = []
        """Each name that was looked up: where, the name, and what it was."""
        self.cells: list[tuple[types.CellType, Any]] = []
        """Each closed-over variable and its value."""
        self.functions: list[FunctionParts] = []
        """Each of the author's functions, as it was."""
        self._seen: dict[int, int] = {}
        """By `id`: the number of a function, class or container that is in the record already."""
        self._alive: list[object] = []  # so that no id is used twice
        self._texts: dict[types.FunctionType, str] = {}
        """The texts of functions, which are looked for once."""
        self._depth = 0
        self._set_globals: set[tuple[int, str]] = set()
        """The names that the code assigns in globals, which are given by their `id`."""
        self._set_attributes: set[str] = set()
        self._through_modules: set[tuple[int, str]] = set()
        """Names that were looked up as attributes of a module, in its globals, given by their `id`."""
        self._state: tuple[set[tuple[int, str]], set[str]] = set(), set()
        """The parts that are left out, as a counter: globals, and attributes of classes and modules, that the code or
        its activities assign."""

    def record(self) -> Any:
        """The record of the definition."""
        record = self._whole()
        if not any(self._is_set(names, name, value) for names, name, value in self.used):
            return record
        again = DefinitionTracer(self._definition)
        again._state = self._set_globals, self._set_attributes
        again._texts = self._texts
        record = again._whole()
        self.used, self.cells, self.functions = again.used, again.cells, again.functions
        return record

    def _is_set(self, names: Mapping[str, Any], name: str, value: Any) -> bool:
        """Whether the code assigns what this name stands for in these globals, or in this class."""
        place = id(names), name
        is_attribute = isinstance(names, types.MappingProxyType) or place in self._through_modules
        by_attribute = is_attribute and name in self._set_attributes and not isinstance(value, _TRACED)
        return by_attribute or place in self._set_globals

    def _note_assigned(self, function: types.FunctionType) -> None:
        self._set_attributes |= attributes_assigned(function.__code__)
        self._set_globals |= {(id(function.__globals__), name) for name in names_assigned(function.__code__)}
        for path in paths_filled(self._text(function)):
            self._note_filled(function, path)

    def _text(self, function: types.FunctionType) -> str:
        text = self._texts.get(function)
        if text is None:
            text = self._texts[function] = text_of(function.__code__, function.__globals__)
        return text

    def _note_filled(self, function: types.FunctionType, path: tuple[str, ...]) -> None:
        """Note whose items a function changes: a container of the globals or of a module, or of a class."""
        first, *rest = path
        value: Any = ABSENT
        if first in names_used(function.__code__):
            names, name, value = self._found(function, first, rest)
            if not rest and isinstance(value, _CONTAINERS):
                self._set_globals.add((id(names), name))
        if len(rest) == 1 and (isinstance(value, type) or first in _OWN):
            self._set_attributes.add(rest[0])

    def _found(self, function: types.FunctionType, name: str, path: list[str]) -> tuple[Mapping[str, Any], str, Any]:
        """The value at this path of names, after the namespace that has it and its name there. The path is shortened by
        the names that lead through the author's modules."""
        names: Mapping[str, Any] = function.__globals__
        value = names.get(name, ABSENT)
        while path and isinstance(value, types.ModuleType) and is_authors(value.__name__, self._module):
            names, name = vars(value), path.pop(0)
            value = names.get(name, ABSENT)
        return names, name, value

    def _whole(self) -> Any:
        if isinstance(self._definition, Activity):
            return ["activity", self._definition.executor, self._value(self._definition.callable)]
        workflow = self._definition
        return ["workflow", workflow.type_name(), workflow.type_version(), self._value(workflow)]

    def value(self, value: Any) -> Any:
        """The record of something that the definition uses."""
        return self._value(value)

    # -- values --

    def _value(self, value: Any) -> Any:
        """The record of a value: of a plain one what it is, of any other what is known of it."""
        self._depth += 1
        try:
            return self._record_of(value)
        except Exception:  # of an author's own descriptor, for example: then the type is all that can be told
            return ["a", _type_name(value)]
        finally:
            self._depth -= 1

    def _record_of(self, value: Any) -> Any:
        plain = _plain(value)
        if plain is not None:
            return plain
        number = self._seen.get(id(value))
        if number is not None:
            return ["again", number]
        if len(self._seen) >= MAX_PARTS or self._depth > MAX_DEPTH:
            return ["and more", type(value).__name__]
        self._seen[id(value)] = len(self._seen)
        self._alive.append(value)
        return self._part(value)

    def _use(self, names: Mapping[str, Any], name: str, value: Any) -> Any:
        """The record of what a name stands for."""
        self.used.append((names, name, kept_of(value)))
        return [name, ["absent"] if value is ABSENT else self._value(value)]

    def _part(self, value: Any) -> Any:
        match value:
            case Activity():
                # A workflow names the type of a task; an activity can only call it.
                code = None if isinstance(self._definition, type) else self._value(value.callable)
                if isinstance(value.callable, types.FunctionType):
                    self._note_assigned(value.callable)
                return ["activity", value.name, self._attributes_of(value), code]
            case types.ModuleType():
                return self._module_record(value)
            case types.FunctionType():
                return self._function(value)
            case type():
                return self._class(value)
            case types.MethodType():
                return ["method", self._value(value.__func__), self._value(value.__self__)]
            case staticmethod() | classmethod():
                return [type(value).__name__, self._value(value.__func__)]
            case property():
                return ["property", *(self._value(each) for each in (value.fget, value.fset, value.fdel))]
            case functools.partial():
                return ["partial", self._value(value.func), self._value(value.args), self._value(value.keywords)]
            case list() | tuple():
                items = [self._value(item) for item in value[:MAX_ITEMS]]
                return [_type_name(value), len(value), items]
            case set() | frozenset():
                return [_type_name(value), len(value), sorted(map(json.dumps, map(self._value, _some_of(value))))]
            case dict() | types.MappingProxyType():
                items = [[self._value(key), self._value(item)] for key, item in _some_of(value.items())]
                return [_type_name(value), len(value), sorted(items, key=lambda item: json.dumps(item[0]))]
            case Retry():
                return [
                    "retry",
                    self._value({each.name: getattr(value, each.name) for each in dataclasses.fields(value)}),
                ]
        wrapped = inspect.getattr_static(value, "__wrapped__", None)
        if wrapped is not None:  # of functools.cache, for example
            return ["wrapped", _type_name(value), self._value(wrapped)]
        if isinstance(value, _BUILTIN):
            return ["named", str(getattr(value, "__module__", None)), value.__qualname__]
        kind = type(value)
        if not is_authors(kind.__module__, self._module):
            return ["a", _type_name(value)]
        fields = dataclasses.fields(value) if dataclasses.is_dataclass(value) else ()
        state = {each.name: getattr(value, each.name, None) for each in fields}
        return ["a", self._value(kind), self._value(state)]

    def _attributes_of(self, definition: Activity) -> Any:
        """The attributes of an activity, without those that it has from its function."""
        attributes = vars(definition)
        return [self._use(attributes, name, attributes[name]) for name in sorted(attributes.keys() - _OF_THE_FUNCTION)]

    # -- code --

    def _function(self, function: types.FunctionType) -> Any:
        if not is_authors(function.__module__, self._module):
            wrapped = function.__dict__.get("__wrapped__")  # by a library's decorator
            name = ["function", function.__module__, function.__qualname__]
            return name if wrapped is None else ["wrapped", self._closure(function, frozenset()), self._value(wrapped)]
        self._note_assigned(function)
        self.functions.append(FunctionParts.of(function))
        text = self._text(function)
        filled = frozenset(path[0] for path in paths_filled(text) if len(path) == 1)
        defaults, named = function.__defaults__, function.__kwdefaults__
        if defaults and not filled.isdisjoint(function.__code__.co_varnames):
            code = function.__code__
            names = code.co_varnames[code.co_argcount - len(defaults) : code.co_argcount]
            defaults = tuple(_kept_default(name in filled, value) for name, value in zip(names, defaults, strict=True))
        if named:
            named = {name: _kept_default(name in filled, value) for name, value in named.items()}
        return [
            "function",
            text,
            self._value(defaults),
            self._value(named),
            self._closure(function, filled),
            self._globals(function),
            self._of_modules(function),
        ]

    def _closure(self, function: types.FunctionType, filled: frozenset[str]) -> Any:
        record = []
        assigned = names_assigned(function.__code__)
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            if name in assigned:  # `nonlocal`: it changes while tasks run
                continue
            value = content_of(cell)
            if name in filled and isinstance(value, _CONTAINERS):  # so do its items
                continue
            self.cells.append((cell, kept_of(value)))
            record.append([name, ["absent"] if value is ABSENT else self._value(value)])
        return record

    def _globals(self, function: types.FunctionType) -> Any:
        """The globals that a function uses, but for Python's own."""
        names = function.__globals__
        found = [(name, names.get(name, ABSENT)) for name in names_used(function.__code__)]
        return [
            self._use(names, name, value)
            for name, value in found
            if (value is not ABSENT or not hasattr(builtins, name)) and (id(names), name) not in self._state[0]
        ]

    def _of_modules(self, function: types.FunctionType) -> Any:
        """The values of the author's modules that a function uses, as `rates.GOLD`: they may be set after the module
        was loaded."""
        record = []
        for name, *path in attributes_used(function.__code__):
            names, name, value = self._found(function, name, path)
            if (
                names is not function.__globals__
                and not isinstance(value, types.ModuleType)
                and (id(names), name) not in self._state[0]
                and (name not in self._state[1] or isinstance(value, _TRACED))
            ):
                self._through_modules.add((id(names), name))
                record.append(self._use(names, name, value))
        return record

    def _class(self, cls: type) -> Any:
        if issubclass(cls, Workflow) and cls is not self._definition and not issubclass(self._definition_class, cls):
            return ["workflow", cls.type_name(), cls.type_version()]
        if not is_authors(cls.__module__, self._module):
            return ["class", cls.__module__, cls.__qualname__]
        members = vars(cls)
        # A workflow's type says its name, whether that is written down or follows from its module.
        said = {*_OF_EVERY_CLASS, "name"} if issubclass(cls, Workflow) else _OF_EVERY_CLASS
        record = [
            self._use(members, name, members[name])
            for name in sorted(members.keys() - said)
            if name not in self._state[1] or isinstance(members[name], _TRACED)
        ]
        return ["class", [self._value(base) for base in cls.__bases__], record]

    @property
    def _definition_class(self) -> type:
        return self._definition if isinstance(self._definition, type) else object

    def _module_record(self, module: types.ModuleType) -> Any:
        """An author's module that is used as a whole: its source, and the author's modules that it uses."""
        name = str(module.__name__)
        if not is_authors(name, self._module) or name == "__main__":
            return ["module", name]
        modules = {
            each.__name__: each
            for each in list(vars(module).values())
            if isinstance(each, types.ModuleType) and is_authors(each.__name__, self._module)
        }
        # A module that is loaded again gets another one; what it defines may be new.
        self.used.append((vars(module), "__spec__", vars(module).get("__spec__")))
        return ["module", source_digest(module), [self._value(modules[each]) for each in sorted(modules)]]


_OF_THE_FUNCTION: Final = {"callable", "name", "wraps", *functools.WRAPPER_ASSIGNMENTS, "__wrapped__", FINGERPRINT}
_OF_EVERY_CLASS: Final = {
    *("__module__", "__qualname__", "__doc__", "__dict__", "__weakref__", "__firstlineno__", "__static_attributes__"),
    *("__annotations__", "__annotate__", "__annotate_func__", "__annotations_cache__", "__abstractmethods__"),
    *("_abc_impl", "__dataclass_fields__", "__dataclass_params__", "__match_args__", "__slotnames__", FINGERPRINT),
}
"""Members of a class that say nothing, or nothing that other members don't say."""

_PLAIN: Final = (
    *(int, float, complex, str, bytes, range, slice, datetime.date, datetime.time, datetime.timedelta),
    *(datetime.tzinfo, uuid.UUID, pathlib.PurePath, re.Pattern, NotSet),
)
"""Types whose values say all of themselves in their `repr`, the same in every process."""
_PLAIN_IF_LOADED: Final = (("decimal", "Decimal"), ("fractions", "Fraction"))
"""More of them, by module and name: where the module was not imported, there are no values of the type."""

_BUILTIN: Final = (
    *(types.BuiltinFunctionType, types.WrapperDescriptorType, types.MethodWrapperType, types.MethodDescriptorType),
    *(types.ClassMethodDescriptorType, types.GetSetDescriptorType, types.MemberDescriptorType),
)
_CONTAINERS: Final = (list, dict, set)
_OWN: Final = ("self", "cls", "")
"""The names of a method's object or class in its text; empty for an expression, as `type(self)`."""
_TRACED: Final = (
    *(Activity, Retry, type, types.ModuleType, types.FunctionType, types.MethodType, staticmethod, classmethod),
    *(property, functools.partial, *_BUILTIN),
)
"""Types whose values are followed, or known by their name."""


def _kept_default(is_filled: bool, value: Any) -> Any:
    """The part of a parameter's default that counts: nothing of a container that the function itself fills."""
    return ABSENT if is_filled and isinstance(value, _CONTAINERS) else value


def _plain(value: Any) -> Any:
    """The record of a plain value, or `None`."""
    if value is None or value is Ellipsis or value is NotImplemented:
        return repr(value)
    if isinstance(value, enum.Enum):
        return ["enum", type(value).__qualname__, value.name]
    if isinstance(value, _PLAIN) or _is_of(value, _PLAIN_IF_LOADED):
        with contextlib.suppress(Exception):  # of an author's own __repr__: then the type is all that can be told
            return [type(value).__name__, repr(value)]
    return None


def _is_of(value: object, types: Iterable[tuple[str, str]]) -> bool:
    """Whether this is a value of one of these types, given by module and name."""
    return any(isinstance(value, getattr(sys.modules.get(module), name, ())) for module, name in types)


def _type_name(value: object) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}"


def _some_of(values: Iterable[Any]) -> list[Any]:
    """The values, or items, in an order that is the same in every process; of a large container the first ones."""

    def place(each: Any) -> str:
        key = each[0] if isinstance(each, tuple) and each else each
        return json.dumps([_plain(key), str(getattr(key, "__qualname__", type(key).__qualname__))])

    return sorted(values, key=place)[:MAX_ITEMS]


def content_of(cell: types.CellType) -> Any:
    """The value of a closed-over variable; `ABSENT` if it has none."""
    try:
        return cell.cell_contents
    except ValueError:  # it has no value yet, or none any more
        return ABSENT

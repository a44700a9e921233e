"""Fingerprints: what the code of a definition is, in 16 hexadecimal digits.

Processes of one store compare them to tell whether they mean the same by a name. The same text, in two kernels, or in
a script and where another program imports that script, has one fingerprint; a comment, a docstring, the place in the
file and the name of the file don't count. What counts: the definition's own code, the values that it closes over and
its defaults, and every global name that it uses, followed from function to function and from class to class through
the author's own modules. Of an author's module that is used as a whole, its source. The attributes of an activity (task
list, timeouts, retry) count for the workflows that submit it: they say how it is asked for, and not what runs.

*Rule:* a fingerprint follows from the code alone: the same in every process, whatever ran there and in which order sets
are. What can't be told (the state of an object that is no plain value, a function that is looked up by its name) is no
difference.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import copy
import dataclasses
import datetime
import dis
import enum
import functools
import hashlib
import inspect
import itertools
import json
import linecache
import os
import pathlib
import re
import sys
import types
import uuid
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from simpleflow_lab.activity import Activity, NotSet
from simpleflow_lab.definitions.redefinitions import codes_in, instructions_of
from simpleflow_lab.definitions.registries import FINGERPRINT
from simpleflow_lab.retry import Retry
from simpleflow_lab.workflow import Workflow

DIGITS: Final = 16
"""Length of a fingerprint."""
MAX_PARTS: Final = 2_000
"""Functions, classes, modules and values of which one fingerprint is made at most; of the rest only the kind counts."""
MAX_DEPTH: Final = 60
"""How far functions, classes and values are followed from one to the next."""
MAX_ITEMS: Final = 1_000
"""Items of a container that count; of a longer one, its length and these."""
PARSE_ATTEMPTS: Final = 10
"""How often a source is parsed while other threads disturb it."""

_ABSENT: Final = object()
_PACKAGE: Final = __name__.partition(".")[0]
_FUTURE_FLAGS: Final = annotations.compiler_flag


def fingerprint(definition: Activity | type[Workflow]) -> str:
    """The fingerprint of an activity or a workflow class, as its code is now.

    It is cached with the definition until a name or an attribute that it was made from gets another object, which is
    found out in microseconds. A list, dictionary or set among them counts with what it held when it was first asked.
    """
    while isinstance(definition, Activity) and definition.wraps and definition.wraps.executor == definition.executor:
        definition = definition.wraps
    cached = vars(definition).get(FINGERPRINT)
    if cached is not None and cached.holds():
        return str(cached.digits)
    tracer = _Tracer(definition)
    record = tracer.record()
    text = json.dumps(record, separators=(",", ":"))
    made = CachedFingerprint(
        definition,
        hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:DIGITS],
        tracer.used,
        tracer.cells,
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

    __slots__ = ("_cells", "_of", "_used", "digits")

    def __init__(
        self,
        of: Activity | type[Workflow],
        digits: str,
        used: list[tuple[Mapping[str, Any], str, Any]],
        cells: list[tuple[types.CellType, Any]],
    ) -> None:
        self.digits = digits
        self._of = weakref.ref(of)
        self._used = used
        self._cells = cells

    def holds(self) -> bool:
        """Whether every name still has the object that it had."""
        for names, name, value in self._used:  # no generator: it is asked at every start of an execution
            if (now := names.get(name, _ABSENT)) is not value and not _is_still(now, value):
                return False
        return all(_is_still(_content(cell), value) for cell, value in self._cells)

    def changed_names(self) -> tuple[str, ...]:
        """The names that have something else than when it was made, in order: of functions and constants. A function
        that only was defined again, as by a reload, has nothing else."""
        found = [
            (name, value, now)
            for names, name, value in self._used
            if not _is_still(now := names.get(name, _ABSENT), value)
        ]
        return tuple(dict.fromkeys(name for name, value, now in found if self._record(value) != self._record(now)))

    def may_set(self, names: Iterable[str]) -> bool:
        """Whether the code itself assigns to all these names, as to a counter."""
        functions = (getattr(value, "__func__", value) for _, _, value in self._used)
        codes = [each.__code__ for each in functions if isinstance(each, types.FunctionType)]
        return all(any(name in _arguments_of(code, "STORE_GLOBAL", "STORE_ATTR") for code in codes) for name in names)

    def _record(self, value: Any) -> Any:
        """What a fingerprint says of a value."""
        of = self._of()
        if of is None or value is _ABSENT or isinstance(value, _OfType):
            return object()  # no other is known to be the same
        return _Tracer(of).value(value)


class _OfType:
    """Stands for a value of which only the type counts, so that a large one is not kept alive."""

    __slots__ = ("type",)

    def __init__(self, type: type) -> None:
        self.type = type


def _is_still(now: object, before: object) -> bool:
    return now is before or (isinstance(before, _OfType) and type(now) is before.type)


def _to_keep(value: object) -> object:
    """What a fingerprint keeps of a value that it was made from, to tell whether another one stands in its place."""
    with contextlib.suppress(Exception):  # as in `_Tracer._value`
        if (
            value is _ABSENT
            or isinstance(value, _TRACED)
            or _plain(value) is not None
            or dataclasses.is_dataclass(value)
        ):
            return value
        if isinstance(value, list | tuple | set | frozenset | dict) and len(value) <= MAX_ITEMS:
            return value
        return value if inspect.getattr_static(value, "__wrapped__", None) is not None else _OfType(type(value))
    return _OfType(type(value))


class _Tracer:
    """Makes a record, which is plain JSON, of everything that one definition consists of."""

    def __init__(self, definition: Activity | type[Workflow]) -> None:
        self._definition = definition
        self._module = str(getattr(definition, "__module__", None))
        self.used: list[tuple[Mapping[str, Any], str, Any]] = []
        """Each name that was looked up: where, the name, and what it was."""
        self.cells: list[tuple[types.CellType, Any]] = []
        """Each closed-over variable and its value."""
        self._seen: dict[int, int] = {}
        """By `id`: the number of a function, class or container that is in the record already."""
        self._alive: list[object] = []  # so that no id is used twice
        self._depth = 0
        self._set_globals: set[tuple[int, str]] = set()
        """What the code assigns: names in globals, given by their `id`."""
        self._set_attributes: set[str] = set()
        self._state: tuple[set[tuple[int, str]], set[str]] = set(), set()
        """What is left out, as a counter: globals and attributes of classes that the code or its activities assign."""

    def record(self) -> Any:
        """The record of the definition."""
        record = self._whole()
        if not any(self._is_set(names, name, value) for names, name, value in self.used):
            return record
        again = _Tracer(self._definition)
        again._state = self._set_globals, self._set_attributes
        record = again._whole()
        self.used, self.cells = again.used, again.cells
        return record

    def _is_set(self, names: Mapping[str, Any], name: str, value: Any) -> bool:
        """Whether the code assigns what this name stands for in these globals, or in this class."""
        if isinstance(names, types.MappingProxyType):
            return name in self._set_attributes and not isinstance(value, _TRACED)
        return (id(names), name) in self._set_globals

    def _note_assigned(self, function: types.FunctionType) -> None:
        self._set_attributes |= attributes_assigned(function.__code__)
        self._set_globals |= {(id(function.__globals__), name) for name in names_assigned(function.__code__)}

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
        self.used.append((names, name, _to_keep(value)))
        return [name, ["absent"] if value is _ABSENT else self._value(value)]

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
        if not _is_authors(kind.__module__, self._module):
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
        if not _is_authors(function.__module__, self._module):
            wrapped = function.__dict__.get("__wrapped__")  # by a library's decorator
            name = ["function", function.__module__, function.__qualname__]
            return name if wrapped is None else ["wrapped", self._closure(function), self._value(wrapped)]
        self._note_assigned(function)
        return [
            "function",
            text_of(function.__code__, function.__globals__),
            self._value(function.__defaults__),
            self._value(function.__kwdefaults__),
            self._closure(function),
            self._globals(function),
        ]

    def _closure(self, function: types.FunctionType) -> Any:
        record = []
        assigned = names_assigned(function.__code__)
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            if name in assigned:  # `nonlocal`: it changes while tasks run
                continue
            value = _content(cell)
            self.cells.append((cell, _to_keep(value)))
            record.append([name, ["absent"] if value is _ABSENT else self._value(value)])
        return record

    def _globals(self, function: types.FunctionType) -> Any:
        """The globals that a function uses, but for Python's own."""
        names = function.__globals__
        found = [(name, names.get(name, _ABSENT)) for name in names_used(function.__code__)]
        return [
            self._use(names, name, value)
            for name, value in found
            if (value is not _ABSENT or not hasattr(builtins, name)) and (id(names), name) not in self._state[0]
        ]

    def _class(self, cls: type) -> Any:
        if issubclass(cls, Workflow) and cls is not self._definition and not issubclass(self._definition_class, cls):
            return ["workflow", cls.type_name(), cls.type_version()]
        if not _is_authors(cls.__module__, self._module):
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
        if not _is_authors(name, self._module) or name == "__main__":
            return ["module", name]
        modules = {
            each.__name__: each
            for each in list(vars(module).values())
            if isinstance(each, types.ModuleType) and _is_authors(each.__name__, self._module)
        }
        # A module that is loaded again gets another one; what it defines may be new.
        self.used.append((vars(module), "__spec__", vars(module).get("__spec__")))
        return ["module", _source_of(module), [self._value(modules[each]) for each in sorted(modules)]]


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
_TRACED: Final = (
    *(Activity, Retry, type, types.ModuleType, types.FunctionType, types.MethodType, staticmethod, classmethod),
    *(property, functools.partial, *_BUILTIN),
)
"""Types whose values are followed, or known by their name."""


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


def _content(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # it has no value yet, or none any more
        return _ABSENT


# -- whose module ------------------------------------------------------------------------------------------------------

_STANDARD_LIBRARY: Final = os.path.join(os.path.dirname(os.__file__), "")


def _is_authors(module: str | None, of_definition: str) -> bool:
    """Whether a module is the author's: the definition's own package, or one that was not installed."""
    top = (module or "").partition(".")[0]
    if top in ("__main__", "__mp_main__", ""):
        return True
    if top == _PACKAGE:
        return False
    return top == of_definition.partition(".")[0] or not _is_installed(top)


@functools.lru_cache(maxsize=4096)
def _is_installed(top: str) -> bool:
    if top in sys.stdlib_module_names or top in sys.builtin_module_names:
        return True
    found = sys.modules.get(top)
    file = str(getattr(found, "__file__", None) or next(iter(getattr(found, "__path__", ())), ""))
    return file.startswith(_STANDARD_LIBRARY) or "site-packages" in file or "dist-packages" in file


def _source_of(module: types.ModuleType) -> str:
    """The source of a module without its comments; of one that has none, its name."""
    with contextlib.suppress(OSError, TypeError, SyntaxError, ValueError):
        return _normal(inspect.getsource(module))
    return f"<{module.__name__}>"


@functools.lru_cache(maxsize=64)
def _normal(source: str) -> str:
    return hashlib.sha256(ast.unparse(_parsed(source)).encode("utf-8", "surrogatepass")).hexdigest()


def _parsed(source: str) -> ast.Module:
    """The syntax tree of a source. Raises as `ast.parse`.

    CPython before 3.11.8 and 3.12.2 may raise `SystemError` when another thread parses at the same time, as a notebook
    does with each cell (https://github.com/python/cpython/issues/106905).
    """
    for _ in range(PARSE_ATTEMPTS):
        with contextlib.suppress(SystemError):
            return ast.parse(source)
    return ast.parse(source)


# -- the text of code --------------------------------------------------------------------------------------------------

_Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


def text_of(code: types.CodeType, names: Mapping[str, Any] | None = None) -> str:
    """The text of a function, without comments, docstrings and decorators; its instructions, if the text is not to be
    had, or is not that of the code that runs here. `names` are the function's globals."""
    text = _text_in_file(code, names, same_lines=True)
    if text is None:
        linecache.checkcache(code.co_filename)  # a module that was edited and reloaded
        text = _text_in_file(code, names, same_lines=True) or _texts.get(code, {}).get(code.co_filename)
        text = text or _text_in_file(code, names)
    if text is None:
        return f"{sys.implementation.cache_tag} {instructions_of(code)}"
    _texts.setdefault(code, {})[code.co_filename] = text
    return text


_texts: Final[weakref.WeakKeyDictionary[types.CodeType, dict[str, str]]] = weakref.WeakKeyDictionary()
"""The texts of functions that were found in their files, by the file: it may be edited while the functions are used."""


def _text_in_file(code: types.CodeType, names: Mapping[str, Any] | None, *, same_lines: bool = False) -> str | None:
    """The text of a function in its file, as `linecache` has it; `None` if it is not that of the code that runs. With
    `same_lines` each of its lines is where it was when it was compiled."""
    lines = linecache.getlines(code.co_filename, dict(names) if names is not None and "__loader__" in names else None)
    source = "".join(lines)
    flags = code.co_flags & _FUTURE_FLAGS
    key = code.co_name, code.co_firstlineno
    with contextlib.suppress(SyntaxError, ValueError, RecursionError):
        # A file is compiled as a whole, a cell statement by statement: a call of a function of a module that the same
        # text imports becomes other instructions.
        for by_statement in (False, True):
            for running, node in _functions_in(source, flags, by_statement).get(key, ()):
                is_there = not same_lines or running.co_linetable == code.co_linetable
                if is_there and instructions_of(running) == instructions_of(code):
                    return _text(node)
    return None


@functools.lru_cache(maxsize=64)
def _functions_in(
    source: str, flags: int, by_statement: bool
) -> Mapping[tuple[str, int], list[tuple[types.CodeType, _Definition]]]:
    """Every function of a source, compiled as a whole or statement by statement: its code and its syntax tree without
    docstrings, by its name and first line."""
    found: dict[tuple[str, int], list[tuple[types.CodeType, _Definition]]] = {}
    if not source:
        return found
    tree = _parsed(source)
    nodes: dict[tuple[str, int], list[_Definition]] = {}
    documented: list[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef] = []
    for node in ast.walk(tree):
        if isinstance(node, _Definition):
            decorators = [] if isinstance(node, ast.Lambda) else node.decorator_list
            line = min([node.lineno, *(each.lineno for each in decorators)])
            nodes.setdefault(("<lambda>" if isinstance(node, ast.Lambda) else node.name, line), []).append(node)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            documented += [node] if ast.get_docstring(node, clean=False) is not None else []
    pieces = [ast.Module(body=[each], type_ignores=[]) for each in tree.body] if by_statement else [tree]
    codes = _compiled(pieces, flags)
    by_place: dict[tuple[str, int], list[types.CodeType]] = {}
    for code in codes:
        by_place.setdefault((code.co_name, code.co_firstlineno), []).append(code)
    for key, of_nodes in nodes.items():
        if len(of_nodes) == len(by_place.get(key, ())) == 1:
            found[key] = [(by_place[key][0], of_nodes[0])]
    several = {key: of_nodes for key, of_nodes in nodes.items() if len(of_nodes) > 1}
    if several:
        found.update(_on_lines_of_their_own(several, pieces, flags, codes))
    for each in documented:  # all is compiled: no docstring is needed any more
        each.body = each.body[1:] or [ast.Pass()]
    return found


def _compiled(pieces: Iterable[ast.Module], flags: int) -> list[types.CodeType]:
    """The code of every function and class of these."""
    compiled = (compile(piece, "<source>", "exec", flags=flags, dont_inherit=True) for piece in pieces)
    return [code for module in compiled for code in codes_in(module)]


def _on_lines_of_their_own(
    several: Mapping[tuple[str, int], list[_Definition]],
    pieces: Iterable[ast.Module],
    flags: int,
    codes: Sequence[types.CodeType],
) -> Iterator[tuple[tuple[str, int], list[tuple[types.CodeType, _Definition]]]]:
    """The functions that share their name and first line, as lambdas do: by these, each code with its tree.

    They are compiled once more, each on a line that no other has. Columns would not tell them apart: CPython 3.12 keeps
    none for a lambda that gives a constant.
    """
    line = itertools.count(1 + max((code.co_firstlineno for code in codes), default=0))
    by_line = {next(line): (key, node) for key, of_nodes in several.items() for node in of_nodes}
    before = [(node, node.lineno, node.end_lineno) for _, node in by_line.values()]
    for number, (_, node) in by_line.items():
        node.lineno = node.end_lineno = number
    apart = _compiled(pieces, flags)
    for node, first, last in before:
        node.lineno, node.end_lineno = first, last
    found: dict[tuple[str, int], list[tuple[types.CodeType, _Definition]]] = {}
    if len(apart) == len(codes):  # else some are so much the same that they have one code
        for code, moved in zip(codes, apart, strict=True):
            if moved.co_firstlineno in by_line:
                key, node = by_line[moved.co_firstlineno]
                found.setdefault(key, []).append((code, node))
    yield from found.items()


def _text(node: _Definition) -> str:
    """The text of one function without its decorators, in the form that `ast.unparse` gives it."""
    if isinstance(node, ast.Lambda):
        return ast.unparse(node)
    bare = copy.copy(node)
    bare.decorator_list = []
    return ast.unparse(bare)


@functools.lru_cache(maxsize=4096)
def names_used(code: types.CodeType) -> tuple[str, ...]:
    """The globals that this code, and all code within, looks up and never assigns, in order.

    What it assigns, with `global`, is the state of a program that runs: a counter, a connection that is kept.
    """
    return tuple(sorted(_arguments_of(code, "LOAD_GLOBAL", "LOAD_NAME") - names_assigned(code)))


@functools.lru_cache(maxsize=4096)
def names_assigned(code: types.CodeType) -> frozenset[str]:
    """The globals, and the variables of the functions around it, that this code or code within assigns."""
    around = set(code.co_freevars)
    return _arguments_of(code, "STORE_GLOBAL", "DELETE_GLOBAL") | (_arguments_of(code, "STORE_DEREF") & around)


@functools.lru_cache(maxsize=4096)
def attributes_assigned(code: types.CodeType) -> frozenset[str]:
    """The attributes of whatever object that this code, and all code within, assigns, also by `setattr`."""
    codes = (code, *codes_in(code))
    by_name = (part.co_consts for part in codes if "setattr" in part.co_names)
    texts = (text for consts in by_name for text in consts if isinstance(text, str) and text.isidentifier())
    return _arguments_of(code, "STORE_ATTR", "DELETE_ATTR") | frozenset(texts)


def _arguments_of(code: types.CodeType, *operations: str) -> frozenset[str]:
    """The names to which this code, and all code within, applies these operations."""
    return frozenset(
        str(instruction.argval)
        for part in (code, *codes_in(code))
        for instruction in dis.get_instructions(part)
        if instruction.opname in operations
    )

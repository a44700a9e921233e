"""Lines of a workflow that may do something else when they run again: clocks, chance, sleep.

They are found by reading the byte code of `run` and of what it calls, once for each class, before it runs. Names are
looked up where the code would find them, so `time.sleep`, `from time import sleep` and an import inside `run` are one
thing, in a module as in a notebook's cell. Nothing is called, replaced or traced: it costs nothing while the workflow
runs, and no other thread can notice, least of all an activity. Watching each call while it happens would have to trace
the thread, which costs more than the decisions, or to replace functions of `time` and `random` for the whole process.

What a reading can't see, such as a clock behind a library or a function taken by `getattr`, is found out later if it
matters: the replay compares the commands of the code with those recorded, and the decider watches how long it runs.
A function is followed if it stands in the workflow's own package and is called by its name; so a function that is only
handed on, say to become an activity, is not blamed.
"""

from __future__ import annotations

import dis
import inspect
import sys
import types
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple
from weakref import WeakKeyDictionary

from simpleflow_lab.replay.lines import Line, line_text
from simpleflow_lab.workflow import Workflow

_CLOCK: Final = "reads the clock: take self.now()"
_SLEEP: Final = "holds up every execution of this task list: submit self.start_timer(...) and wait for it"
_CHANCE: Final = "draws by chance: take self.random"
_IDS: Final = "makes a new id each time: take self.uuid4()"
_ENTROPY: Final = "draws by chance: take self.random, or draw in an activity"

_FUNCTIONS: Final[Mapping[str, Mapping[str, str]]] = {
    "time": {
        **dict.fromkeys(
            ("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "process_time"), _CLOCK
        ),
        "sleep": _SLEEP,
    },
    "uuid": {"uuid1": _IDS, "uuid4": _IDS},
    "os": {"urandom": _ENTROPY, "getrandom": _ENTROPY},
    "secrets": dict.fromkeys(
        ("choice", "randbelow", "randbits", "token_bytes", "token_hex", "token_urlsafe"), _ENTROPY
    ),
}
"""Functions that must not be called, by module."""

_METHODS: Final = (("datetime", "datetime", "now"), ("datetime", "datetime", "utcnow"), ("datetime", "date", "today"))
"""Class methods that read the clock: module, class, method."""

_SHARED_GENERATORS: Final = (("random", "random", "_inst"), ("numpy.random", "numpy.random.mtrand", "_rand"))
"""Modules whose functions are methods of one generator that everybody shares, and where that is."""


class Impurity(NamedTuple):
    """A line that may do something else when it runs again."""

    line: Line
    name: str
    """The function that it uses, as `time.sleep`."""
    why: str
    """Why that is impure, and the way out."""

    def __str__(self) -> str:
        return f"{line_text(self.line)}: {self.name} {self.why}"


def impurities_of(workflow: type[Workflow]) -> tuple[Impurity, ...]:
    """The impurities of a workflow, in the order in which its code is read; each class is read once."""
    found = _known.get(workflow)
    if found is None:
        found = _known[workflow] = tuple(dict.fromkeys(_Reading(workflow).impurities()))
    return found


_known: Final[WeakKeyDictionary[type[Workflow], tuple[Impurity, ...]]] = WeakKeyDictionary()


class _Unknown:
    """A value that only running the code would give."""


class _Self:
    """The workflow."""


_UNKNOWN: Final = _Unknown()
_SELF: Final = _Self()

_LOOK_UPS: Final = frozenset({"LOAD_GLOBAL", "LOAD_NAME", "LOAD_DEREF", "LOAD_FAST", "LOAD_CLASSDEREF"})
_ATTRIBUTES: Final = frozenset({"LOAD_ATTR", "LOAD_METHOD"})
_STORES: Final = frozenset({"STORE_FAST", "STORE_DEREF"})


class _Reading:
    """Reads the code of one workflow."""

    def __init__(self, workflow: type[Workflow]) -> None:
        self._workflow = workflow
        self._package = workflow.__module__.partition(".")[0]
        self._forbidden = dict(_forbidden())
        self._seen: set[types.CodeType] = set()
        self._left: list[types.FunctionType] = []

    def impurities(self) -> Iterator[Impurity]:
        """The impurities of `run`, then of the functions it calls."""
        self._follow_method("run")
        while self._left:
            function = self._left.pop(0)
            names = {
                name: cell.cell_contents
                for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=False)
                if _is_filled(cell)
            }
            if _is_method_of(self._workflow, function) and function.__code__.co_argcount:
                names[function.__code__.co_varnames[0]] = _SELF
            yield from self._read(function.__code__, names, function.__globals__)

    def _read(self, code: types.CodeType, names: dict[str, Any], global_names: dict[str, Any]) -> Iterator[Impurity]:
        if code in self._seen:
            return
        self._seen.add(code)
        value: Any = _UNKNOWN
        module: Any = _UNKNOWN
        for instruction in dis.get_instructions(code):
            kind, name = instruction.opname, instruction.argval
            if kind in _LOOK_UPS:
                value = names.get(name, _UNKNOWN)
                if kind in ("LOAD_GLOBAL", "LOAD_NAME") and value is _UNKNOWN:
                    value = global_names.get(name, _UNKNOWN)
            elif kind in _ATTRIBUTES:
                value = self._attribute(value, name)
            elif kind == "IMPORT_NAME":
                value = module = sys.modules.get(name, _UNKNOWN)
                continue
            elif kind == "IMPORT_FROM":
                value = self._attribute(module, name)
                continue
            elif kind in _STORES:
                names[name] = value
                value = _UNKNOWN
                continue
            else:
                if isinstance(name, types.CodeType):
                    yield from self._read(name, dict(names), global_names)
                value = _UNKNOWN
                continue
            found = self._forbidden.get(value) if isinstance(value, _CALLABLES) else None
            if found is not None:
                lineno = instruction.positions.lineno if instruction.positions else None
                line = Line(code.co_filename, lineno or code.co_firstlineno, code.co_qualname)
                yield Impurity(line, *found)
            elif isinstance(value, types.FunctionType) and (kind == "LOAD_METHOD" or (instruction.arg or 0) & 1):
                self._follow(value)
        if "super" in code.co_names:
            self._follow_method(code.co_name, all_of_them=True)

    def _attribute(self, owner: Any, name: str) -> Any:
        """The value of `owner.name`, or `_UNKNOWN` if finding it would run code."""
        if owner is _SELF:
            self._follow_method(name)
            return _UNKNOWN
        if isinstance(owner, types.ModuleType):
            return vars(owner).get(name, _UNKNOWN)
        if isinstance(owner, type):
            return inspect.getattr_static(owner, name, _UNKNOWN)
        return _UNKNOWN

    def _follow_method(self, name: str, *, all_of_them: bool = False) -> None:
        for owner in self._workflow.__mro__:
            if owner is Workflow:
                return
            found = vars(owner).get(name)
            for function in (found, getattr(found, "fget", None), getattr(found, "__func__", None)):
                if isinstance(function, types.FunctionType):
                    self._left.append(function)
            if found is not None and not all_of_them:
                return

    def _follow(self, function: types.FunctionType) -> None:
        if str(function.__module__).partition(".")[0] == self._package:
            self._left.append(function)


_CALLABLES: Final = (
    types.BuiltinFunctionType,
    types.FunctionType,
    types.MethodType,
    types.ClassMethodDescriptorType,
)


def _forbidden() -> Iterable[tuple[Any, tuple[str, str]]]:
    """Functions that must not be called, each with its name and why; only of modules that are imported."""
    for module_name, functions in _FUNCTIONS.items():
        module = sys.modules.get(module_name)
        for name, why in functions.items():
            function = getattr(module, name, None)
            if function is not None:
                yield function, (f"{module_name}.{name}", why)
    for module_name, class_name, name in _METHODS:
        owner = getattr(sys.modules.get(module_name), class_name, None)
        if isinstance(owner, type):
            shown = (f"{class_name}.{name}", _CLOCK)
            yield inspect.getattr_static(owner, name), shown
            yield getattr(owner, name), shown
    for module_name, home, attribute in _SHARED_GENERATORS:
        generator = getattr(sys.modules.get(home), attribute, None)
        if generator is not None:
            for name, value in vars(sys.modules[module_name]).copy().items():
                if getattr(value, "__self__", None) is generator:
                    yield value, (f"{module_name}.{name}", _CHANCE)


def _is_filled(cell: types.CellType) -> bool:
    try:
        return cell.cell_contents is not _UNKNOWN
    except ValueError:
        return False


def _is_method_of(workflow: type[Workflow], function: types.FunctionType) -> bool:
    """The function's first argument is the workflow."""
    return any(
        found is function or getattr(found, "fget", None) is function
        for owner in workflow.__mro__
        for found in (vars(owner).get(function.__name__),)
    )

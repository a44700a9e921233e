"""Functions of a notebook, or of a script, as source that another interpreter can make them from again.

A function of a module is sent as its name. One that was defined in a cell has no module that could be imported: it is
sent as its source, with the source of the functions and classes of the notebook that it uses, the names of modules, and
the values of constants. The names that it uses are read from its code; the rest of the notebook is not sent.

Rule: the source is sent by this process to its own child, and never stands in a history. A value that can't be sent
is refused in one line: nothing is pickled, and nothing guessed.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import dis
import importlib
import inspect
import linecache
import sys
import textwrap
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from simpleflow_lab.activity import Activity
from simpleflow_lab.data.codec import decode, encode
from simpleflow_lab.definitions.redefinitions import codes_in, instructions_of
from simpleflow_lab.exceptions import EncodingError, UsageError

RUN_ELSEWHERE: Final = "__run_elsewhere__"
"""The attribute of a function that runs another function in another interpreter; its value is that function."""

SourceRecord = Mapping[str, Any]
"""A function, class, module or constant, as JSON can hold it."""


def dotted_name(function: Callable[..., Any]) -> str | None:
    """The name by which another interpreter can import the function, or `None`."""
    name = f"{function.__module__}.{function.__qualname__}"
    if function.__module__ == "__main__" or "<" in name:
        return None
    found = getattr(sys.modules.get(function.__module__), function.__qualname__.partition(".")[0], None)
    for part in function.__qualname__.split(".")[1:]:
        found = getattr(found, part, None)
    return name if found is not None and original_function(found) is original_function(function) else None


def import_by_name(name: str) -> Any:
    """Import the function or class of this dotted name. Raises `UsageError`."""
    parts = name.split(".")
    for length in range(len(parts) - 1, 0, -1):
        module = ".".join(parts[:length])
        try:
            found: Any = importlib.import_module(module)
        except ModuleNotFoundError as error:
            if error.name is not None and (module == error.name or module.startswith(f"{error.name}.")):
                continue
            raise
        try:
            for part in parts[length:]:
                found = getattr(found, part)
        except AttributeError:
            raise UsageError(f"no {'.'.join(parts[length:])!r} in module {module!r}") from None
        return found
    raise UsageError(f"no module of {name!r} can be imported: write it as in 'package.module.function'")


def original_function(found: Any) -> Any:
    """The author's function of an activity, and of a function that runs it in another interpreter."""
    while True:
        if isinstance(found, Activity):
            found = found.callable
        elif hasattr(found, RUN_ELSEWHERE):
            found = getattr(found, RUN_ELSEWHERE)
        else:
            return found


# -- to source --------------------------------------------------------------------------------------------------------


def to_source(function: Callable[..., Any]) -> SourceRecord:
    """The source of the function and of everything that it uses. Raises `UsageError` for a value that can't be sent."""
    if hasattr(function, "__wrapped__"):
        raise UsageError(
            f"{function.__name__} is wrapped by another decorator: let execute.python be the one next to the function"
        )
    names: dict[str, SourceRecord | None] = {}
    record = _source_record(function, function.__name__, names, decorated=False)
    return {**record, "names": names}


def _record_of(value: Any, name: str, names: dict[str, SourceRecord | None]) -> SourceRecord:
    """The record of a global that a function uses."""
    given, value = value, original_function(value)
    if isinstance(value, types.ModuleType):
        return {"module": value.__name__}
    if callable(value) and hasattr(value, "__qualname__") and hasattr(value, "__module__"):
        importable = dotted_name(value)
        if importable is not None:
            return {"import": importable}
        if inspect.isfunction(inspect.unwrap(value)) or inspect.isclass(value):
            return _source_record(inspect.unwrap(value), name, names, decorated=given is value)
    try:
        return {"value": encode(value)}
    except EncodingError:
        raise UsageError(
            f"it uses {name!r}, a {type(value).__qualname__}, which can't be taken to another interpreter: "
            "pass what is needed as an argument, or make it inside the function"
        ) from None


def _source_record(found: Any, name: str, names: dict[str, SourceRecord | None], *, decorated: bool) -> SourceRecord:
    tree = _source_of(found, name, decorated=decorated)
    if inspect.isfunction(found) and found.__closure__:
        free = ", ".join(found.__code__.co_freevars)
        raise UsageError(
            f"{name} uses {free} of the function around it: pass it as an argument, or define {name} apart"
        )
    source = ast.unparse(tree)
    code = _compile(source, name)
    if inspect.isfunction(found) and not _is_its_source(source, found.__code__):
        raise UsageError(f"the source of {name} is no longer what runs here: define it again")
    scope: Mapping[str, Any] = (
        found.__globals__ if inspect.isfunction(found) else vars(sys.modules.get(found.__module__, builtins))
    )
    for used in _globals_of(code):
        if used in scope and used != found.__name__ and used not in names:
            names[used] = None  # functions may call each other
            names[used] = _record_of(scope[used], used, names)
    return {"source": source, "name": found.__name__}


def _source_of(found: Any, name: str, *, decorated: bool) -> ast.Module:
    """The definition; unless `decorated`, without its decorators, which are for this process, such as an activity's."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(found)))
    except (OSError, TypeError, SyntaxError):
        tree = ast.Module(body=_class_in_a_cell(found), type_ignores=[])
    match tree.body:
        case [ast.FunctionDef() | ast.AsyncFunctionDef() as definition]:
            if not decorated:
                definition.decorator_list = []
        case [ast.ClassDef() as definition]:
            if not decorated:
                definition.decorator_list = []
        case _:
            raise UsageError(
                f"the source of {name} is not to be had: define it in a cell or a module, with def or class"
            )
    return tree


def _class_in_a_cell(found: Any) -> list[ast.stmt]:
    """The latest definition of a notebook's class; a class has no reference to its cell."""
    if inspect.isclass(found) and found.__module__ == "__main__":
        for entry in reversed(list(linecache.cache.values())):
            with contextlib.suppress(SyntaxError):
                for statement in ast.parse("".join(entry[2])).body if len(entry) == 4 else []:
                    if isinstance(statement, ast.ClassDef) and statement.name == found.__qualname__:
                        return [statement]
    return []


def _compile(source: str, name: str, flags: int = annotations.compiler_flag) -> types.CodeType:
    """The code of a source. By default its annotations are not evaluated: they may name anything."""
    code: types.CodeType = compile(source, f"<{name}>", "exec", flags=flags, dont_inherit=True)
    return code


def _is_its_source(source: str, running: types.CodeType) -> bool:
    """Whether the function that runs here was compiled from this source, alone, as in a notebook, or with its file."""
    flags = running.co_flags & annotations.compiler_flag
    compiled = [_compile(source, running.co_name, flags)]
    with contextlib.suppress(SyntaxError):
        compiled.append(_compile("".join(linecache.getlines(running.co_filename)), running.co_name, flags))
    return any(instructions_of(part) == instructions_of(running) for code in compiled for part in codes_in(code))


def _globals_of(code: types.CodeType) -> Iterator[str]:
    """The names that this code and all code within look up outside themselves."""
    for part in (code, *codes_in(code)):
        for instruction in dis.get_instructions(part):
            if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
                yield str(instruction.argval)


# -- from source -------------------------------------------------------------------------------------------------------


def from_source(record: SourceRecord) -> Any:
    """The function of a record, in a namespace of its own."""
    namespace: dict[str, Any] = {"__name__": "__main__", "__builtins__": builtins}
    sources = []
    for name, part in record["names"].items():
        if "source" in part:
            sources.append((name, part))
        else:
            namespace[name] = _value_of(part)
    # The body of a class may need another class that comes later.
    while sources:
        waiting = [(name, part) for name, part in sources if not _define(name, part, namespace)]
        if len(waiting) == len(sources):
            _define(*waiting[0], namespace, last_try=True)
        sources = waiting
    _define(record["name"], record, namespace, last_try=True)
    return namespace[record["name"]]


def _value_of(part: SourceRecord) -> Any:
    if "module" in part:
        return importlib.import_module(part["module"])
    if "import" in part:
        return original_function(import_by_name(part["import"]))
    return decode(part["value"])


def _define(name: str, part: SourceRecord, namespace: dict[str, Any], *, last_try: bool = False) -> bool:
    source = part["source"]
    filename = f"<{part['name']}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    try:
        exec(_compile(source, part["name"]), namespace)  # the parent's own code, sent to its child
    except NameError:
        if last_try:
            raise
        return False
    namespace[name] = namespace[part["name"]]
    return True

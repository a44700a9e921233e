"""Functions of a notebook, or of a script, as data that another interpreter can make them of again.

A function of a module travels as its name. One that was defined in a cell has no module that could be imported: it
travels as its source, with the source of the functions and classes of the notebook that it uses, the names of modules,
and the values of constants. What it takes is looked up in its code, and the rest of the notebook stays where it is.

It is data of this process for its own child, never of a history. What can't travel is told in one line: nothing is
pickled, and nothing guessed.
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
from simpleflow_lab.exceptions import EncodingError, UsageError

RUN_ELSEWHERE: Final = "__run_elsewhere__"
"""Attribute of a function that runs another one in another interpreter: that other one."""

Packed = Mapping[str, Any]
"""A function, class, module or constant, as JSON can hold it."""


def dotted_name(function: Callable[..., Any]) -> str | None:
    """The name by which another interpreter can import it, or `None`."""
    name = f"{function.__module__}.{function.__qualname__}"
    if function.__module__ == "__main__" or "<" in name:
        return None
    found = getattr(sys.modules.get(function.__module__), function.__qualname__.partition(".")[0], None)
    for part in function.__qualname__.split(".")[1:]:
        found = getattr(found, part, None)
    return name if found is not None and innermost(found) is innermost(function) else None


def find(name: str) -> Any:
    """What has this dotted name. Raises `UsageError`."""
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


def innermost(found: Any) -> Any:
    """The function itself, of an activity and of a function that runs it elsewhere."""
    while True:
        if isinstance(found, Activity):
            found = found.callable
        elif hasattr(found, RUN_ELSEWHERE):
            found = getattr(found, RUN_ELSEWHERE)
        else:
            return found


# -- packing -----------------------------------------------------------------------------------------------------------


def pack(function: Callable[..., Any]) -> Packed:
    """The function and all that it uses. Raises `UsageError` for what can't travel."""
    if hasattr(function, "__wrapped__"):
        raise UsageError(
            f"{function.__name__} is wrapped by another decorator: let execute.python be the one next to the function"
        )
    names: dict[str, Packed | None] = {}
    packed = _pack_source(function, function.__name__, names, decorated=False)
    return {**packed, "names": names}


def _pack(value: Any, name: str, names: dict[str, Packed | None]) -> Packed:
    """A global that a packed function uses."""
    given, value = value, innermost(value)
    if isinstance(value, types.ModuleType):
        return {"module": value.__name__}
    if callable(value) and hasattr(value, "__qualname__") and hasattr(value, "__module__"):
        importable = dotted_name(value)
        if importable is not None:
            return {"import": importable}
        if inspect.isfunction(inspect.unwrap(value)) or inspect.isclass(value):
            return _pack_source(inspect.unwrap(value), name, names, decorated=given is value)
    try:
        return {"value": encode(value)}
    except EncodingError:
        raise UsageError(
            f"it uses {name!r}, a {type(value).__qualname__}, which can't be taken to another interpreter: "
            "pass what is needed as an argument, or make it inside the function"
        ) from None


def _pack_source(found: Any, name: str, names: dict[str, Packed | None], *, decorated: bool) -> Packed:
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
            names[used] = _pack(scope[used], used, names)
    return {"source": source, "name": found.__name__}


def _source_of(found: Any, name: str, *, decorated: bool) -> ast.Module:
    """Its definition; not `decorated`, without those decorators that are for this process, such as an activity's."""
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
    """The latest definition of a notebook's class: a class does not say which cell it is of."""
    if inspect.isclass(found) and found.__module__ == "__main__":
        for entry in reversed(list(linecache.cache.values())):
            with contextlib.suppress(SyntaxError):
                for statement in ast.parse("".join(entry[2])).body if len(entry) == 4 else []:
                    if isinstance(statement, ast.ClassDef) and statement.name == found.__qualname__:
                        return [statement]
    return []


def _compile(source: str, name: str, flags: int = annotations.compiler_flag) -> types.CodeType:
    """By default annotations are not evaluated: they may name anything."""
    code: types.CodeType = compile(source, f"<{name}>", "exec", flags=flags, dont_inherit=True)
    return code


def _is_its_source(source: str, running: types.CodeType) -> bool:
    """The function that runs here was compiled from this source: by itself, as in a notebook, or with its file."""
    flags = running.co_flags & annotations.compiler_flag
    compiled = [_compile(source, running.co_name, flags)]
    with contextlib.suppress(SyntaxError):
        compiled.append(_compile("".join(linecache.getlines(running.co_filename)), running.co_name, flags))
    return any(_bytes_of(part) == _bytes_of(running) for code in compiled for part in _codes_in(code))


def _bytes_of(code: types.CodeType) -> list[tuple[str, bytes, tuple[str, ...], list[str]]]:
    """What it does, and all code within, wherever it stands."""
    return [
        (part.co_name, part.co_code, part.co_names, [repr(c) for c in part.co_consts if not hasattr(c, "co_code")])
        for part in (code, *_codes_in(code))
    ]


def _codes_in(code: types.CodeType) -> Iterator[types.CodeType]:
    for part in code.co_consts:
        if isinstance(part, types.CodeType):
            yield part
            yield from _codes_in(part)


def _globals_of(code: types.CodeType) -> Iterator[str]:
    """The names that this code and all code within look up outside themselves."""
    for part in (code, *_codes_in(code)):
        for instruction in dis.get_instructions(part):
            if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
                yield str(instruction.argval)


# -- unpacking ---------------------------------------------------------------------------------------------------------


def unpack(packed: Packed) -> Any:
    """The function again, in a namespace of its own."""
    namespace: dict[str, Any] = {"__name__": "__main__", "__builtins__": builtins}
    sources = []
    for name, part in packed["names"].items():
        if "source" in part:
            sources.append((name, part))
        else:
            namespace[name] = _unpack(part)
    # A class may need, while it is made, another one that comes later.
    while sources:
        waiting = [(name, part) for name, part in sources if not _define(name, part, namespace)]
        if len(waiting) == len(sources):
            _define(*waiting[0], namespace, last_try=True)
        sources = waiting
    _define(packed["name"], packed, namespace, last_try=True)
    return namespace[packed["name"]]


def _unpack(part: Packed) -> Any:
    if "module" in part:
        return importlib.import_module(part["module"])
    if "import" in part:
        return innermost(find(part["import"]))
    return decode(part["value"])


def _define(name: str, part: Packed, namespace: dict[str, Any], *, last_try: bool = False) -> bool:
    source = part["source"]
    filename = f"<{part['name']}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    try:
        exec(_compile(source, part["name"]), namespace)  # the parent's own code, handed to its child
    except NameError:
        if last_try:
            raise
        return False
    namespace[name] = namespace[part["name"]]
    return True

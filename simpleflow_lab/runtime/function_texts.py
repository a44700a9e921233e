"""The text of a function's code: what its author wrote, without comments, docstrings and decorators.

Rule: a text is that of the code that runs. It is compiled and compared before it is believed: a file may have been
edited since it was imported.
"""

from __future__ import annotations

import ast
import contextlib
import copy
import functools
import itertools
import linecache
import sys
import types
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from simpleflow_lab.definitions.redefinitions import codes_in, instructions_of

PARSE_ATTEMPTS: Final = 10
"""The most times that a source is parsed while other threads disturb it."""

_FUTURE_FLAGS: Final = annotations.compiler_flag

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


@functools.lru_cache(maxsize=4096)
def paths_filled(text: str) -> frozenset[tuple[str, ...]]:
    """The names in a function's text whose items it sets or deletes, also by a method such as `append`: `("totals",)`
    for `totals[key] = 1`, `("helpers", "seen")` for `helpers.seen.add(key)`. None of a text that is no program."""
    with contextlib.suppress(SyntaxError, ValueError, RecursionError, MemoryError):
        nodes = list(ast.walk(parsed(text)))
        filled = [
            each.value for each in nodes if isinstance(each, ast.Subscript) and not isinstance(each.ctx, ast.Load)
        ]
        called = [each.func for each in nodes if isinstance(each, ast.Call)]
        filled += [each.value for each in called if isinstance(each, ast.Attribute) and each.attr in _FILLING]
        return frozenset(path for each in filled if (path := _path(each)))
    return frozenset()


_FILLING: Final = frozenset(
    {
        *("append", "extend", "insert", "remove", "pop", "clear", "sort", "reverse", "add", "discard", "update"),
        *("difference_update", "intersection_update", "symmetric_difference_update", "setdefault", "popitem"),
    }
)
"""Methods that change the items of a list, dictionary or set."""


def _path(node: ast.expr) -> tuple[str, ...]:
    """The names of an expression such as `helpers.seen`; the first is empty of one such as `type(self).seen`, and
    other expressions have none."""
    names: list[str] = []
    while isinstance(node, ast.Attribute | ast.Subscript):  # `totals[day][key] = 1` changes `totals`, too
        names, node = ([node.attr, *names] if isinstance(node, ast.Attribute) else []), node.value
    if isinstance(node, ast.Name):
        return (node.id, *names)
    return ("", *names) if names else ()


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
    tree = parsed(source)
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


def parsed(source: str) -> ast.Module:
    """The syntax tree of a source. Raises as `ast.parse`.

    CPython before 3.11.8 and 3.12.2 may raise `SystemError` when another thread parses at the same time, as a notebook
    does with each cell (https://github.com/python/cpython/issues/106905).
    """
    for _ in range(PARSE_ATTEMPTS):
        with contextlib.suppress(SystemError):
            return ast.parse(source)
    return ast.parse(source)

"""`%simpleflow export FILE`: the definitions of the notebook's cells as a module that other processes import.

What the workflows and activities of cells need is taken from the cells that were run: each name with the latest
statement that bound it, and what that statement needs itself, in the order in which they were run, with their comments.
A type that has its name from the notebook's module is given that name, so that the module's definitions are the
notebook's: executions that were started here run there. What registers types of values is taken along, too: no name
leads to it.

Rule: nothing is left out in silence. What can't be taken along is reported, with what needs it.
"""

from __future__ import annotations

import ast
import builtins
import symtable
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from simpleflow_lab import activity, workflow
from simpleflow_lab.data import codec
from simpleflow_lab.exceptions import UsageError
from simpleflow_lab.notebook.cell_definitions import is_from_a_cell, registered

_DEFINITIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_PLAIN: Final = (ast.Assign, ast.AnnAssign, ast.Import, ast.ImportFrom, *_DEFINITIONS)
"""Statements that a module may hold as they are."""
_BUILTINS_OF_IPYTHON: Final = ("display", "get_ipython")
"""Names that IPython adds to Python's own: a module elsewhere has none of them."""


@dataclass(frozen=True, kw_only=True)
class Exported:
    """The module that was written."""

    file: Path
    """The module's file."""
    definitions: tuple[str, ...]
    """The names of its workflows and activities, in the order of the module."""
    left_out: tuple[str, ...]
    """A sentence for each thing that could not be taken along."""

    def __repr__(self) -> str:
        module = self.file.stem
        lines = [f"{self.file}: {', '.join(self.definitions)}"]
        lines += [f"  not taken along: {each}" for each in self.left_out]
        lines.append(
            f"simpleflow worker.start --module {module}, and decider.start, run them in processes of their own"
        )
        return "\n".join(lines)


@dataclass(frozen=True, kw_only=True)
class Module:
    """A module before it is written."""

    text: str
    """Its text."""
    exported: Exported
    """The definitions that it has."""

    def write(self) -> Exported:
        """Write it; gives what was written. Raises `UsageError` if the file can't be."""
        try:
            self.exported.file.write_text(self.text, encoding="utf-8")
        except OSError as error:
            raise UsageError(f"{self.exported.file} can't be written: {error.strerror or error}") from None
        return self.exported


@dataclass(frozen=True, kw_only=True)
class _Statement:
    """A statement at the top of a cell."""

    node: ast.stmt
    text: str
    """Its source, with the comments above it."""
    order: int

    @property
    def binds(self) -> set[str]:
        """The names that it binds."""
        return set(_bound(self.node))

    @property
    def needs(self) -> set[str]:
        """The global names that it uses, at once or when its functions run."""
        return set(_globals_of(_symbols(self.node)))

    @property
    def needs_at_once(self) -> set[str]:
        """Those of them that it uses when the module is imported, as far as it calls nothing."""
        is_definition = isinstance(self.node, _DEFINITIONS)
        return set(_globals_of(_symbols(self.node), in_functions=False)) if is_definition else self.needs


def export(path: str, cells: Sequence[str], names: Mapping[str, Any]) -> Exported:
    """Write the module; gives what it has. Raises `UsageError` if there is nothing to write or the file can't be.

    The parameters are those of `module_for`.
    """
    return module_for(path, cells, names).write()


def module_for(path: str, cells: Sequence[str], names: Mapping[str, Any]) -> Module:
    """The module to be written to this file. Raises `UsageError` if there is nothing to write.

    `cells` are the cells that were run, as Python and in their order, `names` the notebook's names.
    """
    file = Path(path)
    if file.suffix != ".py" or not file.stem.isidentifier():
        raise UsageError(f"{path!r} is no file of a module: give a name as flows.py")
    wanted = {label: key for key, thing in registered().items() if is_from_a_cell(thing) and (label := _label(thing))}
    if not wanted:
        raise UsageError("no cell defines a workflow or an activity: run the cells that do")
    module = _Module(list(_statements(cells)), names)
    for label in wanted:
        module.take(label, by="the notebook's definitions")
    module.take_registrations()
    module.name_types(file.stem)
    definitions = tuple(name for name in module.names if name in wanted)
    if not definitions:
        of = ", ".join(wanted)
        raise UsageError(f"{path} was not written: the text of the cells that define {of} is not known; run them again")
    text = module.text()
    try:
        compile(text, str(file), "exec")
    except SyntaxError as error:
        raise UsageError(f"{path} was not written: what the cells say makes no module ({error})") from None
    return Module(text=text, exported=Exported(file=file, definitions=definitions, left_out=tuple(module.left_out)))


def _has_changed(statement: _Statement, name: str, value: Any) -> bool:
    """Whether a name has another value than the statement that bound it says."""
    if not isinstance(statement.node, ast.Assign | ast.AnnAssign):
        return False
    if statement.needs & statement.binds:  # x = x + 1
        return True
    try:
        return bool(ast.literal_eval(statement.node.value or "None") != value)
    except (ValueError, SyntaxError, TypeError):  # it is no literal
        return False


def _type_name(thing: Any) -> str | None:
    """The name of the type of a workflow or an activity; `None` for anything else."""
    if isinstance(thing, activity.Activity):
        return thing.name
    return thing.type_name() if isinstance(thing, type) and issubclass(thing, workflow.Workflow) else None


def _label(thing: Any) -> str:
    """The name of a definition in Python; empty for one that stands in a function."""
    name = str(getattr(thing, "callable", thing).__qualname__)
    return name if name.isidentifier() else ""


class _Module:
    """The statements of the module, collected by name."""

    def __init__(self, statements: Sequence[_Statement], names: Mapping[str, Any]) -> None:
        self._statements = statements
        self._registrations: list[_Statement] = []
        self._by_name: dict[str, list[_Statement]] = {}
        for statement in statements:
            for name in statement.binds:
                self._by_name.setdefault(name, []).append(statement)
        self._names = names
        self._taken: dict[int, _Statement] = {}
        self._values: dict[str, str] = {}
        self._resolved: set[str] = set()
        self.left_out: list[str] = []

    def take(self, name: str, *, by: str) -> None:
        """Take the statement that bound a name, and what it needs."""
        if name in self._resolved:
            return
        self._resolved.add(name)
        statements = self._by_name.get(name, [])
        statement = statements[-1] if statements else None
        value = self._names.get(name)
        if statement is None or not isinstance(statement.node, _PLAIN) or _has_changed(statement, name, value):
            self._take_value(name, by)
            return
        if type(value).__module__.partition(".")[0] == _PACKAGE and type(value).__name__ in ("Lab", "Execution"):
            self.left_out.append(f"{name}, which {by} uses: it belongs to this kernel")
            return
        self._taken[statement.order] = statement
        for other in statements:
            if isinstance(other.node, ast.Import):  # import a.b, and import a.c
                self._taken[other.order] = other
        for needed in sorted(statement.needs - statement.binds):
            self.take(needed, by=name)

    def take_registrations(self) -> None:
        """Take what registers types of values, and what it needs: of each type the latest."""
        found: dict[str, _Statement] = {}
        for statement in self._statements:
            type_ = _registered_type(statement.node, self._names)
            if type_ is not None:
                found[type_] = statement
        for type_, statement in found.items():
            if isinstance(statement.node, ast.Expr):
                self._registrations.append(statement)
                for needed in sorted(statement.needs):
                    self.take(needed, by=f"the registration of {type_}")
            else:
                self._taken[statement.order] = statement

    def _take_value(self, name: str, by: str) -> None:
        """Take a name whose statement is no plain one, with its value, if that can be written down."""
        is_pythons = hasattr(builtins, name) and name not in _BUILTINS_OF_IPYTHON
        if name not in self._names:
            if not is_pythons:
                self.left_out.append(f"{name}, which {by} uses: no cell that was run defines it")
            return
        value = self._names[name]
        if is_pythons and getattr(value, "__wrapped__", None) is getattr(builtins, name):
            return  # IPython's `open` refuses files that its kernel needs; elsewhere Python's own will do
        text = repr(value)
        try:
            is_written = ast.literal_eval(text) == value
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            is_written = False
        if is_written:
            self._values[name] = text
        else:
            self.left_out.append(f"{name}, which {by} uses: a {type(value).__qualname__} that no plain statement made")

    def name_types(self, module: str) -> None:
        """Say which types have another name in the module, because their name can't be written into their source."""
        for name in self.names:
            here = _type_name(self._names.get(name))
            if here == f"__main__.{name}" and repr(here) not in self.text():
                self.left_out.append(f"the name of the type of {name}: it is {here} here and {module}.{name} there")

    @property
    def names(self) -> Iterator[str]:
        """The names that the module binds, in its order."""
        return (name for statement in self._in_order() for name in _bound(statement.node))

    def _in_order(self) -> list[_Statement]:
        """The statements in the order in which they were run, but each behind what it needs when the module is
        imported: a cell may have been run again after those that need it."""
        found: dict[int, _Statement] = {}
        begun: set[int] = set()

        def add(statement: _Statement) -> None:
            if statement.order not in begun:
                begun.add(statement.order)
                add_all(statement.needs_at_once - statement.binds, set())
                found[statement.order] = statement

        def add_all(names: set[str], seen: set[str]) -> None:
            for name in sorted(names - seen):
                seen.add(name)
                for other in self._by_name.get(name, ())[-1:]:
                    if other.order in self._taken:
                        add_all(other.needs, seen)  # it may be called at once
                        add(other)

        for order in sorted(self._taken):
            add(self._taken[order])
        return list(found.values())

    def text(self) -> str:
        """The module's source."""
        future, imports, others = list[str](), list[str](), list[str]()
        for statement in self._in_order():
            match statement.node:
                case ast.ImportFrom(module="__future__"):
                    future.append(statement.text)
                case ast.Import() | ast.ImportFrom():
                    imports.append(statement.text)
                case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                    others.append(f"\n\n{self._with_type_name(statement)}\n\n")
                case _:
                    others.append(statement.text)
        values = [f"{name} = {text}  # its value in the notebook" for name, text in self._values.items()]
        head = ['"""Workflows and activities of a notebook, written by `%simpleflow export`."""', "", *future]
        last = [each.text for each in self._registrations]  # the types stand above, in whatever order their cells ran
        body = "\n".join([*head, *dict.fromkeys(imports), "", *values, *others, *last])
        while "\n\n\n\n" in body:
            body = body.replace("\n\n\n\n", "\n\n\n")
        return body.rstrip("\n") + "\n"

    def _with_type_name(self, statement: _Statement) -> str:
        """The source of a definition, whose type has its name of the notebook's module."""
        node = statement.node
        assert isinstance(node, _DEFINITIONS)
        thing = self._names.get(node.name)
        if isinstance(thing, activity.Activity):
            return _named_activity(statement, thing.name)
        if isinstance(thing, type) and issubclass(thing, workflow.Workflow) and thing.type_name() == thing.class_name():
            return _named_class(statement, thing.type_name())
        return statement.text


def _registered_type(node: ast.stmt, names: Mapping[str, Any]) -> str | None:
    """The type of values that a statement registers, or the module that registers some when it is imported."""
    match node:
        case ast.Import(names=aliases):
            imported = [alias.name for alias in aliases]
        case ast.ImportFrom(module=str(module), names=aliases):
            imported = [module, *(f"{module}.{alias.name}" for alias in aliases)]
        case ast.Expr(value=ast.Call(func=function, args=[type_, *_])) if (
            _thing_named(function, names) is codec.register
        ):
            return ast.unparse(type_)
        case _:
            return None
    return next((name for name in imported if name in codec.MODULES_OF_TYPES.values()), None)


def _thing_named(node: ast.expr, names: Mapping[str, Any]) -> Any:
    """The value of a name, or a dotted one, in the notebook; `None` if that is not known."""
    match node:
        case ast.Name(id=name):
            return names.get(name)
        case ast.Attribute(value=of, attr=name):
            return getattr(_thing_named(of, names), name, None)
    return None


_PACKAGE: Final = __name__.partition(".")[0]


def _named_activity(statement: _Statement, name: str) -> str:
    """An activity's definition, with its name as an argument of the decorator if it has none."""
    node = statement.node
    assert isinstance(node, _DEFINITIONS)
    if name != f"__main__.{node.name}":
        return statement.text
    for decorator in node.decorator_list:
        if (
            isinstance(decorator, ast.Call)
            and ast.unparse(decorator.func).rpartition(".")[2] == "with_attributes"
            and not decorator.args
            and all(keyword.arg not in ("name", None) for keyword in decorator.keywords)
        ):
            first = ", " if decorator.keywords else ""
            return _insert(statement, decorator.func.end_lineno, decorator.func.end_col_offset, f"name={name!r}{first}")
    return statement.text


def _insert(statement: _Statement, line: int | None, column: int | None, text: str) -> str:
    """The source with a text after the next opening parenthesis."""
    assert line is not None
    assert column is not None
    lines = statement.text.splitlines(keepends=True)
    row = line - 1 + _lines_above(statement)
    encoded = lines[row].encode()
    head, rest = encoded[:column].decode(), encoded[column:].decode()
    opening = rest.index("(") + 1
    lines[row] = head + rest[:opening] + text + rest[opening:]
    return "".join(lines)


def _named_class(statement: _Statement, name: str) -> str:
    """A workflow's definition, with its name as the first attribute."""
    node = statement.node
    assert isinstance(node, ast.ClassDef)
    first = node.body[0]
    is_docstring = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and len(node.body) > 1
    after = node.body[1] if is_docstring else first
    line = _first_line(after)
    if line == node.lineno:  # class A(Workflow): …
        return statement.text
    lines = statement.text.splitlines(keepends=True)
    lines.insert(line - 1 + _lines_above(statement), f"{' ' * after.col_offset}name = {name!r}\n")
    return "".join(lines)


def _first_line(node: ast.stmt) -> int:
    """The line with which a statement begins, of a definition with its first decorator."""
    decorators = node.decorator_list if isinstance(node, _DEFINITIONS) else []
    return min([node.lineno, *(each.lineno for each in decorators)])


def _lines_above(statement: _Statement) -> int:
    """The number of lines of comments above the statement, less the lines above it in its cell."""
    node = statement.node
    first = _first_line(node)
    last = node.end_lineno or node.lineno
    count = len(statement.text.splitlines()) - (last - first + 1)
    return count - (first - 1)


# -- the cells ---------------------------------------------------------------------------------------------------------


def _statements(cells: Sequence[str]) -> Iterator[_Statement]:
    """The statements at the top of the cells, in the order in which they were run. What is no Python is left out."""
    order = 0
    for cell in cells:
        try:
            tree = ast.parse(cell)
        except SyntaxError:
            continue
        lines = cell.splitlines(keepends=True)
        for number, node in enumerate(tree.body):
            first = _first_line(node)
            above = first - 1
            while above and lines[above - 1].lstrip().startswith("#"):
                above -= 1
            text = "".join(lines[above : node.end_lineno]).rstrip("\n")
            beside = tree.body[max(0, number - 1) : number] + tree.body[number + 1 : number + 2]
            if any(first <= (each.end_lineno or 0) and each.lineno <= (node.end_lineno or 0) for each in beside):
                text = ast.get_source_segment(cell, node) or text  # a = 1; b = 2
            yield _Statement(node=node, text=text, order=order)
            order += 1


def _bound(node: ast.stmt) -> Iterator[str]:
    """The names that a statement at the top of a cell binds."""
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
        case ast.Import(names=aliases):
            for alias in aliases:
                yield alias.asname or alias.name.partition(".")[0]
        case ast.ImportFrom(names=aliases):
            for alias in aliases:
                yield alias.asname or alias.name
        case _:
            for part in ast.walk(node):
                if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
                    yield part.id


def _symbols(node: ast.stmt) -> symtable.SymbolTable:
    return symtable.symtable(ast.unparse(node), "<cell>", "exec")


def _globals_of(table: symtable.SymbolTable, *, in_functions: bool = True) -> Iterator[str]:
    """The global names that are used there, in all scopes, or not in those of functions."""
    at_top = table.get_type() == "module"
    for symbol in table.get_symbols():
        if symbol.is_referenced() and (at_top or symbol.is_global()):
            yield symbol.get_name()
    inner = [child for child in table.get_children() if in_functions or child.get_type() != "function"]
    yield from _of_all(_globals_of(child, in_functions=in_functions) for child in inner)


def _of_all(found: Iterable[Iterator[str]]) -> Iterator[str]:
    for each in found:
        yield from each

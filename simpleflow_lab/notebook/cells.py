"""The body of a `%%simpleflow` cell: run as the user's own cell would, and what it defined.

It runs in the user's namespace, under the cell's own name and line numbers. So `inspect.getsource`, breakpoints and
tracebacks find its text, magics work in it, and its last expression is shown. An error is the cell's error, told once
and without the frames of the magic; what was defined above the failing line stays defined, as in any cell.
"""

from __future__ import annotations

import ast
import functools
import inspect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Literal

from IPython.core.interactiveshell import InteractiveShell

from simpleflow_lab import activity, workflow

Kind = Literal["activity", "workflow"]
Change = Literal["new", "replaced", "unchanged", "removed"]
Key = tuple[Kind, str, str]
"""Kind, type name and type version: under this, deciders and activity workers find a definition."""

_REGISTRIES: Final[Mapping[Kind, dict[tuple[str, str], Any]]] = {
    "activity": activity.registry,
    "workflow": workflow.registry,
}


@dataclass(frozen=True, kw_only=True)
class Definition:
    """A workflow or an activity that a cell defined."""

    kind: Kind
    label: str
    """Its name in Python."""
    name: str
    """Name of its SWF type."""
    version: str
    """Version of its SWF type."""
    task_list: str
    """Where it runs, unless a call says otherwise; empty for what a workflow inherits."""
    change: Change
    """Against what was registered before the cell ran; `removed`: the cell has it no longer, and it is unregistered."""


class CellSyntaxError(Exception):
    """The text of a cell is not Python; shown as IPython shows a syntax error."""

    def __init__(self, shell: Any, error: SyntaxError):
        super().__init__(str(error))
        self._lines: list[str] = shell.SyntaxTB.structured_traceback(type(error), error, [])

    def _render_traceback_(self) -> list[str]:
        return self._lines


class Cells:
    """Runs the bodies of cells, and knows which cell each definition came from."""

    def __init__(self, shell: InteractiveShell):
        self._shell: Any = shell  # IPython is typed in part
        self._raw_cell = ""
        self._cell_id: str | None = None
        self._defined: dict[str, dict[Key, Any]] = {}
        self._classes: dict[str, set[type[workflow.Workflow]]] = {}
        """Every workflow class of a cell: several may have one type, and its name in Python may change."""

    def begin(self, info: Any) -> None:
        """IPython's `pre_run_cell`: which cell is about to run. A front end that names no cells gives no id."""
        self._raw_cell, self._cell_id = info.raw_cell or "", getattr(info, "cell_id", None)

    def run(self, body: str) -> list[Definition]:
        """Run the body of the current cell; gives what it defined: activities, then workflows.

        What the same cell defined when it ran before, and no longer defines, is unregistered. So is a class that has
        another name now: executions that began with it go on with what has its type now.
        """
        before, classes = _registered(), _classes()
        try:
            self._execute(body)
        except BaseException:
            self._remember(_changed(before), complete=False)
            self._replace_classes(_classes() - classes, complete=False)
            raise
        defined = _changed(before)
        removed = self._remember(defined, complete=True)
        self._replace_classes(_classes() - classes, complete=True)
        return [
            *(_definition(key, thing, _change(before.get(key), thing)) for key, thing in defined.items()),
            *(_definition(key, thing, "removed") for key, thing in removed.items()),
        ]

    def _remember(self, defined: dict[Key, Any], *, complete: bool) -> dict[Key, Any]:
        """Note what the cell defined; gives what it no longer does, unregistered."""
        if self._cell_id is None:
            return {}
        earlier = self._defined.get(self._cell_id, {})
        gone: dict[Key, Any] = {}
        if complete:
            # What another cell has defined since is that cell's; a module that is imported again defines nothing again.
            gone = {
                key: thing
                for key, thing in earlier.items()
                if key not in defined and _registered().get(key) is thing and _module(thing) == "__main__"
            }
            for (kind, name, version), thing in gone.items():
                if kind == "workflow":
                    workflow.forget(thing)
                else:
                    del _REGISTRIES[kind][name, version]
        self._defined[self._cell_id] = defined if complete else {**earlier, **defined}
        return gone

    def _replace_classes(self, defined: set[type[workflow.Workflow]], *, complete: bool) -> None:
        """Note the classes that the cell defined; forget those that it defined before."""
        if self._cell_id is None:
            return
        earlier = self._classes.get(self._cell_id, set())
        for cls in earlier if complete else ():
            workflow.forget(cls)
        self._classes[self._cell_id] = defined if complete else earlier | defined

    # -- running --

    def _execute(self, body: str) -> None:
        shell = self._shell
        code = shell.transform_cell(body)
        # The first line of the cell is the magic's, and IPython drops leading blank lines: put both back.
        lines = body.splitlines()
        blank = next((i for i, line in enumerate(lines) if line.strip()), len(lines))
        code = "\n" * (1 + blank) + code
        raw = self._raw_cell if self._raw_cell.endswith(body) else body
        name = shell.compile.cache(code, shell.displayhook.prompt_count, raw_code=raw)
        try:
            tree = shell.transform_ast(shell.compile.ast_parse(code, filename=name))
            blocks = [shell.compile(block, name, mode) for block, mode in _blocks(tree)]
        except SyntaxError as error:
            raise CellSyntaxError(shell, error) from None
        with _own_traceback(shell):
            for block in blocks:
                exec(block, shell.user_global_ns, shell.user_ns)


def _blocks(tree: ast.Module) -> Iterator[tuple[Any, str]]:
    """The statements, and apart from them a last expression, which is shown."""
    if tree.body and isinstance(tree.body[-1], ast.Expr):
        yield ast.Module(tree.body[:-1], tree.type_ignores), "exec"
        yield ast.Interactive(tree.body[-1:]), "single"
    else:
        yield tree, "exec"


@contextmanager
def _own_traceback(shell: Any) -> Iterator[None]:
    """An error that passes here is shown from the cell's own frame on."""
    try:
        yield
    except BaseException as error:
        trace = error.__traceback__
        while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
            trace = trace.tb_next
        # IPython asks the exception itself how to show it; one that takes no attributes is shown with our frames.
        with suppress(AttributeError, TypeError):
            error._render_traceback_ = functools.partial(_rendered, shell, error, trace)  # type: ignore[attr-defined]
        raise


def _rendered(shell: Any, error: BaseException, trace: TracebackType | None) -> list[str]:
    lines: list[str] = shell.InteractiveTB.structured_traceback(type(error), error, trace, tb_offset=0)
    return lines


# -- definitions -------------------------------------------------------------------------------------------------------


def _registered() -> dict[Key, Any]:
    """Everything that is defined now."""
    return {
        (kind, name, version): thing
        for kind, registry in _REGISTRIES.items()
        for (name, version), thing in list(registry.items())
    }


def _classes() -> set[type[workflow.Workflow]]:
    """Every workflow class of a cell that is defined now, also those that share their types."""
    every = (definition for same in list(workflow.same_type.values()) for definition in list(same.values()))
    return {definition for definition in every if _module(definition) == "__main__"}


def _changed(before: Mapping[Key, Any]) -> dict[Key, Any]:
    """What the user registered since: an import may bring activities of this package, such as those of steps."""
    return {
        key: thing
        for key, thing in _registered().items()
        if before.get(key) is not thing and _module(thing).partition(".")[0] != _PACKAGE
    }


def _module(thing: Any) -> str:
    """Name of the module that has the class or the function."""
    return str(getattr(thing, "callable", thing).__module__)


_PACKAGE: Final = __name__.partition(".")[0]


def _change(old: Any, new: Any) -> Change:
    if old is None:
        return "new"
    return "unchanged" if _said(old) == _said(new) else "replaced"


def _said(thing: Any) -> tuple[str, dict[str, Any]]:
    """The source of a definition, or what tells it apart if it has none, and the attributes of an activity."""
    try:
        source = inspect.getsource(thing)
    except (OSError, TypeError):
        source = f"{id(thing)}"
    attributes = vars(thing) if isinstance(thing, activity.Activity) else {}
    return source, {name: value for name, value in attributes.items() if name not in _THE_FUNCTION}


_THE_FUNCTION: Final = {"callable", *functools.WRAPPER_ASSIGNMENTS, "__wrapped__"}
"""What an activity has of the function behind it, which is another object each time."""


def _definition(key: Key, thing: Any, change: Change) -> Definition:
    kind, name, version = key
    of = thing if kind == "workflow" else thing.callable
    return Definition(
        kind=kind, label=of.__name__, name=name, version=version, task_list=thing.task_list or "", change=change
    )


def workflow_names() -> list[str]:
    """Names of the workflow classes that are defined now."""
    return sorted({definition.__name__ for definition in list(workflow.registry.values())})


# -- sources of classes ------------------------------------------------------------------------------------------------


@contextmanager
def class_sources() -> Iterator[None]:
    """Within it, `inspect.getsource` finds classes that cells defined.

    Python looks for a class by the file of its module, and cells' module has none. A class has the file of its methods.
    """
    original: Any = inspect.getfile

    def getfile(thing: Any) -> str:
        try:
            return str(original(thing))
        except (OSError, TypeError):
            found = _file_of_methods(thing)
            if found is None:
                raise
            return found

    inspect.getfile = getfile  # type: ignore[assignment]
    try:
        yield
    finally:
        # Somebody else may have put theirs over it meanwhile; then it stays underneath, and does no harm.
        if inspect.getfile is getfile:
            inspect.getfile = original


def _file_of_methods(thing: Any) -> str | None:
    if not inspect.isclass(thing) or thing.__module__ != "__main__":
        return None
    for member in vars(thing).values():
        function = inspect.unwrap(getattr(member, "fget", None) or getattr(member, "__func__", member))
        if inspect.isfunction(function) and function.__qualname__.startswith(f"{thing.__qualname__}."):
            return function.__code__.co_filename
    return None


__all__ = ["CellSyntaxError", "Cells", "Definition", "class_sources", "workflow_names"]

"""Runs the body of a `%%simpleflow` cell as IPython runs any cell, and finds what it defined.

The body runs in the user's namespace, under the cell's own name and line numbers. So `inspect.getsource`, breakpoints
and tracebacks find its text, magics work in it, and its last expression is shown. An error is the cell's error, shown
once and without the frames of the magic; what was defined above the failing line stays defined, as in any cell.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any

from IPython.core.interactiveshell import InteractiveShell

from simpleflow_lab import workflow
from simpleflow_lab.notebook.cell_definitions import (
    Definition,
    Key,
    cell_classes,
    change_of,
    changed_since,
    describe,
    is_from_a_cell,
    registered,
    unregister,
)


class CellSyntaxError(Exception):
    """The text of a cell is not Python. It is shown as IPython shows a syntax error."""

    def __init__(self, shell: Any, error: SyntaxError) -> None:
        super().__init__(str(error))
        self._lines: list[str] = shell.SyntaxTB.structured_traceback(type(error), error, [])

    def _render_traceback_(self) -> list[str]:
        return self._lines


class Cells:
    """Runs the bodies of cells, and keeps for each cell what it defined."""

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell: Any = shell  # IPython is typed in part
        self._raw_cell = ""
        self._cell_id: str | None = None
        self._defined: dict[str, dict[Key, Any]] = {}
        self._classes: dict[str, set[type[workflow.Workflow]]] = {}
        """Every workflow class of a cell: several may have one type, and its name in Python may change."""

    def begin(self, info: Any) -> None:
        """Handle IPython's event `pre_run_cell`, which has the text and the id of the cell that is about to run.

        A front end that does not identify cells gives no id.
        """
        self._raw_cell, self._cell_id = info.raw_cell or "", getattr(info, "cell_id", None)

    def run(self, body: str) -> list[Definition]:
        """Run the body of the current cell; gives what it defined: activities, then workflows.

        A definition that the same cell had when it ran before, and no longer has, is unregistered. So is a workflow
        class that has another name now: executions that began with it go on with the class that has its type now.
        """
        before, classes = registered(), cell_classes()
        try:
            self._execute(body)
        except BaseException:  # an interrupt too: what the cell has defined by then is known
            self._remember(changed_since(before), complete=False)
            self._replace_classes(cell_classes() - classes, complete=False)
            raise
        defined = changed_since(before)
        removed = self._remember(defined, complete=True)
        self._replace_classes(cell_classes() - classes, complete=True)
        return [
            *(describe(key, thing, change_of(before.get(key), thing)) for key, thing in defined.items()),
            *(describe(key, thing, "removed") for key, thing in removed.items()),
        ]

    def _remember(self, defined: dict[Key, Any], *, complete: bool) -> dict[Key, Any]:
        """Keep what the cell defined; unregister and give what it no longer does. `complete`: the cell did not fail."""
        if self._cell_id is None:
            return {}
        earlier = self._defined.get(self._cell_id, {})
        removed: dict[Key, Any] = {}
        if complete:
            # A definition that another cell replaced is that cell's; a module that is imported again defines nothing.
            now = registered()
            removed = {
                key: thing
                for key, thing in earlier.items()
                if key not in defined and now.get(key) is thing and is_from_a_cell(thing)
            }
            for key, thing in removed.items():
                unregister(key, thing)
        self._defined[self._cell_id] = defined if complete else {**earlier, **defined}
        return removed

    def _replace_classes(self, defined: set[type[workflow.Workflow]], *, complete: bool) -> None:
        """Keep the workflow classes that the cell defined; forget those that it defined before."""
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
    """The statements of a cell with their compile modes; a last expression, which is shown, stands apart."""
    if tree.body and isinstance(tree.body[-1], ast.Expr):
        yield ast.Module(tree.body[:-1], tree.type_ignores), "exec"
        yield ast.Interactive(tree.body[-1:]), "single"
    else:
        yield tree, "exec"


@contextmanager
def _own_traceback(shell: Any) -> Iterator[None]:
    """Within this context, the traceback of an error begins at the cell's own frame."""
    try:
        yield
    except BaseException as error:  # an interrupt too is shown from the cell's frame on
        trace = error.__traceback__
        while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
            trace = trace.tb_next
        # IPython calls this method of an exception to show it; one that takes no attributes is shown with our frames.
        with suppress(AttributeError, TypeError):
            error._render_traceback_ = functools.partial(_rendered, shell, error, trace)  # type: ignore[attr-defined]
        raise


def _rendered(shell: Any, error: BaseException, trace: TracebackType | None) -> list[str]:
    lines: list[str] = shell.InteractiveTB.structured_traceback(type(error), error, trace, tb_offset=0)
    return lines

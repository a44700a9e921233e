"""`%simpleflow COMMAND …` and `%%simpleflow [COMMAND …]`.

The commands are those of the shell, from the same table. A line is split into words as in a shell, and nothing in it is
evaluated. A notebook also has the commands `connect` and `export`, the option `-o NAME` and variables, see
`command_lines`. An error by what was typed is shown in one line.
"""

from __future__ import annotations

import contextlib
import os
import shlex
from collections.abc import Mapping
from typing import Any, Final

from IPython.core.error import UsageError as MagicUsageError
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import Magics, line_cell_magic, magics_class, needs_local_scope, no_var_expand
from IPython.display import display
from traitlets import Float, Unicode, observe

from simpleflow_lab.commands.command_specs import CommandSpec, ParameterSpec, describe
from simpleflow_lab.commands.command_table import run
from simpleflow_lab.commands.inspection import execution_of
from simpleflow_lab.commands.parameters import Target
from simpleflow_lab.commands.recorded_tests import to_test
from simpleflow_lab.commands.records import ListingRecord, Record
from simpleflow_lab.commands.session import NAME_A_STORE, Session
from simpleflow_lab.commands.workflow import Outcome, Resumed
from simpleflow_lab.exceptions import DecisionTaskError, SimpleflowLabError, UsageError, WorkflowExecutionError
from simpleflow_lab.execution import Execution
from simpleflow_lab.executions.start_requests import find_workflow
from simpleflow_lab.lab import Lab
from simpleflow_lab.notebook.advice_names import with_names
from simpleflow_lab.notebook.awaited_magics import AWAIT, NO_RAISE, take_out
from simpleflow_lab.notebook.cell_checks import CellChecks
from simpleflow_lab.notebook.cell_definitions import is_from_a_cell
from simpleflow_lab.notebook.cell_values import CellDefinitions, Commands
from simpleflow_lab.notebook.cells import Cells
from simpleflow_lab.notebook.command_lines import split_line, take_out_name, with_variables
from simpleflow_lab.notebook.live_display import LiveViews
from simpleflow_lab.notebook.module_export import Module, export, module_for
from simpleflow_lab.notebook.renderers import blocked, cell_value
from simpleflow_lab.notebook.stopped_workers import waits_for_stopped_workers
from simpleflow_lab.recorded_execution import RecordedExecution, open_history
from simpleflow_lab.settings import default_store
from simpleflow_lab.views.formatting import VALUE_LIMIT, shortened
from simpleflow_lab.views.live_rows import FASTEST

CONNECT: Final = CommandSpec(
    name="connect",
    summary="Use the store of this address, or a Lab in a variable; alone, your own store again.",
    parameters=(ParameterSpec(names=("ADDRESS",), kind="lab", choices=(), is_option=False, multiple=False, help=""),),
)
"""A command that the shell does not have."""
EXPORT: Final = CommandSpec(
    name="export",
    summary="Write the workflows and activities of the cells to a module FILE, with all that they need, for processes.",
    parameters=(ParameterSpec(names=("FILE",), kind="path", choices=(), is_option=False, multiple=False, help=""),),
)
"""Another one."""
LIVE: Final = CommandSpec(
    name="live",
    summary="Show an execution live, by default the last one: what it does, what it waits for, what failed.",
    parameters=(
        ParameterSpec(names=("WORKFLOW_ID",), kind="execution", choices=(), is_option=False, multiple=False, help=""),
    ),
)
"""Another one."""


class StillRunning(KeyboardInterrupt):
    """The waiting was interrupted, and the execution goes on. It ends the cell with one line and no traceback."""

    def __init__(self, execution: Execution) -> None:
        super().__init__(
            f"{execution.workflow_id} goes on in this kernel: %simpleflow resume {shlex.quote(execution.workflow_id)} "
            f"waits for it again, %simpleflow live {shlex.quote(execution.workflow_id)} shows it"
        )

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


@magics_class
class SimpleflowMagics(Magics):
    """Workflows in notebook cells."""

    store = Unicode(help="Store of the embedded engine; empty for your own.").tag(config=True)
    refresh = Float(FASTEST, min=FASTEST, help="Seconds between two updates of a live view.").tag(config=True)

    shell: Any

    def __init__(self, shell: InteractiveShell, **kwargs: Any) -> None:
        super().__init__(shell, **kwargs)
        self._lab: Lab | None = None
        self._opened: list[Lab] = []
        self._session = Session(
            self._open,
            watch=self._wait,
            tell=_tell,
            serves_here=True,
            started_by_hand=self._started_by_hand,
            without_store=self._without_store,
            elsewhere=self._elsewhere,
        )
        self.cells = Cells(shell)
        self.checks = CellChecks()
        self.live_views = LiveViews(shell, find_execution=self._find_execution)

    @property
    def connected(self) -> Lab | None:
        """The Lab of the user's that `connect` named; `None` without one."""
        return None if self._lab is None or self._lab.closed or self._lab in self._opened else self._lab

    def advice(self, execution: Any, to_do: str) -> str:
        """The advice on an execution, by the names that this notebook has for it and its Lab."""
        labs = [lab for lab in (self._lab, *self._opened) if lab is not None]
        return with_names(to_do, execution, self.shell.user_ns, labs)

    def connect_again(self, lab: Lab | None) -> None:
        """Act on this Lab, if it is still open."""
        if lab is not None and not lab.closed:
            self._lab = lab

    def close(self) -> None:
        """Close the Labs that commands opened, not those that the user made."""
        self._lab = None
        self.live_views.close()
        for lab in self._opened:
            lab.close()

    @no_var_expand
    @needs_local_scope
    @line_cell_magic
    def simpleflow(self, line: str, cell: str | None = None, local_ns: Mapping[str, Any] | None = None) -> Any:
        """Run a command of simpleflow; `%simpleflow help` lists them.

        %simpleflow workflow.start BasicWorkflow --input '[1, 5]' --workflow-id first-run
        %simpleflow workflow.tasks -o tasks
        %simpleflow workflow.info $execution.workflow_id

        With %%simpleflow, run the cell first, and list the workflows and activities that it defines.
        """
        if cell is not None:
            display(CellDefinitions(self.cells.run(cell)))  # type: ignore[no-untyped-call]
            self.check_definitions()
            if not line.strip():
                return None
        try:
            variables = {**self.shell.user_ns, **(local_ns or {})}
            return self._run(split_line(line, variables), variables)
        except WorkflowExecutionError:  # the answer to what was asked for, with the traceback that was recorded
            raise
        except SimpleflowLabError as error:
            raise MagicUsageError(shortened(error, VALUE_LIMIT)) from None

    def check_definitions(self, result: object = None) -> None:
        """Show whether recorded executions of what was defined are safe: IPython's event `post_run_cell`."""
        for checks in self.checks.check(self._open_labs()):
            display(checks)  # type: ignore[no-untyped-call]

    def _open_labs(self) -> list[Lab]:
        """The Labs of the user's variables and of this session that are open."""
        things = [self._lab, *self.shell.user_ns.values(), *self._opened]
        labs = {id(thing): thing for thing in things if _is_open_lab(thing)}
        return list(labs.values())

    def _run(self, words: list[str], variables: Mapping[str, Any]) -> Any:
        words, name = take_out_name(words)
        words, is_awaited = take_out(words, AWAIT)
        words, no_raise = take_out(words, NO_RAISE)
        module: Module | None = None
        if words[:1] == ["to-test"]:
            module = self._module_for_test(words[1:])
            imported_from = [] if module is None else ["--import-from", module.exported.file.stem]
            words = ["workflow.to_test", *words[1:], *imported_from]
        match words:
            case (
                []
                | ["help"]
                | ["help", "connect" | "export" | "live"]
                | ["connect" | "export" | "live", "--help" | "-h"]
            ):
                found: Any = Commands(commands())
            case ["export", path]:
                found = export(path, self._cells_that_were_run(), self.shell.user_ns)
            case ["export", *rest]:
                raise UsageError(f"export takes the name of one file, not {len(rest)}, as in: export flows.py")
            case ["connect", *rest]:
                found = self._connect(rest, variables)
            case ["live", *rest]:
                return self._live(rest)
            case _:
                words = with_variables(words, variables)
                if is_awaited:
                    return self._awaited(words, name, no_raise=no_raise)
                record = run(words, self._session, prog_name="%simpleflow")
                if module is not None:  # the test was not refused
                    _tell(repr(module.write()))
                if record.message is not None:
                    print(record.message)  # noqa: T201  it belongs below the cell
                found = self._shown(record)
                self._keep(name, found)
                if not no_raise:
                    _raise_of(record)
                return found
        self._keep(name, found)
        return found

    def _keep(self, name: str | None, found: Any) -> None:
        if name is not None:
            self.shell.push({name: found})

    async def _awaited(self, words: list[str], name: str | None, *, no_raise: bool) -> Any:
        """Do what a command that waits does, and leave the cell free while it waits."""
        try:
            record = run([*words, "--detach"], self._session, prog_name="%simpleflow")
        except SimpleflowLabError as error:
            raise MagicUsageError(shortened(error, VALUE_LIMIT)) from None
        outcomes = _outcomes_in(record)
        self._keep(name, self._shown(record))
        for outcome in outcomes:
            try:
                await outcome.execution
            except WorkflowExecutionError:
                if not no_raise:
                    display(outcome.execution)  # type: ignore[no-untyped-call]
                    raise
            except DecisionTaskError as error:
                raise MagicUsageError(blocked(outcome.execution, error)) from None
        return self._shown(record)

    def _module_for_test(self, words: list[str]) -> Module | None:
        """The module from which a test imports the workflow of an execution, if a cell defines it: to be written into
        the folder of the test."""
        given = to_test.make_context("to-test", list(words), resilient_parsing=True).params
        if given["file"] is not None or given["import_from"] is not None or not os.path.isdir(given["out"]):
            return None
        execution = execution_of(self._session, Target(words=given["words"]))
        definition = find_workflow(execution.history().workflow_type)
        if not is_from_a_cell(definition):
            return None
        path = os.path.join(given["out"], f"{definition.__name__.lower()}_cells.py")
        return module_for(path, self._cells_that_were_run(), self.shell.user_ns)

    def _shown(self, record: Record) -> Any:
        output = self._session.output
        if isinstance(record, ListingRecord) and output.shape:
            from simpleflow_lab.notebook.table_renderers import shaped_value  # noqa: PLC0415  imports pandas

            return shaped_value(record, output.shape)
        return cell_value(record)

    def _cells_that_were_run(self) -> list[str]:
        """The cells of this session as Python, in the order in which they were run."""
        found = []
        for raw in self.shell.history_manager.input_hist_raw:
            first, _, body = raw.partition("\n")
            is_ours = first.split()[:1] == ["%%simpleflow"]
            found.append(self.shell.transform_cell(body if is_ours else raw))
        return found

    # -- the Lab --

    def _connect(self, words: list[str], variables: Mapping[str, Any]) -> Lab:
        if len(words) > 1:
            raise UsageError(f"connect takes one address or variable, not {len(words)}")
        given: Any = words[0] if words else None
        if isinstance(given, str) and isinstance(variables.get(given), (Lab, str, os.PathLike)):
            given = variables[given]
        self._lab = given if isinstance(given, Lab) else self._open(given and os.fspath(given), None, True, anew=True)
        self._session.forget_last()
        self.live_views.in_short = self._lab
        return self._lab

    def _open(self, store: str | None, domain: str | None, new: bool, *, anew: bool = False) -> Lab:
        """The Lab of a store: the connected one, another one that has the store open, or a new one."""
        address = store or self.store or default_store()
        if store is None and self._lab is not None and not anew:
            if not self._lab.closed:
                return self._lab
            address = self._lab.address
        lab = None if anew and address == ":memory:" else self._open_lab(address)
        if lab is None:
            lab = self._session.open_anew(address, domain=domain, new=new)
            self._opened.append(lab)
        return lab

    def _without_store(self) -> str:
        """The advice where there is no store: a Lab of the user's that is open, or else what helps in a shell."""
        names = (name for name, value in self.shell.user_ns.items() if _is_open_lab(value))
        name = next((name for name in names if not name.startswith("_")), None)
        if name is None or self._session.store is not None:
            return NAME_A_STORE
        return f"%simpleflow connect {name} makes commands act on that Lab"

    def _elsewhere(self, workflow_id: str) -> str | None:
        """The advice on an execution that is not where commands act, but in a Lab of a variable; else `None`."""
        for name, lab in list(self.shell.user_ns.items()):
            if not name.startswith("_") and _is_open_lab(lab) and lab is not self.lab:
                with contextlib.suppress(SimpleflowLabError):
                    if lab.execution_infos(workflow_id=workflow_id):
                        return f"the Lab {name} has one, and %simpleflow connect {name} makes commands act on it"
        return None

    def _open_lab(self, address: str) -> Lab | None:
        """A Lab of the user or of this session that has this store open, `None` if there is none.

        Each Lab in memory is a store of its own: the setting `:memory:` means the latest one of this session.
        """
        own = reversed(self._opened)
        things = own if address == ":memory:" else [*self.shell.user_ns.values(), *own]
        labs = (thing for thing in things if _is_open_lab(thing))
        return next((lab for lab in labs if _same_store(lab.address, address)), None)

    @observe("store")
    def _store_changed(self, change: Any) -> None:
        self._lab = None

    @property
    def lab(self) -> Lab | None:
        """The Lab that commands act on, `None` if it is not open."""
        return self._lab or self._open_lab(self.store or default_store())

    def _started_by_hand(self) -> Execution | None:
        """The execution that the Lab on which commands act has started last, by whichever call."""
        lab = self.lab
        return None if lab is None or lab.closed else lab.last_started

    def _live(self, words: list[str]) -> None:
        if len(words) > 1:
            raise UsageError(f"live takes one workflow id, not {len(words)} words")
        self._session.known_domain(None)
        lab = self._session.lab()
        last = self._session.last
        if words:
            execution = self._session.execution(Target(words=tuple(words)))
        elif isinstance(last, Execution):
            execution = last
        else:
            infos = [info for info in lab.execution_infos() if "parent" not in info]
            if not infos:
                raise UsageError("there is no execution to show: workflow.start starts one")
            execution = lab.execution(infos[0]["execution"]["workflowId"])
        self.live_views.show(execution, refresh=self.refresh)

    def _find_execution(self, text: str) -> Any:
        """An execution or a history by the name of a variable, a file, or a workflow id. Raises `UsageError`."""
        named = self.shell.user_ns.get(text)
        if isinstance(named, (Execution, RecordedExecution)):
            return named
        if os.path.exists(text):
            return open_history(text)
        return self._session.lab().execution(text)

    def _wait(self, execution: Execution) -> None:
        try:
            self.live_views.wait(execution, refresh=self.refresh, not_shown=lambda: self._say_stopped(execution))
        except KeyboardInterrupt:
            raise StillRunning(execution) from None

    def _say_stopped(self, execution: Execution) -> None:
        line = waits_for_stopped_workers(execution, self._session.lab())
        if line is not None:
            _tell(line)


def _outcomes_in(record: Record) -> tuple[Outcome, ...]:
    match record:
        case Outcome():
            return (record,)
        case Resumed():
            return record.outcomes
    return ()


def _raise_of(record: Record) -> None:
    """Show the first execution that closed otherwise than completed, and raise its error, so that Run All stops."""
    for outcome in _outcomes_in(record):
        if outcome.finished and outcome.error is not None:
            display(outcome.execution)  # type: ignore[no-untyped-call]
            raise outcome.error


def _tell(text: str) -> None:
    print(text)  # noqa: T201  it belongs below the cell


def commands() -> tuple[CommandSpec, ...]:
    """The commands of a notebook: those of the shell, `connect`, `export` and `live`."""
    options, *rest = describe()
    return (options, *sorted((*rest, CONNECT, EXPORT, LIVE), key=lambda spec: spec.name))


def _is_open_lab(thing: object) -> bool:
    return isinstance(thing, Lab) and not thing.closed


def _same_store(one: str, other: str) -> bool:
    if ":memory:" in (one, other):
        return one == other
    return os.path.realpath(os.path.expanduser(one)) == os.path.realpath(os.path.expanduser(other))


__all__ = ["SimpleflowMagics", "StillRunning", "commands"]

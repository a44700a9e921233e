"""`simpleflow`: run a command and print its record; the exit code says how it went (see `exit_codes`).

stdout has the answer of the command and nothing else. Only here is logging configured.
"""

from __future__ import annotations

import gc
import logging
import os
import sys
import time
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from simpleflow_lab import settings
from simpleflow_lab.cli import progress, standard_streams
from simpleflow_lab.cli.exit_codes import ExitCode
from simpleflow_lab.cli.messages import one_line, report, resume_command
from simpleflow_lab.cli.renderers import show
from simpleflow_lab.commands.command_table import COMPLETE_VARIABLE, run, table
from simpleflow_lab.commands.records import Record
from simpleflow_lab.commands.session import Session
from simpleflow_lab.exceptions import DamagedStoreWarning, DecisionTaskError, SimpleflowLabError, UsageError

if TYPE_CHECKING:
    from simpleflow_lab.lab import Lab


class _ShellSession(Session):
    """The session of a command. Python looks for garbage as soon as there is work, and not while modules are imported:
    nothing becomes garbage by that, and looking takes a sixth of the time of a short command."""

    directory: str | None = None
    """The directory where the command was typed: a module may change to another when it is imported."""

    @property
    def address(self) -> str:
        """See `Session`."""
        return self._as_typed(super().address)

    def open_anew(self, address: str, *, domain: str | None, new: bool, clock: str | None = None) -> Lab:
        """See `Session`."""
        lab = super().open_anew(self._as_typed(address), domain=domain, new=new, clock=clock)
        _look_for_garbage()
        return lab

    def _as_typed(self, address: str) -> str:
        """The address of the store that this one named in the directory where the command was typed."""
        if self.directory in (None, os.getcwd()) or address.startswith(("aws:", "~", ":")):
            return address
        return os.path.join(str(self.directory), address)


def _look_for_garbage() -> None:
    if not gc.isenabled():
        gc.freeze()  # what was imported stays
        gc.enable()


def main(argv: Sequence[str] | None = None) -> int:
    """The console script, or with `argv` a command in this process; gives the exit code."""
    if argv is not None:
        return _main(list(argv))
    gc.disable()
    try:
        return _main(sys.argv[1:])
    finally:
        gc.freeze()  # what is left goes with the process


def _main(words: list[str]) -> int:
    if COMPLETE_VARIABLE in os.environ:
        return _complete(os.environ[COMPLETE_VARIABLE])
    with warnings.catch_warnings():
        warnings.simplefilter("always", DamagedStoreWarning)
        warnings.showwarning = _Warnings()
        return _with_session(words)


def _complete(instruction: str) -> int:
    """Print what a shell may put in the place of the command line that its variables tell; see `completion`."""
    from simpleflow_lab.commands.shell_completion import SHELLS

    shell, _, request = instruction.partition("_")
    if shell not in SHELLS or request != "complete":
        return ExitCode.BAD_INPUT
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a person is typing
        try:
            offered = SHELLS[shell](table, {}, "simpleflow", COMPLETE_VARIABLE).complete()
        except (Exception, KeyboardInterrupt):  # whatever it is, it would be written into the line that is typed
            return ExitCode.FAILED
    try:
        print(offered, flush=True)
    except BrokenPipeError:  # the shell asks no more
        standard_streams.give_up_stdout()
        return ExitCode.NO_READER
    return ExitCode.DONE


def _with_session(words: list[str]) -> int:
    session = _ShellSession(watch=progress.watch, tell=report)
    try:
        standard_streams.prepare()
        prepare()
        session.directory = os.getcwd()
        return _run(words, session)
    except KeyboardInterrupt:
        report(_interrupted(session))
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        standard_streams.give_up_stdout()
        return ExitCode.NO_READER
    except SimpleflowLabError as error:
        return _fail(error, debug="--debug" in words, code=ExitCode.BAD_INPUT)
    except _NotPrinted as error:
        standard_streams.give_up_stdout()
        report(f"the answer can't be written to the standard output: {error}")
        return ExitCode.FAILED
    except Exception as error:  # a defect of this package: one line, for a traceback helps its maintainers only
        return _fail(error, debug="--debug" in words, code=ExitCode.FAILED)
    finally:
        session.close()


def _run(words: Sequence[str], session: Session) -> int:
    record = run(words, session)
    _look_for_garbage()
    code = _print(record, session)
    try:
        while session.output.watch is not None:
            time.sleep(session.output.watch)
            record = run(words, session)
            if sys.stdout.isatty():
                sys.stdout.write("\x1b[H\x1b[2J")
            code = _print(record, session)
    except KeyboardInterrupt:  # the way to end it
        if session.output.watch is None:
            raise
    return code


class _NotPrinted(Exception):
    """Standard output can't be written."""


def _print(record: Record, session: Session) -> int:
    try:
        code = show(record, session)
        sys.stdout.flush()
    except OSError as error:
        if not standard_streams.is_not_written(error):
            raise
        raise _NotPrinted(error.strerror) from None
    return code


def prepare() -> None:
    """Configure logging, and let modules be imported from the current folder. Raises `UsageError`."""
    _import_from_here()
    _configure_logging()


# -- before ------------------------------------------------------------------------------------------------------------


def _import_from_here() -> None:
    """Let modules be imported from the current directory, as `python -m` does. Raises `UsageError`."""
    try:
        here = os.getcwd()
    except OSError as error:  # it was deleted, as a deployment does that makes the folder anew, or may not be searched
        raise UsageError(f"the current directory can't be used ({error.strerror}): change to another") from None
    if not sys.flags.safe_path and here not in sys.path and "" not in sys.path:
        sys.path.insert(0, here)


class _Handler(logging.StreamHandler[Any]):
    """Logs to the present `sys.stderr`, which the live line replaces while it is shown.

    A blocked decision is not logged: it ends the command, which reports it.
    """

    def __init__(self) -> None:
        super().__init__(sys.stderr)

    def emit(self, record: logging.LogRecord) -> None:
        """See `logging`."""
        if isinstance(record.args, tuple) and any(isinstance(argument, DecisionTaskError) for argument in record.args):
            return
        self.stream = sys.stderr
        super().emit(record)


class _Warnings:
    """Shows damage to a store as a message of the command, once, and other warnings as before."""

    def __init__(self) -> None:
        self._others = warnings.showwarning
        self.printed: set[str] = set()

    def __call__(self, message: Warning | str, category: type[Warning], *args: Any, **named: Any) -> None:
        """See `warnings.showwarning`."""
        if not issubclass(category, DamagedStoreWarning):
            self._others(message, category, *args, **named)
        elif (text := str(message)) not in self.printed:
            self.printed.add(text)
            report(one_line(text))


def _configure_logging() -> None:
    given = settings.read("log_level")
    level = logging.getLevelNamesMapping().get(given.strip().upper())
    if level is None:
        known = "DEBUG, INFO, WARNING, ERROR, CRITICAL"
        raise UsageError(f"LOG_LEVEL is {given!r}: it can be {known}")
    root = logging.getLogger()
    if not any(isinstance(handler, _Handler) for handler in root.handlers):
        handler = _Handler()
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        root.addHandler(handler)
    root.setLevel(level)
    # At DEBUG it writes requests and responses whole, with session tokens and what STS gives.
    logging.getLogger("botocore").setLevel(max(level, logging.INFO))


# -- after -------------------------------------------------------------------------------------------------------------


def _fail(error: Exception, *, debug: bool, code: ExitCode) -> ExitCode:
    if debug:
        import traceback

        traceback.print_exception(error, file=sys.stderr)
    elif isinstance(error, SimpleflowLabError):
        shown = warnings.showwarning
        if not (isinstance(shown, _Warnings) and str(error) in shown.printed):
            report(one_line(error))
    else:
        report(f"{one_line(f'{type(error).__name__}: {error}')} (--debug shows where)")
    return code


def _interrupted(session: Session) -> str:
    from simpleflow_lab.execution import Execution

    execution = session.last
    if not isinstance(execution, Execution):
        return "interrupted"
    return f"interrupted; the execution goes on where it stood: {resume_command(session, execution)}"


if __name__ == "__main__":
    sys.exit(main())

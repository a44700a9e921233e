"""`simpleflow`: run a command, print its record, say by the exit code how it went.

=====  ===========================================================================================================
code   meaning
=====  ===========================================================================================================
0      done
1      the execution failed, or is stuck: the task, its error and its traceback are on stderr
2      what was typed can't be done as typed: one line on stderr says why, and nothing was changed
130    interrupted (Ctrl-C): an execution that ran goes on where it stood, with `simpleflow resume`
=====  ===========================================================================================================

stdout has what was asked for and nothing else. Only here is logging configured.
"""

from __future__ import annotations

import contextlib
import datetime
import logging
import os
import shlex
import signal
import sys
import threading
import traceback
from collections.abc import Sequence
from typing import Any, Final

from click.shell_completion import shell_complete

from simpleflow_lab import settings
from simpleflow_lab.cli import progress
from simpleflow_lab.cli.formats import as_json, render, visible, visible_lines
from simpleflow_lab.commands.records import (
    About,
    Asked,
    EngineStarted,
    Executions,
    Gantt,
    Help,
    HistoryShown,
    Info,
    Opened,
    Outcome,
    Profile,
    Record,
    Resumed,
    Tasks,
    Version,
)
from simpleflow_lab.commands.session import Output, Session
from simpleflow_lab.commands.table import run, table
from simpleflow_lab.exceptions import (
    DecisionTaskError,
    SimpleflowLabError,
    UsageError,
    WorkflowNotRegisteredError,
)
from simpleflow_lab.execution import Execution, RecordedExecution
from simpleflow_lab.views import listings
from simpleflow_lab.views.attempts import attempts_of
from simpleflow_lab.views.formatting import count
from simpleflow_lab.views.listings import Listing

DONE, FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130
_BROKEN_PIPE: Final = 1
_COMPLETE: Final = "_SIMPLEFLOW_COMPLETE"
_MAX_LINE: Final = 400
"""Characters of an error in one line."""
_MAX_UNNOTICED: Final = 5


def main(argv: Sequence[str] | None = None) -> int:
    """The console script; gives the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    if _COMPLETE in os.environ:
        return shell_complete(table, {}, "simpleflow", _COMPLETE, os.environ[_COMPLETE])
    _prepare_streams()
    session = Session(watch=progress.watch)
    try:
        _import_from_here()
        _configure_logging()
        code = _show(run(words, session), session)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        _say(_interrupted(session))
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read what we print has gone. Python would complain again when it flushes stdout at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _BROKEN_PIPE
    except SimpleflowLabError as error:
        return _fail(error, debug="--debug" in words, code=BAD_INPUT)
    except Exception as error:  # ours to mend, but not with a page of traceback for who can't
        return _fail(error, debug="--debug" in words, code=FAILED)
    finally:
        session.close()


# -- before ------------------------------------------------------------------------------------------------------------


def _prepare_streams() -> None:
    """A name that the terminal's encoding does not have is no reason to fail."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def _import_from_here() -> None:
    """Modules of the current directory can be named, as with `python -m`."""
    here = os.getcwd()
    if not sys.flags.safe_path and here not in sys.path and "" not in sys.path:
        sys.path.insert(0, here)


class _Handler(logging.StreamHandler[Any]):
    """Writes to what is stderr at the time: the live line stands in for it.

    That an execution is stuck is not logged: it ends the command, which says so itself.
    """

    def __init__(self) -> None:
        super().__init__(sys.stderr)

    def emit(self, record: logging.LogRecord) -> None:
        """See `logging`."""
        if isinstance(record.args, tuple) and any(isinstance(fact, DecisionTaskError) for fact in record.args):
            return
        self.stream = sys.stderr
        super().emit(record)


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


# -- records to text ---------------------------------------------------------------------------------------------------


def _show(record: Record, session: Session) -> int:
    """Print a record; gives the exit code."""
    output = session.output
    match record:
        case Outcome():
            return _show_outcomes([record], output)
        case Resumed():
            if not record.outcomes:
                _say("nothing to resume: no execution is open")
            return _show_outcomes(record.outcomes, output)
        case Executions():
            _print(listings.workflow_list(record.infos), output)
        case Info() | Opened():
            _print(_info(record.execution), output)
        case Tasks():
            _print(listings.workflow_tasks(record.execution.history(), record.nb_tasks), output)
        case Profile():
            until = _until(record.execution)
            _print(listings.workflow_profile(record.execution.history(), record.nb_tasks, until=until), output)
        case HistoryShown():
            _show_history(record, output)
        case Gantt(file=None):
            raise UsageError("a terminal shows no chart: write it to a file, as with -o gantt.html")
        case Gantt():
            print(visible(str(record.file)))
        case Asked():
            _say(record.message)
            if record.execution.status == "OPEN":
                _say(f"it goes on where it stood: {_resume_command(session, record.execution)}")
        case EngineStarted():
            return _serve(record)
        case About():
            rows = [(part, name, value) for part, values in record.sections.items() for name, value in values.items()]
            _print(Listing(("section", "name", "value"), list(rows)), output)
        case Help():
            print(record.text)
        case Version():
            print(f"simpleflow {record.version}")
        case _:
            raise TypeError(f"no way to show a {type(record).__name__}")
    return DONE


def _serve(record: EngineStarted) -> int:
    """Say how to find the engine, and keep it until somebody interrupts or ends this process."""
    ended = threading.Event()
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, lambda *_: ended.set())
    with contextlib.suppress(KeyboardInterrupt):
        print(f"# {visible(record.store)} is served at {record.url}, for programs of this user on this machine")
        for name, value in record.environment.items():
            print(f"export {name}={shlex.quote(value)}")
        sys.stdout.flush()
        _say("serving until interrupted (Ctrl-C)")
        ended.wait()
    return DONE


def _print(listing: Listing, output: Output) -> None:
    text = render(listing, output.format, header=output.header, color=_colored(output), raw=output.raw)
    if text or output.format not in ("tabular", "csv", "tsv", "human"):
        print(text)


def _colored(output: Output) -> bool:
    if output.color != "auto":
        return output.color == "always"
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _until(execution: Execution | RecordedExecution) -> datetime.datetime | None:
    return datetime.datetime.now(datetime.UTC) if isinstance(execution, Execution) else None


def _info(execution: Execution | RecordedExecution) -> Listing:
    return listings.workflow_info(
        execution.history(),
        domain=execution.domain,
        workflow_id=execution.workflow_id,
        run_id=execution.run_id,
        until=_until(execution),
    )


def _show_history(record: HistoryShown, output: Output) -> None:
    if record.file is not None:
        print(visible(str(record.file)))
    elif record.form != "events" or output.format in ("json", "prettyjson"):
        print(record.text)
    else:
        rows = [
            (event.id, event.timestamp, event.type, as_json(event.attributes)) for event in record.execution.history()
        ]
        _print(Listing(("Event", "Time", "Type", "Attributes"), list(rows)), output)


def _show_outcomes(outcomes: Sequence[Outcome], output: Output) -> int:
    """Results to stdout; failures, and those that nobody noticed, to stderr."""
    if output.format != "tabular" or len(outcomes) > 1:
        headers = ("workflow_id", "run_id", "status", "result")
        _print(Listing(headers, [_outcome_row(outcome, output) for outcome in outcomes]), output)
    else:
        for outcome in outcomes:
            if outcome.finished and outcome.error is None:
                print(as_json(outcome.result))
            elif outcome.error is None:
                print(f"{outcome.execution.workflow_id} {outcome.execution.run_id}")
    sys.stdout.flush()
    code = DONE
    for outcome in outcomes:
        if outcome.error is not None:
            unknown = isinstance(outcome.error, WorkflowNotRegisteredError)
            stuck = f"execution {outcome.execution.workflow_id} is stuck: " if not outcome.finished else ""
            _say(stuck + (f"{_one_line(outcome.error)}, as with --module" if unknown else str(outcome.error)))
            code = max(code, BAD_INPUT if unknown else FAILED)
        elif outcome.finished:
            _warn_of_unnoticed(outcome.execution)
    return code


def _outcome_row(outcome: Outcome, output: Output) -> tuple[Any, ...]:
    execution = outcome.execution
    completed = outcome.finished and outcome.error is None
    result = outcome.result if output.format in ("json", "prettyjson") else as_json(outcome.result)
    return (execution.workflow_id, execution.run_id, execution.status, result if completed else None)


def _warn_of_unnoticed(execution: Execution) -> None:
    missed = [attempt for attempt in attempts_of(execution.history()) if attempt.unhandled]
    if not missed:
        return
    shown = "; ".join(
        f"{attempt.id}: {attempt.reason or attempt.timeout_type or attempt.state}"
        for attempt in missed[:_MAX_UNNOTICED]
    )
    more = f"; and {len(missed) - _MAX_UNNOTICED} more" if len(missed) > _MAX_UNNOTICED else ""
    _say(f"warning: {count(len(missed), 'failure')} that nothing in the workflow looked at: {visible(shown)}{more}")


# -- to stderr ---------------------------------------------------------------------------------------------------------


def _say(text: str) -> None:
    print(f"simpleflow: {visible_lines(text)}", file=sys.stderr, flush=True)


def _fail(error: Exception, *, debug: bool, code: int) -> int:
    if debug:
        traceback.print_exception(error, file=sys.stderr)
    elif isinstance(error, SimpleflowLabError):
        _say(_one_line(error))
    else:
        _say(f"{_one_line(f'{type(error).__name__}: {error}')} (--debug shows where)")
    return code


def _one_line(error: object) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= _MAX_LINE else f"{text[: _MAX_LINE // 2]} … {text[-_MAX_LINE // 2 :]}"


def _interrupted(session: Session) -> str:
    execution = session.last
    if not isinstance(execution, Execution):
        return "interrupted"
    return f"interrupted; the execution goes on where it stood: {_resume_command(session, execution)}"


def _resume_command(session: Session, execution: Execution) -> str:
    words = ["simpleflow"]
    if session.store is not None:
        words += ["--store", session.store]
    words.append("resume")
    for module in session.modules or ["MODULE"]:
        words += ["--module", module]
    if execution.domain != settings.default_domain():
        words += ["--domain", execution.domain]
    return shlex.join([*words, execution.workflow_id])


if __name__ == "__main__":
    sys.exit(main())

"""The shell's renderings: each prints the answer of a record to stdout and reports the rest on stderr.

Any listing and any text is printed as it is. A record that the shell shows otherwise has a function of its own here.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from simpleflow_lab.cli.exit_codes import ExitCode
from simpleflow_lab.cli.formats import as_json, render
from simpleflow_lab.cli.messages import one_line, program, report, resume_command
from simpleflow_lab.commands.advice import in_shell, listing_in_shell, named_in_shell
from simpleflow_lab.commands.records import ListingRecord, Record, TextRecord
from simpleflow_lab.commands.session import Output, Session
from simpleflow_lab.exceptions import UsageError, WorkflowNotRegisteredError
from simpleflow_lab.views.formatting import count
from simpleflow_lab.views.listings import Listing
from simpleflow_lab.views.text_tables import visible, visible_json

if TYPE_CHECKING:
    from simpleflow_lab.commands.compare import ExecutionsCompared
    from simpleflow_lab.commands.doctor import Diagnosis
    from simpleflow_lab.commands.engine import EngineStarted
    from simpleflow_lab.commands.explain import ExecutionExplanation
    from simpleflow_lab.commands.inspection import (
        AnyExecution,
        ExecutionGantt,
        ExecutionHistory,
        ExecutionInfo,
        ExecutionLogs,
    )
    from simpleflow_lab.commands.offline_replay import Replayed, ReplayedAll
    from simpleflow_lab.commands.one_task import Rerun
    from simpleflow_lab.commands.processes import WorkersStarted
    from simpleflow_lab.commands.requests import RequestSent, RequestsSent
    from simpleflow_lab.commands.workflow import Outcome, Resumed
    from simpleflow_lab.execution import Execution
    from simpleflow_lab.views.explanation_lines import ExplanationLine

_MAX_UNHANDLED: Final = 5
"""Unhandled failures that a warning names."""
_MAX_FRAMES: Final = 20
"""The innermost lines of a traceback that are shown."""
SIGNAL_SECONDS: Final = 0.2
"""Seconds between two looks of the main thread for signals."""
_JSON: Final = ("json", "prettyjson")


Rendering = Callable[[Any, Session], ExitCode]
"""Prints a record; gives the exit code."""


class _Renderings:
    """The rendering of each class of records, by the name of the class: to show one imports no module of another."""

    def __init__(self) -> None:
        self._by_name: dict[str, Rendering] = {}

    def of(self, name: str) -> Callable[[Rendering], Rendering]:
        """A decorator: the function renders this class, and classes derived from it that have none of their own."""

        def register(rendering: Rendering) -> Rendering:
            self._by_name[name] = rendering
            return rendering

        return register

    def dispatch(self, record: type[Record]) -> Rendering:
        """The rendering of a class of records."""
        found = (self._by_name.get(cls.__name__) for cls in record.__mro__)
        return next((rendering for rendering in found if rendering is not None), _unknown)

    def __call__(self, record: Record, session: Session) -> ExitCode:
        return self.dispatch(type(record))(record, session)


def _unknown(record: Record, session: Session) -> ExitCode:
    raise TypeError(f"the shell has no rendering for {type(record).__name__}")


show: Final = _Renderings()
"""`show(record, session)` prints a record and gives the exit code. Raises `TypeError` for one without a rendering."""


@show.of("ListingRecord")
def _show_listing(record: ListingRecord, session: Session) -> ExitCode:
    _print_shaped(record.shaped(session.output.shape), session.output)
    return _show_message(record, session)


@show.of("RequestsSent")
def _show_requests(record: RequestsSent, session: Session) -> ExitCode:
    _show_listing(record, session)
    return ExitCode.FAILED if record.refused else ExitCode.DONE


@show.of("ExecutionInfo")
def _show_info(record: ExecutionInfo, session: Session) -> ExitCode:
    if session.output.format != "tabular":
        return _show_listing(record, session)
    for number, listing in enumerate(record.listings()):
        if number:
            print()
        _print(listing_in_shell(listing, named_in_shell(record.execution), program(session)), session.output)
    return _show_message(record, session)


@show.of("ExecutionExplanation")
def _show_explanation(record: ExecutionExplanation, session: Session) -> ExitCode:
    if session.output.format != "tabular" or session.output.shape:
        _print(listing_in_shell(record.listing(), named_in_shell(record.execution), program(session)), session.output)
        return _show_message(record, session)
    _print_lines(record.execution.explain(), record.execution, session)
    return _show_message(record, session)


@show.of("ExecutionsCompared")
def _show_comparison(record: ExecutionsCompared, session: Session) -> ExitCode:
    if session.output.format != "tabular" or session.output.shape:
        _print(listing_in_shell(record.listing(), named_in_shell(record.execution), program(session)), session.output)
        return _show_message(record, session)
    _print_lines(record.comparison(), record.execution, session)
    return _show_message(record, session)


def _print_lines(lines: Iterable[ExplanationLine], execution: AnyExecution, session: Session) -> None:
    for line in lines:
        text = in_shell(line, named_in_shell(execution), program(session))
        print(text if session.output.raw else visible(text))


@show.of("TextRecord")
def _show_text(record: TextRecord, session: Session) -> ExitCode:
    print(record.text())
    return _show_message(record, session)


@show.of("Done")
def _show_message(record: Record, session: Session) -> ExitCode:
    if record.message is not None:
        report(record.message)
    return ExitCode.DONE


def _print(listing: Listing, output: Output) -> None:
    _print_shaped(output.shape.of(listing), output)


def _print_shaped(shaped: Listing, output: Output) -> None:
    width = _columns() if sys.stdout.isatty() else None
    text = render(shaped, output.format, header=output.header, color=_colored(output), raw=output.raw, width=width)
    if text or output.format in _JSON:
        print(text)


def _columns() -> int:
    """The width of the terminal."""
    import shutil

    return shutil.get_terminal_size().columns


def _colored(output: Output) -> bool:
    if output.color != "auto":
        return output.color == "always"
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


# -- history and chart -------------------------------------------------------------------------------------------------


@show.of("ExecutionHistory")
def _show_history(record: ExecutionHistory, session: Session) -> ExitCode:
    if record.file is not None:
        print(visible(str(record.file)))
    elif record.form != "events" or session.output.format in _JSON:
        print(record.text if session.output.raw else visible_json(record.text))
    else:
        _print(record.listing(), session.output)
    return ExitCode.DONE


@show.of("ExecutionLogs")
def _show_logs(record: ExecutionLogs, session: Session) -> ExitCode:
    if not record.follow:
        return _show_listing(record, session)
    if session.output.format in _JSON:
        raise UsageError("a log that goes on is no JSON: leave out --follow, or choose another --format")
    for added in record.execution.follow_logs(**record.selection):
        _print(added.listing(), session.output)
        sys.stdout.flush()
    return ExitCode.DONE


@show.of("ExecutionGantt")
def _show_gantt(record: ExecutionGantt, session: Session) -> ExitCode:
    if record.file is None:
        raise UsageError("a terminal shows no chart: write it to a file, as with -o gantt.html")
    print(visible(str(record.file)))
    return ExitCode.DONE


# -- executions that were started, resumed or sent a request -----------------------------------------------------------


@show.of("Outcome")
def _show_outcome(record: Outcome, session: Session) -> ExitCode:
    _show_message(record, session)
    return _show_outcomes([record], record, session)


@show.of("Resumed")
def _show_resumed(record: Resumed, session: Session) -> ExitCode:
    _show_message(record, session)
    return _show_outcomes(record.outcomes, record, session)


def _show_outcomes(outcomes: Sequence[Outcome], record: ListingRecord, session: Session) -> ExitCode:
    """Print results to stdout; report errors and unhandled failures on stderr."""
    output = session.output
    if output.format != "tabular" or len(outcomes) > 1:
        _print(record.listing(), output)
    else:
        for outcome in outcomes:
            _print_result(outcome)
    sys.stdout.flush()
    code = max((_report_errors(outcome) for outcome in outcomes), default=ExitCode.DONE)
    if output.format == "tabular" and len(outcomes) == 1 and outcomes[0].finished and sys.stderr.isatty():
        _explain(outcomes[0].execution, session)
    return code


def _explain(execution: Execution, session: Session) -> None:
    """Tell a person at a terminal where the time went and what went wrong, beside what is shown anyway."""
    from simpleflow_lab.views.explanation_lines import RESULT, STATUS, UNHANDLED

    for line in execution.explain():
        if line.kind not in (STATUS, RESULT, UNHANDLED):
            report(visible(in_shell(line, named_in_shell(execution), program(session))))


def _print_result(outcome: Outcome) -> None:
    if outcome.completed:
        print(as_json(outcome.result))
    elif outcome.error is None:
        print(f"{outcome.execution.workflow_id} {outcome.execution.run_id}")


def _report_errors(outcome: Outcome) -> ExitCode:
    if outcome.error is None:
        if outcome.finished:
            _warn_of_unhandled_failures(outcome.execution)
        return ExitCode.DONE
    blocked = "" if outcome.finished else f"execution {outcome.execution.workflow_id} is blocked: "
    if isinstance(outcome.error, WorkflowNotRegisteredError):
        report(f"{blocked}{one_line(outcome.error)}, as with --module")
        return ExitCode.BAD_INPUT
    report(f"{blocked}{outcome.error}")
    return ExitCode.FAILED


def _warn_of_unhandled_failures(execution: Execution) -> None:
    own, below = execution.unhandled_attempts()
    for failed, who in (
        ([("", attempt) for attempt in own], "the workflow"),
        ([(f"{child}, ", attempt) for child, attempt in below], "its children"),
    ):
        if not failed:
            continue
        shown = "; ".join(
            f"{where}{attempt.id}: {attempt.reason or attempt.timeout_type or attempt.state}"
            for where, attempt in failed[:_MAX_UNHANDLED]
        )
        more = f"; and {len(failed) - _MAX_UNHANDLED} more" if len(failed) > _MAX_UNHANDLED else ""
        report(f"warning: {count(len(failed), 'failure')} that {who} did not handle: {visible(shown)}{more}")


@show.of("RequestSent")
def _show_request(record: RequestSent, session: Session) -> ExitCode:
    _show_message(record, session)
    if record.execution.status == "OPEN" and not _is_served(record.execution, session):
        report(f"it goes on where it stood: {resume_command(session, record.execution)}")
    return ExitCode.DONE


def _is_served(execution: Execution, session: Session) -> bool:
    """Whether a decider polls the task list of this execution, as far as anybody tells."""
    task_list = execution.describe()["executionConfiguration"]["taskList"]["name"]
    pollers = session.lab().pollers(domain=execution.domain)
    return any(each.task_list == task_list and each.kind == "decider" for each in pollers)


# -- code that ran here ------------------------------------------------------------------------------------------------


@show.of("Rerun")
def _show_rerun(record: Rerun, session: Session) -> ExitCode:
    """Print the result of an activity, or report its error with the lines of its own traceback."""
    from simpleflow_lab.data.failure_details import format_traceback

    sys.stdout.flush()
    if record.error is None:
        print(as_json(record.result))
        return ExitCode.DONE
    lines = format_traceback(record.error)
    if len(lines) > _MAX_FRAMES:
        lines = [lines[0], "  …\n", *lines[-_MAX_FRAMES:]]
    report("".join(lines).rstrip())
    return ExitCode.FAILED


@show.of("Replayed")
def _show_replayed(record: Replayed, session: Session) -> ExitCode:
    _show_listing(record, session)
    return ExitCode.DONE if record.error is None else ExitCode.FAILED


@show.of("ReplayedAll")
def _show_replayed_all(record: ReplayedAll, session: Session) -> ExitCode:
    _show_listing(record, session)
    is_done = record.checks.is_safe and record.checks.stopped is None
    return ExitCode.DONE if is_done else ExitCode.FAILED


@show.of("Diagnosis")
def _show_diagnosis(record: Diagnosis, session: Session) -> ExitCode:
    _show_listing(record, session)
    return ExitCode.FAILED if record.has_problem else ExitCode.DONE


# -- processes ---------------------------------------------------------------------------------------------------------


@show.of("WorkersStarted")
def _show_started(record: WorkersStarted, session: Session) -> ExitCode:
    """Supervise the processes until somebody stops this one."""
    from simpleflow_lab.cli.supervising import supervise

    return supervise(record) if record.works else _show_message(record, session)


# -- the engine --------------------------------------------------------------------------------------------------------


@show.of("EngineStarted")
def _show_engine(record: EngineStarted, session: Session) -> ExitCode:
    """Print how to find the engine, and keep it until somebody interrupts or ends this process."""
    from simpleflow_lab.commands.signal_handlers import handling

    ended: list[int] = []
    with handling([signal.SIGTERM], lambda number, _: ended.append(number)), contextlib.suppress(KeyboardInterrupt):
        print(f"# {visible(record.store)} is served at {record.url}, for programs of this user on this machine")
        for name, value in record.environment.items():
            print(f"export {name}={shlex.quote(value)}")
        sys.stdout.flush()
        if record.notice is not None:
            report(record.notice)
        report("serving until interrupted (Ctrl-C)")
        while not ended:
            # A signal that the system gives to another thread interrupts no wait of this one.
            time.sleep(SIGNAL_SECONDS)
    return ExitCode.DONE

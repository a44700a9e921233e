"""Every error of the package, as one tree.

    BaseException
    ├── ExecutionBlocked                an unfinished future was read where nothing can wait for it; or raised by hand
    ├── WorkflowCanceled                raised where `run` waits when it is canceled, if the workflow asks for that
    ├── ActivityCanceled                the running activity should stop
    ├── DecisionInterrupted             ends code that ran too long without waiting; not to be caught
    └── KeyboardInterrupt
        └── WaitInterrupted             a KeyboardInterrupt while something waited for an execution, which goes on

    UserWarning
    ├── DeterminismWarning              code of a workflow that may do something else when it runs again
    ├── DefinitionWarning               a definition took the type of another one that is still in use
    ├── EditedCodeWarning               the variables of a step are those of edited code
    └── DamagedStoreWarning             an open execution whose history in the store is not what was written

    Exception
    └── SimpleflowLabError              catch this to catch all of ours
        ├── UsageError                  a request that can't be carried out as it is: exit code 2
        │   └── NoSuchStepError         a decision that an execution does not have
        ├── EncodingError               a value that JSON can't hold unchanged
        │   └── JumboTooLargeError      a field longer than SWF takes, and no place for what is too long
        ├── HistoryError                a history that is not one
        ├── StoreError                  a store of the embedded engine that can't be opened or written
        │   ├── StoreInUseError         another process owns it
        │   ├── NotAStoreError          a file that is not a store
        │   ├── StoreNotPrivateError    others own it, can read it or can write it
        │   ├── StorePausedError        nothing can be written for now: its disk is full
        │   ├── StoreVersionError       written by a newer version of this package
        │   ├── ObjectNotFoundError     an object beside the histories that is not there
        │   ├── JumboReferenceError     a reference to a large field that is none, or leads elsewhere
        │   └── JumboContentError       a large field that is not what was written
        ├── TaskException               a task that did not complete; upstream's names
        │   ├── TaskFailed
        │   │   ├── WorkerLostError             its worker's process died in each of the latest attempts
        │   │   └── ActivityNotDefinedError     no worker that it came to defines its activity
        │   ├── TimeoutError
        │   ├── TaskCanceled
        │   └── TaskTerminated
        ├── AggregateException          several tasks of one group failed
        ├── ActivityProcessDied         the process of an activity ended before the activity did
        ├── ExecutionError              a program run by an activity failed; upstream's name
        │   └── ExecutionTimeoutError
        ├── WorkflowException           the workflow failed itself (Workflow.fail)
        ├── WorkflowExecutionError      an execution that closed otherwise than completed
        │   ├── WorkflowExecutionFailed
        │   ├── WorkflowExecutionTimedOut
        │   ├── WorkflowExecutionCanceled
        │   └── WorkflowExecutionTerminated
        ├── ExecutionStillOpenError     an execution that did not close in time; a builtin TimeoutError, too
        ├── DecisionTaskError           a decision that could not be made; the execution stays open
        │   ├── NondeterminismError     the code's commands are not those that the history recorded
        │   ├── ImpureWorkflowError     the code reads a clock, draws random numbers or sleeps, where that is forbidden
        │   ├── DecisionTooLongError    the code ran too long without waiting
        │   ├── KeyboardInputError      the code called `input()`
        │   ├── DecidingProcessDiedError    the process died each time that it ran the code
        │   ├── CloseNotPermittedError  the decider may not close executions
        │   ├── WorkflowNotRegisteredError  this process does not define the workflow
        │   ├── WrongArgumentsError     arguments that an activity or a child does not take
        │   ├── SameChildError          two different children with one workflow id
        │   ├── ReplacedDefinitionError     another definition took the type of what is submitted
        │   ├── UnreadableValueError    a recorded value that this process can't read; an EncodingError, too
        │   └── DecisionBlockedError    as another process reported it, or of a child
        ├── ServiceUnreachableError     no service answers at the address
        ├── SilentServiceError          the service did not answer in the time that there was
        ├── CredentialsError            AWS does not accept the credentials, or there are none
        └── SWFFault                    what the service refused; a class for each of SWF's own names, in `FAULTS`

Each class builds its message from its arguments and names the way out. Nothing here imports anything of ours.
"""

from __future__ import annotations

import builtins
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, Final, NamedTuple


class SimpleflowLabError(Exception):
    """Root of all errors of this package."""

    is_transient: bool = False
    """Whether the same request may succeed a little later: Amazon SWF was too busy, or could not be reached."""

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy, as of a process pool, has the message and the attributes, whatever arguments the class takes."""
        return _copied, (type(self), self.args), vars(self)


def _copied(kind: type[SimpleflowLabError], args: tuple[Any, ...]) -> SimpleflowLabError:
    error = kind.__new__(kind)
    error.args = args
    return error


# -- what interrupts code: no `except Exception` catches it ------------------------------------------------------------


class ExecutionBlocked(BaseException):
    """The result of an unfinished future was read outside a running workflow.

    Inside `Workflow.run` reading `.result` waits; nothing is raised. It derives from `BaseException` so that an
    `except Exception` can't swallow it.

    `run` may raise it by hand to wait for whatever comes next, as in
    `if not (a.finished or b.finished): raise ExecutionBlocked`: then it runs again from its start, in a new instance of
    the workflow, at the next decision. The rerun must submit the same tasks again; they are not scheduled twice.
    """


class WorkflowCanceled(BaseException):
    """A cancel request came for the execution, and its workflow has `cancellation = "raise"`.

    It is raised once, where `run` waits. `run` may submit tasks that clean up, wait for them and raise it again: then
    the execution closes as canceled. It derives from `BaseException`, so that an `except Exception` around a task can't
    swallow it.
    """


class ActivityCanceled(BaseException):
    """Raised inside an activity that should stop: a cancel request came, or its execution has closed.

    Clean up and raise it again, or another one with `details`: the task closes as canceled, with these details. An
    activity that goes on and returns is completed all the same.

    It derives from `BaseException`, like `asyncio.CancelledError`, because it is no error of the activity: an
    `except Exception` around one step of a long loop must not swallow the request to stop.
    """

    def __init__(self, message: str = "", *, details: Any = None) -> None:
        super().__init__(message)
        self.details = details
        """The details for the history: a text, or any JSON value."""


class DecisionInterrupted(BaseException):
    """Raised in code that ran too long without waiting; the decision fails with `DecisionTooLongError`."""


class WaitInterrupted(KeyboardInterrupt):
    """The waiting for an execution was interrupted; the execution goes on. A notebook shows it in one line."""

    def __init__(self, workflow_id: str) -> None:
        super().__init__(workflow_id)
        self.workflow_id = workflow_id

    def __str__(self) -> str:
        return f"{self.workflow_id} goes on: only the waiting was interrupted; its result() waits again"

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


# -- warnings ----------------------------------------------------------------------------------------------------------


class DeterminismWarning(UserWarning):
    """A line of a workflow's code that may give something else when it runs again."""


class DefinitionWarning(UserWarning):
    """A definition of an activity or workflow took the type of another one that is still in use."""


class EditedCodeWarning(UserWarning):
    """The variables of a step are those of other code than that which made the decision: it was edited since."""


class DamagedStoreWarning(UserWarning):
    """Something in a store is not what was written: an open execution, which can't go on, or a row that is left out, as
    that of a type. The text says which. The others go on."""


# -- requests, values and histories ------------------------------------------------------------------------------------


class UsageError(SimpleflowLabError):
    """A request that can't be carried out as it is; the message is one line and names the way out."""


class NoSuchStepError(UsageError, IndexError):
    """A decision that an execution does not have was asked for."""

    def __init__(self, number: object, last: int) -> None:
        self.number = number
        """The number that was asked for."""
        self.last = last
        """The number of the last step."""
        there = f"they are numbered from 1 to {last}" if last else "there is none"
        super().__init__(f"no step {number!r:.40}: {there}")


class EncodingError(SimpleflowLabError, TypeError):
    """A value that JSON can't hold, or that would come back as something else."""


class JumboTooLargeError(EncodingError, ValueError):
    """A field longer than SWF takes that can't be kept elsewhere; upstream's name."""


class HistoryError(SimpleflowLabError, ValueError):
    """Data that is not the history of an SWF workflow execution."""


# -- the embedded engine's store, and the objects beside it ------------------------------------------------------------


class StoreError(SimpleflowLabError):
    """A store that can't be opened, read or written."""


class StoreInUseError(StoreError):
    """Another process owns the store."""

    def __init__(self, path: str, owner: str) -> None:
        super().__init__(
            f"the store {path} is in use by {owner}: close its Lab there, or end it, or name another store here"
        )
        self.path = path
        self.owner = owner


class NotAStoreError(StoreError):
    """A file that this package did not write."""

    def __init__(self, path: str, found: str) -> None:
        super().__init__(f"{path} is not a simpleflow_lab store ({found}): name another file; this one was not touched")
        self.path = path


class StoreNotPrivateError(StoreError):
    """A store, or something beside it, that is not its user's alone."""

    def __init__(self, path: str, found: str, remedy: str) -> None:
        super().__init__(f"the store was not opened: {path} {found}; {remedy}")
        self.path = path


class StorePausedError(StoreError):
    """Its disk is full. It goes on by itself when there is room; what can't be read until then says so."""

    is_transient = True


class StoreVersionError(StoreError):
    """A store written by a newer version of this package."""

    def __init__(self, path: str, found: int, known: int) -> None:
        super().__init__(
            f"the store {path} has schema version {found}, this simpleflow_lab knows up to {known}: "
            "upgrade simpleflow_lab, or open another store; this one was not touched"
        )
        self.path = path


class ObjectNotFoundError(StoreError):
    """An object, such as a value too large for a field, that is not where it should be."""

    def __init__(self, key: str, place: str) -> None:
        super().__init__(f"no object {key} in {place}")
        self.key = key
        self.place = place


class JumboReferenceError(StoreError):
    """A reference to a large value that must not be followed."""

    def __init__(self, reference: str, why: str) -> None:
        super().__init__(f"the reference {reference[:200]!r} was not followed: {why}")
        self.reference = reference


class JumboContentError(StoreError):
    """The object that a reference names is not the one that was written."""

    def __init__(self, reference: str, found: str) -> None:
        super().__init__(f"the object of {reference} {found}: it was not used")
        self.reference = reference


# -- tasks: upstream's names -------------------------------------------------------------------------------------------


class TaskException(SimpleflowLabError):
    """A task that did not complete: it failed, timed out, or was canceled or terminated."""


class TaskFailed(TaskException):
    """A task that failed, and why.

    `details` is what the activity worker recorded: a JSON object with `error`, `error_type`, `message` and `traceback`
    when the worker was one of ours or of upstream's; any text when it was another program's.
    """

    def __init__(self, name: str, reason: str | None, details: str | None = None) -> None:
        super().__init__(name, reason, details)
        self.name = name
        self.reason = reason
        self.details = details

    def __str__(self) -> str:
        return f"{self.name}: {self.reason or 'no reason given'}"


class WorkerLostError(TaskFailed):
    """An activity task whose worker's process died in each of its latest attempts: it is not tried again."""

    def __init__(self, name: str, times: int) -> None:
        super().__init__(
            name,
            f"its worker was lost {times} times: the process died each time; "
            'executor="processes" contains it (SIMPLEFLOW_LAB_MAX_LOST_ATTEMPTS is the limit)',
        )
        self.times = times


class ActivityNotDefinedError(TaskFailed):
    """An activity task that came to workers which don't define its activity, time after time: it is not tried again."""

    def __init__(self, name: str, times: int, reason: str | None) -> None:
        super().__init__(
            name,
            f"{times} workers in a row did not define it: start a worker that does, or give each code base a task list "
            f"of its own (SIMPLEFLOW_LAB_MAX_NOT_HERE_ATTEMPTS is the limit). The last one said: {reason}",
        )
        self.times = times
        self.last_reason = reason


class TimeoutError(TaskException):
    """A task that ran into one of its timeouts.

    `details` are those of the activity's last heartbeat, as recorded: JSON with `progress` and `details` when the
    worker was one of ours; `None` without any.
    """

    def __init__(self, timeout_type: str, timeout_value: str | int | None = None, details: str | None = None) -> None:
        super().__init__(timeout_type, timeout_value)
        self.timeout_type = timeout_type
        self.timeout_value = timeout_value
        self.details = details

    def __str__(self) -> str:
        value = "" if self.timeout_value is None else f" of {self.timeout_value} s"
        return f"{self.timeout_type} timeout{value}"


class TaskCanceled(TaskException):
    """A task that was canceled."""

    def __init__(self, details: str | None = None) -> None:
        super().__init__(details)
        self.details = details

    def __str__(self) -> str:
        return self.details or "the task was canceled"


class TaskTerminated(TaskException):
    """A child workflow execution that was terminated."""


class AggregateException(SimpleflowLabError):
    """Several tasks of one group failed: one slot a task, `None` for those that completed."""

    def __init__(self, exceptions: Iterable[BaseException | None]) -> None:
        self.exceptions = list(exceptions)
        super().__init__(self.exceptions)

    def __str__(self) -> str:
        return "; ".join(f"{type(error).__name__}: {error}" for error in self.exceptions if error is not None)

    def append(self, exception: BaseException) -> None:
        """Add one exception."""
        self.exceptions.append(exception)

    def flatten(self) -> AggregateException:
        """The same exceptions, those of nested aggregates included, without the empty slots."""
        flat: list[BaseException] = []
        for error in self.exceptions:
            if isinstance(error, AggregateException):
                flat.extend(e for e in error.flatten().exceptions if e is not None)
            elif error is not None:
                flat.append(error)
        return AggregateException(flat)

    def handle(self, predicate: Callable[..., bool], *args: Any, **kwargs: Any) -> None:
        """Raise an aggregate of the exceptions for which `predicate(exception, *args, **kwargs)` is false, if any."""
        rest = [e for e in self.exceptions if e is not None and not predicate(e, *args, **kwargs)]
        if rest:
            raise AggregateException(rest)


class ActivityProcessDied(SimpleflowLabError):
    """The process of an activity ended before the activity did: killed, crashed, or by an exit of its own."""

    def __init__(self, activity_id: str, pid: int, how: str) -> None:
        super().__init__(f"the process {pid} of {activity_id} {how}")
        self.activity_id = activity_id
        self.pid = pid
        self.how = how


class ExecutionError(SimpleflowLabError):
    """A program that an activity ran ended with an error.

    `details` is the program's output: of a Python function JSON with `error`, `error_type`, `message` and `traceback`.
    """

    def __init__(self, details: str = "") -> None:
        super().__init__(details)
        self.details = details

    def __str__(self) -> str:
        try:
            found = json.loads(self.details)
            return f"{found['error']}: {found['message']}".rstrip(": ")
        except (ValueError, TypeError, KeyError, RecursionError):
            return self.details


class ExecutionTimeoutError(ExecutionError):
    """A program that an activity ran did not end in time."""

    def __init__(self, command: str = "", timeout_value: float | None = None) -> None:
        super().__init__()
        self.args = (command, timeout_value)
        self.command = command
        self.timeout_value = timeout_value

    def __str__(self) -> str:
        return f"{self.command} did not end within {self.timeout_value} s"


# -- executions --------------------------------------------------------------------------------------------------------


class WorkflowException(SimpleflowLabError):
    """The workflow failed itself, with this reason and these details. Raises `UsageError` for what is no text."""

    def __init__(self, message: str, reason: str, details: str | None = None) -> None:
        for name, text in (("reason", reason), ("details", details)):
            if not isinstance(text, str) and (name, text) != ("details", None):
                raise UsageError(f"the {name} of a failure must be a text, not {type(text).__name__}: convert it first")
        super().__init__(message, reason, details)
        self.reason = reason
        self.details = details

    def __str__(self) -> str:
        return self.reason


class WorkflowExecutionError(SimpleflowLabError):
    """An execution that did not complete: it failed, timed out, or was canceled or terminated.

    The message names the execution and what closed it; where a task or the workflow's own code failed, it ends with the
    traceback that was recorded there. `below` says what nobody handled in its children, which completed all the same.
    """

    closed: ClassVar[str] = "closed"

    def __init__(
        self, workflow_id: str, reason: str | None = None, details: str | None = None, below: str = ""
    ) -> None:
        super().__init__(workflow_id, reason, details, below)
        self.workflow_id = workflow_id
        self.reason = reason
        self.details = details
        self.below = below

    def __str__(self) -> str:
        reason = f": {self.reason}" if self.reason else ""
        below = f"\nBefore this error, {self.below}" if self.below else ""
        details = f"\n{_both_ends(self.details.rstrip())}" if self.details else ""
        return f"workflow execution {self.workflow_id} {self.closed}{reason}{below}{details}"


def _both_ends(text: str, limit: int = 40_000) -> str:
    """Enough of a text for a message."""
    return text if len(text) <= limit else f"{text[: limit // 2]}\n[...]\n{text[-limit // 2 :]}"


class WorkflowExecutionFailed(WorkflowExecutionError):
    """The workflow failed: its code raised, or it called `fail`."""

    closed = "failed"


class WorkflowExecutionTimedOut(WorkflowExecutionError):
    """The execution was not closed within its execution_start_to_close_timeout."""

    closed = "timed out"


class WorkflowExecutionCanceled(WorkflowExecutionError):
    """The execution was canceled by request."""

    closed = "was canceled"


class WorkflowExecutionTerminated(WorkflowExecutionError):
    """A terminate request, a child policy or a limit ended the execution."""

    closed = "was terminated"


class ExecutionStillOpenError(SimpleflowLabError, builtins.TimeoutError):
    """An execution that is still open after the time for which its result was waited for. It goes on."""

    def __init__(self, workflow_id: str, seconds: float | None, waits: str = "") -> None:
        super().__init__(workflow_id, seconds, waits)
        self.workflow_id = workflow_id
        self.seconds = seconds
        self.waits = waits

    def __str__(self) -> str:
        why = f" and waits for {self.waits}" if self.waits else ""
        return f"execution {self.workflow_id} is still open after {self.seconds} s{why}: it goes on; ask again"


# -- decision tasks ----------------------------------------------------------------------------------------------------


class DecisionTaskError(SimpleflowLabError):
    """A decision that could not be made. The execution stays open and goes on when the cause is fixed."""


class DivergenceCause(NamedTuple):
    """A cause that may have made the code and its history differ, and what to do then."""

    name: str
    advice: str
    """In sentences, without the last full stop."""

    @staticmethod
    def numbered_before(id: str) -> DivergenceCause:
        """simpleflow recorded a task of the same type and input before, under this id."""
        return DivergenceCause(
            "numbered before",
            f"The same task was recorded before, as {id}, and simpleflow, which recorded it, may number a task anew "
            "whenever it replays: then this execution does not go on here, and simpleflow's deciders can end it. Or "
            "the code changed since this execution started",
        )


EDITED_CODE: Final = DivergenceCause(
    "edited code",
    "The code changed since this execution started, or it depends on time, randomness or input from outside: use "
    "workflow.now(), .random, .uuid4(), or restore the code",
)
"""The cause where the history tells of no other."""
RENUMBERED: Final = DivergenceCause(
    "renumbered",
    "It is the same task under another number: simpleflow, which recorded it, numbers a task when it schedules it, and "
    "not where it is submitted. So this execution does not go on here: let simpleflow's deciders end it, or start it "
    "anew",
)
"""The code commands the recorded task under another number than simpleflow gave it."""
UNKNOWN_IDS: Final = DivergenceCause(
    "unknown ids",
    "The ids of this execution are not known, of which those of its children are made, and to which its signals go: "
    "give workflow_id and run_id, or a file of execution.export. Or the code changed since this execution started",
)
"""The ids of the execution were not given, and the command is made of them."""


class NondeterminismError(DecisionTaskError):
    """The workflow's code makes other decisions than its history recorded.

    Its code changed since the execution started, or it depends on time, randomness or the world outside. It fails the
    decision task and not the execution: fix the code, and the execution goes on. If the code raised an error of its own
    in this decision, that is `author_error`, and comes first.
    """

    def __init__(
        self,
        *,
        event_id: int | None,
        recorded: str | None,
        requested: str | None,
        recorded_line: str | None = None,
        requested_line: str | None = None,
        author_error: str | None = None,
        cause: DivergenceCause = EDITED_CODE,
    ) -> None:
        self.author_error = author_error
        self.cause = cause
        """The cause that may have made the two differ."""
        self.event_id = event_id
        self.recorded = recorded
        self.requested = requested
        self.recorded_line = recorded_line
        self.requested_line = requested_line
        has = f"the history has {recorded}" if recorded else "the history has nothing here"
        asks = f"the code now asks for {requested}" if requested else "the code no longer asks for it"
        if recorded_line:
            has += f" (recorded from {recorded_line})"
        if requested_line:
            asks += f" (at {requested_line})"
        if author_error is not None:
            advice = cause.advice if cause == UNKNOWN_IDS else "Fix the error, and the execution goes on"
            super().__init__(
                f"{author_error}. It was not raised when this history was recorded: event {event_id}: {has}; {asks}. "
                f"{advice}"
            )
            return
        where = "run again from its start" if event_id is None else f"event {event_id}"
        super().__init__(f"{where}: {has}; {asks}. {cause.advice}")


class ImpureWorkflowError(DecisionTaskError):
    """The code of a workflow with `determinism = "raise"` reads a clock, draws random numbers or sleeps."""


class DecisionTooLongError(DecisionTaskError):
    """The code ran too long without waiting, and was interrupted."""

    def __init__(self, seconds: float, line: str) -> None:
        super().__init__(
            f"the code ran for {seconds:.3g} s without waiting, at {line or 'a line that is not known'}, and was "
            "interrupted: put what takes long into an activity, and let run wait for its result"
        )
        self.seconds = seconds
        self.line = line


class KeyboardInputError(DecisionTaskError):
    """The code of a workflow called `input()`: a replay has no keyboard, and would be asked again each time."""

    def __init__(self, line: str) -> None:
        super().__init__(
            f"run asks for input at {line}: nobody types into a replay. Give the value as an argument of the "
            "execution, or wait for a signal with it; steps[k].pdb() is for looking"
        )
        self.line = line


class DecidingProcessDiedError(DecisionTaskError):
    """The process died each time that it ran the code of a workflow: the code is not run again as it is."""

    def __init__(self, name: str, times: int) -> None:
        super().__init__(
            f"the process died {times} times in a row deciding {name}: its run is not called again until it is defined "
            "otherwise, or the execution is resumed once more "
            "(SIMPLEFLOW_LAB_MAX_LOST_ATTEMPTS is the limit)"
        )
        self.times = times


class CloseNotPermittedError(DecisionTaskError):
    """Amazon SWF refused to close the execution, for the decider's credentials don't allow it. It is tried again, after
    pauses that grow."""

    def __init__(self, event: str, cause: str, times: int) -> None:
        action = event.removesuffix("Failed")
        super().__init__(
            f"SWF refused to close the execution: {cause}. Allow swf:{action} in the IAM policy of the decider's "
            "credentials, and it closes by itself"
        )
        self.cause = cause
        self.times = times
        """Number of times that it was refused."""


class WorkflowNotRegisteredError(DecisionTaskError):
    """A decision task of a workflow that is not defined in this process."""

    def __init__(self, name: str, version: str) -> None:
        super().__init__(
            f"no workflow {name!r} version {version!r} is defined in this process, which keeps its decision task: "
            "run the cell or import the module that defines it"
        )
        self.name = name
        self.version = version


class WrongArgumentsError(DecisionTaskError):
    """A submit of an activity or a child workflow with arguments that it does not take."""

    def __init__(self, name: str, problem: str, line: str | None = None) -> None:
        at = f"{line}: " if line else ""
        super().__init__(
            f"{at}{name} does not take these arguments: {problem}. Correct the call or the definition, and define it "
            "again: the execution goes on"
        )
        self.name = name


class SameChildError(DecisionTaskError):
    """A submit of a child workflow with the workflow id of an earlier one and another type or input."""

    def __init__(self, name: str, workflow_id: str, line: str | None = None) -> None:
        at = f"{line}: " if line else ""
        super().__init__(
            f"{at}the child {name} has the workflow id {workflow_id!r} of one that this run submitted before, with "
            "another type or input: it would get the result of that one. Let get_workflow_id give each its own id, and "
            "define the workflow again: the execution goes on"
        )
        self.name = name
        self.workflow_id = workflow_id


class ReplacedDefinitionError(DecisionTaskError):
    """A submit of an activity or workflow whose type another definition took: that one's code would run."""

    def __init__(self, kind: str, name: str, version: str, line: str | None = None) -> None:
        at = f" at {line}" if line else ""
        super().__init__(
            f"the {kind} {name!r} (version {version}) that is submitted{at} is no longer defined: another definition "
            "has its name and version now, and that one's code would run. Give each a name or a version of its own"
        )
        self.name = name
        self.version = version
        self.line = line


class UnreadableValueError(DecisionTaskError, EncodingError):
    """A recorded value of a type that this process can't read: it is not registered, or reading it failed.

    A decision that needs it is blocked and retried, at once when a type is registered.
    """

    def __init__(self, name: str, why: str | None = None) -> None:
        reason = why or "nobody registered it in this process: import the module that calls codec.register for it"
        super().__init__(f"a recorded value of type {name!r} can't be read: {reason}")
        self.name = name


class DecisionBlockedError(DecisionTaskError):
    """No decision can be made for an execution, as another process reported it, or for a child that it waits for."""

    def __init__(self, workflow_id: str, blocked: str, error: str, message: str, pid: int | None = None) -> None:
        """`blocked` is the workflow id of the execution that can't be decided: `workflow_id` or one below it."""
        self.workflow_id = workflow_id
        self.blocked = blocked
        self.error = error
        """Name of the class of the error that the decider had."""
        where = "" if pid is None else f" in process {pid}"
        what = f"decisions of {blocked} are blocked{where}: {error}: {message}"
        super().__init__(what if blocked == workflow_id else f"{workflow_id} waits for its child {blocked}: {what}")


# -- the connection to a service ---------------------------------------------------------------------------------------


class ServiceUnreachableError(SimpleflowLabError):
    """No service answers at the address, or the one that answers is not the expected one."""


class SilentServiceError(SimpleflowLabError):
    """The service did not answer in the time that its caller had; it may still carry out what it was asked."""


class CredentialsError(SimpleflowLabError):
    """AWS does not accept the credentials of this process, or it has none. New ones are looked for at the next call."""


# -- what the service refuses, by SWF's names --------------------------------------------------------------------------


class SWFFault(SimpleflowLabError):
    """A refusal by SWF, or by the embedded engine in SWF's words.

    `response` has the shape of botocore's `ClientError.response`, so that code written for boto3 reads it too.
    """

    code: str = "InternalFailure"
    advice: str = ""
    """Advice, where SWF's words don't give it."""
    was_repeated: bool = False
    """Whether the request was sent more than once: then an earlier one may have been carried out without an answer."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message)
        self.message = message

    def __str__(self) -> str:
        text = f"{self.code}: {self.message}" if self.message else self.code
        return f"{text}: {self.advice}" if self.advice else text

    @property
    def response(self) -> Mapping[str, Any]:
        """The fault as `{"Error": {"Code": …, "Message": …}}`."""
        return {"Error": {"Code": self.code, "Message": self.message}}


class DefaultUndefinedFault(SWFFault):
    """Neither the call nor the registered type gives a required value."""

    code = "DefaultUndefinedFault"


class DomainAlreadyExistsFault(SWFFault):
    """The domain is registered already."""

    code = "DomainAlreadyExistsFault"


class DomainDeprecatedFault(SWFFault):
    """The domain is deprecated."""

    code = "DomainDeprecatedFault"
    advice = "the domain is deprecated: undeprecate it, or name another one"


class LimitExceededFault(SWFFault):
    """One of SWF's quotas is used up."""

    code = "LimitExceededFault"


class OperationNotPermittedFault(SWFFault):
    """The caller may not do this."""

    code = "OperationNotPermittedFault"
    advice = "allow it in the IAM policy of these credentials"


class TooManyTagsFault(SWFFault):
    """More tags on a resource than SWF allows."""

    code = "TooManyTagsFault"


class TypeAlreadyExistsFault(SWFFault):
    """The type is registered already."""

    code = "TypeAlreadyExistsFault"


class TypeDeprecatedFault(SWFFault):
    """The type is deprecated."""

    code = "TypeDeprecatedFault"


class TypeNotDeprecatedFault(SWFFault):
    """Only a deprecated type can be deleted."""

    code = "TypeNotDeprecatedFault"


class UnknownResourceFault(SWFFault):
    """The domain, type, execution or task does not exist, or is closed."""

    code = "UnknownResourceFault"


class WorkflowExecutionAlreadyStartedFault(SWFFault):
    """An open execution has this workflow id."""

    code = "WorkflowExecutionAlreadyStartedFault"


class ValidationException(SWFFault):
    """A request that breaks one of the model's constraints."""

    code = "ValidationException"


class SerializationException(SWFFault):
    """A request whose JSON is broken or of the wrong types."""

    code = "SerializationException"


class UnknownOperationException(SWFFault):
    """A request for an operation that SWF does not have."""

    code = "UnknownOperationException"


class ThrottlingException(SWFFault):
    """Too many requests."""

    code = "ThrottlingException"
    is_transient = True


class AccessDeniedException(SWFFault):
    """The credentials don't allow this action."""

    code = "AccessDeniedException"
    advice = "allow it in the IAM policy of these credentials"


class UnknownSessionFault(SWFFault):
    """A process polls the embedded engine without a session there: it opens one, and polls again."""

    code = "UnknownSessionFault"


FAULTS: Mapping[str, type[SWFFault]] = {fault.code: fault for fault in SWFFault.__subclasses__()}
"""Fault classes by SWF's error code."""

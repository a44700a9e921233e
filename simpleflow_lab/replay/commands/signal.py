"""Signals: sent to other executions, received, awaited, and passed on to relatives."""

from __future__ import annotations

from typing import Final

from simpleflow_lab.data.codec import canonical, parse_or_text
from simpleflow_lab.exceptions import TaskFailed
from simpleflow_lab.futures import PENDING, Future
from simpleflow_lab.replay.captured_arguments import CapturedArguments
from simpleflow_lab.replay.command import Command, CommandKind
from simpleflow_lab.replay.commands.refusals import refusal, retry_refused
from simpleflow_lab.replay.history_reader import SECOND_RULES
from simpleflow_lab.replay.json_texts import same_json
from simpleflow_lab.replay.lines import Line
from simpleflow_lab.replay.propagation import Propagation
from simpleflow_lab.replay.received_signals import ReceivedSignals
from simpleflow_lab.replay.run import ReplayedRun
from simpleflow_lab.signal import PROPAGATE, Signal, SignalFuture, WaitForNextSignal, WaitForSignal
from simpleflow_lab.swf import decisions
from simpleflow_lab.swf.decisions import Decision
from simpleflow_lab.swf.history import HistoryEvent
from simpleflow_lab.swf.names import check_name, check_text
from simpleflow_lab.task import SignalTask


def _send(command: Command) -> Decision:
    return decisions.signal_external_workflow_execution(
        signal_name=command.id, input=command.input, control=command.control, **command.options
    )


def _is_same(event: HistoryEvent, command: Command) -> bool:
    # The same signal may go to several executions.
    if event.attributes.get("workflowId") != command.options["workflow_id"]:
        return False
    recorded = event.attributes.get("input")  # a refusal has none
    return (
        recorded is None
        or same_json(recorded, command.input, command.arguments)
        or _arguments(recorded) == _arguments(command.input)
    )


def _arguments(text: str | None) -> str | None:
    """The arguments of the signal, as text: other deciders write keys beside the arguments that tell of the run."""
    value = parse_or_text(text)
    if not isinstance(value, dict) or not {"args", "kwargs"} & value.keys():
        return text
    return canonical([list(value.get("args", ())), dict(value.get("kwargs", {}))])


SIGNAL: Final = CommandKind(name="signal", build=_send, id_attribute="signalName", is_same=_is_same, is_followed=True)


class Signals:
    """The signals of one run."""

    def __init__(self, run: ReplayedRun) -> None:
        self._run = run
        self._received = ReceivedSignals()
        self._propagation = Propagation()
        self._passed_on: list[Future] = []

    # -- what the author's code does --

    def send(self, task: SignalTask, line: Line | None) -> Future:
        """Send a signal; its future is done when SWF has delivered it."""
        check_name(task.name, "SignalName", "the name of a signal")
        if task.workflow_id is not None:
            check_name(task.workflow_id, "WorkflowId", f"signal {task.name}: the workflow id")
        if task.run_id is not None:
            check_text(task.run_id, "WorkflowRunIdOptional", f"signal {task.name}: the run id")
        run = self._run
        captured = CapturedArguments((task.args, task.kwargs))
        future = run.new_future(task.name, canceler=self.cancel)

        def proceed() -> None:
            args, kwargs = captured.value
            sent = {"args": args, "kwargs": kwargs, PROPAGATE: task.propagate}
            command = Command(
                SIGNAL,
                task.name,
                task=task,
                future=future,
                input=run.fields.encode(sent, f"input of signal {task.name}"),
                arguments=(args, kwargs),
                line=line,
                dependencies=captured.futures,
                options={
                    "workflow_id": task.workflow_id or run.workflow_id,
                    # A signal to this execution is meant for this run; one to another for whichever run is open.
                    "run_id": task.run_id or (None if task.workflow_id else run.run_id),
                },
            )
            run.enqueue(command)

        captured.when_ready(run, future, proceed)
        return future

    def cancel(self, future: Future) -> bool:
        """Cancel a signal that SWF does not know of; `False` for one that was sent, which can't be called back."""
        if future.state != PENDING:
            return False
        pending = self._run.pending
        for command in pending.named(SIGNAL, future.task_id or ""):
            if command.future is future:
                pending.remove(command)
                break
        future.set_cancelled()
        return True

    def wait_for(self, task: WaitForSignal, line: Line | None) -> Future:
        """A future of the latest signal of a name."""
        future = self._new_future(task)
        self._received.wait_for(task.signal_name, future)
        return future

    def take(self, task: WaitForNextSignal, line: Line | None) -> Future:
        """A future of the next signal of a name that is not taken."""
        future = self._new_future(task)
        self._received.take(task.signal_name, future)
        return future

    def _new_future(self, task: WaitForSignal) -> SignalFuture:
        check_name(task.signal_name, "SignalName", "the name of a signal")  # no other one could come
        future = SignalFuture(self._run.waiter, task_id=task.signal_name)
        future.add_done_callback(self._run.failures.count)
        return future

    @property
    def awaited(self) -> list[str]:
        """Names of the signals that the code waits for, sorted."""
        return self._received.awaited

    def begin_rerun(self) -> None:
        """The code is about to run from its start, and waits for its signals again."""
        self._received.begin_rerun()
        self._pass_on_soon()

    # -- what the history says --

    def received(self, event: HistoryEvent) -> None:
        """This execution received a signal."""
        sender = event.attributes.get("externalWorkflowExecution") or {}
        text = event.attributes.get("input")
        signal = Signal(
            name=event.attributes["signalName"],
            input=self._run.fields.decode(text),
            event_id=event.id,
            workflow_id=sender.get("workflowId"),
            run_id=sender.get("runId"),
        )
        self._propagation.signaled(signal, text)
        self._pass_on_soon()
        self._received.add(signal)

    def sending(self, command: Command, event: HistoryEvent) -> None:
        """SWF has taken a signal for another execution."""
        command.future.set_running()

    def delivered(self, command: Command, event: HistoryEvent) -> None:
        """SWF delivered the signal: the result is what was sent, as upstream's; `None` for earlier deciders of ours."""
        gives_value = command.task is not None and self._run.rules >= SECOND_RULES
        command.future.set_finished(self._run.fields.decode_later(command.input) if gives_value else None)

    def continue_in_fork(self, command: Command) -> None:
        """A signal that was on its way where the fork was made counts as delivered: it is not sent a second time."""
        command.future.set_finished(None if command.task is None else self._run.fields.decode_later(command.input))

    def not_delivered(self, command: Command, event: HistoryEvent) -> None:
        """SWF could not deliver the signal, or refused to send it."""
        cause = str(event.attributes.get("cause"))
        if cause == "UNKNOWN_EXTERNAL_WORKFLOW_EXECUTION":
            whom = event.attributes.get("workflowId")
            unknown = f"SWF refused it: {cause}, no execution {whom!r} is open to get the signal"
            command.future.set_exception(TaskFailed(command.id, unknown))
        elif not retry_refused(self._run, command, cause, name=f"{command.id}-{command.options['workflow_id']}"):
            command.future.set_exception(refusal(command, cause))

    # -- passing signals on --

    def execution_started(self, event: HistoryEvent) -> None:
        """This execution started: the event names its parent, if it has one."""
        self._propagation.execution_started(event)

    def child_event(self, event: HistoryEvent) -> None:
        """A child started, or closed, or neither: which relatives get signals may have changed."""
        self._propagation.child_event(event)
        self._pass_on_soon()

    @property
    def is_passing_on(self) -> bool:
        """A signal that was passed on is not delivered yet. SWF does not say whether it delivers it after a close."""
        self._passed_on = [future for future in self._passed_on if not future.done]
        return bool(self._passed_on)

    def _pass_on_soon(self) -> None:
        """Pass signals on together with the workflow's code, whose class says whether its parent gets them."""
        if self._propagation.is_due:
            self._run.fibers.call_soon(self._pass_on)

    def _pass_on(self) -> None:
        to_parent = bool(getattr(self._run.workflow, "propagate_signals_to_parent", True))
        for signal, input, to in self._propagation.due(to_parent=to_parent):
            # A failure to deliver is ignored: a relative that has closed meanwhile misses nothing.
            future = Future()
            self._passed_on.append(future)
            options = {"workflow_id": to.workflow_id, "run_id": to.run_id}
            self._run.enqueue_own(Command(SIGNAL, signal.name, future=future, input=input, options=options))

"""An activity task that is run again in this process, with the input that its history recorded.

Rule: only an activity that this process defines is run, and nothing is answered: no history changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from simpleflow_lab import activity
from simpleflow_lab.activity_context import RunningTask
from simpleflow_lab.data.codec import arguments_of, decode_input, encode
from simpleflow_lab.data.fields import Fields
from simpleflow_lab.data.objects import Storage, using_storage
from simpleflow_lab.exceptions import UsageError
from simpleflow_lab.middleware import Around
from simpleflow_lab.runtime.coroutines import run_to_end


def rerun_activity(
    attempt: Any,
    *,
    domain: str,
    workflow_id: str,
    run_id: str,
    fields: Fields,
    storage: Storage,
    given: tuple[str, str] | None = None,
    middleware: Sequence[Around] = (),
) -> tuple[Any, BaseException | None]:
    """Run the activity of an attempt (`views.attempts.Attempt`), through these middleware; gives its result, and the
    error that it raised.

    `given` is the JSON of another input, and where it comes from. Raises `UsageError` for an activity that this process
    does not define, and for an input that can't be read. An interrupt goes through.
    """
    registered = activity.registry.get((attempt.name, attempt.version or ""))
    if registered is None:
        raise UsageError(
            f"no activity {attempt.name} {attempt.version} is defined in this process: give --module, or define it here"
        )
    if given is not None:
        args, kwargs = decode_input(given[0], where=given[1])
        value: Any = {"args": args, "kwargs": kwargs}
    else:
        value = fields.decode_input(attempt.input) if attempt.input else []
        if isinstance(value, dict):
            value.pop("meta", None)
        args, kwargs = arguments_of(value, where=f"the input of {attempt.id}")
    context = {
        "name": attempt.name,
        "version": attempt.version,
        "domain_name": domain,
        "workflow_id": workflow_id,
        "run_id": run_id,
        "activity_id": attempt.id,
        "started_event_id": 0,
        "input": value,
        "activity_task_list": attempt.task_list,
    }
    task = RunningTask(context, report=lambda text: None, finish=run_to_end)
    try:
        with using_storage(storage):
            result = registered.execute(args, kwargs, task, middleware)
            encode(result)  # as a worker does: what can't be recorded is a failure
            return result, None
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # sys.exit() too: it is the outcome of the attempt
        return None, error

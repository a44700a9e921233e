"""The settings, from the environment and other sources, as one frozen record.

    settings.current().jumbo_fields_bucket                   # None, or SIMPLEFLOW_JUMBO_FIELDS_BUCKET
    with settings.override(jumbo_fields_bucket="bucket/prefix"):
        ...                                                  # in this process, in all its threads

`Settings` is the table: each field has its variable, how it is read, its default and its meaning, and everything that
lists settings (`simpleflow info settings`, `reference`) reads them there. The sources of a value, in this order:

    1. `override` and `configure`     of this process
    2. the environment                a variable that is empty counts as not set
    3. a module                       that `SIMPLEFLOW_SETTINGS_MODULE` names, with the variables as upper-case names
    4. the default

A value that can't be read raises `UsageError` in one line that names the variable; nothing is guessed.

Rule: settings are read when they are needed, never at import, and handed down: a Lab has those of the moment when it
was opened.

Settings of upstream's that are missing here: versions of types that name none (a version belongs to the code),
`LOGGING` and `SIMPLEFLOW_SYSLOG_TARGET` (a library configures no logging), `SIMPLEFLOW_BINARIES_DIRECTORY` (see
`programs.downloads`).
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from simpleflow_lab.constants import (
    DEFAULT_ACTIVITY_TIMEOUT,
    DEFAULT_DECISION_TASK_TIMEOUT,
    DEFAULT_EXECUTION_TIMEOUT,
    DEFAULT_MAX_LOST_ATTEMPTS,
    DEFAULT_MAX_NOT_HERE_ATTEMPTS,
    DEFAULT_TASK_LIST,
)
from simpleflow_lab.exceptions import UsageError
from simpleflow_lab.locking.process_lock import process_lock

DEFAULT_DOMAIN: Final = "lab"
MODULE_VARIABLE: Final = "SIMPLEFLOW_SETTINGS_MODULE"
"""The variable that names a module whose upper-case names are settings, too."""

_TRUE: Final = frozenset({"1", "true", "yes", "on"})
_FALSE: Final = frozenset({"0", "false", "no", "off"})


# -- how a value is read: from the environment's text, or from a value of Python code ----------------------------------


def _text(given: object) -> str:
    if not isinstance(given, str):
        raise ValueError("a text")
    return given


def _flag(given: object) -> bool:
    if isinstance(given, bool):
        return given
    word = str(given).strip().lower()
    if word not in _TRUE | _FALSE:
        raise ValueError("true or false (or 1, 0, yes, no, on, off)")
    return word in _TRUE


def _whole(lowest: int, highest: int | None = None) -> Callable[[object], int]:
    limit = f"{lowest} or more" if highest is None else f"from {lowest} to {highest}"

    def read(given: object) -> int:
        try:
            number = int(given) if isinstance(given, str | int) and not isinstance(given, bool) else None
        except ValueError:
            number = None
        if number is None or number < lowest or (highest is not None and number > highest):
            raise ValueError(f"a whole number, {limit}")
        return number

    return read


def _timeout(given: object) -> str:
    """A timeout as SWF writes it: whole seconds, or NONE."""
    if given is None or str(given).strip().upper() == "NONE":
        return "NONE"
    try:
        return str(_whole(1)(given))
    except ValueError:
        raise ValueError("whole seconds, 1 or more, or NONE") from None


def _seconds(given: object) -> float:
    try:
        number = float(given) if isinstance(given, str | int | float) and not isinstance(given, bool) else -1.0
    except ValueError:
        number = -1.0
    if not 0 <= number < float("inf"):
        raise ValueError("seconds, 0 or more")
    return number


# -- the table ---------------------------------------------------------------------------------------------------------


class Variable(NamedTuple):
    """A row of the table."""

    name: str
    """Name of the environment variable."""
    field: str
    """Name of the field of `Settings`."""
    default: Any
    """The value where no source has one."""
    meaning: str
    """The setting's meaning, in words."""
    like: str | None
    """The field whose value is the default; `None` if `default` is."""


def _of(
    variable: str,
    read: Callable[[object], Any],
    default: Any,
    meaning: str,
    *,
    like: str | None = None,
) -> Any:
    """A field of `Settings`; `like` names an earlier field whose value is the default."""
    return dataclasses.field(
        default=default, metadata={"variable": variable, "read": read, "meaning": meaning, "like": like}
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """The settings. The fields have the variables' names in lower case, without `SIMPLEFLOW_`."""

    lab_store: str | None = _of(
        "SIMPLEFLOW_LAB_STORE", _text, None, "store of `Lab()`: a file, `:memory:` or `aws://REGION/DOMAIN`"
    )
    swf_domain: str = _of("SWF_DOMAIN", _text, DEFAULT_DOMAIN, "domain, unless a call or an option names one")
    swf_connection_retries: int = _of(
        "SWF_CONNECTION_RETRIES", _whole(0, 100), 5, "how often a call to Amazon SWF that failed is made again"
    )
    swf_max_open_activity_count: int = _of(
        "SWF_MAX_OPEN_ACTIVITY_COUNT", _whole(1, 1000), 1000, "activity tasks that one execution has open at most"
    )
    lab_max_lost_attempts: int = _of(
        "SIMPLEFLOW_LAB_MAX_LOST_ATTEMPTS",
        _whole(1, 1_000_000),
        DEFAULT_MAX_LOST_ATTEMPTS,
        "attempts of an activity task in a row whose worker's process died, after which it fails",
    )
    lab_max_not_here_attempts: int = _of(
        "SIMPLEFLOW_LAB_MAX_NOT_HERE_ATTEMPTS",
        _whole(1, 1_000_000),
        DEFAULT_MAX_NOT_HERE_ATTEMPTS,
        "attempts of an activity task in a row that workers without the activity took, after which it fails",
    )
    lab_check_seconds: float = _of(
        "SIMPLEFLOW_LAB_CHECK_SECONDS",
        _seconds,
        2.0,
        "seconds in which a cell that defines a workflow again is checked against recorded executions; 0 checks none",
    )
    lab_step_seconds: float = _of(
        "SIMPLEFLOW_LAB_STEP_SECONDS",
        _seconds,
        10.0,
        "seconds that the code of one decision, or a condition, may run when the debugger looks; 0 sets no limit",
    )
    aws_default_region: str | None = _of(
        "AWS_DEFAULT_REGION", _text, None, "region of S3, unless AWS's settings name one"
    )

    workflow_default_task_list: str = _of(
        "WORKFLOW_DEFAULT_TASK_LIST", _text, DEFAULT_TASK_LIST, "task list of workflows that name none"
    )
    workflow_default_execution_time: int = _of(
        "WORKFLOW_DEFAULT_EXECUTION_TIME",
        _whole(1, 31_536_000),
        DEFAULT_EXECUTION_TIMEOUT,
        "seconds an execution may stay open, unless its workflow or its start says otherwise",
    )
    workflow_default_decision_task_timeout: str = _of(
        "WORKFLOW_DEFAULT_DECISION_TASK_TIMEOUT",
        _timeout,
        str(DEFAULT_DECISION_TASK_TIMEOUT),
        "seconds one decision may take, unless the workflow or its start says otherwise",
    )

    activity_default_task_list: str = _of(
        "ACTIVITY_DEFAULT_TASK_LIST", _text, DEFAULT_TASK_LIST, "task list of activities that name none"
    )
    activity_default_timeout: str = _of(
        "ACTIVITY_DEFAULT_TIMEOUT", _timeout, str(DEFAULT_ACTIVITY_TIMEOUT), "seconds: default of the next four"
    )
    activity_start_to_close_timeout: str = _of(
        "ACTIVITY_START_TO_CLOSE_TIMEOUT",
        _timeout,
        str(DEFAULT_ACTIVITY_TIMEOUT),
        "seconds an activity may run",
        like="activity_default_timeout",
    )
    activity_schedule_to_close_timeout: str = _of(
        "ACTIVITY_SCHEDULE_TO_CLOSE_TIMEOUT",
        _timeout,
        str(DEFAULT_ACTIVITY_TIMEOUT),
        "seconds from the moment an activity is scheduled to its end",
        like="activity_default_timeout",
    )
    activity_schedule_to_start_timeout: str = _of(
        "ACTIVITY_SCHEDULE_TO_START_TIMEOUT",
        _timeout,
        str(DEFAULT_ACTIVITY_TIMEOUT),
        "seconds an activity may wait for a worker",
        like="activity_default_timeout",
    )
    activity_heartbeat_timeout: str = _of(
        "ACTIVITY_HEARTBEAT_TIMEOUT",
        _timeout,
        str(DEFAULT_ACTIVITY_TIMEOUT),
        "seconds between two heartbeats of an activity",
        like="activity_default_timeout",
    )
    activity_sigterm_wait_sec: float = _of(
        "ACTIVITY_SIGTERM_WAIT_SEC", _seconds, 3.0, "seconds between SIGTERM and SIGKILL to a process that shall end"
    )

    jumbo_fields_bucket: str | None = _of(
        "SIMPLEFLOW_JUMBO_FIELDS_BUCKET", _text, None, "`bucket/prefix` of S3 for values too large for a field"
    )
    lab_inputs_by_reference: bool = _of(
        "SIMPLEFLOW_LAB_INPUTS_BY_REFERENCE",
        _flag,
        False,
        "with that bucket, too, large results are passed on unread; only where no worker or decider is upstream's",
    )
    lab_trusted_buckets: str | None = _of(
        "SIMPLEFLOW_LAB_TRUSTED_BUCKETS",
        _text,
        None,
        "further `bucket/prefix`, with commas, from which values are read",
    )
    enable_disk_cache: bool = _of(
        "SIMPLEFLOW_ENABLE_DISK_CACHE", _flag, True, "values that were read from S3 are kept on disk, too"
    )
    s3_host: str | None = _of("SIMPLEFLOW_S3_HOST", _text, None, "host of S3, unless a bucket says its own")
    s3_sse: bool = _of("SIMPLEFLOW_S3_SSE", _flag, False, "S3 encrypts what is written (AES256)")
    step_bucket: str | None = _of(
        "STEP_BUCKET", _text, None, "`bucket` of S3 for the notes of steps done; by default the Lab's own storage"
    )
    metrology_bucket: str | None = _of(
        "METROLOGY_BUCKET", _text, None, "`bucket` of S3 for metrology; by default the Lab's own storage"
    )
    metrology_path_prefix: str | None = _of(
        "METROLOGY_PATH_PREFIX", _text, None, "put before the keys of metrology in that bucket"
    )

    identity: str | None = _of(
        "SIMPLEFLOW_IDENTITY", _text, None, "JSON object, merged into the identity of pollers; null removes a key"
    )
    format: str | None = _of("SIMPLEFLOW_FORMAT", _text, None, "output format of the `simpleflow` command")
    log_level: str = _of("LOG_LEVEL", _text, "WARNING", "log level of the `simpleflow` command")

    @property
    def activity_defaults(self) -> Mapping[str, str]:
        """The task list and timeouts of activities that leave them unset, by the arguments' names in a decision."""
        return {
            "task_list": self.activity_default_task_list,
            "start_to_close_timeout": self.activity_start_to_close_timeout,
            "schedule_to_close_timeout": self.activity_schedule_to_close_timeout,
            "schedule_to_start_timeout": self.activity_schedule_to_start_timeout,
            "heartbeat_timeout": self.activity_heartbeat_timeout,
        }


_FIELDS: Final = {field.name: field for field in dataclasses.fields(Settings)}
_BY_VARIABLE: Final = {field.metadata["variable"]: field.name for field in _FIELDS.values()}


def variables() -> list[Variable]:
    """The table's rows, in order."""
    return [
        Variable(field.metadata["variable"], name, field.default, field.metadata["meaning"], field.metadata["like"])
        for name, field in _FIELDS.items()
    ]


def reference() -> str:
    """The table in Markdown, for the documentation."""
    lines = ["| variable | setting | default | meaning |", "|---|---|---|---|"]
    for variable in variables():
        default = f"that of `{variable.like}`" if variable.like else f"`{variable.default}`"
        lines.append(f"| `{variable.name}` | `{variable.field}` | {default} | {variable.meaning} |")
    return "\n".join(lines) + "\n"


# -- reading it --------------------------------------------------------------------------------------------------------


def current() -> Settings:
    """The settings as they are now. Raises `UsageError`, which names a variable that can't be read."""
    module = _module()
    values: dict[str, Any] = {}
    for name, field in _FIELDS.items():
        found = _configured(name, module)
        values[name] = values.get(field.metadata["like"], field.default) if found is _UNSET else found
    return Settings(**values)


def __getattr__(name: str) -> Any:
    """A setting by its variable, as it is now: upstream's `settings.STEP_BUCKET`."""
    if name not in _BY_VARIABLE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(current(), _BY_VARIABLE[name])


def read(name: str) -> Any:
    """One setting, without reading the others; not for a setting whose default is another one's value."""
    found = _configured(name, _module())
    return _FIELDS[name].default if found is _UNSET else found


def configured(name: str) -> Any:
    """One setting if somebody set it, else `None`."""
    found = _configured(name, _module())
    return None if found is _UNSET else found


_OWN_STORE: Final = "lab.sqlite"
"""The name of the file of the user's own store."""


def default_store() -> str:
    """Address of the store of those who name none: that of `SIMPLEFLOW_LAB_STORE`, or else the user's own."""
    return read("lab_store") or own_store()


def own_store() -> str:
    """Path of the user's own durable store, in a folder that is made when it is opened first."""
    import platformdirs  # noqa: PLC0415  a twentieth of the import time; who names a store does without it

    return str(Path(platformdirs.user_data_path("simpleflow_lab")) / _OWN_STORE)


def is_own_store(address: str) -> bool:
    """Whether this is the path of the user's own store."""
    return address.endswith(_OWN_STORE) and address == own_store()


def default_domain() -> str:
    """The domain of calls and commands that name none."""
    return str(read("swf_domain"))


def configure(values: Mapping[str, Any] | None = None, /, **named: Any) -> None:
    """Set values for this process, until it ends or `reset` is called; upstream's name.

    Takes the names of fields or of variables: `configure(s3_sse=True)` is `configure({"SIMPLEFLOW_S3_SSE": True})`.
    Raises `UsageError`, and sets nothing, if there is no such setting or it can't have this value.
    """
    checked = _checked({**(values or {}), **named})
    global _overrides
    with _lock:
        _overrides = {**_overrides, **checked}


def put_setting(key: str, value: Any) -> None:
    """Set one value; upstream's name. See `configure`."""
    configure({key: value})


@contextlib.contextmanager
def override(values: Mapping[str, Any] | None = None, /, **named: Any) -> Iterator[Settings]:
    """Within this context these values are set for this process, in all its threads; gives the settings.

    Raises as `configure` does.
    """
    checked = _checked({**(values or {}), **named})
    global _overrides
    with _lock:
        before = {name: _overrides[name] for name in checked if name in _overrides}
        _overrides = {**_overrides, **checked}
    try:
        yield current()
    finally:
        with _lock:
            _overrides = {name: value for name, value in _overrides.items() if name not in checked} | before


def reset() -> None:
    """Remove the values that `configure` set."""
    global _overrides
    with _lock:
        _overrides = {}


_overrides: Mapping[str, Any] = {}
"""The values of `configure` and `override`, by field. Replaced, never changed, so that readers take no lock."""
_lock: Final = process_lock()


def _checked(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values by field, converted. Raises `UsageError`."""
    checked = {}
    for key, value in values.items():
        name = _BY_VARIABLE.get(key, key)
        field = _FIELDS.get(name)
        if field is None:
            raise UsageError(f"no setting {key!r}: `simpleflow info settings` lists them")
        # `None` is a value only of settings that have it by default.
        checked[name] = None if value is None and field.default is None else _read(name, value, f"the setting {key}")
    return checked


_UNSET: Final = object()


def _configured(name: str, module: Any) -> Any:
    """The value of a setting in the first source that has one, or `_UNSET`."""
    if name in _overrides:
        return _overrides[name]
    variable = _FIELDS[name].metadata["variable"]
    given: object = os.environ.get(variable)
    if given:
        return _read(name, given, variable)
    given = getattr(module, variable, None)
    if given is not None and given != "":
        return _read(name, given, f"{variable} of the module {module.__name__}")
    return _UNSET


def _read(name: str, given: object, source: str) -> Any:
    try:
        return _FIELDS[name].metadata["read"](given)
    except ValueError as error:
        raise UsageError(f"{source} is {given!r}: it can be {error}") from None


def _module() -> Any:
    """The user's own settings module, or `None`. Raises `UsageError` if it can't be imported."""
    name = os.environ.get(MODULE_VARIABLE)
    if not name:
        return None
    try:
        return importlib.import_module(name)
    except Exception as error:  # whatever the user's own module does, the error is one line
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise UsageError(f"{MODULE_VARIABLE} is {name!r}: it can't be imported ({reason})") from None

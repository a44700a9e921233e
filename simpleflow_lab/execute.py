"""Activities that are programs: a command line, or a Python function in another interpreter.

    @activity.with_attributes(task_list="etl", version="1")
    @execute.program()
    def wc(path): ...                          # wc("/etc/hosts") gives what `wc /etc/hosts` prints

    @activity.with_attributes(task_list="etl", version="1")
    @execute.python(timeout=600, kill_children=True)
    def resize(image, width): ...              # runs in a process of its own, and may crash there

Both give ordinary functions. A Python function's arguments, result and task context go through pipes as JSON: on a
command line every user of the machine could read them, as they can read a program's own arguments.

    python -m simpleflow_lab.execute os.path.exists '{"args": ["/tmp"]}'

runs in the other interpreter; it works by hand, too.
"""

from __future__ import annotations

import codecs
import functools
import inspect
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, ParamSpec, TypeVar

from simpleflow_lab import activity, settings
from simpleflow_lab.data.codec import MODULES_OF_TYPES, decode, encode
from simpleflow_lab.data.failure_details import read_details
from simpleflow_lab.exceptions import ExecutionError, ExecutionTimeoutError
from simpleflow_lab.programs import function_source
from simpleflow_lab.programs.child_processes import PR_SET_PDEATHSIG, Receive, run
from simpleflow_lab.programs.function_process import main

__all__ = [
    "ExecutionError",
    "ExecutionTimeoutError",
    "ProgramError",
    "format_arguments",
    "main",
    "program",
    "python",
    "separate_arguments",
]

P = ParamSpec("P")
T = TypeVar("T")

MAX_STDERR: Final = 32_768
"""Bytes of a program's standard error that its error keeps: the last ones."""
_SHIM: Final = (
    "import ctypes, os, sys\n"
    f"ctypes.CDLL(None).prctl({PR_SET_PDEATHSIG}, {int(signal.SIGKILL)})\n"
    "os.getppid() == int(sys.argv[1]) or os._exit(1)\n"
    "os.execv(sys.argv[2], sys.argv[3:])\n"
)
"""Dies with its parent, then executes the program, which dies with the parent, too: Linux keeps that over `exec`."""


# -- programs ----------------------------------------------------------------------------------------------------------


class ProgramError(ExecutionError, subprocess.CalledProcessError):
    """A program ended with another return code than 0; the message holds its standard error."""

    def __init__(self, returncode: int, command: Sequence[str], output: str, stderr: str) -> None:
        subprocess.CalledProcessError.__init__(self, returncode, list(command), output, stderr)

    def __str__(self) -> str:
        how = _how_it_ended(self.returncode)
        errors = self.stderr.strip()
        return f"{self.cmd[0]} {how}" + (f": {errors}" if errors else "")


def format_arguments(*args: Any, **kwargs: Any) -> list[str]:
    """Words of a command line, in upstream's form: `-c=1` and `--val=2` for keywords, then the positional ones."""
    return [f"{_option(key)}={value}" for key, value in kwargs.items()] + [str(arg) for arg in args]


def separate_arguments(*args: Any, **kwargs: Any) -> list[str]:
    """Words of a command line, in getopt's form: `-c 1`, `--val=2`.

    `True` is the option alone, `False` and `None` are left out. The positional ones stand behind `--`, so that none is
    taken for an option.
    """
    words: list[str] = []
    for key, value in kwargs.items():
        if value is True:
            words.append(_option(key))
        elif value is not None and value is not False:
            words += [_option(key), str(value)] if len(key) == 1 else [f"{_option(key)}={value}"]
    return [*words, "--", *map(str, args)] if args else words


def program(
    path: str | None = None,
    argument_format: Callable[..., Sequence[str]] = format_arguments,
    *,
    timeout: float | None = None,
    kill_children: bool = False,
    env: Mapping[str, str] | None = None,
) -> Callable[[Callable[P, Any]], Callable[P, str]]:
    """Make a function call a program, and give the text that it prints.

    The function's body is not run: its name is the program's and its parameters say which arguments it takes.

    :param path: of the program, or its name on PATH; by default the function's name.
    :param argument_format: from the arguments of the call to the words behind the program's name.
    :param timeout: seconds; then it gets SIGTERM, and SIGKILL after `ACTIVITY_SIGTERM_WAIT_SEC`.
    :param kill_children: what it has started ends with it.
    :param env: its whole environment; by default this process's.

    The function raises `ProgramError` (also a `subprocess.CalledProcessError`) if the program's return code is not 0,
    `ExecutionTimeoutError`, `ExecutionError` if there is no such program or its output is no UTF-8, `TypeError` if the
    arguments don't fit the parameters. What it writes to stderr is shown as it comes. It ends with this process.
    """

    def decorate(function: Callable[P, Any]) -> Callable[P, str]:
        signature = inspect.signature(function)

        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> str:
            signature.bind(*args, **kwargs)
            name = path or function.__name__
            words = [name, *argument_format(*args, **kwargs)]
            found = shutil.which(name, path=None if env is None else env.get("PATH"))
            if found is None:
                raise ExecutionError(f"no program {name!r}: it is not on PATH, or is not executable")
            output, errors = bytearray(), _Tail()
            forward = _forward(sys.stderr)

            def take_errors(block: bytes) -> None:
                errors.add(block)
                forward(block)

            code = run(
                [sys.executable, "-I", "-S", "-c", _SHIM, str(os.getpid()), os.path.abspath(found), *words]
                if sys.platform == "linux"
                else words,
                name=shlex.quote(name),
                receive={},
                stdout=output.extend,
                stderr=take_errors,
                environment=env,
                timeout=timeout,
                kill_children=kill_children,
                sigterm_seconds=settings.read("activity_sigterm_wait_sec"),
                check_canceled=_check_canceled,
            )
            forward(b"")
            if code:
                raise ProgramError(code, words, bytes(output).decode("utf-8", "replace"), errors.text())
            try:
                return bytes(output).decode("utf-8")
            except UnicodeDecodeError as error:
                raise ExecutionError(f"the output of {name} is not UTF-8: {error}") from None

        # The program is what it runs: there is nothing to run in another way.
        return call

    return decorate


def _option(key: str) -> str:
    return f"-{key}" if len(key) == 1 else f"--{key}"


def _how_it_ended(code: int) -> str:
    if code < 0:
        try:
            return f"was ended by {signal.Signals(-code).name}"
        except ValueError:
            return f"was ended by signal {-code}"
    return f"ended with return code {code}"


class _Tail:
    """The last bytes of a stream."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def add(self, block: bytes) -> None:
        self._bytes += block
        del self._bytes[:-MAX_STDERR]

    def text(self) -> str:
        return self._bytes.decode("utf-8", "replace")


def _forward(stream: Any) -> Receive:
    """Passes text on to a stream of this process, and so to where the output of the running activity goes."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def forward(block: bytes) -> None:
        text = decoder.decode(block, final=not block)
        if text:
            stream.write(text)
            stream.flush()

    return forward


def _check_canceled() -> None:
    """Raises if the running activity task was canceled, or is gone."""
    if activity.current_context():
        activity.heartbeat()


# -- Python functions --------------------------------------------------------------------------------------------------


def python(
    interpreter: str = "python",
    logger_name: str = __name__,
    timeout: float | None = None,
    kill_children: bool = False,
    env: Mapping[str, str] | None = None,
) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Make a function, or an activity's class, run in another Python interpreter.

    One of a module is imported there by its name. One of a notebook's cell, or of a script, travels as its source, with
    those functions, classes, modules and constants that it uses; what can't travel raises a `UsageError`.

    :param interpreter: a program that has this package; "python" is the one that runs here.
    :param logger_name: logger, there, that an error is written to.
    :param timeout: seconds; then it gets SIGTERM, and SIGKILL after `ACTIVITY_SIGTERM_WAIT_SEC`.
    :param kill_children: what it has started ends with it, however it ends.
    :param env: its whole environment; by default this process's.

    The function raises `ExecutionError` with the error that was raised there, and its traceback, as JSON in `details`;
    also if the interpreter crashed. `ExecutionTimeoutError` if it took too long; `EncodingError` for arguments or a
    result that JSON can't hold. What is printed there is printed here. It ends with this process.
    """

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> T:
            context: Mapping[str, Any] = activity.current_context()
            if "context" in kwargs and "context" not in _parameters(function):
                context = kwargs.pop("context") or context  # type: ignore[assignment]
            name, source = function_source.dotted_name(function), None
            if name is None:
                name, source = function.__qualname__, function_source.to_source(function)
            own = interpreter == "python"
            request = {
                "function": source,
                "path": [entry for entry in sys.path if entry] if own else [],
                "modules": sorted(
                    sys.modules.keys() & set(MODULES_OF_TYPES.values())
                ),  # the child registers what is here
            }
            sent = {"args": args, "kwargs": kwargs, "context": {k: v for k, v in context.items() if k != "input"}}
            return _call_elsewhere(  # type: ignore[no-any-return]
                sys.executable if own else interpreter,
                name,
                f"{json.dumps(request)}\n{encode(sent)}\n".encode(),
                environment=_environment(env) if own else env,
                logger_name=logger_name,
                timeout=timeout,
                kill_children=kill_children,
            )

        setattr(call, function_source.RUN_ELSEWHERE, function)
        return call

    return decorate


def _call_elsewhere(
    interpreter: str,
    name: str,
    request: bytes,
    *,
    environment: Mapping[str, str] | None,
    logger_name: str,
    timeout: float | None,
    kill_children: bool,
) -> Any:
    result, errors = bytearray(), bytearray()
    stdout, stderr = _forward(sys.stdout), _forward(sys.stderr)
    fds: list[int] = []
    try:
        for _ in range(3):
            fds += os.pipe()
        request_fd, send_fd, result_read, result_fd, error_read, error_fd = fds
        command = [
            interpreter, "-u", "-m", "simpleflow_lab.execute", name, f"--logger-name={logger_name}",
            f"--request-fd={request_fd}", f"--result-fd={result_fd}", f"--error-fd={error_fd}",
        ]  # fmt: skip
        for fd in (request_fd, result_fd, error_fd):
            fds.remove(fd)  # `run` closes them
        code = run(
            command + (["--kill-children"] if kill_children else []),
            name=name,
            receive={result_read: result.extend, error_read: errors.extend},
            stdout=stdout,
            stderr=stderr,
            send=(send_fd, request),
            pass_fds=(request_fd, result_fd, error_fd),
            environment=environment,
            timeout=timeout,
            kill_children=kill_children,
            sigterm_seconds=settings.read("activity_sigterm_wait_sec"),
            check_canceled=_check_canceled,
        )
    finally:
        for fd in fds:
            os.close(fd)
    stdout(b"")
    stderr(b"")
    if errors:
        raise _error_of(errors.decode("utf-8", "replace"))
    if code or not result:
        raise ExecutionError(f"the interpreter of {name} {_how_it_ended(code)}, and reported no reason")
    return decode(result.decode("utf-8"))


def _error_of(details: str) -> ExecutionError:
    """The error that was raised there, with its traceback as a note, so that it is shown wherever this error is."""
    error = ExecutionError(details)
    found = read_details(details)
    if found is not None and found.traceback:
        error.add_note(f"there:\n{found.traceback}")
    return error


def _parameters(function: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    try:
        return inspect.signature(function).parameters
    except ValueError:
        return {}


def _environment(given: Mapping[str, str] | None) -> Mapping[str, str]:
    """With the place of this package, should it be on this process's path only."""
    environment = dict(os.environ if given is None else given)
    here = str(Path(__file__).resolve().parent.parent)
    known = environment.get("PYTHONPATH", "")
    if here not in known.split(os.pathsep):
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [known, here]))
    return environment


if __name__ == "__main__":
    sys.exit(main())

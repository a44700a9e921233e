"""Statuses of supervised processes, where every process of this user on this machine can read them.

Each supervisor keeps one file, in a folder of the user's that nobody else can read, and holds the lock beside it as
long as it lives. So a file whose lock is free is left over from a supervisor that was killed, and is removed.

Rule: a status is for people. Nothing is decided by one: what a file says may be a second old.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import platformdirs

from simpleflow_lab.engine.liveness import is_stopped
from simpleflow_lab.locking.file_lock import FileLock

if TYPE_CHECKING:
    from simpleflow_lab.runtime.worker import CurrentTask, Worker

VERSION: Final = 1
"""Of the form of a status; one of another form is not read."""
MAX_TYPES: Final = 50
"""Types that a status names."""
MAX_TASKS: Final = 20
"""Current tasks that a status names."""
MAX_ERROR: Final = 500
"""Characters of an error."""
MAX_BYTES: Final = 4_000_000
"""Longest file that is read."""

STANDALONE: Final = "standalone"
"""The value of `of` in the status of the supervisor of a `standalone`."""


def status_of(worker: Worker) -> dict[str, Any]:
    """The status of a decider or an activity worker of this process, as JSON."""
    error = worker.last_error
    return {
        "kind": worker.kind,
        "taskList": worker.task_list,
        "state": worker.state,
        "since": worker.since.timestamp(),
        "atOnce": worker.at_once,
        "tasks": [_task(task) for task in worker.tasks[:MAX_TASKS]],
        "done": worker.done,
        "failed": worker.failed,
        "lastError": None if error is None else error[:MAX_ERROR],
        "types": worker.types[:MAX_TYPES],
    }


def _task(task: CurrentTask) -> dict[str, Any]:
    return {
        "workflowId": task.workflow_id,
        "runId": task.run_id,
        "activityId": task.activity_id,
        "type": task.type,
        "since": task.since.timestamp(),
    }


# -- the files ---------------------------------------------------------------------------------------------------------


class PublishedStatus:
    """The file of this process's supervisor, for as long as the supervisor lives."""

    def __init__(self) -> None:
        """Raises `OSError` if there is no place for it."""
        folder = _folder()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not _is_private(folder):
            raise PermissionError(f"{folder} is not this user's alone")
        self._path = folder / f"{_host()}-{os.getpid()}.json"
        self._lock = FileLock(self._path.with_suffix(".lock"))
        if not self._lock.acquire(seconds=5):
            raise TimeoutError(f"another process has locked {self._lock.path}")

    def write(self, status: Mapping[str, Any]) -> None:
        """Replace what it says. Raises `OSError`."""
        beside = self._path.with_suffix(".new")
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0), 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            json.dump({"version": VERSION, **status}, file)
        os.replace(beside, self._path)

    def remove(self) -> None:
        """Say nothing any more."""
        self._path.unlink(missing_ok=True)
        self._lock.release()
        self._path.with_suffix(".lock").unlink(missing_ok=True)


def published() -> list[dict[str, Any]]:
    """The statuses of the supervisors of this user on this machine, in the order in which they were started."""
    found = [status for path in _files() if (status := _read(path)) is not None]
    return sorted(found, key=lambda status: (float(status["since"]), int(status["pid"])))


def supervisors_of(address: str, domain: str) -> list[dict[str, Any]]:
    """The statuses of the supervisors whose processes serve this domain of this store, or of Amazon SWF."""
    place = place_of(address)
    return [status for status in published() if status["place"] == place and status["domain"] == domain]


def place_of(address: str) -> str:
    """A store, or a region of Amazon SWF, in the form that is the same in all processes, and without a domain."""
    if address.startswith("aws:"):
        return "/".join(address.split("/")[:3])
    return os.path.realpath(os.path.expanduser(address))


def is_suspended(pid: int) -> bool:
    """Whether a process is suspended, by Ctrl-Z or SIGSTOP; false on systems that do not tell."""
    return is_stopped(pid)


def _files() -> Sequence[Path]:
    folder = _folder()
    if not _is_private(folder):
        return ()
    name = re.compile(re.escape(_host()) + r"-[0-9]+\.json")
    return [path for path in sorted(folder.iterdir()) if name.fullmatch(path.name)]


def _read(path: Path) -> dict[str, Any] | None:
    """The status of a supervisor; `None` if it has ended."""
    with _lock_of_another(path) as is_held:
        if not is_held:
            path.unlink(missing_ok=True)
            path.with_suffix(".lock").unlink(missing_ok=True)
            return None
        try:
            with path.open(encoding="utf-8") as file:
                status: dict[str, Any] = json.loads(file.read(MAX_BYTES))
        except (OSError, ValueError):  # it ends at this moment
            return None
        return status if status.get("version") == VERSION else None


@contextlib.contextmanager
def _lock_of_another(path: Path) -> Iterator[bool]:
    """Whether another process, or another supervisor of this one, holds the lock beside this file."""
    lock = FileLock(path.with_suffix(".lock"))
    try:
        is_elsewhere = not lock.acquire()
    except OSError:
        is_elsewhere = True
    try:
        yield is_elsewhere
    finally:
        lock.release()


def _folder() -> Path:
    return Path(platformdirs.user_state_path("simpleflow_lab")) / "processes"


def _host() -> str:
    return re.sub(r"[^A-Za-z0-9.-]", "_", socket.gethostname())[:100]


def _is_private(folder: Path) -> bool:
    try:
        status = os.lstat(folder)
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and (
        not hasattr(os, "getuid") or (status.st_uid == os.getuid() and not stat.S_IMODE(status.st_mode) & 0o077)
    )

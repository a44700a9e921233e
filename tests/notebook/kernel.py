"""A real kernel, talked to as a front end does.

    with Kernel(store=path) as kernel:
        reply = kernel.run("%load_ext simpleflow_lab", cell_id="first")
        assert reply.error is None

The rule: nothing sleeps; what is waited for is a message of the kernel, or its end.
"""

from __future__ import annotations

import os
import queue
import signal
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_S = 200


@dataclass
class Reply:
    """The messages of a kernel in reply to one request."""

    content: dict[str, Any] = field(default_factory=dict)
    """The reply's own content."""
    messages: list[dict[str, Any]] = field(default_factory=list)
    """What it published meanwhile: outputs, displays and errors, in their order."""

    def _contents(self, *kinds: str) -> list[dict[str, Any]]:
        return [message["content"] for message in self.messages if message["msg_type"] in kinds]

    def stream(self, name: str) -> str:
        return "".join(part["text"] for part in self._contents("stream") if part["name"] == name)

    @property
    def stdout(self) -> str:
        return self.stream("stdout")

    @property
    def stderr(self) -> str:
        return self.stream("stderr")

    @property
    def bundles(self) -> list[dict[str, Any]]:
        """The data of displays and results."""
        return [part["data"] for part in self._contents("display_data", "execute_result")]

    @property
    def result(self) -> dict[str, Any] | None:
        """The data of the cell's value."""
        found = [part["data"] for part in self._contents("execute_result")]
        return found[-1] if found else None

    @property
    def error(self) -> str | None:
        """`Name: message` of the error that ended the cell."""
        content = self.content
        return f"{content['ename']}: {content['evalue']}" if content.get("status") == "error" else None

    @property
    def traceback(self) -> str:
        """What was shown of the error."""
        return "\n".join("\n".join(part["traceback"]) for part in self._contents("error"))

    @property
    def shown(self) -> str:
        """All text that a reader without HTML sees."""
        return "\n".join(
            [self.stdout, self.stderr, self.traceback, *(bundle.get("text/plain", "") for bundle in self.bundles)]
        )


class Kernel:
    """A kernel of this environment, for the length of a `with` block. `store` is the store of its `Lab()`."""

    def __init__(self, store: Path | str, *, extension: bool = True):
        self._store = os.fspath(store)
        self._extension = extension
        self._cleanup = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as cleanup:
            home = cleanup.enter_context(tempfile.TemporaryDirectory(prefix="kernel-"))
            self._manager = KernelManager(transport="ipc", ip=f"{home}/kernel")  # a port may be taken meanwhile
            self._manager.start_kernel(
                cwd=home,
                env=os.environ
                | {
                    "IPYTHONDIR": home,
                    "PYTHONPATH": os.pathsep.join(filter(None, [os.fspath(ROOT), os.environ.get("PYTHONPATH")])),
                    "SIMPLEFLOW_LAB_STORE": self._store,
                    "SWF_DOMAIN": "",
                    "XDG_CACHE_HOME": home,  # jedi completes nothing if it reads a file that another kernel writes
                },
            )
            cleanup.callback(self._manager.cleanup_resources)
            cleanup.callback(self._manager.shutdown_kernel, now=True)
            self.client: BlockingKernelClient = self._manager.blocking_client()
            self.client.start_channels()
            cleanup.callback(self.client.stop_channels)
            self.client.wait_for_ready(timeout=TIMEOUT_S)
            self._cleanup = cleanup.pop_all()
        if self._extension:
            assert self.run("%load_ext simpleflow_lab").error is None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._cleanup.close()

    @property
    def pid(self) -> int:
        """Its process."""
        pid: int = self._manager.provisioner.pid
        return pid

    def ask_to_shut_down(self) -> None:
        """What a front end does first."""
        self._manager.request_shutdown()

    def send(self, code: str, *, cell_id: str | None = None) -> str:
        """Ask it to run a cell; gives the id of the request."""
        content = {
            "code": code,
            "silent": False,
            "store_history": True,
            "user_expressions": {},
            "allow_stdin": False,
            "stop_on_error": True,
        }
        message = self.client.session.msg("execute_request", content)
        if cell_id is not None:
            message["metadata"]["cellId"] = cell_id
        self.client.shell_channel.send(message)
        identifier: str = message["header"]["msg_id"]
        return identifier

    def wait(
        self,
        request: str,
        *,
        until: Callable[[Reply], bool] | None = None,
        ended: bool = False,
        timeout: float = TIMEOUT_S,
    ) -> Reply:
        """What it says to the request: up to its end or until `until(reply so far)`; if `ended`, what it says later."""
        reply = Reply()
        deadline = time.monotonic() + timeout
        while until is None or not until(reply):
            try:
                message = self.client.get_iopub_msg(timeout=max(deadline - time.monotonic(), 0.01))
            except queue.Empty:
                raise TimeoutError(f"the kernel replied only: {reply.messages}") from None
            if message["parent_header"].get("msg_id") != request:
                continue
            if not ended and message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
                reply.content = self._answer(request, deadline)
                return reply
            if message["msg_type"] != "status":
                reply.messages.append(message)
        return reply

    def _answer(self, request: str, deadline: float) -> dict[str, Any]:
        while True:
            message = self.client.get_shell_msg(timeout=max(deadline - time.monotonic(), 0.01))
            if message["parent_header"].get("msg_id") == request:
                content: dict[str, Any] = message["content"]
                return content

    def run(self, code: str, *, cell_id: str | None = None, timeout: float = TIMEOUT_S) -> Reply:
        """Run a cell to its end."""
        return self.wait(self.send(code, cell_id=cell_id), timeout=timeout)

    def complete(self, code: str) -> list[str]:
        """What the kernel offers at the end of this text, as whole texts of what would stand there."""
        request = self.client.complete(code, len(code))
        content = self._answer(request, time.monotonic() + TIMEOUT_S)
        return [code[: content["cursor_start"]] + match for match in content["matches"]]

    def interrupt(self) -> None:
        """The stop button."""
        self._manager.interrupt_kernel()

    def kill(self) -> None:
        """`kill -9`, and wait for its end."""
        process = self._manager.provisioner.process  # type: ignore[union-attr]
        os.kill(process.pid, signal.SIGKILL)
        process.wait()

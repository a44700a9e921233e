"""A real JupyterLab, looked at by a real Chromium, for tests of what people see.

    with JupyterLab(folder) as lab, Chromium() as chromium:
        page = chromium.open(lab, "some.ipynb")
        page.run_all()
        assert page.errors() == []
        page.screenshot(folder / "some.png")
        assert page.external_requests == []

The rule: nothing is clicked that JupyterLab's own commands can do, and nothing sleeps; every wait is for a condition.
The server has its own configuration folders, so a person's settings neither help nor hurt. Chromium finds no host but
this one, and requests for others are recorded: what is shown has to work without a network.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self
from urllib.parse import quote, urlsplit

if TYPE_CHECKING:
    from playwright.sync_api import ConsoleMessage, Locator, Page, Playwright, Request

NOT_OURS = "widget model not found"
"""What ipywidgets' own manager writes to the console when it gave up looking for a model, as it does of a plain slider
in a page that is slow; our views have themselves drawn then. Tests see whether a widget is drawn."""

LOOPBACK_HOSTS = {"127.0.0.1", "localhost", "::1"}
WITHOUT_HOST = {"data", "blob", "about"}

SERVER_START_S = 100
NOTEBOOK_OPEN_S = 100
LOOK_S = 100
RUN_S = 200  # below pytest's own timeout, so that the message is ours

# Settings that would otherwise phone home, pop up or write while a test looks.
QUIET_SETTINGS: dict[str, dict[str, Any]] = {
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "docmanager-extension/plugin": {"autosave": False},
}


def chromium_path() -> str | None:
    """Debian's Chromium, or the one that $CHROMIUM names; None if there is none to drive."""
    return os.environ.get("CHROMIUM") or shutil.which("chromium")


def _write_settings(folder: Path, settings: Mapping[str, Mapping[str, Any]]) -> None:
    for plugin, values in settings.items():
        path = folder / "@jupyterlab" / f"{plugin}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values))


class JupyterLab:
    """A JupyterLab server on a folder, for the length of a `with` block. Its kernels are this environment's."""

    url: str
    """Where it listens, without a trailing slash: loopback, no token."""

    def __init__(
        self,
        folder: Path,
        *,
        theme: Literal["JupyterLab Light", "JupyterLab Dark"] = "JupyterLab Light",
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._folder = folder.resolve()
        self._theme = theme
        self._environment = dict(environment or {})
        self._cleanup = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as cleanup:
            home = Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="jupyterlab-")))
            self._log = home / "server.log"
            self._runtime = home / "runtime"
            _write_settings(home / "settings", QUIET_SETTINGS | {"apputils-extension/themes": {"theme": self._theme}})
            self._process = cleanup.enter_context(self._start(home))
            cleanup.callback(self._stop)
            self.url = self._wait_until_ready()
            self._cleanup = cleanup.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._cleanup.close()

    def log(self) -> str:
        """What the server has written so far: the first thing to read when a test fails."""
        return self._log.read_text(errors="replace")

    def _start(self, home: Path) -> subprocess.Popen[bytes]:
        with self._log.open("wb") as log:
            return subprocess.Popen(
                [
                    *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
                    "--ServerApp.ip=127.0.0.1",
                    "--ServerApp.port=0",  # any free one; the server's own record says which
                    f"--ServerApp.root_dir={self._folder}",
                    "--IdentityProvider.token=",
                    "--LabApp.expose_app_in_browser=True",  # window.jupyterapp, by which we drive it
                    "--LabApp.extension_manager=readonly",
                    "--LabApp.news_url=",
                ],
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C in the terminal reaches pytest, which ends the server in order
                env=os.environ
                | {
                    "IPYTHONDIR": str(home / "ipython"),
                    "JUPYTER_CONFIG_DIR": str(home / "config"),
                    "JUPYTER_DATA_DIR": str(home / "data"),
                    "JUPYTER_RUNTIME_DIR": str(self._runtime),
                    "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
                    "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
                    "JUPYTER_PLATFORM_DIRS": "1",
                }
                | self._environment,
            )

    def _wait_until_ready(self) -> str:
        deadline = time.monotonic() + SERVER_START_S
        while time.monotonic() < deadline and self._process.poll() is None:
            # Written when the port is bound, and not in one piece: an unreadable record is one still to come.
            with contextlib.suppress(OSError, ValueError, KeyError):
                (record,) = self._runtime.glob("jpserver-*.json")
                url = f"http://127.0.0.1:{json.loads(record.read_text())['port']}"
                with urllib.request.urlopen(f"{url}/api/status", timeout=5):
                    return url
            time.sleep(0.05)
        raise RuntimeError(f"JupyterLab did not start. Its log:\n{self.log()}")

    def _stop(self) -> None:
        """SIGTERM ends the kernels too; a server that is stuck is killed, and its kernels follow their parent."""
        self._process.terminate()
        try:
            self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self._process.kill()


_NO_OTHER_HOST = "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"
"""For Chromium: names and addresses that it does not look up."""


class _Driver:
    """Playwright, of which a thread can have only one: for as long as anybody needs it."""

    def __init__(self) -> None:
        self._users = 0
        self._cleanup = contextlib.ExitStack()
        self._playwright: Playwright | None = None

    @contextlib.contextmanager
    def use(self) -> Iterator[Playwright]:
        if self._playwright is None:
            from playwright.sync_api import sync_playwright

            self._playwright = self._cleanup.enter_context(sync_playwright())
        self._users += 1
        try:
            yield self._playwright
        finally:
            self._users -= 1
            if not self._users:
                self._playwright = None
                self._cleanup.close()


_DRIVER = _Driver()


class Chromium:
    """A headless Chromium for the length of a `with` block. Each notebook opens in a context of its own."""

    def __init__(self, *, dark: bool = False, width: int = 1280, height: int = 1000) -> None:
        self._dark = dark
        self._width = width
        self._height = height
        self._cleanup = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as cleanup:
            playwright = cleanup.enter_context(_DRIVER.use())
            self._browser = playwright.chromium.launch(
                executable_path=chromium_path(),
                args=[
                    *("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"),
                    f"--host-resolver-rules={_NO_OTHER_HOST}",
                ],
            )
            cleanup.callback(self._browser.close)
            self._cleanup = cleanup.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._cleanup.close()

    def open(self, lab: JupyterLab, notebook: str, *, first: str = "") -> NotebookPage:
        """Open a notebook (a path relative to the server's folder) and wait until its kernel is idle. `first` is a
        script that runs before those of the page."""
        context = self._browser.new_context(
            viewport={"width": self._width, "height": self._height},
            color_scheme="dark" if self._dark else "light",
        )
        context.set_default_timeout(LOOK_S * 1000)
        if first:
            context.add_init_script(first)
        page = NotebookPage(context.new_page())
        page.load(f"{lab.url}/doc/tree/{quote(notebook)}?reset")
        return page

    def blank(self) -> Page:
        """An empty page, without a JupyterLab."""
        return self._browser.new_page(viewport={"width": self._width, "height": self._height})


class Workbench:
    """A JupyterLab and a page of it in which one notebook after the other is opened: loading the page takes ten times
    as long as opening a notebook."""

    def __init__(self, lab: JupyterLab, chromium: Chromium, folder: Path) -> None:
        self._lab = lab
        self._chromium = chromium
        self._folder = folder
        self._page: NotebookPage | None = None

    def open(self, notebook: Path, *, width: int, height: int) -> NotebookPage:
        """Open a notebook within the server's folder, in place of the last one."""
        path = notebook.resolve().relative_to(self._folder).as_posix()
        page, self._page = self._page, None
        if page is None:
            page = self.load(notebook, width=width, height=height)
        else:
            page.page.set_viewport_size({"width": width, "height": height})
            page.replace(path)
        self._page = page
        return page

    def forget_page(self) -> None:
        """Load a new page for the next notebook: nobody knows what a test that failed has left in this one."""
        if self._page is not None:
            self._page.page.context.close()
            self._page = None

    def load(self, notebook: Path, *, width: int, height: int, first: str = "") -> NotebookPage:
        """Open a notebook in a page of its own, where the script `first` runs before those of the page."""
        path = notebook.resolve().relative_to(self._folder).as_posix()
        page = self._chromium.open(self._lab, path, first=first)
        page.page.set_viewport_size({"width": width, "height": height})
        return page


@dataclass(frozen=True, kw_only=True)
class Output:
    """One output of a code cell, as the notebook's model holds it."""

    kind: Literal["stream", "display_data", "execute_result", "error"]
    """nbformat's `output_type`."""

    text: str
    """What was written to the stream, the text/plain form, or `Name: message` of an error."""

    mime_types: frozenset[str] = field(default_factory=frozenset)
    """The forms that were sent; empty for streams and errors."""

    @classmethod
    def from_json(cls, output: Mapping[str, Any]) -> Output:
        kind = output["output_type"]
        match kind:
            case "stream":
                return cls(kind=kind, text=_joined(output["text"]))
            case "error":
                return cls(kind=kind, text=f"{output['ename']}: {output['evalue']}")
            case _:
                data = output["data"]
                return cls(kind=kind, text=_joined(data.get("text/plain", "")), mime_types=frozenset(data))


def _joined(text: str | list[str]) -> str:
    """nbformat's multi-line strings are either."""
    return text if isinstance(text, str) else "".join(text)


class NotebookPage:
    """A notebook in JupyterLab's single-document view. Cells are counted from 0, code cells only."""

    page: Page
    """Playwright's page, for what this class has no word for."""

    external_requests: list[str]
    """URLs that the page asked for outside this machine. None of them was answered."""

    console_errors: list[str]
    """What the browser's console shows in red, and exceptions nobody caught; without `NOT_OURS`."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.external_requests = []
        self.console_errors = []
        page.on("request", self._note_request)
        page.on("console", self._note_console)
        page.on("pageerror", lambda error: self._note_error(str(error)))

    def _note_request(self, request: Request) -> None:
        url = urlsplit(request.url)
        if url.scheme not in WITHOUT_HOST and url.hostname not in LOOPBACK_HOSTS:
            self.external_requests.append(request.url)

    def _note_console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self._note_error(message.text)

    def _note_error(self, text: str) -> None:
        if NOT_OURS not in text:
            self.console_errors.append(text)

    def load(self, url: str) -> None:
        """Go there and wait until the notebook is drawn and its kernel answers."""
        timeout_ms = NOTEBOOK_OPEN_S * 1000
        self.page.goto(url, timeout=timeout_ms)
        self.page.wait_for_function("() => window.jupyterapp !== undefined", timeout=timeout_ms)
        self.page.evaluate("() => window.jupyterapp.restored.then(() => null)")
        self.page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=timeout_ms)
        self.wait_for_kernel("idle", timeout_s=NOTEBOOK_OPEN_S)

    def replace(self, notebook: str) -> None:
        """Close the notebook with its kernel, and open another one in the page that is loaded, as `load` does."""
        self.page.evaluate(
            """async path => {
                const app = window.jupyterapp;
                const last = app.shell.currentWidget;
                await last.sessionContext.shutdown();
                last.dispose();
                const next = await app.commands.execute('docmanager:open', {path, factory: 'Notebook'});
                await next.revealed;
            }""",
            notebook,
        )
        self.page.wait_for_function(
            "path => window.jupyterapp.shell.currentWidget?.context?.path === path",
            arg=notebook,
            timeout=NOTEBOOK_OPEN_S * 1000,
        )
        self.page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=NOTEBOOK_OPEN_S * 1000)
        self.wait_for_kernel("idle", timeout_s=NOTEBOOK_OPEN_S)
        self.external_requests.clear()
        self.console_errors.clear()

    def wait_for_kernel(self, status: Literal["idle", "busy"], *, timeout_s: float = RUN_S) -> None:
        self.page.wait_for_function(
            """status => {
                const kernel = window.jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel;
                return kernel?.connectionStatus === 'connected' && kernel.status === status;
            }""",
            arg=status,
            timeout=timeout_s * 1000,
        )

    def start_all(self) -> None:
        """Run all cells and return at once: for tests that act while cells run."""
        self.page.evaluate(
            "() => { window.testRun = window.jupyterapp.commands.execute('notebook:run-all-cells'); return null; }"
        )

    def wait_until_run(self, *, timeout_s: float = RUN_S) -> None:
        """Wait for the run that `start_all` began. TimeoutError if it takes longer."""
        done = self.page.evaluate(
            """timeout => Promise.race([
                window.testRun.then(() => true),
                new Promise(resolve => setTimeout(() => resolve(false), timeout)),
            ])""",
            timeout_s * 1000,
        )
        if not done:
            raise TimeoutError(f"the notebook still runs after {timeout_s} s")

    def run_all(self, *, timeout_s: float = RUN_S) -> None:
        """Run all cells and wait for the last reply. A cell that raises ends the run: see `errors`."""
        self.start_all()
        self.wait_until_run(timeout_s=timeout_s)

    def outputs(self) -> list[list[Output]]:
        """The outputs of each code cell, from the live model: also of cells that are scrolled out of sight."""
        cells: list[list[dict[str, Any]]] = self.page.evaluate(
            """() => window.jupyterapp.shell.currentWidget.content.widgets
                .filter(cell => cell.model.type === 'code')
                .map(cell => cell.model.outputs.toJSON())"""
        )
        return [[Output.from_json(output) for output in cell] for cell in cells]

    def errors(self) -> list[str]:
        """The exceptions that cells ended with."""
        return [output.text for cell in self.outputs() for output in cell if output.kind == "error"]

    def cell(self, index: int) -> Locator:
        """A code cell as it is drawn."""
        return self.page.locator(".jp-Notebook .jp-CodeCell").nth(index)

    def screenshot(self, path: Path) -> None:
        """The whole notebook. JupyterLab draws only the cells in sight, so the window grows to hold them all."""
        height = self.page.evaluate(
            "() => document.querySelector('.jp-WindowedPanel-outer, .jp-Notebook')?.scrollHeight ?? 0"
        )
        size = self.page.viewport_size or {"width": 1280, "height": 1000}
        self.page.set_viewport_size({"width": size["width"], "height": min(max(size["height"], height + 120), 8000)})
        # Drawn when two frames in a row have passed: one lays out, the next paints.
        self.page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        self.page.screenshot(path=path)

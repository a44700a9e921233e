"""What every test may have: a Lab in memory, and the assurance that its histories are SWF's.

No test reaches Amazon, unless `--swf=aws` asks for just that.
"""

from __future__ import annotations

import functools
import gc
import logging
import os
import shutil
import signal
import socket
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

import botocore.session
import hypothesis
import pytest

from simpleflow_lab import Lab
from tests import own_definitions
from tests.distribution import FilesAndBrowserTests
from tests.s3 import bucket, moto_server  # noqa: F401  fixtures

# How long an example takes says something about the machine, and nothing about the law.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

_asked_for: list[str] = []
"""Hosts of Amazon that somebody looked up."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--swf",
        choices=["here", "aws"],
        default="here",
        help="aws: run the contract suite on Amazon SWF, with the environment's credentials and region, "
        "in the domain SIMPLEFLOW_LAB_TEST_DOMAIN",
    )
    parser.addoption(
        "--without-trials",
        action="store_true",
        help="leave out the tests marked `trial`, try laws on fewer examples, and say so",
    )
    parser.addoption(
        "--short-trials",
        action="store_true",
        help="leave out the trials marked `repeat`, try laws on fewer examples, and say so",
    )
    parser.addoption(
        "--slow-first", action="store_true", help="begin with the files that have tests marked `forks`, then `slow`"
    )


def pytest_configure(config: pytest.Config) -> None:
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell's background job; its children would inherit it
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if _left_out(config):
        os.environ.setdefault("HYPOTHESIS_PROFILE", "quick")  # read by tests/examples_count.py
    if not hasattr(config, "workerinput"):
        _take_a_folder_for_temporary_files(config)


def _take_a_folder_for_temporary_files(config: pytest.Config) -> None:
    """What processes, kernels and notebooks leave there goes with the run. Those of `tmp_path` stay where pytest keeps
    them."""
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", tempfile.gettempdir())
    folder = tempfile.mkdtemp(prefix="sfl-")  # short: sockets in it have a longest path
    os.environ["TMPDIR"] = tempfile.tempdir = folder
    config.add_cleanup(functools.partial(shutil.rmtree, folder, ignore_errors=True))


_trials: list[pytest.Item] = []
"""Those that were left out."""


def _left_out(config: pytest.Config) -> str | None:
    """The marker of the tests that are left out."""
    if config.getoption("--without-trials"):
        return "trial"
    return "repeat" if config.getoption("--short-trials") else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if marker := _left_out(config):
        _trials[:] = [item for item in items if item.get_closest_marker(marker)]
        config.hook.pytest_deselected(items=_trials)
        items[:] = [item for item in items if item.get_closest_marker(marker) is None]
    if config.getoption("--slow-first"):
        forks = {item.path for item in items if item.get_closest_marker("forks")}
        slow = {item.path for item in items if item.get_closest_marker("slow") or item.path.suffix == ".ipynb"}
        items.sort(key=lambda item: (item.path not in forks, item.path not in slow))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> FilesAndBrowserTests | None:
    return FilesAndBrowserTests(config, log) if config.getoption("dist") == "loadfile" else None


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """What a collection makes is there for the whole run: Python's collector need not look at it again and again."""
    gc.disable()
    try:
        return (yield)
    finally:
        own_definitions.set_aside()
        gc.freeze()
        gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    own_definitions.bring_in(item.module if isinstance(item, pytest.Function) else None)


_definitions_before_it = pytest.StashKey[Callable[[], None]]()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> None:
    if isinstance(item, pytest.Function):
        item.stash[_definitions_before_it] = own_definitions.undone(item.module)


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    if undo := item.stash.get(_definitions_before_it, None):
        undo()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if _left_out(config):
        count = f"{len(_trials)} trials" if _trials else "trials"
        terminalreporter.write_line(
            f"not run: {count}, and laws were tried on fewer examples; script/test --trials does all"
        )


@pytest.fixture(scope="session", autouse=True)
def _amazon_is_out_of_reach(request: pytest.FixtureRequest) -> Iterator[None]:
    """No name of Amazon's is looked up in this process."""
    look_up = socket.getaddrinfo

    def guarded(host: Any, *args: Any, **kwargs: Any) -> Any:
        if "amazonaws.com" in str(host):
            _asked_for.append(str(host))
            raise socket.gaierror(socket.EAI_FAIL, f"no test reaches Amazon: {host}")
        return look_up(host, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        if request.config.getoption("--swf") != "aws":
            patch.setattr(socket, "getaddrinfo", guarded)
        yield


@pytest.fixture(scope="session", autouse=True)
def _botocore_reads_its_files_once() -> Iterator[None]:
    """Else each of hundreds of Labs on a wire reads and parses them again."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.session, "create_loader", functools.cache(botocore.session.create_loader))
        yield


@pytest.fixture(scope="session", autouse=True)
def _texts_are_as_wide_as_without_a_terminal() -> Iterator[None]:
    """However wide the terminal of the tests is: tables leave out columns that have no room."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", "80")
        patch.setenv("LINES", "24")
        yield


@pytest.fixture(scope="session", autouse=True)
def _code_is_replayed_however_long_it_takes() -> Iterator[None]:
    """Code of tests is quick, and a busy machine may stop it for longer than people want to wait. A test of such a
    limit sets its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SIMPLEFLOW_LAB_CHECK_SECONDS", "200")
        patch.setenv("SIMPLEFLOW_LAB_STEP_SECONDS", "200")
        yield


@pytest.fixture(autouse=True)
def _amazon_was_not_asked() -> Iterator[None]:
    """Not even by somebody who went on when it failed."""
    _asked_for.clear()
    yield
    assert _asked_for == []


@pytest.fixture(autouse=True)
def _logging_is_as_before() -> Iterator[None]:
    """A command that runs in this process logs to `stderr`: so would every test after it."""
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    yield
    root.setLevel(level)
    for added in set(root.handlers) - set(handlers):
        if not type(added).__module__.startswith("_pytest"):  # pytest adds one for each phase of a test
            root.removeHandler(added)


@pytest.fixture
def lab() -> Iterator[Lab]:
    """A Lab in memory."""
    with Lab(":memory:", activity_threads=4) as opened:
        yield opened

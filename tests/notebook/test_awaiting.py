"""Executions that a cell awaits, and what it shows of those that did not complete: in a real kernel."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.notebook.kernel import Kernel, Reply
from tests.waiting import until

pytestmark = pytest.mark.slow

WIDGET = "application/vnd.jupyter.widget-view+json"
CELL = """%%simpleflow
from simpleflow_lab import Workflow, activity

@activity.with_attributes(task_list="awaited", version="1", raises_on_failure=True)
def check(x):
    if x < 0:
        raise ValueError(f"no {x}")
    return x

class Checking(Workflow):
    name, version, task_list = "checking", "1", "awaited"

    def run(self, x, signal=None):
        if signal:
            self.submit(self.wait_signal(signal)).wait()
        return self.submit(check, x).result
"""


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    with Kernel(tmp_path_factory.mktemp("awaited") / "store.sqlite") as kernel:
        for cell in (CELL, "from simpleflow_lab import Lab\nlab = Lab()\n%simpleflow connect lab"):
            assert kernel.run(cell).error is None
        yield kernel


def uncoloured(reply: Reply) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", reply.traceback)


def text(reply: Reply) -> str | None:
    return reply.result["text/plain"] if reply.result else None


def test_an_execution_is_awaited_for_its_result(kernel: Kernel) -> None:
    assert text(kernel.run("await lab.start(Checking, 4)")) == "4"
    assert text(kernel.run("execution = lab.start(Checking, 5)\n[await execution, await execution]")) == "[5, 5]"


def test_other_code_runs_while_a_cell_awaits(kernel: Kernel) -> None:
    reply = kernel.run(
        "import asyncio\n"
        "execution = lab.start(Checking, 6, signal='go')\n"
        "asyncio.get_running_loop().call_later(0.1, execution.signal, 'go')\n"
        "await execution"
    )
    assert text(reply) == "6"


def test_it_is_shown_while_it_is_awaited_and_stays_there(kernel: Kernel) -> None:
    begun = kernel.send("await lab.start(Checking, 7, signal='go', workflow_id='shown')")
    early = kernel.wait(begun, until=lambda reply: any(WIDGET in bundle for bundle in reply.bundles))
    assert [set(bundle) for bundle in early.bundles] == [{WIDGET}]
    kernel.interrupt()
    late = kernel.wait(begun)

    assert uncoloured(late) == "shown goes on: only the waiting was interrupted; its result() waits again"
    assert ["while it was open" in still["text/html"] for still in late.bundles] == [True]
    assert not any(message["msg_type"] == "comm_close" for message in late.messages)
    assert text(kernel.run("lab.execution('shown').signal('go')\nawait lab.execution('shown')")) == "7"


def test_what_a_cell_awaited_leaves_its_last_state_and_no_empty_output(kernel: Kernel) -> None:
    ids = [f"one-of-{number}" for number in range(6)]
    begun = kernel.send(
        "import asyncio\n"
        "from simpleflow_lab.notebook import live_display\n"
        "live_display.DELAY = 0.0\n"  # each is shown before its signal comes, however slow this machine is
        f"runs = [lab.start(Checking, 7, signal='go', workflow_id=each) for each in {ids}]\n"
        "results = []\n"
        "for each in runs:\n"
        "    asyncio.get_running_loop().call_later(0.3, each.signal, 'go')\n"
        "    results.append(await each)\n"
        "results"
    )
    reply = kernel.wait(begun)
    kernel.run("live_display.DELAY = 0.4")

    assert text(reply) == str([7] * 6)
    *views, value = reply.bundles[:6]
    assert [set(view) for view in views] == [{WIDGET}] * 5
    assert value["text/plain"] == str([7] * 6)
    # The last one took the place of the one before it: a loop does not fill the page.
    assert [still["text/plain"] for still in reply.bundles[6:]] == [
        f"<Execution {each} of checking: COMPLETED>" for each in [*ids[:4], ids[5]]
    ]
    assert [message["msg_type"] for message in reply.messages].count("comm_close") == 2  # a view and its layout
    names = "import threading\n[each.name for each in threading.enumerate() if 'waits for' in each.name]"
    until(lambda: text(kernel.run(names)) == "[]")


def test_the_magic_is_awaited(kernel: Kernel) -> None:
    line = "workflow.start Checking --input '[8]' --await -o kept"
    assert "COMPLETED" in str(text(kernel.run(f"%simpleflow {line}")))
    assert text(kernel.run("kept.result()")) == "8"
    assert "COMPLETED" in str(text(kernel.run(f"found = %simpleflow {line}\nfound")))
    begun = kernel.send("%simpleflow workflow.start Checking --input '[9, \"go\"]' --workflow-id magic --await")
    kernel.wait(begun, until=lambda reply: any(WIDGET in bundle for bundle in reply.bundles))
    kernel.interrupt()
    assert "magic goes on" in uncoloured(kernel.wait(begun))
    assert kernel.run("lab.execution('magic').terminate()").error is None


def test_a_word_inside_a_value_asks_for_nothing(kernel: Kernel) -> None:
    reply = kernel.run("%simpleflow workflow.start Checking --input '[1]' --tags 'an --await b'")
    assert "COMPLETED" in str(text(reply))


@pytest.mark.parametrize(
    "cell",
    [
        "await lab.start(Checking, -1)",
        "lab.start(Checking, -1).result()",
        "%simpleflow workflow.start Checking --input '[-1]'",
        "%simpleflow workflow.start Checking --input '[-1]' --await",
    ],
)
def test_what_failed_is_shown_by_its_own_lines_and_none_of_ours(kernel: Kernel, cell: str) -> None:
    reply = kernel.run(cell)
    shown = uncoloured(reply)

    assert reply.content["ename"] == "WorkflowExecutionFailed"
    assert re.search(r"Cell In\[\d+\], line 7, in check\n +raise ValueError", shown)
    assert "/simpleflow_lab/" not in shown
    assert "ipykernel" not in shown


def test_a_failed_execution_is_given_with_no_raise(kernel: Kernel) -> None:
    for way in ("", " --await"):
        reply = kernel.run(f"%simpleflow workflow.start Checking --input '[-1]' --no-raise{way}")
        assert reply.error is None
        assert "FAILED" in str(text(reply))


def test_a_wrong_call_is_told_at_the_line_of_the_cell(kernel: Kernel) -> None:
    reply = kernel.run("x = 1\nlab.start(Checking)")

    assert reply.error == "UsageError: Checking.run(x, signal=None): missing a required argument: 'x'"
    assert uncoloured(reply).splitlines()[2:] == [
        *(uncoloured(reply).splitlines()[2:3]),
        "      1 x = 1",
        "----> 2 lab.start(Checking)",
        "",
        str(reply.error),
    ]


def test_an_execution_that_is_late_is_told_at_the_line_of_the_cell(kernel: Kernel) -> None:
    reply = kernel.run("late = lab.start(Checking, 1, signal='go')\nlate.result(0.1)")

    assert "still open after 0.1 s" in str(reply.error)
    assert "/simpleflow_lab/" not in uncoloured(reply)
    assert (
        text(kernel.run("try:\n    late.result(0)\nexcept TimeoutError:\n    print('caught')\nlate.terminate()"))
        is None
    )


@pytest.mark.parametrize(
    "cell",
    ["x = 1\nawait asyncio.wait_for(late, 0.1)", "x = 1\nasync with asyncio.timeout(0.1):\n    await late"],
)
def test_what_is_awaited_too_long_shows_no_line_of_ours(kernel: Kernel, cell: str) -> None:
    assert kernel.run("import asyncio\nlate = lab.start(Checking, 1, signal='go')").error is None
    reply = kernel.run(cell)

    assert str(reply.error).startswith("TimeoutError")
    assert "----> 2 a" in uncoloured(reply)
    assert "simpleflow_lab" not in uncoloured(reply)
    assert kernel.run("print(late.status)\nlate.terminate()").stdout == "OPEN\n"


def test_without_the_extension_the_errors_are_pythons_again(kernel: Kernel) -> None:
    assert kernel.run("%unload_ext simpleflow_lab").error is None
    shown = uncoloured(kernel.run("lab.start(Checking)"))
    assert "/simpleflow_lab/lab.py" in shown
    assert text(kernel.run("await lab.start(Checking, 4)")) == "4"
    assert kernel.run("%load_ext simpleflow_lab\n%reload_ext simpleflow_lab\n%reload_ext simpleflow_lab").error is None
    assert "/simpleflow_lab/" not in uncoloured(kernel.run("lab.start(Checking)"))

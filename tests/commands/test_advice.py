"""What helps, as commands of a shell: no call of Python is left, and ids from a history are quoted."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path

import pytest

from simpleflow_lab import open_history
from simpleflow_lab.commands.advice import Named, in_shell, listing_in_shell, named_in_shell
from simpleflow_lab.commands.command_table import table
from simpleflow_lab.views.explanation_lines import ExplanationLine
from simpleflow_lab.views.listings import Kind, Listing

ID = Named(workflow_id="nightly-1")
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("to_do", "expected"),
    [
        ("execution.tasks()", "simpleflow workflow.tasks nightly-1"),
        ("execution.tasks(), or simpleflow workflow.tasks nightly-1", "simpleflow workflow.tasks nightly-1"),
        ("execution.signal('go'), or simpleflow workflow.signal a go", "simpleflow workflow.signal a go"),
        ("lab.execution('c').signal('go'), or simpleflow workflow.signal c go", "simpleflow workflow.signal c go"),
        ("execution.unhandled_failures()", "simpleflow --filter 'Last State!=completed' workflow.tasks nightly-1"),
        ("execution.critical_path()", "simpleflow gantt -o run.html nightly-1"),
        ("lab.start_workers(6, task_list='etl')", "simpleflow worker.start --module MODULE --task-list etl -N 6"),
        (
            "lab.start_workers(task_list='a (b) c'); lab.pollers() shows who polls",
            "simpleflow worker.start --module MODULE --task-list 'a (b) c'; simpleflow worker.list shows who polls",
        ),
        ("lab.execution('child', 'run').explain()", "simpleflow workflow.explain child run"),
        ("""lab.execution("it's $(rm)").explain()""", """simpleflow workflow.explain 'it'"'"'s $(rm)'"""),
        ("raise max_parallel of the group", "raise max_parallel of the group"),
        ("simpleflow workflow.signal nightly-1 go", "simpleflow workflow.signal nightly-1 go"),
        (
            "execution.signal('x, or simpleflow $(rm)'), or simpleflow workflow.signal a 'x, or simpleflow $(rm)'",
            "simpleflow workflow.signal a 'x, or simpleflow $(rm)'",
        ),
        ("lab.execution('c').signal('go')", ""),
        ("execution.result()", ""),
        ("execution.slack()", ""),
        ("comparison.tasks()", ""),
        ("lab.execution(__import__('os')).explain()", ""),
        ("", ""),
    ],
)
def test_a_call_is_the_command_that_does_it_or_is_left_out(to_do: str, expected: str) -> None:
    line = in_shell(ExplanationLine.of("time", "what there is", to_do=to_do), ID)
    assert line == (f"what there is → {expected}" if expected else "what there is")
    for command in re.findall(r"simpleflow (.*?)(?:; | shows|$)", expected):
        words = [word for word in shlex.split(command) if "." in word or word == "gantt"]
        assert set(words) & set(table.all_commands())


@pytest.mark.parametrize(
    ("to_do", "expected"),
    [
        ("execution.tasks()", "workflow.tasks nightly-1"),
        ("execution.signal('go'), or simpleflow workflow.signal a go", "workflow.signal a go"),
        ("simpleflow workflow.signal a go", "workflow.signal a go"),
    ],
)
def test_a_command_names_the_store_that_the_shell_named(to_do: str, expected: str) -> None:
    line = in_shell(ExplanationLine.of("time", "what there is", to_do=to_do), ID, "simpleflow --store 'my shop.sqlite'")
    assert line == f"what there is → simpleflow --store 'my shop.sqlite' {expected}"


@pytest.mark.parametrize(
    ("to_do", "expected"),
    [
        ("execution.tasks()", "workflow.tasks prod nightly-1"),
        ("execution.critical_path()", "gantt -o run.html prod nightly-1"),
        ("lab.execution('child', 'run').explain()", "workflow.explain prod child run"),
        ("lab.resume('a')", "resume --module MODULE --domain prod a"),
        ("lab.resume()", "resume --module MODULE --domain prod"),
        ("lab.start_deciders()", "decider.start --module MODULE --domain prod"),
        ("lab.start_workers(6, task_list='etl')", "worker.start --module MODULE --domain prod --task-list etl -N 6"),
        ("lab.pollers()", "worker.list --domain prod"),
    ],
)
def test_every_command_names_the_domain_if_it_is_another_one(to_do: str, expected: str) -> None:
    line = in_shell(ExplanationLine.of("time", "it", to_do=to_do), Named(workflow_id="nightly-1", domain="prod"))
    assert line == f"it → simpleflow {expected}"


@pytest.mark.parametrize(
    ("to_do", "expected"),
    [
        ("execution.tasks()", "workflow.tasks -- -x"),
        ("execution.critical_path()", "gantt -o run.html -- -x"),
        ("lab.execution('--help').explain()", "workflow.explain -- --help"),
        ("lab.resume('-y')", "resume --module MODULE -- -y"),
    ],
)
def test_an_id_that_begins_with_a_dash_is_no_option(to_do: str, expected: str) -> None:
    line = in_shell(ExplanationLine.of("time", "it", to_do=to_do), Named(workflow_id="-x"))
    assert line == f"it → simpleflow {expected}"


def test_a_table_that_advises_names_commands_too() -> None:
    columns = {"what": Kind.TEXT, "what helps": Kind.TEXT}
    listing = Listing(columns=columns, rows=[("execution.tasks()", "execution.tasks()"), ("x", None)])
    assert listing_in_shell(listing, ID).rows == [
        ("execution.tasks()", "simpleflow workflow.tasks nightly-1"),
        ("x", None),
    ]


def test_a_file_is_named_as_it_was_opened(tmp_path: Path) -> None:
    path = tmp_path / "my run.json"
    path.write_text((ROOT / "tests/histories/with_replays.json").read_text())
    assert str(named_in_shell(open_history(path))) == f"--file '{path}'"


CALL = re.compile(r"\b(?:lab|execution|comparison)\.\w+\(|\bLab\(")
ADJACENT = re.compile(r"""["']\s*[fr]?["']""")
"""Between two literals that are one text."""
IN_NOTEBOOKS_ONLY = (
    "the Lab of this session runs in real time: open one as Lab(…, clock='virtual')",
    "the Lab of this session works in domain {}, not {}: open another one, as in Lab(…, domain={})",
    "store of `Lab()`: a file, `:memory:` or `aws://REGION/DOMAIN`",
    "--threads and --executor are for processes of a shell: here -N says how many activities run at once, "
    "and executor= of an activity, or Lab(activity_executor=…), where",
)
"""A shell opens a Lab for each command, and the table of settings has both."""
CONVERTED = ("views", "commands/advice.py")
"""What helps of these is shown by `advice`."""


def _texts(path: Path) -> list[str]:
    """The texts in a module that people are shown: all but docstrings. None, if nothing there looks like a call."""
    source = path.read_text()
    if not CALL.search(ADJACENT.sub("", source)):  # to parse all modules takes seconds
        return []
    tree = ast.parse(source)
    left_out = {
        id(part)
        for node in ast.walk(tree)
        for part in ([node.value] if isinstance(node, ast.Expr) else getattr(node, "values", []))
    }
    found = [node for node in ast.walk(tree) if id(node) not in left_out]
    plain = [node.value for node in found if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    parts = [node.values for node in found if isinstance(node, ast.JoinedStr)]
    return plain + [
        "".join(str(each.value) if isinstance(each, ast.Constant) else "{}" for each in values) for values in parts
    ]


def test_no_message_names_a_call_of_python_alone() -> None:
    """A person in a shell can type no call: a message names the command, too, or says it without either."""
    package = ROOT / "simpleflow_lab"
    found = [
        (str(path.relative_to(package)), text)
        for path in sorted(package.rglob("*.py"))
        if path.relative_to(package).parts[0] not in ("notebook", "upstream", "debugger")
        and not str(path.relative_to(package)).startswith(CONVERTED)
        for text in _texts(path)
        if " " in text and CALL.search(text) and ", or simpleflow " not in text and text not in IN_NOTEBOOKS_ONLY
    ]
    assert found == []

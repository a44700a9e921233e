"""The reference pages of docs/: from docstrings and the command table, for Sphinx (docs/conf.py calls it).

`PAGES` says which module is on which page; tests/test_docs.py fails for a module of the package that is neither there
nor in `INTERNAL`, and for what is public there and has no docstring. Our docstrings are plain text, with `code`, blocks
set in by four spaces, and `:param x:`; `to_rst` makes reStructuredText of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import simpleflow_lab
from simpleflow_lab.commands.command_specs import describe
from simpleflow_lab.commands.command_table import Help, run
from simpleflow_lab.commands.session import Session

PACKAGE: Final = "simpleflow_lab"
FOLDER: Final = Path(simpleflow_lab.__file__).parent


class Page(NamedTuple):
    """One page of the reference."""

    name: str
    """Of its file."""
    title: str
    modules: tuple[str, ...]
    """Of the package, in the order in which they stand there."""


PAGES: Final = (
    Page("workflow", "Workflows", ("workflow", "signal", "marker", "log")),
    Page("activity", "Activities", ("activity", "retry", "middleware", "activity_context", "constants")),
    Page("futures", "Futures", ("futures",)),
    Page("task", "Tasks", ("task",)),
    Page("canvas", "Groups and chains", ("canvas",)),
    Page("step", "Steps", ("step", "step.workflow", "step.submittable", "step.constants", "step.tasks", "step.rules")),
    Page("execute", "Programs", ("execute",)),
    Page("metrology", "Metrology", ("metrology",)),
    Page("exceptions", "Errors", ("exceptions", "data.failure_details")),
    Page(
        "lab",
        "Lab and executions",
        (
            "lab",
            "lab_workers",
            "execution",
            "executions.execution_views",
            "views.history_views",
            "recorded_execution",
            "executions.task_progress",
            "execution_sets",
            "executions.start_requests",
            "workers",
        ),
    ),
    Page(
        "debugger",
        "The replay debugger",
        (
            "debugger.steps",
            "debugger.frames",
            "debugger.decision_size",
            "debugger.quiet_failures",
            "debugger.differences",
            "debugger.recorded_checks",
            "debugger.checking",
            "debugger.value_snapshots",
            "debugger.pdb_session",
            "debugger.fork_execution",
            "debugger.fork_plan",
            "debugger.rerun_attempts",
            "debugger.what_if",
            "debugger.task_named",
        ),
    ),
    Page(
        "values",
        "Values and objects",
        (
            "definitions.registries",
            "definitions.redefinitions",
            "data.codec",
            "data.numpy_pandas",
            "data.objects",
            "data.fields",
            "data.references",
        ),
    ),
    Page(
        "views",
        "Histories, tables and figures",
        (
            "swf.history",
            "views.tables",
            "views.attempts",
            "views.waiting",
            "views.explanation",
            "views.explanation_lines",
            "views.critical_path",
            "views.slack",
            "views.path_tables",
            "views.line_views",
            "views.comparison",
            "views.task_differences",
            "views.comparison_tables",
            "views.gantt_pair",
            "views.execution_log",
            "views.history_fold",
            "views.step_tables",
            "views.combined_tables",
            "views.profile",
            "views.gantt",
            "views.chart",
            "views.graph",
            "views.export_files",
            "views.chrome_trace",
            "views.lineage",
            "views.time_spent",
        ),
    ),
    Page("history", "A workflow's own history", ("replay.task_records",)),
    Page(
        "upstream",
        "Upstream's names",
        (
            "upstream",
            "upstream.base",
            "upstream.download",
            "upstream.history",
            "upstream.registry",
            "upstream.local",
            "upstream.local.executor",
            "upstream.swf",
            "upstream.swf.executor",
            "upstream.swf.task",
        ),
    ),
    Page("settings", "Settings", ("settings",)),
)
"""What people import, and what they configure."""

INTERNAL: Final = frozenset(
    {
        "cli",
        "commands",
        "data",
        "debugger",
        "definitions",
        "engine",
        "executions",
        "http",
        "locking",
        "notebook",
        "programs",
        "replay",
        "runtime",
        "service",
        "swf",
        "views",
    }
)
"""What nobody needs to import to write, run and look at workflows. A module inside may be on a page all the same."""


def public_modules() -> list[str]:
    """Every module of the package that is for people to import, from its files."""
    paths = [path.relative_to(FOLDER).with_suffix("").parts for path in FOLDER.rglob("*.py")]
    names = [parts[:-1] if parts[-1] == "__init__" else parts for parts in paths]
    return sorted(
        ".".join(parts)
        for parts in names
        if parts and parts[0] not in INTERNAL and not any(part.startswith("_") for part in parts)
    )


# -- pages -------------------------------------------------------------------------------------------------------------


def write_pages(folder: Path) -> None:
    """Write all pages into this folder. One that is as it should be is left alone: Sphinx then leaves it, too."""
    folder.mkdir(exist_ok=True)
    pages = {f"{page.name}.rst": "\n".join(_module_page(page)) for page in PAGES}
    pages["commands.rst"] = "\n".join(_commands_page())
    pages["index.rst"] = "\n".join(_index_page())
    for name, text in pages.items():
        path = folder / name
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
    for path in folder.glob("*.rst"):
        if path.name not in pages:
            path.unlink()


def _index_page() -> Iterator[str]:
    yield from _title("Reference", "=")
    yield from (".. toctree::", "   :maxdepth: 1", "")
    yield from (f"   {page.name}" for page in PAGES)
    yield from ("   commands", "")


def _module_page(page: Page) -> Iterator[str]:
    yield from _title(page.title, "=")
    for module in page.modules:
        name = f"{PACKAGE}.{module}"
        if len(page.modules) > 1:
            yield from _title(name, "-")
        yield from (f".. automodule:: {name}", "   :members:", "")


def _commands_page() -> Iterator[str]:
    yield from _title("Commands", "=")
    yield from (
        "The shell's ``simpleflow COMMAND`` and the notebook's ``%simpleflow COMMAND`` are the same commands. "
        "What follows is what ``--help`` says.",
        "",
    )
    for command in describe():
        words = [command.name, "--help"] if command.name else ["--help"]
        record = run(words, Session())
        assert isinstance(record, Help)
        yield from _title(f"simpleflow {command.name}".rstrip(), "-")
        yield from ("::", "", *(f"   {line}" for line in record.help.splitlines()), "")


def _title(text: str, line: str) -> tuple[str, ...]:
    return (text, line * len(text), "")


# -- docstrings --------------------------------------------------------------------------------------------------------

_CODE: Final = re.compile(r"(``.+?``|`[^`]+`)", re.DOTALL)
_TABLE: Final = re.compile(r"={3,}( +={3,})*")
_FIELD: Final = re.compile(r":\w+( \*{0,2}\w+)?:( |$)")


def to_rst(lines: Sequence[str]) -> list[str]:
    """A docstring, its own indentation taken away, in reStructuredText."""
    text: list[str] = []
    prose: list[str] = []
    in_block = in_table = in_field = False
    after_blank = True
    for line in (*lines, ""):
        if not line.strip():
            text += [*_inline(prose), line]
            prose, in_table, after_blank = [], False, True
            continue
        if not line.startswith(" "):
            in_block, in_field = False, bool(_FIELD.match(line))
        elif after_blank and not in_block and not in_field:
            in_block = True
            text += ["::", ""]
        in_table = in_table or bool(_TABLE.fullmatch(line))
        (text if in_block or in_table else prose).append(line)
        after_blank = False
    return text[:-1]


def _inline(lines: Sequence[str]) -> list[str]:
    """Lines of prose: `code` as reStructuredText writes it, and nothing else with a meaning of its own."""
    parts = _CODE.split("\n".join(lines))
    text = "".join(_literal(part) if index % 2 else _escaped(part) for index, part in enumerate(parts))
    return text.split("\n") if lines else []


def _literal(code: str) -> str:
    return f"``{code.strip('`')}``"


def _escaped(text: str) -> str:
    text = text.replace("\\", "\\\\")
    text = re.sub(r"(?m)(?<!^)[*|]|^[*|](?! )", r"\\\g<0>", text)
    return re.sub(r"(?<=\w)_\b", r"\\_", text)


def process_docstring(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Sphinx's event `autodoc-process-docstring`."""
    lines[:] = to_rst(lines)

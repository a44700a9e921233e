"""What can't be done as typed: exit code 2, exactly one line, no traceback, nothing changed."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from examples.basic import BasicWorkflow
from simpleflow_lab import Lab
from simpleflow_lab.engine.embedded import EmbeddedSWF

pytestmark = pytest.mark.slow

Command = Callable[..., Any]
BASIC = "examples.basic.BasicWorkflow"
DEEP = 100_000


@pytest.fixture(scope="module")
def store_with_b1(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("b1") / "lab.sqlite"
    with Lab(path) as lab:
        lab.start(BasicWorkflow, 1, t=0, workflow_id="b1").result(timeout=200)
    return path


@pytest.fixture
def store(tmp_path: Path, store_with_b1: Path) -> Path:
    """A store of this test's own with one completed execution, b1."""
    return Path(shutil.copy(store_with_b1, tmp_path / "lab.sqlite"))


def contents(store: Path) -> list[Any]:
    """All that a store holds, except when it was open."""
    with sqlite3.connect(store) as database:
        names = [name for (name,) in database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        found = [(name, list(database.execute(f"SELECT * FROM {name}"))) for name in sorted(names) if name != "uptime"]
    database.close()
    return found


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Modules that can't be imported."""
    (tmp_path / "bad_syntax.py").write_text("def :\n")
    (tmp_path / "bad_raises.py").write_text("raise RuntimeError('on\\npurpose')\n")
    (tmp_path / "bad_exits.py").write_text("import sys\nsys.exit(0)\n")
    (tmp_path / "bad_imports.py").write_text("import nosuch_dependency\n")
    (tmp_path / "bad_skips.py").write_text("import pytest\npytest.skip('not here', allow_module_level=True)\n")
    (tmp_path / "bad_words.py").write_text(
        "class Wordless(Exception):\n    def __str__(self):\n        raise ValueError\nraise Wordless\n"
    )
    monkeypatch.syspath_prepend(tmp_path)


def start(*words: str) -> list[str]:
    return ["workflow.start", BASIC, *words]


def with_input(text: str) -> list[str]:
    return start("--input", text)


WORKFLOW_NAMES = [
    "", "nosuch", "pkg.nosuch", "os.getcwd", "os.system", "os", "os.nosuch", "builtins.int", "simpleflow_lab.Workflow",
    "bad_syntax.W", "bad_raises.W", "bad_exits.W", "bad_imports.W", "..x", "a/b.py", "examples.basic.",
    "ехamples.basic.BasicWorkflow", "x" * 300, "a\nb", "a.\x1b[31m", "examples.basic.increment",
]  # fmt: skip
INPUTS = [
    "", "{", '{"args": 5}', '{"args": [1], "extra": 1}', "[1,", "['1']", "[1,]", "[NaN]", "[Infinity]", "[1e999]",
    f"[{'1' * 5000}]", f"[{'[' * 101}{']' * 101}]", f"{'[' * DEEP}{']' * DEEP}", '{"kwargs": {"x": 1, "x": 2}}',
    '["\\ud800"]', "[\x00]", "\ufeff[1]", "bare", "[1, 2, 3]", "[]", '{"kwargs": {"y": 1}}', '{"kwargs": []}',
    json.dumps(["x" * 6_000_000]), "y=1", "x=[1", "=1", "x =1", "x=NaN", "x=1e999", "x=.5",
]  # fmt: skip
OPTIONS = [
    start("-i", "x=1", "-i", "x=2"), start("-i", "x=1", "-i", "[1]"), start("-i", "[1]", "-i", "[2]"),
    start("-i", "x=1", "--input-file", "x"),
    start("-i", "[1]", "--workflow-id", ""), start("-i", "[1]", "--workflow-id", "x" * 257),
    start("-i", "[1]", "--workflow-id", "a:b"), start("-i", "[1]", "--workflow-id", "a/b"),
    start("-i", "[1]", "--workflow-id", "a|b"), start("-i", "[1]", "--workflow-id", "a\x07"),
    start("-i", "[1]", "--workflow-id", "arn"), start("-i", "[1]", "--workflow-id", " a"),
    start("-i", "[1]", "--tags", "a,b,c,d,e,f"), start("-i", "[1]", "--tags", "x" * 257),
    start("-i", "[1]", "--task-list", ""), start("-i", "[1]", "--execution-timeout", "-1"),
    start("-i", "[1]", "--execution-timeout", "0"), start("-i", "[1]", "--execution-timeout", "1.5"),
    start("-i", "[1]", "--execution-timeout", "abc"), start("-i", "[1]", "--execution-timeout", "1000000000000"),
    start("-i", "[1]", "--execution-timeout", "NONE"), start("-i", "[1]", "--decision-tasks-timeout", "none"),
    start("-i", "[1]", "-i"), start("-i", "[1]", "--input-file", "x"), start("--input-file", "/no/such/file"),
    start("--input-file", "/"), start("--input-file", "/dev/zero"), start("--nosuch"), start("extra", "-i", "[1]"),
    start("--store", "x", "-i", "[1]"), start("-i", "[1, 0]", "--workflow-id", "b1", "-d", "x:y"),
]  # fmt: skip
LOOKS = [
    ["workflow.info"], ["workflow.tasks", "nosuch"], ["workflow.tasks", "lab", "nosuch"],
    ["workflow.tasks", "b1", "norun"], ["workflow.info", "lab", "b1", "%2525"],
    ["workflow.info", "nodomain", "b1", "r"],
    ["workflow.info", "a", "b", "c", "d"], ["workflow.info", "-d", "nodomain", "b1"],
    ["workflow.info", "-d", "x", "lab", "b1", "r"],
    ["workflow.info", "x" * 300], ["workflow.info", "\x1b[2J"], ["workflow.list", "nodomain"],
    ["workflow.list", "lab", "--domain", "other"], ["workflow.list", "-s", "broken"], ["workflow.list", "-d", "-1"],
    ["workflow.list", "-d", "nan"], ["workflow.list", "-d", "soon"],
    ["workflow.tasks", "b1", "-n", "0"], ["workflow.tasks", "b1", "-n", "x"],
    ["workflow.tasks", "b1", "--file", "x.json"], ["workflow.history", "b1", "-o", "xml"],
    ["workflow.history", "b1", "--output-file", "/no/such/folder/x"], ["gantt", "b1"], ["gantt", "b1", "-o", "/"],
    ["gantt"], ["open"], ["open", "/no/such/file"], ["open", "/"], ["workflow.terminate", "b1"],
    ["workflow.cancel", "b1"],
    ["workflow.terminate"], ["workflow.signal"], ["workflow.signal", "go"], ["workflow.signal", "b1", "go", "-i", "{"],
    ["workflow.signal", "b1", "go"], ["workflow.signal", "b1", ""], ["workflow.signal", "b1", "a:b"],
    ["workflow.signal", "go", "b1"], ["workflow.signal", "--run-id", "x", "go"], ["resume", "nosuch"],
    ["resume", "--module", "nosuch_module"], ["resume", "--module", "../x"], ["info", "nosection"], ["help", "nosuch"],
]  # fmt: skip
ENGINE = [
    ["engine.start", "--poll-seconds", "nan"], ["engine.start", "--poll-seconds", "56"],
    ["engine.start", "--poll-seconds", "-1"], ["engine.start", "--port", "65536"], ["engine.start", "--port", "http"],
    ["engine.start", "--rotate-keys=1"], ["engine.start", "b1"],
]  # fmt: skip
GLOBAL = [
    ["workflow.strat"], ["--nosuch", "info"], ["--format", "xml", "info"], ["--color", "maybe", "info"],
    ["--module", "bad_syntax", "info"], ["--module", "bad_exits", "info"], ["--store"],
    ["--module", "bad_skips", "info"], ["--module", "bad_words", "info"], ["--header=1", "info"],
    ["\x1b[31m"], [""], ["x" * 300],
]  # fmt: skip
MANY = [
    ["workflow"], ["workflow", "frobnicate"], ["workflow", "-x"], ["domain"], ["help", "workflow", "nosuch"],
    ["help", "workflow", "list", "info"], ["workflow.list", "--columns", "nosuch"], ["workflow.list", "--sort", "-x"],
    ["workflow.list", "--filter", "status"], ["workflow.list", "--filter", "=x"], ["workflow.list", "--filter", "x=1"],
    ["workflow.list", "--limit", "-1"], ["workflow.list", "--limit", "x"], ["workflow.list", "--watch", "0"],
    ["workflow.list", "--watch", "nan"], ["workflow.list", "--format", "xml"], ["workflow.start", "--watch", "1"],
    ["workflow.profile", "b1", "--filter", "start>soon"], ["workflow.profile", "b1", "--filter", "time running<x"],
    ["workflow.filter", "nodomain"], ["workflow.filter", "-c", "DONE"], ["workflow.filter", "-s", "broken"],
    ["workflow.filter", "-s", "open", "-c", "FAILED"], ["workflow.filter", "--workflow-type-version", "1"],
    ["workflow.filter", "--from-date", "soon"], ["workflow.filter", "--from-date", "2026-02-30"],
    ["workflow.filter", "--from-date", "2026-02-02", "--to-date", "2026-02-01"],
    ["workflow.filter", "--tag", "x" * 257],
    # A shell's variable that is not set leaves such a criterion empty, and what is found may go to `terminate -`.
    ["workflow.filter", "--tag", ""], ["workflow.statistics", "--tags", ","], ["workflow.filter", "--workflow-id", ""],
    ["workflow.filter", "--workflow-type-name", ""],
    ["workflow.filter", "--workflow-type-name", "basic", "--workflow-type-version", ""],
    ["task_list.list", "--task-list", ""],
    ["workflow.filter", "-d", "1e9"], ["workflow.statistics", "nodomain"], ["workflow.statistics", "--columns", "p99"],
    ["workflow.fork"], ["workflow.fork", "nosuch"], ["workflow.fork", "b1"], ["workflow.fork", "b1", "--at", "99"],
    ["workflow.fork", "b1", "--at", "nosuch"], ["workflow.fork", "b1", "--at", "2", "--replace", "x"],
    ["workflow.fork", "b1", "--replace", "nosuch=1"], ["workflow.fork", "b1", "--replace", "increment=x"],
    ["workflow.fork", "b1", "--anew", "("], ["workflow.fork", "b1", "--at", "2", "--new-id", "a:b"],
    ["workflow.fork", "b1", "--at", "2", "--workflow-id", "a:b"],
    ["workflow.restart"], ["workflow.restart", "nosuch"], ["workflow.replay"], ["workflow.replay", "nosuch"],
    ["workflow.replay", "b1", "--workflow", "nosuch"], ["workflow.replay", "b1", "--module", "bad_raises"],
    ["task.info"], ["task.info", "b1"], ["task.info", "b1", "nosuch"], ["task.info", "increment", "b1"],
    ["activity.rerun"], ["activity.rerun", "b1"], ["activity.rerun", "b1", "nosuch"],
    ["activity.rerun", "b1", "--scheduled-id", "1"], ["activity.rerun", "b1", "--scheduled-id", "0"],
    ["activity.rerun", "b1", "increment", "--attempt", "2"], ["activity.rerun", "b1", "increment", "-i", "{"],
    ["task_list.list", "nodomain"], ["domain.info", "nodomain"], ["domain.register"], ["domain.register", "a:b"],
    ["domain.register", "lab"], ["domain.register", "new", "--retention-days", "91"], ["domain.deprecate", "nodomain"],
    ["domain.undeprecate", "lab"], ["domain.list", "-s", "OLD"], ["completion"], ["completion", "tcsh"],
    ["workflow.info", "-x"], ["workflow.info", "--", "-x"],
]  # fmt: skip
SERVED = ["--module", "examples.basic"]
PROCESSES = [
    *([command, *SERVED, "-N", number] for command in ("decider.start", "worker.start")
      for number in ("0", "-3", "10000", "x", "1.5")),
    *(["standalone", BASIC, "-i", "[1]", option, number] for option in ("-W", "-D") for number in ("0", "100000", "x")),
    ["worker.start", *SERVED, "--heartbeat", "-1"], ["worker.start", *SERVED, "--heartbeat", "nan"],
    ["worker.start", *SERVED, "--threads", "0"], ["worker.start", *SERVED, "--executor", "rockets"],
    ["worker.start"], ["worker.start", "--module", "nosuch"], ["decider.start"], ["decider.start", "nosuch.W"],
    ["worker.start", *SERVED, "--poll-data", "!"], ["worker.start", *SERVED, "--poll-data", "e30="],
    ["standalone"], ["standalone", "nosuch"], ["standalone", "nosuch.W"], ["standalone", BASIC, "-i", "{"],
    ["standalone", BASIC, "-i", "[1, 2, 3]"], ["standalone", BASIC, "-i", "[1]", "--repair", "b1"],
    ["worker.stop", "999999999"], ["worker.stop", "x"], ["worker.stop", "b1"], ["worker.list", "nodomain"],
    ["workflow.logs", "nosuch"], ["workflow.logs", "b1", "--task", "nosuch"], ["workflow.explain", "nosuch"],
    ["workflow.compare"], ["workflow.compare", "b1"], ["workflow.compare", "b1", "nosuch"],
    ["workflow.retry_decision", "b1"], ["workflow.retry_decision", "nosuch"], ["debug", "nosuch"],
    ["workflow.filter", "--workflow-id", "x" * 257], ["workflow.info", "b1", "\u00e9" * 65],
    start("-i", "[1]", "--workflow-id", "\u00e9" * 257),
]  # fmt: skip
CASES = [
    *(["workflow.start", name, "-i", "[1, 0]"] for name in WORKFLOW_NAMES),
    *(with_input(text) for text in INPUTS),
    *OPTIONS,
    *LOOKS,
    *ENGINE,
    *GLOBAL,
    *MANY,
    *PROCESSES,
]


@pytest.mark.usefixtures("modules")
@pytest.mark.parametrize("words", CASES, ids=lambda words: ascii(" ".join(words))[1:70])
def test_bad_input_is_one_line_and_changes_nothing(simpleflow: Command, store: Path, words: list[str]) -> None:
    before = contents(store)
    ended = simpleflow(*words)
    assert ended.code == 2
    assert ended.out == ""
    assert ended.err.startswith("simpleflow: ")
    assert ended.err.count("\n") == 1
    assert ended.err[:-1].isprintable()
    assert len(ended.err) < 450
    assert contents(store) == before


def test_the_error_on_an_unknown_command_names_the_ones_spelled_like_it(simpleflow: Command) -> None:
    assert "unknown command 'workflow.strat': did you mean workflow.start" in simpleflow("workflow.strat").err
    assert "did you mean --input" in simpleflow("workflow.start", "--inptu").err


def test_bad_input_makes_no_store(simpleflow: Command, tmp_path: Path) -> None:
    for words in (*map(with_input, ("{", "[1, 2, 3]", "[1e999]")), ["workflow.start", "nosuch"], ["workflow.strat"]):
        assert simpleflow("--store", str(tmp_path / "new" / "lab.sqlite"), *words).code == 2
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LOG_LEVEL", "foo"),
        ("SIMPLEFLOW_FORMAT", "xml"),
        ("SWF_DOMAIN", "a:b"),
        ("SWF_DOMAIN", "x" * 257),
        ("SIMPLEFLOW_LAB_STORE", "http://x"),
        ("SIMPLEFLOW_ENABLE_DISK_CACHE", "maybe"),
        ("SWF_CONNECTION_RETRIES", "abc"),
        ("SWF_CONNECTION_RETRIES", "-1"),
        ("SIMPLEFLOW_SETTINGS_MODULE", "nosuch"),
        ("SIMPLEFLOW_SETTINGS_MODULE", "a/b"),
        *(("SIMPLEFLOW_JUMBO_FIELDS_BUCKET", bucket) for bucket in ("UPPER", "a/../b", "x" * 170, "bucket//p", " ")),
    ],
)
def test_bad_settings_are_one_line(simpleflow: Command, monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    ended = simpleflow("workflow.list")
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)


@pytest.mark.parametrize("identity", ["[1]", "1", "null", "{bad", '{"a": "' + "x" * 5_000 + '"}', '{"a": 5}'])
def test_an_identity_that_is_none_is_no_reason_to_fail(
    simpleflow: Command, monkeypatch: pytest.MonkeyPatch, identity: str
) -> None:
    monkeypatch.setenv("SIMPLEFLOW_IDENTITY", identity)
    assert simpleflow("workflow.start", BASIC, "-i", "[1, 0]").out.endswith("\n4\n")


def events_with(change: Callable[[list[Any]], object]) -> Any:
    """A history, changed."""
    path = sorted((Path(__file__).parents[1] / "histories").glob("*.json"))[0]
    events = json.loads(path.read_text())["events"]
    change(events)
    return {"events": events}


def attributes(event: Any) -> list[str]:
    """The members of an event that are its attributes."""
    return [name for name in event if name.endswith("EventAttributes")]


def referring_to_a_later_event(events: list[Any]) -> None:
    """The first event that says which one was scheduled names one that comes after all."""
    found = (event[name] for event in events for name in attributes(event) if "scheduledEventId" in event[name])
    next(found)["scheduledEventId"] = len(events) + 1


HISTORIES: dict[str, Callable[[], Any]] = {
    "empty": lambda: b"",
    "no JSON": lambda: b"{",
    "a number": lambda: 5,
    "null": lambda: None,
    "another object": lambda: {"a": 1},
    "strings": lambda: ["a", "b"],
    "without an id": lambda: events_with(lambda events: events[3].pop("eventId")),
    "with a gap": lambda: events_with(lambda events: events.pop(3)),
    "an event twice": lambda: events_with(lambda events: events.insert(3, events[3])),
    "a reference to a later event": lambda: events_with(referring_to_a_later_event),
    "without a type": lambda: events_with(lambda events: events[3].pop("eventType")),
    "attributes that are none": lambda: events_with(
        lambda events: events[0].update(dict.fromkeys(attributes(events[0]), 5))
    ),
    "a time of words": lambda: events_with(lambda events: events[3].update(eventTimestamp="soon")),
    "a time after all": lambda: events_with(lambda events: events[3].update(eventTimestamp=253402300799999)),
    "two runs": lambda: events_with(
        lambda events: events.extend([{**each, "eventId": len(events) + each["eventId"]} for each in list(events)])
    ),
    "cut": lambda: json.dumps(events_with(len)).encode()[:-40],
    "deep": lambda: b'{"events":' + b"[" * DEEP + b"]" * DEEP + b"}",
    "a long number": lambda: b'{"events": [' + b"1" * 6_000 + b"]}",
    "25,001 events": lambda: {"events": [{"eventId": number} for number in range(1, 25_002)]},
    "60 MB": lambda: bytes(60_000_000),
    "a newer format": lambda: events_with(len) | {"formatVersion": 2},
    "compressed": lambda: gzip.compress(json.dumps(events_with(len)).encode()),
}


SAID = {
    "25,001 events": ["25,001 events, and one execution 25,000 at most: save each run by itself"],
    "60 MB": ["larger than 50 MiB", "save each run by itself"],
    "a newer format": ["format version 2", "update simpleflow-lab"],
}
"""What the line says, and how to go on."""


@pytest.mark.parametrize("made", HISTORIES)
def test_a_history_that_is_none_is_one_line(simpleflow: Command, tmp_path: Path, made: str) -> None:
    file = tmp_path / "history.json"
    content = HISTORIES[made]()
    file.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    for words in (["open", str(file)], ["workflow.profile", "--file", str(file)]):
        ended = simpleflow(*words)
        assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
        assert ended.err[:-1].isprintable()
        for said in SAID.get(made, ()):
            assert said in ended.err


@pytest.mark.parametrize("name", ["x" * 300, "x/" * 3_000], ids=["a long name", "a long path"])
@pytest.mark.parametrize(
    "words",
    [
        ["open"],
        ["open", "--"],
        ["gantt", "--file"],
        ["workflow.info", "--file"],
        ["workflow.history", "--file"],
        ["workflow.replay", "--file"],
        ["workflow.to_test", "--file"],
        ["workflow.start", BASIC, "--input-file"],
        ["workflow.to_test", "b1", "--workflow", BASIC, "--out"],
        ["workflow.history", "b1", "--output-file"],
        ["gantt", "b1", "-o"],
        ["gantt", "b1", "-o", ".svg"],
    ],
    ids=" ".join,
)
def test_what_no_file_can_be_named_is_one_line(simpleflow: Command, store: Path, words: list[str], name: str) -> None:
    ending = words.pop() if words[-1] == ".svg" else ""
    ended = simpleflow(*words, name + ending)
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert "Error: " not in ended.err


def test_what_is_no_number_is_told_in_a_persons_words(simpleflow: Command) -> None:
    for option, said in (("--limit", "'x' is no whole number"), ("--watch", "'x' is no number")):
        ended = simpleflow("workflow.list", option, "x")
        assert (ended.code, ended.out) == (2, "")
        assert ended.err.endswith(f"{said}\n")


def test_an_event_of_a_type_that_is_not_known_is_told_and_shown(simpleflow: Command, tmp_path: Path) -> None:
    file = tmp_path / "history.json"
    file.write_text(json.dumps(events_with(lambda events: events[3].update(eventType="WorkflowExecutionMoved"))))
    for words in (["open", str(file)], ["workflow.tasks", "--file", str(file)]):
        ended = simpleflow(*words)
        assert ended.code == 0
        assert "event 4 is WorkflowExecutionMoved, a type that is not known here" in ended.err
        assert ended.err.count("\n") == 1
    assert "WorkflowExecutionMoved" in simpleflow("workflow.history", "--file", str(file)).out


@pytest.mark.parametrize("made", ["text", "database", "folder", "future"])
def test_a_store_that_is_not_ours_is_one_line_and_is_not_touched(
    simpleflow: Command, tmp_path: Path, made: str
) -> None:
    path = tmp_path / "other.sqlite"
    match made:
        case "text":
            path.write_text("Dear diary, " * 50)
        case "folder":
            path.mkdir()
        case "database" | "future":
            if made == "future":
                Lab(path).close()
            database = sqlite3.connect(path)
            database.execute("CREATE TABLE theirs (x)" if made == "database" else "PRAGMA user_version = 9999")
            database.commit()
            database.close()
    before = path.read_bytes() if path.is_file() else None
    ended = simpleflow("--store", str(path), "workflow.list")
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert before == (path.read_bytes() if path.is_file() else None)


def test_a_store_whose_owner_does_not_answer_is_one_line_that_names_the_owner(process: Command, store: Path) -> None:
    with EmbeddedSWF(store):  # an engine without an endpoint
        ended = process("workflow.list")
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert f"in use by process {os.getpid()}" in ended.err


def test_debug_shows_where(simpleflow: Command) -> None:
    ended = simpleflow("--debug", "workflow.start", "nosuch")
    assert ended.code == 2
    assert ended.err.startswith("Traceback")


@pytest.mark.parametrize("content", [b"", b"[1,", "[1]".encode("utf-16"), b"\xff", b"[" + b"1," * 3_000_000 + b"1]"])
def test_an_input_file_that_holds_no_input_is_one_line(simpleflow: Command, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "input.json"
    file.write_bytes(content)
    ended = simpleflow(*start("--input-file", str(file)))
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)


def test_an_input_file_that_never_ends_is_not_waited_for(simpleflow: Command, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    assert simpleflow(*start("--input-file", str(fifo))).code == 2


@pytest.mark.parametrize("source", ["closed", "terminal"])
def test_a_standard_input_with_nothing_in_it_is_one_line(source: str) -> None:
    ours, theirs = os.openpty()
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" <&-' if source == "closed" else 'exec "$@"', "sh", sys.executable, "-m",
         "simpleflow_lab.cli", *start("--input-file", "-")],
        cwd=Path(__file__).resolve().parents[2],
        stdin=theirs,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )  # fmt: skip
    os.close(ours)
    os.close(theirs)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)

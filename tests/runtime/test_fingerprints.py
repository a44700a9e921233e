"""Fingerprints: equal for the same code, wherever and however it was defined, and different for other code."""

import gc
import importlib
import linecache
import os
import subprocess
import sys
import textwrap
import types
import weakref

import pytest
from IPython.core.interactiveshell import InteractiveShell

from simpleflow_lab import Retry, Workflow, activity, workflow
from simpleflow_lab.runtime.fingerprints import DIGITS, fingerprint

HEADER = "from simpleflow_lab import Retry, Workflow, activity\n"


def defined(text, name="work"):
    """The definition of this name in a cell of this text."""
    return cell(text)[name]


def cell(text, namespace=None):
    """The names of a notebook after a cell of this text, compiled as IPython does: its text is in `linecache`."""
    namespace = {"__name__": "__main__"} if namespace is None else namespace
    source = HEADER + textwrap.dedent(text)
    cell.number += 1
    filename = f"/tmp/ipykernel_{os.getpid()}/{cell.number}.py"
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    exec(compile(source, filename, "exec"), namespace)
    return namespace


cell.number = 0

SIMPLE = """
    @activity.with_attributes(name="fp.work", version="1")
    def work(x):
        return x + 1
"""

ASKED = ("task_list='etl'", "retry=2", "retry=Retry(initial_interval=3)", "idempotent=True", "heartbeat_timeout=9")
SAME = {
    **{
        f"how it is asked for: {attribute.partition('=')[0]}": (
            "@activity.with_attributes(name='fp.work')\ndef work(x): return x",
            f"@activity.with_attributes(name='fp.work', {attribute})\ndef work(x): return x",
        )
        for attribute in ASKED
    },
    "a comment, a docstring and blank lines": (
        SIMPLE,
        '''
    # A comment.


    @activity.with_attributes(name="fp.work", version="1")
    def work(x):
        """Adds one."""

        return x + 1  # one
    ''',
    ),
    "what it does not use": (SIMPLE, f"other = 3\n{textwrap.dedent(SIMPLE)}\ndef helper(): return 5\n"),
    "attributes written otherwise": (
        SIMPLE,
        """
    @activity.with_attributes(version=str(1), name="fp.work")
    def work(x):
        return x + 1
    """,
    ),
    "a set in another order": (
        "KINDS = {'a', 'b', 'c'}\n@activity.with_attributes(name='fp.work')\ndef work(x): return x in KINDS",
        "KINDS = {'c', 'a', 'b'}\n@activity.with_attributes(name='fp.work')\ndef work(x): return x in KINDS",
    ),
    "a dictionary in another order": (
        "OF = {'a': 1, 'b': 2}\n@activity.with_attributes(name='fp.work')\ndef work(x): return OF[x]",
        "OF = {'b': 2, 'a': 1}\n@activity.with_attributes(name='fp.work')\ndef work(x): return OF[x]",
    ),
    "an object that is no plain value": (
        "lock = object()\n@activity.with_attributes(name='fp.work')\ndef work(x): return lock",
        "lock = object()\n@activity.with_attributes(name='fp.work')\ndef work(x): return lock",
    ),
    "functions that call each other": (
        *(
            "def even(n): return n == 0 or odd(n - 1)\ndef odd(n): return n != 0 and even(n - 1)\n"
            "@activity.with_attributes(name='fp.work')\ndef work(x): return even(x)",
        )
        * 2,
    ),
    "a workflow": (
        *(
            "@activity.with_attributes(name='fp.a')\ndef a(x): return x\n"
            "class work(Workflow):\n    name = 'fp.work'\n    def run(self): return self.submit(a, 1).result",
        )
        * 2,
    ),
    "the code of a workflow's activity": (
        "@activity.with_attributes(name='fp.a')\ndef a(x): return x\n"
        "class work(Workflow):\n    name = 'fp.work'\n    def run(self): return self.submit(a, 1).result",
        "@activity.with_attributes(name='fp.a')\ndef a(x): return x + 1\n"
        "class work(Workflow):\n    name = 'fp.work'\n    def run(self): return self.submit(a, 1).result",
    ),
}

_USES = "@activity.with_attributes(name='fp.work')\ndef work(x): return {}\n"
_FACTORY = """
def of(n):
    @activity.with_attributes(name="fp.work")
    def work(x): return n
    return work
"""
_LAMBDAS = (
    "first, work = (activity.with_attributes(name=n)(f) for n, f in (('fp.1', lambda x: x), ('fp.2', lambda x: {})))"
)
OTHER = {
    "its text": (_USES.format("x + 1"), _USES.format("x + 2")),
    "a parameter's name": (
        "@activity.with_attributes(name='fp.work')\ndef work(x): return 1",
        "@activity.with_attributes(name='fp.work')\ndef work(y): return 1",
    ),
    "a default": (
        "n = 1\n@activity.with_attributes(name='fp.work')\ndef work(x, n=n): return n",
        "n = 2\n@activity.with_attributes(name='fp.work')\ndef work(x, n=n): return n",
    ),
    "what it closes over": (
        f"{_FACTORY}work = of(1)",
        f"{_FACTORY}work = of(2)",
    ),
    "a constant": ("RATE = 1.1\n" + _USES.format("x * RATE"), "RATE = 1.2\n" + _USES.format("x * RATE")),
    "a constant of another type": ("RATE = 1\n" + _USES.format("x * RATE"), "RATE = True\n" + _USES.format("x * RATE")),
    "an item of a constant": (
        "RATES = {'EUR': [1, 2]}\n" + _USES.format("RATES[x]"),
        "RATES = {'EUR': [1, 3]}\n" + _USES.format("RATES[x]"),
    ),
    "a function that it calls": (
        "def helper(x): return x\n" + _USES.format("helper(x)"),
        "def helper(x): return -x\n" + _USES.format("helper(x)"),
    ),
    "a function that another one calls": (
        "def deep(x): return x\ndef helper(x): return deep(x)\n" + _USES.format("helper(x)"),
        "def deep(x): return -x\ndef helper(x): return deep(x)\n" + _USES.format("helper(x)"),
    ),
    "a function that is cached": (
        "import functools\n@functools.cache\ndef helper(x): return x\n" + _USES.format("helper(x)"),
        "import functools\n@functools.cache\ndef helper(x): return -x\n" + _USES.format("helper(x)"),
    ),
    "a function in a table": (
        "def helper(x): return x\nHANDLERS = {'csv': helper}\n" + _USES.format("HANDLERS['csv'](x)"),
        "def helper(x): return -x\nHANDLERS = {'csv': helper}\n" + _USES.format("HANDLERS['csv'](x)"),
    ),
    "a partial function": (
        "import functools\ndef of(n, x): return n\nhelper = functools.partial(of, 1)\n" + _USES.format("helper(x)"),
        "import functools\ndef of(n, x): return n\nhelper = functools.partial(of, 2)\n" + _USES.format("helper(x)"),
    ),
    "a method of a class that it uses": (
        "class Tool:\n    def use(self, x): return x\n" + _USES.format("Tool().use(x)"),
        "class Tool:\n    def use(self, x): return -x\n" + _USES.format("Tool().use(x)"),
    ),
    "a method of a base class": (
        "class Base:\n    def use(self, x): return x\nclass Tool(Base): pass\n" + _USES.format("Tool().use(x)"),
        "class Base:\n    def use(self, x): return -x\nclass Tool(Base): pass\n" + _USES.format("Tool().use(x)"),
    ),
    "the class of an object": (
        "class Tool:\n    def use(self, x): return x\ntool = Tool()\n" + _USES.format("tool.use(x)"),
        "class Tool:\n    def use(self, x): return -x\ntool = Tool()\n" + _USES.format("tool.use(x)"),
    ),
    "a field of a record": (
        "import dataclasses\n@dataclasses.dataclass\nclass Of:\n    n: int\nof = Of(1)\n" + _USES.format("of.n"),
        "import dataclasses\n@dataclasses.dataclass\nclass Of:\n    n: int\nof = Of(2)\n" + _USES.format("of.n"),
    ),
    "a lambda on the same line": (
        _LAMBDAS.format("2"),
        _LAMBDAS.format("3"),
    ),
    "a lambda whose default is a lambda": tuple(
        f"work = activity.with_attributes(name='fp.work')(lambda x, f=lambda: 2: {number})" for number in (2, 3)
    ),
    "an activity class": (
        "@activity.with_attributes(name='fp.work')\nclass work:\n    def execute(self): return 1",
        "@activity.with_attributes(name='fp.work')\nclass work:\n    def execute(self): return 2",
    ),
    "a step of a workflow": (
        "class work(Workflow):\n    name = 'fp.work'\n    def run(self): return 1",
        "class work(Workflow):\n    name = 'fp.work'\n    def run(self): return 2",
    ),
    "a workflow's other method": (
        "class work(Workflow):\n    name = 'fp.work'\n    def run(self): return self.n()\n    def n(self): return 1",
        "class work(Workflow):\n    name = 'fp.work'\n    def run(self): return self.n()\n    def n(self): return 2",
    ),
    "which activity a workflow submits": (
        "a = activity.with_attributes(name='fp.a')(len)\n"
        "class work(Workflow):\n    name = 'fp.work'\n    def run(self): return self.submit(a, 1).result",
        "a = activity.with_attributes(name='fp.b')(len)\n"
        "class work(Workflow):\n    name = 'fp.work'\n    def run(self): return self.submit(a, 1).result",
    ),
    "where it runs": (
        "@activity.with_attributes(name='fp.work')\ndef work(x): return x",
        "@activity.with_attributes(name='fp.work', executor='processes')\ndef work(x): return x",
    ),
    **{
        f"how a workflow asks for an activity: {attribute.partition('=')[0]}": tuple(
            f"@activity.with_attributes(name='fp.a'{given})\ndef a(x): return x\n"
            "class work(Workflow):\n    name = 'fp.work'\n    def run(self): return self.submit(a, 1).result"
            for given in ("", f", {attribute}")
        )
        for attribute in ASKED
    },
}


@pytest.mark.filterwarnings("ignore::simpleflow_lab.exceptions.DefinitionWarning")
@pytest.mark.parametrize("name", SAME)
def test_the_same_code_has_the_same_fingerprint(name):
    first, second = SAME[name]
    assert fingerprint(defined(first)) == fingerprint(defined(second))


@pytest.mark.filterwarnings("ignore::simpleflow_lab.exceptions.DefinitionWarning")
@pytest.mark.parametrize("name", OTHER)
def test_other_code_has_another_fingerprint(name):
    first, second = OTHER[name]
    assert fingerprint(defined(first)) != fingerprint(defined(second))
    assert fingerprint(defined(first)) == fingerprint(defined(first))


def test_a_fingerprint_is_sixteen_hexadecimal_digits():
    found = fingerprint(defined(SIMPLE))
    assert len(found) == DIGITS == 16
    int(found, 16)


def test_it_follows_a_function_that_another_cell_defines_anew():
    names = cell("def helper(x): return x\n" + _USES.format("helper(x)"))
    before = fingerprint(names["work"])
    cell("def helper(x): return x\n", names)
    assert fingerprint(names["work"]) == before
    cell("def helper(x): return -x\n", names)
    assert fingerprint(names["work"]) != before


def test_it_follows_a_function_that_gets_other_code_in_its_place():
    names = cell("def helper(x, by=1): return x + by\n" + _USES.format("helper(x)"))
    work, helper = names["work"], names["helper"]
    seen = [fingerprint(work)]
    helper.__code__ = cell("def helper(x, by=1): return x - by")["helper"].__code__
    seen.append(fingerprint(work))
    helper.__defaults__ = (2,)
    seen.append(fingerprint(work))
    work.callable.__code__ = cell("def work(x): return helper(x) + 1")["work"].__code__
    seen.append(fingerprint(work))
    assert len(set(seen)) == 4
    assert fingerprint(work) == seen[-1]


def test_a_list_that_grows_while_tasks_run_is_no_other_code():
    names = cell("SEEN = []\n" + _USES.format("SEEN.append(x)"))
    before = fingerprint(names["work"])
    names["SEEN"].append(1)
    assert fingerprint(names["work"]) == before


@pytest.mark.parametrize(
    "text",
    [
        "CALLS = 0\n@activity.with_attributes(name='fp.work')\n"
        "def work(x):\n  global CALLS\n  CALLS += 1\n  return CALLS",
        "def of():\n  n = 0\n  @activity.with_attributes(name='fp.work')\n  def work(x):\n    nonlocal n\n    n += 1\n"
        "    return n\n  return work\nwork = of()",
    ],
)
def test_what_it_assigns_while_it_runs_is_no_other_code(text):
    work = defined(text)
    before = fingerprint(work)
    assert [work(1), work(1)] == [1, 2]
    assert fingerprint(work) == before == fingerprint(defined(text))


KEPT = """
    CALLS, LATEST, FACTORS = {}, [], {"a": 2}

    def of():
        inner = set()

        def note(x, seen=[], *, more={}):
            inner.add(x)
            seen.append(x)
            more[x] = x
            CALLS[x] = CALLS.get(x, 0) + 1
            LATEST[:] = [x]
            return FACTORS["a"] * x
        return note

    note = of()

    class Tally:
        totals, of_all = {}, {"x": []}

        def add(self, x):
            self.totals[x] = 1
            type(self).of_all["x"].append(x)
"""
USES_KEPT = """
    @activity.with_attributes(name="fp.work")
    def work(x):
        {0}Tally().add(x)
        return {0}note(x)
"""


def test_what_its_code_puts_into_containers_is_no_other_code_where_it_ran_before(tmp_path, monkeypatch):
    fresh = defined(KEPT + USES_KEPT.format(""))
    used = defined(KEPT + USES_KEPT.format(""))
    assert used(3) == 6
    assert fingerprint(used) == fingerprint(fresh)
    assert fingerprint(defined(KEPT.replace('"a": 2', '"a": 3') + USES_KEPT.format(""))) != fingerprint(fresh)

    (tmp_path / "fp_kept.py").write_text(textwrap.dedent(KEPT))
    monkeypatch.syspath_prepend(tmp_path)
    text = "import fp_kept\n" + textwrap.dedent(USES_KEPT.format("fp_kept."))
    before = fingerprint(defined(text))
    assert defined(text)(3) == 6
    assert fingerprint(defined(text)) == before
    sys.modules["fp_kept"].FACTORS = {"a": 3}
    assert fingerprint(defined(text)) != before
    del sys.modules["fp_kept"]


def test_a_large_value_is_not_kept_alive():
    class Frame:
        pass

    names = cell(_USES.format("frame"))
    names["frame"] = Frame()
    fingerprint(names["work"])
    gone = weakref.ref(names["frame"])
    names["frame"] = Frame()
    gc.collect()
    assert gone() is None


def test_a_definition_whose_value_refers_to_itself_and_a_deep_one_have_one():
    names = cell("LOOP = []\nLOOP.append(LOOP)\nDEEP = []\n" + _USES.format("(LOOP, DEEP, work)"))
    deep = names["DEEP"]
    for _ in range(5_000):
        deep.append([])
        deep = deep[0]
    assert fingerprint(names["work"])


def test_an_object_that_can_not_be_looked_at_counts_by_its_type():
    text = """
    import dataclasses
    @dataclasses.dataclass
    class Odd:
        n: int
        def __getattribute__(self, name):
            raise RuntimeError(name)
        def __eq__(self, other):
            raise RuntimeError
        def __repr__(self):
            raise RuntimeError
    ODD, WORDS = Odd(1), {"b": Odd(1), "a": 2}
    @activity.with_attributes(name="fp.work")
    def work(x):
        return ODD, WORDS
    """
    assert fingerprint(defined(text)) == fingerprint(defined(text))
    assert fingerprint(defined(text)) != fingerprint(defined(text.replace("return ODD", "return not ODD")))


def test_code_without_a_text_is_told_by_its_instructions():
    def made(text):
        names = {"__name__": "__main__"}
        exec(HEADER + text, names)
        return fingerprint(names["work"])

    assert made(_USES.format("x + 1")) == made("\n\n" + _USES.format("x + 1"))
    assert made(_USES.format("x + 1")) != made(_USES.format("x + 2"))


MODULE = """
    from simpleflow_lab import Workflow, activity
    import fp_helpers
    RATE = 2

    @activity.with_attributes(name="fp.conv", version="1")
    def conv(x):
        return fp_helpers.scaled(x, RATE)

    class W(Workflow):
        name, version = "fp.w", "1"

        def run(self):
            return self.submit(conv, 1).result

    if __name__ == "__main__":
        from simpleflow_lab.runtime.fingerprints import fingerprint
        print(fingerprint(conv), fingerprint(W))
"""
HELPERS = """
    def scaled(x, n):
        return x * n
"""
PROGRAM = """
import sys; sys.path.insert(0, sys.argv[1])
import fp_module as m
from simpleflow_lab.runtime.fingerprints import fingerprint
print(fingerprint(m.conv), fingerprint(m.W))
"""


def in_a_process(folder, *arguments, seed="0"):
    answer = subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "PYTHONHASHSEED": seed},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return answer.stdout.split()


def test_processes_agree_on_a_module_that_one_imports_and_the_other_runs(tmp_path):
    (tmp_path / "fp_module.py").write_text(textwrap.dedent(MODULE))
    (tmp_path / "fp_helpers.py").write_text(textwrap.dedent(HELPERS))
    imports = ("-c", PROGRAM, str(tmp_path))
    first = in_a_process(tmp_path, *imports, seed="1")
    assert len(first) == 2
    assert in_a_process(tmp_path, *imports, seed="2") == first
    assert in_a_process(tmp_path, str(tmp_path / "fp_module.py"), seed="3") == first

    (tmp_path / "fp_helpers.py").write_text(textwrap.dedent(HELPERS).replace("x * n", "x + n"))
    changed = in_a_process(tmp_path, *imports, seed="1")
    assert changed[0] != first[0]  # the activity uses the other module
    assert changed[1] == first[1]  # the workflow only submits the activity


def test_a_module_that_was_edited_after_its_import_counts_as_it_runs(tmp_path, monkeypatch):
    path = tmp_path / "fp_edited.py"
    path.write_text(HEADER + "def helper(x): return x\n" + _USES.format("helper(x)"))
    monkeypatch.syspath_prepend(tmp_path)
    old = importlib.import_module("fp_edited")
    assert isinstance(old, types.ModuleType)
    path.write_text(HEADER + "\n\ndef helper(x): return -x\n" + _USES.format("helper(x)"))
    before = old.work
    stale = fingerprint(before)
    new = fingerprint(importlib.reload(old).work)
    assert stale != new
    del sys.modules["fp_edited"]


def test_a_module_that_was_edited_and_reloaded_is_the_same_code_as_where_it_was_imported_so(tmp_path, monkeypatch):
    edited = "\n\ndef helper(x): return -x\n" + _USES.format("helper(x)")
    path = tmp_path / "fp_edited.py"
    path.write_text(HEADER + "def helper(x): return x\n" + _USES.format("helper(x)"))
    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module("fp_edited")
    first = fingerprint(module.work)
    path.write_text(HEADER + edited)
    reloaded = fingerprint(importlib.reload(module).work)
    del sys.modules["fp_edited"]
    assert reloaded != first
    fresh = "import fp_edited, simpleflow_lab.runtime.fingerprints as f; print(f.fingerprint(fp_edited.work))"
    assert in_a_process(tmp_path, "-c", fresh) == [reloaded]


def test_a_module_that_is_loaded_again_is_noticed_by_what_uses_it_as_a_whole(tmp_path, monkeypatch):
    path = tmp_path / "fp_reloaded.py"
    path.write_text("def helper(x): return x\n")
    monkeypatch.syspath_prepend(tmp_path)
    work = defined("import fp_reloaded\n" + _USES.format("fp_reloaded.helper(x)"))
    before = fingerprint(work)
    path.write_text("# longer than before\ndef helper(x): return -x\n")
    importlib.reload(sys.modules["fp_reloaded"])
    assert fingerprint(work) != before
    del sys.modules["fp_reloaded"]


def test_what_is_used_of_a_module_counts_as_it_is_now_but_not_what_the_code_assigns(tmp_path, monkeypatch):
    (tmp_path / "fp_package").mkdir()
    (tmp_path / "fp_package" / "__init__.py").touch()
    (tmp_path / "fp_package" / "rates.py").write_text("RATE, OTHER, calls = 2, 3, 0\ndef factor(x): return x\n")
    monkeypatch.syspath_prepend(tmp_path)
    used = "fp_package.rates.RATE, fp_package.rates.factor(x), fp_package.rates.calls"
    counts = "@activity.with_attributes()\ndef counts(): fp_package.rates.calls += 1\n"
    uses = _USES.format(f"[{used}, counts, [fp_package.rates.calls for _ in ()]]")
    work = defined(f"import fp_package.rates\n{counts}{uses}")
    rates = sys.modules["fp_package.rates"]
    before = fingerprint(work)
    rates.OTHER = 5
    rates.calls += 1
    assert fingerprint(work) == before
    rates.RATE = 5
    changed = fingerprint(work)
    assert changed != before
    rates.factor = lambda x: -x
    assert fingerprint(work) not in (before, changed)
    del sys.modules["fp_package"], sys.modules["fp_package.rates"]


def test_a_cell_and_a_file_of_the_same_text_agree_on_calls_of_what_they_import(tmp_path, monkeypatch):
    """A cell is compiled statement by statement, and then a call of `time.sleep` becomes other instructions."""
    text = "import time\n" + _USES.format("time.sleep(x)")
    (tmp_path / "fp_file.py").write_text(HEADER + text)
    monkeypatch.syspath_prepend(tmp_path)
    shell = InteractiveShell()
    shell.run_cell(HEADER + text).raise_error()
    assert fingerprint(shell.user_ns["work"]) == fingerprint(importlib.import_module("fp_file").work)
    del sys.modules["fp_file"]


def test_the_definitions_of_this_process_can_all_be_asked():
    for registry in (activity.registry, workflow.registry):
        for definition in list(registry.values()):
            assert len(fingerprint(definition)) == DIGITS


def test_a_workflow_that_names_itself_has_a_fingerprint():
    class Again(Workflow):
        name, retry = "fp.again", Retry(maximum_attempts=2)

        def run(self):
            return self.submit(Again)

    assert fingerprint(Again) == fingerprint(Again)

"""Two definitions of one type: one that is made again replaces the other; of two that differ only one can be used."""

import importlib
import sys
import textwrap
import types
import warnings

import pytest

from simpleflow_lab import Lab, Workflow, activity, workflow
from simpleflow_lab.definitions import redefinitions
from simpleflow_lab.definitions.redefinitions import is_made_again
from simpleflow_lab.exceptions import DefinitionWarning, ReplacedDefinitionError, UsageError


def names_of(text, namespace=None):
    """The names of a module `__main__` in which this text, a cell, has run."""
    names = {"__name__": "__main__"} if namespace is None else namespace
    exec(compile("from simpleflow_lab import Workflow, activity\n" + textwrap.dedent(text), "<cell>", "exec"), names)
    return names


PLAIN = "def work(x, n=1): return x + n"
FACTORY = """
    def of(n):
        def work(x): return x + n
        return work
    first, second = of(1), of({})
"""
CLASS = """
    def of(n):
        class Tool:
            factor = n
            def use(self): return self.factor
        return Tool
    first, second = of(1), of({})
"""
INHERITED = """
    def of(n):
        class Base:
            {}
        class Between(Base): pass
        class Tool(Between): name = "tool"
        return Tool
    first, second = of(1), of(2)
"""
DERIVED = "class Base:\n  def f(self): return {}\nclass work(Base): name = 'work'"
MADE_AGAIN = {
    "the same text": (PLAIN, PLAIN),
    "an edited text": (PLAIN, "def work(x, n=1): return x - n"),
    "an edited default": (PLAIN, "def work(x, n=1, m=2): return x + n"),
    "the same lambda": ("work = lambda x: x + 1", "work = lambda x: x + 1"),
    "the same text under another name": ("def work(x): return x", "def work(x): return x\nwork.__qualname__ = 'other'"),
    "another value of a default": (PLAIN, "def work(x, n=2): return x + n"),
    "a default that is any object": (*("def work(x, n=object(), *, of=[]): return x",) * 2,),
    "another value of an attribute": (
        "class work:\n  n = 1\n  def f(self): return 1",
        "class work:\n  n = 2\n  def f(self): return 1",
    ),
    "a base class whose code changed its attributes": (
        "class Base: n = 0\nclass work(Base):\n  def f(self): return 1\nBase.n = 1",
        "class Base: n = 0\nclass work(Base):\n  def f(self): return 1",
    ),
    "a class": ("class work:\n  n = 1\n  def f(self): return 1", "class work:\n  n = 2\n  def f(self): return 3"),
    "a class whose base class was edited": (DERIVED.format(1), DERIVED.format("self")),
    "a class that got another base class": (DERIVED.format(1), "class work(dict, object): name = 'work'"),
    "a class that calls super": (*("class work:\n  def __init__(self): super().__init__()",) * 2,),
    "a function that calls itself": (*("def of():\n  def f(): return f()\n  return f\nwork = of()",) * 2,),
    "a factory that is called again with an equal value": (
        *("def of(n):\n  def f(): return n\n  return f\nwork = of((1, 'a'))",) * 2,
    ),
}
ANOTHER = {
    "a factory": (FACTORY.format(2), "first", "second"),
    "a factory, values of one hash": (FACTORY.format(True), "first", "second"),
    "a factory of classes": (CLASS.format(2), "first", "second"),
    "a factory of classes that inherit a value": (INHERITED.format("factor = n"), "first", "second"),
    "a factory of classes that inherit a method": (INHERITED.format("def use(self): return n"), "first", "second"),
    "a factory of classes with any base class": (
        "def of(base):\n  class Tool(base): name = 'tool'\n  return Tool\nfirst, second = of(dict), of(list)",
        "first",
        "second",
    ),
    "a loop": (
        "made = []\nfor n in (1, 2):\n  def work(x, n=n): return x + n\n  made.append(work)\nfirst, second = made",
        "first",
        "second",
    ),
    "a loop of classes": (
        "made = []\nfor n in (1, 2):\n  class work:\n    m = n\n    def f(self): return self.m\n  made.append(work)\n"
        "first, second = made",
        "first",
        "second",
    ),
    "a factory that was edited meanwhile": (
        "def of(n):\n  def work(x, m=n): return x + m\n  return work\nfirst = of(1)\n"
        "exec(compile('def of(n):\\n  def work(x, m=n): return x + m\\n  return work', '<cell>', 'exec'))\n"
        "second = of(2)",
        "first",
        "second",
    ),
    "two lambdas": ("first, second = (lambda x: x + 1), (lambda x: x + 2)", "first", "second"),
    "two functions": ("def first(x): return x\ndef second(x): return -x", "first", "second"),
    "two classes": ("class first:\n  def f(self): return 1\nclass second:\n  def f(self): return 1", "first", "second"),
    "a partial function": (
        "import functools\nfirst, second = (functools.partial(max, n) for n in (1, 2))",
        "first",
        "second",
    ),
    "state of its own": (
        "def of():\n  seen = []\n  def f(): return seen\n  return f\nfirst, second = of(), of()",
        "first",
        "second",
    ),
}


@pytest.mark.parametrize("name", MADE_AGAIN)
def test_what_a_cell_makes_again_is_no_other_definition(name):
    names: dict[str, object] = {"__name__": "__main__"}
    first, second = (names_of(text, names)["work"] for text in MADE_AGAIN[name])
    assert is_made_again(second, first)


def test_what_a_module_makes_again_that_is_imported_anew_is_no_other_definition(monkeypatch):
    works = []
    for factor in (1, 2):
        module = types.ModuleType("made_again")
        monkeypatch.setitem(sys.modules, "made_again", module)
        exec(f"FACTOR = {factor}\ndef work(x): return x * FACTOR", vars(module))
        works.append(module.work)
    assert is_made_again(*reversed(works))


@pytest.mark.parametrize(("first", "second", "same"), [("1", "1", True), ("1", "2", False), ("1", "1.0", False)])
def test_one_text_in_two_namespaces_is_one_definition_only_if_what_it_uses_is_the_same(first, second, same):
    text = "FACTOR = {}\ndef work(x): return [times(x) for times in (lambda x: x * FACTOR,)]"
    works = [names_of(text.format(factor))["work"] for factor in (first, second)]
    assert is_made_again(*reversed(works)) is same


def test_two_texts_in_two_namespaces_are_two_definitions():
    works = [names_of(f"def work(x): return x * {factor}")["work"] for factor in (1, 2)]
    assert not is_made_again(*reversed(works))


@pytest.mark.parametrize("name", ANOTHER)
def test_what_differs_in_more_than_its_text_is_another(name):
    text, first, second = ANOTHER[name]
    names = names_of(text)
    assert not is_made_again(names[second], names[first])
    assert is_made_again(names[first], names[first])


def warnings_of(text, namespace=None):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        names_of(text, namespace)
    return [str(each.message) for each in caught if each.category is DefinitionWarning]


def test_a_cell_that_is_run_again_says_nothing():
    cell = '@activity.with_attributes(name="re.quiet")\ndef work(x): return x'
    names = {"__name__": "__main__"}
    for text in (cell, cell, cell.replace("return x", "return -x")):
        assert warnings_of(text, names) == []


@pytest.mark.parametrize(
    ("kind", "name", "cell"),
    [
        (
            "activity",
            "re.loop",
            "made = []\nfor n in (1, 2, 3):\n"
            "  @activity.with_attributes(name='re.loop')\n  def work(x, n=n): return x * n\n  made.append(work)",
        ),
        (
            "activity",
            "re.lambdas",
            "made = [activity.with_attributes(name='re.lambdas')(f) for f in (lambda x: x, lambda x: -x, lambda x: 0)]",
        ),
        (
            "activity",
            "re.two",
            "@activity.with_attributes(name='re.two')\ndef first(x): return x\n"
            "@activity.with_attributes(name='re.two')\ndef second(x): return -x",
        ),
        (
            "workflow",
            "re.classes",
            "def of(n):\n  class W(Workflow):\n    name = 're.classes'\n    def run(self): return n\n  return W\n"
            "made = of(1), of(2)",
        ),
        (
            "activity",
            "re.bases",
            "def of(n):\n  class Base:\n    def execute(self): return n\n"
            "  @activity.with_attributes(name='re.bases')\n  class Tool(Base): pass\n  return Tool\n"
            "made = of(1), of(2)",
        ),
        (
            "workflow",
            "re.inherited",
            "def of(n):\n  class Base:\n    def run(self): return n\n"
            "  class W(Base, Workflow): name = 're.inherited'\n  return W\nmade = of(1), of(2)",
        ),
    ],
)
def test_a_definition_that_takes_the_type_of_another_is_told_once(kind, name, cell):
    said = warnings_of(cell)
    assert len(said) == 1
    assert said[0].startswith(f"{kind} {name!r} (version default) is defined a second time")
    assert "Give each a name of its own" in said[0]


@pytest.mark.parametrize(
    ("definition", "call"),
    [
        (
            "@activity.with_attributes(name='re.counts')\nclass Work:\n"
            "    calls, last = 0, ()\n    def execute(self): Made.calls, Made.last = Made.calls + 1, (1,)\n"
            "Made = Work.callable",
            "Made().execute()",
        ),
        (
            "class Work(Workflow):\n    name, calls = 're.counted', 0\n    def run(self): Work.calls += 1",
            "Work.calls += 1",
        ),
    ],
)
def test_a_cell_runs_again_after_its_code_changed_an_attribute_of_a_class(definition, call):
    names = {"__name__": "__main__"}
    first = f"{definition}\nkept = Work"
    assert warnings_of(first, names) == []
    exec(call, names)
    assert warnings_of(definition, names) == []
    assert names["Work"] is not names["kept"]


COUNTERS = (
    "def of(start):\n  count = start\n"
    "  def bump():\n    nonlocal count\n    count += 1\n    return count\n"
    "  @activity.with_attributes(name='re.counter')\n"
    "  def itself():\n    nonlocal count\n    count += 1\n    return count\n"
    "  @activity.with_attributes(name='re.by_another')\n  def by_another(): return bump()\n"
    "  class W(Workflow):\n    name = 're.in_run'\n    def run(self): return bump()\n"
    "  return itself, by_another, W\n"
)


def test_a_variable_that_closures_have_counted_on_makes_no_other_definition():
    names = {"__name__": "__main__"}

    def codes_of(which):
        return [getattr(each, "callable", each) for each in names[which]]

    assert warnings_of(f"{COUNTERS}first = of(0)", names) == []
    itself, by_another, workflow = names["first"]
    assert [itself.callable(), by_another.callable(), workflow.run(None)] == [1, 2, 3]
    assert warnings_of("second = of(0)", names) == []
    assert all(is_made_again(*pair) for pair in zip(codes_of("second"), codes_of("first"), strict=True))
    assert len(warnings_of("third = of(7)", names)) == 3
    assert not any(is_made_again(*pair) for pair in zip(codes_of("third"), codes_of("first"), strict=True))


def test_lists_and_locks_that_closures_have_make_no_other_definition_when_the_cell_of_the_factory_runs_again():
    text = (
        "from threading import Lock\n"
        "def of(n):\n  seen, lock = [n], Lock()\n"
        "  @activity.with_attributes(name='re.kept')\n"
        "  def kept(x):\n    with lock:\n      seen.append(x)\n    return seen\n"
        "  return kept\n"
    )
    names = {"__name__": "__main__"}
    assert warnings_of(f"{text}kept = of(0)", names) == []
    assert names["kept"].callable(1) == [0, 1]
    assert warnings_of(f"{text}kept = of(0)", names) == []
    fewer = text.replace("with lock:", "if x:")
    assert warnings_of(f"{fewer}first = of(0)\nsecond = of(1)", names) != []  # one cell makes both


@pytest.mark.parametrize(
    "made",
    [
        "  @activity.with_attributes(name='re.looped')\n  def work(x, n=n): return n\n",
        "  @activity.with_attributes(name='re.looped_class')\n  class work:\n"
        "    m = n\n    def execute(self): return self.m\n",
    ],
)
def test_what_a_loop_made_is_no_other_value_of_it_when_the_cell_of_the_loop_runs_again(made):
    names = {"__name__": "__main__", "made": []}
    for _ in range(3):
        warnings_of(f"for n in (1, 2):\n{made}  made.append(work.callable)", names)
    *_, last = names["made"]
    assert [is_made_again(last, each) for each in names["made"]] == [False, True] * 3


def test_a_definition_that_nobody_uses_any_more_is_replaced_without_a_word():
    names = {"__name__": "__main__"}
    cell = "work = activity.with_attributes(name='re.gone')(lambda x: {})\ndel work"
    for n in (1, 2):
        assert warnings_of(cell.format(n), names) == []


# -- what is submitted -------------------------------------------------------------------------------------------------


def scaled(n, **attributes):
    @activity.with_attributes(task_list="re.scaled", **attributes)
    def scale(x):
        return x * n

    return scale


@pytest.mark.filterwarnings("ignore::simpleflow_lab.exceptions.DefinitionWarning")
def test_an_activity_whose_type_another_one_took_is_refused_and_goes_on_when_each_has_a_name():
    double, tenfold = scaled(2, name="re.scale"), scaled(10, name="re.scale")

    class Both(Workflow):
        name, task_list = "re.both", "re.both"

        def run(self):
            return [self.submit(tenfold, 7).result, self.submit(double, 7).result]

    with Lab(":memory:") as lab:
        execution = lab.start(Both)
        with pytest.raises(ReplacedDefinitionError, match=r"'re\.scale'.*submit.*self\.submit\(double, 7\)"):
            execution.result(timeout=200)
        assert execution.status == "OPEN"
        double, tenfold = scaled(2, name="re.double"), scaled(10, name="re.scale")
        assert execution.result(timeout=200) == [70, 14]


def chosen(negative):
    if negative:

        @activity.with_attributes(name="re.chosen", task_list="re.scaled")
        def choose(x):
            return -x
    else:

        @activity.with_attributes(name="re.chosen", task_list="re.scaled")
        def choose(x):
            return x

    return choose


def flow_of(negative):
    if negative:

        class Flow(Workflow):
            name, task_list = "re.flow_of", "re.both"

            def run(self):
                return -1
    else:

        class Flow(Workflow):
            name, task_list = "re.flow_of", "re.both"

            def run(self):
                return 1

    return Flow


def test_two_definitions_in_the_branches_of_one_function_are_two():
    """They have one module and one qualified name, as an edited cell has; but one text has both."""
    with pytest.warns(DefinitionWarning, match=r"re\.chosen"):
        minus, plus = chosen(True), chosen(False)
    with pytest.warns(DefinitionWarning, match=r"re\.flow_of"):
        first, second = flow_of(True), flow_of(False)

    class Chooses(Workflow):
        name, task_list = "re.chooses", "re.both"

        def run(self):
            return [self.submit(plus, 7).result, self.submit(minus, 7).result]

    with Lab(":memory:") as lab:
        with pytest.raises(ReplacedDefinitionError, match=r"'re\.chosen'.*self\.submit\(minus, 7\)"):
            lab.start(Chooses).result(timeout=200)
        with pytest.raises(UsageError, match=r"'re\.flow_of'.*is no longer defined"):
            lab.start(first)
        assert lab.start(second).result(timeout=200) == 1


def test_an_edited_file_that_is_imported_anew_has_no_second_definition(tmp_path, monkeypatch):
    module = tmp_path / "re_edited.py"
    text = """
from simpleflow_lab import activity


@activity.with_attributes(name="re.edited", task_list="re.scaled")
def work(x):
    return x
"""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    module.write_text(text)
    edited = importlib.import_module("re_edited")
    old = edited.work
    module.write_text(text.replace("return x", "return -x").replace("\n\n\n", "\n\n\nFACTOR = -1\n\n\n"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        importlib.reload(edited)
    assert edited.work is not old

    class Edits(Workflow):
        name, task_list = "re.edits", "re.both"

        def run(self):
            return self.submit(old, 7).result

    with Lab(":memory:") as lab:
        assert lab.start(Edits).result(timeout=200) == -7


@pytest.mark.filterwarnings("ignore::simpleflow_lab.exceptions.DefinitionWarning")
def test_an_error_that_the_workflow_catches_is_refused_all_the_same():
    double = scaled(2, name="re.caught")
    scaled(10, name="re.caught")

    class Catches(Workflow):
        name, task_list = "re.catches", "re.both"

        def run(self):
            try:
                return self.submit(double, 7).result
            except Exception:
                return "caught"

    with Lab(":memory:") as lab, pytest.raises(ReplacedDefinitionError):
        lab.start(Catches).result(timeout=200)


def test_an_activity_that_a_cell_made_again_runs_by_its_new_code_whoever_submits_the_old_object():
    names = names_of("@activity.with_attributes(name='re.again', task_list='re.again')\ndef work(x): return x")
    old = names["work"]

    class Again(Workflow):
        name, task_list = "re.again", "re.again"

        def run(self):
            return self.submit(old, 7).result

    names_of("@activity.with_attributes(name='re.again', task_list='re.again')\ndef work(x): return -x", names)
    with Lab(":memory:") as lab:
        assert lab.start(Again).result(timeout=200) == -7


def returning(n):
    class Returns(Workflow):
        name, task_list = "re.returns", "re.returns"

        def run(self):
            return n

    return Returns


@pytest.mark.filterwarnings("ignore::simpleflow_lab.exceptions.DefinitionWarning")
def test_a_workflow_whose_type_another_one_took_is_started_by_nobody():
    one, two = returning(1), returning(2)

    class Parent(Workflow):
        name, task_list = "re.parent", "re.returns"

        def run(self, first):
            return self.submit(one if first else two).result

    with Lab(":memory:") as lab:
        lab.start_deciders(task_list="re.returns")  # from now on the engine knows the definitions' fingerprints
        with pytest.raises(UsageError, match=r"workflow 're\.returns'.*is no longer defined"):
            lab.start(one)
        assert lab.start(two).result(timeout=200) == 2
        assert lab.start(Parent, False).result(timeout=200) == 2
        with pytest.raises(ReplacedDefinitionError, match=r"workflow 're\.returns'.*self\.submit\(one"):
            lab.start(Parent, True).result(timeout=200)
    assert workflow.registry["re.returns", "default"] is two


def test_a_definition_that_a_decider_notes_something_at_meanwhile_is_compared_all_the_same():
    text = """
        class Noted:
            @property
            def __func__(self):
                setattr(self.of, f"noted_{len(vars(self.of))}", None)  # as a decider's thread does with a fingerprint
                return self

            def __set_name__(self, of, name):
                self.of = of
        def of(n):
            class Order:
                noted = Noted()
                def run(self): return n
            return Order
        first, second = of(1), of(2)
    """
    names = names_of(text)
    assert redefinitions.methods_of(names["first"]) == redefinitions.methods_of(names["second"])


def test_a_definition_that_a_decider_notes_something_at_meanwhile_is_defined_all_the_same():
    text = """
        class Noted:
            @property
            def __class__(self):
                setattr(self.of, f"noted_{len(vars(self.of))}", None)  # as a decider's thread does with a fingerprint
                return Noted

            def __set_name__(self, of, name):
                self.of = of
        class Order(Workflow):
            name = "re.noted"
            noted = Noted()
            def run(self): return 1
    """
    with Lab(":memory:") as lab:
        assert lab.start(names_of(text)["Order"]).result(timeout=60) == 1

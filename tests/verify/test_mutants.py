"""The planted defects have targets and tests; a few are caught; a survivor fails the run."""

import ast
import importlib
from pathlib import Path

import pytest

from tests.verify.mutants import __main__ as command
from tests.verify.mutants import examination
from tests.verify.mutants.defect import Defects
from tests.verify.mutants.examination import Outcome, examine
from tests.verify.mutants.planting import NoTargetError, plant, target_of
from tests.verify.mutants.table import TABLE

ROOT = Path(__file__).parents[2]
each_defect = pytest.mark.parametrize("defect", TABLE.values(), ids=TABLE)


def test_there_are_enough_and_not_too_many_to_read():
    assert 60 <= len(TABLE) <= 100


@each_defect
def test_the_target_is_there(defect):
    target_of(defect, importlib.import_module(defect.module))


@each_defect
def test_what_catches_a_defect_is_there(defect):
    assert defect.sentence.endswith(".")
    assert defect.caught_by
    for test in defect.caught_by:
        path, _, name = test.partition("::")
        tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
        functions = {
            node.name for node in tree.body if isinstance(node, ast.FunctionDef)
        }
        assert not name or name.partition("[")[0] in functions, test


@pytest.mark.parametrize(
    "name", ["two_sided_alpha", "last_name_counts", "p_rounded_to_zero"]
)
def test_a_defect_is_caught(name):
    outcome = examine(TABLE[name])
    assert outcome.caught, outcome.said


def test_pytest_that_does_not_start_has_caught_nothing(monkeypatch):
    """It ends with the exit code of failed tests."""
    monkeypatch.setattr(
        examination, "_pytest", lambda *_, **__: (1, "ImportError: no such module")
    )
    assert not examine(TABLE["two_sided_alpha"]).caught
    monkeypatch.setattr(
        examination,
        "_pytest",
        lambda *_, **__: (1, "FAILED x::y\n1 failed, 3 passed in 0.5s"),
    )
    assert examine(TABLE["two_sided_alpha"]).caught


def defect_of(target, replacement):
    own = Defects()
    own.plant(target, "tests/verify/test_mutants.py")(replacement)
    return own[replacement.__name__]


def doubled(sound, *arguments):
    return 2 * sound(*arguments)


@pytest.fixture
def module(tmp_path, monkeypatch):
    """A module with something of each kind to be replaced."""
    (tmp_path / "planted_here.py").write_text(
        "from functools import cached_property\n"
        "LIMIT = 3\n"
        "def one(): return 1\n"
        "class Box:\n"
        "    @property\n"
        "    def width(self): return 1\n"
        "    @cached_property\n"
        "    def depth(self): return 1\n"
        "    @staticmethod\n"
        "    def height(): return 1\n"
        "    def times(self, n): return n\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    return importlib.import_module("planted_here")


@pytest.mark.parametrize(
    ("target", "use"),
    [
        ("one", lambda module: module.one()),
        ("Box.width", lambda module: module.Box().width),
        ("Box.depth", lambda module: module.Box().depth),
        ("Box.height", lambda module: module.Box.height()),
        ("Box.times", lambda module: module.Box().times(1)),
    ],
)
def test_every_kind_of_function_is_replaced(module, monkeypatch, target, use):
    monkeypatch.delitem(importlib.sys.modules, "planted_here")
    fresh = importlib.import_module("planted_here")
    plant(defect_of(f"planted_here:{target}", doubled), fresh)
    assert use(fresh) == 2


def test_a_constant_is_replaced_by_what_the_replacement_makes_of_it(module):
    def one_more(limit):
        return limit + 1

    plant(defect_of("planted_here:LIMIT", one_more), module)
    assert module.LIMIT == 4


def test_a_target_that_went_away_is_named(module):
    with pytest.raises(
        NoTargetError,
        match=r"'doubled': there is no planted_here:Box\.area\. Point it to where",
    ):
        target_of(defect_of("planted_here:Box.area", doubled), module)


def test_two_defects_of_one_name_are_refused():
    own = Defects()
    own.plant("a:b", "tests/x.py")(doubled)
    with pytest.raises(ValueError, match="Two defects are named 'doubled'"):
        own.plant("a:c", "tests/x.py")(doubled)


def test_a_survivor_fails_the_run_and_is_named(monkeypatch, capsys):
    survivor = TABLE["two_sided_alpha"]
    monkeypatch.setattr(
        command,
        "examine",
        lambda defect: Outcome(defect, defect != survivor, "24 passed", 1.0),
    )
    assert command.main(["--trust", "-k", "alpha"]) == 1
    assert (
        "Survived: two_sided_alpha: The interval has level 1 - alpha"
        in capsys.readouterr().out
    )
    assert command.main(["--trust", "-k", "family"]) == 0


def test_a_list_says_what_is_planted_where_and_what_catches_it(capsys):
    assert command.main(["--list"]) == 0
    told = capsys.readouterr().out
    assert (
        "two_sided_alpha: The interval has level 1 - alpha where 1 - 2 alpha is registered.\n    "
        "in harness." in told
    )
    assert command.main(["-k", "no such name"]) == 2

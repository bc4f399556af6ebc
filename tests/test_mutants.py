"""The catalogue of planted defects fits the sources as they are; `python -m mutants` plants them."""

import ast
import subprocess
from collections import Counter
from dataclasses import replace

import pytest

from mutants.catalogue import CATALOGUE
from mutants.mutant import ROOT, Mutant, StaleMutant
from mutants.page import page, table
from mutants.workshop import Outcome, UnsoundBaseline, Workshop

each_mutant = pytest.mark.parametrize("mutant", CATALOGUE, ids=lambda mutant: mutant.name)


def functions_in(path):
    """Names of the test functions in a file."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_there_are_at_least_forty_with_names_of_their_own():
    assert len(CATALOGUE) >= 40
    assert [name for name, count in Counter(mutant.name for mutant in CATALOGUE).items() if count > 1] == []


@each_mutant
def test_a_mutant_replaces_what_the_source_has_exactly_once(mutant, tmp_path):
    copy = tmp_path / mutant.file
    copy.parent.mkdir(parents=True)
    copy.write_text((ROOT / mutant.file).read_text(encoding="utf-8"), encoding="utf-8")
    sound = mutant.plant(tmp_path)
    planted = copy.read_text(encoding="utf-8")
    assert planted != sound
    assert ast.dump(ast.parse(planted)) != ast.dump(ast.parse(sound))


@each_mutant
def test_what_catches_a_mutant_is_there(mutant):
    assert mutant.what.endswith(".")
    assert mutant.caught_by
    for test in mutant.caught_by:
        path, _, name = test.partition("::")
        assert name.partition("[")[0] in functions_in(path), test


def test_the_page_shows_every_mutant():
    shown = (ROOT / "docs" / "mutants.md").read_text(encoding="utf-8")
    rows = [line.split(" | ")[0].removeprefix("| ") for line in shown.splitlines() if line.startswith("| ")]
    assert rows[1:] == [mutant.name for mutant in CATALOGUE], "run: python -m mutants --write"


SOME = Mutant("some", "A defect.", "code.py", "+", "-", ("tests/test_code.py::test_sum",), known_missed="too rare")


@pytest.mark.parametrize("text", ["a * b", "a + b + c"])
def test_a_stale_mutant_is_named(tmp_path, text):
    (tmp_path / "code.py").write_text(text)
    with pytest.raises(StaleMutant, match=rf"'some': code\.py has the text '\+' {text.count('+')} times"):
        SOME.plant(tmp_path)


def test_a_mutant_without_its_file_is_named(tmp_path):
    with pytest.raises(StaleMutant, match=r"'some': there is no code\.py\. Point it to where the code is now"):
        SOME.plant(tmp_path)


def test_missed_mutants_are_listed_with_their_reason():
    outcomes = [Outcome(SOME, False, "all of its tests pass", 1.0), Outcome(CATALOGUE[0], True, "", 1.0)]
    for shown in (page(outcomes), table(outcomes)):
        assert "1 of 2" in shown
        assert "## Missed\n\n- some: too rare" in shown


def test_a_mutant_of_equal_length_is_caught_though_the_bytecode_of_the_source_is_there(tmp_path):
    (tmp_path / "adding.py").write_text("def total(a, b):\n    return a + b\n")
    (tmp_path / "test_adding.py").write_text("from adding import total\n\ndef test(): assert total(2, 1) == 3\n")
    mutant, workshop = replace(SOME, file="adding.py", caught_by=("test_adding.py::test",)), Workshop(tmp_path)
    workshop.check(mutant.caught_by)
    assert list(tmp_path.glob("__pycache__/adding.*.pyc"))
    assert workshop.examine(mutant).caught


def test_a_baseline_that_fails_or_hangs_is_named(tmp_path, monkeypatch):
    with pytest.raises(UnsoundBaseline, match=r"Tests fail without any mutant:\n(?s:.*)file or directory not found"):
        Workshop(tmp_path).check(["tests/test_code.py"])

    def hang(*arguments, timeout, **options):
        raise subprocess.TimeoutExpired("pytest", timeout)

    monkeypatch.setattr(subprocess, "run", hang)
    with pytest.raises(UnsoundBaseline, match=r"no answer within 3600 s\. Run fewer mutants \(-k\), or"):
        Workshop(tmp_path).check(["tests/test_code.py"])

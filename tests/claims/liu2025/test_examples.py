"""The paper's modules: the examples in their docstrings, and that each computation is found in one
of them.
"""

import doctest
from pathlib import Path

import pytest

from claims.liu2025 import added_layer, equivalence, regression
from harness import papers, studies
from harness.experiment import reference

CLAIMS = Path(__file__).parents[3] / "claims"


@pytest.mark.parametrize(
    "module", [added_layer, equivalence, regression], ids=lambda module: module.__name__
)
def test_examples_hold(module):
    found = doctest.testmod(module)
    assert found.attempted
    assert not found.failed


@pytest.mark.parametrize(
    "file", sorted((CLAIMS / "liu2025").glob("test_*.py")), ids=lambda file: file.stem
)
def test_each_computation_is_in_one_module_that_is_no_claim(file):
    for experiment in studies.load(file).experiments:
        place = papers.locate(reference(experiment.measure), CLAIMS)
        assert not place.name.startswith("test_")

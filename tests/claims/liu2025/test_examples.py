"""The examples in the docstrings of the paper's modules."""

import doctest

import pytest

from claims.liu2025 import added_layer, equivalence, regression


@pytest.mark.parametrize("module", [added_layer, equivalence, regression], ids=lambda module: module.__name__)
def test_examples_hold(module):
    found = doctest.testmod(module)
    assert found.attempted
    assert not found.failed

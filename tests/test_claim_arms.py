"""What the claims on dispersion and kernel change add to the shared computations."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from harness import studies
from harness.measurements import ntk_dispersion

CLAIMS = Path(__file__).parents[1] / "claims"
DISPERSION = "seleznova2020/test_dispersion_by_phase.py"
CHAOTIC, ORDERED = (
    f"seleznova2020/test_{name}.py" for name in ("kernel_change_in_chaotic_phase", "kernel_constancy_in_ordered_phase")
)


def loaded(file):
    spec = importlib.util.spec_from_file_location(Path(file).stem, CLAIMS / file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_phase_map_is_the_dispersion_of_each_phase_under_names_of_its_own(oracle):
    """So that it cannot be mistaken for the cells on which the claim is decided."""
    claim = loaded(DISPERSION)
    (cell,) = claim.map_cells(4, 2, draws=3)
    found = claim.phase_map(oracle, cell, (0, 1), "test")
    assert set(found) == {"map_mean", "map_mean_square"}
    column = cell["phases"].index(["relu", 2.5, 1.0])
    alone = ntk_dispersion(oracle, {**cell, "phases": [["relu", 2.5, 1.0]]}, (0, 1), "test")
    np.testing.assert_allclose(found["map_mean_square"][:, column], alone["mean_square"][:, 0])


@pytest.mark.parametrize("tier", ["quick", "full"])
def test_the_ordered_arm_of_the_chaotic_claim_is_computed_with_the_claim_on_constancy(tier, monkeypatch):
    monkeypatch.chdir(CLAIMS.parent)
    chaotic, ordered = (studies.load(CLAIMS / file) for file in (CHAOTIC, ORDERED))
    shared = {request.digest for experiment in ordered.experiments for request in experiment.requests(tier, "torch")}
    own = chaotic.experiments[-1].requests(tier, "torch")
    assert own
    assert {request.digest for request in own} <= shared

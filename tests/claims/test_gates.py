"""Gates of all claims on measurements that are no numbers: a comparison with NaN is False, which is
not to hold.
"""

from pathlib import Path

import numpy as np
import pytest

from harness import studies
from harness.experiment import Measured, Measurements

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "claims").rglob("test_*.py"))
SHAPES = ((10,), (10, 4), (10, 4, 4))


class NoNumbers(Measurements):
    """Every quantity of every cell, of one shape, all NaN."""

    def __init__(self, shape):
        super().__init__()
        object.__setattr__(self, "shape", shape)

    def __getitem__(self, experiment):
        requests = (
            experiment.requests("quick", "numpy") if experiment.quick.grid else []
        )
        arrays = Anything(self.shape)
        return Measured(
            experiment.measure.__qualname__,
            tuple((request, arrays) for request in requests),
        )


class Anything(dict):
    """Has whatever is asked for."""

    def __init__(self, shape):
        super().__init__()
        self.shape = shape

    def __contains__(self, name):
        return True

    def __getitem__(self, name):
        return np.full(self.shape, np.nan)

    def __iter__(self):
        return iter(())


def failing(study, shape):
    """The gates that fail on NaN of this shape; None where the claim's code needs another shape."""
    try:
        with np.errstate(all="ignore"):
            said = study.gates(NoNumbers(shape))
    except (IndexError, ValueError, np.exceptions.AxisError):
        return None
    return {name for name, text in said.items() if text}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_gate_on_finite_values_fails_on_what_is_no_number(path, monkeypatch):
    monkeypatch.chdir(ROOT)
    study = studies.load(path)
    broken = {gate.name for gate in study.claim.gates if gate.failure == "BROKEN"}
    found = [
        failed for shape in SHAPES if (failed := failing(study, shape)) is not None
    ]
    assert found, "no shape of measurements suits this claim"
    assert any(broken <= failed for failed in found)

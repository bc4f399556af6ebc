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
CURVES = "a value per size of the configuration"
SHAPES = ((10,), (10, 4), (10, 4, 4), CURVES)
ELSEWHERE = {"chance"}
"""Gates of quantities in several shapes: tests/claims/wenger2023/test_bandits.py has them."""


class NoNumbers(Measurements):
    """Every quantity of every cell, of one shape, all NaN."""

    def __init__(self, shape):
        super().__init__()
        object.__setattr__(self, "shape", shape)

    def __getitem__(self, experiment):
        requests = (
            experiment.requests("quick", "numpy") if experiment.quick.grid else []
        )
        return Measured(
            experiment.measure.__qualname__,
            tuple((request, self.arrays(request)) for request in requests),
        )

    def arrays(self, request):
        sizes = request.configuration.get("sizes", (1,))
        return Anything((10, len(sizes)) if self.shape == CURVES else self.shape)


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


def verdicts(check):
    """Whether a gate fails on NaN, for each shape that suits the claim's code."""
    found = []
    for shape in SHAPES:
        try:
            with np.errstate(all="ignore"):
                found.append(bool(check(NoNumbers(shape))))
        except (IndexError, ValueError, np.exceptions.AxisError):
            continue
    return found


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_gate_on_finite_values_fails_on_what_is_no_number(path, monkeypatch):
    monkeypatch.chdir(ROOT)
    claim = studies.load(path).gates.__self__
    broken = [
        (gate.name, check) for gate, check in claim.gates if gate.failure == "BROKEN"
    ]
    assert broken
    for name, check in broken:
        if name not in ELSEWHERE:
            found = verdicts(check)
            assert found, f"no shape of measurements suits {name!r}"
            assert all(found), name

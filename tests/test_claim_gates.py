"""Gates of claims on measurements that are no numbers: a comparison with NaN is False, which is not to hold."""

from pathlib import Path

import numpy as np
import pytest

from harness import studies

ROOT = Path(__file__).parents[1]
GATES = {
    "liu2025/test_added_layer_mismatch.py": {"flat", "fitted", "finite"},
    "liu2025/test_equivalence_theorem_in_practice.py": {"fitted", "finite"},
    "vyas2022/test_kernel_keeps_evolving.py": {"fitted", "learnt", "finite"},
}


class NoNumbers:
    """Measurements of every cell of the quick tier, all NaN."""

    absent = ()

    def __init__(self, study):
        self.cells = [cell for experiment in study.experiments for cell in experiment.quick.grid]

    def configurations(self, quantity):
        """The cells that have all keys which the claim's gates go by, whatever the quantity."""
        needed = {"gain": {"weights"}, "loss": {"label_scale"}, "drift": {"family"}, "error": {"depth"}}
        return [cell for cell in self.cells if needed.get(quantity, set()) <= cell.keys()]

    def __call__(self, quantity, **where):
        return np.full((3, 4), np.nan)


@pytest.mark.parametrize("path", GATES)
def test_no_gate_holds_of_what_is_no_number(path, monkeypatch):
    monkeypatch.chdir(ROOT)
    study = studies.load(ROOT / "claims" / path)
    said = study.gates(NoNumbers(study))
    assert {name for name in GATES[path] if said[name]} == GATES[path]

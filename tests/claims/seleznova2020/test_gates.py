"""Gates of the paper's claims: each holds of sound measurements, and fails where a single entry is
no number.
"""

from pathlib import Path

import numpy as np
import pytest

from harness import studies
from harness.experiment import Measurements

FOLDER = Path(__file__).parents[3] / "claims" / "seleznova2020"
SOUND = {"kernel_change": 0.3, "reached": 1.0}
PROTOCOL = {"kernel_change": 0.3, "min_loss": 0.05, "rate_over_edge": 0.5}
VARIANCES = {
    "mean_field": 1.0,
    "own_kernel": 1.0,
    "own_kernel_ridge": 1.0,
    "largest_condition": 1e3,
    "share": 0.1,
}
MEASURED = {
    "ntk_dispersion": {"mean": 1.0, "mean_square": 1.1},
    "kernel_change": SOUND,
    "training_by_protocol": PROTOCOL,
    "output_variance": VARIANCES,
}
GATED = [
    ("dispersion_by_phase", "ntk_dispersion", "mean", {"finite"}),
    ("dispersion_by_phase", "ntk_dispersion", "mean_square", {"finite"}),
    ("kernel_change_in_chaotic_phase", "kernel_change", "reached", {"trained"}),
    ("kernel_change_in_chaotic_phase", "kernel_change", "kernel_change", {"finite"}),
    (
        "kernel_constancy_in_ordered_phase",
        "training_by_protocol",
        "rate_over_edge",
        {"stable"},
    ),
    (
        "kernel_constancy_in_ordered_phase",
        "training_by_protocol",
        "kernel_change",
        {"finite"},
    ),
    ("kernel_constancy_in_ordered_phase", "kernel_change", "kernel_change", {"finite"}),
    ("kernel_constancy_in_ordered_phase", "kernel_change", "reached", {"trained"}),
    (
        "ordered_phase_untrainable_with_depth",
        "training_by_protocol",
        "rate_over_edge",
        {"stable"},
    ),
    (
        "ordered_phase_untrainable_with_depth",
        "training_by_protocol",
        "min_loss",
        {"finite"},
    ),
    ("output_variance_theory", "output_variance", "mean_field", {"finite"}),
    ("output_variance_theory", "output_variance", "own_kernel", {"finite"}),
    ("output_variance_theory", "output_variance", "own_kernel_ridge", {"finite"}),
    ("output_variance_theory", "output_variance", "largest_condition", {"solved"}),
    ("output_variance_theory", "output_variance", "share", {"tails"}),
]


def measured(study, computation, quantity, value):
    """Sound measurements of the quick tier, but for the last seed of one configuration of one
    quantity.
    """
    experiment = [e for e in study.experiments if e.measure.__name__ == computation][-1]
    broken = experiment.requests("quick", "torch")[-1]
    cells = []
    for request in (
        request for e in study.experiments for request in e.requests("quick", "torch")
    ):
        name = request.computation.rpartition("/")[2]
        arrays = {
            key: np.full((10, 3), sound)
            for key, sound in MEASURED.get(name, {}).items()
        }
        if request == broken:
            arrays[quantity][-1, -1] = value
        cells.append((request, arrays))
    return Measurements(tuple(cells))


@pytest.mark.parametrize(("predicate", "computation", "quantity", "failing"), GATED)
def test_one_entry_that_is_no_number_fails_the_gate(
    predicate, computation, quantity, failing
):
    study = studies.load(FOLDER / f"test_{predicate}.py")
    said = study.gates(measured(study, computation, quantity, np.nan))
    assert {name for name, failure in said.items() if failure} == failing
    sound = study.gates(
        measured(study, computation, quantity, MEASURED[computation][quantity])
    )
    assert not any(sound.values()), sound


def test_the_gates_of_the_variance_name_the_limit_and_the_place():
    study = studies.load(FOLDER / "test_output_variance_theory.py")
    said = study.gates(measured(study, "output_variance", "share", 0.4))
    assert (
        said["tails"]
        == "share not below 0.25: 0.4 at width 256, depth 3, networks 40, at_once 20"
    )
    said = study.gates(measured(study, "output_variance", "largest_condition", 1e9))
    assert said["solved"].startswith("largest_condition not below 1e+08: 1e+09 at ")

"""Figures and estimators of the claims on Experiment B, on measurements made up here."""

import numpy as np
import pytest

from claims.seleznova2020 import figures, settings
from claims.seleznova2020.paper import PAPER
from harness.claim import Claim
from harness.experiment import Measurements

TEXT = (
    "Toy.\n\nClaim\n    A.\n\nMeasured\n    B.\n\nDeparts\n    C.\n\nLimits\n    D.\n"
)


@pytest.fixture
def trained():
    """The experiment of two depths at the fixed rate, and measurements: all quantities by depth,
    for two seeds.
    """
    toy = Claim(TEXT, id="seleznova2020/toy", paper=PAPER, locus="nowhere")
    experiment = settings.at_fixed_rate(toy, (3, 10), steps=(600, 2_000))
    cells = []
    for request in experiment.requests("quick", "torch"):
        depth = request.configuration["depth"]
        arrays = {
            "kernel_change": np.array([0.1, 0.4]) * depth,
            "min_loss": np.array([0.02, 0.04]),
            "constant_loss": np.array([0.08, 0.08]),
            "checkpoint_steps": np.array([[1.0, 600], [1, 300]]),
            "drift": np.array([[0.1, 0.2], [0.4, 0.8]]) * depth,
        }
        cells.append((request, arrays))
    return experiment, Measurements(tuple(cells))


def test_steps_are_shown_as_those_of_the_paper(trained):
    experiment, m = trained
    shown = figures.course("drift", "Drift", {"ordered": experiment})(m)
    assert [line.label for line in shown.series] == [
        "ordered, 3 layers",
        "ordered, 10 layers",
    ]
    assert shown.series[0].x == pytest.approx((1e5 / 600, 0.75e5))  # mean over seeds
    assert shown.series[1].y == pytest.approx((2.0, 4.0))  # geometric mean over seeds


def test_an_arm_is_a_line_over_depth(trained):
    experiment, m = trained
    arms = {
        "ordered": figures.Arm(experiment),
        "frozen": figures.Arm(experiment, quantity="constant_loss"),
    }
    shown = figures.of_arms("kernel_change", "Change", arms, reference=0.25)(m)
    assert shown.series[0].x == (3.0, 10.0)
    assert shown.series[0].y == pytest.approx((0.6, 2.0))
    assert shown.series[1].y == pytest.approx((0.08, 0.08))
    assert shown.reference_y == 0.25


def test_the_part_left_is_of_the_best_constants_loss(trained):
    experiment, m = trained
    assert settings.part_left(m[experiment], depth=3) == pytest.approx([0.25, 0.5])
    shown = figures.part_learnt({"raw": experiment})(m)
    assert shown.series[0].y == pytest.approx((0.625, 0.625))

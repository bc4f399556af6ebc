"""Maps over (sigma_w^2, depth): which cells make a point, which are left out, and what claims
share.
"""

import numpy as np
import pytest

from claims.seleznova2020 import phase_maps
from claims.seleznova2020.paper import PAPER
from claims.seleznova2020.phase_maps import CHANGE, LOSS, REPLICATES
from claims.seleznova2020.training import kernel_change
from harness.claim import Claim, grid
from harness.experiment import Measurements

TEXT = """Toy.

Claim
    A.

Measured
    B.

Departs
    C.

Limits
    D.
"""


@pytest.fixture
def claim():
    return Claim(TEXT, id="seleznova2020/toy", paper=PAPER, locus="nowhere")


def measured(*pairs):
    """Measurements of the quick tier: (experiment, arrays of each of its configurations)."""
    cells = []
    for experiment, arrays in pairs:
        requests = experiment.requests("quick", "torch")
        cells += list(zip(requests, arrays, strict=True))
    return Measurements(tuple(cells))


def padded(columns):
    """(10, sigma_w2): what is given for the replicates that are trained, NaN for the others."""
    values = np.full((10, len(columns)), np.nan)
    values[:REPLICATES] = np.transpose(columns)
    return values


def mapped(claim, protocol, sigma_w2, **arrays):
    experiment = phase_maps.experiment(
        claim, protocol, {"sigma_w2": sigma_w2, "depth": 3}, centred=False
    )
    return experiment, [{name: padded(columns) for name, columns in arrays.items()}]


def points(figure):
    return {
        line.label: dict(zip(line.x, line.y, strict=True)) for line in figure.series
    }


def test_the_claims_own_cells_stand_in_where_the_map_has_none(claim):
    cells = [
        {"centred": False, "depth": depth, "sigma_w2": s}
        for depth, s in ((3, 1.0), (3, 1.5), (10, 1.0), (10, 0.01))
    ]
    own = claim.experiment(kernel_change, cells)
    change = {"kernel_change": np.r_[1.0, 2, 4, [50] * 7]}
    pair = mapped(
        claim,
        "matched loss",
        [1.5, 2.0],
        map_change=[[1, 1, 8], [3, 3, 3]],
        map_reached=[[1] * 3] * 2,
    )
    m = measured((own, [change] * 4), pair)
    shown = points(
        phase_maps.figure(pair[0], [own], "matched loss", CHANGE, centred=False)(m)
    )
    assert shown.keys() == {"3 layers", "10 layers"}
    assert shown["3 layers"] == pytest.approx({1.0: 2.0, 1.5: 2.0, 2.0: 3.0})
    # sigma_w^2 = 0.01 lies outside the map
    assert shown["10 layers"] == pytest.approx({1.0: 2.0})


def test_points_that_did_not_get_there_or_diverged_are_left_out(claim):
    reached = [[1, 1, 1], [1, 0, 1], [1, 1, 1]]
    change = [[1, 1, 1], [1, 1, 1], [1, np.nan, 1]]
    pair = mapped(
        claim, "matched loss", [1.0, 1.5, 2.0], map_change=change, map_reached=reached
    )
    shown = phase_maps.figure(pair[0], [], "matched loss", CHANGE, centred=False)(
        measured(pair)
    )
    assert points(shown) == {"3 layers": {1.0: 1.0}}


def test_the_other_arm_is_on_no_map(claim):
    own = claim.experiment(
        kernel_change, grid(centred=(False, True), depth=3, sigma_w2=1.0)
    )
    pair = mapped(
        claim, "fixed rate", [2.0], map_change=[[5] * 3], map_lasted=[[1] * 3]
    )
    m = measured(
        (own, [{"kernel_change": np.ones(10)}, {"kernel_change": np.full(10, 7.0)}]),
        pair,
    )
    shown = phase_maps.figure(pair[0], [own], "fixed rate", CHANGE, centred=False)(m)
    assert points(shown)["3 layers"] == pytest.approx({1.0: 1.0, 2.0: 5.0})


def test_a_map_says_what_it_is(claim):
    pair = mapped(
        claim, "fixed rate", [1.0], map_loss=[[0.1] * 3], map_lasted=[[1] * 3]
    )
    shown = phase_maps.figure(
        pair[0], [], "fixed rate", LOSS, centred=False, reference=0.09
    )(measured(pair))
    assert shown.title == "Phase map: trainability, fixed rate, raw"
    assert (
        "Least mean squared error over sigma_w^2, fixed rate, raw" in shown.description
    )
    assert (
        "torch, geometric mean of 3 seeds; nothing is decided on it"
        in shown.description
    )
    assert "rate above three quarters of a network's edge" in shown.description
    assert (shown.reference_y, shown.log_y) == (0.09, True)


def test_the_full_map_is_of_nine_phases_and_six_depths(claim):
    cells = phase_maps.experiment(claim, "half the edge", centred=False).full.grid
    assert len(cells) == 6
    assert all(len(cell["sigma_w2"]) == 9 and cell["width"] == 256 for cell in cells)

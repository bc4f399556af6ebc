"""Maps over (sigma_w^2, depth): which cells make a point, which are left out, and what claims share."""

from pathlib import Path

import numpy as np
import pytest

from harness import phase_maps, studies
from harness.experiment import Measurements, Request
from harness.phase_maps import CHANGE, LOSS, REPLICATES

PAPER = Path(__file__).parents[1] / "claims" / "seleznova2020"
OWN = {"centred": False, "lane": 0, "label_scale": 1.0}


def measured(*cells):
    """Measurements of (configuration, arrays); a map's configurations come from `phase_maps.experiment`."""
    requests = [
        Request("x:f", configuration, tuple(range(10)), "test", "torch", "float32") for configuration, _ in cells
    ]
    return Measurements(tuple((request, arrays) for request, (_, arrays) in zip(requests, cells, strict=True)))


def mapped(protocol, sigma_w2, depth=3, **arrays):
    (cell,) = phase_maps.experiment(protocol, {"sigma_w2": sigma_w2, "depth": depth}, centred=False).quick.grid
    return cell, {name: padded(columns) for name, columns in arrays.items()}


def padded(columns):
    """(10, sigma_w2): what is given for the replicates that are trained, NaN for the others."""
    values = np.full((10, len(columns)), np.nan)
    values[:REPLICATES] = np.transpose(columns)
    return values


def points(series):
    return {line.label: dict(zip(line.x, line.y, strict=True)) for line in series}


def test_the_claims_own_cells_stand_in_where_the_map_has_none():
    own = [
        ({**OWN, "depth": depth, "sigma_w2": s, "max_steps": 9}, {"kernel_change": np.r_[1.0, 2, 4, [50] * 7]})
        for depth, s in ((3, 1.0), (3, 1.5), (10, 1.0))
    ]
    m = measured(*own, mapped("matched loss", [1.5, 2.0], map_change=[[1, 1, 8], [3, 3, 3]], map_reached=[[1] * 3] * 2))
    found = points(phase_maps.lines(m, "matched loss", False, CHANGE))
    assert found.keys() == {"3 layers", "10 layers"}
    assert found["3 layers"] == pytest.approx({1.0: 2.0, 1.5: 2.0, 2.0: 3.0})
    assert found["10 layers"] == pytest.approx({1.0: 2.0})


def test_points_that_did_not_get_there_or_diverged_are_left_out():
    reached = [[1, 1, 1], [1, 0, 1], [1, 1, 1]]
    cell = mapped(
        "matched loss", [1.0, 1.5, 2.0], map_change=[[1, 1, 1], [1, 1, 1], [1, np.nan, 1]], map_reached=reached
    )
    assert points(phase_maps.lines(measured(cell), "matched loss", False, CHANGE)) == {"3 layers": {1.0: 1.0}}


def test_controls_and_other_arms_are_on_no_map():
    value = {"kernel_change": np.ones(10)}
    plain = {**OWN, "depth": 3, "sigma_w2": 1.0}
    others = [{"centred": True}, {"lane": 1}, {"label_scale": 8.0}, {"sigma_w2": 0.01}, {"flow_time": 4.0}]
    m = measured(*[({**plain, **other}, value) for other in others])
    assert not [line for line in phase_maps.lines(m, "matched loss", False, CHANGE) if line.x]
    fixed = phase_maps.lines(m, "fixed rate", False, CHANGE)
    assert points(fixed) == {"3 layers": {1.0: 1.0}}


def test_a_map_says_what_it_is():
    m = measured(mapped("fixed rate", [1.0], map_loss=[[0.1] * 3], map_lasted=[[1] * 3]))
    found = phase_maps.figure(m, "torch", "fixed rate", False, LOSS, 0.09)
    assert found.title == "Phase map: trainability, fixed rate, raw"
    assert "Least mean squared error over sigma_w^2, fixed rate, raw" in found.description
    assert "torch, geometric mean of 3 seeds; nothing is decided on it" in found.description
    assert "rate above three quarters of a network's edge" in found.description
    assert (found.reference_y, found.log_y) == (0.09, True)


@pytest.mark.parametrize("tier", ["quick", "full"])
def test_the_maps_of_trainability_and_of_constancy_share_their_cells(tier, monkeypatch):
    monkeypatch.chdir(PAPER.parents[1])
    names = "ordered_phase_untrainable_with_depth", "kernel_constancy_in_ordered_phase"
    loss, change = (studies.load(PAPER / f"test_{name}.py") for name in names)
    maps = [
        {r.digest for e in study.experiments if e.measure is phase_maps.training_map for r in e.requests(tier, "jax")}
        for study in (loss, change)
    ]
    assert len(maps[0] & maps[1]) == {"quick": 3, "full": 6}[tier]


def test_the_full_map_is_of_nine_phases_and_six_depths():
    cells = phase_maps.experiment("half the edge", centred=False).full.grid
    assert len(cells) == 6
    assert all(len(cell["sigma_w2"]) == 9 and cell["width"] == 256 for cell in cells)

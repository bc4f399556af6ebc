"""Forgetting against width: AF and LA by hand, and the claim on planted accuracies."""

from pathlib import Path

import numpy as np
import pytest

from claims.wenger2023 import tasks
from claims.wenger2023.forgetting import forgetting, learning_accuracy
from harness import studies
from harness.experiment import Measurements

CLAIM = (
    Path(__file__).parents[3]
    / "claims"
    / "wenger2023"
    / "test_forgetting_against_width.py"
)


def test_forgetting_counts_from_the_best_accuracy_since_a_task_was_learnt():
    # 0.95 before it was learnt does not count
    one = np.array([[0.8, 0.95, 0.1], [0.9, 0.7, 0.2], [0.6, 0.3, 0.75]])
    assert forgetting(np.array([one, np.eye(3)])) == pytest.approx(
        [((0.9 - 0.6) + (0.7 - 0.3)) / 2, 1.0]
    )
    assert learning_accuracy(np.array([one, np.eye(3)])) == pytest.approx([0.75, 1.0])


@pytest.fixture(scope="module")
def study():
    return studies.load(CLAIM)


def accuracies(forgotten, learnt):
    """(2, 3, 3), two seeds with that AF and LA: the first is forgotten wholly in the end, all are
    learnt alike.
    """
    one = np.diag([learnt] * 3)
    one[1, 0], one[2, :2] = learnt, learnt - forgotten
    return np.array([one, one])


def planted(study, lost, learnt, tier="quick"):
    """Measurements in which AF and LA are functions of setting, arm and width."""
    cells = []
    for experiment in study.experiments:
        for request in experiment.requests(tier, "torch")[
            :: 5 if tier == "full" else 1
        ]:
            c = request.configuration
            accuracy = accuracies(
                lost(c["bed"], c["arm"], c["width"]), learnt(c["arm"], c["width"])
            )
            ones = np.ones((2, 3))
            cells.append(
                (
                    request,
                    {
                        "accuracy": accuracy,
                        "reached": ones,
                        "rate_over_edge": 0.3 * ones[:, 0],
                    },
                )
            )
    return Measurements(tuple(cells))


def lost(setting, arm, width):
    if arm == tasks.NO_TURNS:
        return 0.0
    per_doubling = 0.03 if tasks.CONVERGED in arm else 0.01
    return 0.6 - per_doubling * np.log2(width) - 0.1 * (arm == tasks.HALF_TURNS)


def learnt(arm, width):
    return 0.7 + 0.02 * np.log2(width) * (arm == tasks.FIXED_EPOCHS)


def test_effects_are_slopes_per_doubling_of_width(study):
    m = planted(study, lost, learnt)
    found = study.effects(m)
    # Widths 32, 128, 512: AF 0.55, 0.43, 0 where turns shrink; 0, 0.43, 0.51 where they grow; mean
    # slope of the ends.
    expected = {
        "early_falls": 0.01,
        "converged_keeps": -0.03,
        "converged_keeps_beyond": -0.03,
        "epochs_fall": 0.01,
        f"early_falls_on[{tasks.FASHION}]": 0.01,
        f"early_falls_on[{tasks.SPLIT}]": 0.01,
        f"converged_keeps_on[{tasks.FASHION}]": -0.03,
        f"converged_keeps_on[{tasks.SPLIT}]": -0.03,
        "shrinking_turns": 0.55 / 4,
        "same_tasks": 0.0,
        "growing_turns": 0.51 / 4,
        "turns_that_shrink": -0.55 / 4,
    }
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], [value] * 2, atol=1e-12, err_msg=name)
    assert not any(study.gates(m).values())


def test_a_slope_is_that_of_the_widths_from_the_second_on_alone(study):
    """AF that falls from 32 to 128 and not from there on."""
    found = study.effects(
        planted(study, lambda setting, arm, width: 0.5 if width == 32 else 0.3, learnt)
    )
    assert (found["converged_keeps"] < -0.01).all()
    np.testing.assert_allclose(found["converged_keeps_beyond"], 0.0, atol=1e-12)


def test_learning_accuracy_is_shown_for_each_rule(study):
    figures = {
        figure.title: figure
        for figure in study.figures({"torch": planted(study, lost, learnt)})
    }
    lines = {
        series.label: series
        for series in figures["Learning of rotated digits against width"].series
    }
    assert len(lines) == 6
    assert lines["5 epochs"].y == pytest.approx([0.7 + 0.02 * k for k in (5, 7, 9)])
    assert lines["converged"].y == pytest.approx([0.7] * 3)


def cell_of(m, setting, arm, width):
    """The arrays of a cell, to be changed."""
    wanted = dict(bed=setting, arm=arm, width=width)
    (arrays,) = [
        arrays
        for request, arrays in m.cells
        if wanted.items() <= request.configuration.items()
    ]
    return arrays


@pytest.mark.parametrize("bad", [0.0, np.nan])
def test_a_network_that_never_stopped_fails_its_gate(study, bad):
    m = planted(study, lost, learnt)
    cell_of(m, tasks.DIGITS, tasks.CONVERGED, 32)["reached"][1, 2] = bad
    assert study.gates(m) == {
        "stopped": "the stopping rule was not reached at: rotated digits, converged, width 32",
        "stable": "",
        "finite": "",
    }


@pytest.mark.parametrize("bad", [1.2, np.nan])
def test_a_rate_above_the_edge_fails_its_gate(study, bad):
    m = planted(study, lost, learnt)
    cell_of(m, tasks.DIGITS, tasks.CONVERGED, 128)["rate_over_edge"][0] = bad
    assert study.gates(m)["stable"] == (
        "the rate is above the edge of stability at: rotated digits, converged, width 128"
    )


@pytest.mark.parametrize("bad", [-0.1, 1.1, np.nan])
def test_an_accuracy_that_is_none_fails_its_gate(study, bad):
    m = planted(study, lost, learnt)
    cell_of(m, tasks.SPLIT, tasks.EARLY, 256)["accuracy"][0, 0, 0] = bad
    assert study.gates(m)["finite"] == (
        "an accuracy is no number from 0 to 1 at: split Fashion-MNIST, stopped early, width 256"
    )


def test_larger_data_sets_that_are_not_there_cost_a_figure_and_nothing_else(study):
    whole = planted(study, lost, learnt, "full")
    missing = (tasks.MNIST, tasks.CIFAR)
    cells = [
        cell for cell in whole.cells if cell[0].configuration["bed"] not in missing
    ]
    absent = [
        (r.configuration, "No images.")
        for r, _ in whole.cells
        if r.configuration["bed"] in missing
    ]
    part = Measurements(cells, absent)
    assert not any(study.gates(part).values())
    for name, effect in study.effects(whole).items():
        np.testing.assert_array_equal(study.effects(part)[name], effect)
    shown, left = (
        {figure.title for figure in study.figures({"torch": m})} for m in (whole, part)
    )
    assert shown - left == {"Forgetting of MNIST and CIFAR-10 against width"}


def test_one_rate_for_all_widths_stays_below_the_edge():
    widths = (32, 2048, 16384)
    made = tasks.cells(
        tasks.FULL, [tasks.DIGITS], [tasks.ONE_RATE, tasks.EARLY, "10 epochs"], widths
    )
    assert [(cell["arm"], cell["width"]) for cell in made] == [
        (tasks.ONE_RATE, 32),
        (tasks.ONE_RATE, 2048),
        (tasks.EARLY, 32),
        (tasks.EARLY, 2048),
        (tasks.EARLY, 16384),
        ("10 epochs", 32),
        ("10 epochs", 2048),
    ]
    assert [cell["stop"] for cell in made if cell["arm"] == "10 epochs"] == [
        {"epochs": 10}
    ] * 2

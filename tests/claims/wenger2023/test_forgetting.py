"""Forgetting against width: AF and LA by hand, and the claim on planted accuracies."""

from pathlib import Path

import numpy as np
import pytest

from claims.wenger2023 import tasks
from claims.wenger2023.forgetting import (
    first_forgotten,
    forgetting,
    learning_accuracy,
)
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
    assert first_forgotten(np.array([one, np.eye(3)])) == pytest.approx([0.3, 1.0])


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


def planted(study, lost, tier="quick"):
    """Measurements in which AF is a function of the configuration; LA grows with width after steps.

    Training accuracy is 0.6 after 50 steps, and 0.97 elsewhere.
    """
    cells = []
    for experiment in study.experiments:
        for request in experiment.requests(tier, "torch")[
            :: 5 if tier == "full" else 1
        ]:
            cell = request.configuration
            learnt = 0.7 + 0.02 * np.log2(cell["width"]) * cell["same_images"]
            ones = np.ones((2, 3))
            arrays = {
                "accuracy": accuracies(lost(cell), learnt),
                "fitted": (0.6 if cell["steps"] == 50 else 0.97) * ones,
                "reached": ones,
                "rate_over_edge": 0.3 * ones[:, 0],
            }
            cells.append((request, arrays))
    return Measurements(tuple(cells))


PER_DOUBLING = {50: 0.03, 500: 0.01, 2000: -0.006, 9375: -0.009}


def lost(cell):
    """AF by width, in all arms from 0.4 at width 1 on; none where tasks do not turn."""
    if cell["tasks"][1]["angle"] == 0 and cell["bed"] == tasks.SAME_DIGITS:
        return 0.0
    half = cell["tasks"][1]["angle"] == 11.25
    slopes = {tasks.EARLY: -0.012, tasks.CONVERGED: -0.03}
    per_doubling = slopes.get(cell["arm"]) or PER_DOUBLING[cell["steps"]]
    return 0.4 + per_doubling * np.log2(cell["width"]) - 0.1 * half


@pytest.mark.parametrize("tier", ["quick", "full"])
def test_effects_are_slopes_per_doubling_of_width(study, tier):
    found = study.effects(planted(study, lost, tier))
    # AF 0.4 + 0.01 log2(width) at 500 steps, less 0.1 where turns are halved; widths 32, 128, 512,
    # at the full tier 32, 128, 2048, whose logarithms are 5, 7, 9 and 5, 7, 11.
    quick = tier == "quick"
    doublings = [5, 7, 9 if quick else 11]
    shrink = np.polyfit(doublings, [0.45, 0.37, 0], 1)[0]
    grow = np.polyfit(doublings, [0, 0.37, 0.49 if quick else 0.51], 1)[0]
    expected = {
        "short_falls": -0.03,
        "long_keeps": -0.006,
        "fashion_falls": -0.01,
        "early_falls": 0.012,
        "converged_keeps": -0.03,
        "shrinking_turns": -shrink,
        "same_tasks": 0.0,
        "growing_turns": grow,
        "turns_that_shrink": shrink,
    }
    if not quick:
        expected[f"longest_slope[{tasks.SAME_DIGITS}]"] = -0.009
        expected[f"longest_slope[{tasks.MORE_FASHION}]"] = -0.009
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], [value] * 2, atol=1e-12, err_msg=name)
    assert not any(study.gates(planted(study, lost, tier)).values())


def test_figures_show_the_slopes_against_steps_and_learning_against_width(study):
    m = planted(study, lost)
    figures = {figure.title: figure for figure in study.figures({"torch": m})}
    slopes = figures[
        "Forgetting of rotated digits: slope in width against steps per task"
    ]
    lines = {series.label: series for series in slopes.series}
    assert lines["AF, mean over the first four tasks"].x == (50.0, 500.0, 2000.0)
    assert lines["AF, mean over the first four tasks"].y == pytest.approx(
        [0.03, 0.01, -0.006]
    )
    # of the planted accuracies the first task loses as much as AF says
    assert lines["task 1 alone"].y == pytest.approx([0.03, 0.01, -0.006])
    learning = figures["Learning of rotated digits against width"].series
    assert [series.label for series in learning] == [
        "50 steps",
        "500 steps",
        "2,000 steps",
    ]
    assert learning[0].y == pytest.approx([0.8, 0.84, 0.88])


def cell_of(m, setting, arm, width):
    """The arrays of a cell, to be changed."""
    wanted = dict(bed=setting, arm=arm, width=width)
    return next(
        arrays
        for request, arrays in m.cells
        if wanted.items() <= request.configuration.items()
    )


@pytest.mark.parametrize("bad", [0.0, np.nan])
def test_a_network_that_never_stopped_fails_its_gate(study, bad):
    m = planted(study, lost)
    cell_of(m, tasks.DIGITS, tasks.CONVERGED, 32)["reached"][1, 2] = bad
    assert study.gates(m) == {
        "told_apart": "",
        "reached": "the stopping rule was not reached at: rotated digits, converged, width 32",
        "stable": "",
        "finite": "",
    }


@pytest.mark.parametrize(("steps", "bad"), [(50, 0.91), (2000, 0.89), (50, np.nan)])
def test_training_accuracies_on_the_wrong_side_fail_their_gate(study, steps, bad):
    m = planted(study, lost)
    cell_of(m, tasks.SAME_DIGITS, tasks.after(steps), 512)["fitted"][0, 1] = bad
    assert study.gates(m)["told_apart"] == (
        "training accuracy on the wrong side of 0.9 at: the same digits, "
        f"{steps:,} steps, width 512"
    )


@pytest.mark.parametrize("bad", [1.2, np.nan])
def test_a_rate_above_the_edge_fails_its_gate(study, bad):
    m = planted(study, lost)
    cell_of(m, tasks.DIGITS, tasks.CONVERGED, 128)["rate_over_edge"][0] = bad
    assert study.gates(m)["stable"] == (
        "the rate is above the edge of stability at: rotated digits, converged, width 128"
    )


@pytest.mark.parametrize("bad", [-0.1, 1.1, np.nan])
def test_an_accuracy_that_is_none_fails_its_gate(study, bad):
    m = planted(study, lost)
    cell_of(m, tasks.SAME_FASHION, "500 steps", 512)["accuracy"][0, 0, 0] = bad
    assert study.gates(m)["finite"] == (
        "an accuracy is no number from 0 to 1 at: 1,000 Fashion-MNIST images, 500 steps, width 512"
    )


def test_larger_data_sets_that_are_not_there_cost_lines_of_figures_and_nothing_else(
    study,
):
    whole = planted(study, lost, "full")
    missing = (tasks.MNIST, tasks.CIFAR, tasks.MORE_MNIST)
    cells = [
        cell for cell in whole.cells if cell[0].configuration["bed"] not in missing
    ]
    absent = [
        (request.configuration, "No images.")
        for request, _ in whole.cells
        if request.configuration["bed"] in missing
    ]
    part = Measurements(cells, absent)
    assert not any(study.gates(part).values())
    for name, effect in study.effects(whole).items():
        np.testing.assert_array_equal(study.effects(part)[name], effect)
    shown, left = (
        {
            (figure.title, series.label)
            for figure in study.figures({"torch": m})
            for series in figure.series
        }
        for m in (whole, part)
    )
    assert shown - left == {
        (
            "Forgetting of tasks to an accuracy against width",
            "rotated MNIST, converged",
        ),
        (
            "Forgetting of tasks to an accuracy against width",
            "rotated MNIST, stopped early",
        ),
        (
            "Forgetting of tasks to an accuracy against width",
            "split CIFAR-10, converged",
        ),
        (
            "Forgetting of tasks to an accuracy against width",
            "split CIFAR-10, stopped early",
        ),
        ("Forgetting of images after 9,375 steps against width", "10,000 MNIST images"),
    }


def test_the_published_slopes_are_those_of_the_printed_table(study):
    """Guha and Lakshman 2024, widths 32 to 512, AF in per cent; ours leaves out the last task."""
    printed = {
        "long_keeps": [37.7, 36.0, 35.0, 34.2, 33.2],
        f"longest_slope[{tasks.MORE_FASHION}]": [46.0, 46.0, 46.0, 45.9, 45.6],
    }
    hypotheses = {each.name: each for each in study.claim.hypotheses}
    for name, forgotten in printed.items():
        slope = np.polyfit(range(5), forgotten, 1)[0] / 100 * 5 / 4
        assert hypotheses[name].published.value == pytest.approx(slope, rel=1e-3)
        assert "not Wenger" in hypotheses[name].published.source

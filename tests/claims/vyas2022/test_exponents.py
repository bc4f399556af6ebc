"""Curves out of several cells, and differences of exponents on the sizes that network and kernel
share.
"""

from dataclasses import replace

import numpy as np
import pytest

from claims.vyas2022 import exponents, figures
from claims.vyas2022.exponents import Curve, Trained, gap, lead, ratio
from claims.vyas2022.exponents import exponents as exponents_of
from claims.vyas2022.recipes import changed
from claims.vyas2022.settings import (
    INFINITE,
    INITIAL,
    Recipe,
    Setting,
    add_setting,
    kernel_cell,
    ladder,
)
from harness.claim import Claim, Paper
from harness.errors import NotMeasured
from harness.experiment import Measurements, Request, reference

TASK = {
    "task": {"name": "planted"},
    "sizes": [10, 100, 1000],
    "validation": 5,
    "test": 7,
}
TRAINING = {"optimizer": "adam", "steps": 7}
NET = {"width": 8}
TEXT = "T\n\nClaim\n    C.\n\nMeasured\n    M.\n\nDeparts\n    D.\n\nLimits\n    L.\n"


def laws(sizes, *betas):
    return np.array([[n**-b for n in sizes] for b in betas])


def measured(*planted):
    """Of pairs of an experiment and, for each of its cells, arrays."""
    cells = []
    for experiment, arrays in planted:
        for configuration, own in zip(experiment.quick.grid, arrays, strict=True):
            seeds = tuple(range(len(next(iter(own.values())))))
            named = (
                reference(experiment.measure),
                configuration,
                seeds,
                experiment.stream,
                "numpy",
                experiment.dtype,
            )
            cells.append((Request(*named), own))
    return Measurements(cells)


@pytest.fixture
def claim():
    return Claim(
        TEXT, id="vyas2022/planted", paper=Paper("A", 2022, "T", "all"), locus="here"
    )


@pytest.fixture
def known(claim):
    """A network measured in two cells, and both kernels on sizes that are not all the network's."""
    networks = ladder(TASK, NET, TRAINING, ([10, 100], 3), ([1000, 10_000], 9))
    one = add_setting(claim, Recipe("planted", "a planted one", networks, kernels=()))
    beside = {}
    for name in (INITIAL, INFINITE):
        cell = dict(kernel_cell(networks, name), sizes=[10, 100, 1000])
        beside[name] = claim.experiment(one.networks.measure, [cell])
    return Setting("planted", "a planted one", one.networks, beside)


def planted(known):
    """Exponents per seed: network .5 and .8; kernels .3 and .2, and .4 with twice the error."""
    first = {"network_loss": laws((10, 100), 0.5, 0.8)}
    second = {"network_loss": laws((1000, 10_000), 0.5, 0.8)}
    initial = {
        "kernel_loss": laws(TASK["sizes"], 0.3, 0.2),
        "kernel_error": laws(TASK["sizes"], 0.1, 0.1),
    }
    infinite = {"kernel_loss": 2 * laws(TASK["sizes"], 0.4, 0.4)}
    kernels = known.kernels
    return measured(
        (known.networks, (first, second)),
        (kernels[INITIAL], [initial]),
        (kernels[INFINITE], [infinite]),
    )


def test_a_curve_out_of_two_cells_is_one_curve_with_the_steps_of_each(known):
    assert [(cell["sizes"], cell["steps"]) for cell in known.networks.quick.grid] == [
        ([10, 100], 3),
        ([1000, 10_000], 9),
    ]
    errors = exponents.network_curve(planted(known), known)
    assert errors.sizes.tolist() == [10, 100, 1000, 10_000]
    assert errors.values == pytest.approx(laws((10, 100, 1000, 10_000), 0.5, 0.8))


def test_the_gap_is_the_difference_of_exponents_where_both_were_measured_whatever_the_offset(
    known,
):
    m = planted(known)
    assert gap(m, known, INITIAL) == pytest.approx([0.2, 0.6])
    assert gap(m, known, INFINITE) == pytest.approx([0.1, 0.4])
    over = ratio(
        exponents.kernel_curve(m, known, INFINITE), exponents.network_curve(m, known)
    )
    assert over.sizes.tolist() == [10, 100, 1000]
    assert over.values[:, -1] == pytest.approx([2 * 1000**0.1, 2 * 1000**0.4])
    assert exponents.kernel_curve(m, known, INITIAL, "error").values == pytest.approx(
        laws(TASK["sizes"], 0.1, 0.1)
    )


def test_sizes_below_the_smallest_are_not_read(known):
    since = replace(known, smallest=100)
    assert exponents.network_curve(planted(known), since).sizes.tolist() == [
        100,
        1000,
        10_000,
    ]


def test_an_error_of_zero_leaves_its_seed_without_a_value():
    sizes = np.array([10, 100, 1000])
    zero = Curve(sizes, np.array([[1.0, 0.5, 0.0], [1.0, 0.1, 0.01]]))
    found = lead(zero, Curve(sizes, np.ones((2, 3))))
    assert np.isnan(found[0])
    assert found[1] == pytest.approx(1.0)
    assert exponents_of(zero)[1] == pytest.approx(1.0)
    assert exponents.without_logarithm([zero]) == "an error is zero or not finite"
    assert exponents.without_logarithm([Curve(sizes, zero.values[1:])]) == ""


def test_the_mean_ratio_is_geometric():
    sizes = np.array([1, 2])
    found = exponents.mean_ratio(
        Curve(sizes, np.array([[2.0, 8.0]])), Curve(sizes, np.array([[1.0, 1.0]]))
    )
    assert found == pytest.approx([4.0])


def test_what_is_untrained_is_told_by_label_size_and_number(known):
    stuck, fine = np.array([[1.0, 0.0], [0.0, 0.0]]), np.zeros((2, 2))
    m = measured(
        (
            known.networks,
            ({"train_loss": stuck, "gain": fine}, {"train_loss": fine, "gain": fine}),
        )
    )
    said = Trained(0.1, 0.1, 0.2).fails(m, {"here": known.networks})
    assert (
        said
        == "here: 1 of 2 networks are not trained at n = 10 (1 learnt nothing); allowed: 0"
    )
    assert Trained(0.1, 0.1, 0.5).fails(m, {"here": known.networks}) == ""
    assert Trained(0.1, 0.1, 0.2).fails(m, {"here": known.networks}, smallest=100) == ""


def test_a_setting_of_the_full_tier_is_not_measured_at_the_quick_one(claim):
    recipe = changed("full", "full", {}, sizes=[10])
    only = add_setting(
        claim, Recipe("full", "full", [], recipe.full, kernels=(INITIAL,))
    )
    assert only.networks.quick.grid == only.kernels[INITIAL].quick.grid == ()
    with pytest.raises(NotMeasured):
        exponents.network_curve(Measurements([]), only)


def test_at_the_full_tier_the_infinite_kernel_has_one_width_whatever_that_of_the_network(
    claim,
):
    recipe = changed("base", "base", {})
    kernels = add_setting(claim, recipe).kernels
    widths = {
        name: experiment.full.grid[0]["net"]["width"]
        for name, experiment in kernels.items()
    }
    assert widths == {INITIAL: 64, INFINITE: 16}


def test_a_line_says_its_exponent_with_the_interval_of_the_seeds():
    one = figures.line(
        "net", Curve(np.array(TASK["sizes"]), laws(TASK["sizes"], 0.5, 0.7))
    )
    assert one.label == "net (0.60 [-0.67, 1.87])"  # 0.6 +- t_{1, .975} 0.1, t = 12.706
    assert one.y == pytest.approx([10**-0.6, 100**-0.6, 1000**-0.6])

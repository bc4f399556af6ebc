"""Curves out of several cells, and differences of exponents on the sizes that network and kernel
share.
"""

import numpy as np
import pytest

from claims.vyas2022 import exponents, figures
from claims.vyas2022.exponents import Curve, Trained, gap, lead, ratio
from claims.vyas2022.exponents import exponents as exponents_of
from claims.vyas2022.settings import (
    INFINITE,
    INITIAL,
    RATE,
    Recipe,
    Setting,
    add_kernels,
    add_setting,
    kernel_cell,
    network_cell,
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
NET = {"width": 8, "label_scale": 2.0, "centred": False}
TEXT = "T\n\nClaim\n    C.\n\nMeasured\n    M.\n\nDeparts\n    D.\n\nLimits\n    L.\n"
FIRST = network_cell(TASK, NET, TRAINING, sizes=[10, 100], steps=3)
SECOND = network_cell(TASK, NET, TRAINING, sizes=[1000, 10_000])


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
    one = add_setting(claim, Recipe("planted", "a planted one", [FIRST, SECOND]))
    beside = {}
    for name in (INITIAL, INFINITE):
        cell = dict(kernel_cell([FIRST, SECOND], name), sizes=[10, 100, 1000])
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
        ([1000, 10_000], 7),
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
    assert exponents.kernel_curve(m, known, INITIAL, RATE).values == pytest.approx(
        laws(TASK["sizes"], 0.1, 0.1)
    )


def test_an_error_of_zero_leaves_its_seed_without_a_value():
    sizes = np.array([10, 100, 1000])
    zero = Curve(sizes, np.array([[1.0, 0.5, 0.0], [1.0, 0.1, 0.01]]))
    found = lead(zero, Curve(sizes, np.ones((2, 3))))
    assert np.isnan(found[0])
    assert found[1] == pytest.approx(1.0)
    assert exponents_of(zero)[1] == pytest.approx(1.0)
    assert exponents.without_logarithm([zero]) == "an error is zero or not finite"
    assert exponents.without_logarithm([Curve(sizes, zero.values[1:])]) == ""


def test_a_lead_that_one_size_carries_is_told_with_the_size():
    """The first curve falls at the last size alone; an error of zero carries nothing."""
    sizes = np.array([10, 100, 1000])
    flat = Curve(sizes, np.ones((2, 3)))
    late = Curve(sizes, np.array([[1.0, 1.0, 0.1], [1.0, 1.0, 0.1]]))
    said = exponents.carried_by_one_size(late, flat, 0.05)
    assert said == "without size 1000 the mean difference of exponents is 0"
    even = Curve(sizes, laws(sizes, 0.3, 0.4))
    assert exponents.carried_by_one_size(even, flat, 0.05) == ""
    zero = Curve(sizes, np.array([[1.0, 0.5, 0.0], [1.0, 0.1, 0.01]]))
    assert exponents.carried_by_one_size(zero, flat, 0.05).startswith(
        "without size 10 "
    )


def test_what_is_untrained_is_told_by_label_size_and_number(known):
    stuck, fine = np.array([[1.0, 0.0], [0.0, 0.0]]), np.zeros((2, 2))
    m = measured(
        (
            known.networks,
            ({"train_loss": stuck, "gain": fine}, {"train_loss": fine, "gain": fine}),
        )
    )
    said = Trained(0.1, 0.1, 0.2).fails(m, [known])
    assert said == (
        "a planted one: 1 of 2 networks are not trained at n = 10 (1 learnt nothing); "
        "allowed: 0"
    )
    assert Trained(0.1, 0.1, 0.5).fails(m, [known]) == ""


def test_a_setting_of_the_full_tier_is_not_measured_at_the_quick_one(claim):
    only = add_setting(claim, Recipe("full", "full", [], [FIRST]), INITIAL)
    assert only.networks.quick.grid == only.kernels[INITIAL].quick.grid == ()
    assert [cell["sizes"] for cell in only.networks.full.grid] == [[10, 100]]
    with pytest.raises(NotMeasured):
        exponents.network_curve(Measurements([]), only)


def test_a_change_of_the_full_tier_holds_for_every_cell_and_makes_equal_ones_one(claim):
    recipe = Recipe("p", "p", [FIRST, SECOND], dict(sizes=[20, 40], steps=9))
    (network,) = add_setting(claim, recipe).networks.full.grid
    assert (network["sizes"], network["steps"], network["net"]) == ([20, 40], 9, NET)
    kernels = add_kernels(claim, recipe, INITIAL)
    assert [cell["sizes"] for cell in kernels[INITIAL].full.grid] == [[20, 40]]


def test_networks_that_differ_in_what_no_kernel_depends_on_have_one_kernel_between_them():
    """Lazy and rich networks share their initial kernel, all widths that at infinite width."""
    lazy = dict(FIRST, net=dict(NET, label_scale=0.1, centred=True), steps=50)
    wide = dict(FIRST, net=dict(NET, width=512))
    assert kernel_cell([FIRST], INITIAL) == kernel_cell([lazy], INITIAL)
    assert kernel_cell([FIRST], INITIAL) != kernel_cell([wide], INITIAL)
    assert kernel_cell([FIRST], INFINITE) == kernel_cell([wide], INFINITE)


def test_a_line_says_its_exponent_with_the_interval_of_the_seeds():
    one = figures.line(
        "net", Curve(np.array(TASK["sizes"]), laws(TASK["sizes"], 0.5, 0.7))
    )
    assert one.label == "net (0.60 [-0.67, 1.87])"  # 0.6 +- t_{1, .975} 0.1, t = 12.706
    assert one.y == pytest.approx([10**-0.6, 100**-0.6, 1000**-0.6])

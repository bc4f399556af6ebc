"""Test beds: curves out of several cells, gaps of exponents on the sizes that network and kernel share."""

import numpy as np
import pytest
from harness.beds import Bed, bed, kernel, ladder, line, network, pair, slope

from harness.experiment import Measurements, Request

TASK = {"task": {"name": "planted"}, "sizes": (10, 100, 1000)}
TRAINING = {"optimizer": "adam", "steps": 7}
NET = {"width": 8}


def measured(*cells: tuple[dict, dict[str, np.ndarray]]) -> Measurements:
    seeds = range(len(next(iter(cells[0][1].values()))))
    return Measurements([(Request("x:y", cell, tuple(seeds), "s", "numpy", "float64"), a) for cell, a in cells])


def laws(sizes: tuple[int, ...], *exponents: float) -> np.ndarray:
    return np.array([[n**-b for n in sizes] for b in exponents])


def planted() -> tuple[Bed, Measurements]:
    """Exponents per seed: network .5 and .8, measured in two cells; kernel .3 and .2, and .4 on other sizes."""
    first, second = ladder(TASK, NET, TRAINING, ((10, 100), 3), ((1000, 10_000), 9))
    known = bed("planted", TASK, NET, TRAINING)
    return known._replace(nets=(first, second)), measured(
        (first, {"network_loss": laws((10, 100), 0.5, 0.8)}),
        (second, {"network_loss": laws((1000, 10_000), 0.5, 0.8)}),
        (known.init, {"kernel_loss": laws(TASK["sizes"], 0.3, 0.2), "kernel_error": laws(TASK["sizes"], 0.1, 0.1)}),
        (known.infinite, {"kernel_loss": 2 * laws(TASK["sizes"], 0.4, 0.4)}),
    )


def test_a_curve_out_of_two_cells_is_one_curve_with_the_steps_of_each() -> None:
    known, m = planted()
    assert [(cell["sizes"], cell["steps"]) for cell in known.nets] == [((10, 100), 3), ((1000, 10_000), 9)]
    sizes, errors = network(m, known)
    assert sizes == [10, 100, 1000, 10_000]
    assert errors == pytest.approx(laws((10, 100, 1000, 10_000), 0.5, 0.8))


def test_the_gap_is_the_difference_of_exponents_where_both_were_measured_whatever_the_offset() -> None:
    known, m = planted()
    sizes, logs = pair(m, known, "init")
    assert sizes == [10, 100, 1000]
    assert slope(sizes, logs) == pytest.approx([0.2, 0.6])
    assert slope(*pair(m, known, "infinite")) == pytest.approx([0.1, 0.4])
    assert kernel(m, known.init, "error")[1] == pytest.approx(laws(TASK["sizes"], 0.1, 0.1))


def test_an_error_of_zero_leaves_the_gap_without_a_value() -> None:
    known = bed("planted", TASK, NET, TRAINING)
    zero = np.array([[1.0, 0.5, 0.0]])
    m = measured((known.nets[0], {"network_loss": zero}), (known.init, {"kernel_loss": zero + 1}))
    assert not np.isfinite(slope(*pair(m, known, "init"))).any()


def test_a_bed_names_the_kernels_that_it_has() -> None:
    known = bed("planted", TASK, NET, TRAINING)
    assert known.kernels == ["init", "infinite"]
    assert known._replace(infinite=None).kernels == ["init"]


def test_a_line_says_its_exponent_with_the_interval_of_the_seeds() -> None:
    one = line("net", TASK["sizes"], laws(TASK["sizes"], 0.5, 0.7))
    assert one.label == "net (0.60 [-0.67, 1.87])"  # 0.6 +- t_{1, .975} 0.1, t = 12.706
    assert one.y == pytest.approx([10**-0.6, 100**-0.6, 1000**-0.6])

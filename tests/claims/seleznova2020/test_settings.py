"""The settings of Experiment B: each phase lies on its side of the edge of chaos."""

import numpy as np
import pytest

from claims.seleznova2020.settings import SETTINGS

# of a standard normal variable; an even number, since the slope of ReLU jumps at 0
POINTS, WEIGHTS = np.polynomial.hermite_e.hermegauss(100)
WEIGHTS = WEIGHTS / WEIGHTS.sum()
SLOPES = {"relu": lambda h: h > 0, "tanh": lambda h: 1 / np.cosh(h) ** 2}
VALUES = {"relu": lambda h: np.maximum(h, 0), "tanh": np.tanh}


def chi(activation, sigma_w2, sigma_b2, layers=400):
    """chi = sigma_w^2 E[phi'(sqrt(q) z)^2] at the fixed point of q = sigma_w^2 E[phi(sqrt(q) z)^2]
    + sigma_b^2; above 1 a network is chaotic.
    """
    q = 1.0
    for _ in range(layers):
        preactivations = min(q, 1e6) ** 0.5 * POINTS
        q = sigma_w2 * WEIGHTS @ VALUES[activation](preactivations) ** 2 + sigma_b2
    return sigma_w2 * WEIGHTS @ SLOPES[activation](preactivations) ** 2


@pytest.mark.parametrize("net", SETTINGS)
def test_each_phase_is_on_its_side_of_the_edge_of_chaos(net):
    setting = SETTINGS[net]
    ordered, chaotic = (
        chi(setting.activation, sigma_w2, setting.sigma_b2)
        for sigma_w2 in (setting.ordered, setting.chaotic)
    )
    assert ordered < 0.75  # tanh, sigma_b^2 = 0.1: 0.69
    assert chaotic > 1.2


def test_the_edge_of_chaos_is_where_the_settings_say():
    for net, edge in zip(SETTINGS, (2.0, 1.99, 3.44), strict=True):
        setting = SETTINGS[net]
        at_edge = chi(setting.activation, edge, setting.sigma_b2)
        assert at_edge == pytest.approx(1, abs=0.01)

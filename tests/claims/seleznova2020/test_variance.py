"""The variance of trained outputs: against kernel regression written out, the paper's recursions
and brute force.
"""

import numpy as np
import pytest

from claims.seleznova2020.over_theorem import DEEP, PHASES, QUICK
from claims.seleznova2020.theory import mean_field, theorem3
from claims.seleznova2020.variance import architecture, inputs, output_variance, summary
from harness import kernels, seeds

TINY = {
    "width": 24,
    "depth": 1,
    "samples": 4,
    "networks": 7,
    "at_once": 3,
    "ridge": 0.3,
}


def measured(backend, phases=((1.0, 1.0), (3.0, 0.5)), replicates=(0,), **changes):
    configuration = {**TINY, "phases": [list(phase) for phase in phases], **changes}
    return output_variance(backend, configuration, replicates, "test")


def regression(kernel, f, y, ridge=0.0):
    """f(x) + k(x, X) (K + ridge)^-1 (y - f(X)) for the first point x, trained on the others."""
    return f[0] + kernel[0, 1:] @ np.linalg.solve(
        kernel[1:, 1:] + ridge * np.eye(len(f) - 1), y - f[1:]
    )


def by_turns(count):
    return (-1.0) ** np.arange(count)


def one_hidden_layer(theta, network, x):
    """f and the kernel of f = w2 .

    relu(W1 x + b1) + b2 from its gradients, written from the definition.
    """
    W1, b1, w2, b2 = (theta[name][network] for name in ("W1", "b1", "W2", "b2"))
    h = x @ W1.T + b1
    back = (h > 0) * w2
    gradients = [
        back[:, :, None] * x[:, None, :],
        back,
        np.maximum(h, 0),
        np.ones((len(x), 1)),
    ]
    J = np.concatenate([g.reshape(len(x), -1) for g in gradients], axis=1)
    return (np.maximum(h, 0) @ w2[0] + b2[0]), J @ J.T


def brute_force(phase, replicate=0):
    """Variances of the arms of TINY, network by network and point by point, of networks drawn as
    such.
    """
    net = architecture(TINY["width"], TINY["depth"], *phase)
    x = inputs(TINY["width"], 5)
    names = [
        seeds.derive("init", stream="test", replicate=replicate, network=n)
        for n in range(7)
    ]
    theta, limit = net.init(names), kernels.ntk(net, x)
    q, q_sr, _ = recursions(*phase, TINY["depth"])
    sizes = {"hundredfold": 100.0, "outputs": q**0.5, "differences": (q - q_sr) ** 0.5}
    arms = {
        name: np.empty((7, 5))
        for name in ("mean_field", "own", "no_labels", "ridge", "alone", *sizes)
    }
    pairs = np.empty((7, 4))
    for n in range(7):
        f, own = one_hidden_layer(theta, n, x)
        for i in range(5):
            order = [i, *(j for j in range(5) if j != i)]
            g, k, k_limit, y = (
                f[order],
                own[np.ix_(order, order)],
                limit[np.ix_(order, order)],
                by_turns(4),
            )
            arms["mean_field"][n, i] = regression(k_limit, g, y)
            arms["own"][n, i] = regression(k, g, y)
            arms["no_labels"][n, i] = regression(k, g, 0 * y)
            arms["ridge"][n, i] = regression(k, g, y, ridge=0.3 * np.trace(own) / 5)
            arms["alone"][n, i] = regression(k, 0 * g, y)
            for name, size in sizes.items():
                arms[name][n, i] = regression(k, g, size * y)
        for i, j in ((0, 1), (1, 0), (2, 3), (3, 2)):
            pairs[n, i] = f[i] - limit[0, 1] / limit[1, 1] * f[j]
    return {
        name: values.var(axis=0, ddof=1).mean()
        for name, values in {**arms, "pairs": pairs}.items()
    }


def test_variances_are_those_of_kernel_regression_network_by_network(backend):
    phases = ((1.0, 1.0), (3.0, 0.5))
    found = measured(backend, phases)
    names = {
        "mean_field": "mean_field",
        "mean_field_pair": "pairs",
        "own_kernel": "own",
        "own_kernel_no_labels": "no_labels",
        "own_kernel_ridge": "ridge",
        "labels_alone": "alone",
        "labels_hundredfold": "hundredfold",
        "labels_of_outputs": "outputs",
        "labels_of_differences": "differences",
    }
    for number, phase in enumerate(phases):
        expected = brute_force(phase)
        for name, brute in names.items():
            assert found[name].shape == (1, 2)
            assert found[name][0, number] == pytest.approx(expected[brute], rel=1e-9), (
                name
            )


def test_replicates_are_independent_groups_in_order(oracle):
    both, second = (
        measured(oracle, replicates=(0, 1)),
        measured(oracle, replicates=(1,)),
    )
    assert both["own_kernel"].shape == (2, 2)
    np.testing.assert_array_equal(both["own_kernel"][1], second["own_kernel"][0])
    assert (both["own_kernel"][0] != both["own_kernel"][1]).all()


def test_how_many_networks_are_computed_at_once_changes_nothing(oracle):
    whole, parts = (measured(oracle, at_once=block) for block in (7, 2))
    for name in whole:
        np.testing.assert_allclose(parts[name], whole[name], rtol=1e-9)


@pytest.mark.parametrize("samples", [1, 2, 8])
def test_theorem_3_is_the_variance_of_exchangeable_outputs(samples):
    q, q_sr, kappa1, kappa2 = 2.0, 0.7, 5.0, 3.0
    kernel = kappa2 + (kappa1 - kappa2) * np.eye(samples + 1)
    covariance = q_sr + (q - q_sr) * np.eye(samples + 1)
    weights = np.array(
        [regression(kernel, basis, np.zeros(samples)) for basis in np.eye(samples + 1)]
    )
    found = theorem3(q, q_sr, kappa1 / kappa2, samples)
    assert found == pytest.approx(weights @ covariance @ weights, rel=1e-12)


def recursions(sigma_w2, sigma_b2, depth, correlation=0.5):
    """q, q_sr and kappa1 / kappa2 by the paper's recursions for ReLU, layer by layer."""
    q, q_sr, sums, slopes = 1.0, correlation, [], []
    for layer in range(depth + 1):
        if layer == 0:
            features = (q, q_sr)
        else:
            c = q_sr / q
            arc = np.pi / 2 + np.arcsin(c)
            slopes.append((sigma_w2 / 2, sigma_w2 / (2 * np.pi) * arc))
            features = (q / 2, q * (np.sqrt(1 - c**2) + c * arc) / (2 * np.pi))
        sums.append(features)
        q, q_sr = (sigma_w2 * feature + sigma_b2 for feature in features)
    p, p_sr, kappa1, kappa2 = 1.0, 1.0, 0.0, 0.0
    for layer in reversed(range(depth + 1)):
        kappa1, kappa2 = kappa1 + sums[layer][0] * p, kappa2 + sums[layer][1] * p_sr
        if layer:
            p, p_sr = p * slopes[layer - 1][0], p_sr * slopes[layer - 1][1]
    return q, q_sr, kappa1 / kappa2


@pytest.mark.parametrize("depth", [1, 3, 10, 47])
@pytest.mark.parametrize("phase", ["ordered", "edge", "chaotic"])
def test_mean_field_quantities_follow_the_papers_recursions(phase, depth):
    q, q_sr, kappa_ratio = mean_field(PHASES[phase], depth)
    expected = recursions(*PHASES[phase], depth)
    assert (q, q_sr) == pytest.approx(expected[:2], rel=1e-9)
    assert kappa_ratio - 1 == pytest.approx(expected[2] - 1, rel=2e-3, abs=1e-9)


@pytest.mark.parametrize(
    ("phase", "low", "high"),
    [("ordered", 1.0, 1.005), ("edge", 1.45, 1.63), ("chaotic", 2.7, 3.2)],
)
def test_kappa_ratio_at_47_layers_is_in_the_range_read_off_the_papers_figure(
    phase, low, high
):
    assert low <= mean_field(PHASES[phase], 47)[2] <= high


def test_inputs_have_the_norm_and_correlation_that_the_claim_states():
    x = inputs(12, 9)
    np.testing.assert_allclose(x @ x.T, 12 * (0.5 + 0.5 * np.eye(9)), rtol=1e-12)


def test_planted_outputs_obey_the_theorem_and_know_no_labels(oracle):
    """Width 200 for the kernel's bias gradients to be small; the error of 2,000 draws is 1 %, (1 +
    A^2/S) is 20 %.
    """
    phase = PHASES["chaotic"]
    x = inputs(200, 5)
    net = architecture(200, 3, *phase)
    f = (
        np.random.default_rng(0).standard_normal((2000, 5))
        @ np.linalg.cholesky(kernels.nngp(net, x)).T
    )
    q, q_sr, kappa_ratio = mean_field(PHASES["chaotic"], 3)
    found = summary(
        f[:10],
        np.tile(kernels.ntk(net, x), (10, 1, 1)),
        kernels.ntk(net, x),
        f,
        0.1,
        {},
    )
    assert found["planted"] == pytest.approx(
        theorem3(q, q_sr, kappa_ratio, samples=4), rel=0.04
    )
    assert found["labels_alone"] == pytest.approx(0, abs=1e-18)
    assert found["own_kernel"] == pytest.approx(found["mean_field"], rel=1e-9)


def test_share_names_a_network_that_makes_the_variance_alone():
    f = np.random.default_rng(0).standard_normal((50, 5))
    own = np.tile(np.eye(5) + 1.0, (50, 1, 1))
    quiet = summary(f, own, own[0], f, 0.1, {})["share"]
    f[3] *= 100
    assert quiet < 0.15
    assert summary(f, own, own[0], f, 0.1, {})["share"] > 0.9


def test_the_ridge_conditions_ordered_kernels_as_at_the_edge(oracle):
    configuration = {**QUICK[0], "depth": DEEP, "networks": 6, "at_once": 6}
    found = output_variance(oracle, configuration, (0,), "test")
    ordered, edge, _ = (
        dict(zip(("bare", "ridged"), pair, strict=True)) for pair in conditions(found)
    )
    assert ordered["bare"] > 10 * edge["bare"]
    assert ordered["ridged"] < edge["bare"]


def conditions(found):
    return zip(found["condition"][0], found["condition_ridge"][0], strict=True)

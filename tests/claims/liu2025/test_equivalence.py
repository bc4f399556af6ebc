"""Networks and their kernel predictors: against descent, brute force and closed forms."""

from dataclasses import replace

import numpy as np
import pytest

from claims.liu2025 import equivalence
from claims.liu2025.problems import problem
from harness import backends, kernels, networks, seeds
from harness.errors import InvalidInput
from harness.measurements import Samples

SETTING = {
    "target": "wave",
    "inputs": 3,
    "samples": 6,
    "validation": 4,
    "noise": 0.1,
    "depth": 1,
    "width": 8,
}
THEORY = {
    **SETTING,
    "steps": 30,
    "label_scale": 0.5,
    "centred": True,
    "permuted": False,
}
COMMON = {
    **SETTING,
    "samples": 40,
    "steps": 50,
    "permuted": False,
}
REPLICATES = (0, 3)


@pytest.fixture(scope="module")
def torch():
    return backends.get("torch", dtype="float64")


def theory_net():
    return networks.mlp((3, 8, 1), sigma_w=2**0.5, sigma_b=0.3)


def start(replicate):
    return theory_net().init(
        seeds.derive("init", stream="test", replicate=replicate, lane=0)
    )


def descended(k_train, k_test, y, rate, steps):
    """Outputs on train and test, moved together by descent with momentum in function space."""
    f, f_test, v = np.zeros_like(y), np.zeros(len(k_test)), np.zeros_like(y)
    for _ in range(steps):
        v = 0.9 * v + 2 * (f - y) / len(y)
        f, f_test = f - rate * k_train @ v, f_test - rate * k_test @ v
    return f_test


def relative_rms(a, b):
    return np.sqrt(np.mean((a - b) ** 2))  # the tests' targets have variance 1


def test_heavy_ball_is_descent_on_the_weights_of_a_linear_model():
    rng = np.random.default_rng(0)
    features, others, y = (
        rng.standard_normal((5, 9)),
        rng.standard_normal((3, 9)),
        rng.standard_normal((5, 1)),
    )
    w, v = np.zeros((9, 1)), np.zeros((9, 1))
    for _ in range(17):
        v = 0.9 * v + 2 / 5 * features.T @ (features @ w - y)
        w = w - 0.02 * v
    found = equivalence.heavy_ball(
        (features @ features.T)[None],
        (others @ features.T)[None],
        y[None],
        np.array([0.02]),
        17,
    )
    np.testing.assert_allclose(found[0], others @ w, rtol=1e-10)


def test_heavy_ball_for_long_is_regression_without_a_ridge():
    rng = np.random.default_rng(1)
    a, k_test, y = (
        rng.standard_normal((6, 8)),
        rng.standard_normal((4, 6)),
        rng.standard_normal((6, 1)),
    )
    k = a @ a.T + np.eye(6)
    rate = 0.75 * len(k) / np.linalg.eigvalsh(k)[-1]
    found = equivalence.heavy_ball(
        k[None], k_test[None], y[None], np.array([rate]), 3000
    )
    np.testing.assert_allclose(found[0], k_test @ np.linalg.solve(k, y), rtol=1e-8)


def test_predictors_are_descent_with_each_kernel_at_three_quarters_of_the_edge(torch):
    found = equivalence.kernel_predictors(torch, THEORY, REPLICATES, "test")
    training, _, test = problem(THEORY, REPLICATES, "test")
    for i, replicate in enumerate(REPLICATES):
        x, y, x_test, f = training.x[i], training.y[i, :, 0], test.x[i], test.y[i, :, 0]
        net, theta = theory_net(), start(replicate)
        own = torch.empirical_ntk(net, theta, np.concatenate([x, x_test]), x)
        rate = 0.75 * 6 / np.linalg.eigvalsh(own[:6])[-1]
        limit, nngp = (
            k(net, np.concatenate([x, x_test]), x) for k in (kernels.ntk, kernels.nngp)
        )
        by_own, by_limit, by_nngp = (
            descended(k[:6], k[6:], y, rate, 30) for k in (own, limit, nngp)
        )
        expected = {
            "own_error": relative_rms(by_own, f) ** 2,
            "limit_error": relative_rms(by_limit, f) ** 2,
            "own_to_limit": relative_rms(by_own, by_limit),
            "nngp_to_limit": relative_rms(by_nngp, by_limit),
            "own_to_nngp": relative_rms(by_own, by_nngp),
        }
        assert {name: values[i] for name, values in found.items()} == pytest.approx(
            expected, rel=1e-6
        )


@pytest.mark.parametrize(
    "changes",
    [{}, {"centred": False}, {"permuted": True}],
    ids=["centred", "raw", "permuted"],
)
def test_the_network_of_theory_descends_as_written_out(oracle, changes):
    configuration = {**THEORY, **changes}
    found = equivalence.descent_by_theory(oracle, configuration, (3,), "test")
    training, _, test = problem(configuration, (3,), "test")
    net, theta, x, x_test = theory_net(), start(3), training.x[0], test.x[0]
    labels = 0.5 * (training.y[0][::-1] if configuration["permuted"] else training.y[0])
    offset, offset_test = (
        oracle.forward(net, theta, z) * configuration["centred"] for z in (x, x_test)
    )
    own = oracle.empirical_ntk(net, theta, x)
    rate, velocity = (
        0.75 * 6 / np.linalg.eigvalsh(own)[-1],
        {name: 0.0 for name in theta},
    )
    for _ in range(30):
        residual = oracle.forward(net, theta, x) - offset - labels
        gradient = oracle.pullback(net, theta, x, 2 / 6 * residual)
        velocity = {name: 0.9 * velocity[name] + gradient[name] for name in theta}
        theta = {name: theta[name] - rate * velocity[name] for name in theta}
    learnt = ((oracle.forward(net, theta, x_test) - offset_test) / 0.5)[:, 0]
    limit = kernels.ntk(net, np.concatenate([x, x_test]), x)
    by_limit = descended(limit[:6], limit[6:], training.y[0, :, 0], rate, 30)
    assert found["error"][0] == pytest.approx(
        relative_rms(learnt, test.y[0, :, 0]) ** 2, rel=1e-6
    )
    assert found["net_to_limit"][0] == pytest.approx(
        relative_rms(learnt, by_limit), rel=1e-6
    )
    loss = ((oracle.forward(net, theta, x) - offset - labels) ** 2).mean() / 0.25
    assert found["loss"][0] == pytest.approx(loss, rel=1e-6)


def test_small_labels_bring_the_network_to_descent_with_its_own_kernel(torch):
    near, far = (
        equivalence.descent_by_theory(
            torch, {**THEORY, "label_scale": scale}, REPLICATES, "test"
        )["net_to_own"]
        for scale in (1e-5, 1.0)
    )
    assert (near < 1e-3).all()
    assert (far > 0.02).all()


def test_common_training_stops_where_validation_loss_is_least(torch):
    found = equivalence.common_training(torch, COMMON, REPLICATES, "test")
    assert set(found) == {"error", "stopped", "gain"}
    assert (found["stopped"] % 25 == 0).all()
    assert (found["stopped"] <= 50).all()
    assert ((found["gain"] >= 0) & (found["gain"] < 1)).all()


def test_every_network_has_weights_and_minibatches_of_its_own(oracle, monkeypatch):
    train, weights, batches = type(oracle).train, [], []

    def spy(self, net, theta, *arguments, batch_seed, **options):
        weights.extend(map(bytes, theta["W1"]))
        batches.extend(batch_seed)
        return train(self, net, theta, *arguments, batch_seed=batch_seed, **options)

    monkeypatch.setattr(type(oracle), "train", spy)
    for stream in ("test", "other"):
        equivalence.common_training(oracle, {**COMMON, "steps": 25}, REPLICATES, stream)
    assert len(set(weights)) == len(weights) == 4
    assert len(set(batches)) == len(batches) == 4


def test_gain_is_what_the_last_quarter_took_off(oracle, monkeypatch):
    train, losses = (
        type(oracle).train,
        np.array([[8.0, 7, 6, 5, 4, 3, 2, 1], [8, 4, 1, 3, 2, 2, 2, 2]]),
    )

    def trained(*arguments, **options):
        return replace(
            train(*arguments, **options),
            validation=losses,
            validation_steps=10 * np.arange(8),
        )

    monkeypatch.setattr(type(oracle), "train", trained)
    found = equivalence.common_training(
        oracle, {**COMMON, "steps": 1}, REPLICATES, "test"
    )
    np.testing.assert_allclose(found["gain"], [1 - 1 / 3, 0])
    np.testing.assert_array_equal(found["stopped"], [70, 20])


def test_a_network_that_diverged_has_no_gain(oracle, monkeypatch):
    """Its validation loss is NaN from then on: neither the least of all, nor flat."""
    train, losses = type(oracle).train, np.array([[8.0, 7, 6, np.nan], [8, 7, 6, 5]])

    def diverged(*arguments, **options):
        trained = train(*arguments, **options)
        reason = np.array(["diverged", "steps"])
        return replace(
            trained,
            validation=losses,
            validation_steps=10 * np.arange(4),
            reason=reason,
        )

    monkeypatch.setattr(type(oracle), "train", diverged)
    found = equivalence.common_training(
        oracle, {**COMMON, "steps": 1}, REPLICATES, "test"
    )
    np.testing.assert_allclose(found["gain"], [np.nan, 1 - 5 / 6])
    np.testing.assert_array_equal(found["stopped"], [20, 30])


def test_labels_of_other_inputs_teach_nothing(torch):
    right, wrong = (
        equivalence.common_training(
            torch,
            {**COMMON, "steps": 300, "target": "smooth", "permuted": p},
            (0,),
            "test",
        )
        for p in (False, True)
    )
    assert right["error"] < 0.5 < 0.8 < wrong["error"]


def test_the_ntk_takes_the_ridge_of_least_validation_loss(oracle):
    configuration = {
        **COMMON,
        "samples": 60,
        "noise": 0.5,
        "target": "smooth",
        "steps": 1,
    }
    (found,) = equivalence.architecture_kernel(oracle, configuration, (3,), "test")[
        "kernel_error"
    ]
    training, validation, test = problem(configuration, (3,), "test")
    net = equivalence.trained_architecture(configuration)
    x, y = training.x[0], training.y[0]
    k, losses, errors = kernels.ntk(net, x), [], []
    for power in np.arange(-6, 1.5, 0.5):
        a = np.linalg.solve(k + 10.0**power * np.trace(k) / len(k) * np.eye(len(k)), y)
        losses.append(
            ((kernels.ntk(net, validation.x[0], x) @ a - validation.y[0]) ** 2).mean()
        )
        errors.append(((kernels.ntk(net, test.x[0], x) @ a - test.y[0]) ** 2).mean())
    assert found == pytest.approx(errors[np.argmin(losses)], rel=1e-6)
    assert 0 < np.argmin(losses) < len(losses) - 1


def test_an_unknown_target_is_named(oracle):
    allowed = "wave, long_wave, product, rough, smooth, friedman"
    with pytest.raises(InvalidInput, match=f"Unknown target 'no'. Allowed: {allowed}"):
        equivalence.common_training(oracle, {**COMMON, "target": "no"}, (0,), "test")


def test_tuned_says_the_validation_loss_that_it_chose_by():
    y = np.array([[[1.0], [2.0]]])
    training, validation = Samples(y, y, (1,)), Samples(y[:, :1], y[:, :1], (1,))
    k_other = np.array([[[1.0, 0.0], [0.0, 3.0]]])
    prediction, loss = equivalence.tuned(np.eye(2)[None], k_other, training, validation)
    # the least ridge reproduces the validation sample
    np.testing.assert_allclose(prediction, [[[6.0]]], rtol=1e-5)
    np.testing.assert_allclose(loss, [1e-12], rtol=1e-4)


def test_the_kernel_of_the_trained_architecture_is_the_mean_over_pytorch_weights(torch):
    net = equivalence.trained_architecture({"inputs": 3, "width": 400, "depth": 2})
    x = np.random.default_rng(0).standard_normal((5, 3))
    theta = networks.default_weights(
        networks.mlp((3, 400, 400, 1), "relu", "standard", sigma_b=0.0), range(200)
    )
    mean = torch.empirical_ntk(net, theta, x).mean(axis=0)
    assert np.linalg.norm(kernels.ntk(net, x) - mean) / np.linalg.norm(mean) < 0.02

"""The computations behind claims L1 and L3: against descent written out, brute force and closed forms."""

import importlib.util
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness import backends, kernels, networks, seeds
from harness.errors import InvalidInput
from harness.experiment import Measurements
from harness.learning import equivalence
from harness.learning.problems import TESTS, problem
from harness.learning.tasks import Samples

SETTING = {"target": "wave", "inputs": 3, "samples": 6, "validation": 4, "noise": 0.1, "depth": 1, "width": 8}
THEORY = {**SETTING, "steps": 30, "label_scale": 0.5, "centred": True, "permuted": False}
COMMON = {**SETTING, "samples": 40, "steps": 50, "weights": "pytorch", "members": 1, "permuted": False}
REPLICATES = (0, 3)
CLAIMS = Path(__file__).parents[1] / "claims" / "liu2025"


def loaded(name):
    spec = importlib.util.spec_from_file_location(name, CLAIMS / f"test_{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def torch():
    return backends.get("torch", dtype="float64")


def theory_net():
    return networks.mlp((3, 8, 1), sigma_w=2**0.5, sigma_b=0.3)


def start(replicate):
    return theory_net().init(seeds.derive("init", stream="test", replicate=replicate, lane=0))


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
    features, others, y = rng.standard_normal((5, 9)), rng.standard_normal((3, 9)), rng.standard_normal((5, 1))
    w, v = np.zeros((9, 1)), np.zeros((9, 1))
    for _ in range(17):
        v = 0.9 * v + 2 / 5 * features.T @ (features @ w - y)
        w = w - 0.02 * v
    found = equivalence.heavy_ball(
        (features @ features.T)[None], (others @ features.T)[None], y[None], np.array([0.02]), 17
    )
    np.testing.assert_allclose(found[0], others @ w, rtol=1e-10)


def test_heavy_ball_for_long_is_regression_without_a_ridge():
    rng = np.random.default_rng(1)
    a, k_test, y = rng.standard_normal((6, 8)), rng.standard_normal((4, 6)), rng.standard_normal((6, 1))
    k = a @ a.T + np.eye(6)
    rate = 0.75 * len(k) / np.linalg.eigvalsh(k)[-1]
    found = equivalence.heavy_ball(k[None], k_test[None], y[None], np.array([rate]), 3000)
    np.testing.assert_allclose(found[0], k_test @ np.linalg.solve(k, y), rtol=1e-8)


def test_predictors_are_descent_with_each_kernel_at_three_quarters_of_the_edge(torch):
    found = equivalence.kernel_predictors(torch, THEORY, REPLICATES, "test")
    training, _, test = problem(THEORY, REPLICATES, "test")
    for i, replicate in enumerate(REPLICATES):
        x, y, x_test, f = training.x[i], training.y[i, :, 0], test.x[i], test.y[i, :, 0]
        net, theta = theory_net(), start(replicate)
        own = torch.empirical_ntk(net, theta, np.concatenate([x, x_test]), x)
        rate = 0.75 * 6 / np.linalg.eigvalsh(own[:6])[-1]
        limit, nngp = (k(net, np.concatenate([x, x_test]), x) for k in (kernels.ntk, kernels.nngp))
        by_own, by_limit, by_nngp = (descended(k[:6], k[6:], y, rate, 30) for k in (own, limit, nngp))
        expected = {
            "own_error": relative_rms(by_own, f) ** 2,
            "limit_error": relative_rms(by_limit, f) ** 2,
            "own_to_limit": relative_rms(by_own, by_limit),
            "nngp_to_limit": relative_rms(by_nngp, by_limit),
            "own_to_nngp": relative_rms(by_own, by_nngp),
        }
        assert {name: values[i] for name, values in found.items()} == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("changes", [{}, {"centred": False}, {"permuted": True}], ids=["centred", "raw", "permuted"])
def test_the_network_of_theory_descends_as_written_out(oracle, changes):
    configuration = {**THEORY, **changes}
    found = equivalence.descent_by_theory(oracle, configuration, (3,), "test")
    training, _, test = problem(configuration, (3,), "test")
    net, theta, x, x_test = theory_net(), start(3), training.x[0], test.x[0]
    labels = 0.5 * (training.y[0][::-1] if configuration["permuted"] else training.y[0])
    offset, offset_test = (oracle.forward(net, theta, z) * configuration["centred"] for z in (x, x_test))
    own = oracle.empirical_ntk(net, theta, x)
    rate, velocity = 0.75 * 6 / np.linalg.eigvalsh(own)[-1], {name: 0.0 for name in theta}
    for _ in range(30):
        residual = oracle.forward(net, theta, x) - offset - labels
        gradient = oracle.pullback(net, theta, x, 2 / 6 * residual)
        velocity = {name: 0.9 * velocity[name] + gradient[name] for name in theta}
        theta = {name: theta[name] - rate * velocity[name] for name in theta}
    learnt = ((oracle.forward(net, theta, x_test) - offset_test) / 0.5)[:, 0]
    limit = kernels.ntk(net, np.concatenate([x, x_test]), x)
    by_limit = descended(limit[:6], limit[6:], training.y[0, :, 0], rate, 30)
    assert found["error"][0] == pytest.approx(relative_rms(learnt, test.y[0, :, 0]) ** 2, rel=1e-6)
    assert found["net_to_limit"][0] == pytest.approx(relative_rms(learnt, by_limit), rel=1e-6)
    loss = ((oracle.forward(net, theta, x) - offset - labels) ** 2).mean() / 0.25
    assert found["loss"][0] == pytest.approx(loss, rel=1e-6)


def test_small_labels_bring_the_network_to_descent_with_its_own_kernel(torch):
    near, far = (
        equivalence.descent_by_theory(torch, {**THEORY, "label_scale": scale}, REPLICATES, "test")["net_to_own"]
        for scale in (1e-5, 1.0)
    )
    assert (near < 1e-3).all()
    assert (far > 0.02).all()


def test_common_training_gives_the_first_network_and_the_mean_of_all(torch):
    one, three = (
        equivalence.common_training(torch, {**COMMON, "members": members}, REPLICATES, "test") for members in (1, 3)
    )
    np.testing.assert_allclose(three["error"], one["error"], rtol=1e-6)
    np.testing.assert_allclose(one["ensemble_error"], one["error"], rtol=1e-12)
    assert (abs(three["ensemble_error"] / three["error"] - 1) > 1e-3).all()
    assert ((one["stopped"] % 25 == 0) & (one["stopped"] <= 50) & (one["gain"] >= 0) & (one["gain"] < 1)).all()


def test_every_network_of_an_ensemble_has_weights_and_minibatches_of_its_own(oracle, monkeypatch):
    train, weights, batches = type(oracle).train, [], []

    def spy(self, net, theta, *arguments, batch_seed, **options):
        weights.extend(map(bytes, theta["W1"]))
        batches.extend(batch_seed)
        return train(self, net, theta, *arguments, batch_seed=batch_seed, **options)

    monkeypatch.setattr(type(oracle), "train", spy)
    for stream in ("test", "other"):
        equivalence.common_training(oracle, {**COMMON, "steps": 25, "members": 2}, REPLICATES, stream)
    assert len(set(weights)) == len(set(batches)) == len(weights) == len(batches) == 2 * 2 * 2


def test_gain_is_what_the_last_quarter_took_off(oracle, monkeypatch):
    train, losses = type(oracle).train, np.array([[8.0, 7, 6, 5, 4, 3, 2, 1], [8, 4, 1, 3, 2, 2, 2, 2]])

    def trained(*arguments, **options):
        return replace(train(*arguments, **options), validation=losses, validation_steps=10 * np.arange(8))

    monkeypatch.setattr(type(oracle), "train", trained)
    found = equivalence.common_training(oracle, {**COMMON, "steps": 1}, REPLICATES, "test")
    np.testing.assert_allclose(found["gain"], [1 - 1 / 3, 0])
    np.testing.assert_array_equal(found["stopped"], [70, 20])


def test_labels_of_other_inputs_teach_nothing(torch):
    right, wrong = (
        equivalence.common_training(torch, {**COMMON, "steps": 300, "target": "smooth", "permuted": p}, (0,), "test")
        for p in (False, True)
    )
    assert right["error"] < 0.5 < 0.8 < wrong["error"]


def test_the_ntk_takes_the_ridge_of_least_validation_loss(oracle):
    configuration = {**COMMON, "samples": 60, "noise": 0.5, "target": "smooth", "steps": 1}
    (found,) = equivalence.common_training(oracle, configuration, (3,), "test")["ridge_error"]
    training, validation, test = problem(configuration, (3,), "test")
    net, x, y = theory_net(), training.x[0], training.y[0]
    k, losses, errors = kernels.ntk(net, x), [], []
    for power in np.arange(-6, 1.5, 0.5):
        a = np.linalg.solve(k + 10.0**power * np.trace(k) / len(k) * np.eye(len(k)), y)
        losses.append(((kernels.ntk(net, validation.x[0], x) @ a - validation.y[0]) ** 2).mean())
        errors.append(((kernels.ntk(net, test.x[0], x) @ a - test.y[0]) ** 2).mean())
    assert found == pytest.approx(errors[np.argmin(losses)], rel=1e-6)
    assert 0 < np.argmin(losses) < len(losses) - 1


def test_default_weights_are_uniform_within_the_root_of_the_fan_in():
    net = networks.mlp((4, 900, 1), "relu", "standard")
    theta = equivalence.default_weights(net, [5, 6])
    for name, fan_in in {"W1": 4, "b1": 4, "W2": 900, "b2": 900}.items():
        assert theta[name].shape == (2, *net.shapes[name])
        assert np.abs(theta[name]).max() <= fan_in**-0.5
    assert theta["W1"].std() == pytest.approx((3 * 4) ** -0.5, rel=0.03)
    assert theta["W2"].std() == pytest.approx((3 * 900) ** -0.5, rel=0.06)
    np.testing.assert_array_equal(equivalence.default_weights(net, [6])["b1"][0], theta["b1"][1])


@pytest.mark.parametrize("target", ["wave", "rough", "smooth", "friedman"])
def test_targets_have_unit_variance_and_noise_where_there_is_something_to_learn(target):
    setting = {**SETTING, "target": target, "inputs": 5, "samples": 400, "validation": 300}
    noisy, clean = problem(setting, (0,), "test"), problem({**setting, "noise": 0.0}, (0,), "test")
    assert [samples.x.shape for samples in noisy] == [(1, 400, 5), (1, 300, 5), (1, TESTS, 5)]
    assert noisy[2].y.std() == pytest.approx(1, abs=1e-12)
    assert noisy[2].y.mean() == pytest.approx(0, abs=1e-12)
    np.testing.assert_array_equal(noisy[2].y, clean[2].y)
    for a, b in zip(noisy[:2], clean[:2], strict=True):
        np.testing.assert_array_equal(a.x, b.x)
        assert (a.y - b.y).std() == pytest.approx(0.1, rel=0.1)


def test_the_wave_goes_along_one_direction():
    training, _, test = problem({**SETTING, "samples": 1000, "noise": 0.0}, (0,), "test")
    x, y = test.x[0], test.y[0, :, 0]
    u = y @ x / np.linalg.norm(y @ x)  # E[sin(2.5 u.x) x] is parallel to u
    for _ in range(200):  # refined by Gauss-Newton on a sin(2.5 u.x) + c
        wave = np.column_stack([np.sin(2.5 * x @ u), np.ones(len(x))])
        a, c = np.linalg.lstsq(wave, y, rcond=None)[0]
        slope = 2.5 * a * np.cos(2.5 * x @ u)[:, None] * x
        u = u + 0.5 * np.linalg.lstsq(slope, y - a * wave[:, 0] - c, rcond=None)[0]
    np.testing.assert_allclose(a * np.sin(2.5 * training.x[0] @ u) + c, training.y[0, :, 0], atol=1e-6)
    assert np.linalg.norm(u) == pytest.approx(1, abs=1e-6)


def test_causes_add_up_to_the_mismatch():
    mismatch = loaded("added_layer_mismatch")
    rng, values = np.random.default_rng(0), {}

    def m(quantity, **where):
        return values.setdefault((quantity, *sorted(where.items(), key=str)), rng.uniform(0.5, 1.5, 4))

    def ridge(quantity, **where):  # the NTK's error is the same, whichever computation has it
        return m("ridge_error", depth=where["depth"]) if quantity == "ridge_error" else m(quantity, **where)

    np.testing.assert_allclose(sum(mismatch.causes(ridge).values()), mismatch.he_mismatch(ridge))


MEASURED = {
    "common_training": ("error", "ensemble_error", "ridge_error", "gain"),
    "architecture_kernel": ("kernel_error",),
    "descent_by_theory": ("error", "ridge_error", "own_error", "limit_error", "loss"),
    "kernel_predictors": ("own_error", "limit_error"),
}


def planted(tier):
    """Errors in proportion to depth, each its own; seeds differ by a factor. Of each configuration the first block."""
    study, cells = loaded("added_layer_mismatch").STUDY, []
    of_depth = {"error": 1.0, "ensemble_error": 0.5, "ridge_error": 0.2, "own_error": 0.1, "limit_error": 0.3}
    of_depth["kernel_error"] = 0.4
    for experiment in study.experiments:
        for request in (r for r in experiment.requests(tier, "torch") if 0 in r.replicates):
            c, seeds = request.configuration, 1 + 0.01 * np.array(request.replicates)
            arrays = {name: a * c["depth"] * seeds for name, a in of_depth.items()}
            arrays["error"] *= c.get("label_scale", 1.0)
            arrays["error"] += 0.5 * c.get("permuted", False) * seeds
            arrays |= {"gain": 0.05 * seeds / seeds, "loss": 0.005 * seeds / seeds}
            cells.append((request, {name: arrays[name] for name in MEASURED[experiment.measure.__name__]}))
    return study, Measurements(cells)


@pytest.mark.parametrize(("tier", "seeds", "deepest"), [("quick", 72, (2, 2, 3)), ("full", 10, (5, 5, 5))])
def test_every_effect_and_curve_finds_its_cells(tier, seeds, deepest):
    study, m = planted(tier)
    wanted = {
        **dict.fromkeys(("wave", "rough", "smooth", "friedman"), (1 - 0.4) / 0.4),
        **{"ensemble": (0.5 - 0.4) / 0.4, "more_samples": -(1 - 0.4) / 0.8, "theorem_arm": (1 - 0.3) / 0.3},
        "he_kernel": (1 - 0.2) / 0.2,
        **dict.fromkeys(("lazy", "lazy_net"), (0.01 - 0.1) / 0.3),
        **dict.fromkeys(("permuted_labels", "permuted_lazy"), (1.5 - 0.4) / 0.4),
    }
    wanted = {name: value for name, value in wanted.items() if name != "ensemble" or tier == "full"}
    found = study.effects(m)
    assert set(found) == set(wanted)
    claim = study.claim.at(tier)
    assert set(found) == {one.name for one in (*claim.hypotheses, *claim.controls)}
    for name, value in wanted.items():
        np.testing.assert_allclose(found[name], np.full(seeds, value), err_msg=name)
    assert set(study.gates(m).values()) == {""}
    common, theory, _, _, _, more, _ = study.figures({"torch": m})[0].series
    assert (common.x[-1], theory.x[-1], more.x[-1]) == deepest
    np.testing.assert_allclose(np.array(more.y) / more.x, 1 + 0.01 * (seeds - 1) / 2)


def test_the_stationary_kernel_of_least_validation_loss_is_the_rival(oracle):
    claim = loaded("equivalence_theorem_in_practice")
    predictions, losses = np.arange(12.0).reshape(3, 2, 2), np.array([[3.0, 1.0], [2.0, 2.0], [5.0, 0.5]])
    chosen, least = claim.least(list(zip(predictions, losses, strict=True)))
    np.testing.assert_array_equal(chosen, [predictions[1, 0], predictions[2, 1]])
    np.testing.assert_array_equal(least, [2.0, 0.5])
    found = claim.stationary_kernels(oracle, {**SETTING, "samples": 30}, REPLICATES, "test")
    assert all(found["best"][i] in [found[name][i] for name in claim.STATIONARY] for i in range(2))


def test_a_constant_rate_in_width_is_found():
    claim = loaded("equivalence_theorem_in_practice")
    found = claim.slope([64, 256, 1024], lambda width, depth: np.array([1.0, 3.0]) * depth * width**-0.5)
    np.testing.assert_allclose(found, -0.5)


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("target", "Unknown target 'no'. Allowed: wave, rough, smooth, friedman"),
        ("weights", "Unknown weights 'no'. Allowed: pytorch, he"),
    ],
)
def test_what_is_not_known_is_named(oracle, key, message):
    with pytest.raises(InvalidInput, match=message):
        equivalence.common_training(oracle, {**COMMON, key: "no"}, (0,), "test")


def test_tuned_says_the_validation_loss_that_it_chose_by():
    y = np.array([[[1.0], [2.0]]])
    training, validation = Samples(y, y, (1,)), Samples(y[:, :1], y[:, :1], (1,))
    k_other = np.array([[[1.0, 0.0], [0.0, 3.0]]])
    prediction, loss = equivalence.tuned(np.eye(2)[None], k_other, training, validation)
    np.testing.assert_allclose(prediction, [[[6.0]]], rtol=1e-5)  # the least ridge reproduces the validation sample
    np.testing.assert_allclose(loss, [1e-12], rtol=1e-4)


def test_the_kernel_of_the_trained_architecture_is_the_mean_over_pytorch_weights(torch):
    mismatch = loaded("added_layer_mismatch")
    net = mismatch.trained_architecture({"inputs": 3, "width": 400, "depth": 2})
    x = np.random.default_rng(0).standard_normal((5, 3))
    theta = equivalence.default_weights(networks.mlp((3, 400, 400, 1), "relu", "standard"), range(200))
    mean = torch.empirical_ntk(net, theta, x).mean(axis=0)
    assert np.linalg.norm(kernels.ntk(net, x) - mean) / np.linalg.norm(mean) < 0.02

"""Learning curves against training and regression written out; what is chosen is chosen on
validation samples.
"""

import numpy as np
import pytest

from claims.vyas2022 import curves
from claims.vyas2022.curves import kernel_curves, network_curves, train
from claims.vyas2022.regression import RIDGES, mistakes, ridge_errors
from claims.vyas2022.tasks import samples
from harness import backends, kernels, networks, seeds
from harness.backends import SGD, Adam, Stop
from harness.errors import InvalidInput
from harness.measurements import edge
from harness.ridge import by_validation

TASK = {"name": "parity", "inputs": 6, "order": 2}
MLP = {
    "family": "mlp",
    "width": 5,
    "depth": 1,
    "sigma_b": 0.1,
    "label_scale": 2.0,
    "centred": False,
}
SIZES, REPLICATES = (8, 12, 20), (0, 3)
DATA = {"task": TASK, "sizes": SIZES, "validation": 9, "test": 14}
ADAM = {"optimizer": "adam", "rate": 0.02, "batch_size": 4, "steps": 24, "checks": 8}
NETWORKS = {**DATA, "net": MLP, **ADAM, "after": ()}
NET = networks.mlp((6, 5, 1), sigma_b=0.1)


def drawn():
    return samples(
        TASK, REPLICATES, "test", (SIZES[-1], DATA["validation"], DATA["test"])
    )


def start():
    return NET.init(
        seeds.derive("init", stream="test", replicate=r, member=0) for r in REPLICATES
    )


def trained(backend, x, y, validation, batch_size=4, optimizer=None):
    """Training of NET with the options of ADAM, on these samples alone."""
    return backend.train(
        NET,
        start(),
        x,
        y,
        optimizer=optimizer or Adam(0.02),
        steps=24,
        batch_size=batch_size,
        batch_seed=[
            seeds.derive("batches", stream="test", replicate=r) for r in REPLICATES
        ],
        stop=Stop(validation=validation, every=3),
    )


def on(backend, size):
    """The weights that the runs of NETWORKS must end with on the first `size` samples."""
    training, validation, _ = drawn()
    goal = (validation.x, 2 * validation.y)
    return trained(backend, training.x[:, :size], 2 * training.y[:, :size], goal).theta


def by_hand(backend, theta, n):
    """Error rate and squared error of ridge regression with the kernels of these weights on n
    samples, (2, R).
    """
    training, validation, test = drawn()
    gram = backend.empirical_ntk(NET, theta, training.x[:, :n])

    def predictions(data):
        cross = backend.empirical_ntk(NET, theta, data.x, training.x[:, :n])
        ridges = [
            r * np.einsum("rii->r", gram)[:, None, None] / n * np.eye(n) for r in RIDGES
        ]
        return np.array(
            [
                cross @ np.linalg.solve(gram + ridge, training.y[:, :n])
                for ridge in ridges
            ]
        )

    best = (
        ((predictions(validation) - validation.y) ** 2).mean(axis=(2, 3)).argmin(axis=0)
    )
    f = predictions(test)[best, range(len(best))]
    return np.array(
        [(f * test.y <= 0).mean(axis=(1, 2)), ((f - test.y) ** 2).mean(axis=(1, 2))]
    )


@pytest.fixture(scope="module", params=["numpy", "torch"])
def either(request):
    """The oracle, and PyTorch, in float64: that the backends agree is tested with the backends."""
    if request.param == "torch":
        pytest.importorskip("torch").set_num_threads(1)
    return backends.get(request.param, dtype="float64")


def test_a_network_is_trained_on_its_samples_alone_and_stops_by_validation(either):
    training, validation, test = drawn()
    run = curves.train(either, NETWORKS, REPLICATES, "test", training, validation, 12)
    wanted = trained(
        either,
        training.x[:, :12],
        2 * training.y[:, :12],
        (validation.x, 2 * validation.y),
    )
    for name in NET.shapes:
        np.testing.assert_allclose(run.theta[name], wanted.theta[name], rtol=1e-9)
    f = either.forward(NET, wanted.theta, test.x) / 2
    np.testing.assert_allclose(run.predict(either, test.x), f, rtol=1e-9)
    np.testing.assert_allclose(run.loss, wanted.loss / 4)  # in units of the labels
    assert list(run.steps) == list(
        wanted.validation_steps[wanted.validation.argmin(axis=1)]
    )
    # of nine looks the last two are the last quarter
    earlier = wanted.validation[:, : 9 - 2].min(axis=1)
    np.testing.assert_allclose(run.gain, 1 - wanted.validation.min(axis=1) / earlier)
    assert (run.gain > 0).any()


def test_a_batch_as_large_as_the_sample_is_the_full_batch(either):
    training, validation, _ = drawn()
    large = curves.train(
        either,
        {**NETWORKS, "batch_size": 12},
        REPLICATES,
        "test",
        training,
        validation,
        12,
    )
    full = curves.train(
        either,
        {**NETWORKS, "batch_size": None},
        REPLICATES,
        "test",
        training,
        validation,
        12,
    )
    wanted = trained(
        either,
        training.x[:, :12],
        2 * training.y[:, :12],
        (validation.x, 2 * validation.y),
        batch_size=None,
    )
    for name in NET.shapes:
        np.testing.assert_allclose(large.theta[name], wanted.theta[name], rtol=1e-9)
        np.testing.assert_allclose(full.theta[name], wanted.theta[name], rtol=1e-9)


@pytest.mark.parametrize(("optimizer", "momentum"), [("momentum", 0.9), ("sgd", 0.0)])
def test_centred_training_at_a_fraction_of_the_edge(either, optimizer, momentum):
    """The edge of the samples that are trained on."""
    training, validation, test = drawn()
    choice = {
        **NETWORKS,
        "net": {**MLP, "centred": True},
        "optimizer": optimizer,
        "rate": 0.3,
        "batch_size": None,
    }
    run = curves.train(either, choice, REPLICATES, "test", training, validation, 11)
    x, y = training.x[:, :11], training.y[:, :11]
    limit = edge(either.empirical_ntk(NET, start(), x, outputs="full"))
    origin = [
        either.forward(NET, start(), inputs) for inputs in (x, validation.x, test.x)
    ]
    goal = (validation.x, 2 * validation.y + origin[1])
    wanted = trained(
        either, x, 2 * y + origin[0], goal, None, SGD(0.3 * limit, momentum)
    )
    f = (either.forward(NET, wanted.theta, test.x) - origin[2]) / 2
    np.testing.assert_allclose(run.predict(either, test.x), f, rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(run.loss, wanted.loss / 4)


def test_a_network_that_diverged_has_no_gain(either):
    """Validation is flat after a network diverged, since the lowest loss stays; that is no sign of
    training.
    """
    training, validation, _ = drawn()
    wild = {**NETWORKS, "optimizer": "sgd", "rate": 1e200, "batch_size": None}
    run = train(either, wild, REPLICATES, "test", training, validation)
    assert np.isnan(run.gain).all()
    assert np.isfinite(run.loss).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_prediction_that_is_not_finite_has_no_sign(bad):
    y = -np.ones((3, 4, 1))
    f = y.copy()
    f[1] = bad
    f[2, 3] = bad
    with np.errstate(invalid="ignore"):
        rate, squared = mistakes(f, y)
    np.testing.assert_array_equal(rate, [0.0, np.nan, np.nan])
    assert squared[0] == 0
    assert not np.isfinite(squared[1:]).any()


def test_curves_of_networks(either):
    found, (_, _, test) = network_curves(either, NETWORKS, REPLICATES, "test"), drawn()
    for k, size in enumerate(SIZES):
        f = either.forward(NET, on(either, size), test.x) / 2
        np.testing.assert_allclose(
            found["network_error"][:, k], (f * test.y <= 0).mean(axis=(1, 2))
        )
        np.testing.assert_allclose(
            found["network_loss"][:, k],
            ((f - test.y) ** 2).mean(axis=(1, 2)),
            rtol=1e-8,
        )
    assert {
        name: found[name].shape for name in ("train_loss", "gain", "steps")
    } == dict.fromkeys(("train_loss", "gain", "steps"), (2, 3))
    assert found["after_error"].shape == (2, 0, 3)


def after(backend, *arms):
    """Error rate and squared error of the arms, (2, R, arms, sizes)."""
    found = network_curves(backend, {**NETWORKS, "after": arms}, REPLICATES, "test")
    return np.array([found["after_error"], found["after_loss"]])


def test_a_kernel_that_has_seen_more_than_is_regressed_on_has_no_error(either):
    of_a_size, between = after(either, 12, 10).transpose(2, 0, 1, 3)
    for found in (of_a_size, between):
        assert np.isnan(found[..., 0]).all()
        assert np.isfinite(found[..., 1:]).all()


def test_after_kernels_are_those_of_the_networks_that_they_name(either):
    # arms, sizes, quantities, replicates
    constant, same = after(either, 12, "same").transpose(2, 3, 0, 1)
    for k, n in enumerate(SIZES):
        np.testing.assert_allclose(
            same[k], by_hand(either, on(either, n), n), rtol=1e-6
        )
        if n >= 12:
            np.testing.assert_allclose(
                constant[k], by_hand(either, on(either, 12), n), rtol=1e-6
            )
    # there both are pre-trained on the same twelve
    np.testing.assert_allclose(constant[1], same[1], rtol=1e-9)
    assert np.abs(constant[2, 1] - same[2, 1]).min() > 1e-3


def test_the_ridge_is_chosen_on_validation_samples_whatever_the_test_labels(oracle):
    """Labels are planted: those for validation are what one ridge predicts, those for testing what
    another does.
    """
    training, validation, test = drawn()
    x = np.concatenate([validation.x, test.x], axis=1)
    gram, cross = (
        oracle.empirical_ntk(NET, start(), training.x),
        oracle.empirical_ntk(NET, start(), x, training.x),
    )

    def at(k):
        scale = [RIDGES[k] * np.diag(one).mean() for one in gram]
        return np.array(
            [
                kernels.regression(*one)
                for one in zip(gram, training.y, cross, scale, strict=True)
            ]
        )

    for chosen, other in ((9, 12), (11, 8)):
        validation = type(validation)(validation.x, at(chosen)[:, :9], validation.shape)
        test = type(test)(test.x, at(other)[:, 9:], test.shape)
        found = ridge_errors(
            oracle,
            gram,
            cross,
            (20,),
            training,
            validation,
            test,
        )[:, :, 0]
        np.testing.assert_allclose(
            found, mistakes(at(chosen)[:, 9:], test.y), rtol=1e-8
        )
        # on test samples the other ridge would have made no error
        assert (found[1] > 1e-3).all()


def test_the_squared_error_chooses_not_the_error_rate(oracle):
    """With labels a hundredth as large signs are as before, but much shrinking is best."""
    training, validation, test = drawn()
    x = np.concatenate([validation.x, test.x], axis=1)
    gram, cross = (
        oracle.empirical_ntk(NET, start(), training.x),
        oracle.empirical_ntk(NET, start(), x, training.x),
    )
    faint = type(validation)(validation.x, validation.y / 100, validation.shape)
    found = ridge_errors(oracle, gram, cross, (20,), training, faint, test)[:, :, 0]
    most = [RIDGES[-1] * np.diag(one).mean() for one in gram]
    f = np.array(
        [
            kernels.regression(*one)
            for one in zip(gram, training.y, cross[:, 9:], most, strict=True)
        ]
    )
    np.testing.assert_allclose(found, mistakes(f, test.y), rtol=1e-8)


def test_a_ridge_that_gives_no_number_is_passed_over():
    # predictions of three ridges, two of them held out
    ladder = np.array([[[np.nan]] * 3, [[2.0]] * 3, [[1.0]] * 3])
    f, least = by_validation(
        lambda *problem: ladder,
        np.eye(1),
        np.ones((1, 1)),
        None,
        np.ones((2, 1)),
        np.ones(3),
    )
    assert (f.tolist(), least) == ([[1.0]], 0.0)


def test_curves_of_kernels_at_initialisation(either):
    found = kernel_curves(
        either, {**DATA, "net": MLP, "kernel": "init"}, REPLICATES, "test"
    )
    for k, n in enumerate(SIZES):
        wanted = by_hand(either, start(), n)
        np.testing.assert_allclose(
            [found["kernel_error"][:, k], found["kernel_loss"][:, k]], wanted, rtol=1e-6
        )


@pytest.mark.parametrize("family", ["mlp", "cnn"])
def test_the_infinite_kernel_is_that_of_the_closed_form(either, family):
    task = {"name": "digits-1d"} if family == "cnn" else TASK
    net = (
        {"family": "cnn", "width": 2, "strides": (4, 4), "sigma_b": 0.1}
        if family == "cnn"
        else MLP
    )
    data = {**DATA, "task": task, "sizes": (6, 10)}
    found = kernel_curves(
        either, {**data, "net": net, "kernel": "infinite"}, REPLICATES, "test"
    )
    training, validation, test = samples(task, REPLICATES, "test", (10, 9, 14))
    made = curves.network(net, training.shape)
    x = np.concatenate([validation.x, test.x], axis=1)
    gram = np.array([kernels.ntk(made, one) for one in training.x])
    cross = np.array(
        [kernels.ntk(made, *pair) for pair in zip(x, training.x, strict=True)]
    )
    wanted = ridge_errors(either, gram, cross, (6, 10), training, validation, test)
    np.testing.assert_allclose(
        [found["kernel_error"], found["kernel_loss"]], wanted, rtol=1e-6
    )


def test_networks_of_a_configuration():
    mlp = curves.network(
        {"family": "mlp", "width": 7, "depth": 3, "sigma_b": None}, (5, 2)
    )
    assert mlp.shapes == {"W1": (7, 10), "W2": (7, 7), "W3": (7, 7), "W4": (1, 7)}
    cnn = {"family": "cnn", "width": 4, "strides": (2, 1), "sigma_b": 0.1}
    sequence, image = curves.network(cnn, (40, 1)), curves.network(cnn, (14, 14, 3))
    assert (sequence.shapes["W1"], sequence.shapes["W2"], sequence.shapes["W3"]) == (
        (4, 5),
        (4, 20),
        (1, 4),
    )
    assert (image.shapes["W1"], image.shapes["W2"], image.inputs) == (
        (4, 27),
        (4, 36),
        588,
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"net": {**MLP, "family": "rnn"}},
            r"Unknown family of networks 'rnn'\. Allowed: mlp, cnn\.",
        ),
        (
            {"optimizer": "lion"},
            r"Unknown optimizer 'lion'\. Allowed: adam, momentum, sgd\.",
        ),
    ],
)
def test_unknown_names_in_a_networks_configuration(oracle, changes, message):
    with pytest.raises(InvalidInput, match=message):
        network_curves(
            oracle,
            {**NETWORKS, "sizes": (8,), "steps": 1, "checks": 1, **changes},
            (0,),
            "test",
        )


def test_an_unknown_kernel_is_named(oracle):
    message = r"Unknown kernel 'final'\. Allowed: init, infinite\."
    with pytest.raises(InvalidInput, match=message):
        kernel_curves(oracle, {**DATA, "net": MLP, "kernel": "final"}, (0,), "test")

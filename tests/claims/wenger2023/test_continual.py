from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage
from scipy.special import softmax

from claims.wenger2023.continual import (
    continual,
    edge_at,
    images,
    rotation,
    task_images,
    turned,
)
from claims.wenger2023.forgetting import forgetting, learning_accuracy
from harness import backends, networks, seeds
from harness.errors import InvalidInput

TURNS = [dict(angle=angle, classes=list(range(10))) for angle in (0, 90)]
TINY = dict(
    dataset="digits",
    options={},
    shrink=1,
    tasks=TURNS,
    samples=12,
    tests=20,
    width=5,
    rate={"fixed": 0.2},
    momentum=0.5,
    batch_size=12,
    same_images=False,
    loss="squared",
    steps=6,
    stop={},
    every=6,
)


@pytest.mark.parametrize("side", [7, 8])
@pytest.mark.parametrize("degrees", [0, 22.5, 45, 90, -135])
def test_rotation_is_that_of_scipy(side, degrees):
    image = np.random.default_rng(3).random((side, side))
    theirs = ndimage.rotate(
        image, degrees, reshape=False, order=1, mode="grid-constant", cval=0.0
    )
    np.testing.assert_allclose(
        (rotation(side, degrees) @ image.ravel()).reshape(side, side), theirs, atol=1e-7
    )
    if degrees == 90:
        np.testing.assert_allclose(theirs, np.rot90(image), atol=1e-9)


def test_colours_are_turned_one_by_one():
    x = np.random.default_rng(4).random((2, 3, 4, 4, 3))
    expected = np.rot90(x, axes=(2, 3)).reshape(2, 3, -1)
    np.testing.assert_allclose(turned(x, rotation(4, 90)), expected, atol=1e-12)


def test_tasks_train_on_images_of_their_own_and_are_tested_on_the_same_ones_turned():
    """Images of the digits are all different, so that they can be told by their pixels."""
    tasks = [task_images(TINY, [0, 1], "test", t) for t in (0, 1)]
    turn = rotation(8, 90).T
    (x, y), (x_test, y_test) = tasks[0]
    (x_turned, _), (x_test_turned, y_test_turned) = tasks[1]
    assert (x.shape, y.shape, x_test.shape) == ((2, 12, 64), (2, 12, 10), (2, 20, 64))
    np.testing.assert_allclose(x_test_turned, x_test @ turn, atol=1e-6)
    np.testing.assert_array_equal(y_test_turned, y_test)
    for seed in (0, 1):
        everything = np.concatenate(
            [x[seed] @ turn, x_turned[seed], x_test_turned[seed]]
        ).round(4)
        assert len(np.unique(everything, axis=0)) == 12 + 12 + 20
    assert not np.array_equal(x[0], x[1])


def test_tasks_of_the_same_images_turn_those_of_the_first():
    same = dict(TINY, same_images=True)
    (x, y), _ = task_images(same, [0, 1], "test", 0)
    (x_turned, y_turned), _ = task_images(same, [0, 1], "test", 1)
    np.testing.assert_allclose(x_turned, x @ rotation(8, 90).T, atol=1e-6)
    np.testing.assert_array_equal(y_turned, y)
    (others, _), _ = task_images(TINY, [0, 1], "test", 0)
    np.testing.assert_array_equal(x, others)


def test_too_few_of_the_same_images_are_named():
    wrong = dict(TINY, same_images=True, samples=1200, tests=600)
    with pytest.raises(
        InvalidInput,
        match=r"has 1797 images .*; 600 for testing and 1 times 1200 for training are 1800\.",
    ):
        task_images(wrong, [0], "test", 1)


def test_split_tasks_number_their_classes_anew():
    split = dict(
        TINY, tasks=[dict(angle=0, classes=classes) for classes in ([0, 1], [7, 4])]
    )
    x, labels = images("digits", (), 1)
    (found, y), _ = task_images(split, [0], "test", 1)
    digit = [
        labels[np.abs(x.reshape(-1, 64) - image).sum(axis=1).argmin()]
        for image in found[0]
    ]
    assert set(digit) == {7, 4}
    np.testing.assert_array_equal(y[0], [[d == 7, d == 4] for d in digit])


def test_images_are_shrunk_and_have_a_mean_square_of_one():
    x, _ = images("digits", (), 2)
    whole, _ = images("digits", (), 1)
    assert x.shape == (1797, 4, 4)
    assert (x**2).mean() == pytest.approx(1, rel=1e-5)
    block = whole[:, 2:4, 4:6].mean(axis=(1, 2))
    np.testing.assert_allclose(
        x[:, 1, 2] * block.mean() / x[:, 1, 2].mean(), block, rtol=1e-5
    )


def test_too_few_images_are_named():
    wrong = dict(
        TINY, tasks=[dict(angle=0, classes=[0, 1])] * 2, samples=200, tests=100
    )
    with pytest.raises(
        InvalidInput,
        match=r"'digits' has 360 images of the classes \[0, 1\]; 100 for testing and 2 times 200 "
        r"for training are 500\. Ask for fewer\.",
    ):
        task_images(wrong, [0], "test", 1)


def descended(w1, b1, w2, b2, x, y, rate, momentum, steps):
    """Heavy ball on the mean squared error of one network with one hidden layer, written out."""
    weights, velocity = [w1, b1, w2, b2], [0.0] * 4
    for _ in range(steps):
        w1, b1, w2, b2 = weights
        h = np.maximum(x @ w1.T + b1, 0)
        g = 2 * (h @ w2.T + b2 - y) / y.size
        s = (g @ w2) * (h > 0)
        velocity = [
            momentum * v + d
            for v, d in zip(
                velocity, (s.T @ x, s.sum(0), g.T @ h, g.sum(0)), strict=True
            )
        ]
        weights = [w - rate * v for w, v in zip(weights, velocity, strict=True)]
    return weights


@pytest.mark.parametrize("name", ["numpy", "torch"])
def test_tasks_are_learnt_one_after_the_other(name):
    """Full batches, so that their order does not matter; accuracies as of descent written out for
    one seed.
    """
    if name == "torch":
        pytest.importorskip("torch")
    found = continual(backends.get(name, dtype="float64"), TINY, (4, 7), "test")
    net = networks.mlp((64, 5, 10), parametrization="standard", sigma_b=0.0)
    start = networks.default_weights(
        net, [seeds.derive("init", stream="test", replicate=7)]
    )
    weights = [start[key][0] for key in ("W1", "b1", "W2", "b2")]
    data = [task_images(TINY, [7], "test", t) for t in (0, 1)]
    for t, ((x, y), _) in enumerate(data):
        weights = descended(*weights, x[0], y[0], 0.2, 0.5, 6)
        w1, b1, w2, b2 = weights
        for i, (_, (test, labels)) in enumerate(data):
            f = np.maximum(test[0] @ w1.T + b1, 0) @ w2.T + b2
            assert (
                found["accuracy"][1, t, i]
                == (f.argmax(axis=1) == labels[0].argmax(axis=1)).mean()
            )
        f = np.maximum(x[0] @ w1.T + b1, 0) @ w2.T + b2
        assert found["loss"][1, t] == pytest.approx(((f - y[0]) ** 2).mean(), rel=1e-9)
        right = f.argmax(axis=1) == y[0].argmax(axis=1)
        assert found["fitted"][1, t] == right.mean()
    np.testing.assert_array_equal(found["steps"], np.full((2, 2), 6.0))
    assert found["reached"].all()


def test_each_replicate_and_task_has_minibatches_of_its_own(monkeypatch):
    oracle, drawn = backends.get("numpy"), []
    train = type(oracle).train

    def spy(self, *arguments, batch_seed, **options):
        drawn.extend(batch_seed)
        return train(self, *arguments, batch_seed=batch_seed, **options)

    monkeypatch.setattr(type(oracle), "train", spy)
    continual(oracle, dict(TINY, batch_size=4), (0, 1), "test")
    assert len(set(drawn)) == len(drawn) == 2 * len(TURNS)


def test_a_part_of_the_edge_is_a_rate_for_each_seed():
    """A rate of that part of 2 / lambda_max of the Gauss-Newton matrix, which is 2 J^T J / (N O),
    for each seed.
    """
    oracle = backends.get("numpy")
    fixed = continual(oracle, TINY, (0, 1), "test")["rate_over_edge"]
    net = networks.mlp((64, 5, 10), parametrization="standard", sigma_b=0.0)
    theta = networks.default_weights(
        net, [seeds.derive("init", stream="test", replicate=r) for r in (0, 1)]
    )
    (x, _), _ = task_images(TINY, [0, 1], "test", 0)
    kernel = (
        oracle.empirical_ntk(net, theta, x, outputs="full")
        .transpose(0, 1, 3, 2, 4)
        .reshape(2, 120, 120)
    )
    largest = np.linalg.eigvalsh(2 * kernel / 120)[:, -1]
    assert fixed == pytest.approx(0.2 * largest / 2)
    assert fixed[0] != pytest.approx(fixed[1])
    part = continual(oracle, dict(TINY, rate={"edge": 0.3}), (0, 1), "test")
    assert part["rate_over_edge"] == pytest.approx([0.3, 0.3])
    for seed in (0, 1):
        alone = continual(
            oracle, dict(TINY, rate={"fixed": 0.6 / largest[seed]}), (seed,), "test"
        )
        assert part["loss"][seed] == pytest.approx(alone["loss"][0])


def test_tasks_are_learnt_by_cross_entropy():
    """Full batches of the first task: the loss at the end is that of descent written out."""
    configuration = dict(TINY, loss="cross-entropy", momentum=0.0, tasks=TURNS[:1])
    found = continual(backends.get("numpy"), configuration, (4,), "test")
    net = networks.mlp((64, 5, 10), parametrization="standard", sigma_b=0.0)
    start = networks.default_weights(
        net, [seeds.derive("init", stream="test", replicate=4)]
    )
    w1, b1, w2, b2 = (start[key][0] for key in ("W1", "b1", "W2", "b2"))
    (x, y), _ = task_images(configuration, [4], "test", 0)
    x, y = x[0], y[0]
    for _ in range(6):
        h = np.maximum(x @ w1.T + b1, 0)
        p = softmax(h @ w2.T + b2, axis=1)
        g = (p - y) / len(y)
        s = (g @ w2) * (h > 0)
        w1, b1 = w1 - 0.2 * s.T @ x, b1 - 0.2 * s.sum(0)
        w2, b2 = w2 - 0.2 * g.T @ h, b2 - 0.2 * g.sum(0)
    p = softmax(np.maximum(x @ w1.T + b1, 0) @ w2.T + b2, axis=1)
    loss = -np.log(p[y == 1]).mean()
    assert found["loss"][0, 0] == pytest.approx(loss, rel=1e-9)


def test_the_edge_of_cross_entropy_is_that_of_its_gauss_newton_matrix():
    """G = J^T H J with every block diag p - p p^T over N written out, for each seed."""
    oracle = backends.get("numpy")
    net = networks.mlp((4, 3, 3), parametrization="standard", sigma_b=0.0)
    theta = net.init([0, 1])
    x = np.random.default_rng(5).standard_normal((2, 6, 4))
    found = edge_at(oracle, net, theta, x, "cross-entropy")
    kernels = oracle.empirical_ntk(net, theta, x, outputs="full")
    outputs = oracle.forward(net, theta, x)
    for seed in (0, 1):
        kernel = kernels[seed].transpose(0, 2, 1, 3).reshape(18, 18)
        hessian = np.zeros((18, 18))
        for n, p in enumerate(softmax(outputs[seed], axis=1)):
            own = slice(3 * n, 3 * n + 3)
            hessian[own, own] = (np.diag(p) - np.outer(p, p)) / 6
        largest = np.linalg.eigvals(kernel @ hessian).real.max()
        assert found[seed] == pytest.approx(2 / largest, rel=1e-8)


def test_whether_a_stopping_rule_was_reached_is_told():
    oracle = backends.get("numpy")
    learnt = continual(
        oracle, dict(TINY, stop={"loss": 0.085}, steps=500, every=1), (0, 1), "test"
    )
    assert learnt["reached"].all()
    assert (learnt["loss"] <= 0.085).all()
    assert (learnt["steps"] < 500).all()
    never = continual(oracle, dict(TINY, stop={"accuracy": 1.0}), (0, 1), "test")
    assert not never["reached"].any()
    assert (never["steps"] == 6).all()


@pytest.mark.parametrize("name", ["numpy", "torch"])
def test_a_network_that_diverged_has_no_accuracy_and_reached_nothing(name):
    if name == "torch":
        pytest.importorskip("torch")
    backend = backends.get(name, dtype="float64")
    found = continual(backend, dict(TINY, rate={"fixed": 1e300}), (0, 1), "test")
    assert np.isnan(found["accuracy"]).all()
    assert np.isnan(found["loss"]).all()
    assert not found["reached"].any()
    assert np.isnan(forgetting(found["accuracy"])).all()
    assert np.isnan(learning_accuracy(found["accuracy"])).all()


def test_a_replicate_that_diverges_leaves_the_others_alone(monkeypatch):
    oracle, train = backends.get("numpy"), type(backends.get("numpy")).train
    healthy, runs = continual(oracle, TINY, (0, 1), "test"), []

    def diverging(*arguments, **options):
        """The second replicate diverges on the second task."""
        trained = train(*arguments, **options)
        runs.append(trained)
        if len(runs) == 1:
            return trained
        bad = {
            name: np.stack([array[0], np.full_like(array[1], np.nan)])
            for name, array in trained.theta.items()
        }
        return replace(
            trained, theta=bad, reason=np.array([trained.reason[0], "diverged"])
        )

    monkeypatch.setattr(type(oracle), "train", diverging)
    found = continual(oracle, TINY, (0, 1), "test")
    for name, values in found.items():
        np.testing.assert_array_equal(values[0], healthy[name][0])
    np.testing.assert_array_equal(found["accuracy"][1, 0], healthy["accuracy"][1, 0])
    assert np.isnan(found["accuracy"][1, 1]).all()
    assert found["reached"][1].tolist() == [1.0, 0.0]

"""Samples of tasks: nested, disjoint, the same for every claim, and as their task says."""

import numpy as np
import pytest

from claims.vyas2022.tasks import DIGITS, TASKS, samples
from harness import datasets, seeds
from harness.errors import InvalidInput

ALL = (
    {"name": "digits-1d"},
    {
        "name": "images",
        "dataset": "fashion-mnist",
        "options": {},
        "positive": [0, 2, 5, 6, 8],
        "shrink": 2,
    },
    {
        "name": "pairs",
        "dataset": "fashion-mnist",
        "options": {},
        "positive": [0, 2, 3, 4, 6],
        "shrink": 2,
        "label": "same",
    },
    {"name": "parity", "inputs": 12, "order": 2},
    {"name": "ntk-draw", "inputs": 3, "depth": 1, "noise": 0.2},
)
IMAGES, PAIRS, DRAW = ALL[1], ALL[2], ALL[4]
EVERY = pytest.mark.parametrize("task", ALL, ids=lambda task: task["name"])


def same(one, other):
    np.testing.assert_array_equal(one.x, other.x)
    np.testing.assert_allclose(one.y, other.y, rtol=1e-12)
    assert one.shape == other.shape


def test_every_task_is_tested():
    assert {task["name"] for task in ALL} == set(TASKS)


@EVERY
def test_fewer_training_samples_are_the_beginning_of_more(task):
    """So one claim's small curve and another's large one share samples, and both are judged on the
    same ones.
    """
    few, more = (samples(task, range(2), "test", (n, 6, 7)) for n in (5, 40))
    same(few[0], more[0][:5])
    for role in (1, 2):
        same(few[role], more[role])
    assert [role.y.shape for role in few] == [(2, 5, 1), (2, 6, 1), (2, 7, 1)]


@EVERY
def test_no_sample_serves_twice(task):
    x = np.concatenate(
        [role.x for role in samples(task, range(2), "test", (40, 9, 11))], axis=1
    )
    assert x.shape[:2] == (2, 60)
    if (
        task["name"] != "parity"
    ):  # which has 2^12 different inputs, and draws them with replacement
        assert len(np.unique(x.reshape(120, -1), axis=0)) == 120


@EVERY
def test_a_replicate_has_samples_of_its_own_whoever_stands_beside_it(task):
    (together, *_), (alone, *_) = (
        samples(task, replicates, "test", (20, 3, 3)) for replicates in ((3, 7), (7,))
    )
    np.testing.assert_array_equal(together.x[1], alone.x[0])
    np.testing.assert_array_equal(together.y[1], alone.y[0])
    other, *_ = samples(task, (7,), "another stream", (20, 3, 3))
    for stranger in (together.x[0], other.x[0]):
        assert (np.abs(stranger - alone.x[0]).max(axis=1) > 0.01).all()


def test_digits_are_those_of_the_generator():
    training, validation, _ = samples(ALL[0], (4,), "test", (60, 5, 6))
    data = datasets.load(
        "digits-1d", n=71, seed=seeds.derive("digits", stream="test", replicate=4)
    )
    np.testing.assert_array_equal(training.x[0], data.x[11:])
    np.testing.assert_array_equal(validation.x[0], data.x[:5])
    positive = [label in DIGITS for label in data.labels[11:]]
    np.testing.assert_array_equal(training.y[0, :, 0] > 0, positive)
    assert set(np.unique(training.y)) == {-1.0, 1.0}
    assert training.shape == (40, 1)
    # Of these mirror images one is positive: what is told is a direction.
    assert all((one in DIGITS) != (other in DIGITS) for one, other in ((2, 5), (4, 6)))


def test_images_are_averaged_over_squares_and_standardised():
    wanted, labels = shrunk()
    training, *_ = samples(IMAGES, (0,), "test", (30, 1, 1))
    assert training.shape == (14, 14, 1)
    for image, target in zip(training.x[0], training.y[0, :, 0], strict=True):
        (place,) = np.flatnonzero(np.abs(wanted - image).max(axis=1) < 1e-4)
        assert target == (1.0 if labels[place] in IMAGES["positive"] else -1.0)


def shrunk():
    """All Fashion-MNIST images in squares of two by two pixels, (N, 196), and their classes."""
    data = datasets.load("fashion-mnist")
    squares = (
        sum(data.x[:, i::2, j::2].astype(float) for i in range(2) for j in range(2)) / 4
    )
    x = ((squares - squares.mean()) / squares.std()).reshape(len(data), -1)
    return x, data.labels


@pytest.mark.parametrize("label", ["same", "left"])
def test_pairs_are_two_images_side_by_side_with_what_is_asked_of_their_classes(label):
    x, classes = shrunk()
    training, *_ = samples(dict(PAIRS, label=label), (0,), "test", (80, 1, 1))
    assert training.shape == (14, 28, 1)
    for pair, target in zip(training.x[0], training.y[0, :, 0], strict=True):
        halves = pair.reshape(14, 2, 14).transpose(1, 0, 2).reshape(2, 196)
        places = [np.abs(x - half).max(axis=1).argmin() for half in halves]
        np.testing.assert_allclose(x[places], halves, atol=1e-4)
        left, right = (classes[place] in PAIRS["positive"] for place in places)
        assert target == (1.0 if (left == right if label == "same" else left) else -1.0)
    assert 0.3 < (training.y > 0).mean() < 0.7


def test_no_image_stands_in_two_pairs_and_there_are_as_many_pairs_as_half_the_images():
    roles = samples(PAIRS, (0,), "test", (4_000, 500, 500))
    pairs = np.concatenate([role.x[0] for role in roles]).reshape(-1, 14, 2, 14)
    images = pairs.transpose(0, 2, 1, 3).reshape(10_000, 196)
    (known, _), own = shrunk(), np.sort(images.sum(axis=1))
    np.testing.assert_allclose(own, np.sort(known.sum(axis=1)), atol=1e-2)
    with pytest.raises(InvalidInput, match=r"has 10000 images in this part; 10002"):
        samples(PAIRS, (0,), "test", (4_001, 500, 500))


def test_what_is_asked_of_pairs_is_known():
    with pytest.raises(InvalidInput, match=r"pairs 'right'\. Allowed: same, left\."):
        samples(dict(PAIRS, label="right"), (0,), "test", (1, 1, 1))


@pytest.mark.parametrize("order", [1, 2, 3])
def test_parity_is_the_product_of_the_first_signs(order):
    training, *_ = samples(
        {"name": "parity", "inputs": 5, "order": order}, range(2), "test", (200, 1, 1)
    )
    assert set(np.unique(training.x)) == {-1.0, 1.0}
    negative = (training.x[..., :order] < 0).sum(axis=2) % 2 == 1
    np.testing.assert_array_equal(training.y[..., 0] < 0, negative)
    assert np.abs(training.x.mean(axis=(0, 1))).max() < 0.2
    assert abs(training.y.mean()) < 0.2


def arc_cosine(x):
    """NNGP and NTK of one hidden ReLU layer without biases on the unit sphere, 1 on the diagonal;
    Cho, Saul 2009.
    """
    u = np.clip(x @ x.T, -1, 1)
    angle = np.pi - np.arccos(u)
    nngp = (u * angle + np.sqrt(1 - u**2)) / np.pi
    return {"NNGP": nngp, "NTK": (nngp + u * angle / np.pi) / 2}


def test_a_draw_has_the_covariance_of_the_ntk():
    """Whitened by that covariance the values are independent and of variance one; by the NNGP's
    they are not.
    """
    task, count = {**DRAW, "noise": 0.0}, 6
    training, *_ = samples(task, range(300), "test", (count, 1, 1))
    x = training.x / task["inputs"] ** 0.5
    np.testing.assert_allclose(np.linalg.norm(x, axis=2), 1)

    def off(name):
        """Largest entry of the whitened values' second moments, less the identity: 0.08 is one sd
        of a variance.
        """
        factors = [
            np.linalg.cholesky(arc_cosine(one)[name] + 1e-9 * np.eye(count))
            for one in x
        ]
        z = np.array(
            [
                np.linalg.solve(f, y[:, 0])
                for f, y in zip(factors, training.y, strict=True)
            ]
        )
        return np.abs(z.T @ z / len(z) - np.eye(count)).max()

    assert off("NTK") < 0.3 < 1 < off("NNGP")


def test_noise_is_added_to_a_draw():
    quiet, noisy = (
        samples({**DRAW, "noise": noise}, range(4), "test", (100, 1, 1))[0]
        for noise in (0.0, 0.2)
    )
    np.testing.assert_array_equal(quiet.x, noisy.x)
    assert (noisy.y - quiet.y).std() == pytest.approx(0.2, rel=0.1)


def test_an_unknown_task_is_named():
    with pytest.raises(
        InvalidInput,
        match=r"Unknown task 'moons'\. Known: digits-1d, images, ntk-draw, pairs, parity\.",
    ):
        samples({"name": "moons"}, (0,), "test", (1, 1, 1))


def test_more_images_than_there_are_is_refused():
    with pytest.raises(
        InvalidInput,
        match=r"Data set 'fashion-mnist' has 10000 images in this part; 10001 were",
    ):
        samples(IMAGES, (0,), "test", (9_999, 1, 1))

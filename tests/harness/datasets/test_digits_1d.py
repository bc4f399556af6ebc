import hashlib

import numpy as np
import pytest

from harness import datasets
from harness.datasets import digits_1d
from harness.errors import InvalidInput


def load(**options):
    return datasets.load("digits-1d", **options)


def test_shapes_and_types():
    data = load(n=1500, seed=3)
    assert (data.x.shape, data.x.dtype) == ((1500, 40), np.float32)
    assert (data.labels.shape, data.labels.dtype) == ((1500,), np.int64)
    assert (data.classes, data.source) == (10, "generated, seed 3")
    assert data.sha256 == hashlib.sha256(data.x.tobytes()).hexdigest()


def test_smaller_is_the_beginning_of_larger():
    large = load(n=5000, seed=1)
    for n in (1, 1000, 1024, 1025, 3000):
        small = load(n=n, seed=1)
        np.testing.assert_array_equal(small.x, large.x[:n])
        np.testing.assert_array_equal(small.labels, large.labels[:n])


def test_same_seed_same_data_other_seed_other_data():
    assert load(n=50, seed=1).sha256 == load(n=50, seed=1).sha256
    one, other = load(n=3000, seed=1), load(n=3000, seed=2)
    assert abs(np.corrcoef(one.labels, other.labels)[0, 1]) < 0.08
    assert np.unique(np.concatenate([one.x, other.x]), axis=0).shape == (6000, 40)


def test_stream_is_frozen():
    """Registered claims rest on these samples; the tolerance is float32 rounding near 1."""
    data = load(n=2000, seed=0)
    assert data.labels[[0, 1, 2, 1999]].tolist() == [2, 3, 1, 9]
    np.testing.assert_allclose(
        data.x[[0, 1999], 20], [0.204309, 0.181960], rtol=0, atol=1e-6
    )


def test_labels_are_balanced_in_expectation():
    """Counts of 50,000 labels lie within 5 standard deviations, sqrt(50,000 * 0.1 * 0.9) = 67."""
    counts = np.bincount(load(n=50_000, seed=4).labels)
    assert counts.shape == (10,)
    assert np.abs(counts - 5000).max() < 5 * 67
    assert counts.std() > 0


def test_standardisation_is_of_the_population():
    """The mean of 50,000 * 40 values is 0, their spread is 1, to a percent; classes keep means of
    their own.
    """
    data = load(n=50_000, seed=5)
    assert data.x.mean(dtype=float) == pytest.approx(0, abs=0.01)
    assert data.x.std(dtype=float) == pytest.approx(1, abs=0.01)
    assert data.x[data.labels == 0].mean() > data.x[data.labels == 2].mean() + 0.2


def test_noiseless_sample_is_profile_and_tilt():
    """Without noise the second difference of a sample is that of its profile: zero where there is
    only the tilt.
    """
    data = load(n=400, seed=6, noise=0.0, correlated_noise=0.0)
    support = np.abs(np.diff(data.x, n=2, axis=1)) > 1e-5
    first, last = support.argmax(axis=1), 37 - support[:, ::-1].argmax(axis=1)
    steps_of_profile = digits_1d.WIDTH[1] * 13 / 11 + 2
    assert (last - first).max() <= steps_of_profile
    assert first.min() <= 1
    assert first.max() >= 25


@pytest.mark.parametrize(("noise", "correlated_noise"), [(0.5, 0.0), (0.0, 0.5)])
def test_noise_has_the_standard_deviation_asked_for(noise, correlated_noise):
    """40,000 values whose spread is known to a percent at worst (5 neighbours are correlated)."""
    noisy, clean = (
        load(n=1000, seed=7, noise=a, correlated_noise=b).x
        for a, b in ((noise, correlated_noise), (0, 0))
    )
    difference = (noisy - clean) * digits_1d.SCALE
    assert difference.std() == pytest.approx(0.5, rel=0.04)
    neighbours = np.corrcoef(difference[:, :-1].ravel(), difference[:, 1:].ravel())[
        0, 1
    ]
    assert neighbours == pytest.approx(0.8 if correlated_noise else 0.0, abs=0.03)


def test_position_carries_no_class_but_order_does():
    """Mirror images (2 and 5) have one distribution of sorted values, and are told apart by their
    order.
    """
    data = load(n=20_000, seed=8)
    two, five = data.x[data.labels == 2], data.x[data.labels == 5]
    np.testing.assert_allclose(
        np.sort(two).mean(axis=0), np.sort(five).mean(axis=0), atol=0.06
    )
    assert (two.argmax(axis=1) < two.argmin(axis=1)).mean() > (
        five.argmax(axis=1) < five.argmin(axis=1)
    ).mean() + 0.5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n": 0, "seed": 0}, "n must be at least 1; got 0"),
        ({"n": 1.5, "seed": 0}, "n must be an integer; got 1.5"),
        ({"n": 1, "seed": "a"}, "seed must be an integer; got 'a'"),
        ({"n": 1, "seed": 0, "noise": -1.0}, "noise must be finite and >= 0; got -1.0"),
        (
            {"n": 1, "seed": 0, "correlated_noise": np.nan},
            "correlated_noise must be finite and >= 0; got nan",
        ),
    ],
)
def test_bad_options_are_named(options, message):
    with pytest.raises(InvalidInput, match=f"'digits-1d': {message}"):
        load(**options)

"""Posteriors with finite networks' kernels, against explicit inverses, and the claim on planted
distances.
"""

import re
from pathlib import Path

import numpy as np
import pytest

from claims.wenger2023 import finite_posterior
from claims.wenger2023.regression_problems import problem
from harness import backends, kernels, networks, seeds, studies
from harness.errors import InvalidInput
from harness.experiment import Measurements

CLAIM = (
    Path(__file__).parents[3] / "claims/wenger2023/test_posterior_of_finite_networks.py"
)
NET = dict(depth=2, activation="relu", sigma_b=0.1)
LINE = dict(
    NET,
    setting="1-D",
    samples=7,
    tests=5,
    noise=0.1,
    width=6,
    posteriors=2,
    averaged=1,
    permuted=False,
)
IMAGES = dict(LINE, setting="images", shrink=7)
IN_BAND = 1.959963984540054


@pytest.fixture(params=["numpy", "torch", "jax"])
def backend(request):
    if request.param != "numpy":
        pytest.importorskip(request.param)
    return backends.get(request.param, dtype="float64")


def by_inverse(kernel, y, noise):
    """Mean and sd at the test inputs, (T,), for a kernel of training and test inputs."""
    n = len(y)
    inverse = np.linalg.inv(kernel[:n, :n] + noise**2 * np.eye(n))
    cross = kernel[n:, :n]
    covariance = kernel[n:, n:] - cross @ inverse @ cross.T
    return cross @ inverse @ y, np.sqrt(np.diag(covariance))


def test_a_posterior_is_that_of_the_inverse(backend):
    rng = np.random.default_rng(0)
    features = rng.standard_normal((3, 9, 12))
    kernel = features @ features.transpose(0, 2, 1)
    y = rng.standard_normal(6)
    found = finite_posterior.posterior(backend, kernel, y, 0.3)
    for number in range(3):
        mean, sd = by_inverse(kernel[number], y, 0.3)
        np.testing.assert_allclose(found.mean[number], mean, rtol=1e-9)
        np.testing.assert_allclose(found.sd[number], sd, rtol=1e-9)


def test_a_kernel_without_a_cholesky_factor_gives_no_numbers(backend):
    kernel = np.ones((1, 3, 3))
    kernel[0, 0, 1] = kernel[0, 1, 0] = (
        1 + 1e-9
    )  # an eigenvalue of -1e-9, as of rounding
    found = finite_posterior.posterior(backend, kernel, np.ones(2), 1e-12)
    assert np.isnan(found.mean).all()
    assert np.isnan(found.sd).all()


def kernels_by_hand(configuration, replicate):
    """Those of the networks, (P averaged, N + T, N + T), and the infinite one; over the unit."""
    data = problem(configuration, replicate, "test")
    inputs = np.concatenate([data.x, data.test])
    hidden = [configuration["width"]] * configuration["depth"]
    net = networks.mlp((inputs.shape[1], *hidden, 1), sigma_b=0.1)
    limit = kernels.ntk(net, inputs)
    unit = np.diag(limit)[: len(data.x)].mean()
    count = configuration["posteriors"] * configuration["averaged"]
    init = [
        seeds.derive("init", stream="test", replicate=replicate, network=number)
        for number in range(count)
    ]
    oracle = backends.get("numpy")
    return oracle.empirical_ntk(net, net.init(init), inputs) / unit, limit / unit


@pytest.mark.parametrize("configuration", [LINE, IMAGES], ids=["1-D", "images"])
def test_distances_are_those_of_explicit_inverses(backend, configuration):
    found = finite_posterior.distances(backend, configuration, [0, 3], "test")
    assert found["distance"].shape == (2, 2)
    for place, replicate in enumerate((0, 3)):
        y = problem(configuration, replicate, "test").y
        empirical, limit = kernels_by_hand(configuration, replicate)
        mean, sd = by_inverse(limit, y, 0.1)
        size = np.sqrt(np.mean(mean**2))
        ratio = np.sqrt(np.mean(y**2)) / size
        assert found["labels_over_mean"][place] == pytest.approx(ratio, rel=1e-6)
        for number in range(2):
            other, other_sd = by_inverse(empirical[number], y, 0.1)
            apart = np.sqrt(np.mean((other - mean) ** 2)) / size
            logs = np.log(other_sd / sd)
            expected = {
                "distance": apart,
                "log_sd": np.abs(logs).mean(),
                "log_ratio": logs.mean(),
                "outside": np.mean(np.abs(other - mean) > IN_BAND * other_sd),
            }
            for name, value in expected.items():
                same = pytest.approx(value, rel=1e-6, abs=1e-9)
                assert found[name][place, number] == same, name


def test_the_kernel_of_an_average_is_the_mean_of_the_networks_kernels(backend):
    configuration = dict(LINE, posteriors=1, averaged=3)
    found = finite_posterior.curves(backend, configuration, [0], "test")
    empirical, _ = kernels_by_hand(configuration, 0)
    expected = by_inverse(empirical.mean(axis=0), found["y"][0], 0.1)
    np.testing.assert_allclose(found["finite"][0], expected, rtol=1e-6)


def test_other_labels_change_the_finite_mean_and_nothing_else(backend):
    same, other = (
        finite_posterior.curves(backend, dict(LINE, permuted=permuted), [0], "test")
        for permuted in (False, True)
    )
    np.testing.assert_array_equal(same["infinite"], other["infinite"])
    np.testing.assert_array_equal(same["finite"][:, 1], other["finite"][:, 1])
    assert (np.abs(same["finite"][:, 0] - other["finite"][:, 0]) > 1e-3).all()


def test_points_on_a_line_lie_in_clumps_and_follow_two_sines():
    where = dict(LINE, samples=3000, tests=5)
    data = problem(where, 0, "test")
    for place, middle in enumerate((-1.2, 0.0, 1.2)):
        clump = data.x[place::3, 0]
        assert clump.mean() == pytest.approx(middle, abs=0.02)
        assert clump.std() == pytest.approx(0.15, abs=0.01)
    waves = np.outer(data.x[:, 0], (1.0, 3.0))
    basis = np.concatenate([np.sin(waves), np.cos(waves)], axis=1)
    amplitudes, *_ = np.linalg.lstsq(basis, data.y)
    assert (data.y - basis @ amplitudes).std() == pytest.approx(0.1, rel=0.05)
    sizes = np.hypot(amplitudes[:2], amplitudes[2:])
    np.testing.assert_allclose(sizes, 1.0, atol=0.05)
    np.testing.assert_array_equal(data.test[:, 0], [-2, -1, 0, 1, 2])


def test_no_image_is_drawn_twice_and_all_have_one_length():
    data = problem(dict(IMAGES, samples=300, tests=200, shrink=2), 0, "test")
    inputs = np.concatenate([data.x, data.test])
    assert inputs.shape == (500, 196)
    np.testing.assert_allclose((inputs**2).sum(axis=1), 196)
    assert len(np.unique(inputs.round(9), axis=0)) == 500
    assert set(data.y) == {-1.0, 1.0}
    assert abs(data.y.mean()) < 0.2
    fewer = problem(dict(IMAGES, samples=100, tests=200, shrink=2), 0, "test")
    np.testing.assert_array_equal(fewer.x, data.x[:100])
    np.testing.assert_array_equal(fewer.test, data.test)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict(setting="2-D"), "Unknown setting '2-D'. Known: 1-D, images."),
        (
            dict(setting="images", shrink=2, samples=9_900, tests=200),
            "There are 10000 images; 10100 were asked for.",
        ),
    ],
)
def test_problems_that_there_are_not_are_named(changes, message):
    with pytest.raises(InvalidInput, match=re.escape(message)):
        problem({**LINE, **changes}, 0, "test")


# The claim


@pytest.fixture(scope="module")
def study():
    return studies.load(CLAIM)


def planted(study, **changed):
    """Distances that fall as width^-1/2: 1.6 / width^1/2 of means, 3.2 / width^1/2 of ln sd."""
    cells = []
    for experiment in study.experiments:
        for request in experiment.requests("quick", "torch"):
            arrays = planted_arrays(request)
            for name in changed.keys() & arrays.keys():
                arrays[name] = np.full_like(arrays[name], changed[name])
            cells.append((request, arrays))
    return Measurements(cells)


def planted_arrays(request):
    c = request.configuration
    if request.computation.endswith("curves"):
        return planted_curves(len(request.replicates))
    ones = np.ones((len(request.replicates), c["posteriors"]))
    error = ones / (c["width"] * c["averaged"]) ** 0.5
    return dict(
        distance=1.6 * error + 2 * c["permuted"],
        log_sd=3.2 * error,
        log_ratio=-3.0 * error,
        outside=error,
        labels_over_mean=ones[:, 0],
    )


def planted_curves(replicates):
    places = np.linspace(-2, 2, 4)
    lines = dict(
        x=[0.5, 0.0],
        y=[1.0, 2.0],
        places=places,
        finite=[places + 1, np.full(4, 2.0)],
        infinite=[places, np.ones(4)],
    )
    return {
        name: np.array([np.array(values)] * replicates)
        for name, values in lines.items()
    }


def test_effects_of_planted_distances(study):
    effects = study.effects(planted(study))
    at_128 = 128**-0.5
    expected = {
        "mean_differs": 1.6 * at_128,
        "sd_differs": 3.2 * at_128,
        "mean_agrees_at_2048": 1.6 * 2048**-0.5,
        "rate": 0.0,
        "mean_of_averages": 1.6 * at_128 / 32**0.5,
        "sd_of_averages": 3.2 * at_128 / 32**0.5,
        "mean_with_other_labels": 1.6 * at_128 + 2,
        "sd_at_16": 0.8,
    }
    values = {
        f"{name}[{setting}]": value
        for name, value in expected.items()
        for setting in ("1-D", "images")
    }
    values |= {"sd_agrees_at_512": 3.2 * 512**-0.5, "outside": at_128}
    assert effects.keys() == values.keys()
    for name, value in values.items():
        np.testing.assert_allclose(
            effects[name], [value] * 12, atol=1e-12, err_msg=name
        )


@pytest.mark.parametrize(
    ("gate", "changed", "says"),
    [
        ("learns", dict(labels_over_mean=2.5), "labels_over_mean not below 2: 2.5 at"),
        ("finite", dict(log_sd=np.nan), "or not finite: log_sd at "),
        ("finite", dict(distance=np.nan), "or not finite: distance at "),
    ],
)
def test_each_gate_closes_on_what_it_guards_against(study, gate, changed, says):
    assert not any(study.gates(planted(study)).values())
    failures = study.gates(planted(study, **changed))
    assert {name for name, failure in failures.items() if failure} == {gate}
    assert says in failures[gate]


def test_the_figures_show_both_posteriors_and_every_distance(study):
    figures = study.figures({"torch": planted(study)})
    both, distance, sds, ratio, outside = figures
    data, infinite, finite = both.series
    assert (data.x, data.y, data.marks) == ((0.5, 0.0), (1.0, 2.0), "points")
    assert (infinite.marks, finite.marks) == ("line", "line")
    assert finite.label == "width 128"
    assert finite.y[0] == pytest.approx(-1.0)
    assert infinite.high == pytest.approx(np.linspace(-2, 2, 4) + IN_BAND)
    assert finite.low == pytest.approx(np.linspace(-1, 3, 4) - 2 * IN_BAND)
    for figure, line in ((distance, 0.1), (sds, 1.1), (ratio, 1.0), (outside, 0.05)):
        assert [series.label for series in figure.series] == ["1-D", "images"]
        assert figure.series[0].x == (128, 512, 2048)
        assert figure.reference_y == line
    assert distance.series[1].y == pytest.approx(1.6 / np.sqrt((128, 512, 2048)))
    assert ratio.series[1].y[0] == pytest.approx(np.exp(-3 * 128**-0.5))

"""Regression problems, and kernel ridge regression whose ridge is tuned by cross-validation.

>>> problem = draw(
...     {"target": "rough", "samples": 100, "inputs": 3, "noise": 0.1},
...     replicate=0,
...     stream="doc",
... )
>>> near, far = distances(problem.x, problem.x), distances(problem.x_test, problem.x)
>>> laplace = STATIONARY["laplace"]
>>> fit = tuned(
...     [(laplace(near / 4), laplace(far / 4))],
...     problem.y,
...     folds(100, replicate=0, stream="doc"),
... )
>>> fit.ridge, float(relative_error(fit.prediction, problem.f).round(2))
(1e-08, 0.18)
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from claims.liu2025.stationary import STATIONARY, distances
from harness import datasets, kernels, networks, seeds
from harness.backends import Backend
from harness.errors import InvalidInput
from harness.networks import Network

FOLDS = 5
RIDGES = 10.0 ** np.arange(-8, 1.5, 0.5)
"""The ladder of `tuned`, relative to the mean diagonal of the kernel."""
JITTER = 1e-6
"""The ridge of what is called ridgeless, on the same scale."""
SCALES, SHORT = (1.0, 3.0), 0.1
"""Length scales, times the root of the number of inputs, near which distances of standardised data
lie.
"""
TESTS = 500
TOPS = (0, 2, 4, 6)
"""The classes of Fashion-MNIST worn on the upper body alone: T-shirt, pullover, coat, shirt."""

Arrays = dict[str, np.ndarray]
Pair = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Fit:
    """Predictions (T,) with the tuned kernel, at the tuned ridge and ridgeless.

    Which kernel that is, the relative ridge, and their mean squared error in cross-validation.
    """

    prediction: np.ndarray
    ridgeless: np.ndarray
    which: int
    ridge: float
    missed: float


@dataclass(frozen=True)
class Problem:
    """Inputs and targets for training, x (N, n_0) and y (N,); inputs and targets without noise for
    testing.
    """

    x: np.ndarray
    y: np.ndarray
    x_test: np.ndarray
    f: np.ndarray


def draw(
    configuration: Mapping[str, Any],
    replicate: int,
    stream: str,
) -> Problem:
    """One draw of a regression problem; the mean of f is 0 over the test points, and its deviation
    1.

    Test points come first, so fewer training samples are the beginning of more.

    Args:
        configuration: "samples", for training; "inputs", n_0; "noise", its deviation in training;
            and "target": "rough", sign(u.x), and "smooth", cos(u.x) + sin(v.x): x ~ N(0, I), u and
            v random unit vectors, orthogonal (in one dimension, equal). "friedman", of 5 inputs
            (see `friedman`), x uniform with mean 0 and variance 1. "tops", +-1, whether a
            Fashion-MNIST image (784 inputs) shows something worn on the upper body. "diabetes", of
            10 inputs. A replicate of real data is a random choice of rows, so replicates share
            some; f has the noise that real data have.

    Raises:
        InvalidInput: for an unknown target, another number of inputs than it has, or more rows than
            there are.
    """
    target, samples, inputs = (
        configuration[key] for key in ("target", "samples", "inputs")
    )
    axes = dict(stream=stream, replicate=replicate, target=target, inputs=inputs)
    rng = seeds.generator("regression", **axes)
    tests = 242 if target == "diabetes" else TESTS
    if target in REAL:
        x, f = _rows(target, tests + samples, rng)
    elif target in SYNTHETIC:
        x, f = _synthetic(target, tests + samples, inputs, rng)
    else:
        known = ", ".join(sorted({*REAL, *SYNTHETIC}))
        raise InvalidInput(f"Unknown target {target!r}. Known: {known}.")
    if x.shape[1] != inputs:
        raise InvalidInput(
            f"Target {target!r} has {x.shape[1]} inputs; the configuration says {inputs}."
        )
    f = (f - f[:tests].mean()) / f[:tests].std()
    noise = configuration["noise"] * seeds.generator("noise", **axes).standard_normal(
        samples
    )
    return Problem(x[tests:], f[tests:] + noise, x[:tests], f[:tests])


def _rows(
    target: str, count: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    x, f = REAL[target]()
    if count > len(x):
        raise InvalidInput(
            f"Data set {target!r} has {len(x)} rows; {count} were asked for, test points included."
        )
    chosen = rng.permutation(len(x))[:count]
    return x[chosen], f[chosen]


def _synthetic(
    target: str,
    count: int,
    inputs: int,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    basis, _ = np.linalg.qr(rng.standard_normal((inputs, inputs)))
    if target == "friedman":
        x = rng.uniform(-(3**0.5), 3**0.5, (count, 5))
        return x, friedman(x)
    x = rng.standard_normal((count, inputs))
    along_u, along_v = x @ basis[:, 0], x @ basis[:, -1]
    return x, SYNTHETIC[target](along_u, along_v)


def friedman(x: np.ndarray) -> np.ndarray:
    """10 sin(pi z_1 z_2) + 20 (z_3 - 1/2)^2 + 10 z_4 + 5 z_5, z = x / 12^1/2 + 1/2 in [0, 1]^5
    (Friedman 1991).

    >>> friedman(np.zeros((1, 5))).round(4)
    array([14.5711])
    """
    z = x.T / 12**0.5 + 0.5
    product = np.sin(np.pi * z[0] * z[1])
    square = (z[2] - 0.5) ** 2
    return np.asarray(10 * product + 20 * square + 10 * z[3] + 5 * z[4])


@cache
def tops() -> tuple[np.ndarray, np.ndarray]:
    """The embedded Fashion-MNIST images, with mean 0 and variance 1 over all pixels, and +1 for
    TOPS, -1 for others.
    """
    data = datasets.load("fashion-mnist")
    x = data.x.reshape(len(data), -1).astype(np.float64)
    signs = np.where(np.isin(data.labels, TOPS), 1.0, -1.0)
    return (x - x.mean()) / x.std(), signs


@cache
def diabetes() -> tuple[np.ndarray, np.ndarray]:
    """The diabetes data, each variable with mean 0 and variance 1."""
    data = datasets.load("diabetes")
    x = data.x.astype(np.float64)
    return (x - x.mean(axis=0)) / x.std(axis=0), data.labels


SYNTHETIC: Mapping[str, Callable[..., np.ndarray]] = {
    "rough": lambda u, v: np.sign(u),
    "smooth": lambda u, v: np.cos(u) + np.sin(v),
    "friedman": friedman,
}
REAL: Mapping[str, Callable[[], tuple[np.ndarray, np.ndarray]]] = {
    "tops": tops,
    "diabetes": diabetes,
}


def folds(
    samples: int,
    replicate: int,
    stream: str,
    lane: int = 0,
) -> np.ndarray:
    """The fold, 0 ...

    4, of each training sample; sizes differ by one at most. Lanes are independent.
    """
    rng = seeds.generator("folds", stream=stream, replicate=replicate, lane=lane)
    return rng.permutation(samples) % FOLDS


def regress(
    k_train: np.ndarray,
    y: np.ndarray,
    k_test: np.ndarray,
    ridge: float | np.ndarray,
) -> np.ndarray:
    """Kernel ridge regression of y about its mean; the ridge, or a ladder, is in units of the
    kernel's mean diagonal.

    So neither an offset of y nor the scale of the kernel matters. (T,), or (R, T) for a ladder of R
    ridges.
    """
    mean = y.mean()
    ridge = ridge * np.trace(k_train) / len(y)
    return np.asarray(kernels.regression(k_train, y - mean, k_test, ridge) + mean)


def tuned(
    pairs: Sequence[Pair],
    y: np.ndarray,
    fold: np.ndarray,
) -> Fit:
    """The kernel of several, and the ridge of RIDGES, with the least mean squared error in
    cross-validation.

    Args:
        pairs: k_train (N, N) and k_test (T, N) of each kernel, as for different length scales.
        y: (N,).
        fold: of each training sample, as `folds` gives it.
    """
    missed = np.array([_held_out(k_train, y, fold) for k_train, _ in pairs])
    missed = np.where(np.isnan(missed), np.inf, missed)  # NaN would be the least
    which, rung = divmod(int(missed.argmin()), len(RIDGES))
    k_train, k_test = pairs[which]
    prediction, ridgeless = regress(
        k_train, y, k_test, np.array([RIDGES[rung], JITTER])
    )
    return Fit(prediction, ridgeless, which, float(RIDGES[rung]), float(missed.min()))


def _held_out(
    k_train: np.ndarray,
    y: np.ndarray,
    fold: np.ndarray,
) -> np.ndarray:
    """Mean squared error of cross-validation for each ridge, (R,)."""
    missed = np.zeros(len(RIDGES))
    for held in range(FOLDS):
        out, rest = fold == held, fold != held
        k_rest = k_train[np.ix_(rest, rest)]
        k_out = k_train[np.ix_(out, rest)]
        prediction = regress(k_rest, y[rest], k_out, RIDGES)  # (ridges, held out)
        missed += ((prediction - y[out]) ** 2).sum(axis=1)
    return missed / len(y)


def relative_error(
    prediction: np.ndarray,
    f: np.ndarray,
) -> np.ndarray:
    """Mean squared error over test points, the last axis, over the target's variance: 1 for the
    best constant.
    """
    error: np.ndarray = ((prediction - f) ** 2).mean(axis=-1) / f.var()
    return error


def network_kernels(
    backend: Backend,
    configuration: Mapping[str, Any],
    replicates: Sequence[int],
    stream: str,
) -> Arrays:
    """Test errors of NNGP and NTK regression, and how far their predictions lie apart.

    Configuration: target, samples, inputs, noise (see `draw`); depth, number of hidden layers.
    Returns per replicate, (R, 2): "nngp" and "ntk", E with the tuned ridge and ridgeless;
    "distance", RMS of the difference of their predictions, in deviations of the target; "ridges",
    relative, as tuned for NNGP and for NTK.
    """
    net = limit_network(configuration)
    arrays: dict[str, list[Any]] = {
        name: [] for name in ("nngp", "ntk", "distance", "ridges")
    }
    for replicate in replicates:
        problem = draw(configuration, replicate, stream)
        fold = folds(configuration["samples"], replicate, stream)
        x, y, x_test = problem.x, problem.y, problem.x_test
        fits = []
        for kernel in (backend.infinite_nngp, backend.infinite_ntk):
            pair = kernel(net, x), kernel(net, x_test, x)
            fits.append(tuned([pair], y, fold))
        nngp, ntk = (np.array([fit.prediction, fit.ridgeless]) for fit in fits)
        arrays["nngp"].append(relative_error(nngp, problem.f))
        arrays["ntk"].append(relative_error(ntk, problem.f))
        squares = ((nngp - ntk) ** 2).mean(axis=1)  # the target's deviation is 1
        arrays["distance"].append(squares**0.5)
        arrays["ridges"].append([fit.ridge for fit in fits])
    return {name: np.array(values) for name, values in arrays.items()}


def limit_network(configuration: Mapping[str, Any]) -> Network:
    """The net whose kernels at infinite width are meant: the widths given here do not matter."""
    widths = (configuration["inputs"], *[1] * configuration["depth"], 1)
    return networks.mlp(widths, sigma_w=2**0.5, sigma_b=0.3)


def same_kernel(
    backend: Backend,
    configuration: Mapping[str, Any],
    replicates: Sequence[int],
    stream: str,
) -> Arrays:
    """Control: "same", (R, 2), E of NTK regression, and of 7 times the NTK with its ridge tuned on
    other folds.
    """
    net, errors = limit_network(configuration), []
    for replicate in replicates:
        problem = draw(configuration, replicate, stream)
        k_train, k_test = (
            backend.infinite_ntk(net, x, problem.x) for x in (problem.x, problem.x_test)
        )
        pair = []
        for lane, scale in enumerate((1, 7)):
            fold = folds(configuration["samples"], replicate, stream, lane)
            fit = tuned([(scale * k_train, scale * k_test)], problem.y, fold)
            pair.append(relative_error(fit.prediction, problem.f))
        errors.append(pair)
    return {"same": np.array(errors)}


def other_kernels(
    backend: object,
    configuration: Mapping[str, Any],
    replicates: Sequence[int],
    stream: str,
) -> Arrays:
    """Test errors of kernels that know no network; they take NumPy alone, so `backend` is not used.

    Configuration: as for `draw`. Returns the relative error per replicate, (R,): for each of
    STATIONARY, length scale (of SCALES) and ridge tuned; "best", that of the one with the least
    error in cross-validation; "linear"; and "short_rbf", RBF with the length scale SHORT, far too
    short.
    """
    names = (*STATIONARY, "linear", "short_rbf", "best")
    errors: dict[str, list[np.ndarray]] = {name: [] for name in names}
    for replicate in replicates:
        problem = draw(configuration, replicate, stream)
        fold = folds(configuration["samples"], replicate, stream)
        fits = {
            name: tuned(pairs, problem.y, fold)
            for name, pairs in _kernels(problem).items()
        }
        fits["best"] = min(
            (fits[name] for name in STATIONARY), key=lambda fit: fit.missed
        )
        for name, fit in fits.items():
            errors[name].append(relative_error(fit.prediction, problem.f))
    return {name: np.array(values) for name, values in errors.items()}


def _kernels(problem: Problem) -> dict[str, list[Pair]]:
    """By name the kernels of training samples and of tests with them, one pair for each length
    scale.
    """
    x, x_test, rbf = problem.x, problem.x_test, STATIONARY["rbf"]
    root = x.shape[1] ** 0.5
    near, far = distances(x, x) / root, distances(x_test, x) / root
    pairs = {}
    for name, kernel in STATIONARY.items():
        pairs[name] = [(kernel(near / scale), kernel(far / scale)) for scale in SCALES]
    pairs["linear"] = [(x @ x.T, x_test @ x.T)]
    pairs["short_rbf"] = [(rbf(near / SHORT), rbf(far / SHORT))]
    return pairs

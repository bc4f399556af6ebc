"""Learning curves on the setting of Atanasov et al. 2022: those published, and ours beside them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from claims.vyas2022.exponents import Curve, exponents, lead
from claims.vyas2022.sphere import (
    INFINITE,
    INITIAL,
    SHUFFLED,
    sphere_kernels,
    sphere_networks,
)
from harness import gates, plots
from harness.claim import Claim, Published, grid
from harness.experiment import Configuration, Experiment, Measurements
from harness.plots import Axes, Builder, Figure, Series
from harness.statistics.intervals import t_interval

NETWORK = "network"
SIZES = {4: (400, 1000, 1800, 4000), 2: (100, 180, 400, 1000)}
PUBLISHED: Mapping[tuple[int, str], tuple[float, ...]] = {
    (4, NETWORK): (0.44, 0.112, 0.046, 0.0145),
    (4, INITIAL): (1.0, 0.73, 0.52, 0.285),
    (4, INFINITE): (1.08, 0.72, 0.46, 0.168),
    (2, NETWORK): (0.075, 0.028, 0.0070, 0.00155),
    (2, INITIAL): (0.30, 0.13, 0.035, 0.0147),
    (2, INFINITE): (0.28, 0.12, 0.021, 0.0023),
}
"""Test errors at SIZES by degree and predictor, read off by eye, within about 10 %.

Their width is 1000 at degree 4 and 421 at degree 2.
"""
WINDOWS = {4: (400, 1800), 2: (100, 1000)}
WIDTHS = {4: 1000, 2: 421}
FULLY = dict(target_loss=1e-4, most_steps=30_000)
"""What the full tier changes in the training of networks."""


def published_exponent(degree: int, predictor: str) -> float:
    """The exponent between the ends of the published window; predictor: NETWORK or a kernel.

    >>> round(published_exponent(4, NETWORK), 2), round(published_exponent(4, INFINITE), 2)
    (1.5, 0.57)
    """
    low, high = (SIZES[degree].index(size) for size in WINDOWS[degree])
    ends = np.array(PUBLISHED[degree, predictor])[[low, high]]
    (exponent,) = exponents(Curve(np.array(WINDOWS[degree]), ends[None]))
    return float(exponent)


def published(
    degree: int,
    predictor: str,
    minus: str | None = None,
) -> Published:
    """What Atanasov et al. publish for an exponent, less that of another predictor if there is
    one.
    """
    value = published_exponent(degree, predictor)
    if minus is not None:
        value -= published_exponent(degree, minus)
    low, high = WINDOWS[degree]
    return Published(
        value,
        f"Atanasov et al. 2022, learning curves at degree {degree}, width {WIDTHS[degree]} (ours "
        f"74), P = {low} to {high}",
        "read off their figure by eye, within about 0.1; not a number of Vyas et al.",
    )


def published_exponents(degree: int) -> dict[str, Published]:
    """By predictor, the published exponent."""
    return {
        predictor: published(degree, predictor)
        for predictor in (NETWORK, INITIAL, INFINITE)
    }


def published_gaps(degree: int) -> dict[str, Published]:
    """By kernel, the published exponent of the network minus that of the kernel."""
    return {
        kernel: published(degree, NETWORK, minus=kernel)
        for kernel in (INITIAL, INFINITE)
    }


@dataclass(frozen=True, eq=False)
class Predictors:
    """Networks and the kernels of their architecture on one setting.

    Args:
        label: in sentences.
        networks: of `sphere_networks`.
        kernels: of `sphere_kernels`, INITIAL and INFINITE.
    """

    label: str
    networks: Experiment
    kernels: Experiment


@dataclass(frozen=True)
class Polynomial:
    """A polynomial to be learnt, by networks and by the kernels of their architecture.

    Args:
        label: in sentences.
        data: keys that `sphere_networks` and `sphere_kernels` share.
        training: the other keys of `sphere_networks`.
        full: what the full tier changes in data; None: nothing, nor in training.
    """

    label: str
    data: Configuration
    training: Configuration
    full: Configuration | None = None


SPHERE = dict(inputs=10, test=1000, width=74, alpha=0.1)
BY_DESCENT = dict(rate=1.0, momentum=0.0, most_steps=10_000)
BY_MOMENTUM = dict(rate=5.0, momentum=0.9, most_steps=3_000)

DEGREE_4 = Polynomial(
    "degree 4",
    dict(SPHERE, degree=4, sizes=[400, 800, 1600], held_out=500),
    dict(BY_DESCENT, target_loss=2e-3),
    dict(width=1000, sizes=[400, 1000, 1800, 4000]),
)
DEGREE_2 = Polynomial(
    "degree 2",
    dict(SPHERE, degree=2, sizes=[100, 300, 1000], held_out=0),
    dict(BY_DESCENT, target_loss=3e-4),
    dict(width=1000, sizes=[100, 180, 400, 1000]),
)
LAZY = Polynomial(
    "degree 2, lazy",
    dict(DEGREE_2.data, alpha=200.0, sizes=[50, 100, 200]),
    dict(BY_MOMENTUM, target_loss=1e-6),
)


def add_predictors(claim: Claim, setting: Polynomial) -> Predictors:
    """Adds the networks and kernels of a setting to a claim."""
    networks = claim.experiment(
        sphere_networks,
        [setting.data | setting.training],
        full=setting.full | FULLY if setting.full else (),
        block=5,
    )
    kernels = claim.experiment(
        sphere_kernels,
        grid(**setting.data, kernel=(INITIAL, INFINITE)),
        full=setting.full or (),
        dtype="float64",
    )
    return Predictors(setting.label, networks, kernels)


def add_shuffled_kernel(claim: Claim, setting: Polynomial) -> Experiment:
    """Adds the kernel that is regressed on permuted targets."""
    cell = dict(setting.data, kernel=SHUFFLED, held_out=0)
    return claim.experiment(
        sphere_kernels, [cell], full=setting.full or (), dtype="float64"
    )


def error_curve(
    m: Measurements,
    experiment: Experiment,
    quantity: str = "error",
    kernel: str = "",
) -> Curve:
    """A quantity by number of samples; `kernel`: of an experiment with more than one."""
    where = {"kernel": kernel} if kernel else {}
    (cell,) = m[experiment].configurations(**where)
    values = m[experiment](quantity, **where)
    return Curve(np.array(cell["sizes"]), values)


def predictor_curve(
    m: Measurements, setting: Predictors, predictor: str, quantity: str = "error"
) -> Curve:
    """Test errors of NETWORK, INITIAL or INFINITE; quantity as `sphere_kernels` returns it."""
    if predictor == NETWORK:
        return error_curve(m, setting.networks)
    return error_curve(m, setting.kernels, quantity, predictor)


def gap_to(
    m: Measurements, setting: Predictors, kernel: str, quantity: str = "error"
) -> np.ndarray:
    """Exponent of the network minus that of a kernel, per seed, (R,)."""
    network = predictor_curve(m, setting, NETWORK)
    return lead(network, predictor_curve(m, setting, kernel, quantity))


def not_positive(
    m: Measurements, settings: Sequence[Predictors], shuffled: Experiment
) -> str:
    """ "" if every squared error of these networks and kernels is finite and positive."""
    networks = [setting.networks for setting in settings]
    kernels = [setting.kernels for setting in settings]
    return gates.positive(m, ["error"], *networks, *kernels, shuffled)


def stopped_short(m: Measurements, settings: Sequence[Predictors]) -> str:
    """ "" if every network reached the loss at which it stops; else how many did not, and where."""
    failed = []
    for setting in settings:
        curve = error_curve(m, setting.networks, "reached")
        for size, reached in zip(curve.sizes, curve.values.T, strict=True):
            missing = int((reached != 1).sum())
            if missing:
                failed.append(
                    f"{missing} of {len(reached)} networks at {setting.label}, P = {size}"
                )
    return f"short of their training loss: {', '.join(failed)}" if failed else ""


def carried_by_one_half(m: Measurements, setting: Predictors, least: float) -> str:
    """ "" if in each half of the window the mean gap to each kernel is above `least`; else where it
    is not. The middle one of an odd number of sizes belongs to both halves.
    """
    network = predictor_curve(m, setting, NETWORK)
    half = (len(network.sizes) + 1) // 2
    failed = []
    for kernel in (INITIAL, INFINITE):
        flat = predictor_curve(m, setting, kernel)
        for sizes in (network.sizes[:half], network.sizes[-half:]):
            steep_part, flat_part = (
                Curve(sizes, curve.at(sizes)) for curve in (network, flat)
            )
            mean = lead(steep_part, flat_part).mean()
            if not mean > least:
                failed.append(
                    f"{mean:.3g} to the {kernel} over P = {sizes[0]} to {sizes[-1]}"
                )
    return f"gap not above {least:g}: {', '.join(failed)}" if failed else ""


def learning_curves(
    setting: Predictors,
    degree: int,
    chosen: str = "",
) -> Builder:
    """A figure of our learning curves and of those published; `chosen`: the kernel that is shown
    with a chosen ridge too.
    """
    axes = Axes("training samples P", "squared test error", log_x=True, log_y=True)
    predictors = NETWORK, INITIAL, INFINITE

    def build(m: Measurements) -> Figure:
        series = [_line(name, predictor_curve(m, setting, name)) for name in predictors]
        if chosen:
            errors = predictor_curve(m, setting, chosen, "chosen_error")
            series.append(_line(f"{chosen}, chosen ridge", errors))
        x = tuple(float(size) for size in SIZES[degree])
        for name in predictors:
            label = f"published: {name}, N = {WIDTHS[degree]}"
            series.append(Series(label, x, PUBLISHED[degree, name]))
        note = (
            f"{m.backend}, geometric means with 95 % t intervals; in brackets our exponents. "
            "Published: Atanasov et al. 2022, read off their figure."
        )
        return plots.figure(f"Learning curves at {setting.label}", axes, series, note)

    return build


def _line(label: str, errors: Curve) -> Series:
    """A learning curve, its exponent and the 95 % t interval of that in the label."""
    beta = exponents(errors)
    low, high = t_interval(beta, 0.025)
    label = f"{label} ({beta.mean():.2f} [{low:.2f}, {high:.2f}])"
    per_size = list(errors.values.T)
    return Series.of(label, errors.sizes, per_size, log=True)

"""How often a claim's decision errs, over thousands of simulated experiments with known truth.

Simulated are effects, so what is counted is the decision on effects: both intervals in both
backends, and that these agree. Gates, controls and Holm over the family can only take a SUPPORTED
away; they are left out.

For each hypothesis and each scatter over seeds:

    false SUPPORTED   the mean is on the margin (where there are two, the worse counts), so
                      SUPPORTED is wrong
    false REFUTED     of the same experiments; the mean refutes nothing, so REFUTED is wrong
    power, refuted    how often SUPPORTED and REFUTED come out where the mean is the registered
                      effect
    coverage          how often the t interval of the decision (level 1 - 2 end), the 95 % t
                      interval and the 95 % studentised bootstrap interval hold the mean that was
                      planted

For the claim as a whole, which is SUPPORTED where all its primary hypotheses are, effects are drawn
independently between hypotheses, and a false SUPPORTED is that of one hypothesis on its margin and
all others at their registered effects, whichever of them is worst. It is REFUTED where any of its
primary hypotheses is, so a false REFUTED is worst where all of them are on their margins at once.

The scatter over seeds has the measured standard deviation and three shapes: normal; Student's t
with 3 degrees of freedom, scaled to that deviation; and the measured effects themselves, resampled
and smoothed. The two backends have the same effects but for a difference on each seed whose root
mean square is the measured one.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.errors import InvalidInput
from harness.statistics.decisions import Decisions, Rate, bootstrap_intervals, decisions
from harness.statistics.intervals import BOOTSTRAP_SEEDS, Floats, t_interval, varies
from harness.statistics.power import power
from harness.study import Hypothesis, Statement

Draw = Callable[[np.random.Generator, tuple[int, ...]], Floats]
Decide = Callable[..., Decisions]
Flags = NDArray[np.bool_]

TRIALS = 2_000
"""Simulated experiments per rate: a Monte Carlo error of 0.005 at a rate of 0.05."""

RESAMPLES = 2_000
"""Resamples per bootstrap, half of a decision's for speed: its quantiles are noisier, and nothing
else differs.
"""

SAME = 1e-4
"""Backends that differ by less than this, in standard deviations over seeds, are simulated as one.
"""


@dataclass(frozen=True)
class Scatter:
    """How effects scatter over seeds.

    Args:
        sd: over seeds, in the units of the effect.
        difference: root mean square of the difference of two backends on one seed.
        shapes: name -> draws of mean 0 and standard deviation 1.
        measured: whether sd was measured; else it is the registered one.
    """

    sd: float
    difference: float
    shapes: Mapping[str, Draw]
    measured: bool


@dataclass(frozen=True)
class Rates:
    """What was found for one hypothesis and one shape of scatter; `computed` is the closed form of
    power.
    """

    false_supported: Rate
    false_refuted: Rate
    power: Rate
    refuted: Rate
    computed: float
    coverage: Rate
    coverage_95: Rate
    bootstrap_95: Rate | None


@dataclass(frozen=True)
class Whole:
    """What was found for a claim, all primary hypotheses together."""

    false_supported: Rate
    false_refuted: Rate
    power: Rate
    refuted: Rate


@dataclass(frozen=True)
class Calibrated:
    """One claim: shape of scatter -> the claim's rates; hypothesis -> its scatter; hypothesis ->
    shape -> rates.
    """

    seeds: int
    whole: Mapping[str, Whole]
    scatter: Mapping[str, Scatter]
    hypotheses: Mapping[str, Mapping[str, Rates]]


@dataclass(frozen=True)
class _Simulated:
    """One hypothesis: its rates, and what came out with the mean on the margin where SUPPORTED is
    most frequent, on that where REFUTED is, and at the registered effect.
    """

    rates: Rates
    supported_at_margin: Flags
    refuted_at_margin: Flags
    at_effect: Decisions


def normal(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """Standard normal."""
    return rng.standard_normal(shape)


def heavy_tailed(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """Student's t with 3 degrees of freedom, whose standard deviation is sqrt(3), scaled to 1."""
    return rng.standard_t(3, shape) / np.sqrt(3)


def two_backends(
    effects: Floats, difference_sd: float, rng: np.random.Generator
) -> Floats:
    """Effects in two backends that differ by N(0, difference_sd^2): (...) -> (2, ...), or (1, ...)
    where it is 0.
    """
    if difference_sd == 0:
        return effects[np.newaxis]
    half = difference_sd / 2 * rng.standard_normal(effects.shape)
    return np.stack([effects + half, effects - half])


def smoothed(effects: ArrayLike) -> Draw:
    """A draw like the effects, shape (n,): one of them, standardised, plus a normal kernel, scaled
    back to deviation 1.

    The kernel's width is the normal reference rule's, 1.06 n^(-1/5) standard deviations (Silverman
    1986, section 3.4).
    """
    sample = np.asarray(effects, dtype=np.float64)
    standard = (sample - sample.mean()) / sample.std()
    width = 1.06 * sample.size**-0.2

    def draw(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
        return (
            rng.choice(standard, shape) + width * rng.standard_normal(shape)
        ) / np.sqrt(1 + width**2)

    return draw


def scatter_of(
    hypothesis: Hypothesis, measured: Mapping[str, Sequence[float]] | None
) -> Scatter:
    """The scatter of a hypothesis' effects, backend -> one per seed; as registered where there are
    none that vary.

    Raises:
        InvalidInput: if nothing was measured and the registered sd is not positive.
    """
    shapes: dict[str, Draw] = {"normal": normal, "heavy-tailed": heavy_tailed}
    samples = np.array(list((measured or {}).values()), dtype=np.float64)
    if (
        samples.ndim == 2
        and samples.shape[1] > 1
        and np.isfinite(samples).all()
        and varies(samples).all()
    ):
        sd = float(samples.std(axis=1, ddof=1).mean())
        difference = float(np.sqrt(np.mean((samples[0] - samples[-1]) ** 2)))
        difference = difference if difference > SAME * sd else 0.0
        return Scatter(
            sd,
            difference,
            {**shapes, "as measured": smoothed(samples.mean(axis=0))},
            measured=True,
        )
    if not hypothesis.expected_sd > 0:
        raise InvalidInput(
            f"Hypothesis {hypothesis.name!r} has no scatter to simulate: no effects that vary over "
            "seeds were "
            f"measured, and its registered sd is {hypothesis.expected_sd!r}. Register a positive "
            "one, or measure first."
        )
    return Scatter(hypothesis.expected_sd, 0.0, shapes, measured=False)


def calibrate(
    claim: Statement,
    seeds: int,
    measured: Mapping[str, Mapping[str, Sequence[float]]],
    *,
    trials: int = TRIALS,
    seed: int = 0,
    decide: Decide = decisions,
) -> Calibrated:
    """Simulate the decisions on a claim.

    Args:
        claim: with its hypotheses.
        seeds: per experiment.
        measured: backend -> hypothesis -> one effect per seed, whose scatter is simulated.
        trials: simulated experiments per rate.
        seed: of the simulation; every hypothesis and shape has a stream of its own.
        decide: what decides the experiments, as `harness.statistics.decisions.decisions` does.

    Raises:
        InvalidInput: for fewer than 2 seeds or 1 trial, or a hypothesis without any scatter.
    """
    if seeds < 2 or trials < 1:
        raise InvalidInput(
            f"Calibration takes at least 2 seeds and 1 trial; got {seeds!r} and {trials!r}."
        )
    scatters = {
        h.name: scatter_of(
            h,
            {
                backend: found[h.name]
                for backend, found in measured.items()
                if h.name in found
            },
        )
        for h in claim.hypotheses
    }

    def simulated(hypothesis: Hypothesis) -> dict[str, _Simulated]:
        name, scatter = hypothesis.name, scatters[hypothesis.name]
        return {
            shape: _simulate(
                hypothesis,
                scatter,
                shape,
                size=(trials, seeds),
                rng=_stream(seed, claim.id, name, shape),
                decide=decide,
            )
            for shape in scatter.shapes
        }

    found = {h.name: simulated(h) for h in claim.hypotheses}
    primary = [found[h.name] for h in claim.primary]
    shapes = [shape for shape in primary[0] if all(shape in own for own in primary)]
    return Calibrated(
        seeds=seeds,
        whole={shape: _together([own[shape] for own in primary]) for shape in shapes},
        scatter=scatters,
        hypotheses={
            name: {shape: one.rates for shape, one in own.items()}
            for name, own in found.items()
        },
    )


def _stream(seed: int, *names: str) -> np.random.Generator:
    named = hashlib.sha256("\n".join(names).encode()).digest()
    return np.random.default_rng([seed, int.from_bytes(named[:8], "big")])


def _simulate(
    hypothesis: Hypothesis,
    scatter: Scatter,
    shape: str,
    *,
    size: tuple[int, int],
    rng: np.random.Generator,
    decide: Decide,
) -> _Simulated:
    """The decisions of `size`, (trials, seeds), experiments."""
    seeds = size[1]
    rule, effect, sd = hypothesis.rule, hypothesis.expected_effect, scatter.sd

    def decided(effects: Floats) -> Decisions:
        return decide(
            effects, rule, agreement=hypothesis.agreement, resamples=RESAMPLES
        )

    def experiments() -> Floats:
        return two_backends(
            sd * scatter.shapes[shape](rng, size), scatter.difference, rng
        )

    at_margins = [decided(margin + experiments()) for margin in rule.cuts]
    supported = max((one.supported for one in at_margins), key=np.count_nonzero)
    refuted = max((one.refuted for one in at_margins), key=np.count_nonzero)
    deviations = experiments()
    at_effect = decided(effect + deviations)
    rates = Rates(
        false_supported=Rate.of(supported),
        false_refuted=Rate.of(refuted),
        power=Rate.of(at_effect.supported),
        refuted=Rate.of(at_effect.refuted),
        computed=power(rule, effect, sd, seeds),
        coverage=_covered(t_interval(deviations[0], rule.end)),
        coverage_95=_covered(t_interval(deviations[0], 0.025)),
        bootstrap_95=_bootstrap_covered(deviations[0])
        if seeds >= BOOTSTRAP_SEEDS
        else None,
    )
    return _Simulated(rates, supported, refuted, at_effect)


def _covered(ends: tuple[Floats, Floats]) -> Rate:
    """How often intervals of the mean deviation from the truth hold 0."""
    low, high = ends
    return Rate.of((low < 0) & (high > 0))


def _bootstrap_covered(deviations: Floats) -> Rate:
    return _covered(bootstrap_intervals(deviations, 0.025, resamples=RESAMPLES))


def _together(primary: Sequence[_Simulated]) -> Whole:
    """The claim is SUPPORTED where all are, and REFUTED where any is.

    Wrongly SUPPORTED: one is on its margin and the others at their registered effects. Wrongly
    REFUTED: all are on their margins.
    """
    supported = [one.at_effect.supported for one in primary]
    refuted = [one.at_effect.refuted for one in primary]
    wrongly = [
        np.all(
            [*supported[:index], one.supported_at_margin, *supported[index + 1 :]],
            axis=0,
        )
        for index, one in enumerate(primary)
    ]
    return Whole(
        false_supported=Rate.of(max(wrongly, key=np.count_nonzero)),
        false_refuted=Rate.of(
            np.any([one.refuted_at_margin for one in primary], axis=0)
        ),
        power=Rate.of(np.all(supported, axis=0)),
        refuted=Rate.of(np.any(refuted, axis=0)),
    )

"""What we set out to reach, and whether a record shows it."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from benchmarks.contestant import OURS
from benchmarks.race import Race

STRUCTURED, CONTRACTION = (
    ("jax", "NT STRUCTURED_DERIVATIVES"),
    ("jax", "NT JACOBIAN_CONTRACTION"),
)
TUTORIAL, CLOSED_FORM, IN_PLACE = (
    ("torch", "torch.func"),
    ("jax", "NT kernel_fn"),
    ("numpy", "scipy in place"),
)
Measure = Callable[[Race, str, str], float | None]


@dataclass(frozen=True)
class Goal:
    """A bound on a number in some cases.

    Args:
        text: what is bounded, with its unit.
        bound: the number; `at_least` says on which side of it the goal is.
        measure: race, case, framework -> the number; None: not measured there.
        cases: race -> the cases.
        frameworks: our backends that it is set for.
    """

    text: str
    bound: float
    measure: Measure
    cases: Callable[[Race], list[str]]
    frameworks: tuple[str, ...] = ("torch", "jax")
    at_least: bool = True

    def worst(self, race: Race, framework: str) -> tuple[float, str] | None:
        """The number furthest on the wrong side, and its case."""
        found = [
            (self.measure(race, case, framework), case) for case in self.cases(race)
        ]
        numbers = [
            (value, case)
            for value, case in found
            if value is not None and not math.isnan(value)
        ]
        return (min if self.at_least else max)(numbers, default=None)

    def met(self, value: float) -> bool:
        """Whether a number is on the right side."""
        return value >= self.bound if self.at_least else value <= self.bound


def against(peer: tuple[str, str]) -> Measure:
    """Time of a peer over ours."""
    return lambda race, case, framework: race.ratio(case, framework, peer)


def slowdown(peer: tuple[str, str]) -> Measure:
    """Our time over a peer's."""

    def measure(race: Race, case: str, framework: str) -> float | None:
        ratio = race.ratio(case, framework, peer)
        return 1 / ratio if ratio else None

    return measure


def large_traces(race: Race, **where: str) -> list[str]:
    """Perceptrons, traced kernels of at least 1024 samples."""
    cases = race.cases(subject="empirical", kind="mlp", kernel="trace", **where)
    return [case for case in cases if race.facts(case)["samples"] >= 1024]


def full(race: Race) -> list[str]:
    """Perceptrons, full kernels of ten outputs."""
    return race.cases(subject="empirical", kind="mlp", kernel="full", outputs=10)


def convolutional(race: Race, **where: int) -> list[str]:
    """Convolutional networks."""
    return race.cases(subject="empirical", kind="cnn", **where)


def memory(race: Race, case: str, framework: str) -> float:
    """Peak memory of ours beyond the result, MB."""
    return race.beyond_result(framework, OURS, case)


GOALS = (
    Goal(
        "MLP, trace, N ≥ 1024: fraction of the floor", 0.65, Race.fraction, large_traces
    ),
    Goal(
        "MLP, trace, N ≥ 1024, float32: times as fast as NT's structured derivatives",
        3.0,
        against(STRUCTURED),
        lambda race: large_traces(race, dtype="float32"),
    ),
    Goal(
        "the same in float64",
        4.0,
        against(STRUCTURED),
        lambda race: large_traces(race, dtype="float64"),
    ),
    Goal(
        "MLP, full kernel of 10 outputs: fraction of the floor",
        0.60,
        Race.fraction,
        full,
    ),
    Goal(
        "MLP, full kernel of 10 outputs: times as fast as NT's structured derivatives",
        2.5,
        against(STRUCTURED),
        full,
    ),
    Goal("CNN: fraction of the floor", 0.60, Race.fraction, convolutional),
    Goal(
        "CNN, 1 output: times as fast as torch.func",
        1.7,
        against(TUTORIAL),
        lambda r: convolutional(r, outputs=1),
    ),
    Goal(
        "CNN, 10 outputs: times as fast as torch.func",
        2.0,
        against(TUTORIAL),
        lambda r: convolutional(r, outputs=10),
    ),
    Goal(
        "CNN: times as fast as NT's Jacobian contraction",
        1.0,
        against(CONTRACTION),
        convolutional,
        ("jax",),
    ),
    Goal(
        "peak memory beyond the result, MB",
        256.0,
        memory,
        lambda race: race.cases(),
        at_least=False,
    ),
    Goal(
        "infinite width, MLP: times as fast as NT, compiled",
        4.0,
        against(CLOSED_FORM),
        lambda race: race.cases(subject="infinite"),
    ),
    Goal(
        "regression: time over SciPy's Cholesky in place",
        1.1,
        slowdown(IN_PLACE),
        lambda race: race.cases(subject="solve"),
        ("numpy",),
        at_least=False,
    ),
    Goal(
        "relative error, float64",
        1e-14,
        Race.error,
        lambda race: race.cases(subject="empirical", dtype="float64"),
        at_least=False,
    ),
    Goal(
        "relative error, float32",
        5e-7,
        Race.error,
        lambda race: race.cases(subject="empirical", dtype="float32"),
        at_least=False,
    ),
)


def outcomes(race: Race) -> Iterator[tuple[Goal, str, tuple[float, str] | None]]:
    """Every goal per backend, with the worst number and its case; None: not measured."""
    for goal in GOALS:
        for framework in goal.frameworks:
            yield goal, framework, goal.worst(race, framework)

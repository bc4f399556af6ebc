"""Figures of bandits: regret round by round, and against how much is explored."""

import numpy as np

from claims.wenger2023.regret import (
    BANDITS,
    CONSTANTS,
    TABLES,
    Games,
    cell,
    of_policy,
    share,
)
from harness import plots
from harness.experiment import Configuration, Experiment, Measurements
from harness.plots import Axes, Builder, Figure, Series

NAMES = {
    "constant 0": "greedy",
    "theory": "NTK theory",
    "theory without S": "NTK theory, S = 0",
}
SHOWN = ("theory", "theory without S", "constant 0", "constant 1", "evidence")
ROUNDS = Axes("round", "cumulative regret")
EXPLORATION = Axes("gamma", "share of the regret of random arms", log_x=True)
LABELS = {
    "wheel": "wheel",
    "imbalanced": "imbalanced clusters",
    "fashion": "Fashion-MNIST",
    "shuttle": "Shuttle",
    "letter": "Letters",
}


def by_round(experiment: Experiment, bandit: str) -> Builder:
    """Cumulative regret of the policies that the claim names, and of random arms."""

    def build(m: Measurements) -> Figure:
        measured = m[experiment]
        rounds = noted(cell(measured, bandit))
        series = []
        for policy in SHOWN:
            regret = of_policy(measured, "regret", bandit, policy)
            drawn = Series.of(name(policy), rounds, list(regret.T))
            series.append(drawn)
        at_random = measured("random", bandit=bandit)
        drawn = Series.of("random arms", rounds, list(at_random.T))
        series.append(drawn)
        return plots.figure(f"Regret, {LABELS[bandit]}", ROUNDS, series, _note(m))

    return build


def by_exploration(experiment: Experiment, bandit: str) -> Builder:
    """The last regret of constants and of theory at its gamma; evidence and greedy as levels."""

    def build(m: Measurements) -> Figure:
        measured = m[experiment]
        constants = [
            float(constant.removeprefix("constant ")) for constant in CONSTANTS[1:]
        ]
        shares = [share(measured, bandit, constant) for constant in CONSTANTS[1:]]
        gamma = of_policy(measured, "gamma", bandit, "theory").mean()
        series = [
            Series.of("constants", constants, shares),
            Series.of("NTK theory", [gamma], [share(measured, bandit, "theory")]),
        ]
        span = constants[0], max(constants[-1], gamma)
        for policy in ("evidence", "constant 0"):
            level = share(measured, bandit, policy)
            drawn = Series.of(name(policy), span, [level, level])
            series.append(drawn)
        note = (
            f"{_note(m)} Theory stands at its gamma after the last round, the mean over seeds; "
            "evidence, which tunes "
            "the kernel too, and greedy are levels."
        )
        return plots.figure(
            f"Last regret against exploration, {LABELS[bandit]}",
            EXPLORATION,
            series,
            note,
        )

    return build


def to_the_horizon(experiment: Experiment) -> Builder:
    """Cumulative regret of policies that play alone, as far as the authors of NeuralUCB go."""

    def build(m: Measurements) -> Figure:
        series = []
        for where in m[experiment].configurations():
            (policy,) = where["policies"]
            regret = m[experiment].exactly("regret", where)[:, 0]
            drawn = Series.of(name(policy), noted(where), list(regret.T))
            series.append(drawn)
        note = (
            f"{m.backend}, width 1024, full Z; mean over seeds with its 95 % interval."
        )
        return plots.figure("Regret, Shuttle, to 15,000 rounds", ROUNDS, series, note)

    return build


def name(policy: str) -> str:
    """A policy as figures call it."""
    return NAMES.get(policy, policy)


def noted(where: Configuration) -> np.ndarray:
    """The rounds after which regret was noted."""
    return np.arange(where["block"], where["rounds"] + 1, where["block"])


def _note(m: Measurements) -> str:
    return f"{m.backend}, width 64, full Z; mean over seeds with its 95 % interval."


def of_bandits(games: Games) -> list[Builder]:
    """Regret by round and by exploration on every bandit, and to the far horizon."""
    figures = []
    for bandit in (*BANDITS, *TABLES):
        figures.append(by_round(games.practical, bandit))
        figures.append(by_exploration(games.practical, bandit))
    return [*figures, to_the_horizon(games.horizon)]

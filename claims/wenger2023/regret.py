"""Which bandits are played, and regrets as shares of the regret of arms pulled at random."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from claims.wenger2023.bandits import regrets
from claims.wenger2023.conditions import failing
from claims.wenger2023.posterior import RIDGES
from harness.claim import Claim
from harness.errors import NotMeasured
from harness.experiment import Configuration, Experiment, Measured, Measurements, grid

CONSTANTS = [f"constant {value}" for value in ("0", "0.1", "0.3", "1", "3", "10")]
FULL_Z = ["theory", "theory without S", "evidence", *CONSTANTS]
DIAGONAL_Z = [f"{name}, diagonal Z" for name in ("theory", "evidence", "constant 1")]
POLICIES = FULL_Z + DIAGONAL_Z
CHANCE, LEARNT = 0.1, 0.75
QUANTITIES = "regret", "random", "norm", "gamma"
TABLES = "shuttle", "letter"
"""Bandits of the full tier alone."""


def played(
    bandit: str | tuple[str, ...],
    policies: list[str] | tuple[list[str], ...],
    rounds: int,
    **changes: Any,
) -> tuple[Configuration, ...]:
    """Configurations of `regrets`: a bandit, played by all the policies of a list at once, in one
    panel.
    """
    usual = dict(rounds=rounds, panel=rounds, width=64, block=10)
    return grid(**{"bandit": bandit, "policies": policies, **usual, **changes})


BOTH = ["theory", "evidence"]
ALONE = ["theory"], ["evidence"], ["constant 0"], ["constant 1"]
"""Policies that each have a cell of their own."""
ALL = ("wheel", "imbalanced", "fashion", *TABLES)
SHUFFLED = "shuffled imbalanced"
LONG = dict(rounds=2000, panel=100)
FAR = dict(rounds=15_000, panel=50, width=1024, block=50)
"""As far as the authors of NeuralUCB go."""
PRACTICAL = (
    played("wheel", POLICIES, 400)
    + played("imbalanced", POLICIES, 300)
    + played("fashion", FULL_Z, 300),
    played(ALL, POLICIES, **LONG),
)
INFINITE = (
    played("wheel", BOTH, 400, width="infinite")
    + played("imbalanced", BOTH, 300, width="infinite"),
    played(ALL, FULL_Z, width="infinite", **LONG),
)
GAMES = (
    PRACTICAL,
    INFINITE,
    (played(SHUFFLED, BOTH, 300), played(SHUFFLED, BOTH, **LONG)),
    ((), played("shuttle", ALONE, **FAR)),
)
"""At practical width, at infinite width, with shuffled arms, and to the far horizon: at the quick
and at the full tier.
"""


BANDITS = "wheel", "imbalanced", "fashion"
"""Those on which the claim is decided."""


@dataclass(frozen=True)
class Games:
    """Games of `regrets`; all policies of a configuration play the same rounds, contexts and
    initial weights.

    Args:
        practical: at practical width.
        infinite: at infinite width.
        shuffled: with shuffled arms, so that all policies are equal.
        horizon: to the far horizon, at the full tier.
    """

    practical: Experiment
    infinite: Experiment
    shuffled: Experiment
    horizon: Experiment


def add_games(claim: Claim) -> Games:
    """Adds them to a claim."""
    added = []
    for quick, full in GAMES:
        games = claim.experiment(regrets, quick, full=full, dtype="float64", block=1)
        added.append(games)
    return Games(*added)


def cell(measured: Measured, bandit: str) -> Configuration:
    """The configuration in which a bandit is played.

    Raises:
        NotMeasured: if the tier lacks it.
    """
    found = measured.configurations(bandit=bandit)
    if not found:
        raise NotMeasured(f"Bandit {bandit!r} is not played at this tier.")
    return found[0]


def of_policy(
    measured: Measured, quantity: str, bandit: str, policy: str
) -> np.ndarray:
    """A quantity of one of the policies that play a bandit, (S, ...)."""
    where = cell(measured, bandit)
    column = where["policies"].index(policy)
    return measured.exactly(quantity, where)[:, column]


def share(
    measured: Measured,
    bandit: str,
    policy: str,
) -> np.ndarray:
    """Regret after the last round over the expected regret of random arms, (S,)."""
    at_the_end = of_policy(measured, "regret", bandit, policy)[:, -1]
    return np.asarray(at_the_end / measured("chance", bandit=bandit))


def share_at_random(measured: Measured, bandit: str) -> np.ndarray:
    """The same of arms pulled at random, (S,); 1 but for chance."""
    at_the_end = measured("random", bandit=bandit)[:, -1]
    return np.asarray(at_the_end / measured("chance", bandit=bandit))


def share_of_best(measured: Measured, bandit: str) -> np.ndarray:
    """The same of the constant that has the least mean over all seeds, (S,); the choice is made in
    hindsight.
    """
    return min(
        (share(measured, bandit, constant) for constant in CONSTANTS), key=np.mean
    )


def difference(measured: Measured, bandit: str, worse: str, better: str) -> np.ndarray:
    """Share of one policy less that of another, (S,)."""
    return share(measured, bandit, worse) - share(measured, bandit, better)


def over_evidence(
    measured: Measured, bandit: str, policy: str, form: str = ""
) -> np.ndarray:
    """Share of a policy less that of evidence, both in the same form of Z, (S,)."""
    return difference(measured, bandit, policy + form, "evidence" + form)


def over_evidence_with(
    m: Measurements,
    games: Games,
    bandit: str,
    form: str,
) -> np.ndarray:
    """Share of theory less that of evidence, with a diagonal Z or at infinite width, (S,)."""
    if form == "infinite width":
        return over_evidence(m[games.infinite], bandit, "theory")
    return over_evidence(m[games.practical], bandit, "theory", f", {form}")


def best_over_evidence(measured: Measured, bandit: str) -> np.ndarray:
    """Share of the best constant less that of evidence, (S,)."""
    return share_of_best(measured, bandit) - share(measured, bandit, "evidence")


def random_over_evidence(measured: Measured, bandit: str) -> np.ndarray:
    """Share of arms pulled at random less that of evidence, (S,)."""
    return share_at_random(measured, bandit) - share(measured, bandit, "evidence")


def named(where: Configuration) -> str:
    """A configuration in words."""
    return f"{where['bandit']}, width {where['width']}"


def is_learnable(measured: Measured, bandit: str) -> bool:
    """Whether the best constant has at most 0.75 of the regret of random arms."""
    return bool(share_of_best(measured, bandit).mean() <= LEARNT)


def is_below_largest_ridge(measured: Measured, bandit: str) -> bool:
    """Whether evidence ends below the largest ridge of its ladder in every seed."""
    ridge = of_policy(measured, "ridge", bandit, "evidence")
    return bool((ridge < RIDGES[-1]).all())


def is_as_expected(measured: Measured, bandit: str) -> bool:
    """Whether arms pulled at random have their expected regret within 0.1."""
    return bool(abs(share_at_random(measured, bandit).mean() - 1) <= CHANCE)


def where_not(
    holds: Callable[[Measured, str], bool],
    measured: Measured,
    bandits: Sequence[str],
) -> str:
    """The bandits of which a condition does not hold, in one line."""
    return ", ".join(bandit for bandit in bandits if not holds(measured, bandit))


def hard(measured: Measured) -> str:
    """What a gate says of bandits that no constant learns."""
    where = where_not(is_learnable, measured, BANDITS)
    return where and f"no constant learns enough: {where}"


def taken_for_noise(measured: Measured) -> str:
    """What a gate says of bandits on which evidence ends at its largest ridge."""
    where = where_not(is_below_largest_ridge, measured, BANDITS)
    return where and f"evidence took all rewards for noise: {where}"


def unexpected_chance(measured: Measured) -> str:
    """What a gate says of bandits on which arms pulled at random miss their expected regret."""
    where = where_not(is_as_expected, measured, BANDITS)
    return where and f"random arms have another regret than expected: {where}"


def not_finite(m: Measurements, games: Games) -> str:
    """The configurations in which a quantity is no number, of the first such quantity; "" if there
    is none.
    """
    played_here = [getattr(games, field.name) for field in fields(games)]
    for quantity in QUANTITIES:
        bad = failing(m, played_here, quantity, np.isfinite, named)
        if bad:
            return f"a regret, S or gamma is not finite: {bad}"
    return ""

"""How much a policy explores.

Each pulls the arm of the largest mean + gamma (g^T Z^-1 g)^1/2, and differs in gamma.

    constant 0.3         gamma = 0.3 in every round; constant 0 is greedy
    theory               gamma_t of the theorem on NeuralUCB at infinite width
    theory without S     ... without its term ridge^1/2 S, as if the rewards had norm 0
    evidence             one posterior deviation, ridge and scale of the kernel chosen by evidence

", diagonal Z" behind a name: Z in the bonus is replaced by its diagonal, as the authors' released
code does.
"""

import re
from dataclasses import dataclass

import numpy as np

from harness.errors import InvalidInput

NU, DELTA, RIDGE = 0.5, 0.1, 1.0
"""Rewards in [0, 1] are sub-Gaussian with 1/2 (Hoeffding); the bound holds with probability 0.9;
lambda.
"""
NAME = re.compile(
    r"(theory|theory without S|evidence|constant \d+(?:\.\d+)?)(, diagonal Z)?"
)


@dataclass(frozen=True)
class Policy:
    """A policy, parsed from its name.

    Args:
        kind: "theory", "evidence" or "constant".
        constant: gamma of a constant; for theory the factor of S, 1 or 0.
        diagonal: is the bonus that of the diagonal of Z?
    """

    kind: str
    constant: float = 1.0
    diagonal: bool = False

    @staticmethod
    def of(name: str) -> "Policy":
        """The policy of that name.

        Raises:
            InvalidInput: if there is none.

        >>> Policy.of("constant 0.3, diagonal Z")
        Policy(kind='constant', constant=0.3, diagonal=True)
        """
        found = NAME.fullmatch(name)
        if found is None:
            raise InvalidInput(
                f"Unknown policy {name!r}. Known: theory, theory without S, evidence, and constant "
                "followed "
                'by a number, such as constant 0.3; each with ", diagonal Z" behind it or not.'
            )
        kind, _, rest = found[1].partition(" ")
        factor = float(rest) if kind == "constant" else float(rest != "without S")
        return Policy(kind, factor, bool(found[2]))

    def gamma(
        self,
        log_det: float,
        norm: float,
        noise: float,
    ) -> float:
        """The factor of (g^T Z^-1 g)^1/2.

        Theory: nu (ln(det Z / det ridge I) - 2 ln delta)^1/2 + ridge^1/2 S, the limit m -> infinity
        of gamma_t (Zhou, Li, Gu 2020, algorithm 1) without the term of incomplete training, which
        could only add to it.

        Args:
            log_det: ln(det Z / det ridge I).
            norm: S.
            noise: noise variance by evidence, scale times ridge; the posterior variance is noise
                g^T Z^-1 g.
        """
        if self.kind == "theory":
            return float(
                NU * np.sqrt(log_det - 2 * np.log(DELTA))
                + RIDGE**0.5 * self.constant * norm
            )
        return noise**0.5 if self.kind == "evidence" else self.constant

"""NeuralUCB (Zhou, Li, Gu 2020, arXiv:1911.04462) of a network in its kernel regime.

Each round pulls the arm of the largest f(x) - f_0(x) + gamma (g(x)^T Z^-1 g(x))^1/2, with g =
df/dtheta at the initial weights and Z = lambda I + sum g g^T over what was pulled. The network is
linear in its weights there, so what training with weight decay lambda towards the initial weights
ends in is kernel ridge regression with the empirical NTK.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from claims.wenger2023 import bandit_problems
from claims.wenger2023.bandit_problems import Bandit
from claims.wenger2023.policies import RIDGE, Policy
from claims.wenger2023.posterior import Posterior
from harness import networks, seeds
from harness.backends import Backend
from harness.errors import InvalidInput
from harness.networks import Network, Theta

NORM_ROUNDS = 50
"""Rounds whose contexts S is computed on."""
TIES = 1e-9
"""Scores this close are tied, and a tie is broken at random, alike in all policies and backends."""
LONGEST_TUNED = 2048
"""Evidence tunes whenever the number of observations has doubled, up to so many."""


def regrets(
    backend: Backend,
    configuration: Mapping[str, Any],
    replicates: Sequence[int],
    stream: str,
) -> dict[str, np.ndarray]:
    """Regret of every policy on the same rounds, contexts and initial weights.

    Configuration: bandit (see `bandit_problems.draw`); rounds T; policies, their names; width of
    the hidden layer, or "infinite"; block, the rounds that a posterior is extended by at once, and
    panel, those whose kernel with all rounds until then is held at once. Blocks divide panels and
    panels the rounds. No result depends on them but through the times when evidence tunes, which
    are ends of blocks.

    Returns per replicate: "regret", (R, P, T / block), cumulative, at the ends of blocks; "random",
    (R, T / block), that of arms pulled at random, and "chance", (R,), its expectation after all
    rounds; "norm", (R,), S; "gamma", (R, P), and "ridge", (R, P), as they are at the end.

    Raises:
        InvalidInput: for an unknown bandit or policy, blocks that do not divide, or a diagonal of Z
            at infinite width.
    """
    rounds, block, panel = (configuration[key] for key in ("rounds", "block", "panel"))
    if rounds % panel or panel % block:
        raise InvalidInput(
            f"block must divide panel, and panel rounds; got block {block}, panel {panel}, rounds "
            f"{rounds}."
        )
    policies = [Policy.of(name) for name in configuration["policies"]]
    found: dict[str, list[np.ndarray]] = {}
    for replicate in replicates:
        bandit = bandit_problems.draw(
            configuration["bandit"], rounds, replicate, stream
        )
        net = network(bandit, configuration["width"])
        theta = net.init(seeds.derive("init", stream=stream, replicate=replicate))
        ties = seeds.generator("ties", stream=stream, replicate=replicate).random(
            bandit.means.shape
        )
        features = Features(backend, net, theta, configuration["width"] == "infinite")
        for name, value in play(
            features, bandit, policies, ties, (panel, block)
        ).items():
            found.setdefault(name, []).append(value)
    return {name: np.array(values) for name, values in found.items()}


def network(bandit: Bandit, width: int | str) -> Network:
    """f(x) = v.relu(W x / n_0^1/2) / width^1/2, weights N(0, 1): at infinite width the NTK of a
    context is 1.
    """
    hidden = 1 if width == "infinite" else int(width)
    return networks.mlp((bandit.x.shape[2], hidden, 1), sigma_w=1.0, sigma_b=None)


@dataclass(frozen=True)
class Features:
    """The gradients of a network at its initial weights, and their kernel; at infinite width the
    kernel alone.
    """

    backend: Backend
    net: Network
    theta: Theta
    infinite: bool = False

    def kernel(
        self,
        x1: np.ndarray,
        x2: np.ndarray,
    ) -> np.ndarray:
        """The empirical NTK, or that at infinite width, (N1, N2)."""
        others = None if len(x1) == len(x2) else x2  # the first panel, with itself
        if self.infinite:
            return self.backend.infinite_ntk(self.net, x1, others)
        return self.backend.empirical_ntk(self.net, self.theta, x1, others)

    def squares(self, x: np.ndarray) -> np.ndarray:
        """Squared derivatives by every weight, (N, weights): J^T v of one sample at a time."""
        if self.infinite:
            raise InvalidInput(
                "A network of infinite width has no diagonal of Z; ask for policies with full Z "
                "there."
            )
        parts = self.backend.pullback(
            self.net, self.theta, x[:, None], np.ones((len(x), 1, 1))
        )
        return (
            np.concatenate(
                [part.reshape(len(x), -1) for part in parts.values()], axis=1
            )
            ** 2
        )

    def norm(self, bandit: Bandit) -> float:
        """S = (2 h^T H^-1 h)^1/2, H the NTK at infinite width, h the expected rewards, on the
        contexts of early rounds.

        It grows with the number of contexts, and the theorem takes all of them, so this is a lower
        bound.
        """
        x, h = (
            bandit.x[:NORM_ROUNDS].reshape(-1, bandit.x.shape[2]),
            bandit.means[:NORM_ROUNDS].ravel(),
        )
        return float(
            np.sqrt(2 * h @ np.linalg.solve(self.backend.infinite_ntk(self.net, x), h))
        )


def play(
    features: Features,
    bandit: Bandit,
    policies: Sequence[Policy],
    ties: np.ndarray,
    sizes: tuple[int, int],
) -> dict[str, Any]:
    """Every policy on the same bandit; what `regrets` returns, for one replicate.

    sizes: of a panel, of a block.
    """
    rounds, arms = bandit.means.shape
    x, (panel, block) = (
        bandit.x.reshape(rounds * arms, -1),
        (arms * size for size in sizes),
    )
    game = Game(policies, bandit, ties, features.norm(bandit))
    for start in range(0, rounds * arms, panel):
        kernel = features.kernel(x[start : start + panel], x[: start + panel])
        for first in range(start, start + panel, block):
            squares = (
                features.squares(x[first : first + block])
                if game.diagonal.any()
                else None
            )
            game.advance(kernel[first - start : first - start + block], squares)
    gaps, ends = bandit.gaps, slice(sizes[1] - 1, None, sizes[1])
    at_random = np.take_along_axis(gaps, ties.argmax(axis=1)[:, None], axis=1)[:, 0]
    return {
        "regret": np.cumsum(gaps.ravel()[game.pulled], axis=1)[:, ends],
        "random": np.cumsum(at_random)[ends],
        "chance": gaps.mean(axis=1).sum(),
        "norm": game.norm,
        "gamma": game.gammas(),
        "ridge": game.posterior.ridge,
    }


class Game:
    """P policies on one bandit, block after block of its rounds.

    Contexts are numbered round by round, arm by arm.

    Args:
        policies: the policies.
        bandit: the bandit.
        ties: what breaks ties, (T, A).
        norm: S of the theorem.
    """

    def __init__(
        self,
        policies: Sequence[Policy],
        bandit: Bandit,
        ties: np.ndarray,
        norm: float,
    ) -> None:
        self.policies, self.norm = policies, norm
        self.arms, self.rewards, self.ties = (
            bandit.means.shape[1],
            bandit.rewards.ravel(),
            TIES * ties.ravel(),
        )
        self.diagonal = np.array([policy.diagonal for policy in policies])
        self.posterior = Posterior(len(policies), len(bandit.means), RIDGE)
        self.pulled = np.zeros((len(policies), 0), dtype=int)
        self.log_det, self.tuned_at = np.zeros(len(policies)), 0
        self.seen: np.ndarray | None = (
            None  # sum of squared derivatives, (policies with diagonal Z, weights)
        )

    def gammas(self) -> np.ndarray:
        """gamma of every policy, (P,)."""
        noise = self.posterior.scale * self.posterior.ridge
        parts = zip(self.policies, self.log_det, noise, strict=True)
        return np.array(
            [policy.gamma(float(d), self.norm, float(n)) for policy, d, n in parts]
        )

    def advance(
        self,
        kernel: np.ndarray,
        squares: np.ndarray | None,
    ) -> None:
        """Plays the next block of rounds, N contexts.

        Args:
            kernel: of its contexts with all contexts to its end, or beyond, (N, ...).
            squares: squared derivatives, (N, weights), if a policy has diagonal Z.
        """
        start, everyone = (
            self.posterior.count * self.arms,
            np.arange(len(self.policies))[:, None],
        )
        now = slice(start, start + len(kernel))
        cross, own = (
            np.ascontiguousarray(kernel[:, self.pulled].transpose(1, 0, 2)),
            kernel[:, now],
        )
        mean, covariance = self.posterior.predict(cross, own)
        if squares is not None and self.seen is None:
            self.seen = np.zeros((int(self.diagonal.sum()), squares.shape[1]))
        rounds = [
            slice(first, first + self.arms)
            for first in range(0, len(kernel), self.arms)
        ]
        pulls = [self.pull(arms, now, mean, covariance, squares) for arms in rounds]
        chosen = np.stack(pulls, axis=1)
        block = own[chosen[:, :, None], chosen[:, None]]
        self.posterior.extend(cross[everyone, chosen], block, self.rewards[now][chosen])
        self.pulled = np.concatenate([self.pulled, start + chosen], axis=1)
        self.tune()

    def pull(
        self,
        arms: slice,
        now: slice,
        mean: np.ndarray,
        covariance: np.ndarray,
        squares: np.ndarray | None,
    ) -> np.ndarray:
        """One round: every policy pulls one of the arms, and mean and covariance of the block take
        in its reward.

        Args:
            arms: where in the block this round's contexts are.
            now: where the block is.
            mean, covariance: posterior of the block's contexts, (P, N), (P, N, N); changed in
                place.
            squares: see `advance`.

        Returns the pulled contexts' places in the block, (P,).
        """
        everyone, ridge = np.arange(len(self.policies)), self.posterior.ridge
        # g^T Z^-1 g
        width = np.einsum("paa->pa", covariance[:, arms, arms]) / ridge[:, None]
        if self.seen is not None and squares is not None:
            width[self.diagonal] = (
                1 / (self.seen + ridge[self.diagonal, None])
            ) @ squares[arms].T
        score = mean[:, arms] + self.gammas()[:, None] * np.sqrt(np.maximum(width, 0))
        if np.isnan(score).any():  # arg max would pull the first arm without a score
            policy = self.policies[int(np.isnan(score).any(axis=1).argmax())]
            raise InvalidInput(
                f"A context's score is NaN for {policy}: its kernel is not finite. Scale contexts "
                "down."
            )
        chosen = arms.start + np.argmax(score + self.ties[now][arms], axis=1)
        column = covariance[everyone, :, chosen]
        spread = column[everyone, chosen] + ridge
        mean += (
            column
            * ((self.rewards[now][chosen] - mean[everyone, chosen]) / spread)[:, None]
        )
        covariance -= column[:, :, None] * (column / spread[:, None])[:, None]
        self.log_det += np.log(spread / ridge)
        if self.seen is not None and squares is not None:
            self.seen += squares[chosen[self.diagonal]]
            self.log_det[self.diagonal] = np.log1p(
                self.seen / ridge[self.diagonal, None]
            ).sum(axis=1)
        return np.asarray(chosen)

    def tune(self) -> None:
        """Policies by evidence tune their kernel when there are twice the observations of the last
        time.
        """
        if 2 * self.tuned_at <= self.posterior.count <= LONGEST_TUNED:
            self.tuned_at = self.posterior.count
            for number, policy in enumerate(self.policies):
                if policy.kind == "evidence":
                    self.posterior.tune(number)

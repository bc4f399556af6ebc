"""Bandits: in each round a context per arm; the reward of the arm that is pulled is seen, those of
the others are not.

A classification bandit has an arm per class and pays 1 for the right one. The context of arm a is x
in block a, zero elsewhere (Zhou, Li, Gu 2020, section 7), so arms have weights of their own.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial

import numpy as np

from harness import datasets, seeds
from harness.errors import InvalidInput

COMPONENTS = 20
"""Principal components that stand for an image."""
RIM, SAFE, OTHER, JACKPOT, NOISE = 0.8, 0.2, 0.1, 1.0, 0.05
"""The wheel: radius beyond which a fifth of the arms pays, expected rewards, and the deviation of
their noise.
"""
SHUTTLE = (0.786, 0.1534, 0.0563, 0.003, 0.0009, 0.0003, 0.0002)
"""Shares of the classes, those of the Shuttle data."""
INPUTS, SPREAD = 9, 0.5


@dataclass(frozen=True)
class Bandit:
    """T rounds of A arms.

    Args:
        x: contexts (T, A, n_0), each of squared length n_0, so that inputs of the network have mean
            square 1.
        means: expected rewards (T, A), which regret is counted in.
        rewards: what is seen if the arm is pulled (T, A).
    """

    x: np.ndarray
    means: np.ndarray
    rewards: np.ndarray

    @property
    def gaps(self) -> np.ndarray:
        """The regret of each arm in each round, (T, A): expected reward of the best arm less its
        own.
        """
        return np.asarray(self.means.max(axis=1, keepdims=True) - self.means)


def draw(
    name: str,
    rounds: int,
    replicate: int,
    stream: str,
) -> Bandit:
    """One draw of a bandit: fewer rounds are the beginning of more.

    Args:
        name: "fashion", the ten classes of the embedded Fashion-MNIST images, by their 20 principal
            components. "shuttle" and "letter", classes of the mlbench data, standardised.
            "imbalanced", a generator in the place of Shuttle: 7 classes in its shares, two Gaussian
            clusters each. "wheel", 5 arms (see `wheel`). "shuffled ...": the same with the arms'
            rewards permuted in each round, so that contexts say nothing.
        rounds: T.

    Raises:
        InvalidInput: for an unknown bandit, or more rounds than the data have rows.
        DatasetUnavailable: if its data are not at hand.

    >>> bandit = draw("wheel", rounds=100, replicate=0, stream="doc")
    >>> bandit.x.shape, bandit.means.max(), float(bandit.gaps.min())
    ((100, 5, 15), np.float64(1.0), 0.0)
    """
    base = name.removeprefix("shuffled ")
    rng = seeds.generator("bandit", bandit=base, stream=stream, replicate=replicate)
    if base in LABELLED:
        features, labels = LABELLED[base]()
        if rounds > len(labels):
            raise InvalidInput(
                f"Bandit {name!r} has {len(labels)} rows; {rounds} rounds were asked for."
            )
        rows = rng.permutation(len(labels))[:rounds]
        bandit = classification(features[rows], labels[rows], int(labels.max()) + 1)
    elif base in GENERATED:
        bandit = GENERATED[base](rounds, rng)
    else:
        raise InvalidInput(
            f"Unknown bandit {name!r}. Known: {', '.join(sorted({*LABELLED, *GENERATED}))}."
        )
    return bandit if name == base else shuffled(bandit, rng)


def blocks(features: np.ndarray, arms: int) -> np.ndarray:
    """Contexts (T, A, A d) from features (T, d): those in block a, at squared length A d.

    >>> blocks(np.array([[3.0, 4.0]]), 2).round(2)
    array([[[1.2, 1.6, 0. , 0. ],
            [0. , 0. , 1.2, 1.6]]])
    """
    rounds, d = features.shape
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    x = np.zeros((rounds, arms, arms, d))
    x[:, range(arms), range(arms)] = unit[:, None] * (arms * d) ** 0.5
    return x.reshape(rounds, arms, arms * d)


def classification(
    features: np.ndarray,
    labels: np.ndarray,
    classes: int,
) -> Bandit:
    """An arm per class; 1 for the right one, without noise."""
    rewards = np.eye(classes)[labels]
    return Bandit(blocks(features, classes), rewards, rewards)


def shuffled(bandit: Bandit, rng: np.random.Generator) -> Bandit:
    """The bandit with the rewards of each round dealt to its arms at random: no policy is better
    than another.
    """
    order = rng.permuted(
        np.tile(np.arange(bandit.means.shape[1]), (len(bandit.means), 1)), axis=1
    )
    means, rewards = (
        np.take_along_axis(values, order, axis=1)
        for values in (bandit.means, bandit.rewards)
    )
    return Bandit(bandit.x, means, rewards)


def wheel(rounds: int, rng: np.random.Generator) -> Bandit:
    """A bandit that must be explored, after Riquelme, Tucker, Snoek 2018 (arXiv:1802.09127),
    rewards within [0, 1].

    Points are uniform in the unit disc. Arm 0 pays 0.2 everywhere, the other four 0.1; but beyond
    radius 0.8 one of the four, by the quadrant, pays 1. Features are the point lifted to the
    sphere, (u, v, (1 - u^2 - v^2)^1/2): a network without biases on contexts of one length would
    not see the radius otherwise.
    """
    # each drawn row by row, so that fewer rounds are the beginning of more
    places, noise = rng.spawn(2)
    u = places.uniform(size=(rounds, 2))
    radius, angle = u[:, 0] ** 0.5, 2 * np.pi * u[:, 1]
    points = np.stack(
        [radius * np.cos(angle), radius * np.sin(angle), np.sqrt(1 - radius**2)], axis=1
    )
    means, outside = np.tile([SAFE, *[OTHER] * 4], (rounds, 1)), radius > RIM
    means[outside, 1 + (angle[outside] // (np.pi / 2)).astype(int)] = JACKPOT
    return Bandit(
        blocks(points, 5), means, means + NOISE * noise.standard_normal((rounds, 5))
    )


def imbalanced(rounds: int, rng: np.random.Generator) -> Bandit:
    """Seven classes in the shares of Shuttle; two Gaussian clusters each, with N(0, I) centres."""
    centres = rng.standard_normal((len(SHUTTLE), 2, INPUTS))
    kinds, places = rng.spawn(2)
    u = kinds.uniform(size=(rounds, 2))
    labels = np.searchsorted(np.cumsum(SHUTTLE) / sum(SHUTTLE), u[:, 0], side="right")
    points = centres[
        labels, (u[:, 1] > 0.5).astype(int)
    ] + SPREAD * places.standard_normal((rounds, INPUTS))
    return classification(with_one(points), labels, len(SHUTTLE))


def with_one(features: np.ndarray) -> np.ndarray:
    """The features and a 1, so that a network without biases sees how far a sample lies from the
    mean.
    """
    return np.concatenate([features, np.ones((len(features), 1))], axis=1)


@cache
def images() -> tuple[np.ndarray, np.ndarray]:
    """The embedded Fashion-MNIST images, by their principal components, and their classes."""
    data = datasets.load("fashion-mnist")
    x = data.x.reshape(len(data), -1).astype(np.float64)
    x -= x.mean(axis=0)
    directions = np.linalg.eigh(x.T @ x)[1][:, ::-1][:, :COMPONENTS]
    return x @ directions, data.labels


@cache
def table(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Shuttle or Letters, each variable with mean 0 and variance 1, and their classes."""
    data = datasets.load(name)
    x = data.x.astype(np.float64)
    return with_one((x - x.mean(axis=0)) / x.std(axis=0)), data.labels


LABELLED: Mapping[str, Callable[[], tuple[np.ndarray, np.ndarray]]] = {
    "fashion": images,
    "shuttle": partial(table, "shuttle"),
    "letter": partial(table, "letter"),
}
GENERATED: Mapping[str, Callable[[int, np.random.Generator], Bandit]] = {
    "imbalanced": imbalanced,
    "wheel": wheel,
}

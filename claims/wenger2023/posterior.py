"""Regression with one kernel on what each of P policies has seen, all policies at once.

With features g, k(x, x') = g(x).g(x'), and Z = ridge I + sum g g^T over what was seen, the matrix
inversion lemma gives

    g(x)^T Z^-1 g(x) ridge = k(x, x) - k(x, X) (K + ridge I)^-1 k(X, x),

the posterior variance of a Gaussian process with that kernel and noise variance `ridge`, and ridge
regression in the features is k(x, X) (K + ridge I)^-1 r. So nothing as long as the weights is ever
formed.
"""

import numpy as np

RIDGES = 10.0 ** np.arange(-6, 2.25, 0.25)
"""The ladder on which evidence chooses the ridge."""


class Posterior:
    """What P policies know; grows by the same number of observations in each.

    Args:
        policies: P.
        capacity: the most observations that each will have.
        ridge: the noise variance over the kernel's scale, until it is tuned.
    """

    def __init__(
        self,
        policies: int,
        capacity: int,
        ridge: float,
    ) -> None:
        self.count = 0
        self.ridge, self.scale = np.full(policies, ridge), np.ones(policies)
        self._rewards = np.zeros((policies, capacity))
        self._gram, self._root = np.zeros((2, policies, capacity, capacity))

    def predict(
        self, cross: np.ndarray, own: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Mean (P, N) and covariance (P, N, N) at N points, for a kernel of scale 1.

        Args:
            cross: kernel of the points with what each policy has seen, (P, N, count).
            own: kernel of the points with each other, (N, N), or (P, N, N) if each policy has its
                own points.
        """
        seen = slice(self.count)
        root = self._root[:, seen, seen]
        solved = root @ cross.transpose(0, 2, 1)
        mean = (root @ self._rewards[:, seen, None]).transpose(0, 2, 1) @ solved
        return mean[:, 0], own - solved.transpose(0, 2, 1) @ solved

    def extend(
        self,
        cross: np.ndarray,
        own: np.ndarray,
        rewards: np.ndarray,
    ) -> None:
        """Each policy sees the rewards (P, B) of B points of its own; kernels as in `predict`, own
        is (P, B, B).

        Kept is R with R^T R = (K + ridge I)^-1, the inverse of the Cholesky factor, which grows by
        B rows; the inverse itself, grown by Schur complements, loses a digit per block.
        """
        old, new = slice(self.count), slice(self.count, self.count + rewards.shape[1])
        solved = self._root[:, old, old] @ cross.transpose(0, 2, 1)
        left = (
            own
            - solved.transpose(0, 2, 1) @ solved
            + self.ridge[:, None, None] * np.eye(rewards.shape[1])
        )
        block = np.linalg.inv(np.linalg.cholesky(left))
        self._root[:, new, old] = (
            -block @ solved.transpose(0, 2, 1) @ self._root[:, old, old]
        )
        self._root[:, new, new] = block
        self._gram[:, new, old], self._gram[:, old, new] = (
            cross,
            cross.transpose(0, 2, 1),
        )
        self._gram[:, new, new], self._rewards[:, new] = own, rewards
        self.count = new.stop

    def tune(self, policy: int) -> None:
        """Chooses ridge and scale of one policy by the evidence of what it has seen (see
        `evidence`).
        """
        seen = slice(self.count)
        values, vectors = np.linalg.eigh(self._gram[policy, seen, seen])
        levels, scales = evidence(values, vectors.T @ self._rewards[policy, seen])
        best = int(np.argmax(levels))
        self.ridge[policy], self.scale[policy] = RIDGES[best], scales[best]
        gram = self._gram[policy, seen, seen] + RIDGES[best] * np.eye(self.count)
        self._root[policy, seen, seen] = np.linalg.inv(np.linalg.cholesky(gram))


def evidence(
    eigenvalues: np.ndarray, rotated: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """ln p(r) of r ~ N(0, s (K + ridge I)) on the ladder of ridges at the best scale, and that
    scale s, both (R,).

    At a ridge the scale has its maximum in closed form, s = r^T (K + ridge I)^-1 r / n, which
    leaves -n/2 (1 + ln 2 pi s) - 1/2 ln det(K + ridge I) (Rasmussen, Williams 2006, equation 2.30).

    Args:
        eigenvalues: of K, (n,).
        rotated: r in the basis of its eigenvectors, (n,).
    """
    spectrum = np.maximum(eigenvalues, 0) + RIDGES[:, None]
    scale = np.maximum((rotated**2 / spectrum).mean(axis=1), np.finfo(float).tiny)
    return -0.5 * (
        len(rotated) * (1 + np.log(2 * np.pi * scale)) + np.log(spectrum).sum(axis=1)
    ), scale

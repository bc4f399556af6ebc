"""What a dense layer and an activation do to second moments of pairs: one step of the recursion.

A pair (u, v) is the value of one unit at two inputs, random over the weights. Its moments are kept
as two standard deviations and the deficit std(u) std(v) - E[uv] >= 0 of the Cauchy-Schwarz
inequality, not as E[uv]: for near-duplicate inputs the angle between u and v is then known to full
relative precision, where 1 - c^2 would lose half the digits.

Expectations over a centred Gaussian pair with variances q1, q2 and covariance q12 (dual
activations):

    relu: arc-cosine kernels (Cho, Saul 2009), relu'(0) = 0.
    erf:  E[phi phi] = 2/pi arcsin(q12 / sqrt((q1 + 1/2)(q2 + 1/2))) (Williams 1997); its derivative
          in q12 is E[phi' phi'] = 2/pi / sqrt((q1 + 1/2)(q2 + 1/2) - q12^2) (Price's theorem).
    tanh, sigmoid: as averages of error functions, since a logistic variable is a normal one with a
          random scale: tanh(x) = E_K[erf(x / (K sqrt 2))], K of the Kolmogorov distribution
          (Andrews, Mallows 1974; Stefanski 1991). One quadrature, over K, replaces the
          two-dimensional one over (u, v), and each term is the formula of erf.

The rule over K is the trapezoidal one in log K, which converges exponentially; its 19 nodes
reproduce tanh and its derivative to 1e-10 on the whole axis. The error of the dual activations is
therefore about 1e-10 relative for every variance and every correlation, where Gauss-Hermite rules
need ever more nodes as the variances grow. Since all weights are positive, the result is the exact
kernel of a smooth activation, hence positive semi-definite.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from harness.networks import Activation, Dense, Weighted


@dataclass(frozen=True)
class Pairs:
    """Second moments of centred or not centred pairs: standard deviations (root mean squares) and
    deficit, float64.

    The three broadcast together: (N1, 1), (1, N2), (N1, N2) for all pairs of two sets, (N,) each
    for the diagonal.
    """

    std1: np.ndarray
    std2: np.ndarray
    deficit: np.ndarray

    @property
    def moment(self) -> np.ndarray:
        """E[uv]."""
        moment: np.ndarray = self.std1 * self.std2 - self.deficit
        return moment


class Dual(Protocol):
    """Expectations of an activation phi over centred Gaussian pairs."""

    def std(self, std: np.ndarray) -> np.ndarray:
        """Root mean square sqrt(E[phi(u)^2]) for u ~ N(0, std^2), any shape."""

    def pairs(
        self, pre: Pairs, std1: np.ndarray, std2: np.ndarray
    ) -> tuple[Pairs, np.ndarray]:
        """Moments of (phi(u), phi(v)), whose root mean squares std1 and std2 are given, and
        E[phi'(u) phi'(v)].
        """


def dual(activation: Activation) -> Dual:
    """The dual activation of that name."""
    match activation:
        case "relu":
            return Relu()
        case "erf":
            return ErfMixture(np.array([1.0]), np.array([0.5]))
        case "tanh":
            weights, scales = kolmogorov_rule()
            return ErfMixture(weights, scales**2)
        case "sigmoid":  # 1/2 + 1/2 tanh(x/2)
            weights, scales = kolmogorov_rule()
            return ErfMixture(weights / 2, (2 * scales) ** 2, offset=0.5)


class Relu:
    """phi(x) = max(x, 0)."""

    def std(self, std: np.ndarray) -> np.ndarray:
        """See Dual."""
        return std / 2**0.5

    def pairs(
        self, pre: Pairs, std1: np.ndarray, std2: np.ndarray
    ) -> tuple[Pairs, np.ndarray]:
        """See Dual.

        At angle a, E[phi phi] = std std (sin a + (pi - a) cos a) / 2pi, E[phi' phi'] = (pi - a) /
        2pi.
        """
        product = pre.std1 * pre.std2
        zero = product == 0.0
        sine2 = pre.deficit / (2 * product + zero)  # sin^2(a/2)
        # opposite inputs are exactly so: arcsin is steep here
        sine2 = np.where(sine2 < 1 - 1e-15, sine2, 1.0)
        angle = 2 * np.arcsin(np.sqrt(sine2))
        sine = 2 * np.sqrt(sine2 * (1 - sine2))
        deficit = product * (sine2 + (angle * (1 - 2 * sine2) - sine) / (2 * np.pi))
        return Pairs(std1, std2, deficit), (0.5 - angle / (2 * np.pi)) * ~zero


@dataclass(frozen=True)
class ErfMixture:
    """phi(x) = offset + sum_k weights_k erf(x / sqrt(2 noises_k)): each term is E[sign(x + noise)],
    hence the name.
    """

    weights: np.ndarray
    noises: np.ndarray
    offset: float = 0.0

    def std(self, std: np.ndarray) -> np.ndarray:
        """See Dual."""
        moment, _ = self._moments(Pairs(std, std, np.zeros_like(std)))
        root: np.ndarray = np.sqrt(moment)
        return root

    def pairs(
        self, pre: Pairs, std1: np.ndarray, std2: np.ndarray
    ) -> tuple[Pairs, np.ndarray]:
        """See Dual."""
        moment, dot = self._moments(pre)
        # else a chaotic net amplifies rounding
        distinct = (pre.deficit > 0.0) | (pre.std1 != pre.std2)
        return Pairs(std1, std2, np.maximum(std1 * std2 - moment, 0.0) * distinct), dot

    def _moments(self, pre: Pairs) -> tuple[np.ndarray, np.ndarray]:
        """E[phi phi] and E[phi' phi']: the sum of the formulas for erf over pairs of terms.

        arcsin(q12 / sqrt((q1 + k1)(q2 + k2))) = arctan(q12 / root), root^2 = q1 q2 - q12^2 + k1 q2
        + k2 q1 + k1 k2. Each side is in units of sqrt(std^2 + 1), since the fourth power of a large
        one would overflow.
        """
        gate1, gate2 = 1 / np.hypot(pre.std1, 1), 1 / np.hypot(pre.std2, 1)
        scaled = Pairs(pre.std1 * gate1, pre.std2 * gate2, pre.deficit * gate1 * gate2)
        covariance, variance1, variance2 = scaled.moment, scaled.std1**2, scaled.std2**2
        determinant = scaled.deficit * (scaled.std1 * scaled.std2 + covariance)
        inverse1, inverse2 = gate1**2, gate2**2
        moment, dot = np.zeros_like(covariance), np.zeros_like(covariance)
        root, term = np.empty_like(covariance), np.empty_like(covariance)
        for weight, noise1, noise2 in self.terms():
            np.multiply(noise1 * inverse1, variance2 + noise2 * inverse2, out=root)
            root += determinant
            root += np.multiply(variance1, noise2 * inverse2, out=term)
            np.sqrt(root, out=root)
            np.arctan(np.divide(covariance, root, out=term), out=term)
            moment += np.multiply(term, weight, out=term)
            dot += np.divide(weight, root, out=term)
        return self.offset**2 + 2 / np.pi * moment, 2 / np.pi * dot * gate1 * gate2

    def terms(self) -> list[tuple[float, float, float]]:
        """Weight and both noises of each pair of terms, without those below 1e-11 of phi and of
        phi'.
        """
        slopes = self.weights / np.sqrt(self.noises)
        values, derivatives = (
            np.outer(self.weights, self.weights),
            np.outer(slopes, slopes),
        )
        relevant = (values > 1e-11 * values.sum()) | (
            derivatives > 1e-11 * derivatives.sum()
        )
        return [
            (float(values[i, j]), float(self.noises[i]), float(self.noises[j]))
            for i, j in np.argwhere(relevant)
        ]


def gate(activation: Activation, std: np.ndarray) -> np.ndarray:
    """What one side of a pair contributes to E[phi' phi'] as a factor, from its standard deviation
    before phi.

    relu: sqrt(1/2), or 0 where the side is 0, since relu'(0) = 0; others: 1 / sqrt(std^2 + 1), so
    that what is left neither overflows nor vanishes with the size of the inputs.
    """
    if activation == "relu":
        return np.where(std > 0, 0.5**0.5, 0.0)
    factor: np.ndarray = 1 / np.hypot(std, 1)
    return factor


def kolmogorov_rule(step: float = 1 / 6) -> tuple[np.ndarray, np.ndarray]:
    """Weights and nodes K with E[f(K)] = sum weights f(K): the trapezoidal rule in log K for
    Kolmogorov's distribution.

    Its density is 8 K sum_k (-1)^(k+1) k^2 exp(-2 k^2 K^2); outside of the rule's range lies a mass
    below 1e-11.
    """
    scales = np.exp(np.arange(-1.65, 1.4, step))
    k = np.arange(1, 41)[:, None]
    with np.errstate(under="ignore"):
        density = (
            8
            * scales
            * np.sum((-1.0) ** (k + 1) * k**2 * np.exp(-2 * (k * scales) ** 2), axis=0)
        )
    return step * scales * density, scales


def dense(layer: Dense, post: Pairs, std1: np.ndarray, std2: np.ndarray) -> Pairs:
    """Moments of the layer's outputs, whose standard deviations std1 and std2 are given, from those
    of its inputs.
    """
    gain, bias = gains(layer)
    deficit = gain * post.deficit
    if bias:  # std1 std2 - gain post1 post2 - bias, with the cancellation taken out
        difference2 = (post.std1 - post.std2) ** 2
        deficit += (
            bias
            * gain
            * difference2
            / (std1 * std2 + gain * post.std1 * post.std2 + bias)
        )
    return Pairs(std1, std2, deficit)


def dense_std(layer: Dense, std: np.ndarray) -> np.ndarray:
    """Standard deviation of the layer's outputs from the root mean square of its inputs."""
    gain, bias = gains(layer)
    return np.sqrt(gain * std**2 + bias)


def gains(layer: Weighted) -> tuple[float, float]:
    """How much variance the layer's weights pass on, sigma_w^2, and how much its biases add,
    sigma_b^2.
    """
    gain = (layer.weight_scale * layer.weight_std) ** 2 * layer.fan_in
    return gain, 0.0 if layer.bias is None else (layer.bias_scale * layer.bias_std) ** 2

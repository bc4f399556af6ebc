"""What the checks are powered for: effects as exploration saw them, and one standard deviation over
seeds each (of a ratio, that of its logarithm).
"""

from claims.wenger2023.posterior_grid import IMAGES, LINE

DRIFTS = {"MLP": (6.36, 0.25), "CNN": (66.7, 0.35)}
"""Drift of the Jacobian on the path, over what the theorem allows, by network."""
KEPT = {"MLP": (1.88, 0.03), "CNN": (1.42, 0.2)}
"""The bound over the squared residual, by network."""
OVER = {
    ("CNN with global pooling", "bound"): (9.5, 1.9),
    ("narrow MLP", "bound"): (14, 3.0),
    ("MLP", "linear pace"): (1.13, 0.06),
    ("CNN", "linear pace"): (2.2, 0.52),
}
"""The squared residual over the bound or the linear pace, by network."""
ROOM = {"path": (1.92, 0.22), "ball": (0.8, 0.28)}
"""What the theorem allows over the drift of two layers of 65,536, by place."""

THEORY = dict(wheel=(0.6, 0.2), imbalanced=(0.75, 0.05), fashion=(0.38, 0.07))
WITHOUT_NORM = dict(wheel=(0.4, 0.17), imbalanced=(0.5, 0.07), fashion=(0.32, 0.08))
BEST = dict(wheel=(-0.01, 0.16), imbalanced=(0.015, 0.05), fashion=(0.01, 0.08))
GREEDY = dict(wheel=(0.33, 0.25), imbalanced=(0.08, 0.15), fashion=(0.08, 0.13))
"""Regret of a policy less that of evidence, over that of random arms, by bandit: theory, theory
without its norm term, the best constant in hindsight, and greedy.
"""
IN_FORM = {
    ("wheel", "diagonal Z"): (0.4, 0.25),
    ("wheel", "infinite width"): (0.5, 0.3),
    ("imbalanced", "diagonal Z"): (0.73, 0.11),
    ("imbalanced", "infinite width"): (0.76, 0.03),
}
"""The same of theory, by bandit and form."""

MEANS = {LINE: (0.178, 0.05), IMAGES: (0.242, 0.016)}
MEANS_AT_2048 = {LINE: (0.048, 0.018), IMAGES: (0.07, 0.004)}
"""Distance of posterior means over the RMS of the infinite one, by setting, at two widths."""
SDS = {LINE: (1.5, 0.033), IMAGES: (1.177, 0.02)}
"""Factor between posterior sds at width 128, by setting."""
RATES = {LINE: (0.011, 0.068), IMAGES: (0.039, 0.015)}
"""Fall of ln distance per doubling of width, less that of width^-1/2, by setting."""

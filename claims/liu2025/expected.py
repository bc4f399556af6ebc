"""What the checks are powered for: effects as exploration saw them, and one standard deviation over
seeds each (of a ratio, that of its logarithm).
"""

from claims.liu2025.settings import (
    FRIEDMAN,
    LONG_WAVE,
    PRODUCT,
    ROUGH,
    SMOOTH,
    WAVE,
    on_each,
)

TUNED = on_each((1.0, 0.04), (0.752, 0.1), (0.779, 0.085), (1.041, 0.022))
RIDGELESS = on_each((1.323, 0.11), (0.861, 0.11), (0.827, 0.1), (1.059, 0.032))
"""E_NNGP / E_NTK by target, with the ridge tuned and without one."""
APART = on_each((0.102, 0.022), (0.083, 0.014), (0.075, 0.016), (0.067, 0.02))
"""Root mean square of f_NNGP - f_NTK, over the target's deviation, by target."""
OVER_RIVAL = on_each((1.01, 0.065), (3.32, 0.42), (3.86, 0.21), (1.025, 0.025))
"""E_NTK over that of the best stationary kernel, by target."""

NETWORK_OFF = {ROUGH: (2.16, 0.13), SMOOTH: (1.3, 0.12), FRIEDMAN: (1.28, 0.1)}
"""Distance of network and NTK predictor, in tenths of the target's deviation, by target."""
RIVALS = {
    WAVE: (1.14, 0.25),
    ROUGH: (1.16, 0.1),
    SMOOTH: (2.01, 0.3),
    FRIEDMAN: (1.49, 0.2),
}
"""E_NTK over that of the best stationary kernel on the targets of trained networks."""

SECOND_LAYER = {
    SMOOTH: (0.255, 0.15),
    LONG_WAVE: (0.18, 0.098),
    PRODUCT: (-0.221, 0.145),
}
THIRD_LAYER = {SMOOTH: (0.033, 0.115), LONG_WAVE: (-0.013, 0.044)}
AS_THE_THEOREM_ASKS = {SMOOTH: (0.268, 0.273), LONG_WAVE: (0.4, 0.208)}
"""D / E of a layer more, by target: from 1 to 2, from 2 to 3, and from 1 to 2 by theory."""

"""What the checks are powered for: effects as exploration saw them, and one standard deviation over
seeds each (of a ratio, that of its logarithm), by network and depth.
"""

from claims.seleznova2020.settings import (
    BIASED,
    DEEP,
    DEEPEST,
    RELU,
    TANH,
)

NEAR = {"ordered relu": (1.051, 0.005), "ordered tanh": (1.005, 0.005)}
"""The dispersion R at L/M = 0.2, by phase."""
GROWS = {"chaotic relu": (1.433, 0.05), "chaotic tanh": (2.138, 0.21)}
"""R at L/M = 0.2 over that at 0.1, by phase."""
COLLAPSE = {
    "edge relu (2, 0)": (1.02, 0.06),
    "chaotic relu": (1.062, 0.07),
    "chaotic tanh": (1.35, 0.24),
}
"""R at the widest M over that at half of it, by phase."""

OVER_SHALLOW = {
    (RELU, DEEP): (4.48, 0.26),
    (RELU, DEEPEST): (4.95, 0.26),
    (TANH, DEEP): (5.26, 0.18),
    (TANH, DEEPEST): (8.94, 0.25),
}
"""The least loss over that of 3 layers, at the fixed rate."""
OVER_FROZEN = {
    (RELU, DEEP): (1.015, 0.035),
    (RELU, DEEPEST): (1.001, 0.002),
    (TANH, DEEP): (0.95, 0.057),
    (TANH, DEEPEST): (0.996, 0.01),
}
"""The least loss over that of descent with a frozen kernel, at the fixed rate."""
LEFT = {RELU: (0.9995, 0.0005), TANH: (0.949, 0.036)}
LEFT_FASTER = {RELU: (0.999, 0.001), TANH: (0.228, 0.003), BIASED: (1.0, 0.001)}
"""The part of the labels' variance that 20 layers leave, at the fixed rate and at half the edge."""
LEARNT_FASTER = {RELU: (0.5, 0.15), TANH: (0.77, 0.003)}
"""The part that 10 layers learn at half the edge."""
LOST_FASTER = {RELU: (1.49, 0.25), TANH: (1.7, 0.09)}
"""The loss of a frozen kernel over that of 10 layers, at half the edge."""

PHASES = {RELU: (3.86, 0.53), TANH: (8.85, 0.23)}
"""Delta of 10 layers when chaotic over that when ordered, at loss 0.05."""
GROWTH = {RELU: (2.12, 0.19), TANH: (1.72, 0.15)}
"""Delta of 10 layers over that of 3, when chaotic, at loss 0.05."""
CENTRED_OVER_CHAOTIC = {RELU: (4.26, 0.56), TANH: (0.7, 0.21), BIASED: (0.88, 0.31)}
CENTRED_GROWTH = {RELU: (1.35, 0.45), TANH: (3.39, 0.16), BIASED: (3.71, 0.38)}
"""From an output of zero: Delta when ordered over that when chaotic, and its growth."""

OVER_CHANGE = {
    (RELU, 3): (7.1, 0.37),
    (RELU, 10): (15.5, 0.99),
    (RELU, 20): (16.9, 1.1),
    (TANH, 3): (5.9, 0.1),
    (TANH, 10): (13.1, 0.24),
    (TANH, 20): (71, 0.92),
}
"""The norm of the kernel over its change by the protocol, when ordered."""
STILL = {RELU: (2.33, 1.1), TANH: (11.8, 0.93)}
"""Delta of 3 layers over that of 20, by the protocol."""
NOTHING_LEARNT = {RELU: (0.999, 0.001), TANH: (0.949, 0.036)}
"""The part of the labels' variance that 20 layers leave, by the protocol."""
AT_EDGE = {RELU: (2.34, 0.7), TANH: (2.48, 0.21)}
"""Delta of 10 layers at half the edge over that by the protocol."""
MATCHED = {RELU: (0.69, 0.61), TANH: (1.73, 0.26), BIASED: (0.34, 0.24)}
CENTRED = {RELU: (4.9, 0.52), TANH: (2.27, 0.22), BIASED: (6.11, 0.29)}
"""At loss 0.05, when ordered: Delta of 3 layers over that of 10 when raw, and the inverse when
centred.
"""

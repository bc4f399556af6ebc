"""Seleznova, Kutyniok 2020: what was read of the paper, and how."""

from harness.claim import Paper, Published

PAPER = Paper(
    authors="Seleznova, Kutyniok",
    year=2020,
    title="Analyzing Finite Neural Networks: Can We Trust Neural Tangent Kernel Theory?",
    read="full text; values of figures read off by eye, within about 10 %",
)


def read_off(value: float, source: str) -> Published:
    """A number read off a figure of the paper by eye."""
    return Published(value, source, "read off by eye, within about 10 %")


NEAR = {
    "ordered relu": read_off(1.05, "Figure 2, ReLU, (1, 1), M = 128"),
    "ordered tanh": None,
}
"""R at L/M = 0.2."""
SECOND = read_off(1.12, "Figure 2, ReLU, (1.5, 1), M = 128")
GROWS = {
    "chaotic relu": read_off(
        2.1 / 1.425, "Figure 2, ReLU, (3, 1), one curve for all M"
    ),
    "chaotic tanh": None,
}
"""R at L/M = 0.2 over that at 0.1."""

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

"""Vyas, Bansal, Nakkiran 2022: what was read of the paper, and how."""

from harness.claim import Paper

PAPER = Paper(
    authors="Vyas, Bansal, Nakkiran",
    year=2022,
    title="Limitations of the NTK for Understanding Generalization in Deep Learning",
    read="abstract and the start of the introduction; the body text was not found, and no number "
    "of it is known",
)

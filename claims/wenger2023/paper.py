"""Wenger, Dangel, Kristiadi 2023: what was read of the paper, and how."""

from harness.claim import Paper

PAPER = Paper(
    authors="Wenger, Dangel, Kristiadi",
    year=2023,
    title="On the Disconnect Between Theory and Practice of Neural Networks: Limits of the NTK "
    "Perspective",
    read="abstract, author's page and reviews; the body text was not found",
)

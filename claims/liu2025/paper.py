"""Liu, Tai, Crandall, Huang 2025: what was read of the paper, and how."""

from harness.claim import Paper

PAPER = Paper(
    authors="Liu, Tai, Crandall, Huang",
    year=2025,
    title="Issues with Neural Tangent Kernel Approach to Neural Networks",
    read="abstract and third-party summaries; no table and no number of the paper is known to us",
)

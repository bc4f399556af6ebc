"""Wenger, Dangel, Kristiadi 2023: what was read of the paper, and how; and published numbers of
others that are held against ours.
"""

from harness.claim import Paper, Published

PAPER = Paper(
    authors="Wenger, Dangel, Kristiadi",
    year=2023,
    title="On the Disconnect Between Theory and Practice of Neural Networks: Limits of the NTK "
    "Perspective",
    read="abstract, author's page and reviews; the body text was not found",
)


def guha(data: str, slope: float) -> Published:
    """The slope of AF on log2(width) from 32 to 512 in the table of Guha and Lakshman 2024, not
    Wenger et al.

    Their AF is a mean over five tasks of which the last one counts as 0; ours leaves it out, so
    theirs is multiplied by 5/4.
    """
    return Published(
        5 / 4 * slope,
        f"Guha and Lakshman 2024 (arXiv 2403.06398, not Wenger et al.), table of the README, "
        f"rotated {data}, 60,000 images, 9,375 steps per task",
        "our least-squares line through the printed AF at widths 32 to 512, times 5/4",
    )


GUHA_MNIST = guha("MNIST", -0.0108)
GUHA_FASHION = guha("Fashion-MNIST", -0.0009)

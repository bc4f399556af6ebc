"""Letters: sixteen numbers that describe the shape of a distorted capital, by Frey, Slate 1991.

"Letter Recognition Using Holland-Style Adaptive Classifiers", as the R package mlbench has it:
20,000 rows.
"""

import os
from typing import Literal

from harness.datasets import Dataset
from harness.datasets._mlbench import Table, load_table
from harness.datasets._places import Published

Part = Literal["all"]
TABLE = Table(
    "letter",
    "LetterRecognition",
    "lettr",
    "2cb171821ebb07967c0a1f94225cfc1f35dcdcd73e9fd94d3a744cb9d716dc39",
    0.2,
)


def published(part: Part) -> Published:
    """The one file of the table."""
    return TABLE.published


def load(
    folder: str | os.PathLike[str] | None = None, download: bool = False
) -> Dataset:
    """Shapes, integers 0 to 15, (20000, 16), and classes 0 ... 25: A to Z.

    Args:
        folder: the only place to look in, if given; else $NTK_CLAIMS_DATA/letter is, if that
            variable is set; else the Debian package and the cache are.
        download: may the file be downloaded into the cache, if no place has it?

    Raises:
        DatasetUnavailable, DatasetCorrupted: if the file is not there, or holds something else, or
            rdata, which reads it, is not installed.
    """
    return load_table(TABLE, folder, download)

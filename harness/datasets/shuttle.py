"""Shuttle: nine readings of a space shuttle's radiators and valves, in seven classes, one of them
79 % of the rows.

From the Statlog project (Michie, Spiegelhalter, Taylor 1994), as the R package mlbench has it:
58,000 rows.
"""

import os
from typing import Literal

from harness.datasets import Dataset
from harness.datasets._mlbench import Table, load_table
from harness.datasets._places import Published

Part = Literal["all"]
TABLE = Table(
    "shuttle",
    "Shuttle",
    "Class",
    "f9e0e7c6e5fa0bcce729ab8e6c02bd841ab5aea9ae7c5e715aae70d2cd051cd7",
    0.4,
)


def published(part: Part) -> Published:
    """The one file of the table."""
    return TABLE.published


def load(
    folder: str | os.PathLike[str] | None = None, download: bool = False
) -> Dataset:
    """Readings, (58000, 9), and classes 0 ...

    6: Rad.Flow, Fpv.Close, Fpv.Open, High, Bypass, Bpv.Close, Bpv.Open.

    Args:
        folder: the only place to look in, if given; else $NTK_CLAIMS_DATA/shuttle is, if that
            variable is set; else the Debian package and the cache are.
        download: may the file be downloaded into the cache, if no place has it?

    Raises:
        DatasetUnavailable, DatasetCorrupted: if the file is not there, or holds something else, or
            rdata, which reads it, is not installed.
    """
    return load_table(TABLE, folder, download)

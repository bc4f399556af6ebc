"""Tables of the R package mlbench, by Leisch and Dimitriadou, in R's own format.

Every version of the package saves the same tables anew, so its files have no checksum that lasts.
What is verified is what they hold: the SHA-256 of the variables, float32, followed by the classes,
int64, is that of every version from 2.0-0 (2010) to 2.1-8 (2026).
"""

import hashlib
import io
import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from harness.datasets import Dataset
from harness.datasets._files import File, opened, unpacked
from harness.datasets._places import Published, find
from harness.errors import DatasetCorrupted, DatasetUnavailable

FORMATS = (b"RDX2\n", b"RDX3\n")
"""How a file begins, decompressed.

rdata alone decompresses without limit, and again whatever comes out compressed.
"""
SYSTEM = Path("/usr/lib/R/site-library/mlbench/data")


@dataclass(frozen=True)
class Table:
    """A data frame of mlbench.

    Args:
        dataset: its name here.
        frame: its name there, that of its file too.
        label: the column of classes, a factor.
        sha256: of variables and classes, see above.
        megabytes: what a download takes.
    """

    dataset: str
    frame: str
    label: str
    sha256: str
    megabytes: float

    @property
    def published(self) -> Published:
        """Its file, and how to get it."""
        return Published(
            dataset=self.dataset,
            part="all",
            files=(File(f"{self.frame}.rda", "", as_published=True),),
            url="https://raw.githubusercontent.com/cran/mlbench/master/data/",
            package="r-cran-mlbench",
            licence="GPL-2",
            megabytes=self.megabytes,
            system=SYSTEM,
        )


def load_table(
    table: Table, folder: str | os.PathLike[str] | None = None, download: bool = False
) -> Dataset:
    """Variables as they were measured, float32 (N, d), and classes in the order of the factor's
    levels.

    Raises:
        DatasetUnavailable: if the file is not there, or rdata, which reads it, is not installed.
        DatasetCorrupted: if the file holds another table, or none.
    """
    source, (path,) = find(table.published, folder, download)
    (file,) = table.published.files
    with opened(path, file) as (stream, _):
        x, labels, classes = _frame(stream, table)
    found = hashlib.sha256(x.tobytes() + labels.tobytes()).hexdigest()
    if found != table.sha256:
        raise DatasetCorrupted(
            f"{path} does not hold the table {table.frame} of mlbench. Expected sha256 of "
            "variables and classes: "
            f"{table.sha256}; found: {found} of {x.shape[0]} rows and {x.shape[1]} variables. "
            "Replace it by the file "
            "of the package, or delete it."
        )
    return Dataset(table.dataset, x, labels, classes, source, found)


def _frame(stream: BinaryIO, table: Table) -> tuple[np.ndarray, np.ndarray, int]:
    try:
        import rdata
    except ImportError as error:
        raise DatasetUnavailable(
            f"{table.frame}.rda is read with rdata, which is missing: pip install "
            "ntk-claims[mlbench]."
        ) from error
    try:
        content = unpacked(stream.read())
        if not content.startswith(FORMATS):
            raise ValueError("it is no file of R's save()")
        frame = rdata.read_rda(io.BytesIO(content), default_encoding="ascii")[
            table.frame
        ]
        codes = frame[table.label].cat
        x = frame.drop(columns=table.label).to_numpy(np.float32)
        return (
            np.ascontiguousarray(x),
            codes.codes.to_numpy(np.int64),
            len(codes.categories),
        )
    except (
        Exception
    ) as error:  # whatever its parser stumbles over, and columns that are not there
        raise DatasetCorrupted(
            f"{table.frame}.rda does not hold the data frame {table.frame} with a factor "
            f"{table.label}: "
            f"{type(error).__name__}: {error}. Get it again."
        ) from error

"""Every defect, by name."""

from tests.verify.mutants import (
    judging,
    numerics,
    reporting,
    statistics,
    storing,
    training,
)
from tests.verify.mutants.defect import Defect

PARTS = (numerics, training, storing, statistics, judging, reporting)
TABLE: dict[str, Defect] = {
    name: defect for part in PARTS for name, defect in part.DEFECTS.items()
}

"""Runs experiments cell by cell, and keeps every cell.

>>> from harness import sweep
>>> sweep.run([], sweep.Store("nowhere")).counts
{'planned': 0, 'cached': 0, 'done': 0, 'failed': 0, 'unfinished': 0}

`run` takes what the store has and computes what is missing; `recorded` reads what was computed on
whatever machine. By hand, with numpy and one framework alone: `python -m harness.sweep --help`.
"""

from harness.sweep.cell import Cell, Circumstances, Provenance
from harness.sweep.coordinator import Sweep, recorded, run
from harness.sweep.estimates import NOTHING_KNOWN, Prior
from harness.sweep.ledger import Outcome
from harness.sweep.progress import Progress, Status, on
from harness.sweep.store import Failure, Store

__all__ = [
    "NOTHING_KNOWN",
    "Cell",
    "Circumstances",
    "Failure",
    "Outcome",
    "Prior",
    "Progress",
    "Provenance",
    "Status",
    "Store",
    "Sweep",
    "on",
    "recorded",
    "run",
]

"""Packs: the cells and failures of a store as one file, for the way from one machine to another.

    python -m harness.sweep.pack pack results results.pack         on the machine that computed; numpy is enough
    python -m harness.sweep.pack unpack results.pack STORE         on the one that judges

`ntk-claims pack` and `ntk-claims unpack` are the same. The file's format is described in `harness.sweep.pack.archive`.
"""

from harness.sweep.pack.archive import Limits
from harness.sweep.pack.transfer import Packed, Unpacked, pack, unpack

__all__ = ["Limits", "Packed", "Unpacked", "pack", "unpack"]

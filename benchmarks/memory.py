"""Peak memory of one contestant in one case, in a process of its own.

    python -m benchmarks.memory FRAMEWORK CONTESTANT CASE [--device cpu|cuda]

The first run compiles and fills whatever caches there are; the peak of the second is counted above
what the process then holds. Linux keeps the high-water mark (VmHWM) and lets it be reset. malloc is
told to map every large array, so that what the first run freed is gone (`MALLOC`); what a framework
keeps for itself is not counted.
"""

import argparse
import gc
import importlib
import json
import re
from pathlib import Path

from benchmarks.cases import cases
from benchmarks.contestant import Run

MALLOC = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}


def main() -> None:
    """Prints {"peak_bytes": ...}."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("framework")
    parser.add_argument("contestant")
    parser.add_argument("case")
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    party = importlib.import_module(f"benchmarks.{options.framework}_contestants")
    (contestant,) = (c for c in party.contestants() if c.name == options.contestant)
    run = contestant.prepare(cases()[options.case], options.device)
    run()
    gc.collect()
    peak = party.peak_memory(options.device, run)
    print(json.dumps({"peak_bytes": host_peak(run) if peak is None else peak}))


def host_peak(run: Run) -> int:
    """Bytes of resident memory at the peak of a run, above those before it."""
    # resets the high-water mark
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")
    before = resident("VmRSS")
    run()
    return max(0, resident("VmHWM") - before)


def resident(field: str) -> int:
    """A field of /proc/self/status, in bytes."""
    found = re.search(
        rf"{field}:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="utf-8")
    )
    assert found is not None
    return 1024 * int(found[1])


if __name__ == "__main__":
    main()

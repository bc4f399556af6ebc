"""No general estimator changes unnoticed: beside its version stands a digest of its code."""

from pathlib import Path

import pytest

from harness import statistics
from harness.sources import digest_of
from harness.statistics.versions import DECIDING, VERSIONS

FOLDER = Path(statistics.__file__).parent
# no verdict and no effect rests on the power of a claim
WITHOUT = {"__init__", "versions", "claim_power"}
KNOWN = {
    "agreement": (1, "246c387acae4"),
    "calibration": (1, "9f1b3035b034"),
    "curve_gates": (1, "0fe2a6606316"),
    "decisions": (1, "4912b15d7cdc"),
    "equivalence": (1, "d7692add1e0d"),
    "intervals": (1, "e5b99cd1c11a"),
    "multiplicity": (1, "dd463ec7c0ef"),
    "planted": (1, "734f56d2018c"),
    "power": (1, "d116f0827b62"),
    "replication": (1, "92f53bf29bc0"),
    "scaling": (1, "8ad8b42456c7"),
    "scaling_forms": (1, "898ae345e3e9"),
    "slopes": (1, "388357ce16f5"),
}
"""Module -> its version, and the first digits of the digest of its code."""


def test_every_estimator_has_a_version():
    assert (
        VERSIONS.keys()
        == {path.stem for path in FOLDER.glob("*.py")} - WITHOUT
        == KNOWN.keys()
    )
    assert set(DECIDING) <= VERSIONS.keys()


@pytest.mark.parametrize("module", sorted(VERSIONS))
def test_the_code_of_an_estimator_is_that_of_its_version(module):
    """Raise the version if the module may give another number than before; write the new digest
    here in any case.
    """
    assert (VERSIONS[module], digest_of(FOLDER / f"{module}.py")[:12]) == KNOWN[module]

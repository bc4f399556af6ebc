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
    "calibration": (1, "82f782ec7edd"),
    "curve_gates": (1, "bcbe5a580071"),
    "decisions": (1, "e372a1a54a31"),
    "equivalence": (1, "d7692add1e0d"),
    "intervals": (1, "e5b99cd1c11a"),
    "multiplicity": (1, "e98a9a8d50d8"),
    "planted": (1, "734f56d2018c"),
    "power": (1, "c3c70e9da343"),
    "replication": (1, "92f53bf29bc0"),
    "scaling": (1, "50190172e3cd"),
    "scaling_forms": (1, "02c9bb37ee9f"),
    "slopes": (1, "6344305ca26f"),
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

"""The versions of the general estimators, which the registrations of claims hold.

A version is raised by one when an estimator may give another number than before; every claim that
uses it then has an unregistered change, until it is amended.
`tests/harness/statistics/test_estimator_versions.py` holds a digest of each module beside its
version, so that none changes unnoticed.
"""

VERSIONS = {
    "agreement": 1,
    "calibration": 1,
    "curve_gates": 1,
    "decisions": 1,
    "equivalence": 1,
    "intervals": 1,
    "multiplicity": 1,
    "planted": 1,
    "power": 1,
    "replication": 1,
    "scaling": 1,
    "scaling_forms": 1,
    "slopes": 1,
}
DECIDING = ("agreement", "equivalence", "intervals", "multiplicity")
"""The modules that every verdict rests on (`harness.verdict`, `harness.judge`)."""

"""Python runs this at its start, in pytest and in every worker: plants the defect that the
environment names.
"""

import os

if name := os.environ.get("NTK_CLAIMS_MUTANT"):
    from tests.verify.mutants.planting import plant_on_import
    from tests.verify.mutants.table import TABLE

    plant_on_import(TABLE[name])

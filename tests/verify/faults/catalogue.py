"""All faults."""

from tests.verify.faults import cells, disks, kills

CATALOGUE = (*kills.FAULTS, *disks.FAULTS, *cells.FAULTS)

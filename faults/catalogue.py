"""All faults."""

from faults import cells, disks, kills

CATALOGUE = (*kills.FAULTS, *disks.FAULTS, *cells.FAULTS)

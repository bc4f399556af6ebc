"""Statistics over seeds: intervals, equivalence, power, multiplicity."""

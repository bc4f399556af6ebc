"""The verifier verified: planted defects, each of which some test, gate or control must catch.

`python -m mutants` plants them one after another into a copy of the sources and runs what must turn red. A defect that
nothing notices is a hole in the net; what is known to slip through is listed with its reason, never left out.
"""

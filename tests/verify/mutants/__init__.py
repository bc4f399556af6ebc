"""Known defects, planted one at a time; a test, gate or control must catch each of them.

A defect replaces a named function at run time, so moving or reformatting code breaks none of them.
`python -m tests.verify.mutants` plants all of them in turn, `python -m tests.verify.mutants --list`
says what they are. A verifier that was never seen to fail proves nothing: a defect that survives is
a hole in the tests.
"""

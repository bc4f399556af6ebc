"""Whether a GPU computes what the CPU computes: each framework against itself.

`python -m tests.verify.parity`.
"""

"""Faults planted into real runs: processes killed, disks full, cells damaged; nothing may be lost
or computed twice.

`python -m tests.verify.faults` plants each of them so many times, at random moments, into runs of a
toy claim by `pytest claims` or `python -m harness.sweep`, lets a rerun complete, and compares its
verdicts.json byte for byte with that of an undisturbed run.
"""

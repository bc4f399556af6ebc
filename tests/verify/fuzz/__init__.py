"""`python -m tests.verify.fuzz`: damaged and hostile inputs for every reader of files that others
may have written.

A target is a reader with valid samples of what it reads (`fuzz.target`); an input is a sample,
altered in a way that depends on the seed, the target's name and a number alone (`fuzz.mutations`).
Each must end in a valid value or in the errors that the reader documents: in no other exception, no
crash, no hang, and with bounded memory.
"""

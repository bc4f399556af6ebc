"""Python sources as evidence: parsed, never executed, and followed to all that a function names.

A digest of code must be the same on every machine and change only with what the code does. So files
are decoded as Python does it (PEP 263, UTF-8 by default, whatever the locale), lines may end in LF
or CRLF, and what is digested is the syntax tree without comments, docstrings and layout. The tree
is written out here rather than by `ast.dump`, whose text depends on the version of Python.
Definitions are told apart by the order in which they are reached, not by their files, so that a
function may move between files.
"""

from harness.sources.following import WHOLE, Node, Reached, reached
from harness.sources.reading import Library, Source, digest_of, parsed
from harness.sources.scopes import Definition

__all__ = [
    "WHOLE",
    "Definition",
    "Library",
    "Node",
    "Reached",
    "Source",
    "digest_of",
    "parsed",
    "reached",
]

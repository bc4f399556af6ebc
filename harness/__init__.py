"""Executable checks of published claims about the limits of the Neural Tangent Kernel.

    claim -> experiment -> sweep -> backend -> measurement      (heavy: numpy and one framework)
                                                   |  the store: immutable cells
    report <- verdict <- statistics <--------------+            (light: from the store alone)

Start with `networks`, `backends`, `kernels` and `datasets`; read a file of claims/ to see them
joined. Importing this package imports no framework.
"""

__version__ = "0.1.0"

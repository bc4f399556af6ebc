"""Side by side with peers: empirical NTK, infinite-width NTK and kernel regression, on the same
nets, data and threads.

    python -m benchmarks [--quick] [--device cpu|cuda]     measures; writes reports/benchmarks/
                                                           and docs/performance.md
    python -m benchmarks page reports/benchmarks/X.json    writes the page from a record

One process per framework; in it rounds A B C, A B C, ... of all contestants of a case, so that what
else the machine does hits all of them alike. Whoever disagrees with us on the result is named, not
timed.
"""

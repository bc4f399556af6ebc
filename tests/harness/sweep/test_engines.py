"""Every engine leaves the same record of what became of a cell, whichever process on whichever
machine computed it.
"""

import os
import time
from collections import Counter
from contextlib import suppress
from importlib.util import find_spec

import pytest

from harness import sweep
from harness.errors import BackendUnavailable
from harness.experiment import Request
from harness.sweep import Store, code, engines

COMPUTATIONS = """
import os
import signal
import time
from pathlib import Path

import numpy as np


def end(backend, configuration, replicates, stream):
    then = configuration["then"]
    calls = Path("calls")
    with calls.open("a") as log:
        log.write(f"{then}\\n")
    first = calls.read_text().splitlines().count(then) == 1
    if then == "raise":
        raise ArithmeticError("no such number")
    if then == "die" or (then == "die once" and first):
        os.kill(os.getpid(), signal.SIGKILL)
    if then == "exhaust once" and first:
        raise MemoryError
    if then in ("hang", "outlast"):
        time.sleep(600)
    return {"memory": np.full(len(replicates), backend.memory_budget)}
"""
RECORD = {
    "measure": [],
    "raise": [("error", 1, "ArithmeticError: no such number")],
    "die": [
        ("death", n, "The worker of backend 'numpy' died: signal 9 (Killed).")
        for n in (1, 2, 3)
    ],
    "die once": [
        ("death", 1, "The worker of backend 'numpy' died: signal 9 (Killed).")
    ],
    "exhaust once": [("memory", 1, "MemoryError")],
    "hang": [("timeout", 1, "No answer within 4 s.")],
    "outlast": [("cut", 1, "No answer within ")],
}
"""What a cell does -> the failures that are stored of it: kind, attempt, words of the text."""


@pytest.fixture(params=engines.available())
def engine(request):
    """The name of each engine; Ray is skipped where it is not installed, or fails where
    NTK_CLAIMS_RAY=required.
    """
    if request.param == "ray" and find_spec("ray") is None:
        text = "ray is not installed (extra 'ray'); `tox run -e ray` runs this test"
        pytest.fail(text) if os.environ.get(
            "NTK_CLAIMS_RAY"
        ) == "required" else pytest.skip(text)
    return request.param


def test_a_cell_leaves_the_same_record_under_every_engine(
    engine, tmp_path, monkeypatch
):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "claims" / "toy").mkdir(parents=True)
    (tmp_path / "claims" / "toy" / "computations.py").write_text(COMPUTATIONS)
    store = Store(tmp_path / "store")
    computation = "toy/end"
    requests = {
        then: Request(computation, {"then": then}, (0, 1), "test", "numpy", "float64")
        for then in RECORD
    }
    *others, hanging, outlasting = requests.values()
    circumstances = code.circumstances(computation, "numpy", "cpu")
    options = {"engine": engine, "device": "cpu", "workers": 2}
    ended = sweep.run(others, store, **options)
    late = sweep.run([hanging], store, **options, time_limit=4.0)
    seconds = 10 if engine == "ray" else 2
    while not store.failures(
        outlasting, circumstances
    ):  # on a busy machine it was not begun in this time
        seconds *= 2
        assert seconds < 200
        with suppress(BackendUnavailable):  # no cluster in this time
            cut = sweep.run(
                [outlasting], store, **options, deadline=time.time() + seconds
            )

    assert ended.counts == {
        "planned": 5,
        "cached": 0,
        "done": 3,
        "failed": 2,
        "unfinished": 0,
    }
    assert late.counts["failed"] == cut.counts["unfinished"] == 1
    assert cut.counts["failed"] == 0
    for then, request in requests.items():
        failures = store.failures(request, circumstances)
        assert [(failure.kind, failure.attempt) for failure in failures] == [
            row[:2] for row in RECORD[then]
        ], then
        for failure, (_, _, words) in zip(failures, RECORD[then], strict=True):
            assert words in failure.traceback
    memory = {
        o.request.configuration["then"]: o.cell.arrays["memory"][0]
        for o in ended.outcomes
        if o.cell
    }
    assert memory == {"measure": 2**30, "die once": 2**27, "exhaust once": 2**27}
    counts = Counter((tmp_path / "calls").read_text().splitlines())
    assert counts == {
        then: len(rows) + (then in memory) for then, rows in RECORD.items()
    }

"""Backends under test: every one that has a file, in every precision; a framework that is missing
is a failure.
"""

import gc
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from harness import backends, registration, studies
from harness.experiment import canonical
from harness.registration import chain

pytest_plugins = ["pytester"]
FAST = tuple(name for name in backends.available() if name != "numpy")


def pytest_collection_finish():
    """Keeps what the imports made out of the garbage collector: an eighth of the time, measured on
    five files.
    """
    gc.collect()
    gc.freeze()


def made(name, dtype):
    backend = backends.get(name, dtype=dtype)
    if name == "torch":
        # Its threads and those of JAX in one process hold each other up (eight times slower);
        # sweeps never mix them.
        sys.modules["torch"].set_num_threads(1)
    return backend


# They run in environments of their own, with neural-tangents (`tox run -e oracle`).
collect_ignore_glob = ["verify/oracle/*"]


@pytest.fixture(scope="session")
def oracle():
    return backends.get("numpy")


@pytest.fixture(scope="session", params=backends.available())
def backend(request):
    """Each backend in float64, the oracle too."""
    return made(request.param, "float64")


@pytest.fixture(scope="session", params=FAST)
def fast(request):
    """Each backend but the oracle, in float64."""
    return made(request.param, "float64")


@pytest.fixture(
    scope="session",
    params=[(name, dtype) for name in FAST for dtype in backends.DTYPES],
    ids="-".join,
)
def precise(request):
    """Each backend but the oracle, in each precision, with its tolerance: (backend, relative
    Frobenius error).
    """
    name, dtype = request.param
    return made(name, dtype), {"float64": 1e-10, "float32": 1e-5}[dtype]


@pytest.fixture(scope="session")
def hold_against_the_oracle(oracle):
    """Asserts that a backend forwards, and forms and applies kernels of one set and of two, as the
    oracle does.

    The tolerance is relative in the Frobenius norm.
    """

    def hold(precise, net, theta, x1, x2, v):
        backend, tolerance = precise
        calls = [("forward", (x1,), {}), ("ntk_vector_product", (x1, v), {})]
        calls += [
            ("empirical_ntk", x, {"outputs": o})
            for o in ("trace", "full")
            for x in ((x1,), (x1, x2))
        ]
        for method, arguments, options in calls:
            result, right = (
                getattr(b, method)(net, theta, *arguments, **options)
                for b in (backend, oracle)
            )
            assert result.dtype == backend.dtype
            assert result.shape == right.shape
            assert np.linalg.norm(result - right) < tolerance * np.linalg.norm(right), (
                method,
                options,
            )

    return hold


@pytest.fixture
def start(tmp_path):
    """Starts a command in the test's folder, which comes first in PATH, and our Python next; a
    running process.

    Standard error goes where standard output goes. After the test, whether it passed or not, the
    command is ended, and so are the processes that it started; workers end with their coordinator.
    """
    started = []

    def run(command, **environment):
        path = os.pathsep.join(
            [str(tmp_path), str(Path(sys.executable).parent), os.environ["PATH"]]
        )
        process = subprocess.Popen(
            command,
            cwd=tmp_path,
            env={**os.environ, "PATH": path, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()


@pytest.fixture(scope="session")
def wait_for():
    """Waits until a condition is true; fails if it is not so after some seconds."""

    def wait(condition, seconds=60):
        until = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < until, "it did not come to pass"
            time.sleep(0.01)

    return wait


@pytest.fixture(scope="session")
def alive():
    """Whether a process runs: zombies do not. Looks into /proc."""

    def runs(pid):
        with suppress(OSError):
            return (
                Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
                != "Z"
            )
        return False

    return runs


def forget(folder, claim):
    """Writes the chain of registrations anew without a claim, as nobody can where there is a
    version control.
    """
    links = [link for link in chain.read(folder) or () if link.claim != claim]
    text, previous = "", None
    for number, link in enumerate(links, 1):
        anew = link.model_copy(update={"number": number, "previous": previous})
        text += canonical(anew.model_dump(mode="json")) + "\n"
        previous = anew.digest
    (folder / chain.CHAIN).write_text(text)


@pytest.fixture
def plant(pytester):
    """Writes a copy of the toy claim below claims/ of a folder of the test's own, some constants
    set, and registers it.

    One that was planted before is registered anew, as if it had always been so.
    """
    template = Path(__file__).with_name("toy_claim.py").read_text(encoding="utf-8")
    pytester.makeini(
        "[pytest]\naddopts = --import-mode=importlib -p no:hypothesispytest"
    )

    def make(name, registered=True, **constants):
        text = template
        for constant, value in {"NAME": name, **constants}.items():
            text, found = re.subn(
                rf"^{constant} = .*",
                lambda _, v=value, c=constant: f"{c} = {v!r}",
                text,
                flags=re.M,
            )
            assert found == 1, constant
        # a computation has a name of its own in its paper
        text = re.sub(r"\bdraw\b", f"draw_{name}", text)
        paper = constants.get("FAMILY", "toy")
        file = pytester.path / "claims" / paper / f"test_{name}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        folder = pytester.path / "claims" / registration.FOLDER
        for old in folder.glob(f"{paper}/{name}.*"):
            old.unlink()
            forget(folder, f"{paper}/{name}")
        if registered:
            registration.register(
                studies.load(file), folder, "Planted.", results_seen=False
            )
        return file

    return make

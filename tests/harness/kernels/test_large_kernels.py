"""Kernels that do not fit into memory are computed in files."""

import importlib.util
import re
import subprocess
import sys

import numpy as np
import pytest
from numpy.lib.format import open_memmap

from harness import backends
from harness.errors import InvalidInput
from harness.networks import mlp

FRAMEWORKS = [
    pytest.param(
        name,
        marks=pytest.mark.skipif(
            importlib.util.find_spec(name) is None, reason=f"{name} is missing"
        ),
    )
    for name in ("numpy", "torch", "jax")
]


def normal(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).standard_normal(shape)


@pytest.mark.parametrize("name", FRAMEWORKS)
@pytest.mark.parametrize("outputs", ["trace", "full"])
@pytest.mark.parametrize("seeds", [None, 2])
@pytest.mark.parametrize("symmetric", [True, False])
def test_kernel_in_a_file_equals_the_one_in_memory(
    tmp_path, name, outputs, seeds, symmetric
):
    net = mlp((3, 6, 2))
    theta, x1, x2 = (
        net.init(0 if seeds is None else range(seeds)),
        normal(9, 3),
        None if symmetric else normal(5, 3),
    )
    # a few samples per block
    backend = backends.get(name, device="cpu", dtype="float64", memory_budget=2**13)
    expected = backends.get("numpy").empirical_ntk(net, theta, x1, x2, outputs)
    out = open_memmap(tmp_path / "k.npy", "w+", "float64", expected.shape)
    result = backend.empirical_ntk(net, theta, x1, x2, outputs, out=out)
    assert result is out
    np.testing.assert_allclose(
        np.load(tmp_path / "k.npy", allow_pickle=False), expected, rtol=0, atol=1e-12
    )
    if symmetric and outputs == "trace":
        np.testing.assert_array_equal(out, np.swapaxes(out, -1, -2))


def test_out_that_does_not_fit_is_refused(tmp_path):
    net, x = mlp((3, 6, 2)), normal(4, 3)
    theta, oracle = net.init(0), backends.get("numpy")
    wrong = re.escape(
        "out must have shape (4, 4) and dtype float64; got (4, 5) and float64."
    )
    with pytest.raises(InvalidInput, match=wrong):
        oracle.empirical_ntk(net, theta, x, out=np.empty((4, 5)))
    with pytest.raises(
        InvalidInput,
        match=re.escape("out must have shape (4, 4) and dtype float64; got (4, 4) and"),
    ):
        oracle.empirical_ntk(net, theta, x, out=np.empty((4, 4), np.float32))
    with pytest.raises(InvalidInput, match=r"out must be a NumPy array, .*; got list"):
        oracle.empirical_ntk(net, theta, x, out=[[0.0] * 4] * 4)
    open_memmap(tmp_path / "k.npy", "w+", "float64", (4, 4)).flush()
    with pytest.raises(
        InvalidInput, match=r"out must be writable, .* mode 'w\+' or 'r\+'"
    ):
        oracle.empirical_ntk(
            net,
            theta,
            x,
            out=np.load(tmp_path / "k.npy", mmap_mode="r", allow_pickle=False),
        )


BOUNDED = """
import re, resource, sys
from pathlib import Path
import numpy as np
import torch
from numpy.lib.format import open_memmap
from harness import backends
from harness.networks import mlp

torch.set_num_threads(1)
net, budget, n = mlp((3, 32, 1)), 2**24, 5000
theta, x = net.init(0), np.random.default_rng(0).standard_normal((n, 3))
backend = backends.get("torch", device="cpu", dtype="float32", memory_budget=budget)
backend.empirical_ntk(net, theta, x[:50])  # what libraries set up once is not counted
used = 1024 * int(re.search(r"VmData:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
limit = used + 3 * budget  # the kernel takes 6 budgets
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
out = open_memmap(sys.argv[1], "w+", "float32", (n, n))
backend.empirical_ntk(net, theta, x, out=out)
some = [0, n // 2, n - 1]
print(np.allclose(out[np.ix_(some, some)], backend.empirical_ntk(net, theta, x[some]), rtol=1e-4))
try:
    backend.empirical_ntk(net, theta, x)
except MemoryError:
    print("does not fit into memory")
"""


@pytest.mark.skipif(
    sys.platform != "linux",
    reason="RLIMIT_DATA bounds what a process maps on Linux only",
)
@pytest.mark.skipif(
    importlib.util.find_spec("torch") is None, reason="torch is missing"
)
def test_kernel_of_more_than_the_memory_is_computed_in_a_file(tmp_path):
    environment = {
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONPATH": ":".join(filter(None, sys.path)),
    }
    command = [sys.executable, "-c", BOUNDED, str(tmp_path / "k.npy")]
    run = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=120
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.split("\n")[:2] == ["True", "does not fit into memory"]

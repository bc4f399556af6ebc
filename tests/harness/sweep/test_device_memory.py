"""Blocks of a kernel follow the memory of the GPU; a GPU is played by what a framework would say of
it.
"""

from types import SimpleNamespace

import numpy as np
import pytest

from harness import backends
from harness.backends.kernel_blocks import block_rows
from harness.experiment import Request
from harness.networks import mlp
from harness.sweep import Store, device_memory
from harness.sweep.worker import Worker

GIB = 2**30


def torch_with(memory):
    return {
        "torch": SimpleNamespace(
            cuda=SimpleNamespace(
                get_device_properties=lambda _: SimpleNamespace(**memory)
            )
        )
    }


def jax_with(stats):
    return {
        "jax": SimpleNamespace(
            devices=lambda: [SimpleNamespace(memory_stats=lambda: stats)]
        )
    }


@pytest.mark.parametrize(
    ("device", "loaded", "total"),
    [
        ("cuda", torch_with({"total_memory": 80 * GIB}), 80 * GIB),
        ("cuda", jax_with({"bytes_limit": 60 * GIB, "bytes_in_use": 5}), 60 * GIB),
        ("cuda", jax_with({}), None),
        ("cuda", jax_with(None), None),
        ("cuda", {}, None),
        ("cpu", torch_with({"total_memory": 80 * GIB}), None),
    ],
)
def test_what_the_framework_says(device, loaded, total):
    assert device_memory.total(device, loaded) == total


@pytest.mark.parametrize(
    ("total", "budget"),
    [(80 * GIB, 8 * GIB), (24 * GIB, 2 * GIB), (8 * GIB, GIB), (7, 1)],
)
def test_an_eighth_in_powers_of_two(total, budget):
    assert device_memory.budget(total) == budget


COMPUTATION = """
import numpy as np


def budget(backend, configuration, replicates, stream):
    return {"budget": np.array([backend.memory_budget])}
"""


@pytest.mark.parametrize(
    ("total", "budget"), [(None, GIB), (80 * GIB, 8 * GIB), (2**20, 2**17)]
)
def test_a_worker_computes_with_it_and_records_it(tmp_path, monkeypatch, total, budget):
    monkeypatch.setattr(device_memory, "total", lambda device: total)
    paper = tmp_path / "claims" / "toy"
    paper.mkdir(parents=True)
    (paper / "computations.py").write_text(COMPUTATION)
    store, claims = Store(tmp_path / "store"), tmp_path / "claims"
    worker = Worker("numpy", "cpu", 1, store, claims=claims)
    wanted = Request("toy/budget", {}, (0,), "test", "numpy", "float64")
    circumstances = worker._load(wanted)[1]
    task = {"request": vars(wanted), "circumstances": vars(circumstances)}
    assert worker.serve(task)["event"] == "done"
    (answer,) = worker.store.answers(wanted)
    assert answer.arrays["budget"] == [budget]
    assert answer.provenance.environment["memory_budget"] == str(budget)


def test_the_kernel_is_the_same_in_blocks_of_any_device():
    net, x = mlp((8, 32, 2)), np.random.default_rng(0).standard_normal((40, 8))
    torch = backends.get("torch", "cpu", "float64").operations
    budgets = [device_memory.budget(total) for total in (2**20, 2**24)]
    rows = [
        block_rows(torch, net, 1, outputs="trace", budget=budget) for budget in budgets
    ]
    assert 1 < rows[0] < 40 < rows[1]
    one, other = (
        backends.get("torch", "cpu", "float64", budget).empirical_ntk(
            net, net.init(0), x
        )
        for budget in budgets
    )
    np.testing.assert_allclose(one, other, rtol=1e-13)

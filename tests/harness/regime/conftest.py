"""Networks with known answers, as a user's file has them, and a small regression."""

import numpy as np
import pytest

from harness import backends
from harness.experiment import canonical
from harness.regime import experiment, study

NETS = '''
from harness import networks


def linear():
    return networks.mlp((10, 1), sigma_b=0.1)


def dense(width=2048):
    return networks.mlp((10, width, 1))


def narrow(width=8):
    return networks.mlp((10, width, width, 1))


def chaotic():
    return networks.mlp((10, *[48] * 12, 1), "tanh", sigma_w=2.5, sigma_b=0.1)


def mup(width=1024):
    """Outputs are a mean over neurons that are of order one, as in muP and mean field."""
    import torch

    def f(theta, x):
        return torch.relu(x @ theta["W1"]) @ theta["W2"] / width

    def draw(rng):
        return {
            "W1": rng.standard_normal((10, width)) / 10**0.5,
            "W2": rng.standard_normal((width, 1)),
        }

    return networks.from_callable({"torch": f}, inputs=10, outputs=1, initial=draw)
'''


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    """A folder with nets.py and reg.npz, which is the current one."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nets.py").write_text(NETS)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((400, 10))
    np.savez("reg.npz", x=x, y=np.tanh(x[:, 0] * x[:, 1]) + 0.5 * x[:, 2])
    return tmp_path


@pytest.fixture
def computed():
    """The result of a call, its cells computed in this process."""
    return result_of


def result_of(**asked):
    planned = study.plan(study.Asked(**asked))
    cells = {}
    for request in planned.requests():
        rows = cells.setdefault((request.backend, canonical(request.configuration)), {})
        if request.replicates[0] not in rows:
            rows[request.replicates[0]] = experiment.measure(
                backends.get(request.backend, "cpu", request.dtype),
                request.configuration,
                request.replicates,
                request.stream,
            )
    measured = study.Measured(
        {key: [rows[seed] for seed in sorted(rows)] for key, rows in cells.items()}
    )
    measured.check_descent(planned)
    return study.Result(planned, measured)

"""Bad networks, data and options are refused before anything is computed, by a clear message."""

import numpy as np
import pytest

from harness.errors import BackendUnavailable, InvalidInput
from harness.regime.recipe import Recipe
from harness.regime.study import Asked, plan

pytest.importorskip("torch")

SMALL = """
import torch
from torch import nn
"""


def refused(workplace, body, place="reg.npz", name="", **asked):
    """The message with which a file's network is refused."""
    (workplace / "net.py").write_text(SMALL + body)
    with pytest.raises(InvalidInput) as caught:
        plan(Asked(f"net.py{name}", place, **asked))
    return str(caught.value)


MODULES = {
    "nn.Linear(10, 8), nn.Dropout(0.2), nn.Linear(8, 1)": "Dropout is on: layer '1'",
    "nn.Linear(10, 8), nn.BatchNorm1d(8), nn.Linear(8, 1)": "batch norm '1' is in training",
    "nn.LSTM(10, 1)": "returns a tuple of 2",
    "nn.Linear(10, 3)": "The network has 3 outputs, and y of reg.npz has 1 columns",
    "nn.Linear(11, 1)": "takes the data in no likely shape",
    "nn.Flatten()": "no parameter that requires a gradient",
}


@pytest.mark.parametrize("layers", MODULES)
def test_modules(workplace, layers):
    body = f"def make():\n    return nn.Sequential({layers})\n"
    assert MODULES[layers] in refused(workplace, body)


BODIES = {
    "make = nn.Linear(10, 1)\n": "has no function that makes a network",
    "import sys\nsys.exit(3)\n": "failed when it was imported in line 5: SystemExit: 3",
    "def make():\n    return nn.Sequential\n": "returns a type; it must return a network of",
    "def make():\n    return (1, 2, 3)\n": "returns a tuple of 3 (int, int, int)",
    "def make():\n    pass\n": "returns None",
    "def make():\n    return 1 / 0\n": "make of net.py failed in line 5: ZeroDivisionError",
    "def make(depth):\n    pass\n": "make of net.py needs depth; it may take `width` alone",
    "def make(width):\n    pass\n": "needs a width. Give `width` a default",
    "one = 1 / 0\n": "net.py failed when it was imported in line 4: ZeroDivisionError",
    "def a():\n    pass\ndef b():\n    pass\n": "has 2 functions: a, b. Name the one",
    "": "has no function that makes a network",
    "def (": "net.py failed when it was imported in line 4: SyntaxError",
    "def make():\n    torch.manual_seed(0)\n    return nn.Linear(10, 1)\n": "same initial "
    "weights every time",
}


@pytest.mark.parametrize("body", BODIES)
def test_files(workplace, body):
    assert BODIES[body] in refused(workplace, body)


def test_random_functions_and_functions_that_mix_samples(workplace):
    body = (
        "class Net(nn.Module):\n"
        "    def __init__(self):\n        super().__init__()\n"
        "        self.layer = nn.Linear(10, 1)\n"
        "    def forward(self, x):\n"
        "        return {}\n"
    )
    for line in (
        "nn.functional.dropout(self.layer(x), 0.5)",
        "self.layer(x) - self.layer(x).mean(0)",
    ):
        said = refused(workplace, body.format(line), name=":Net")
        assert "other outputs for" in said


def test_a_name_that_is_not_there(workplace):
    said = refused(workplace, "def make():\n    pass\n", name=":made")
    assert "has no function 'made'" in said
    assert "Functions there: make." in said


def test_a_module_instead_of_a_function(workplace):
    said = refused(workplace, "net = nn.Linear(10, 1)\n", name=":net")
    assert "is one module, with weights of its own. Write a function" in said


def test_cross_entropy_of_a_regression(workplace):
    with pytest.raises(
        InvalidInput, match="Cross-entropy needs a network with at least 2"
    ):
        plan(Asked("nets.py:dense", "reg.npz", recipe=Recipe(loss="cross-entropy")))


def test_a_file_that_is_not_there(workplace):
    for spec in ("nothing.py", "reg.npz", "."):
        with pytest.raises(InvalidInput, match="There is no Python file"):
            plan(Asked(spec, "reg.npz"))


X = np.random.default_rng(0).standard_normal((60, 10))
Y = X[:, 0]
WITH_NAN = X.copy()
WITH_NAN[3, 1] = np.nan

ARRAYS = {
    "nan": (dict(x=WITH_NAN, y=Y), r"x must be finite; 1 .* x\[3, 1\] = nan"),
    "one class": (dict(x=X, y=np.ones(60, int)), "one class alone"),
    "few": (dict(x=X[:20], y=Y[:20]), "20 samples are too few; at least 30"),
    "lengths": (dict(x=X, y=Y[:50]), "x has 60 and y 50"),
    "no y": (dict(x=X), "must have arrays x and y; it has x"),
    "constant": (dict(x=X, y=np.ones(60)), "y is the same for every sample"),
    "text": (dict(x=X, y=np.array(["a", "b"] * 30)), "y must be real numbers"),
    "objects": (dict(x=X, y=np.array([None] * 60)), "cannot be read as an npz"),
    "flat": (dict(x=Y, y=Y), r"x must have shape \(N, ...\)"),
    "counts": (dict(x=X, y=np.arange(60)), "60 of them in 60 samples"),
    "one-hot": (dict(x=X, y=np.eye(2, dtype=int)[[0, 1] * 30]), "are classes, shape"),
    "three": (dict(x=X, y=np.arange(60) % 3), "3 classes. The network needs 3"),
    "same x": (dict(x=np.ones((60, 10)), y=Y), "all samples of x are the same"),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays(workplace, name):
    arrays, message = ARRAYS[name]
    np.savez("mine.npz", **arrays)
    with pytest.raises(InvalidInput, match=message):
        plan(Asked("nets.py:dense", "mine.npz"))


def test_data_that_are_not_there(workplace):
    with pytest.raises(InvalidInput, match="Unknown data set 'cifar'"):
        plan(Asked("nets.py:dense", "cifar"))
    with pytest.raises(InvalidInput, match=r"There is no file other.npz"):
        plan(Asked("nets.py:dense", "other.npz"))
    (workplace / "bad.npz").write_bytes(b"nothing")
    with pytest.raises(InvalidInput, match=r"bad.npz cannot be read as an npz"):
        plan(Asked("nets.py:dense", "bad.npz"))
    with pytest.raises(InvalidInput, match="takes 10 inputs, and the data have 784"):
        plan(Asked("nets.py:dense", "fashion-mnist"))


OPTIONS = {
    "width": (dict(width=0), "A width must be positive; got --width 0"),
    "memory": (dict(train_sizes=(10, 300)), "would take .* GB; at most"),
    "seeds": (dict(seeds=4), "At least 5 seeds"),
    "margin": (dict(margin=10.0), "between 0 and 1"),
    "widths": (dict(widths=(64,)), "two or more different positive numbers"),
    "samples": (dict(train=399), "399 to train on and 1 to test on"),
    "sizes": (dict(train_sizes=(10, 4000)), "4000 to train on and 64 to test on"),
}


@pytest.mark.parametrize("name", OPTIONS)
def test_options(workplace, name, monkeypatch):
    if name == "memory":
        monkeypatch.setattr("harness.regime.study.LARGEST_KERNEL", 1e-5)
    options, message = OPTIONS[name]
    with pytest.raises(InvalidInput, match=message):
        plan(Asked("nets.py:dense", "reg.npz", **options))


def test_widths_of_a_function_without_width(workplace):
    with pytest.raises(InvalidInput, match=r"Write it as def linear\(width\)"):
        plan(Asked("nets.py:linear", "reg.npz", widths=(8, 16)))


RECIPES = {
    "rate": (dict(rate=-1.0), "The rate must be positive"),
    "steps": (dict(steps=0), "The number of steps must be positive"),
    "momentum": (dict(momentum=1.0), r"must lie in \[0, 1\)"),
    "adam": (dict(optimizer="adam", momentum=0.9), "Adam takes no momentum"),
    "target": (dict(target_loss=float("nan")), "target loss must be positive"),
}


@pytest.mark.parametrize("name", RECIPES)
def test_recipes(name):
    options, message = RECIPES[name]
    with pytest.raises(InvalidInput, match=message):
        Recipe(**options)


def test_a_backend_that_the_network_is_not_for(workplace):
    body = "def make():\n    return nn.Linear(10, 1)\n"
    said = refused(workplace, body, backend="both")
    assert "is a PyTorch module, which the jax backend does not have" in said


def test_a_backend_that_is_not_installed(workplace, monkeypatch):
    def missing(name, *_):
        raise BackendUnavailable(f"no {name}")

    monkeypatch.setattr("harness.backends.get", missing)
    with pytest.raises(BackendUnavailable, match="no jax"):
        plan(Asked("nets.py:dense", "reg.npz", backend="jax"))

"""Our numbers against those of neural-tangents, frozen by `tox run -e oracle`; the folder
tests/verify/oracle says how.

Measured, worst of all networks, with the NumPy oracle in float64 (relative, Frobenius norm):
outputs 5e-16, empirical 4e-16, flow_empirical 4e-15, ntk 1e-15, nngp 1e-15, flow_ntk 9e-15, trained
2e-15. The tolerance is 1e-10 (tests/verify/oracle/comparison.py).
"""

import json
from pathlib import Path

import numpy as np
import pytest

from harness import backends
from tests.verify.oracle import ours
from tests.verify.oracle.architectures import architectures, closed_form
from tests.verify.oracle.comparison import compared

ARCHITECTURES = architectures()
LINEAR = [name for name in ARCHITECTURES if name.startswith("linear")]
REFERENCE = Path(__file__).parents[3] / "fixtures" / "neural_tangents.npz"

# JAX compiles for a second or so per network, so it gets every fifth: five shares no factor with
# the grid's cycles, so that every activation, parametrization and kind of layer is among them. The
# other backends get all.
CASES = [
    (backend, name)
    for backend in backends.available()
    for name in (list(ARCHITECTURES)[::5] if backend == "jax" else ARCHITECTURES)
]

each_architecture = pytest.mark.parametrize("name", ARCHITECTURES)


def test_a_disagreement_names_the_network_the_entry_and_both_values():
    reference = np.array([[1.0, 2.0], [3.0, 4.0]])
    theirs = {"ntk": reference, "empirical by AUTO": reference, "nngp": reference}
    off = reference + np.array([[0.0, 1e-6], [0.0, 0.0]])
    lines = list(
        compared(
            "mlp_a",
            {"ntk": off, "empirical": reference * np.nan, "nngp": reference[0]},
            theirs,
        )
    )
    assert lines[0].startswith(
        "mlp_a: ntk: off by 1.8e-07 (allowed 1e-10); worst at [0, 1]: ours 2.00000"
    )
    assert lines[0].endswith("neural-tangents 2.")
    assert lines[1].startswith("mlp_a: empirical by AUTO: off by nan")
    assert lines[2] == "mlp_a: nngp: ours has shape (2,), neural-tangents' (2, 2)."
    assert (
        list(compared("mlp_a", {"ntk": reference * (1 + 1e-12)}, {"ntk": reference}))
        == []
    )


@pytest.fixture(scope="module")
def frozen():
    with np.load(REFERENCE, allow_pickle=False) as file:
        return dict(file)


def entries(frozen, name):
    return {
        key.removeprefix(f"{name}/"): frozen[key]
        for key in frozen
        if key.startswith(f"{name}/")
    }


def agrees(name, entry, found, reference):
    assert list(compared(name, {entry: found}, {entry: reference})) == []


def test_reference_holds_the_grid_and_the_versions_it_was_made_with(frozen):
    grid = json.loads(str(frozen["architectures"]))
    assert grid == json.loads(json.dumps(ARCHITECTURES)), (
        "The grid has changed; run tox run -e oracle."
    )
    assert len(grid) >= 60
    versions = json.loads(str(frozen["versions"]))
    assert (
        versions.items()
        >= {
            "neural-tangents": "0.6.5",
            "jax": "0.4.25",
            "jaxlib": "0.4.25",
            "numpy": "1.26.4",
            "scipy": "1.13.1",
        }.items()
    )


def test_reference_covers_each_part_of_the_grid(frozen):
    for name, architecture in ARCHITECTURES.items():
        expected = {
            "x",
            "y",
            "outputs",
            "empirical",
            "flow_empirical",
            "times_empirical",
        }
        expected |= (
            {"ntk", "nngp", "flow_ntk", "times_ntk"}
            if closed_form(architecture)
            else set()
        )
        expected |= {"trained"} if name in LINEAR else set()
        assert {
            key for key in entries(frozen, name) if not key.startswith("theta/")
        } == expected, name


@pytest.mark.parametrize(("backend", "name"), CASES, indirect=["backend"])
def test_network_and_empirical_ntk(backend, frozen, name):
    net, reference = ours.network(ARCHITECTURES[name]), entries(frozen, name)
    theta = ours.weights(reference)
    agrees(
        name,
        "outputs",
        backend.forward(net, theta, reference["x"]),
        reference["outputs"],
    )
    full = backend.empirical_ntk(net, theta, reference["x"], outputs="full")
    agrees(name, "empirical", full, reference["empirical"])


@pytest.mark.parametrize(
    "name", [name for name in ARCHITECTURES if closed_form(ARCHITECTURES[name])]
)
def test_infinite_width(frozen, name):
    net, reference = ours.network(ARCHITECTURES[name]), entries(frozen, name)
    found = ours.infinite(net, reference["x"], reference["y"])
    for entry in ("ntk", "nngp"):
        agrees(name, entry, found[entry], reference[entry])
    blocks = np.einsum("ij,op->ijop", found["ntk"], np.eye(net.outputs))
    start = np.zeros_like(reference["outputs"])
    flow = ours.flowed(blocks, start, reference["y"], reference["times_ntk"])
    agrees(name, "flow_ntk", flow, reference["flow_ntk"])


WITHOUT_BIASES = [
    name
    for name, architecture in ARCHITECTURES.items()
    for arguments in architecture.values()
    if arguments["parametrization"] == "ntk"
    and arguments["sigma_b"] is None
    and closed_form(architecture)
]


@pytest.mark.parametrize("name", WITHOUT_BIASES)
def test_biases_scaled_by_zero_have_the_numbers_of_no_biases(oracle, frozen, name):
    """b_std = 0 of neural-tangents: a bias is there, and is multiplied by zero."""
    ((kind, arguments),) = ARCHITECTURES[name].items()
    net, reference = (
        ours.network({kind: arguments | {"sigma_b": 0.0}}),
        entries(frozen, name),
    )
    theta = net.init(1) | ours.weights(reference)
    assert any(theta[layer.bias].all() for layer in net.layers)
    agrees(
        name,
        "outputs",
        oracle.forward(net, theta, reference["x"]),
        reference["outputs"],
    )
    full = oracle.empirical_ntk(net, theta, reference["x"], outputs="full")
    agrees(name, "empirical", full, reference["empirical"])
    found = ours.infinite(net, reference["x"], reference["y"])
    for entry in ("ntk", "nngp"):
        agrees(name, entry, found[entry], reference[entry])


@each_architecture
def test_gradient_flow_with_the_empirical_ntk(oracle, frozen, name):
    net, reference = ours.network(ARCHITECTURES[name]), entries(frozen, name)
    kernel = oracle.empirical_ntk(
        net, ours.weights(reference), reference["x"], outputs="full"
    )
    flow = ours.flowed(
        kernel, reference["outputs"], reference["y"], reference["times_empirical"]
    )
    agrees(name, "flow_empirical", flow, reference["flow_empirical"])


@pytest.mark.parametrize("name", LINEAR)
def test_training_ends_where_predict_says(backend, frozen, name):
    reference = entries(frozen, name)
    trained = ours.trained(ours.network(ARCHITECTURES[name]), reference, backend.name)
    agrees(name, "trained", trained, reference["trained"])

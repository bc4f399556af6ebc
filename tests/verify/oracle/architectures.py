"""The grid on which the harness and neural-tangents are compared; plain values, so that both
environments can read it.

An architecture is the name and the arguments of a function of harness.networks: {"mlp": {...}} or
{"cnn": {...}}. The parts of a cnn are [class name, arguments]. tanh and sigmoid have no closed form
in neural-tangents: of them only finite networks are compared. sigma_b = 0 is on the grid in
"standard" parametrization alone. In "ntk" both libraries scale such biases by zero, so the numbers
of a network without biases are theirs too (tests/harness/backends/test_neural_tangents.py).
"""

import itertools
from typing import Any

Architecture = dict[str, Any]

SHALLOW, DEEP = (5, 12, 2), (4, 9, 8, 7, 1)
CONVOLUTIONS: dict[str, tuple[tuple[int, ...], list[list[Any]]]] = {
    "line_same": ((8, 2), [["Conv", {"channels": 4}]]),
    "line_valid_stride2": (
        (8, 2),
        [["Conv", {"channels": 4, "stride": 2, "padding": "valid"}]],
    ),
    "line_same_stride2": (
        (8, 1),
        [
            ["Conv", {"channels": 5, "kernel": 5, "stride": 2}],
            ["Conv", {"channels": 3}],
        ],
    ),
    "line_pool": (
        (8, 1),
        [["Conv", {"channels": 4}], ["Pool", {"window": 2}], ["Conv", {"channels": 4}]],
    ),
    "line_global": (
        (6, 2),
        [
            ["Conv", {"channels": 5}],
            ["Conv", {"channels": 4}],
            ["Pool", {"window": None}],
        ],
    ),
    "line_hidden": (
        (6, 1),
        [["Conv", {"channels": 4}], ["Pool", {"window": 3}], ["Hidden", {"width": 6}]],
    ),
    "image_same": ((4, 5, 1), [["Conv", {"channels": 4}]]),
    "image_valid": (
        (5, 4, 2),
        [["Conv", {"channels": 3, "padding": "valid"}], ["Conv", {"channels": 4}]],
    ),
    "image_stride2": (
        (6, 6, 1),
        [
            ["Conv", {"channels": 4, "stride": 2}],
            ["Conv", {"channels": 3, "stride": 2}],
        ],
    ),
    "image_valid_stride2": (
        (7, 6, 1),
        [["Conv", {"channels": 4, "stride": 2, "padding": "valid"}]],
    ),
    "image_kernel5": (
        (6, 6, 1),
        [["Conv", {"channels": 3, "kernel": 5}], ["Pool", {"window": [2, 3]}]],
    ),
    "image_oblong": (
        (4, 6, 1),
        [["Conv", {"channels": 4, "kernel": [3, 2], "stride": [1, 2]}]],
    ),
    "image_pool": (
        (4, 4, 2),
        [["Conv", {"channels": 4}], ["Pool", {"window": 2}], ["Conv", {"channels": 3}]],
    ),
    "image_global": (
        (4, 4, 1),
        [
            ["Conv", {"channels": 4}],
            ["Conv", {"channels": 4}],
            ["Pool", {"window": None}],
        ],
    ),
    "image_hidden": (
        (4, 4, 1),
        [["Conv", {"channels": 4}], ["Pool", {"window": 2}], ["Hidden", {"width": 6}]],
    ),
    "image_myrtle": (
        (8, 8, 1),
        [
            ["Conv", {"channels": 3}],
            ["Pool", {"window": 2}],
            ["Conv", {"channels": 4}],
            ["Pool", {"window": 2}],
            ["Conv", {"channels": 4}],
            ["Pool", {"window": None}],
        ],
    ),
}


def architectures() -> dict[str, Architecture]:
    """Name -> architecture: 82 of them."""
    return perceptrons() | convolutional()


def perceptrons() -> dict[str, Architecture]:
    """Depths 1 to 4, one and two outputs, every activation, both parametrizations, with and without
    biases.
    """
    grid: dict[str, Architecture] = {}
    settings = itertools.product(
        ("relu", "erf", "tanh", "sigmoid"),
        ("ntk", "standard"),
        (None, 0.3),
        (SHALLOW, (5, 7, 6, 1), DEEP),
    )
    for activation, parametrization, sigma_b, widths in settings:
        if widths == DEEP and activation in ("tanh", "sigmoid"):
            continue
        name = f"mlp_{'x'.join(map(str, widths))}_{activation}_{parametrization}_b{sigma_b}"
        grid[name] = perceptron(widths, activation, parametrization, sigma_b)
    for widths, parametrization, sigma_b in itertools.product(
        ((6, 1), (6, 2)), ("ntk", "standard"), (None, 0.3)
    ):
        name = f"linear_{'x'.join(map(str, widths))}_{parametrization}_b{sigma_b}"
        grid[name] = perceptron(widths, "relu", parametrization, sigma_b)
    for activation in ("relu", "erf"):
        grid[f"mlp_zero_biases_{activation}"] = perceptron(
            (5, 7, 6, 1), activation, "standard", 0.0
        )
    return grid


def perceptron(
    widths: tuple[int, ...],
    activation: str,
    parametrization: str,
    sigma_b: float | None,
) -> Architecture:
    """One multilayer perceptron, at 1.3 of the weights' scale."""
    scales = {"parametrization": parametrization, "sigma_w": 1.3, "sigma_b": sigma_b}
    return {"mlp": {"widths": list(widths), "activation": activation, **scales}}


def convolutional() -> dict[str, Architecture]:
    """Sequences and images; activation, parametrization, biases and outputs change from one to the
    next.
    """
    grid: dict[str, Architecture] = {}
    settings = itertools.cycle(
        itertools.product(("ntk", "standard"), (None, 0.3), ("relu", "erf"))
    )
    for (name, (shape, parts)), _ in itertools.product(CONVOLUTIONS.items(), range(2)):
        parametrization, sigma_b, activation = next(settings)
        outputs = 1 + len(grid) % 3 // 2
        grid[f"cnn_{name}_{activation}_{parametrization}_b{sigma_b}"] = {
            "cnn": {
                "shape": list(shape),
                "parts": parts,
                "outputs": outputs,
                "activation": activation,
                "parametrization": parametrization,
                "sigma_w": 1.3,
                "sigma_b": sigma_b,
            }
        }
    return grid


def closed_form(architecture: Architecture) -> bool:
    """Whether neural-tangents has the infinite-width kernels in closed form."""
    ((_, arguments),) = architecture.items()
    return arguments["activation"] in ("relu", "erf")

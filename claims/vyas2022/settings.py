"""The parts of a setting of the claims on learning curves: what is learnt, by which network, and
which kernels stand beside it.

Equal configurations are one cell in the store, whichever claim asks for it: the claims on the gap
share the learning curve of the pairs and the kernels beside it.

Sizes are lists, since a tuple among the changes of a tier is an axis.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from claims.vyas2022.curves import kernel_curves, network_curves
from harness.claim import Claim, overridden
from harness.experiment import Configuration, Experiment

INITIAL, INFINITE = "initial", "infinite-width"
KERNELS = {INITIAL: "init", INFINITE: "infinite"}
"""The kernels of a setting, and what a configuration of `kernel_curves` calls them."""

CNN = dict(
    family="cnn",
    width=16,
    sigma_b=0.1,
    strides=(4, 2, 2),
    label_scale=4.7,
    centred=False,
)
TWO_LAYERS = dict(
    family="mlp", width=64, depth=1, sigma_b=0.1, label_scale=4.7, centred=False
)
MLP = dict(TWO_LAYERS, width=128, depth=2)
ADAM = dict(optimizer="adam", rate=0.01, batch_size=32)
MOMENTUM = dict(optimizer="momentum", rate=0.1, batch_size=32)
"""The rate is a fraction of the edge 2 / lambda_max at the start."""


@dataclass(frozen=True)
class Metric:
    """What is wrong with a predictor: in the names of hypotheses, in sentences, in measurements."""

    name: str
    label: str
    quantity: str

    def __str__(self) -> str:
        return self.label


SQUARED = Metric("squared", "squared error", "loss")
RATE = Metric("rate", "error rate", "error")

OF_A_TENTH = (
    "0.1 is 13 % of error over two doublings, "
    "and what the first run could not exclude where it is 0"
)
"""Why 0.1 is the smallest difference of exponents of interest."""


@dataclass(frozen=True)
class Recipe:
    """What a setting consists of.

    Args:
        name: in the names of hypotheses.
        label: in sentences.
        cells: learning curve of the network at the quick tier; several cells are one curve, with
            sizes in rising order.
        full: what the full tier changes in each of them; or all its cells.
    """

    name: str
    label: str
    cells: Sequence[Configuration]
    full: Mapping[str, Any] | Sequence[Configuration] = field(default_factory=dict)

    def curve(self, tier: str) -> Sequence[Configuration]:
        """The cells of the learning curve at the quick or the full tier."""
        if tier == "quick":
            return self.cells
        if isinstance(self.full, Mapping):
            return overridden(self.cells, self.full)
        return self.full


@dataclass(frozen=True, eq=False)
class Setting:
    """A task with a network and the kernels beside it, as experiments of a claim.

    Args:
        name: in the names of hypotheses.
        label: in sentences.
        networks: learning curve of the network.
        kernels: by the names of KERNELS.
    """

    name: str
    label: str
    networks: Experiment
    kernels: Mapping[str, Experiment]

    def __str__(self) -> str:
        return self.label


def network_cell(
    task: Configuration, net: Configuration, training: Configuration, **changes: Any
) -> Configuration:
    """A configuration of `network_curves`: a task with its sizes, a network, how it is trained."""
    return dict(task, net=net, **training, after=[]) | changes


def kernel_cell(networks: Sequence[Configuration], kernel: str) -> Configuration:
    """The configuration of a kernel, INITIAL or INFINITE, beside the cells of one learning curve.

    It has the keys of the network that the kernel depends on; at infinite width, a width of 1.

    >>> net = dict(family="mlp", depth=2, width=64, sigma_b=0.1, label_scale=4.7, centred=False)
    >>> curve = [dict(task={}, sizes=[size], validation=9, test=9, net=net) for size in (128, 256)]
    >>> cell = kernel_cell(curve, INFINITE)
    >>> cell["sizes"], cell["net"]["width"], cell["kernel"]
    ([128, 256], 1, 'infinite')
    """
    first = networks[0]
    sizes = [size for cell in networks for size in cell["sizes"]]
    net = {
        key: value
        for key, value in first["net"].items()
        if key not in ("label_scale", "centred")
    }
    if kernel == INFINITE:
        net["width"] = 1
    return dict(
        task=first["task"],
        sizes=sizes,
        validation=first["validation"],
        test=first["test"],
        net=net,
        kernel=KERNELS[kernel],
    )


def add_kernels(
    claim: Claim, recipe: Recipe, *names: str, block: int = 2
) -> dict[str, Experiment]:
    """Adds the kernels of these names beside the learning curve of a recipe, at each tier."""
    added = {}
    for name in names:
        quick, full = (
            [kernel_cell(curve, name)] if (curve := recipe.curve(tier)) else []
            for tier in ("quick", "full")
        )
        added[name] = claim.experiment(kernel_curves, quick, full=full, block=block)
    return added


def add_setting(
    claim: Claim,
    recipe: Recipe,
    *kernels: str,
    shared: Mapping[str, Experiment] | None = None,
    dtype: str = "float32",
    block: int = 2,
) -> Setting:
    """Adds the learning curve of a recipe to a claim, and these kernels beside it.

    Args:
        shared: kernels that the claim has already, as `add_kernels` gives them.
        block: how many seeds share a cell of the full tier.
    """
    networks = claim.experiment(
        network_curves,
        recipe.cells,
        full=recipe.curve("full"),
        dtype=dtype,
        block=block,
    )
    beside = dict(shared or {}) | add_kernels(claim, recipe, *kernels, block=block)
    return Setting(recipe.name, recipe.label, networks, beside)


def add_settings(
    claim: Claim,
    recipes: Sequence[Recipe],
    shared: Mapping[str, Experiment],
    dtype: str = "float32",
) -> tuple[Setting, ...]:
    """Adds the learning curves of recipes beside which the same kernels stand."""
    return tuple(
        add_setting(claim, recipe, shared=shared, dtype=dtype) for recipe in recipes
    )


def add_alike(
    claim: Claim, recipes: Sequence[Recipe], *kernels: str
) -> tuple[Setting, ...]:
    """Adds the learning curves of recipes beside which the kernels of the first stand."""
    first = add_setting(claim, recipes[0], *kernels)
    return (first, *add_settings(claim, recipes[1:], first.kernels))

"""The settings of the claims on learning curves: what is learnt, by which network, and which
kernels stand beside it.

Equal configurations are one cell in the store, whichever claim asks for it. So the claims on the
gap share one learning curve: a CNN of 16 channels on 1-D digits, trained by Adam, and the kernels
beside it.

Sizes are lists, since a tuple among the changes of a tier is an axis.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from claims.vyas2022.curves import (
    Arrays,
    curves_and_drift,
    kernel_curves,
    network_curves,
)
from harness.claim import Claim
from harness.experiment import Configuration, Experiment

INITIAL, INFINITE = "initial", "infinite-width"
KERNELS = {INITIAL: "init", INFINITE: "infinite"}
"""The kernels of a setting, and what a configuration of `kernel_curves` calls them."""

# Five classes of the generated 1-D digits against five; from 128 samples some networks learn
# nothing.
DIGITS = dict(
    task=dict(name="digits-1d"), sizes=[128, 256, 512, 1024], validation=300, test=1000
)
WINDOW = [256, 512, 1024]
CNN = dict(
    family="cnn",
    width=16,
    sigma_b=0.1,
    strides=(4, 2, 2),
    label_scale=4.7,
    centred=False,
)
ADAM = dict(optimizer="adam", rate=0.01, batch_size=32, steps=1500, checks=30)
LONGER = dict(ADAM, steps=2000, checks=40)
EDGE = dict(optimizer="momentum", rate=0.1)  # of the edge 2 / lambda_max at the start

# The product of two of 30 signs, which a network finds and a kernel cannot single out.
PARITY = dict(
    task=dict(name="parity", inputs=30, order=2),
    sizes=[128, 256, 512],
    validation=300,
    test=1000,
)
TWO_LAYERS = dict(
    family="mlp", width=64, depth=1, sigma_b=0.1, label_scale=4.7, centred=False
)
SHORT = dict(ADAM, steps=800)


PREFIXES: Mapping[Callable[..., Arrays], str] = {
    network_curves: "network",
    curves_and_drift: "width",
}
"""How the quantities of a computation begin."""


def network_cell(
    task: Configuration,
    net: Configuration,
    training: Configuration,
    after: Sequence[Configuration] = (),
) -> Configuration:
    """A configuration of `network_curves`."""
    return dict(task, net=net, **training, after=after)


def ladder(
    task: Configuration,
    net: Configuration,
    training: Configuration,
    *parts: tuple[Sequence[int], int],
) -> list[Configuration]:
    """Cells of one learning curve, one per (sizes, steps): networks on fewer samples need fewer
    steps.
    """
    return [
        network_cell(dict(task, sizes=sizes), net, dict(training, steps=steps))
        for sizes, steps in parts
    ]


def kernel_cell(
    networks: Sequence[Configuration], kernel: str, **changes: Any
) -> Configuration:
    """The configuration of a kernel, INITIAL or INFINITE, beside the cells of one learning curve;
    `changes` of the net.

    >>> cells = ladder(DIGITS, CNN, ADAM, ([128], 600), ([256], 1200))
    >>> cell = kernel_cell(cells, INFINITE, width=8)
    >>> cell["sizes"], cell["net"]["width"], cell["kernel"]
    ([128, 256], 8, 'infinite')
    """
    first = networks[0]
    sizes = [size for cell in networks for size in cell["sizes"]]
    return dict(
        task=first["task"],
        sizes=sizes,
        validation=first["validation"],
        test=first["test"],
        net=dict(first["net"], **changes),
        kernel=KERNELS[kernel],
    )


PARITY_CURVE = network_cell(PARITY, TWO_LAYERS, SHORT)
BASE = network_cell(DIGITS, CNN, LONGER)
LAZY = network_cell(
    dict(DIGITS, sizes=WINDOW),
    dict(CNN, label_scale=0.1, centred=True),
    {**ADAM, **EDGE},
)


@dataclass(frozen=True, eq=False)
class Setting:
    """A task with a network and the kernels beside it, as experiments of a claim.

    Args:
        name: in the names of hypotheses.
        label: in sentences.
        networks: learning curve of the network; several cells are one curve, with sizes in rising
            order.
        kernels: those of KERNELS that are measured.
        measures: how the quantities of the network begin.
        smallest: number of samples from which on exponents are read.
    """

    name: str
    label: str
    networks: Experiment
    kernels: Mapping[str, Experiment]
    measures: str = "network"
    smallest: int = 0

    def __str__(self) -> str:
        return self.label


@dataclass(frozen=True)
class Recipe:
    """What a setting consists of.

    Args:
        name, label, smallest: of the setting.
        quick, full: cells of its learning curve at each tier; full as quick where it is empty.
        kernels: those beside it, on the sizes of the curve.
        measure: `network_curves` or `curves_and_drift`.
    """

    name: str
    label: str
    quick: Sequence[Configuration]
    full: Sequence[Configuration] = ()
    kernels: tuple[str, ...] = (INITIAL, INFINITE)
    smallest: int = 0
    measure: Callable[..., Arrays] = network_curves


def add_kernels(
    claim: Claim,
    names: Sequence[str],
    quick: Sequence[Configuration],
    full: Sequence[Configuration] = (),
    block: int = 1,
) -> dict[str, Experiment]:
    """Adds the kernels of these names beside the cells of one learning curve, at each tier.

    At the full tier the kernel at infinite width is asked for as that of a network of width 16,
    whatever the width.
    """
    added = {}
    for name in names:
        few = [kernel_cell(quick, name)] if quick else []
        changes = dict(width=16) if name == INFINITE and full else {}
        many = [kernel_cell(full or quick, name, **changes)]
        added[name] = claim.experiment(kernel_curves, few, full=many, block=block)
    return added


def add_setting(
    claim: Claim,
    recipe: Recipe,
    kernels: Mapping[str, Experiment] | None = None,
    *,
    block: int = 1,
) -> Setting:
    """Adds a setting to a claim.

    Args:
        claim: which gets its experiments.
        recipe: what it consists of.
        kernels: those that the claim has already.
        block: seeds per cell at the full tier.
    """
    known = dict(kernels or {})
    names = [name for name in recipe.kernels if name not in known]
    known |= add_kernels(claim, names, recipe.quick, recipe.full, block)
    networks = claim.experiment(
        recipe.measure, recipe.quick, full=tuple(recipe.full), block=block
    )
    return Setting(
        recipe.name,
        recipe.label,
        networks,
        known,
        PREFIXES[recipe.measure],
        recipe.smallest,
    )

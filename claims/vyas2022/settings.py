"""The settings of the claims on learning curves: what is learnt, by which network, and which kernels stand beside it.

Equal configurations are one cell in the store, whichever claim asks for it. So the claims on the gap share one learning
curve: a CNN of 16 channels on 1-D digits, trained by Adam, and the kernels beside it.

Sizes are lists, since a tuple among the changes of a tier is an axis.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from claims.vyas2022.curves import kernel_curves, network_curves
from harness.claim import Claim
from harness.experiment import Configuration, Experiment

INITIAL, INFINITE = "initial", "infinite-width"
KERNELS = {INITIAL: "init", INFINITE: "infinite"}
"""The kernels of a setting, and what a configuration of `kernel_curves` calls them."""

# Five classes of the generated 1-D digits against five; from 128 samples some networks learn nothing.
DIGITS = dict(task=dict(name="digits-1d"), sizes=[128, 256, 512, 1024], validation=300, test=1000)
WINDOW = [256, 512, 1024]
CNN = dict(family="cnn", width=16, sigma_b=0.1, strides=(4, 2, 2), label_scale=4.7, centred=False)
ADAM = dict(optimizer="adam", rate=0.01, batch_size=32, steps=1500, checks=30)
LONGER = dict(ADAM, steps=2000, checks=40)
EDGE = dict(optimizer="momentum", rate=0.1)  # of the edge 2 / lambda_max at the start

# The product of two of 30 signs, which a network finds and a kernel cannot single out.
PARITY = dict(task=dict(name="parity", inputs=30, order=2), sizes=[128, 256, 512], validation=300, test=1000)
TWO_LAYERS = dict(family="mlp", width=64, depth=1, sigma_b=0.1, label_scale=4.7, centred=False)
SHORT = dict(ADAM, steps=800)

WIDE = dict(CNN, width=64)
MLP = dict(TWO_LAYERS, width=128, depth=2)
FASHION = dict(
    task=dict(name="images", dataset="fashion-mnist", options={}, positive=(0, 2, 5, 6, 8), shrink=2),
    sizes=[64, 128, 256, 512],
    validation=300,
    test=1000,
)
DRAW = dict(FASHION, task=dict(name="ntk-draw", inputs=6, depth=2, noise=0.1))

# The full tier of the claim on both kernels, up to 32,768 samples, with which a kernel takes 30 GB, and as much of the
# device.
DOUBLINGS = [2**k for k in range(7, 16)]
LARGE = dict(DIGITS, sizes=DOUBLINGS[:8], validation=1000, test=4000)
LARGE_CNN = dict(CNN, width=64, strides=(2, 2, 2))
LARGE_FASHION = dict(
    task=dict(FASHION["task"], options=dict(part="train"), shrink=1), sizes=DOUBLINGS, validation=2000, test=8000
)


def network_cell(
    task: Configuration, net: Configuration, training: Configuration, after: Sequence[Configuration] = ()
) -> Configuration:
    """A configuration of `network_curves`."""
    return dict(task, net=net, **training, after=after)


def ladder(
    task: Configuration, net: Configuration, training: Configuration, *parts: tuple[Sequence[int], int]
) -> list[Configuration]:
    """Cells of one learning curve, one per (sizes, steps): networks on fewer samples need fewer steps."""
    return [network_cell(dict(task, sizes=sizes), net, dict(training, steps=steps)) for sizes, steps in parts]


def large(task: Configuration, net: Configuration, few: int = 4) -> list[Configuration]:
    """A learning curve of the full tier: 2,000 steps on the `few` smallest sizes, 20,000 on the others."""
    sizes = task["sizes"]
    return ladder(task, net, dict(ADAM, checks=50), (sizes[:few], 2_000), (sizes[few:], 20_000))


def kernel_cell(networks: Sequence[Configuration], kernel: str, **changes: Any) -> Configuration:
    """The configuration of a kernel, INITIAL or INFINITE, beside the cells of one learning curve; `changes` of the net.

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
LAZY = network_cell(dict(DIGITS, sizes=WINDOW), dict(CNN, label_scale=0.1, centred=True), {**ADAM, **EDGE})


@dataclass(frozen=True, eq=False)
class Setting:
    """A task with a network and the kernels beside it, as experiments of a claim.

    Args:
        name: in the names of hypotheses.
        label: in sentences.
        networks: learning curve of the network; several cells are one curve, with sizes in rising order.
        kernels: those of KERNELS that are measured.
        measures: how its quantities begin: "network", or "width" for `curves_and_drift`.
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
class Images:
    """A task on a data set that has to be fetched; "one-pass" where it has the images for that, else "fixed"."""

    label: str
    task: Configuration
    regime: str


def _images(label: str, dataset: str, positive: tuple[int, ...], **options: Any) -> Images:
    task = dict(name="images", dataset=dataset, options=options, positive=positive, shrink=1)
    return Images(label, task, "one-pass" if dataset == "cifar5m" else "fixed")


SOME_DIGITS, MOVED = (0, 2, 3, 6, 8), (0, 1, 2, 8, 9)
REAL: Mapping[str, Images] = {
    "mnist": _images("MNIST", "mnist", SOME_DIGITS, part="train"),
    "svhn": _images("SVHN", "svhn", SOME_DIGITS, part="train"),
    "cifar10": _images("CIFAR-10", "cifar10", MOVED, part="train"),
    "cifar5m": _images("CIFAR-5m", "cifar5m", MOVED, part="part0", n=100_000),
}
"""By data set, five classes against five: half of the digits; what moves by engine or wing against what walks."""


@dataclass(frozen=True)
class Recipe:
    """What a setting of the claim on both kernels consists of.

    Args:
        name, label: of the setting.
        quick, full: cells of its learning curve at each tier; full as quick where it is empty.
        kernels: those beside it, on the sizes of the curve.
    """

    name: str
    label: str
    quick: Sequence[Configuration]
    full: Sequence[Configuration] = ()
    kernels: tuple[str, ...] = (INITIAL, INFINITE)


def add_setting(claim: Claim, recipe: Recipe, kernels: Mapping[str, Experiment] | None = None) -> Setting:
    """Adds a setting to a claim whose full tier measures one seed per cell; `kernels` that are measured already.

    At the full tier the kernel at infinite width is asked for as that of a network of width 16, whatever the width.
    """
    quick, full = recipe.quick, recipe.full
    beside = dict(kernels or {})
    for kernel in recipe.kernels:
        few = [kernel_cell(quick, kernel)] if quick else []
        changes = dict(width=16) if kernel == INFINITE and full else {}
        many = [kernel_cell(full or quick, kernel, **changes)]
        if kernel not in beside:
            beside[kernel] = claim.experiment(kernel_curves, few, full=many, block=1)
    networks = claim.experiment(network_curves, quick, full=tuple(full), block=1)
    return Setting(recipe.name, recipe.label, networks, beside)


CNN_16 = Recipe("narrow", "1-D digits, CNN of 16 channels", [BASE], large(LARGE, CNN))
CNN_64 = Recipe(
    "wide",
    "1-D digits, CNN of 64 channels",
    ladder(DIGITS, WIDE, ADAM, ([128, 256, 512], 600), ([1024], 1200)),
    large(LARGE, dict(CNN, width=128)),
)
DIGITS_MLP = Recipe(
    "mlp",
    "1-D digits, MLP",
    [network_cell(dict(DIGITS, sizes=WINDOW), MLP, SHORT)],
    large(dict(LARGE, sizes=DOUBLINGS[1:8]), dict(MLP, width=512)),
)
FASHION_CNN = Recipe(
    "fashion_cnn",
    "Fashion-MNIST, CNN",
    [network_cell(dict(FASHION, sizes=[64, 128, 256]), dict(CNN, strides=(3, 2)), dict(ADAM, steps=1000))],
    large(LARGE_FASHION, LARGE_CNN),
    kernels=(INITIAL,),
)
FASHION_MLP = Recipe(
    "fashion_mlp",
    "Fashion-MNIST, MLP",
    [network_cell(FASHION, MLP, SHORT)],
    large(LARGE_FASHION, dict(MLP, width=512)),
)
SIGNS = Recipe("parity", "2-parity of 30 signs", [PARITY_CURVE])
NTK_DRAW = Recipe("draw", "draw from the NTK", [network_cell(DRAW, dict(MLP, sigma_b=None), SHORT)])
LAZY_CNN = Recipe("lazy", "1-D digits, lazy CNN of 16 channels", [LAZY], kernels=())


IMAGES = tuple(
    Recipe(
        name,
        f"{images.label}, CNN",
        [],
        large(dict(LARGE_FASHION, task=images.task, sizes=DOUBLINGS[2::2]), LARGE_CNN, few=1),
        kernels=(INITIAL,),
    )
    for name, images in REAL.items()
)


def on_images(
    dataset: str,
    net: Configuration,
    training: Configuration,
    *,
    sizes: Sequence[int] = (512, 2048, 8192),
    after: Sequence[Configuration] = (),
) -> Configuration:
    """A learning curve on a data set of REAL, of a CNN whose three convolutions have stride 2."""
    task = dict(task=REAL[dataset].task, sizes=sizes, validation=2000, test=8000)
    return network_cell(task, dict(net, strides=(2, 2, 2)), training, after)


def add_image_setting(
    claim: Claim, name: str, label: str, cell: Configuration, initial: Experiment | None = None, dtype: str = "float32"
) -> Setting:
    """Adds a setting of the full tier, two seeds per cell: this learning curve, and the kernel that it starts with."""
    kernel = [kernel_cell([cell], INITIAL)]
    beside = initial or claim.experiment(kernel_curves, (), full=kernel, block=2, dtype=dtype)
    return Setting(
        name, label, claim.experiment(network_curves, (), full=[cell], block=2, dtype=dtype), {INITIAL: beside}
    )

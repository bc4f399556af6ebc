"""The recipes of the settings that claims on the gap are decided on: see
`claims.vyas2022.settings`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from claims.vyas2022.settings import (
    ADAM,
    CNN,
    MLP,
    MOMENTUM,
    TWO_LAYERS,
    Recipe,
    network_cell,
)
from harness.experiment import Configuration

WINDOW = [256, 512, 1024]
DOUBLINGS = [2**k for k in range(8, 15)]
FAR = [256, 1024, 4096]
BUDGET = dict(ADAM, steps=3000, checks=60)
LARGE = dict(validation=2000, test=8000)
LONG = dict(steps=20_000, checks=200)

# Pairs of images: are both, or neither, worn above the waist?
FASHION = dict(dataset="fashion-mnist", options={}, shrink=2)
WORN_ABOVE = (0, 2, 3, 4, 6)
PAIR = dict(FASHION, name="pairs", positive=WORN_ABOVE, label="same")
ON_PAIRS = dict(task=PAIR, sizes=WINDOW, validation=500, test=1500)
BASE = network_cell(ON_PAIRS, MLP, BUDGET)
WIDE = dict(MLP, width=512)
ENLARGED = dict(LARGE, **LONG, net=WIDE, task=dict(PAIR, options=dict(part="train")))

PAIRS = Recipe(
    "pairs",
    "pairs of Fashion-MNIST images",
    [BASE, dict(BASE, sizes=[2048])],
    dict(ENLARGED, sizes=DOUBLINGS),
)
LONGER = Recipe(
    "longer",
    "pairs with 6,000 steps",
    [dict(BASE, sizes=[*WINDOW, 2048], steps=6000, checks=120)],
    dict(ENLARGED, sizes=DOUBLINGS, steps=60_000),
)
LAZY = Recipe(
    "lazy",
    "lazy network on pairs",
    [
        network_cell(
            ON_PAIRS,
            dict(MLP, label_scale=0.1, centred=True),
            dict(MOMENTUM, steps=2000, checks=40),
        )
    ],
    dict(ENLARGED, net=dict(WIDE, label_scale=0.1, centred=True), sizes=FAR),
)

# One image: five classes against five, a task of templates.
SINGLE = dict(FASHION, name="images", positive=(0, 2, 5, 6, 8))
PLAIN = Recipe(
    "plain",
    "single Fashion-MNIST images",
    [dict(BASE, task=SINGLE, sizes=[*WINDOW, 2048])],
    dict(
        ENLARGED,
        task=dict(SINGLE, options=dict(part="train")),
        sizes=[*DOUBLINGS, 2**15],
    ),
)

# Five classes of the generated 1-D digits against five.
DIGITS = Recipe(
    "digits",
    "1-D digits",
    [
        network_cell(
            dict(
                task=dict(name="digits-1d"),
                sizes=[512, 768, 1280, 2048],
                validation=500,
                test=1500,
            ),
            dict(CNN, width=32),
            BUDGET,
        )
    ],
    dict(LARGE, **LONG, net=dict(CNN, width=128), sizes=DOUBLINGS[1:]),
)

# The product of two signs, which a network finds and a kernel cannot single out.
SHORT = dict(ADAM, steps=800, checks=30)
HELD_OUT = dict(validation=300, test=1000)
SIGNS = Recipe(
    "parity",
    "2-parity of 30 signs",
    [
        network_cell(
            dict(
                HELD_OUT,
                task=dict(name="parity", inputs=30, order=2),
                sizes=[128, 256, 512],
            ),
            TWO_LAYERS,
            SHORT,
        )
    ],
)
DRAW = Recipe(
    "draw",
    "draw from the NTK",
    [
        network_cell(
            dict(
                HELD_OUT,
                task=dict(name="ntk-draw", inputs=6, depth=2, noise=0.1),
                sizes=[64, 128, 256, 512],
            ),
            dict(MLP, sigma_b=None),
            SHORT,
        )
    ],
)


# Of the claim on hyperparameters: one factor at a time; steps follow it, so that networks train.
def changed(name: str, label: str, **changes: Any) -> Recipe:
    """The learning curve of the pairs up to n = 1024 with some changes."""
    return Recipe(name, label, [dict(BASE, **changes)], dict(ENLARGED, sizes=FAR))


PLAIN_ADAM = Recipe("base", "Adam at rate 0.01, batches of 32", [BASE], PAIRS.full)
RATE_LOW = changed("rate_low", "Adam at rate 0.003", rate=0.003, steps=2500, checks=50)
RATE_HIGH = changed("rate_high", "Adam at rate 0.03", rate=0.03, steps=1500, checks=30)
BATCH_8 = changed("batch_8", "batches of 8", batch_size=8, steps=2500, checks=50)
BATCH_256 = changed("batch_256", "batches of 256", batch_size=256, steps=500, checks=20)
BY_MOMENTUM = changed(
    "momentum", "SGD with momentum", **MOMENTUM, steps=2000, checks=40
)
HYPERPARAMETERS = (RATE_LOW, PLAIN_ADAM, RATE_HIGH, BATCH_8, BATCH_256, BY_MOMENTUM)


# Of the claim on width.
def of_width(width: int, full: int) -> Recipe:
    """The learning curve of the pairs up to n = 1024 at a width of each tier."""
    return Recipe(
        f"width_{width}",
        f"{width} hidden units a layer (full tier: {full})",
        [dict(BASE, net=dict(MLP, width=width))],
        dict(ENLARGED, net=dict(MLP, width=full), sizes=DOUBLINGS),
    )


NARROW, MIDDLE, WIDER = of_width(32, 64), of_width(128, 512), of_width(256, 2048)


# Of the claim on kernels after training: the kernel of the network that was trained on so many
# samples, and "same": on as many as are regressed on.
FEW = 256
AFTER = Recipe(
    "after",
    "pairs of Fashion-MNIST images",
    [dict(BASE, steps=2000, checks=40, after=[FEW, "same"])],
    dict(ENLARGED, sizes=DOUBLINGS[:5]),
)
FROM_SIGNS = 16  # fewer than the 20 signs among which parity hides two
FEWER_SIGNS = dict(SIGNS.cells[0], task=dict(name="parity", inputs=20, order=2))
WIDE_LAYER = dict(TWO_LAYERS, width=128)
RICH = Recipe(
    "rich",
    "2-parity",
    [dict(FEWER_SIGNS, net=WIDE_LAYER, after=[FROM_SIGNS])],
)
KEPT = Recipe(
    "kept",
    "lazy 2-parity",
    [
        dict(
            RICH.cells[0],
            net=dict(WIDE_LAYER, label_scale=0.01, centred=True),
            **dict(MOMENTUM, rate=0.5, batch_size=None, steps=400, checks=80),
        )
    ],
)


@dataclass(frozen=True)
class Images:
    """A task on a data set that has to be fetched; "one-pass" where it has the images for that,
    else "fixed".
    """

    label: str
    task: Configuration
    regime: str


def _images(
    label: str,
    dataset: str,
    positive: tuple[int, ...],
    **options: Any,
) -> Images:
    task = dict(
        name="images", dataset=dataset, options=options, positive=positive, shrink=1
    )
    return Images(label, task, "one-pass" if dataset == "cifar5m" else "fixed")


SOME_DIGITS, MOVED = (0, 2, 3, 6, 8), (0, 1, 2, 8, 9)
REAL: Mapping[str, Images] = {
    "mnist": _images("MNIST", "mnist", SOME_DIGITS, part="train"),
    "svhn": _images("SVHN", "svhn", SOME_DIGITS, part="train"),
    "cifar10": _images("CIFAR-10", "cifar10", MOVED, part="train"),
    "cifar5m": _images("CIFAR-5m", "cifar5m", MOVED, part="part0", n=100_000),
}
"""By data set, five classes against five: half of the digits; what moves by engine or wing against
what walks.
"""


def on_images(
    dataset: str,
    name: str,
    label: str,
    sizes: Sequence[int] = (512, 2048, 8192),
    width: int = 64,
    **changes: Any,
) -> Recipe:
    """A setting of the full tier alone: a CNN of three convolutions with stride 2 on a data set of
    REAL.
    """
    net = dict(CNN, width=width, strides=(2, 2, 2))
    task = dict(LARGE, task=REAL[dataset].task, sizes=list(sizes))
    cell = network_cell(task, net, {**ADAM, **LONG}, **changes)
    return Recipe(name, f"{REAL[dataset].label}, {label}", [], [cell])


# Of the full tier: the pairs again, asked for the left image whatever the right one is.
LEFT_PAIR = dict(ENLARGED["task"], label="left")
LEFT = Recipe(
    "left",
    "left image of a pair, MLP",
    [],
    [{**BASE, **ENLARGED, "task": LEFT_PAIR, "sizes": DOUBLINGS}],
)
OTHERS = [LEFT]
OTHERS += [
    on_images(name, name, "CNN", sizes=(512, 2048, 8192, 32_768)) for name in REAL
]
CIFAR_HYPERPARAMETERS = (
    on_images("cifar10", "base", "Adam at rate 0.01"),
    on_images("cifar10", "rate_low", "Adam at rate 0.003", rate=0.003),
    on_images("cifar10", "momentum", "SGD with momentum", **MOMENTUM),
)
CIFAR_WIDTHS = (
    on_images("cifar10", "narrow", "16 channels", width=16),
    on_images("cifar10", "middle", "64 channels", width=64),
    on_images("cifar10", "wide", "128 channels", width=128),
)
CIFAR_FEW = 2048
CIFAR_AFTER = on_images(
    "cifar10", "cifar10", "CNN", sizes=(2048, 4096, 8192), after=[CIFAR_FEW]
)

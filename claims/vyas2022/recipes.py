"""The recipes of the settings that claims on the gap are decided on, by claim: see
`claims.vyas2022.settings`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from claims.vyas2022.curves import curves_and_drift
from claims.vyas2022.settings import (
    ADAM,
    BASE,
    CNN,
    DIGITS,
    EDGE,
    INITIAL,
    LAZY,
    LONGER,
    PARITY,
    PARITY_CURVE,
    SHORT,
    TWO_LAYERS,
    WINDOW,
    Recipe,
    ladder,
    network_cell,
)
from harness.experiment import Configuration

WIDE = dict(CNN, width=64)
MLP = dict(TWO_LAYERS, width=128, depth=2)
FASHION = dict(
    task=dict(
        name="images",
        dataset="fashion-mnist",
        options={},
        positive=(0, 2, 5, 6, 8),
        shrink=2,
    ),
    sizes=[64, 128, 256, 512],
    validation=300,
    test=1000,
)
DRAW = dict(FASHION, task=dict(name="ntk-draw", inputs=6, depth=2, noise=0.1))

# The full tier of the claim on both kernels, up to 32,768 samples, with which a kernel takes 30 GB,
# and as much of the device.
DOUBLINGS = [2**k for k in range(7, 16)]
LARGE = dict(DIGITS, sizes=DOUBLINGS[:8], validation=1000, test=4000)
LARGE_CNN = dict(CNN, width=64, strides=(2, 2, 2))
LARGE_FASHION = dict(
    task=dict(FASHION["task"], options=dict(part="train"), shrink=1),
    sizes=DOUBLINGS,
    validation=2000,
    test=8000,
)


def large(task: Configuration, net: Configuration, few: int = 4) -> list[Configuration]:
    """A learning curve of the full tier: 2,000 steps on the `few` smallest sizes, 20,000 on the
    others.
    """
    sizes = task["sizes"]
    return ladder(
        task, net, dict(ADAM, checks=50), (sizes[:few], 2_000), (sizes[few:], 20_000)
    )


# Of the claim on both kernels.
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
    [
        network_cell(
            dict(FASHION, sizes=[64, 128, 256]),
            dict(CNN, strides=(3, 2)),
            dict(ADAM, steps=1000),
        )
    ],
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
NTK_DRAW = Recipe(
    "draw", "draw from the NTK", [network_cell(DRAW, dict(MLP, sigma_b=None), SHORT)]
)
LAZY_CNN = Recipe("lazy", "1-D digits, lazy CNN of 16 channels", [LAZY], kernels=())

AVERAGE_OF_16 = dict(DIGITS, sizes=[128, 256], net=CNN, kernel="average-16")


@dataclass(frozen=True)
class Images:
    """A task on a data set that has to be fetched; "one-pass" where it has the images for that,
    else "fixed".
    """

    label: str
    task: Configuration
    regime: str


def _images(
    label: str, dataset: str, positive: tuple[int, ...], **options: Any
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
    net: Configuration,
    training: Configuration,
    *,
    sizes: Sequence[int] = (512, 2048, 8192),
    after: Sequence[Configuration] = (),
) -> Configuration:
    """A learning curve on a data set of REAL, of a CNN whose three convolutions have stride 2."""
    task = dict(task=REAL[dataset].task, sizes=sizes, validation=2000, test=8000)
    return network_cell(task, dict(net, strides=(2, 2, 2)), training, after)


IMAGES = tuple(
    Recipe(
        name,
        f"{images.label}, CNN",
        [],
        large(
            dict(LARGE_FASHION, task=images.task, sizes=DOUBLINGS[2::2]),
            LARGE_CNN,
            few=1,
        ),
        kernels=(INITIAL,),
    )
    for name, images in REAL.items()
)


# Of the claim on hyperparameters: the base with some changes; steps follow them, so that networks
# are trained.
LONG = dict(steps=20_000, checks=100)
ENLARGED = dict(validation=2000, test=10_000, **LONG)
FAR = [256, 1024, 4096]


def changed(name: str, label: str, full: Configuration, **changes: Any) -> Recipe:
    """The base with some changes, and what the full tier changes besides; exponents are read where
    networks learn.
    """
    quick = dict(BASE, **changes)
    many = {**quick, **ENLARGED, "net": dict(CNN, width=64), **full}
    return Recipe(name, label, [quick], [many], smallest=256)


RATE_LOW = changed(
    "rate_low",
    "Adam at rate 0.003",
    dict(sizes=FAR, steps=40_000, checks=200),
    sizes=WINDOW,
    rate=0.003,
)
PLAIN = changed("base", "Adam at rate 0.01, batches of 32", dict(sizes=DOUBLINGS[:6]))
RATE_HIGH = changed(
    "rate_high", "Adam at rate 0.03", dict(sizes=FAR), sizes=WINDOW, rate=0.03
)
BATCH_256 = changed(
    "batch_256",
    "Batches of 256",
    dict(sizes=FAR),
    sizes=WINDOW,
    batch_size=256,
    steps=600,
)
FULL_BATCH = changed(
    "batch_full",
    "Full batch",
    dict(steps=2000, checks=40),
    sizes=WINDOW,
    batch_size=None,
    steps=300,
)
MOMENTUM = changed(
    "momentum", "SGD with momentum", dict(sizes=FAR), sizes=WINDOW, **EDGE
)
LAZY_MOMENTUM = Recipe(
    "lazy",
    "lazy network",
    [LAZY],
    [{**LAZY, **ENLARGED, "net": dict(LAZY["net"], width=64), "sizes": FAR}],
    kernels=(),
    smallest=256,
)
SIGNS_INITIAL = Recipe(
    "parity", "2-parity of 30 signs", [PARITY_CURVE], kernels=(INITIAL,)
)


def on_cifar10(name: str, label: str, net: Configuration, **training: Any) -> Recipe:
    """A setting of the full tier on CIFAR-10."""
    cell = on_images("cifar10", net, {**ADAM, **LONG, **training})
    return Recipe(name, f"CIFAR-10, {label}", [], [cell], kernels=(INITIAL,))


CIFAR_10 = (
    on_cifar10("rate_low", "Adam at rate 0.003", WIDE, rate=0.003),
    on_cifar10("base", "Adam at rate 0.01, batches of 32", WIDE),
    on_cifar10("momentum", "SGD with momentum", WIDE, **EDGE),
)


# Of the claim on width: as in practice at every width, and in the lazy limit.
PRACTICE = dict(DIGITS, sizes=WINDOW, net=CNN, **ADAM, probe=256)
LARGER = dict(sizes=[256, 512, 1024, 2048], validation=2000, test=10_000, steps=5000)


def widened(cell: Configuration, width: int, **changes: Any) -> Configuration:
    """The cell at another width."""
    return {**cell, **changes, "net": dict(cell["net"], width=width)}


def practice(name: str, width: int, full: int) -> Recipe:
    """Trained as in practice, at a width of each tier; the drift of the kernel is measured too."""
    return Recipe(
        name,
        f"{width} channels (full tier: {full})",
        [widened(PRACTICE, width)],
        [widened(PRACTICE, full, **LARGER)],
        measure=curves_and_drift,
    )


def lazy(name: str, width: int, full: int) -> Recipe:
    """Near the lazy limit: small labels, f - f_0, SGD with momentum."""
    return Recipe(
        name,
        f"lazy, {width} channels (full tier: {full})",
        [widened(LAZY, width)],
        [widened(LAZY, full, **LARGER)],
        kernels=(),
    )


NARROW, MIDDLE, WIDER = (
    practice("narrow", 8, 16),
    practice("middle", 16, 64),
    practice("wide", 32, 128),
)
LAZY_MIDDLE, LAZY_WIDER = lazy("lazy_middle", 16, 64), lazy("lazy_wide", 32, 128)
CIFAR_10_WIDTHS = (
    on_cifar10("narrow", "16 channels", dict(CNN, width=16)),
    on_cifar10("middle", "64 channels", dict(CNN, width=64)),
    on_cifar10("wide", "128 channels", dict(CNN, width=128)),
)


# Of the claim on kernels after training, from 256 samples on: what follows of the network after how
# much training.
FEW = 256
REUSED = dict(pretrained=FEW, reused=True, reference="zero")
CORRECTED = dict(pretrained=FEW, reused=True, reference="net")
HELD_OUT = dict(pretrained=FEW, reused=False, reference="zero")
SAME = dict(pretrained="same", reused=True, reference="zero")
# fewer than the 20 signs among which parity hides two
FROM_16 = dict(REUSED, pretrained=16)
FROM_2048 = dict(REUSED, pretrained=2048)

AFTER = network_cell(
    dict(DIGITS, sizes=WINDOW), CNN, LONGER, after=(REUSED, CORRECTED, HELD_OUT, SAME)
)
LARGE_AFTER = dict(
    sizes=[256, 512, 1024, 2048, 4096],
    validation=2000,
    test=10_000,
    net=dict(CNN, width=64),
)

FEWER_SIGNS = dict(PARITY, task=dict(name="parity", inputs=20, order=2))
WIDE_LAYER = dict(TWO_LAYERS, width=128)
RICH_AFTER = network_cell(FEWER_SIGNS, WIDE_LAYER, SHORT, after=(FROM_16,))
LAZY_AFTER = network_cell(
    FEWER_SIGNS,
    dict(WIDE_LAYER, label_scale=0.01, centred=True),
    dict(optimizer="momentum", rate=0.5, batch_size=None, steps=400, checks=80),
    after=(FROM_16,),
)
CIFAR_AFTER = on_images(
    "cifar10", WIDE, {**ADAM, **LONG}, sizes=[2048, 4096, 8192], after=(FROM_2048,)
)

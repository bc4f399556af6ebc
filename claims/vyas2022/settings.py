"""Test beds: a task with a network and its kernels, their learning curves, and how much faster the network's falls.

A bed names the cells of `harness.learning` that it is measured by; the functions ask measurements for them.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from harness.experiment import Absent, Configuration, Measurements, measured
from harness.plots import Figure, Series

KERNELS = {"init": "the empirical NTK at initialisation", "infinite": "the NTK at infinite width"}


class Images(NamedTuple):
    """A task on a data set that has to be fetched; "one pass" where it has the images for that, else "fixed"."""

    label: str
    task: Configuration
    regime: str


def _images(label: str, dataset: str, positive: tuple[int, ...], **options: Any) -> Images:
    task = dict(name="images", dataset=dataset, options=options, positive=positive, shrink=1)
    return Images(label, task, "one pass" if dataset == "cifar5m" else "fixed")


_DIGITS, _MOVED = (0, 2, 3, 6, 8), (0, 1, 2, 8, 9)
REAL: Mapping[str, Images] = {
    "mnist": _images("MNIST", "mnist", _DIGITS, part="train"),
    "svhn": _images("SVHN", "svhn", _DIGITS, part="train"),
    "cifar10": _images("CIFAR-10", "cifar10", _MOVED, part="train"),
    "cifar5m": _images("CIFAR-5m", "cifar5m", _MOVED, part="part0", n=100_000),
}
"""By data set, five classes against five: half of the digits; what moves by engine or wing against what walks."""


class Bed(NamedTuple):
    """A task with a network.

    Args:
        label: in words.
        nets: cells of `network_curves`, between them one learning curve with sizes in rising order.
        init, infinite: cells of `kernel_curves`; None: not measured.
    """

    label: str
    nets: tuple[Configuration, ...]
    init: Configuration
    infinite: Configuration | None = None

    @property
    def kernels(self) -> list[str]:
        """Names of the kernels that are measured."""
        return [kernel for kernel in KERNELS if getattr(self, kernel)]


def ladder(
    task: Configuration, net: Configuration, training: Configuration, *parts: tuple[Sequence[int], int]
) -> tuple[Configuration, ...]:
    """Cells of one learning curve, one per (sizes, steps): networks on fewer samples need fewer steps."""
    return tuple(dict(task, sizes=n, net=net, **dict(training, steps=steps), after=()) for n, steps in parts)


def bed(label: str, task: Configuration, net: Configuration, training: Configuration) -> Bed:
    """A bed of one network cell and both kernels, all on the sizes of the task."""
    init, infinite = (dict(task, net=net, kernel=kernel) for kernel in KERNELS)
    return Bed(label, (dict(task, net=net, **training, after=()),), init, infinite)


def on_images(
    dataset: str,
    what: str,
    net: Configuration,
    training: Configuration,
    *,
    sizes: tuple[int, ...] = (512, 2048, 8192),
    after: tuple[Configuration, ...] = (),
) -> Bed:
    """A bed on a data set of REAL: a CNN whose three convolutions have stride 2, and the kernel that it starts with.

    `what` tells it in words from others on that set; `after`: kernels after training, as of `network_curves`.

    >>> on_images("svhn", "8 channels", dict(family="cnn", width=8), dict(rate=0.1)).label
    'SVHN, 8 channels'
    """
    task = dict(task=REAL[dataset].task, sizes=sizes, validation=2000, test=8000, net=dict(net, strides=(2, 2, 2)))
    return Bed(f"{REAL[dataset].label}, {what}", (dict(task, **training, after=after),), dict(task, kernel="init"))


def evolving(net: Configuration, *, steps: int, batch_size: int, **more: Any) -> tuple[tuple[Configuration, ...], ...]:
    """Cells of `kernel_evolution` on every data set of REAL, and cells of as many unrelated kernels.

    Their arms are named after the data sets; checkpoints are at the start, and at 20, 40, 80 and 100 % of the steps.
    """
    late = tuple(steps * tenths // 10 for tenths in (2, 4, 8, 10))
    plain = dict(net=net, steps=steps, batch_size=batch_size, schedule="constant", **more)
    trained = []
    for name, one in REAL.items():
        task, fixed = one.task, one.regime == "fixed"
        if not fixed:
            images = steps * batch_size + more["size"] + more["validation"] + more["test"]
            task = dict(task, options=dict(task["options"], n=images))
        regime = "fixed" if fixed else "one-pass"
        trained.append(dict(plain, task=task, arm=name, regime=regime, checkpoints=(0, *late)))
    return tuple(trained), tuple(dict(one, arm=f"{one['arm']}_strangers", checkpoints=late[1:]) for one in trained)


def unique(cells: Sequence[Configuration | None]) -> tuple[Configuration, ...]:
    """Each cell once, in order; what is None is left out.

    >>> unique([{"width": 8}, None, {"width": 4}, {"width": 8}])
    ({'width': 8}, {'width': 4})
    """
    return tuple(cell for n, cell in enumerate(cells) if cell is not None and cell not in cells[:n])


def network(m: Measurements, bed: Bed, metric: str = "loss") -> tuple[list[int], np.ndarray]:
    """Sizes, and the network's errors there, (seeds, sizes); metric "loss" (squared) or "error" (rate)."""
    parts = [m(f"network_{metric}", **cell) for cell in bed.nets]
    return [n for cell in bed.nets for n in cell["sizes"]], np.concatenate(parts, axis=1)


def kernel(m: Measurements, cell: Configuration, metric: str = "loss") -> tuple[list[int], np.ndarray]:
    """Sizes, and a kernel's errors there, (seeds, sizes)."""
    return list(cell["sizes"]), m(f"kernel_{metric}", **cell)


def pair(m: Measurements, bed: Bed, name: str, metric: str = "loss") -> tuple[list[int], np.ndarray]:
    """Sizes that the network and one of its kernels share, and ln(kernel / network) there, (seeds, sizes)."""
    (sizes, errors), (own, of_kernel) = network(m, bed, metric), kernel(m, getattr(bed, name), metric)
    shared = [n for n in sizes if n in own]
    above, below = of_kernel[:, [own.index(n) for n in shared]], errors[:, [sizes.index(n) for n in shared]]
    with np.errstate(divide="ignore", invalid="ignore"):  # an error of zero has no logarithm, and the effect says so
        return shared, np.log(above / below)


def slope(sizes: Sequence[int], logs: np.ndarray) -> np.ndarray:
    """Least-squares slope on ln n per seed, (seeds, sizes) -> (seeds,).

    Of ln(kernel / network) it is the difference of exponents, beta_network - beta_kernel of E ~ n^-beta.

    >>> slope([10, 100, 1000], np.log([[1.0, 2.0, 4.0]])).round(3)
    array([0.301])
    """
    x = np.log(sizes) - np.log(sizes).mean()
    return np.asarray(logs @ x / (x @ x))


def gap(m: Measurements, bed: Bed, name: str, metric: str = "loss") -> np.ndarray | Absent:
    """beta of the network minus beta of one of its kernels, per seed; Absent where the bed's data set is not there."""
    return measured(lambda: slope(*pair(m, bed, name, metric)))


def of_tier(m: Measurements, beds: Mapping[str, Bed]) -> dict[str, Bed]:
    """The beds that the tier has, be their data set there or not."""
    planned = [*m.configurations("network_loss"), *(cell for cell, _ in m.absent)]
    return {name: bed for name, bed in beds.items() if bed.nets[0] in planned}


def there(m: Measurements, beds: Mapping[str, Bed]) -> dict[str, Bed]:
    """The beds, all of the tier, whose data set is there."""
    return {name: bed for name, bed in beds.items() if not any(m.lacks(**cell) for cell in (*bed.nets, bed.init))}


def untrained(m: Measurements, beds: Mapping[str, Bed], loss: float, gain: float, spare: float) -> str:
    """Which networks of the beds are not trained, by `curve_gates.untrained`; "" if all are."""
    from harness.statistics import curve_gates  # here: a worker that loads a claim has NumPy alone

    told = (
        (bed.label, curve_gates.untrained(c["sizes"], m("train_loss", **c), m("gain", **c), loss, gain, spare))
        for bed in beds.values()
        for c in bed.nets
    )
    return " ".join(f"{label}: {said}" for label, said in told if said)


def line(label: str, sizes: Sequence[int], errors: np.ndarray) -> Series:
    """A learning curve for a figure, its exponent and the 95 % t interval of that in the label."""
    from harness.statistics.intervals import t_interval  # here: a worker that loads a claim has NumPy alone

    beta = -slope(sizes, np.log(errors))
    low, high = t_interval(beta, 0.025)
    return Series.of(f"{label} ({beta.mean():.2f} [{low:.2f}, {high:.2f}])", sizes, list(errors.T), log=True)


def drawn(
    m: Measurements,
    beds: Mapping[str, Bed],
    metric: str,
    note: str,
    trained: tuple[float, float, float],
    more: Callable[[Bed], Sequence[Series]] = lambda bed: (),
) -> tuple[Figure, ...]:
    """A figure of the learning curves of the beds that the tier has and whose data set is there; none: no figure.

    Its description is the note, and which networks are not `trained`, the loss, gain and share spared of `untrained`;
    `more`: lines of a bed beside those of its network and of its kernel at initialisation.
    """
    beds = there(m, of_tier(m, beds))
    lines = [one for bed in beds.values() for one in (line(bed.label, *network(m, bed, metric)), *more(bed))]
    for cell in unique([bed.init for bed in beds.values()]):
        label = f"kernel at initialisation, {cell['net']['width']} channels"
        lines.append(line(label, *kernel(m, cell, metric)))
    told = f"{note} In brackets the exponent, its mean and interval. {untrained(m, beds, *trained)}".strip()
    errors = {"error": "test error rate", "loss": "squared test error"}[metric]
    title = "Learning curves on other images"
    figure = Figure(title, told, "training samples n", errors, tuple(lines), log_x=True, log_y=True)
    return (figure,) if beds else ()

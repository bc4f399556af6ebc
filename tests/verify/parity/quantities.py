"""What is compared, on which networks, and how far the two devices may lie apart.

Weights, inputs, targets and noise are drawn in NumPy, so both devices are given the same numbers.
Networks are so wide that a GPU takes its fast paths for matrix products, TF32 among them where it
is not off.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from harness.backends import SGD, Adam, Backend, Stop
from harness.networks import Conv, Pool, cnn, from_callable, mlp, ntk_noise

NET = mlp((64, 256, 256, 4), "relu", sigma_b=0.1)
SMOOTH = mlp((64, 256, 256, 4), "erf", sigma_b=0.1)
ONE = mlp((64, 256, 256, 1), "relu", sigma_b=0.1)
IMAGES = cnn(
    (8, 8, 3),
    [Conv(64), Pool(2), Conv(64), Pool(None)],
    outputs=4,
    sigma_b=0.0,
    train_zero_biases=True,
)
PLAIN = mlp((256, 256), parametrization="standard", sigma_b=None)
FUNCTION = from_callable(
    lambda theta, x: (x @ theta["W"]) ** 2 @ theta["v"],
    inputs=64,
    outputs=4,
    initial=lambda rng: {
        "W": rng.standard_normal((64, 128)) / 8,
        "v": rng.standard_normal((128, 4)) / 128,
    },
)
SEEDS = range(2)

# Ten times what PyTorch and JAX were measured to differ by on one CPU, where they add in different
# orders too.
EXACT = "every sum has one term, and every product fits into float32"
SUMS = (
    "rounding in sums of up to 2,304 products, added in another order; "
    "measured on a CPU: 3e-7, 8e-16"
)
STEPS = (
    "such rounding, fed back through 20 steps, and units that switch a step earlier; "
    "measured on a CPU: 5e-5, 6e-14"
)
SERIES = (
    "such rounding, and arc tangents and square roots of the device's own; "
    "measured on a CPU: 3e-7, 4e-16"
)
SOLVE = (
    "rounding of float64 times the condition number of the kernel with the ridge; "
    "measured on a CPU: 1e-12"
)


@dataclass(frozen=True)
class Quantity:
    """A number of arrays that both devices compute.

    Args:
        name: for the table.
        compute: the arrays, from a backend.
        float32, float64: largest relative distance in the Frobenius norm, in each precision.
        why: of these tolerances.
    """

    name: str
    compute: Callable[[Backend], list[np.ndarray]]
    float32: float
    float64: float
    why: str


def drawn(*shape: int) -> np.ndarray:
    """Standard normal numbers; equal shapes, equal numbers."""
    return np.random.default_rng(shape).standard_normal(shape)


def exact_product(backend: Backend) -> list[np.ndarray]:
    """W x, one number 1 + 2^-12 in each row of W, x = 1 + 2^-11: exact in float32; TF32's 10 bits
    lose both.
    """
    weights = np.roll(np.eye(256), 7, axis=1) * (1 + 2.0**-12)
    return [backend.forward(PLAIN, {"W1": weights}, np.full((128, 256), 1 + 2.0**-11))]


def forward(backend: Backend) -> list[np.ndarray]:
    """f(x) of a perceptron and of a convolutional network."""
    perceptron = backend.forward(NET, NET.init(SEEDS), drawn(64, 64))
    return [perceptron, backend.forward(IMAGES, IMAGES.init(SEEDS), drawn(16, 192))]


def empirical_ntk(backend: Backend) -> list[np.ndarray]:
    """Traced and full, one set of samples and two."""
    theta, x1, x2 = NET.init(SEEDS), drawn(64, 64), drawn(32, 64)
    traced = [
        backend.empirical_ntk(NET, theta, x1),
        backend.empirical_ntk(NET, theta, x1, x2),
    ]
    return [*traced, backend.empirical_ntk(NET, theta, x2, outputs="full")]


def convolutional_ntk(backend: Backend) -> list[np.ndarray]:
    """Of a convolutional network."""
    return [backend.empirical_ntk(IMAGES, IMAGES.init(SEEDS), drawn(16, 192))]


def products(backend: Backend) -> list[np.ndarray]:
    """The kernel times a vector, and J^T times one."""
    theta, x, v = NET.init(SEEDS), drawn(64, 64), drawn(64, 4)
    gradient = backend.pullback(NET, theta, x, v)
    return [
        backend.ntk_vector_product(NET, theta, x, v),
        *(gradient[name] for name in sorted(gradient)),
    ]


def samples(backend: Backend) -> list[np.ndarray]:
    """The kernel of fresh networks without their weights."""
    return [backend.ntk_samples(ONE, drawn(64), ntk_noise(ONE, seed=0, draws=256))]


def descent(backend: Backend) -> list[np.ndarray]:
    """20 steps with momentum on all samples, and 20 of Adam on minibatches: losses, and how far the
    weights went.
    """
    x, y, found = drawn(64, 64), drawn(64, 4), []
    for optimizer, batch_size in ((SGD(0.1, momentum=0.9), None), (Adam(0.01), 16)):
        theta = NET.init(SEEDS)
        trained = backend.train(
            NET, theta, x, y, optimizer=optimizer, steps=20, batch_size=batch_size
        )
        found += [
            trained.losses,
            *(trained.theta[name] - theta[name] for name in sorted(theta)),
        ]
    return found


def classified(backend: Backend) -> list[np.ndarray]:
    """20 steps on cross-entropy with minibatches: losses, and how far the weights went."""
    x, labels, theta = drawn(64, 64), np.arange(64) % 4, NET.init(SEEDS)
    trained = backend.train(
        NET,
        theta,
        x,
        np.eye(4)[labels],
        loss="cross-entropy",
        optimizer=SGD(0.1, momentum=0.9),
        steps=20,
        batch_size=16,
    )
    moved = [trained.theta[name] - theta[name] for name in sorted(theta)]
    return [trained.losses, trained.loss, *moved]


def watched(backend: Backend) -> list[np.ndarray]:
    """20 steps on samples of each seed's own, watched: losses of validation, and the weights where
    they were lowest.
    """
    x, y, theta = drawn(2, 48, 64), drawn(2, 48, 4), NET.init(SEEDS)
    stop = Stop(validation=(x[:, :16], y[:, :16]), accuracy=1.0, every=5)
    trained = backend.train(
        NET,
        theta,
        x,
        y,
        optimizer=SGD(0.1),
        steps=20,
        batch_size=16,
        stop=stop,
        checkpoints=(10,),
    )
    return [
        trained.validation,
        trained.loss,
        *(trained.checkpoints[10][name] - theta[name] for name in sorted(theta)),
    ]


def function(backend: Backend) -> list[np.ndarray]:
    """A function of one's own, differentiated: outputs, kernels, J^T v, and 5 steps."""
    theta, x, v = FUNCTION.init(SEEDS), drawn(32, 64), drawn(32, 4)
    found = [
        backend.forward(FUNCTION, theta, x),
        backend.ntk_vector_product(FUNCTION, theta, x, v),
    ]
    found += [
        backend.empirical_ntk(FUNCTION, theta, x, outputs=outputs)
        for outputs in ("trace", "full")
    ]
    found += [backend.pullback(FUNCTION, theta, x, v)["W"]]
    return [
        *found,
        backend.train(
            FUNCTION, theta, x, v, optimizer=SGD(0.01), steps=5, batch_size=8
        ).losses,
    ]


def blocks(backend: Backend) -> list[np.ndarray]:
    """Kernels in many small blocks, of inputs that nearly coincide; between two times; of
    convolutions, in full.
    """
    small, x = replace(backend, memory_budget=2**21), drawn(32, 64)
    x[1], x[2], x[3] = x[0], -x[0], x[0] + 1e-6 * x[4]
    found = [
        small.empirical_ntk(NET, NET.init(SEEDS), x),
        small.infinite_ntk(NET, x),
        small.infinite_nngp(SMOOTH, x),
    ]
    found += [
        backend.empirical_ntk(NET, NET.init(SEEDS), x, theta2=NET.init(range(2, 4)))
    ]
    images = drawn(2, 3, 192)
    return [
        *found,
        backend.empirical_ntk(
            IMAGES, IMAGES.init(SEEDS), images, images[:, :2], outputs="full"
        ),
    ]


def infinite(backend: Backend) -> list[np.ndarray]:
    """NTK and NNGP at infinite width, with ReLU."""
    x1, x2 = drawn(64, 64), drawn(32, 64)
    return [
        backend.infinite_ntk(NET, x1),
        backend.infinite_ntk(NET, x1, x2),
        backend.infinite_nngp(NET, x1),
    ]


def infinite_smooth(backend: Backend) -> list[np.ndarray]:
    """The same with erf, and of a convolutional network."""
    return [
        backend.infinite_ntk(SMOOTH, drawn(64, 64)),
        backend.infinite_ntk(IMAGES, drawn(16, 192)),
    ]


def regression(backend: Backend) -> list[np.ndarray]:
    """Ridge regression by Cholesky, in float64 whatever the backend's precision."""
    inputs, targets = drawn(256, 64), drawn(256, 4)
    kernel = inputs @ inputs.T / 64
    return [backend.kernel_regression(kernel, targets, kernel[:32], ridge=(1e-3, 1e-1))]


QUANTITIES = (
    Quantity("exact product (TF32 is off)", exact_product, 0.0, 0.0, EXACT),
    Quantity("forward", forward, 3e-6, 1e-14, SUMS),
    Quantity("empirical NTK", empirical_ntk, 3e-6, 1e-14, SUMS),
    Quantity("empirical NTK, convolutions", convolutional_ntk, 3e-6, 1e-14, SUMS),
    Quantity("products with the kernel and J", products, 3e-6, 1e-14, SUMS),
    Quantity("NTK samples", samples, 3e-6, 1e-14, SUMS),
    Quantity("training", descent, 5e-4, 1e-12, STEPS),
    Quantity("training on cross-entropy", classified, 5e-4, 1e-12, STEPS),
    Quantity("training, watched", watched, 5e-4, 1e-12, STEPS),
    Quantity("a function of one's own", function, 3e-6, 1e-14, SUMS),
    Quantity("kernels in blocks", blocks, 3e-6, 1e-14, SUMS),
    Quantity("infinite-width kernels", infinite, 3e-6, 1e-14, SERIES),
    Quantity(
        "infinite-width kernels, erf and convolutions",
        infinite_smooth,
        3e-6,
        1e-14,
        SERIES,
    ),
    Quantity("kernel regression", regression, 1e-11, 1e-11, SOLVE),
)

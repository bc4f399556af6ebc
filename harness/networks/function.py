"""A network of your own: any function of weights and inputs, with its initial weights."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness import seeds
from harness.arrays import as_array
from harness.errors import InvalidInput
from harness.networks.network import Theta

# f(theta, x): theta name -> array of the framework, x (N, n_0), result (N, O).
Callables = Callable[..., Any] | Mapping[str, Callable[..., Any]]
Draw = Callable[[np.random.Generator], Mapping[str, Any]]


@dataclass(frozen=True, eq=False)
class Function:
    """A function as a network; build it with `from_callable`, which checks its arguments.

    It is equal to itself alone: a compiled version belongs to one Function, so make it once and
    keep it.

    Attributes:
        inputs: n_0; x is (N, n_0).
        outputs: O.
        shapes: parameter name -> shape, without a seed axis.
        functions: the callable for every backend, or backend name -> callable.
        draw: generator -> initial weights of one seed.
        fixed: whether these are the same whatever the seed.
    """

    inputs: int
    outputs: int
    shapes: dict[str, tuple[int, ...]]
    functions: Callables
    draw: Draw
    fixed: bool = False

    def of(self, backend: str) -> Callable[..., Any]:
        """The callable for a backend; raises InvalidInput if there is none."""
        if not isinstance(self.functions, Mapping):
            return self.functions
        if backend not in self.functions:
            raise InvalidInput(
                f"This function is given for {', '.join(self.functions)}, not for the {backend} "
                "backend. "
                f"Add functions={{{backend!r}: ...}} to networks.from_callable."
            )
        return self.functions[backend]

    def init(self, seed: int | Iterable[int]) -> Theta:
        """Initial weights: name -> float64 array, with a leading seed axis if `seed` is a sequence.

        Raises:
            InvalidInput: an empty sequence, a draw whose names or shapes are not those of the
                first, or more than one seed of a function whose initial weights are fixed.

        >>> net = from_callable(
        ...     lambda theta, x: x @ theta["w"],
        ...     inputs=3,
        ...     outputs=1,
        ...     initial=lambda rng: {"w": rng.standard_normal((3, 1))},
        ... )
        >>> many, one = net.init(range(5)), net.init(2)
        >>> many["w"].shape, bool((many["w"][2] == one["w"]).all())
        ((5, 3, 1), True)
        """
        if isinstance(seed, (int, np.integer)):
            return self._drawn(int(seed))
        thetas = [self._drawn(int(s)) for s in seed]
        if not thetas:
            raise InvalidInput("init needs at least one seed; got an empty sequence.")
        if self.fixed and len(thetas) > 1:
            raise InvalidInput(
                f"The initial weights of this function are fixed, so its {len(thetas)} seeds would "
                "be one network. "
                "Give networks.from_callable a function that draws them, initial=lambda rng: "
                "{name: array, ...}, or "
                "take one seed."
            )
        return {
            name: np.stack([theta[name] for theta in thetas]) for name in self.shapes
        }

    def _drawn(self, seed: int) -> Theta:
        theta = weights(self.draw(seeds.generator("weights", seed=seed)))
        found = {name: array.shape for name, array in theta.items()}
        if found != self.shapes:
            raise InvalidInput(
                f"initial must draw the same shapes for every seed, {self.shapes}; seed {seed}: "
                f"{found}."
            )
        return {name: theta[name] for name in self.shapes}


def from_callable(
    functions: Callables,
    *,
    inputs: int,
    outputs: int,
    initial: Mapping[str, Any] | Draw,
) -> Function:
    """A function of your own as a network: the backends differentiate it automatically.

    Args:
        functions: f(theta, x) with theta a dict name -> array of the framework, x (N, n_0) and
            result (N, O): one callable that keeps to what NumPy, PyTorch and JAX arrays share (`@`,
            `+`, `.T`, slices), or a mapping backend name -> callable. The row n of the result must
            depend on the row n of x alone, which is checked: a batch norm has to be in evaluation
            mode, dropout off. Its derivatives are taken for all seeds and samples at once where
            that agrees with plain differentiation, which is checked, too: docs/your-own.md. A
            PyTorch module, its buffers in the dtype and on the device of the backend, is `{"torch":
            lambda theta, x: torch.func.functional_call(module, theta, (x,))}`.
        inputs: n_0; images come flat, and the function gives them their shape.
        outputs: O.
        initial: name -> array, fixed weights, for one seed (of a module: `{name: p.detach().numpy()
            for name, p in module.named_parameters()}`); or a callable that draws such a mapping
            from the numpy.random.Generator of a seed. A nested tree of JAX has to be flattened to
            names. All that is named here counts in the kernel and is trained, whatever its
            `requires_grad`; leave out what is frozen (`if p.requires_grad`), and the module uses
            its own.

    Raises:
        InvalidInput: naming the argument, its value and what is allowed.

    >>> def f(theta, x):
    ...     return x**2 @ theta["W"].T + theta["b"]
    >>> net = from_callable(
    ...     f, inputs=3, outputs=2, initial={"W": np.ones((2, 3)), "b": np.zeros(2)}
    ... )
    >>> net.shapes
    {'W': (2, 3), 'b': (2,)}

    Θ(x, x') = <x², x'²> + 1 per output:

    >>> from harness import backends
    >>> kernel = backends.get("numpy").empirical_ntk(net, net.init(0), np.eye(3), outputs="full")
    >>> kernel[:, :, 0, 0].round(6)
    array([[2., 1., 1.],
           [1., 2., 1.],
           [1., 1., 2.]])
    """
    for name, size in {"inputs": inputs, "outputs": outputs}.items():
        if (
            not isinstance(size, (int, np.integer))
            or isinstance(size, bool)
            or size < 1
        ):
            raise InvalidInput(f"{name} must be a positive integer; got {size!r}.")
    given = (
        functions if isinstance(functions, Mapping) else {"every backend": functions}
    )
    if not given or not all(callable(function) for function in given.values()):
        raise InvalidInput(
            "functions must be a callable f(theta, x), or backend name -> callable; got "
            f"{functions!r}."
        )
    if callable(initial):
        draw = initial
    else:
        fixed = weights(initial)

        def draw(_: np.random.Generator) -> Mapping[str, Any]:
            return fixed

    shapes = {
        name: array.shape
        for name, array in weights(draw(seeds.generator("weights", seed=0))).items()
    }
    kept = dict(functions) if isinstance(functions, Mapping) else functions
    return Function(
        int(inputs), int(outputs), shapes, kept, draw, fixed=not callable(initial)
    )


def weights(initial: Mapping[str, Any]) -> Theta:
    """Initial weights as float64 arrays of their own; raises InvalidInput if they are none."""
    if not isinstance(initial, Mapping) or not initial:
        raise InvalidInput(
            f"initial must give name -> array for at least one parameter; got {initial!r}."
        )
    return {_name(name): _array(name, value) for name, value in initial.items()}


def _name(name: Any) -> str:
    if not isinstance(name, str):
        raise InvalidInput(
            f"initial must name its parameters by strings; got {name!r}."
        )
    return name


def _array(name: str, value: Any) -> np.ndarray:
    array = as_array(f"initial {name!r}", value)
    if array.size == 0 or array.dtype.kind not in "fiu" or not np.isfinite(array).all():
        raise InvalidInput(
            f"initial {name!r} must be a finite array of real numbers, not empty; got "
            f"{array.dtype} {array.shape}."
        )
    return array.astype(float)

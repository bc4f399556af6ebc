"""Networks written in a framework, and linearised ones, as `networks.Function`.

    from_module   a factory of PyTorch modules
    from_pair     a JAX pair: init(key) -> parameters, apply(parameters, x) -> outputs
    linearised    f_lin(theta, x) = f(theta_0, x) + J(theta_0, x) (theta - theta_0)

What needs a framework is in `torch_functions` and `jax_functions`, which are imported when called.
"""

import importlib
from collections.abc import Callable, Mapping
from math import prod
from types import ModuleType
from typing import Any

import numpy as np

from harness.backends.backend import Backend
from harness.errors import BackendUnavailable, InvalidInput
from harness.networks import Function, Network, Theta, from_callable

Shape = int | tuple[int, ...]


class DoesNotFit(InvalidInput):
    """A network failed on inputs of that shape, or gave outputs of another shape than (N, O)."""


def from_module(
    factory: Callable[[], Any], *, inputs: Shape, outputs: int | None = None
) -> Function:
    """A factory of PyTorch modules as a network, which draws its weights as the factory does.

    Each seed calls the factory once, with PyTorch's generator seeded from that seed; the caller's
    generator is left as it was. Parameters that require a gradient are weights. Frozen parameters
    and buffers are shared by all seeds, in the dtype and on the device of the backend; they must be
    the same in every module.

    Args:
        factory: takes nothing and returns a module in evaluation mode, or one without layers that
            are different in training.
        inputs: shape of one input as the module takes it, such as (1, 28, 28); n_0 is its product.
        outputs: O; None: found by a call on zeros.

    Raises:
        InvalidInput: if it is no factory, dropout is on, a batch norm is in training mode, what is
            frozen or a buffer is drawn anew, or the module does not give one tensor (N, O).
        BackendUnavailable: if PyTorch is not installed.
    """
    shape = shape_of(inputs)
    function, draw = _framework("torch").module(factory, shape)
    if outputs is None:
        outputs = _framework("torch").outputs_of(function, draw, prod(shape))
    return from_callable(
        {"torch": function}, inputs=prod(shape), outputs=outputs, initial=draw
    )


def from_pair(
    init: Callable[[Any], Any],
    apply: Callable[[Any, Any], Any],
    *,
    inputs: Shape,
    outputs: int | None = None,
) -> Function:
    """A JAX pair as a network: flax.linen and equinox models become one in a few lines.

    Args:
        init: a key of `jax.random` -> parameters, any tree of arrays. Arrays of integers and what
            is no array are kept as they are.
        apply: (parameters, x of shape (N, *inputs)) -> outputs (N, O).
        inputs, outputs: as in `from_module`.

    Raises:
        InvalidInput: if they are not functions, there is no parameter, or the result is not one
            array (N, O).
        BackendUnavailable: if JAX is not installed.
    """
    shape = shape_of(inputs)
    function, draw = _framework("jax").pair(init, apply, shape)
    if outputs is None:
        outputs = _framework("jax").outputs_of(function, draw, prod(shape))
    return from_callable(
        {"jax": function}, inputs=prod(shape), outputs=outputs, initial=draw
    )


def linearised(backend: Backend, net: Network | Function, theta: Theta) -> Function:
    """The network linearised at weights of one seed: its kernel does not depend on its weights.

    f_lin(theta', x) = f(theta, x) + J(theta, x) (theta' - theta) (Lee et al. 2019, eq. 5). It
    starts at theta, whatever the seed.

    Raises:
        InvalidInput: for weights with a seed axis, or a backend without automatic differentiation.

    >>> from harness import backends, networks, own
    >>> torch, net = backends.get("torch"), networks.mlp((3, 8, 2))
    >>> line = linearised(torch, net, net.init(0))
    >>> x, away = np.eye(3), {n: 2 * a for n, a in net.init(0).items()}
    >>> bool(np.allclose(torch.forward(line, net.init(0), x), torch.forward(net, net.init(0), x)))
    True
    >>> bool(np.allclose(torch.empirical_ntk(line, away, x), torch.empirical_ntk(net, net.init(0),
    ...     x)))
    True
    """
    if backend.name not in ("torch", "jax"):
        raise InvalidInput(
            f"A network is linearised by automatic differentiation, which the {backend.name} "
            "backend does not have. Take torch or jax."
        )
    for name, shape in net.shapes.items():
        found = np.shape(theta[name]) if name in theta else None
        if found != shape:
            raise InvalidInput(
                f"A network is linearised at weights of one seed; {name} must have shape {shape}, "
                f"got {found}."
            )
    function = _framework(backend.name).linearised(net, theta)
    return from_callable(
        {backend.name: function},
        inputs=net.inputs,
        outputs=net.outputs,
        initial=theta,
    )


def shape_of(inputs: Shape) -> tuple[int, ...]:
    """The shape of one input; raises InvalidInput if a size is not a positive integer."""
    sizes = inputs if isinstance(inputs, tuple) else (inputs,)
    integers = [isinstance(n, (int, np.integer)) and n > 0 for n in sizes]
    if not sizes or not all(integers):
        raise InvalidInput(
            "inputs must be a positive integer, or the shape of one input as a tuple of them; got "
            f"{inputs!r}."
        )
    return tuple(int(n) for n in sizes)


def checked_outputs(found: Any, samples: int) -> int:
    """O, if what a network returned is one array (N, O).

    Raises:
        InvalidInput: for a tuple or another container, and for other shapes.
    """
    if isinstance(found, tuple | list | Mapping) or not hasattr(found, "shape"):
        what = type(found).__name__
        size = f" of {len(found)}" if isinstance(found, tuple | list | Mapping) else ""
        raise InvalidInput(
            f"The network returns a {what}{size}; it must return one array of shape (N, outputs). "
            "Return the outputs alone, as in `return model(x)[0]`."
        )
    shape = tuple(found.shape)
    if len(shape) != 2 or shape[0] != samples:
        raise DoesNotFit(
            f"The network must return shape ({samples}, outputs) for {samples} inputs; got "
            f"{shape}."
        )
    return shape[1]


def _framework(name: str) -> ModuleType:
    try:
        return importlib.import_module(f"harness.own.{name}_functions")
    except ImportError as error:
        package = {"torch": "PyTorch", "jax": "JAX"}[name]
        raise BackendUnavailable(
            f"This network needs {package}, which is not installed. Install it: pip install "
            f"'ntk-claims[{name}]'."
        ) from error

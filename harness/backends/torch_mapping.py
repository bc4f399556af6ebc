"""PyTorch: derivatives of any function, mapped over seeds and samples, or one by one.

The mapped ways are fast. Some of PyTorch's batching rules are wrong for some shapes, and some are
missing; plain autograd is right there. The Jacobian of a sample is taken of a batch of that sample
alone, so samples cannot mix.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

import torch
from torch.func import jacrev, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel

from harness.backends.operations import Tensors
from harness.errors import InvalidInput

Tensor: TypeAlias = torch.Tensor
Callee: TypeAlias = Callable[[Tensors, Tensor], Tensor]
Forward: TypeAlias = Callable[[Callee, Tensors, Tensor], Tensor]


@contextmanager
def differentiable() -> Iterator[None]:
    """Attention as plain products, which can be mapped and differentiated twice; fused kernels
    cannot.
    """
    fast = torch.backends.mha.get_fastpath_enabled()
    try:
        torch.backends.mha.set_fastpath_enabled(False)
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


def call(f: Callee, theta: Tensors, x: Tensor) -> Tensor:
    """f(theta, x) on copies: a function may change its arguments in place."""
    return f({name: tensor.clone() for name, tensor in theta.items()}, x.clone())


def over_seeds(function: Callable[..., Any], theta: Tensors, x: Tensor) -> Any:
    """function(theta, x) of every seed; x has a seed axis of its own, or one entry that all seeds
    share.
    """
    shared = len(x) == 1
    # "different": a function that draws random numbers is refused by the check of samples, with its
    # reason.
    return vmap(function, in_dims=(0, None if shared else 0), randomness="different")(
        theta, x[0] if shared else x
    )


def each_seed(theta: Tensors, x: Tensor) -> Iterator[tuple[Tensors, Tensor]]:
    """Weights and inputs of one seed after another."""
    for s in range(len(next(iter(theta.values())))):
        yield (
            {name: tensor[s] for name, tensor in theta.items()},
            x[s if len(x) > 1 else 0],
        )


# f(x), (S, N, O).


def mapped_forward(f: Callee, theta: Tensors, x: Tensor) -> Tensor:
    """All seeds at once."""
    result: Tensor = over_seeds(lambda t, x: call(f, t, x), theta, x)
    return result


def forward_by_seed(f: Callee, theta: Tensors, x: Tensor) -> Tensor:
    """One seed after another."""
    return torch.stack(
        [call(f, weights, inputs) for weights, inputs in each_seed(theta, x)]
    )


# The Jacobian per parameter, name -> (S, N, O, size).


def mapped_jacobian(f: Callee, theta: Tensors, x: Tensor) -> Tensors:
    """All seeds, samples and outputs at once.

    With gradients switched on: without, PyTorch takes formulas that cannot be mapped for those that
    can (det).
    """

    def jacobian(theta: Tensors, x: Tensor) -> Tensors:
        rows: Tensors = jacrev(lambda t: call(f, t, x[None])[0])(theta)
        return rows

    samples = vmap(jacobian, in_dims=(None, 0), randomness="different")
    with torch.enable_grad():
        arrays = over_seeds(samples, theta, x)
    return {
        name: array.detach().reshape(*array.shape[:3], -1)
        for name, array in arrays.items()
    }


def jacobian_by_sample(f: Callee, theta: Tensors, x: Tensor) -> Tensors:
    """One seed, one sample and one output after another."""
    seeds = [
        [rows_of_sample(f, weights, inputs[n : n + 1]) for n in range(len(inputs))]
        for weights, inputs in each_seed(theta, x)
    ]
    return {
        name: torch.stack(
            [torch.stack([sample[k] for sample in samples]) for samples in seeds]
        )
        for k, name in enumerate(theta)
    }


def rows_of_sample(f: Callee, theta: Tensors, x: Tensor) -> list[Tensor]:
    """The Jacobian of one sample, x (1, n_0), per parameter: (O, size)."""
    with torch.enable_grad():
        leaves = leaves_of(theta)
        outputs = attached(call(f, leaves, x))[0]
        parameters = list(leaves.values())
        rows = [
            torch.autograd.grad(
                f_o, parameters, retain_graph=True, materialize_grads=True
            )
            for f_o in outputs
        ]
    return [
        torch.stack([row[k].reshape(-1) for row in rows])
        for k in range(len(parameters))
    ]


# J^T v and J u.


def pullback(
    forward: Forward, f: Callee, theta: Tensors, x: Tensor, *, v: Tensor
) -> Tensors:
    """J^T v, a sum over samples, shaped like the weights."""
    with torch.enable_grad():
        leaves = leaves_of(theta)
        outputs = attached(forward(f, leaves, x))
        gradient = torch.autograd.grad(
            outputs, list(leaves.values()), v, materialize_grads=True
        )
    return dict(zip(theta, gradient, strict=True))


def pushforward(
    forward: Forward, f: Callee, theta: Tensors, x: Tensor, *, tangent: Tensors
) -> Tensor:
    """J u, as the transpose of v -> J^T v: forward differentiation lacks more operations than
    reverse does.
    """
    with torch.enable_grad():
        leaves = leaves_of(theta)
        outputs = attached(forward(f, leaves, x))
        v = torch.zeros_like(outputs, requires_grad=True)
        parameters = list(leaves.values())
        gradient = torch.autograd.grad(
            outputs, parameters, v, create_graph=True, materialize_grads=True
        )
        product = sum(
            (g * tangent[name]).sum() for name, g in zip(theta, gradient, strict=True)
        )
        return torch.autograd.grad(product, v)[0]


def leaves_of(theta: Tensors) -> Tensors:
    """Weights by which autograd differentiates."""
    return {name: tensor.detach().requires_grad_() for name, tensor in theta.items()}


def attached(outputs: Tensor) -> Tensor:
    """The outputs, if autograd knows how they come from the weights."""
    if not outputs.requires_grad:
        raise InvalidInput(
            "The outputs of the function do not depend on theta as far as autograd sees. Does it "
            "use its own weights "
            "in place of theta, run under torch.no_grad, or detach? Compute the outputs from theta."
        )
    return outputs


PLAIN = {
    "AccumulateGrad",
    "Clone",
    "View",
    "UnsafeView",
    "ReshapeAlias",
    "T",
    "Transpose",
    "Select",
    "Slice",
    "Stack",
}
PLAIN |= {
    "Addmm",
    "Mm",
    "Bmm",
    "Add",
    "Sub",
    "Mul",
    "Div",
    "Unsqueeze",
    "Squeeze",
    "Expand",
    "Index",
}


def operations_of(outputs: Tensor) -> list[str]:
    """Names of what autograd recorded, without what every network has."""
    waiting, seen, names = [outputs.grad_fn], set(), set()
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        names.add(type(node).__name__.split("Backward")[0])
        waiting += [parent for parent, _ in node.next_functions]
    return sorted(names - PLAIN)

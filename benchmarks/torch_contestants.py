"""PyTorch: ours, the torch.func tutorial's Jacobian contraction, nngeometry, asdfghjkl."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn

from benchmarks.cases import Case
from benchmarks.contestant import (
    COPY,
    OURS,
    PRODUCT,
    Contestant,
    Run,
    no_solve,
    ours,
    refused,
    whole_jacobian,
    yardstick_size,
)
from harness.networks.layers import Activate, AveragePool, Convolution, Dense


def module(case: Case, device: str) -> nn.Sequential:
    """The network as PyTorch layers, with our weights; images are (N, channels, rows, columns)."""
    layers: list[nn.Module] = []
    for step in case.net.steps:
        match step:
            case Dense():
                layers += (
                    [nn.Flatten()]
                    if layers and isinstance(layers[-1], nn.AvgPool2d)
                    else []
                )
                layers.append(nn.Linear(step.fan_in, step.fan_out))
                assign(layers[-1], case.theta[step.weight], case.theta[step.bias])
            case Convolution():
                (top, bottom), (left, right) = step.padding
                assert (top, left) == (bottom, right)
                layers.append(
                    nn.Conv2d(
                        step.channels,
                        step.fan_out,
                        step.kernel,
                        step.stride,
                        (top, left),
                    )
                )
                weight = case.theta[step.weight].reshape(
                    step.fan_out, *step.kernel, step.channels
                )
                assign(layers[-1], weight.transpose(0, 3, 1, 2), case.theta[step.bias])
            case Activate():
                layers.append(nn.ReLU())
            case AveragePool():
                layers.append(nn.AvgPool2d(step.window))
    return nn.Sequential(*layers).to(device)


def assign(layer: nn.Module, weight: np.ndarray, bias: np.ndarray) -> None:
    """Replaces a layer's parameters."""
    layer.weight = nn.Parameter(torch.from_numpy(np.ascontiguousarray(weight)))
    layer.bias = nn.Parameter(torch.from_numpy(bias))


def inputs(case: Case, device: str) -> torch.Tensor:
    """The inputs in the shape that the module takes."""
    first = case.net.steps[0]
    x = torch.from_numpy(case.x).to(device)
    if isinstance(first, Convolution):
        x = (
            x.reshape(len(x), *first.grid, first.channels)
            .permute(0, 3, 1, 2)
            .contiguous()
        )
    return x


def jacobian_contraction(case: Case, device: str) -> Run:
    """The whole Jacobian by vmap(jacrev), contracted parameter by parameter, as in PyTorch's NTK
    tutorial.
    """
    net, x = module(case, device), inputs(case, device)
    parameters = {name: tensor.detach() for name, tensor in net.named_parameters()}
    equation = "Naf,Maf->NM" if case.outputs == "trace" else "Naf,Mbf->NMab"

    def single(weights: dict[str, torch.Tensor], sample: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(net, weights, (sample[None],))[0]

    jacobian = torch.func.vmap(torch.func.jacrev(single), (None, 0))

    def run() -> np.ndarray:
        terms = (block.flatten(2) for block in jacobian(parameters, x).values())
        return sum(torch.einsum(equation, term, term) for term in terms).cpu().numpy()

    return run


def nngeometry(case: Case, device: str) -> Run:
    """nngeometry's Gram matrix by hooks, all samples in one batch."""
    from nngeometry.gram import GramMatrix
    from torch.utils.data import DataLoader, TensorDataset

    net, x = module(case, device), inputs(case, device)
    net.requires_grad_()

    def run() -> np.ndarray:
        loader = DataLoader(TensorDataset(x.clone()), batch_size=len(x))
        kernel = GramMatrix(net, loader).data.detach().permute(1, 3, 0, 2)
        kernel = (
            kernel
            if case.outputs == "full"
            else kernel.diagonal(dim1=2, dim2=3).sum(-1)
        )
        return kernel.cpu().numpy()

    return run


def hadamard(case: Case, device: str) -> Run:
    """asdfghjkl's kernel per class from products of Grams, summed over classes."""
    from asdl.kernel import empirical_class_wise_hadamard_ntk

    net, x = module(case, device), inputs(case, device)
    return lambda: empirical_class_wise_hadamard_ntk(net, x).sum(-1).cpu().numpy()


def matrix_product(case: Case, device: str) -> Run:
    """A square product of the case's dtype."""
    n = yardstick_size(device)
    a, b = (
        torch.ones((n, n), dtype=getattr(torch, case.dtype), device=device)
        for _ in range(2)
    )
    return timed_on_device(lambda: a @ b, device)


def memory_copy(case: Case, device: str) -> Run:
    """A copy of an array far larger than the caches, into memory that is there already."""
    n = yardstick_size(device)
    a, b = (
        torch.ones((16, n, n), dtype=getattr(torch, case.dtype), device=device)
        for _ in range(2)
    )
    return timed_on_device(lambda: b.copy_(a), device)


def timed_on_device(work: Callable[[], torch.Tensor], device: str) -> Run:
    """Runs the work to its end, without moving the result to the host."""

    def run() -> np.ndarray:
        corner = work().flatten()[:1]
        return corner.cpu().numpy()  # waits

    return run


def peak_memory(device: str, run: Run) -> int | None:
    """Bytes at the peak of a run above its start, on a GPU; None: ask the operating system."""
    if device == "cpu":
        return None
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    run()
    return torch.cuda.max_memory_allocated() - before


def only_traces_of_many(case: Case) -> str | None:
    """nngeometry has the full kernel only: for one output the two are the same."""
    wasted = case.outputs == "trace" and case.net.outputs > 1
    return "computes the full kernel only" if wasted else None


def no_full_kernel(case: Case) -> str | None:
    """asdfghjkl has the diagonal over outputs only."""
    return "computes the diagonal over outputs only" if case.outputs == "full" else None


def contestants() -> tuple[Contestant, ...]:
    """All of them; ours first, since the others are compared with it."""
    any_case: Callable[[Any], None] = lambda case: None  # noqa: E731
    return (
        Contestant(OURS, partial(ours, "torch"), no_solve),
        Contestant(
            "torch.func",
            jacobian_contraction,
            lambda case: refused(case, whole_jacobian(case)),
        ),
        Contestant(
            "nngeometry",
            nngeometry,
            lambda case: refused(case, only_traces_of_many(case)),
        ),
        Contestant(
            "asdfghjkl", hadamard, lambda case: refused(case, no_full_kernel(case))
        ),
        Contestant(PRODUCT, matrix_product, any_case),
        Contestant(COPY, memory_copy, any_case),
    )

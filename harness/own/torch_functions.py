"""PyTorch: modules, and networks linearised at weights, as functions f(theta, x)."""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import torch
from torch.func import functional_call, vjp

from harness.backends.samplewise import first_line
from harness.backends.torch_layers import activations
from harness.errors import InvalidInput
from harness.networks import Function, Network, Theta
from harness.own.functions import DoesNotFit, checked_outputs

Tensor: TypeAlias = torch.Tensor
Callee: TypeAlias = Callable[[dict[str, Tensor], Tensor], Tensor]
Draw: TypeAlias = Callable[[np.random.Generator], dict[str, np.ndarray]]

DROPOUTS = torch.nn.modules.dropout._DropoutNd
NORMS = torch.nn.modules.batchnorm._BatchNorm


def module(factory: Callable[[], Any], shape: tuple[int, ...]) -> tuple[Callee, Draw]:
    """The function of a factory's modules, and what draws their weights."""
    first = _built(factory, 0)
    names = [name for name, weight in first.named_parameters() if weight.requires_grad]
    if not names:
        raise InvalidInput(
            "The module has no parameter that requires a gradient, so it has no kernel."
        )
    fixed = {
        name: tensor.detach()
        for name, tensor in (*first.named_parameters(), *first.named_buffers())
        if name not in names
    }
    _same_every_time(fixed, _built(factory, 1))

    def function(theta: dict[str, Tensor], x: Tensor) -> Tensor:
        constants = {name: _as(tensor, x) for name, tensor in fixed.items()}
        outputs: Tensor = functional_call(
            first, {**constants, **theta}, (x.reshape(len(x), *shape),)
        )
        checked_outputs(outputs, len(x))
        return outputs

    def draw(rng: np.random.Generator) -> dict[str, np.ndarray]:
        built = dict(_built(factory, int(rng.integers(2**63))).named_parameters())
        return {name: built[name].detach().cpu().double().numpy() for name in names}

    return function, draw


def outputs_of(function: Callee, draw: Draw, size: int) -> int:
    """O, by a call on zeros."""
    theta = {
        name: torch.from_numpy(array).float()
        for name, array in draw(np.random.default_rng(0)).items()
    }
    with torch.no_grad():
        try:
            return int(function(theta, torch.zeros(2, size)).shape[1])
        except InvalidInput:
            raise
        except Exception as error:  # whatever a module of someone else raises
            raise DoesNotFit(
                f"The module failed on two inputs: {first_line(error)}."
            ) from error


def _same_every_time(fixed: dict[str, Tensor], again: torch.nn.Module) -> None:
    """Refuses what is not trained and yet drawn: all seeds would share the first draw."""
    held = dict((*again.named_parameters(), *again.named_buffers()))
    for name, tensor in fixed.items():
        if name in held and not torch.equal(tensor, held[name].detach()):
            raise InvalidInput(
                f"{name!r} is frozen, or a buffer, and drawn anew for every module, so all seeds "
                "would share one draw of it. Train it, or make it the same every time."
            )


def _built(factory: Callable[[], Any], seed: int) -> torch.nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        built = factory()
    if not isinstance(built, torch.nn.Module):
        raise InvalidInput(
            f"The factory must return a torch.nn.Module; got {type(built).__name__}."
        )
    for name, layer in built.named_modules():
        check_layer(name or type(layer).__name__, layer)
    return built


def check_layer(name: str, layer: torch.nn.Module) -> None:
    """Refuses a layer whose outputs are random, or mix samples, in the mode that it is in."""
    advice = "Return the module in evaluation mode (module.eval())."
    dropped = getattr(layer, "p", 0.0) if isinstance(layer, DROPOUTS) else 0.0
    if layer.training and dropped > 0:
        raise InvalidInput(
            f"Dropout is on: layer {name!r} has p = {dropped} and is in training mode, so the "
            f"network is no function of its weights and inputs. {advice}"
        )
    if isinstance(layer, NORMS) and (layer.training or layer.running_mean is None):
        raise InvalidInput(
            f"The batch norm {name!r} is in training mode, or has no running statistics, so each "
            f"output depends on the other samples of its batch. {advice} Or take GroupNorm or "
            "LayerNorm."
        )


def _as(tensor: Tensor, x: Tensor) -> Tensor:
    """A constant on the device of x, and in its dtype if it is one of floats."""
    return tensor.to(x.device, x.dtype if tensor.is_floating_point() else tensor.dtype)


def linearised(net: Network | Function, start: Theta) -> Callee:
    """f(start, x) + J(start, x) (theta - start), J u as the transpose of v -> J^T v."""
    f = net.of("torch") if isinstance(net, Function) else _forward(net)
    fixed = {name: torch.from_numpy(np.array(array)) for name, array in start.items()}

    def function(theta: dict[str, Tensor], x: Tensor) -> Tensor:
        at = {name: tensor.to(theta[name]) for name, tensor in fixed.items()}
        change = {name: theta[name] - tensor for name, tensor in at.items()}
        with torch.enable_grad():
            outputs, transposed = vjp(lambda weights: f(weights, x), at)[:2]
            along = vjp(lambda v: transposed(v)[0], torch.zeros_like(outputs))[1]
            product: Tensor = along(change)[0]
        return outputs + product

    return function


def _forward(net: Network) -> Callee:
    def forward(theta: dict[str, Tensor], x: Tensor) -> Tensor:
        weights = {name: tensor[None] for name, tensor in theta.items()}
        outputs: Tensor = activations(net, weights, x[None])[1][0]
        return outputs

    return forward

"""The referee: neural-tangents, unmodified, recomputes what `oracle.ours` wrote, and says where the
two disagree.

    python -m tests.verify.oracle.theirs OURS.npz [--freeze REFERENCE.npz]

Exit code 1 if any entry of any network is off by more than 1e-10 (relative, Frobenius norm). With
--freeze, and if all agree, writes the inputs, the weights, neural-tangents' numbers and the
versions for the ordinary tests.
"""

import argparse
import contextlib
import io
import json
import platform
import sys
from importlib import metadata
from typing import Any

import jax

jax.config.update("jax_enable_x64", True)

import jax.numpy as jnp  # noqa: E402
import neural_tangents as nt  # noqa: E402
import numpy as np  # noqa: E402

from tests.verify.oracle.comparison import REPEATED, Arrays, compared  # noqa: E402
from tests.verify.oracle.stax_networks import diagonal_twin, images, network, parameters  # noqa: E402

INPUTS = ("x", "y", "times_empirical", "times_ntk")
PACKAGES = ("neural-tangents", "jax", "jaxlib", "numpy", "scipy")


def main() -> None:
    """Compares, reports, and freezes if asked to."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("ours")
    parser.add_argument("--freeze", metavar="REFERENCE.npz")
    arguments = parser.parse_args()
    with np.load(arguments.ours, allow_pickle=False) as file:
        ours = dict(file)
    architectures = json.loads(str(ours["architectures"]))
    frozen, complaints = (
        {"architectures": ours["architectures"], "versions": versions()},
        list[str](),
    )
    for name, architecture in architectures.items():
        entries = {
            key.removeprefix(f"{name}/"): ours[key]
            for key in ours
            if key.startswith(f"{name}/")
        }
        theirs = computed(architecture, entries)
        complaints += compared(name, entries, theirs)
        kept = {
            key: entries[key]
            for key in entries
            if key in INPUTS or key.startswith("theta/")
        }
        kept |= {
            key: array for key, array in theirs.items() if not key.startswith(REPEATED)
        }
        frozen |= {f"{name}/{key}": array for key, array in kept.items()}
    print(
        *complaints,
        f"{len(architectures)} networks, {len(complaints)} disagreements.",
        sep="\n",
    )
    if complaints:
        sys.exit(1)
    if arguments.freeze:
        np.savez_compressed(arguments.freeze, **frozen)


def versions() -> np.ndarray:
    """Versions of what computed the reference, as JSON."""
    found = {package: metadata.version(package) for package in PACKAGES}
    return np.array(json.dumps(found | {"python": platform.python_version()}))


def computed(architecture: dict[str, Any], ours: Arrays) -> Arrays:
    """neural-tangents' value of each of our entries; the empirical NTK per implementation."""
    init_fn, apply_fn, kernel_fn = network(architecture)
    x, y = images(architecture, ours["x"]), jnp.asarray(ours["y"])
    params = parameters(
        init_fn, x, {key[6:]: ours[key] for key in ours if key.startswith("theta/")}
    )
    start = apply_fn(params, x)
    found = {"outputs": start} | empirical(apply_fn, params, x)
    kernel = found["empirical"]
    found["flow_empirical"] = flow(
        kernel, y, ours["times_empirical"], start, trace_axes=()
    )
    if "ntk" in ours:
        found |= infinite(architecture, kernel_fn, x)
        found["flow_ntk"] = flow(
            found["ntk"], y, ours["times_ntk"], jnp.zeros_like(start), trace_axes=(-1,)
        )
    if "trained" in ours:
        found["trained"] = flow(kernel, y, None, start, trace_axes=())
    return {entry: np.asarray(array) for entry, array in found.items()}


def empirical(apply_fn: Any, params: Any, x: Any) -> dict[str, Any]:
    """The full empirical NTK by every implementation; the plainest, an explicit Jacobian, is
    `empirical`.
    """
    found = {}
    for implementation in nt.NtkImplementation:
        kernel_fn = nt.empirical_ntk_fn(
            apply_fn, trace_axes=(), vmap_axes=0, implementation=implementation
        )
        plain = implementation is nt.NtkImplementation.JACOBIAN_CONTRACTION
        with contextlib.redirect_stdout(
            io.StringIO()
        ):  # AUTO prints the costs that it weighs
            found["empirical" if plain else REPEATED + implementation.name] = kernel_fn(
                x, None, params
            )
    return found


def infinite(architecture: dict[str, Any], kernel_fn: Any, x: Any) -> dict[str, Any]:
    """NTK and NNGP at infinite width; the NTK's diagonal from its twin where there is one."""
    kernel, twin = kernel_fn(x, None, ("ntk", "nngp")), diagonal_twin(architecture)
    ntk = kernel.ntk
    if twin is not None:
        diagonal = jnp.arange(len(x))
        ntk = ntk.at[diagonal, diagonal].set(jnp.diag(twin(x, None, "ntk")))
    return {"ntk": ntk, "nngp": kernel.nngp}


def flow(
    kernel: Any,
    y: Any,
    times: np.ndarray | None,
    start: Any,
    *,
    trace_axes: tuple[int, ...],
) -> Any:
    """`predict` on all inputs, trained on the first; its loss is a mean over samples and outputs,
    hence y.size.
    """
    train = len(y)
    predict = nt.predict.gradient_descent_mse(
        kernel[:train, :train], y, trace_axes=trace_axes
    )
    scaled = None if times is None else jnp.asarray(times) * y.size
    _, result = predict(scaled, start[:train], start, kernel[:, :train])
    return result


if __name__ == "__main__":
    main()

"""Everything that a backend computes, it computes on its device.

Without a GPU: one of PyTorch's is simulated here.

For JAX the second of two CPU devices stands for it, in a process of its own. What is computed are
the quantities of `python -m tests.verify.parity`, by the branches for a GPU.
"""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from harness import backends
from harness.backends import Backend
from harness.networks import from_callable, mlp
from harness.sweep import devices, environment
from tests.verify.parity.comparison import compare
from tests.verify.parity.quantities import QUANTITIES

torch = pytest.importorskip("torch")

from torch.overrides import TorchFunctionMode  # noqa: E402 (only where there is PyTorch)
from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402
from torch.utils._pytree import tree_leaves, tree_map  # noqa: E402

from harness.backends.torch_backend import TorchOperations  # noqa: E402

ROOT = Path(__file__).parents[3]
COPIES = (torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default)
# Of PyTorch's documentation, torch.use_deterministic_algorithms: no deterministic kernel on CUDA,
# or none forward.
WITHOUT_DETERMINISTIC_KERNEL = (
    *(
        "cumsum",
        "histc",
        "bincount",
        "median.dim",
        "put_",
        "scatter_reduce",
        "nll_loss",
        "kthvalue",
        "grid_sampler",
    ),
    *(
        "upsample_",
        "reflection_pad",
        "adaptive_",
        "avg_pool3d_backward",
        "max_unpool",
        "fractional_max_pool",
    ),
    *("ctc_loss", "embedding_bag"),
)
# And those that have one, but are not deterministic without the switch.
SWITCHED = (
    "index_put",
    "index_add",
    "scatter_add",
    "index_copy",
    "gather",
    "index_backward",
    "embedding_dense_backward",
)


class OnGpu(torch.Tensor):
    """A tensor that says it is not on the CPU, holds its numbers there all the same, and does not
    mix with others.

    Its device is "meta", the one other that PyTorch's CPU build has; "cuda" is read as that inside
    of `Gpu`.
    """

    is_cuda = True
    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, held):
        layout = {
            "strides": held.stride(),
            "storage_offset": held.storage_offset(),
            "dtype": held.dtype,
        }
        made = torch.Tensor._make_wrapper_subclass(
            cls, held.shape, device="meta", **layout
        )
        made.held = held
        return made

    @classmethod
    def __torch_dispatch__(cls, operation, types, args=(), kwargs=None):
        return computed(operation, args, kwargs or {})


def computed(operation, args, kwargs):
    """The operation on the held numbers; its result is on the GPU if its arguments are, or if it is
    asked to be.
    """
    tensors = [
        leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)
    ]
    there = [tensor for tensor in tensors if isinstance(tensor, OnGpu)]
    here = [tensor for tensor in tensors if not isinstance(tensor, OnGpu)]
    if there and operation not in COPIES and any(tensor.dim() for tensor in here):
        raise RuntimeError(
            f"Expected all tensors to be on the same device; {operation} has some on cuda, some on "
            "cpu."
        )
    device = kwargs.get("device")
    gpu = isinstance(args[0], OnGpu) if operation is COPIES[1] else bool(there)
    gpu = gpu if device is None else torch.device(device).type == "meta"
    own = {id(tensor.held): tensor for tensor in there}
    args, kwargs = tree_map(
        lambda leaf: leaf.held if isinstance(leaf, OnGpu) else leaf, (args, kwargs)
    )
    result = operation(
        *args, **kwargs if device is None else {**kwargs, "device": torch.device("cpu")}
    )
    if not gpu:  # what comes off the GPU is a copy
        return tree_map(
            lambda leaf: (
                leaf.clone() if there and isinstance(leaf, torch.Tensor) else leaf
            ),
            result,
        )
    results = {
        id(leaf): leaf for leaf in tree_leaves(result) if isinstance(leaf, torch.Tensor)
    }
    own |= {name: OnGpu(leaf) for name, leaf in results.items() if name not in own}
    return tree_map(lambda leaf: own.get(id(leaf), leaf), result)


class Gpu(TorchDispatchMode):
    """Makes "cuda" a device; keeps the names of the operations that ran there."""

    def __init__(self):
        super().__init__()
        self.operations, self.numbered = set(), Numbered()

    def __enter__(self):
        self.numbered.__enter__()
        return super().__enter__()

    def __exit__(self, *exception):
        super().__exit__(*exception)
        self.numbered.__exit__(*exception)

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        result = computed(operation, args, kwargs or {})
        if any(isinstance(leaf, OnGpu) for leaf in tree_leaves((args, kwargs, result))):
            self.operations.add(str(operation).removeprefix("aten."))
        return result


class Numbered(TorchFunctionMode):
    """Reads "cuda" as the simulated device."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        args, kwargs = tree_map(
            lambda leaf: "meta" if isinstance(leaf, str) and leaf == "cuda" else leaf,
            (args, kwargs),
        )
        return function(*args, **kwargs or {})


def on_gpu(dtype):
    return Backend("torch", TorchOperations("cuda", dtype), 2**30)


@pytest.fixture
def gpu():
    return on_gpu("float32")


@pytest.mark.parametrize("dtype", backends.DTYPES)
@pytest.mark.parametrize("quantity", QUANTITIES, ids=lambda quantity: quantity.name)
def test_pytorch_computes_on_the_gpu_what_it_computes_on_the_cpu(quantity, dtype):
    with Gpu() as used:
        (found,) = compare(
            backends.get("torch", "cpu", dtype), on_gpu(dtype), [quantity]
        )
    assert found.agrees, found.line()
    assert used.operations - {"_to_copy.default"}, "nothing ran there"
    assert not [
        name
        for name in used.operations
        if name.startswith(WITHOUT_DETERMINISTIC_KERNEL)
    ]
    if (
        quantity.name != "kernels in blocks"
    ):  # distinct places, or equal numbers: see infinite_steps.Arrays.replaced
        assert not [name for name in used.operations if name.startswith(SWITCHED)]


def test_the_quantities_call_every_method_of_a_backend(monkeypatch):
    called = set()
    methods = [
        name
        for name in vars(Backend)
        if not name.startswith("_") and name not in ("device", "dtype")
    ]
    for name in methods:
        method = getattr(Backend, name, None)
        if callable(method):
            spy = lambda *args, name=name, method=method, **more: (  # noqa: E731
                called.add(name) or method(*args, **more)
            )
            monkeypatch.setattr(Backend, name, spy)
    for quantity in QUANTITIES:
        quantity.compute(backends.get("torch", "cpu", "float32"))
    assert called == set(methods) - {"name", "operations", "memory_budget"}


FORWARD, PUT = TorchOperations.forward, TorchOperations.put
LEAKS = {
    "a new tensor without a device": (
        "forward",
        lambda *given: FORWARD(*given) + torch.zeros(2),
    ),
    "an index without a device": (
        "forward",
        lambda *given: FORWARD(*given)[:, torch.arange(4)],
    ),
    "weights left in NumPy's memory": (
        "put",
        lambda self, a: torch.from_numpy(a + 0) if a.ndim == 2 else PUT(self, a),
    ),
    "everything left there": ("put", lambda self, array: torch.from_numpy(array + 0)),
    "a result that was not brought back": (
        "fetch",
        lambda self, tensor: tensor.numpy(),
    ),
}


def noticed(backend):
    """Whether the forward pass fails, or nothing of it ran on the GPU."""
    net = mlp((3, 2, 2), sigma_b=0.0)
    with Gpu() as used:
        try:
            backend.forward(net, net.init(range(2)), np.ones((4, 3)))
        except (RuntimeError, TypeError):
            return True
    return not used.operations


@pytest.mark.parametrize("leak", LEAKS)
def test_what_is_left_on_the_cpu_is_noticed(monkeypatch, leak):
    backend = on_gpu("float64")
    assert not noticed(backend)
    monkeypatch.setattr(TorchOperations, *LEAKS[leak])
    assert noticed(backend)


def switches():
    products = (
        torch.backends.cuda.matmul,
        torch.backends.cudnn.conv,
        torch.backends.cudnn.rnn,
    )
    return {
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "warn only": torch.is_deterministic_algorithms_warn_only_enabled(),
        "cudnn": (torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark),
        "fill": torch.utils.deterministic.fill_uninitialized_memory,
        "precision": {product.fp32_precision for product in products},
        "workspace": os.environ.get("CUBLAS_WORKSPACE_CONFIG"),
    }


def test_on_a_gpu_only_deterministic_kernels_in_full_precision(monkeypatch, gpu):
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", True)
    before = switches()
    with gpu.operations.session():
        inside = switches()
    with gpu.operations.autodiff().session():
        foreign = switches()
    assert inside == {
        "deterministic": True,
        "warn only": False,
        "cudnn": (True, False),
        "fill": False,
        "precision": {"ieee"},
        "workspace": ":4096:8",
    }
    assert foreign == inside | {"warn only": True}, (
        "a function of someone else's may have no such kernel"
    )
    assert switches() == before
    with backends.get("torch", "cpu").operations.session():
        assert switches() == before | {"precision": {"ieee"}}, (
            "results on a CPU stay as they are"
        )


def test_an_operation_without_a_deterministic_kernel_is_an_error_of_ours_and_a_warning_of_others(
    gpu,
):
    """`put_` has none on a CPU either, so PyTorch itself can be asked."""

    def scattered(theta, x):
        return x @ theta["w"].clone().put_(torch.tensor([0]), torch.ones(1))

    operations = gpu.operations
    with (
        operations.session(),
        pytest.raises(
            RuntimeError, match="put_ does not have a deterministic implementation"
        ),
    ):
        scattered({"w": torch.ones(3, 1)}, torch.ones(2, 3))
    with (
        operations.autodiff().session(),
        pytest.warns(UserWarning, match="put_ does not have a deterministic impl"),
    ):
        scattered({"w": torch.ones(3, 1)}, torch.ones(2, 3))


def test_buffers_of_a_function_have_to_be_on_the_device(gpu):
    buffer = torch.ones(3)
    net = from_callable(
        {"torch": lambda theta, x: (x * buffer) @ theta["w"]},
        inputs=3,
        outputs=1,
        initial={"w": [[1]] * 3},
    )
    with (
        Gpu(),
        pytest.raises(
            backends.InvalidInput,
            match=r"same device.*buffers in the dtype and on the device of the",
        ),
    ):
        gpu.forward(net, net.init(0), np.ones((2, 3)))


WATCHED = """
import contextlib
import sys
import jax
from harness.backends import Backend
from harness.backends.jax_backend import JaxOperations
from tests.verify.parity.quantities import QUANTITIES

first, second = jax.devices()
made, fetched = JaxOperations.__init__, JaxOperations.fetch


def init(self, device, dtype):
    made(self, device, dtype)
    self.device = "cuda"  # its branches are those for a GPU


def fetch(self, tensor):
    if isinstance(tensor, jax.Array):
        assert tensor.devices() == {second}, f"computed on {tensor.devices()}"
    return fetched(self, tensor)


JaxOperations.__init__, JaxOperations.fetch = init, fetch
jax.transfer_guard = lambda level: contextlib.nullcontext()  # a session allows all
jax.config.update("jax_transfer_guard_device_to_device", "disallow")
jax.config.update("jax_transfer_guard_host_to_device", "log_explicit")
backend = Backend("jax", JaxOperations(second, "float32"), 2**30)
exec(sys.argv[2])
for quantity in QUANTITIES[: int(sys.argv[1])]:
    quantity.compute(backend)
    left = [array.shape for array in jax.live_arrays() if array.devices() != {second}]
    assert not left, f"{quantity.name}: arrays on the first device, of shapes {left}"
print("all on the second device")
"""


def watched_jax(quantities, leak=""):
    """What a process says whose JAX has two devices, of which the second is the backend's."""
    pytest.importorskip("jax")
    # compiles sooner
    told = {
        "XLA_FLAGS": "--xla_force_host_platform_device_count=2 --xla_backend_optimization_level=0"
    }
    variables = environment.variables("cpu", threads=1, inherited=told)
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, str(quantities), leak],
        cwd=ROOT,
        env={**os.environ, **variables, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    transfers = [
        line for line in done.stderr.splitlines() if "host-to-device transfer:" in line
    ]
    return (
        done,
        [line for line in transfers if "id=0" in line],
        [line for line in transfers if "id=1" in line],
    )


def test_jax_computes_on_its_device_alone():
    done, to_first, to_second = watched_jax(len(QUANTITIES))
    assert done.stdout == "all on the second device\n", done.stderr[-2000:]
    assert to_first == []
    assert to_second, "JAX says no longer where arrays go; nothing was shown"


@pytest.mark.parametrize(
    "leak",
    [
        "import contextlib; JaxOperations.session = lambda self: contextlib.nullcontext()",
        "put = JaxOperations.put; JaxOperations.put = lambda self, a: jax.device_put(put(self, a), "
        "first)",
        "kept = []; put = JaxOperations.put\n"
        "JaxOperations.put = lambda self, a: (kept.append(jax.device_put(a[:1], first)), put(self, "
        "a))[1]",
    ],
    ids=["no device in force", "arrays put elsewhere", "a copy elsewhere"],
)
def test_what_jax_leaves_on_another_device_is_noticed(leak):
    done, to_first, _ = watched_jax(1, leak)
    assert done.returncode != 0 or to_first


# What a cell records


def test_a_cell_records_the_switches_in_force(gpu, monkeypatch, tmp_path):
    version = tmp_path / "version"
    version.write_text(
        "NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.65\nGCC version: 12\n"
    )
    monkeypatch.setattr(devices, "DRIVER", version)
    with gpu.operations.session():
        found = environment.in_force("cuda", {"torch": torch})
    assert (
        found.items()
        >= {
            "torch cuda.matmul": "ieee",
            "torch cudnn.conv": "ieee",
            "torch deterministic": "True",
            "torch cudnn": f"{torch.backends.cudnn.version()}, deterministic True, benchmark False",
            "nvidia driver": "NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.65",
        }.items()
    )
    cpu = backends.get("torch", "cpu")
    with cpu.operations.session():
        assert environment.in_force("cpu", {"torch": torch}) == {
            "torch mkldnn.matmul": "ieee",
            "torch mkldnn.conv": "ieee",
        }


def test_of_jax_its_precision_and_the_version_of_its_platform():
    device = SimpleNamespace(
        client=SimpleNamespace(platform_version="PJRT C API\ncuda 13000")
    )
    jax = SimpleNamespace(
        config=SimpleNamespace(jax_default_matmul_precision="highest"),
        devices=lambda: [device],
    )
    found = environment.in_force("cuda", {"jax": jax})
    assert found["jax default_matmul_precision"] == "highest"
    assert found["jax platform_version"] == "PJRT C API cuda 13000"
    assert environment.in_force("cpu", {"jax": jax}) == {
        "jax default_matmul_precision": "highest"
    }


@pytest.mark.parametrize(
    ("visible", "expected"),
    [
        ("-1", []),
        ("0,2,-1,1", ["0", "2"]),
        ("NoDevFiles", []),
        ("MIG-a1,MIG-b2", ["MIG-a1", "MIG-b2"]),
        ("GPU-8f, GPU-9a", ["GPU-8f", "GPU-9a"]),
    ],
)
def test_gpus_are_those_that_cuda_would_show(monkeypatch, visible, expected):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert devices.gpus() == expected

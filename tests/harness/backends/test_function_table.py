"""Operations of PyTorch and JAX: the kernel of a function of each is that of its Jacobian, or it is
refused.

The Jacobian is that of one sample and one output at a time by plain autograd, float64. PyTorch's
batching rules are wrong or missing for some of them, some only where a block has as many samples as
outputs: 2 and 2 here.
"""

import numpy as np
import pytest

from harness import backends
from harness.errors import InvalidInput
from harness.networks import from_callable

INPUTS, HIDDEN, OUTPUTS = 4, 8, 2
CLOSE = 1e-7
"""Relative, of kernels in float64: decompositions amplify rounding; a wrong rule is wrong by 1e-2
or more.
"""

# name -> an operation on (N, 8) features, in PyTorch's words; the result is flattened.
TORCH = {
    "relu": "F.relu(h)",
    "gelu": "F.gelu(h)",
    "silu": "F.silu(h)",
    "softplus": "F.softplus(h)",
    "elu": "F.elu(h)",
    "hardswish": "F.hardswish(h)",
    "mish": "F.mish(h)",
    "glu": "F.glu(h)",
    "softmax": "h.softmax(-1)",
    "log_softmax": "h.log_softmax(-1)",
    "PReLU": "F.prelu(h, p[:1])",
    "PReLU per channel": "F.prelu(h, p)",
    "rrelu, evaluated": "F.rrelu(h, training=False)",
    "dropout, evaluated": "F.dropout(h, training=False)",
    "linear": "F.linear(h, p.outer(p))",
    "bilinear": "F.bilinear(h, h, p.outer(p)[None])",
    "conv1d": "F.conv1d(h[:, None], p.view(2, 1, 4), padding=1)",
    "conv2d": "F.conv2d(h.view(-1, 1, 2, 4), p.view(2, 1, 2, 2))",
    "conv2d, grouped": "F.conv2d(h.view(-1, 2, 2, 2), p.view(2, 1, 2, 2), groups=2)",
    "conv2d, channels "
    "last": "F.conv2d(h.view(-1, 1, 2, 4).to(memory_format=torch.channels_last), p.view(2, 1, 2, "
    "2))",
    "conv3d": "F.conv3d(h.view(-1, 1, 2, 2, 2), p.view(1, 1, 2, 2, 2))",
    "conv_transpose1d": "F.conv_transpose1d(h[:, None], p.view(1, 2, 4))",
    "conv_transpose2d": "F.conv_transpose2d(h.view(-1, 1, 2, 4), p.view(1, 2, 2, 2))",
    "max_pool1d": "F.max_pool1d(h[:, None], 2)",
    "max_pool2d": "F.max_pool2d(h.view(-1, 1, 2, 4), 2)",
    "avg_pool1d": "F.avg_pool1d(h[:, None], 2)",
    "avg_pool2d": "F.avg_pool2d(h.view(-1, 1, 2, 4), 2)",
    "avg_pool3d": "F.avg_pool3d(h.view(-1, 1, 2, 2, 2), 2)",
    "lp_pool1d": "F.lp_pool1d(h[:, None].abs(), 3.0, 2)",
    "adaptive_avg_pool2d": "F.adaptive_avg_pool2d(h.view(-1, 1, 2, 4), (1, 3))",
    "adaptive_max_pool1d": "F.adaptive_max_pool1d(h[:, None], 3)",
    "layer_norm": "F.layer_norm(h, (8,), p)",
    "group_norm": "F.group_norm(h, 2, p)",
    "instance_norm": "F.instance_norm(h.view(-1, 2, 4))",
    "batch_norm, "
    "evaluated": "F.batch_norm(h, torch.zeros(8).double(), 2 * torch.ones(8).double(), p)",
    "local_response_norm": "F.local_response_norm(h.view(-1, 2, 4), 2)",
    "rms_norm": "F.rms_norm(h, (8,), p)",
    "normalize": "F.normalize(h)",
    "attention": "F.scaled_dot_product_attention(*[h.view(-1, 1, 4, 2)] * 3)",
    "embedding": "F.embedding((x > 0).long(), p.view(2, 4))",
    "embedding_bag": "F.embedding_bag((x > 0).long(), p.view(2, 4))",
    "gru cell": "torch.gru_cell(h, h[:, :2], torch.outer(p[:6], p), torch.outer(p[:6], p[:2]))",
    "lstm "
    "cell": "torch.lstm_cell(h, (h[:, :2], h[:, 2:4]), torch.outer(p, p), torch.outer(p, "
    "p[:2]))[0]",
    "det": "torch.linalg.det(h.view(-1, 2, 2, 2))",
    "slogdet": "torch.linalg.slogdet(h.view(-1, 2, 2, 2))[1]",
    "inv": "torch.linalg.inv(spd(h))",
    "pinv": "torch.linalg.pinv(spd(h))",
    "solve": "torch.linalg.solve(spd(h), h.view(-1, 4, 2))",
    "cholesky": "torch.linalg.cholesky(spd(h))",
    "qr": "torch.linalg.qr(spd(h))[1]",
    "svdvals": "torch.linalg.svdvals(spd(h))",
    "svd": "torch.linalg.svd(spd(h))[0].square()",
    "eigh": "torch.linalg.eigh(spd(h))[1].square()",
    "matrix_exp": "torch.linalg.matrix_exp(spd(h) / 10)",
    "sort": "h.sort(-1)[0]",
    "topk": "h.topk(3)[0]",
    "median": "h.median(-1)[0][:, None]",
    "kthvalue": "h.kthvalue(2)[0][:, None]",
    "cumsum": "h.cumsum(-1)",
    "cumprod": "h.cumprod(-1)",
    "cummax": "h.cummax(-1)[0]",
    "logcumsumexp": "h.logcumsumexp(-1)",
    "prod": "h.prod(-1, keepdim=True)",
    "amax, amin": "h.amax(-1, keepdim=True) - h.amin(-1, keepdim=True)",
    "max": "h.max(-1)[0][:, None]",
    "logsumexp": "h.logsumexp(-1, keepdim=True)",
    "norm": "h.norm(dim=-1, keepdim=True)",
    "norm, p = 3": "h.norm(3, dim=-1, keepdim=True)",
    "var": "h.var(-1, keepdim=True)",
    "cdist": "torch.cdist(h.view(-1, 4, 2), p.view(1, 4, 2))",
    "einsum": "torch.einsum('nij,nkj->nik', h.view(-1, 4, 2), h.view(-1, 4, 2))",
    "gather": "h.gather(1, h.argsort(-1))",
    "scatter": "torch.zeros_like(h).scatter(1, h.argsort(-1), h * p)",
    "scatter_add": "torch.zeros_like(h).scatter_add(1, h.argsort(-1) // 2, h)",
    "index_select": "h.index_select(1, torch.tensor([3, 1, 1]))",
    "index by a tensor": "h[:, torch.tensor([3, 1, 1])] * p[torch.tensor([0, 0, 2])]",
    "masked_fill": "h.masked_fill(h > 0.1, 2.0) * p",
    "where": "torch.where(h > 0, h, p)",
    "clamp": "h.clamp(-0.3, 0.4) + p",
    "maximum": "torch.maximum(h, p)",
    "fft": "torch.fft.rfft(h).abs()",
    "roll, flip": "h.roll(1, 1).flip(1) * p",
    "pad": "F.pad(h[:, None], (2, 1), mode='reflect')",
    "interpolate": "F.interpolate(h[:, None], scale_factor=2, mode='linear')",
    "bicubic": "F.interpolate(h.view(-1, 1, 2, 4), scale_factor=2, mode='bicubic')",
    "unfold": "F.unfold(h.view(-1, 1, 2, 4), 2)",
    "fold": "F.fold(h.view(-1, 4, 2), (2, 3), 2)",
    "pixel_shuffle": "F.pixel_shuffle(h.view(-1, 4, 1, 2), 2)",
    "grid_sample": "F.grid_sample(h.view(-1, 1, 2, 4), h.view(-1, 2, 2, 2).tanh(), "
    "align_corners=False)",
    "logdet of a kernel": "torch.logdet(spd(h))[:, None]",
    "in place on features": "h.clone().mul_(2.0).add_(p)",
    "in place on inputs": "x.mul_(2.0) * p[:4]",
    "in place on weights": "p.mul_(2.0) * h",
    "in place, slices": "put(h)",
    "checkpoint": "checkpoint(lambda a: (a * p).tanh(), h, use_reentrant=False)",
    "checkpoint, reentrant": "checkpoint(lambda a: (a * p).tanh(), h, use_reentrant=True)",
    "custom autograd.Function": "Cube.apply(h) * p",
    "a part that is detached": "h * p.detach() + p",
    "a shared weight, twice": "((h * p).tanh() * p).tanh() * p",
    "a python number read from theta": "h * p[0].item()",
    "a loop over samples": "torch.stack([row * p for row in h])",
    "a part under no_grad": "without(lambda: h * p)",
    "NumPy inside": "torch.from_numpy(np.tanh(h.numpy()))",
}
# What has no gradient that autograd could know.
REFUSED = {"NumPy inside", "checkpoint, reentrant"}


@pytest.fixture(scope="module")
def words():
    """What the operations above are written with."""
    torch = pytest.importorskip("torch")
    from torch.utils.checkpoint import checkpoint

    class Cube(torch.autograd.Function):
        @staticmethod
        def forward(ctx, h):
            ctx.save_for_backward(h)
            return h**3

        @staticmethod
        def backward(ctx, gradient):
            return 3 * ctx.saved_tensors[0] ** 2 * gradient

    def spd(h):
        a = h.view(-1, 4, 2)
        return a @ a.mT + torch.diag(torch.arange(1.0, 5.0, dtype=h.dtype))

    def put(h):
        result = h.clone()
        result[:, :3] = h[:, 3:6] ** 2
        return result

    def without(f):
        with torch.no_grad():
            return f()

    return {
        "torch": torch,
        "np": np,
        "F": torch.nn.functional,
        "checkpoint": checkpoint,
        "Cube": Cube,
        "spd": spd,
        "put": put,
        "without": without,
    }


def weights(seed):
    rng = np.random.default_rng(seed)
    shapes = {"W": (HIDDEN, INPUTS), "p": (HIDDEN,), "R": (64, OUTPUTS)}
    return {name: 0.5 * rng.standard_normal(shape) for name, shape in shapes.items()}


def around(operation):
    """The operation between a layer and a readout, for any framework."""

    def f(theta, x):
        h = x @ theta["W"].T + theta["p"]
        result = operation(h, theta["p"], x)
        result = result.reshape(len(x), -1)
        return result @ theta["R"][: result.shape[1]]

    return f


def true_jacobian(torch, f, theta, x):
    """(N, O, P), one sample and one output at a time."""
    samples = []
    for n in range(len(x)):
        leaves = {
            name: torch.tensor(array, requires_grad=True)
            for name, array in theta.items()
        }
        outputs = f(
            {name: leaf.clone() for name, leaf in leaves.items()},
            torch.tensor(x[n : n + 1]),
        )[0]
        rows = []
        for output in outputs:
            parts = torch.autograd.grad(
                output, list(leaves.values()), retain_graph=True, materialize_grads=True
            )
            rows.append(np.concatenate([part.numpy().ravel() for part in parts]))
        samples.append(np.stack(rows))
    return np.stack(samples)


def off(result, right):
    return np.abs(result - right).max() / np.abs(right).max()


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", TORCH)
def test_an_operation_of_pytorch_is_right_or_refused(words, name):
    torch, backend = words["torch"], backends.get("torch", "cpu", "float64")
    torch.set_num_threads(1)
    operation = eval(f"lambda h, p, x: {TORCH[name]}", words)
    f = around(operation)
    net = from_callable(
        {"torch": f}, inputs=INPUTS, outputs=OUTPUTS, initial=weights(0)
    )
    theta, rng = net.init(0), np.random.default_rng(1)
    x, v = (
        rng.standard_normal((OUTPUTS, INPUTS)),
        rng.standard_normal((OUTPUTS, OUTPUTS)),
    )
    if name in REFUSED:
        with pytest.raises(
            InvalidInput,
            match=r"function failed while|do not depend on theta|function failed on x",
        ):
            backend.empirical_ntk(net, theta, x)
        return
    jacobian = true_jacobian(torch, f, theta, x)
    kernel = np.einsum("nop,mqp->nmoq", jacobian, jacobian)
    assert off(backend.empirical_ntk(net, theta, x, outputs="full"), kernel) < CLOSE
    assert (
        off(
            backend.ntk_vector_product(net, theta, x, v),
            np.einsum("nmoq,mq->no", kernel, v),
        )
        < CLOSE
    )


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(
    "name", ["PReLU", "PReLU per channel", "det", "gru cell", "cumprod", "embedding"]
)
def test_of_many_seeds_outputs_and_training_are_those_of_each_alone(words, name):
    torch, backend = words["torch"], backends.get("torch", "cpu", "float64")
    f = around(eval(f"lambda h, p, x: {TORCH[name]}", words))
    net = from_callable(
        {"torch": f},
        inputs=INPUTS,
        outputs=OUTPUTS,
        initial=lambda rng: weights(int(rng.integers(2**31))),
    )
    rng, theta = np.random.default_rng(1), net.init(range(2))
    x, y = rng.standard_normal((2, INPUTS)), rng.standard_normal((2, OUTPUTS))
    many = backend.train(net, theta, x, y, optimizer=backends.SGD(0.01), steps=2).theta
    for seed in range(2):
        one = {n: array[seed] for n, array in theta.items()}
        outputs = f(
            {n: torch.tensor(array) for n, array in one.items()}, torch.tensor(x)
        ).numpy()
        assert off(backend.forward(net, theta, x)[seed], outputs) < CLOSE
        for _ in range(2):
            leaves = {
                n: torch.tensor(array, requires_grad=True) for n, array in one.items()
            }
            ((f(leaves, torch.tensor(x)) - torch.tensor(y)) ** 2).mean().backward()
            steps = {
                n: 0.01 * leaf.grad.numpy()
                for n, leaf in leaves.items()
                if leaf.grad is not None
            }
            one = {n: array - steps.get(n, 0.0) for n, array in one.items()}
        for n, array in one.items():
            assert off(many[n][seed], array) < CLOSE


def test_a_wrong_batching_rule_is_warned_of_by_name_and_no_budget_changes_the_kernel(
    words,
):
    backend = backends.get("torch", "cpu", "float64")
    f = around(lambda h, p, x: words["F"].prelu(h, p[:1]))
    x = np.random.default_rng(0).standard_normal((6, INPUTS))

    def kernel_within(budget):
        net = from_callable(
            {"torch": f}, inputs=INPUTS, outputs=OUTPUTS, initial=weights(0)
        )
        small = backends.Backend(backend.name, backend.operations, budget)
        return small.empirical_ntk(net, net.init(0), x)

    with pytest.warns(
        UserWarning,
        match=r"batched Jacobian of this function (differs|fails).*plain autograd.*Prelu",
    ):
        kernels = [kernel_within(budget) for budget in (1, 3000, 8000, 2**30)]
    for kernel in kernels:
        assert off(kernel, kernels[-1]) < 1e-13


@pytest.mark.parametrize("mode", ["no_grad", "inference_mode", "enable_grad"])
def test_the_mode_of_the_caller_does_not_matter(words, mode):
    torch, backend = words["torch"], backends.get("torch", "cpu", "float64")
    f = around(lambda h, p, x: torch.linalg.det(h.view(-1, 2, 2, 2)))
    net = from_callable(
        {"torch": f}, inputs=INPUTS, outputs=OUTPUTS, initial=weights(0)
    )
    x, y = np.random.default_rng(0).standard_normal((3, INPUTS)), np.zeros((3, OUTPUTS))
    right = true_jacobian(torch, f, net.init(0), x)
    with getattr(torch, mode)():
        kernel = backend.empirical_ntk(net, net.init(0), x)
        losses = backend.train(
            net, net.init(0), x, y, optimizer=backends.SGD(0.01), steps=3
        ).losses
    assert off(kernel, np.einsum("nop,mop->nm", right, right)) < 1e-12
    assert (np.diff(losses) < 0).all()


# JAX.

JAX = {
    "gelu": "jax.nn.gelu(h)",
    "PReLU": "jnp.where(h > 0, h, p[0] * h)",
    "conv2d": "jax.lax.conv(h.reshape(-1, 1, 2, 4), p.reshape(2, 1, 2, 2), (1, 1), 'VALID')",
    "conv_transpose": "jax.lax.conv_transpose(h[:, :, None], p.reshape(4, 1, 2), (2,), 'SAME')",
    "max pool": "jax.lax.reduce_window(h, -jnp.inf, jax.lax.max, (1, 2), (1, 2), 'VALID')",
    "layer norm": "(h - h.mean(-1, keepdims=True)) / h.std(-1, keepdims=True) * p",
    "attention": "jax.nn.dot_product_attention(*[h.reshape(-1, 4, 1, 2)] * 3)",
    "det": "jnp.linalg.det(h.reshape(-1, 2, 2, 2))",
    "slogdet": "jnp.linalg.slogdet(h.reshape(-1, 2, 2, 2))[1]",
    "solve": "jnp.linalg.solve(spd(h), h.reshape(-1, 4, 2))",
    "cholesky": "jnp.linalg.cholesky(spd(h))",
    "svdvals": "jnp.linalg.svd(spd(h), compute_uv=False)",
    "eigh": "jnp.linalg.eigh(spd(h))[1] ** 2",
    "sort": "jnp.sort(h)",
    "top_k": "jax.lax.top_k(h, 3)[0]",
    "cumprod": "jnp.cumprod(h, -1)",
    "prod": "h.prod(-1)",
    "logsumexp": "jax.nn.logsumexp(h, -1)",
    "norm": "jnp.linalg.norm(h, axis=-1)",
    "gather": "jnp.take_along_axis(h, jnp.argsort(h), 1)",
    "scatter": "jnp.zeros_like(h).at[:, jnp.array([3, 1])].add(h[:, :2]) + p",
    "fft": "jnp.abs(jnp.fft.rfft(h))",
    "scan": "jax.lax.scan(lambda c, a: (jnp.tanh(c + a * p[0]), c), h[:, 0], h.T)[1].T",
    "checkpoint": "jax.checkpoint(lambda a: jnp.tanh(a * p))(h)",
    "custom_vjp": "cube(h) * p",
    "stop_gradient": "h * jax.lax.stop_gradient(p) + p",
}


@pytest.fixture(scope="module")
def jax_words():
    jax = pytest.importorskip("jax")
    jnp = jax.numpy

    @jax.custom_vjp
    def cube(h):
        return h**3

    cube.defvjp(lambda h: (h**3, h), lambda h, gradient: (3 * h**2 * gradient,))

    def spd(h):
        a = h.reshape(-1, 4, 2)
        return a @ a.swapaxes(1, 2) + jnp.diag(jnp.arange(1.0, 5.0))

    return {"jax": jax, "jnp": jnp, "cube": cube, "spd": spd}


@pytest.mark.parametrize("name", JAX)
def test_an_operation_of_jax_is_right(jax_words, name):
    jax, backend = jax_words["jax"], backends.get("jax", "cpu", "float64")
    f = around(eval(f"lambda h, p, x: {JAX[name]}", jax_words))
    net = from_callable({"jax": f}, inputs=INPUTS, outputs=OUTPUTS, initial=weights(0))
    theta, x = net.init(0), np.random.default_rng(1).standard_normal((OUTPUTS, INPUTS))
    kernel = backend.empirical_ntk(net, theta, x, outputs="full")

    @jax.jit
    def gradient(theta, row, unit):
        return jax.vjp(lambda t: f(t, row[None])[0], theta)[1](unit)[0]

    with jax.enable_x64(True):
        samples = []
        for row in x:
            gradients = [gradient(theta, row, unit) for unit in np.eye(OUTPUTS)]
            samples.append(
                [np.concatenate([np.ravel(g[n]) for n in theta]) for g in gradients]
            )
    jacobian = np.array(samples)
    assert off(kernel, np.einsum("nop,mqp->nmoq", jacobian, jacobian)) < CLOSE

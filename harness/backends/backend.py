"""What every backend offers: checks, seed axes and blocks, in NumPy; operations do the rest."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, get_args

import numpy as np

from harness.backends.batch import Batch, blocks, checked, checked_noise, other_weights
from harness.backends.kernel_blocks import block_rows, fill_ntk
from harness.backends.losses import checked_loss, checked_targets
from harness.backends.operations import Operations, Optimizer, Outputs
from harness.backends.plan import Plan, Sampling, Stop, Trained
from harness.backends.ridge import regress
from harness.backends.samplewise import check_samplewise, errors_of_the_function
from harness.backends.training import descend
from harness.errors import InvalidInput
from harness.kernels.arguments import checked_inputs, checked_out
from harness.kernels.prediction import Ladder
from harness.networks import Function, Network, Theta


@dataclass(frozen=True)
class Backend:
    """One framework on one device in one precision; made by `harness.backends.get`.

    Every method takes weights of one seed (arrays as `net.init(seed)` gives them) or of many (a
    leading seed axis S on every array, as `net.init(seeds)` gives them), and data with or without a
    seed axis of its own; data without one is shared by all seeds. Results have a leading seed axis
    if the weights or the data have one. Arrays are NumPy arrays of the backend's dtype. Wrong
    shapes, NaN or infinities raise InvalidInput naming the argument.

    A net is a Network, or a function of your own made one by `networks.from_callable`. That is
    differentiated automatically, and has to treat each sample by itself: every call checks it and
    raises InvalidInput. All that its theta names counts as a parameter. docs/your-own.md says what
    else is checked.
    """

    name: str
    operations: Operations
    memory_budget: int

    @property
    def device(self) -> str:
        """ "cpu" or "cuda"."""
        return self.operations.device

    @property
    def dtype(self) -> str:
        """ "float32" or "float64"."""
        return self.operations.dtype

    def forward(
        self, net: Network | Function, theta: Theta, x: np.ndarray
    ) -> np.ndarray:
        """f(x), shape (N, O), or (S, N, O) with seeds. x is (N, n_0) or (S, N, n_0).

        >>> from harness import backends, networks
        >>> net = networks.mlp((3, 8, 2))
        >>> backends.get("numpy").forward(net, net.init(range(5)), np.ones((4, 3))).shape
        (5, 4, 2)
        """
        batch = Batch.of(net, theta, x=x)
        with self._session(net, batch) as ops:
            return batch.squeeze(
                self._fetch(
                    ops.forward(net, self._put(batch.theta), ops.put(batch.data["x"]))
                )
            )

    def empirical_ntk(  # noqa: PLR0913, PLR0917 -- public; x2, outputs, out and theta2 have defaults
        self,
        net: Network | Function,
        theta: Theta,
        x1: np.ndarray,
        x2: np.ndarray | None = None,
        outputs: Outputs = "trace",
        out: np.ndarray | None = None,
        theta2: Theta | None = None,
    ) -> np.ndarray:
        """The empirical NTK, Theta(x, x') = J(x) J(x')^T with J = df/dtheta (Jacot, Gabriel,
        Hongler 2018).

        Args:
            x1: (N1, n_0), or (S, N1, n_0).
            x2: the same with N2 samples; None: x1 itself, and the result is exactly symmetric.
            outputs: "trace" sums over outputs, (N1, N2); "full" keeps them, (N1, N2, O, O) with
                entry [i, j, o, p] = <df_o(x1_i)/dtheta, df_p(x2_j)/dtheta>. One more leading axis
                with seeds.
            out: where the result goes, of its shape and of the backend's dtype; it is also what is
                returned. For a kernel larger than memory, a file:
                `numpy.lib.format.open_memmap(path, "w+", backend.dtype, shape)`. Mapped files are
                flushed after each row of blocks. None: a new array.
            theta2: other weights, of theta's shapes, at which J(x') is taken: the kernel between a
                network and itself at another time. Of J_t - J_0 the Gram takes four such kernels,
                and no Jacobian. None: theta.

        The layers' activation Grams times their signal Grams are summed block by block, so that
        what is held beside the result, the inputs and the weights stays within the memory budget;
        no Jacobian is formed (but in the numpy oracle, and of a Function, whose activations are not
        counted). A budget that one sample exceeds is exceeded.
        """
        if outputs not in get_args(Outputs):
            raise InvalidInput(
                f"Unknown outputs {outputs!r}. Allowed: {', '.join(get_args(Outputs))}."
            )
        batch = Batch.of(net, theta, x1=x1, x2=x1 if x2 is None else x2)
        tail = (net.outputs, net.outputs) if outputs == "full" else ()
        shape = (
            batch.seeds,
            batch.data["x1"].shape[1],
            batch.data["x2"].shape[1],
            *tail,
        )
        out = checked_out(out, shape if batch.had_seeds else shape[1:], self.dtype)
        left = right = batch.theta, batch.data["x1"]
        if x2 is not None or theta2 is not None:
            right = (
                (
                    batch.theta
                    if theta2 is None
                    else other_weights(net, theta, theta2, batch)
                ),
                batch.data["x2"],
            )
        with self._session(net, batch) as ops:
            kernel = out if batch.had_seeds else out[None]
            fill_ntk(
                ops,
                net,
                (left, right),
                kernel,
                outputs=outputs,
                budget=self.memory_budget,
            )
        return out

    @contextmanager
    def _session(self, net: Network | Function, batch: Batch) -> Iterator[Operations]:
        """The operations for this kind of network, in their session; a function is checked."""
        ops = (
            self.operations if isinstance(net, Network) else self.operations.autodiff()
        )
        with ops.session():
            if isinstance(net, Network):
                yield ops
            else:
                check_samplewise(ops, net, batch)
                with errors_of_the_function("while it was differentiated"):
                    yield ops

    def pullback(
        self, net: Network | Function, theta: Theta, x: np.ndarray, v: np.ndarray
    ) -> Theta:
        """J^T v, a sum over samples, shaped like the weights; v is (N, O), seed axes as elsewhere.

        The gradient of a loss is J^T of its derivative in f; a natural-gradient step is J^T (J
        J^T)^-1 (f - y).
        """
        batch = Batch.of(net, theta, x=x, v=v)
        with self._session(net, batch) as ops:
            gradient = self._gradient(ops, net, batch, self._put(batch.theta))
            return {
                name: batch.squeeze(self._fetch(gradient[name])) for name in net.shapes
            }

    def ntk_vector_product(
        self, net: Network | Function, theta: Theta, x: np.ndarray, v: np.ndarray
    ) -> np.ndarray:
        """Theta(x, x) v = J (J^T v), without forming the kernel: (N, O) for v (N, O); seed axes as
        elsewhere.
        """
        batch = Batch.of(net, theta, x=x, v=v)
        with self._session(net, batch) as ops:
            weights = self._put(batch.theta)
            gradient = self._gradient(ops, net, batch, weights)
            products = [
                self._fetch(
                    ops.pushforward(
                        net, weights, ops.put(batch.data["x"][:, part]), gradient
                    )
                )
                for part in self._parts(ops, net, batch)
            ]
        return batch.squeeze(np.concatenate(products, axis=1))

    def _gradient(
        self,
        ops: Operations,
        net: Network | Function,
        batch: Batch,
        weights: dict[str, Any],
    ) -> dict[str, Any]:
        total: dict[str, Any] = {}
        for part in self._parts(ops, net, batch):
            x, v = ops.put(batch.data["x"][:, part]), ops.put(batch.wide("v")[:, part])
            for name, term in ops.pullback(net, weights, x, v).items():
                total[name] = total[name] + term if name in total else term
        return total

    def _parts(
        self, ops: Operations, net: Network | Function, batch: Batch
    ) -> list[slice]:
        rows = block_rows(
            ops, net, batch.seeds, outputs="trace", budget=self.memory_budget
        )
        return list(blocks(batch.data["x"].shape[1], rows))

    def infinite_ntk(
        self,
        net: Network,
        x1: np.ndarray,
        x2: np.ndarray | None = None,
        out: np.ndarray | None = None,
    ) -> np.ndarray:
        """`kernels.ntk`, the NTK at infinite width, (N1, N2), on this backend's device; arguments
        as there.

        The result has this backend's dtype. Measured against the oracle, relative to the diagonal:
        float64 6e-15 at depth 10, near-duplicates included (convolutions with relu: 2e-9 for
        patches within 1e-6 rad); float32 5e-7 for relu and sigmoid, 4e-6 for erf and tanh.
        Regression with a small ridge amplifies that: take float64. Standard deviations of inputs
        and of what they cause in a layer may be 0 or 1e-15 to 1e18 in float32; others are refused.
        Beyond the result it needs copies of the inputs, and blocks within the memory budget.

        >>> from harness import backends, networks
        >>> backends.get("numpy").infinite_ntk(
        ...     networks.mlp((2, 8, 1), sigma_b=None), np.eye(2)
        ... ).round(4)
        array([[2.    , 0.3183],
               [0.3183, 2.    ]])
        """
        return self._infinite(net, x1, x2, out, tangent=True)

    def infinite_nngp(
        self,
        net: Network,
        x1: np.ndarray,
        x2: np.ndarray | None = None,
        out: np.ndarray | None = None,
    ) -> np.ndarray:
        """`kernels.nngp`, E[f(x) f(x')] at infinite width, as `infinite_ntk`."""
        return self._infinite(net, x1, x2, out, tangent=False)

    def _infinite(
        self,
        net: Network,
        x1: np.ndarray,
        x2: np.ndarray | None,
        out: np.ndarray | None,
        *,
        tangent: bool,
    ) -> np.ndarray:
        x1, x2 = checked_inputs(net, x1, x2)
        out = checked_out(out, (len(x1), len(x1 if x2 is None else x2)), self.dtype)
        with self.operations.session(), np.errstate(under="ignore"):
            self.operations.fill_infinite(
                net, x1, x2, tangent=tangent, memory=self.memory_budget, out=out
            )
        return out

    def kernel_regression(
        self, k_train: np.ndarray, y: np.ndarray, k_test: np.ndarray, ridge: Ladder
    ) -> np.ndarray:
        """Kernel ridge regression, k_test (k_train + ridge I)^-1 y, on this backend's device, in
        float64.

        `kernels.regression` for large kernels and positive ridges: the same arguments, result and
        errors, by one Cholesky factorisation per ridge. With a leading seed axis on all three
        arrays the result has it too. On the device lie two or three times N^2 float64 numbers (N =
        32,768: 17 and 26 GB), beside the caller's arrays here two more.

        Where k_train has no eigenvalue below zero, both agree up to rounding times the condition
        number. Of others, which rounding makes of nearly singular kernels, `kernels.regression`
        counts negative eigenvalues as zero; here they count as they are, and a ridge that leaves
        the sum without a Cholesky factor, since it is smaller than the kernel's rounding errors,
        gives NaN.

        >>> from harness import backends
        >>> backends.get("numpy").kernel_regression(
        ...     np.eye(2), np.array([1.0, 2.0]), np.array([[1.0, 1.0]]), (1.0, 2.0)
        ... )
        array([[1.5],
               [1. ]])
        """
        with self.operations.session():
            return regress(self.operations, k_train, y, k_test, ridge=ridge)

    def ntk_samples(
        self, net: Network, x: np.ndarray, noise: Mapping[str, np.ndarray]
    ) -> np.ndarray:
        """Theta(x, x) of fresh random networks with one output, in O(depth * width) per draw,
        (draws,).

        x is (n_0,); noise comes from `networks.ntk_noise`. Exact in distribution: given the forward
        pass, a Gaussian W is known along its input x alone, so with a = x/|x| and independent
        standard normal u, g (times W's std)

            W x = |x| u,        W^T delta = a (u . delta) + |delta| (g - a (a . g)),

        and Theta = sum_l |delta_l|^2 (w_l^2 |x_{l-1}|^2 + s_l^2) needs no weight matrix. The oracle
        builds the weights.
        """
        if not isinstance(net, Network) or not net.dense:
            raise InvalidInput(
                "ntk_samples needs a multilayer perceptron; this network has other steps."
            )
        if net.outputs != 1:
            raise InvalidInput(
                f"ntk_samples needs a network with one output; this one has {net.outputs}."
            )
        x = checked("x", x, net.inputs, ndim=(1,))
        noise = checked_noise(net, noise)
        with self.operations.session():
            return self._fetch(
                self.operations.ntk_samples(
                    net, self.operations.put(x), self._put(noise)
                )
            )

    def train(  # noqa: PLR0913 -- public; what is optional is given by name
        self,
        net: Network | Function,
        theta: Theta,
        x: np.ndarray,
        y: np.ndarray,
        *,
        optimizer: Optimizer,
        steps: int,
        loss: str = "squared",
        batch_size: int | None = None,
        batch_seed: int | Sequence[int] = 0,
        samples: int | None = None,
        schedule: np.ndarray | None = None,
        stop: Stop | None = None,
        checkpoints: tuple[int, ...] = (),
    ) -> Trained:
        """Trains on the mean squared error, or on cross-entropy.

            "squared"        (f - y)^2, averaged over samples and outputs
            "cross-entropy"  - sum_o y_o log softmax(f)_o, averaged over samples, in nats

        Args:
            theta, x, y: weights, inputs (N, n_0) and targets (N, O), with or without a seed axis.
                Seeds train at once, and each stops on its own.
            optimizer: SGD (with or without momentum) or Adam; the learning rate is a number or one
                per seed.
            steps: the most steps taken.
            loss: "squared", or "cross-entropy", for which every row of y holds probabilities:
                one-hot labels, or others that are not negative and have the sum 1. Losses of the
                result and of `stop` are of this kind.
            batch_size: None for full batch; else minibatches: a fresh permutation per epoch and
                seed, drawn in NumPy, the same in every backend.
            batch_seed: what the permutations are drawn from: one integer per seed, so that a seed
                sees the same order whichever seeds train beside it, or one integer for all, and
                then the place on the seed axis counts.
            samples: train on the first so many samples, and leave the others out; None: on all.
                With minibatches the sizes of a learning curve then run in one compiled loop.
            schedule: factors on the learning rate, one per step, (steps,); None for constant.
            stop: when to stop before `steps`; see Stop.
            checkpoints: steps at which the weights are kept (0: before the first).
        """
        kind = checked_loss(loss)
        batch = Batch.of(net, theta, x=x, y=y)
        checked_targets("y", np.asarray(y), kind)
        sampling = Sampling(batch_size, batch_seed, samples)
        plan = Plan.of(
            batch,
            optimizer,
            sampling,
            steps=steps,
            schedule=schedule,
            checkpoints=checkpoints,
        )
        with self._session(net, batch) as ops:
            trained = descend(
                ops,
                net,
                batch.theta,
                (batch.data["x"], batch.wide("y")),
                plan=replace(plan, loss=kind),
                stop=stop or Stop(),
            )
        return trained if batch.had_seeds else trained.single()

    def _put(self, theta: Theta) -> dict[str, Any]:
        return {name: self.operations.put(array) for name, array in theta.items()}

    def _fetch(self, tensor: Any) -> np.ndarray:
        # A copy where the framework hands out a read-only view of its own memory.
        return np.require(self.operations.fetch(tensor), requirements="W")

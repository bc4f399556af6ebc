"""neural-tangents 0.6.5 on a JAX of 2026: the names that it imports, lent while it does, and two
calls replaced.

Its last release is of February 2024. With JAX 0.4.25, for which it was made, it runs unmodified
(`tox run -e oracle`), but a race needs all parties on the same JAX. What it computes is left alone;
results are compared before the race.
"""

import contextlib
import functools
import sys
import warnings
from collections.abc import Callable, Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import jax
import jax.core
import jax.extend.core
import jax.extend.source_info_util
from jax.interpreters import ad


@functools.cache
def neural_tangents() -> ModuleType:
    """The package, imported without TensorFlow (which only its `experimental` part needs) and made
    to run.

    Raises:
        ImportError: if it is not installed: pip install --no-deps neural-tangents==0.6.5, and
            frozendict.
    """
    with _lent(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import neural_tangents as nt
        from neural_tangents._src import empirical
    empirical.ad = _Wrapped(
        ad,
        linearize=_linearize,
        source_info_util=jax.extend.source_info_util,
        config=_NO_CHECKS,
    )
    empirical.core = _Wrapped(jax.core, DShapedArray=_Absent, Var=jax.extend.core.Var)
    empirical._eqn_vjp_fn = _pulled_back
    empirical._get_flops = _multiply_adds
    return nt


class _Absent:
    """Stands for a class or primitive that JAX no longer has; nothing is an instance of it."""


_NO_CHECKS = SimpleNamespace(jax_enable_checks=False)


class _Wrapped:
    """A module with some names replaced, for one importer alone."""

    def __init__(self, module: ModuleType, **replaced: Any) -> None:
        """Remembers both."""
        self._module = module
        self.__dict__.update(replaced)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)


@contextlib.contextmanager
def _lent() -> Iterator[None]:
    """The names that neural-tangents imports, put where it looks for them, and taken away
    afterwards.
    """
    core = {
        name: getattr(jax.extend.core, name)
        for name in ("Jaxpr", "JaxprEqn", "Literal", "Var", "Primitive")
    }
    lent = {(jax.core, name): value for name, value in core.items()}
    lent |= {(jax.core, "Value"): object, (ad, "zeros_like_p"): _Absent}
    lent = {
        (module, name): value
        for (module, name), value in lent.items()
        if name not in vars(module)
    }
    modules = {
        "neural_tangents.experimental": ModuleType("neural_tangents.experimental"),
        "jax.util": _jax_util(),
    }
    for (module, name), value in lent.items():
        setattr(module, name, value)
    sys.modules.update(modules)
    try:
        yield
    finally:
        for module, name in lent:
            delattr(module, name)
        for name in modules:
            sys.modules.pop(name)


def _jax_util() -> ModuleType:
    """`jax.util` as it was: map and zip that insist on equal lengths."""
    util = ModuleType("jax.util")
    util.safe_zip = lambda *lists: list(zip(*lists, strict=True))  # type: ignore[attr-defined]
    util.safe_map = lambda f, *lists: [
        f(*entries) for entries in zip(*lists, strict=True)
    ]  # type: ignore[attr-defined]
    return util


def _linearize(
    function: Any, *primals: Any, has_aux: bool
) -> tuple[Any, Any, Any, Any]:
    """The removed `ad.linearize`: outputs, one unknown per output, and the linear program with its
    constants.
    """
    assert not has_aux
    out, tangent = jax.linearize(function.call_wrapped, *primals)
    program = jax.make_jaxpr(tangent)(*primals)
    return (
        out,
        [SimpleNamespace(is_known=lambda: False) for _ in out],
        program.jaxpr,
        program.consts,
    )


def _pulled_back(equation: Any, cotangent: Any, *values: Any) -> Any:
    """The transpose of one primitive."""
    if equation is None:
        return (cotangent,)
    return ad.get_primitive_transpose(equation.primitive)(
        cotangent, *values, **equation.params
    )


def _multiply_adds(
    function: Callable[..., Any], optimize: bool, *arguments: Any, **options: Any
) -> float:
    """What the compiler says that a function costs: a dictionary today, a list of one before."""
    lowered = jax.jit(function).lower(*arguments, **options)
    analysis = (
        lowered.compile().cost_analysis() if optimize else lowered.cost_analysis()
    )
    return float((analysis[0] if isinstance(analysis, list) else analysis)["flops"])

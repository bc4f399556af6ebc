"""`python -m tests.verify.parity`: what differs between two devices is seen.

Two backends on the CPU stand for them here.
"""

import functools
import json
import re
from dataclasses import replace

import numpy as np
import pytest

from harness import backends
from harness.sweep import devices
from tests.verify.parity import __main__ as command
from tests.verify.parity.comparison import compare
from tests.verify.parity.quantities import QUANTITIES

BY_NAME = {quantity.name: quantity for quantity in QUANTITIES}
PRODUCTS = [
    BY_NAME["exact product (TF32 is off)"],
    BY_NAME["forward"],
    BY_NAME["empirical NTK"],
]


@pytest.fixture(scope="module", params=backends.DTYPES)
def cpu(request):
    return backends.get("torch", "cpu", request.param)


@pytest.fixture(scope="module")
def known(cpu):
    """Every quantity, its arrays computed once."""
    found = {quantity.name: quantity.compute(cpu) for quantity in QUANTITIES}
    return [
        replace(quantity, compute=lambda _, name=quantity.name: found[name])
        for quantity in QUANTITIES
    ]


def planted(quantities, name, change):
    """The quantities; the second time one is computed, on the second device, its last array is
    changed.
    """
    (quantity,) = (quantity for quantity in quantities if quantity.name == name)
    calls = []

    def compute(backend):
        calls.append(backend)
        *others, last = quantity.compute(backend)
        return [*others, last if len(calls) == 1 else change(last)]

    return [
        replace(one, compute=compute) if one.name == name else one for one in quantities
    ]


def differing(compared):
    return [one.quantity for one in compared if not one.agrees]


def test_a_device_agrees_with_itself(cpu, known):
    found = list(compare(cpu, cpu, known))
    assert [one.quantity for one in found] == [quantity.name for quantity in QUANTITIES]
    assert all(one.agrees and one.distance == 0 for one in found)


@pytest.mark.parametrize("name", BY_NAME)
def test_a_difference_beyond_the_tolerance_is_seen_where_it_is(cpu, known, name):
    largest = getattr(BY_NAME[name], cpu.dtype)
    beyond, within = (1 + factor * largest for factor in (3.0, 0.2))
    if name.startswith("exact"):
        beyond, within = 1 + 4 * np.finfo(cpu.dtype).eps, 1.0
    for factor, expected in ((beyond, [name]), (within, [])):
        changed = planted(
            known,
            name,
            lambda array, factor=factor: (array * float(factor)).astype(array.dtype),
        )
        assert differing(compare(cpu, cpu, changed)) == expected


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda array: np.where(
                array == array.max(), array.dtype.type("nan"), array
            ),
            "numbers that are not finite",
        ),
        (
            lambda array: np.where(
                array == array.max(), array.dtype.type("inf"), array
            ),
            "numbers that are not finite",
        ),
        (lambda array: array[:1], r"\(1, 16, 4\) instead of float\d\d \(2, 16, 4\)"),
        (lambda array: array.astype("float16"), r"float16 .* instead of float"),
    ],
)
def test_what_is_no_such_number_never_agrees(cpu, known, change, message):
    (found,) = (
        one
        for one in compare(cpu, cpu, planted(known, "forward", change))
        if one.quantity == "forward"
    )
    assert not found.agrees
    assert found.distance == np.inf
    assert re.fullmatch(
        rf"DIFFERS  torch  {cpu.dtype}  forward: .*{message}.*", found.line()
    )


def test_a_device_that_computes_other_numbers_each_time_is_seen_though_they_are_near(
    cpu, known
):
    calls = []

    def unsteady(array):
        calls.append(array)
        return array * array.dtype.type(1 + len(calls) * np.finfo(array.dtype).eps)

    found = {
        one.quantity: one
        for one in compare(cpu, cpu, planted(known, "forward", unsteady))
    }
    assert (
        found["forward"]
        .line()
        .endswith(
            f"forward: not the same to the last bit when computed again ({found['forward'].why})"
        )
    )
    assert [name for name, one in found.items() if not one.agrees] == ["forward"]


def test_what_fails_on_the_other_device_keeps_nothing_else_from_being_compared(
    cpu, known
):
    def failing(array):
        raise RuntimeError(
            "CUDA error: no kernel image is available\nfor execution on the device"
        )

    found = {
        one.quantity: one
        for one in compare(cpu, cpu, planted(known, "forward", failing))
    }
    assert (
        "forward: RuntimeError: CUDA error: no kernel image is available ("
    ) in found["forward"].line()
    assert [name for name, one in found.items() if not one.agrees] == ["forward"]


def test_equal_digests_are_equal_numbers(cpu, known):
    same, other = (
        [one.digest for one in compare(cpu, cpu, quantities)]
        for quantities in (
            known,
            planted(known, "training", lambda array: np.nextafter(array, np.inf)),
        )
    )
    changed = [
        quantity.name
        for quantity, one, two in zip(QUANTITIES, same, other, strict=True)
        if one != two
    ]
    assert changed == ["training"]


class Rounded:
    """Operations whose arrays keep so many bits behind the point, as in TF32, which has 10."""

    def __init__(self, operations, bits):
        self.operations, self.bits = operations, bits

    def __getattr__(self, name):
        return getattr(self.operations, name)

    def put(self, array):
        fraction, exponent = np.frexp(np.asarray(array, dtype=float))
        kept = np.ldexp(
            np.round(np.ldexp(fraction, self.bits + 1)), exponent - self.bits - 1
        )
        return self.operations.put(
            kept if np.issubdtype(array.dtype, np.floating) else array
        )


def test_tf32_is_seen():
    cpu = backends.get("torch", "cpu", "float32")
    tf32 = replace(cpu, operations=Rounded(cpu.operations, 10))
    assert differing(compare(cpu, tf32, PRODUCTS)) == [
        quantity.name for quantity in PRODUCTS
    ]
    full = replace(cpu, operations=Rounded(cpu.operations, 23))
    assert differing(compare(cpu, full, PRODUCTS)) == []


def test_a_step_in_float32_inside_float64_is_seen():
    cpu = backends.get("torch", "cpu", "float64")
    single = replace(cpu, operations=Rounded(cpu.operations, 23))
    assert differing(compare(cpu, single, PRODUCTS[1:])) == [
        quantity.name for quantity in PRODUCTS[1:]
    ]


@pytest.mark.skipif(devices.has_nvidia(), reason="there is a GPU")
def test_a_missing_gpu_is_a_failure(capfd):
    assert command.main(["--backend", "torch"]) == 2
    assert (
        "The torch backend was asked for device 'cuda', but PyTorch"
        in capfd.readouterr().err
    )


def test_an_unknown_or_no_framework_is_refused(capsys):
    assert command.main(["--backend", "torhc"]) == 2
    assert "Unknown backend 'torhc'" in capsys.readouterr().err
    assert command.main(["--backend", ""]) == 2


@pytest.mark.parametrize(("bits", "code"), [(60, 0), (10, 1)])
def test_exit_code_settings_and_record(monkeypatch, tmp_path, capsys, bits, code):
    get = backends.get

    def got(name, device, dtype):
        found = get(name, "cpu", dtype)
        return (
            found
            if device == "cpu"
            else replace(found, operations=Rounded(found.operations, bits))
        )

    monkeypatch.setattr(backends, "get", got)
    monkeypatch.setattr(
        command, "compare", functools.partial(compare, quantities=PRODUCTS[:2])
    )
    monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", "0")
    assert (
        command.main(
            ["--alone", "--backend", "torch", "--json", str(tmp_path / "found")]
        )
        == code
    )
    record = json.loads((tmp_path / "found" / "parity-torch.json").read_text())
    assert record["settings"]["NVIDIA_TF32_OVERRIDE"] == "0"
    assert [(one["quantity"], one["dtype"]) for one in record["compared"]] == [
        (quantity.name, dtype) for dtype in backends.DTYPES for quantity in PRODUCTS[:2]
    ]
    assert (
        f"torch: {4 if code == 0 else 0} of 4 agree. Settings: {{"
        in capsys.readouterr().out
    )


def test_the_process_has_the_environment_of_a_worker(monkeypatch):
    seen = []

    def ran(command, env, check):
        seen.append(env)
        return type("Done", (), {"returncode": -11})

    monkeypatch.setattr(command.subprocess, "run", ran)
    # what was killed has shown nothing
    assert command.main(["--backend", "torch,jax"]) == 70
    assert len(seen) == 2
    assert seen[0]["NVIDIA_TF32_OVERRIDE"] == "0"
    assert seen[0]["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    assert seen[0]["XLA_PYTHON_CLIENT_PREALLOCATE"] == "false"

"""A claim with a bed of real data: decided where the set is there, NOT_RUN and saying which set
where it is not.
"""

import io
import json
import re
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.lib import format as npy

from claims.vyas2022.curves import kernel_curves
from harness import report, sweep
from harness.datasets import cifar5m
from harness.errors import DatasetUnavailable, InvalidInput, SweepFailed
from harness.experiment import (
    Absent,
    Experiment,
    Measurements,
    Request,
    Tier,
    canonical,
)
from harness.judge import judge
from harness.registration import ClaimRecord
from harness.session import Settings, verify
from harness.study import Control, Hypothesis, Paper, Statement, Study, Superiority
from harness.sweep import Outcome, Store, Sweep
from harness.sweep.store import Failure

SEEDS = 5
NET = {"family": "mlp", "width": 4, "depth": 1, "sigma_b": 0.1}
CELL = {"sizes": (6,), "validation": 4, "test": 8, "net": NET, "kernel": "infinite"}
PARITY = {**CELL, "task": {"name": "parity", "inputs": 6, "order": 2}}
IMAGES = {
    **CELL,
    "task": {
        "name": "images",
        "dataset": "cifar5m",
        "options": {"part": "part0", "n": 40},
        "positive": (0, 1, 8, 9),
        "shrink": 4,
    },
}
FIRST_LINE = (
    "Data set 'cifar5m', part 'part0', was not found. To download it: "
    "ntk-claims data fetch cifar5m --part part0"
)


def hypothesis(name, **more):
    return Hypothesis(
        name, name, Superiority(-2.0), "none", 0.0, 0.5, agreement=1.0, **more
    )


CLAIM = Statement(
    id="toy/images",
    paper=Paper("Doe", 2020, "On Toys", "section 1", "in full"),
    title="Kernels predict",
    statement="They do.",
    operationalised="Minus the squared error, which is above -2.",
    departs="",
    family="toys",
    hypotheses=(
        hypothesis("parity"),
        hypothesis("images", role="secondary", tiers=("full",)),
    ),
    controls=(
        Control("true", "parity", "SUPPORTED", "planted"),
        Control("false", "parity", "not SUPPORTED", "planted"),
    ),
)


QUICK, FULL = (
    Tier((PARITY,), replicates=SEEDS),
    Tier((PARITY, IMAGES), replicates=SEEDS),
)
KERNELS = Experiment(kernel_curves, QUICK, FULL, dtype="float64", stream="test")


def loss(m, cell):
    """The squared error of the kernel in one cell; Absent without its data set."""
    try:
        return m[KERNELS].exactly("kernel_loss", cell)[:, 0]
    except DatasetUnavailable as error:
        return Absent(str(error))


def effects(m):
    spread = np.linspace(-0.1, 0.1, SEEDS)
    found = {"parity": -loss(m, PARITY), "true": spread, "false": spread - 3}
    if len(m.cells) + len(m.absent) == 1:  # the quick tier
        return found
    images = loss(m, IMAGES)
    return found | {"images": images if isinstance(images, Absent) else -images}


STUDY = Study(CLAIM, (KERNELS,), effects)


@pytest.fixture(autouse=True)
def no_data(tmp_path, monkeypatch):
    """No data set is anywhere but in this folder, empty at first; workers see it too.

    Registration wants text.
    """
    monkeypatch.setenv("NTK_CLAIMS_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def archive(path: Path, images: int) -> None:
    """The beginning of a file of CIFAR-5m: headers for all its images, and the first of them, which
    alone are read.
    """
    random = np.random.default_rng(0)
    arrays = {
        "X": random.integers(0, 256, (images, 32, 32, 3)).astype(np.uint8),
        "Y": np.arange(images) % 10,
    }
    path.parent.mkdir(parents=True)
    with zipfile.ZipFile(path, "w") as file:
        for name, array in arrays.items():
            header = io.BytesIO()
            shape = (cifar5m.IMAGES, *array.shape[1:])
            npy.write_array_header_1_0(
                header,
                {
                    "descr": npy.dtype_to_descr(array.dtype),
                    "fortran_order": False,
                    "shape": shape,
                },
            )
            file.writestr(f"{name}.npy", header.getvalue() + array.tobytes())


def run(store, tier="full", **options):
    settings = Settings(tier, ("numpy",), store, device="cpu", workers=1, **options)
    session = verify([STUDY], settings, progress=lambda status: None)
    return session, session.verdicts["toy/images"]


def test_without_the_data_set_a_secondary_hypothesis_is_not_run_and_with_it_the_same_code_decides(
    tmp_path, no_data
):
    session, verdict = run(tmp_path / "store")
    assert (verdict.kind, verdict.hypotheses["parity"].kind) == (
        "SUPPORTED",
        "SUPPORTED",
    )
    assert (verdict.hypotheses["images"].kind, verdict.hypotheses["images"].reason) == (
        "NOT_RUN",
        FIRST_LINE,
    )
    assert [(one.title, one.kind, one.effect) for one in verdict.beside] == [
        ("images", "NOT_RUN", FIRST_LINE)
    ]
    page = report.write(tmp_path / "report", session.document, session.run).read_text(
        encoding="utf-8"
    )
    assert "NOT_RUN" in page
    assert "ntk-claims data fetch cifar5m --part part0" in page

    _, replayed = run(tmp_path / "store", replay=True)
    assert (replayed.kind, replayed.reason) == (verdict.kind, verdict.reason)

    archive(no_data / "cifar5m" / "part0.npz", 40)
    session, verdict = run(tmp_path / "store")
    assert {name: found.kind for name, found in verdict.hypotheses.items()} == {
        "parity": "SUPPORTED",
        "images": "SUPPORTED",
    }
    assert (session.run["cells"]["cached"], session.run["cells"]["failed"]) == (1, 0)


def test_a_data_set_with_wrong_bytes_breaks_the_claim(tmp_path, no_data):
    (no_data / "cifar5m").mkdir(parents=True)
    (no_data / "cifar5m" / "part0.npz").write_bytes(b"login")
    _, verdict = run(tmp_path / "store")
    assert verdict.kind == "BROKEN"
    assert "part0.npz is a damaged .npz file" in verdict.reason


def test_at_the_other_tier_a_hypothesis_is_neither_asked_for_nor_shown(tmp_path):
    session, verdict = run(tmp_path / "store", tier="quick")
    assert (verdict.kind, list(verdict.hypotheses)) == ("SUPPORTED", ["parity"])
    assert [one["name"] for one in session.document["claims"][0]["hypotheses"]] == [
        "parity"
    ]


def measurements(*absent):
    """Of two cells of a configuration each, of which some are absent."""
    request = KERNELS.requests("quick", "numpy")[0]
    cells = [(request, {"kernel_loss": np.linspace(0.4, 0.6, SEEDS)[:, None]})]
    return Measurements(
        [cell for cell in cells if PARITY not in absent],
        [(one, FIRST_LINE) for one in absent],
    )


def test_a_claim_whose_primary_hypothesis_lacks_its_data_is_not_run():
    def primary_absent(m):
        return effects(measurements(IMAGES)) | {"parity": loss(m, PARITY)}

    verdict = judge(
        replace(STUDY, effects=primary_absent),
        {"numpy": measurements(PARITY)},
        "full",
        SEEDS,
    )
    assert (verdict.kind, verdict.reason) == (
        "NOT_RUN",
        f"'parity' cannot be measured. {FIRST_LINE}",
    )


def test_a_claim_that_asks_for_absent_cells_unguarded_is_not_run(tmp_path):
    study = replace(
        STUDY,
        effects=lambda m: {
            **effects(m),
            "images": m[KERNELS].exactly("kernel_loss", IMAGES)[:, 0],
        },
    )
    settings = Settings("full", ("numpy",), tmp_path / "store", device="cpu", workers=1)
    verdict = verify([study], settings, progress=lambda status: None).verdicts[
        "toy/images"
    ]
    assert (verdict.kind, verdict.reason) == ("NOT_RUN", FIRST_LINE)


def test_data_that_one_backend_lacks_are_lacking():
    given = {"torch": measurements(), "jax": measurements(IMAGES)}
    whole = replace(
        STUDY, effects=lambda m: {**effects(measurements()), "images": images(m)}
    )

    def images(m):
        return Absent(FIRST_LINE) if m.absent else np.linspace(0, 1, SEEDS)

    assert judge(whole, given, "full", SEEDS).hypotheses["images"].kind == "NOT_RUN"
    assert (
        judge(whole, {"torch": given["torch"]}, "full", SEEDS).hypotheses["images"].kind
        == "SUPPORTED"
    )


def test_absent_cells_are_asked_for_by_the_same_words():
    m = measurements(IMAGES)[KERNELS]
    for where in (IMAGES, {"task": IMAGES["task"]}):
        with pytest.raises(DatasetUnavailable, match=f"^{re.escape(FIRST_LINE)}$"):
            m("kernel_loss", **where)
    with pytest.raises(InvalidInput, match="must name one configuration; 0 match"):
        m("kernel_loss", task={"name": "digits-1d"})
    assert m("kernel_loss", task=PARITY["task"]) == pytest.approx(
        np.linspace(0.4, 0.6, SEEDS)[:, None]
    )


def test_a_configuration_is_absent_with_all_its_replicates_and_other_failures_are_still_missing():
    def outcome(replicate, kind=None):
        request = Request("m:f", IMAGES, (replicate,), "test", "numpy", "float64")
        return Outcome(
            request,
            failure=None
            if kind is None
            else Failure(kind, f"{FIRST_LINE}\nLooked in:", 1, ""),
        )

    found = Sweep((outcome(0, "data"), outcome(1))).measurements("numpy")
    assert (found.cells, [(canonical(c), why) for c, why in found.absent]) == (
        (),
        [(canonical(IMAGES), FIRST_LINE)],
    )
    with pytest.raises(
        SweepFailed, match="1 of 1 cells of backend 'numpy' are missing"
    ):
        Sweep((outcome(0, "error"),)).measurements("numpy")


def test_a_failure_for_lack_of_data_is_kept_in_the_store_as_such(tmp_path):
    store = Store(tmp_path / "store")
    request = Request(
        "vyas2022/kernel_curves", IMAGES, (0,), "test", "numpy", "float64"
    )
    swept = sweep.run([request], store, device="cpu", workers=1)
    assert swept.outcomes[0].lacks == FIRST_LINE
    (kept,) = store.lacking().values()
    assert (kept.kind, kept.traceback.splitlines()[:2]) == (
        "data",
        [FIRST_LINE, "Looked in:"],
    )
    (file,) = (tmp_path / "store" / "failures").iterdir()
    assert json.loads(file.read_text())["kind"] == "data"


def test_the_tiers_of_a_hypothesis_are_registered_only_where_they_are_not_both():
    record = ClaimRecord.of(STUDY).content["claim"]["hypotheses"]
    assert [one.get("tiers") for one in record] == [None, ["full"]]
    both = replace(
        STUDY,
        claim=replace(
            CLAIM,
            hypotheses=tuple(
                replace(h, tiers=("quick", "full")) for h in CLAIM.hypotheses
            ),
        ),
    )
    assert "tiers" not in json.dumps(ClaimRecord.of(both).content["claim"])
    wrong = replace(
        CLAIM,
        hypotheses=(
            *CLAIM.primary,
            hypothesis("images", role="secondary", tiers=("slow",)),
        ),
    )
    with pytest.raises(InvalidInput, match="'quick' or 'full', got 'slow'"):
        ClaimRecord.of(replace(STUDY, claim=wrong))

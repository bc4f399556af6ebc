import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest

from harness import datasets
from harness.datasets import diabetes
from harness.errors import DatasetCorrupted, DatasetUnavailable

FIXTURES = Path(__file__).parents[3] / "fixtures" / "diabetes"


def test_embedded_files_have_the_checksums_that_stand_beside_them():
    sums = dict(
        reversed(line.split())
        for line in (FIXTURES / "SHA256SUMS").read_text().splitlines()
    )
    assert sums == {file.name: file.sha256 for file in diabetes.FILES}


def test_embedded_arrays():
    """The regression coefficients of Efron et al.

    2004 hang on the columns' order; bmi and s5 say most.
    """
    data = datasets.load("diabetes")
    assert (data.x.shape, data.x.dtype, data.labels.shape, data.labels.dtype) == (
        (442, 10),
        "float32",
        (442,),
        "float64",
    )
    assert (data.classes, data.source, len(data)) == (0, "embedded", 442)
    assert (data.labels.min(), data.labels.max()) == (25, 346)
    assert data.labels.mean() == pytest.approx(152.133, abs=1e-3)
    correlation = [np.corrcoef(column, data.labels)[0, 1] for column in data.x.T]
    assert sorted(range(10), key=lambda column: -correlation[column])[:2] == [2, 8]
    assert hashlib.sha256(data.x.tobytes()).hexdigest()[:16] == "364d6af10d06ac7e"


def test_embedded_arrays_are_those_of_scikit_learn():
    theirs = pytest.importorskip("sklearn.datasets").load_diabetes(scaled=False)
    ours = datasets.load("diabetes")
    np.testing.assert_array_equal(ours.x, theirs.data.astype(np.float32))
    np.testing.assert_array_equal(ours.labels, theirs.target)


def test_missing_and_wrong_files_are_named(tmp_path, monkeypatch):
    monkeypatch.setattr(diabetes, "embedded", lambda dataset: tmp_path)
    with pytest.raises(
        DatasetUnavailable, match=r"diabetes_data_raw\.csv cannot be read: No such file"
    ):
        diabetes.load()
    for file in FIXTURES.glob("*.xz"):
        shutil.copy(file, tmp_path)
    assert len(diabetes.load()) == 442
    (tmp_path / "diabetes_target.csv").write_text("1.0\n")
    with pytest.raises(
        DatasetCorrupted,
        match=r"diabetes_target\.csv is not the published file .*244713a5.*; found: ",
    ):
        diabetes.load()
